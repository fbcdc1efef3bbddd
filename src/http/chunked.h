/* The chunked coding of HTTP/1.1 (RFC 9112 §7.1), decoded strictly: for what comes from servers.
 *
 * Pure: bytes in, pieces of the body out, by reference. Taken: hexadecimal sizes of at most 16
 * digits, extensions of at most CHUNKED_EXTENSION bytes (dropped), CRLF and nothing like it.
 */
#ifndef STOA_HTTP_CHUNKED_H
#define STOA_HTTP_CHUNKED_H

#include "base/str.h"

enum { CHUNKED_EXTENSION = 4096 };

/*                       ┌──────────────── ';' ───────────────┐
 *   BEGIN ──digit──▶ SIZE ──CR──▶ SIZE_LF ◀──CR── EXTENSION ◀─┘
 *     ▲                              ├──size 0──▶ TRAILERS
 *     └── DATA_LF ◀─CR─ DATA_CR ◀─ DATA
 */
enum chunked_state {
    CHUNKED_BEGIN,
    CHUNKED_SIZE,
    CHUNKED_IN_EXTENSION,
    CHUNKED_SIZE_LF,
    CHUNKED_IN_DATA,
    CHUNKED_DATA_CR,
    CHUNKED_DATA_LF,
    CHUNKED_AT_TRAILERS,
};

/* Begun zeroed. */
struct chunked {
    enum chunked_state state;
    unsigned digits, extension;
    uint64_t left; /* of this chunk */
};

enum chunked_verdict {
    CHUNKED_MORE,     /* all of the bytes are used */
    CHUNKED_DATA,     /* a piece of the body */
    CHUNKED_TRAILERS, /* the last chunk has come: what follows is trailers and an empty line */
    CHUNKED_INVALID,
};

/* Uses the front of *REST; gives a piece of the body in *DATA, or the reason in *WHY. */
enum chunked_verdict chunked_read(struct chunked *chunked, struct str *rest, struct str *data,
                                  const char **why);

#endif
