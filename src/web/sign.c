#include "web/sign.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

void sign_hmac(const unsigned char *key, size_t key_len, const void *message, size_t len,
               unsigned char out[static SIGN_BYTES])
{
    HMAC(EVP_sha256(), key, (int)key_len, message, len, out, NULL);
}

bool sign_same(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}
