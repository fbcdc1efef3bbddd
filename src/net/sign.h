/* Sign: HMAC-SHA256 and comparison in constant time. Apart from the rest because OpenSSL's
 * headers and base/err.h both want the name ERR_STATE. Pure; thread: any.
 */
#ifndef STOA_NET_SIGN_H
#define STOA_NET_SIGN_H

#include <stdbool.h>
#include <stddef.h>

enum { SIGN_BYTES = 32 };

/* The same many times under one key: several times as fast. One thread at a time. */
struct signer;
struct signer *signer_new(const unsigned char *key, size_t key_len); /* NULL: no memory */
void signer_free(struct signer *signer);                             /* NULL is fine */
/* False: OpenSSL could not; OUT is zero. */
bool signer_sign(struct signer *signer, const void *message, size_t len,
                 unsigned char out[static SIGN_BYTES]);

/* The same over several parts, none of which can be taken for a part of another: each is preceded
 * by its length. */
struct sign_part {
    const void *at;
    size_t len;
};
bool signer_sign_parts(struct signer *signer, const struct sign_part *parts, unsigned count,
                       unsigned char out[static SIGN_BYTES]);

void sign_hmac(const unsigned char *key, size_t key_len, const void *message, size_t len,
               unsigned char out[static SIGN_BYTES]);
bool sign_same(const void *a, const void *b, size_t len);

#endif
