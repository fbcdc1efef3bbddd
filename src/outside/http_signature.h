/* HTTP message signatures (RFC 9421) by ES256, of requests and answers.
 *
 * A message is described by plain values and a list of its header fields, as they are sent or were
 * received; nothing is read from a connection. Components that can be covered: any field, and
 * @method, @authority, @path, @query, @scheme, @target-uri, @request-target, @status; without
 * component parameters (;sf, ;key, …). What a verifier must have covered is for it to ask. A value
 * with a line break in it (a folded field, or malice) is refused.
 *
 * Pure but for the randomness in a signature; thread: any.
 */
#ifndef STOA_OUTSIDE_HTTP_SIGNATURE_H
#define STOA_OUTSIDE_HTTP_SIGNATURE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "http/exchange.h"
#include "net/es256.h"

#include <stdbool.h>
#include <stdint.h>

enum { SIGNATURE_COMPONENTS_MAX = 32, SIGNATURE_BASE_MAX = 64 << 10 };

struct signature_message {
    struct str method;
    struct str scheme;      /* "https" */
    struct str authority;   /* as in the URL or Host, in any case, with its port if there is one */
    struct str path, query; /* as sent; the query with its '?'; empty: none */
    int status;             /* of an answer; 0: it is a request */
    const struct http_header *headers;
    unsigned header_count;
};

/* Splits an absolute http(s) URL into MESSAGE's scheme, authority, path and query, which are lent
 * from it. ERR_INVALID: it is none. */
int signature_take_url(struct signature_message *message, struct str url);

/* ---- Signing ---- */

/* Signs the COMPONENTS ("@method", "content-type", …; lower case) of MESSAGE: appends the values of
 * the fields Signature-Input and Signature. CREATED: seconds since 1970; negative: not told.
 * ERR_NOTFOUND: MESSAGE lacks a component. */
int signature_make(const struct signature_message *message, const struct str *components,
                   unsigned count, struct str key_id, int64_t created, const struct es256_key *key,
                   struct buf *input, struct buf *signature, struct failure *failure);

/* ---- Verifying ---- */

/* A signature that a message bears; lent from its fields or the arena. */
struct signature_found {
    struct str label, key_id;
    struct str algorithm; /* empty: not told, it follows from the key */
    struct str covered;   /* what stands behind "label=" */
    struct str components[SIGNATURE_COMPONENTS_MAX];
    unsigned component_count;
    int64_t created, expires; /* -1: not told */
    unsigned char bytes[ES256_SIGNATURE];
};

/* The first signature in Signature-Input, with its bytes from Signature. ERR_NOTFOUND: it bears
 * none; ERR_INVALID: that cannot be read; ERR_UNSUPPORTED: made in a way that we do not know. */
int signature_find(const struct signature_message *message, struct arena *arena,
                   struct signature_found *found, struct failure *failure);
bool signature_covers(const struct signature_found *found, struct str component);
/* Whether KEY made it for this message: 0 or ERR_DENIED. */
int signature_check(const struct signature_message *message, const struct signature_found *found,
                    const struct es256_key *key, struct failure *failure);

/* Appends the base that is signed (§2.5); COVERED is what stands behind "label=". For tests, and
 * for people whose signature does not fit. */
int signature_base(const struct signature_message *message, struct str covered, struct buf *base,
                   struct failure *failure);

#endif
