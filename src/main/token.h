/* Token: the text by which the operator lets one new server join (`stoa token`).
 *
 *   "stoa-join-" and in hexadecimal: a record (base/wire.h) of version (2: for a witness), cluster,
 *   SHA-256 of the authority's certificate, secret, when it expires, addresses of members; then the
 *   first four bytes of the record's SHA-256, by which a text that was not copied whole is
 * recognised
 *
 * A member keeps only the secret's SHA-256, in the registry, until it is used. Pure, but for
 * token_new's randomness. Thread: any.
 */
#ifndef STOA_MAIN_TOKEN_H
#define STOA_MAIN_TOKEN_H

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "net/authority.h"
#include "replica/hello.h"

enum {
    TOKEN_SECRET = 24,
    TOKEN_ADDRESSES = 5,
    TOKEN_TEXT = 4096, /* longest, with its NUL */
    TOKEN_KEY = 71,    /* "token/" and 64 digits, with its NUL */
};

struct token {
    struct id cluster;
    char fingerprint[FINGERPRINT_TEXT];
    unsigned char secret[TOKEN_SECRET];
    int64_t expires_ms; /* wall clock */
    bool witness;       /* one joins by it */
    unsigned address_count;
    char addresses[TOKEN_ADDRESSES][SERVER_ADDRESS]; /* of members, for the other servers */
};

/* Appends the text. */
void token_encode(struct buf *out, const struct token *token);
/* ERR_INVALID with what is wrong about it. Blanks around it do not matter. */
int token_decode(struct str text, struct token *token, struct failure *failure);

/* The key of the registry under which a token with SECRET is kept. */
void token_key(const unsigned char secret[TOKEN_SECRET], char out[TOKEN_KEY]);

#endif
