/* Structured field values (RFC 9651): as much of them as signatures and digests need. Dictionaries
 * whose members are inner lists or byte sequences; items are strings, integers, byte sequences,
 * booleans and tokens.
 *
 * A cursor goes over the text; what it gives is lent from there. Anything that is not exactly as
 * the RFC has it is ERR_INVALID. Pure; thread: any.
 */
#ifndef STOA_HTTP_STRUCTURED_H
#define STOA_HTTP_STRUCTURED_H

#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum structured_kind {
    STRUCTURED_STRING,
    STRUCTURED_INTEGER,
    STRUCTURED_BYTES,
    STRUCTURED_TRUE, /* ?1, or a key alone */
    STRUCTURED_FALSE,
    STRUCTURED_TOKEN,
};

struct structured_item {
    enum structured_kind kind;
    struct str text; /* of a string what stands between the quotes, escapes as they are; of bytes
                        the base64; of a token all of it */
    int64_t number;  /* of an integer */
};

/* One item, without its parameters. *REST is what follows it. */
int structured_item(struct str *rest, struct structured_item *item);

/* The next ";key" or ";key=item". ERR_NOTFOUND: what follows is no parameter. */
int structured_parameter(struct str *rest, struct str *key, struct structured_item *item);

/* The next member of a dictionary: its key, and where its value begins in *REST, which is "" when
 * the key stands alone. After the value was taken: structured_next. ERR_NOTFOUND: no member. */
int structured_key(struct str *rest, struct str *key);
/* Over the comma to the next member. ERR_NOTFOUND: that was the last. */
int structured_next(struct str *rest);

/* The next string of the inner list whose '(' was taken, with its parameters as text in *MORE.
 * ERR_NOTFOUND: the ')' was taken instead. */
int structured_inner(struct str *rest, struct str *string, struct str *more);

/* Appends TEXT as a string. What cannot be in one (control characters, bytes above 126) fails OUT.
 */
void structured_put_string(struct buf *out, struct str text);
/* Appends BYTES as a byte sequence, ":…:". */
void structured_put_bytes(struct buf *out, struct str bytes);

#endif
