#include "net/sign.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/params.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

void sign_hmac(const unsigned char *key, size_t key_len, const void *message, size_t len,
               unsigned char out[static SIGN_BYTES])
{
    HMAC(EVP_sha256(), key, (int)key_len, message, len, out, NULL);
}

bool sign_same(const void *a, const void *b, size_t len)
{
    return CRYPTO_memcmp(a, b, len) == 0;
}

/* The context keeps what the key was made into; starting it without one takes that again. */
struct signer {
    EVP_MAC_CTX *context;
};

struct signer *signer_new(const unsigned char *key, size_t key_len)
{
    struct signer *signer = calloc(1, sizeof *signer);
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    char digest[] = "SHA256";
    const OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end(),
    };
    if (signer && mac)
        signer->context = EVP_MAC_CTX_new(mac);
    EVP_MAC_free(mac); /* the context holds it */
    if (signer && signer->context && EVP_MAC_init(signer->context, key, key_len, params))
        return signer;
    signer_free(signer);
    return NULL;
}

void signer_free(struct signer *signer)
{
    if (signer)
        EVP_MAC_CTX_free(signer->context);
    free(signer);
}

static bool end(struct signer *signer, bool good, unsigned char out[static SIGN_BYTES])
{
    size_t written = 0;
    if (good && EVP_MAC_final(signer->context, out, &written, SIGN_BYTES) && written == SIGN_BYTES)
        return true;
    memset(out, 0, SIGN_BYTES);
    return false;
}

bool signer_sign(struct signer *signer, const void *message, size_t len,
                 unsigned char out[static SIGN_BYTES])
{
    bool good = EVP_MAC_init(signer->context, NULL, 0, NULL) &&
                EVP_MAC_update(signer->context, message, len);
    return end(signer, good, out);
}

bool signer_sign_parts(struct signer *signer, const struct sign_part *parts, unsigned count,
                       unsigned char out[static SIGN_BYTES])
{
    bool good = EVP_MAC_init(signer->context, NULL, 0, NULL);
    for (unsigned i = 0; i < count && good; i++) {
        unsigned char len[8];
        for (unsigned j = 0; j < sizeof len; j++)
            len[j] = (unsigned char)((uint64_t)parts[i].len >> (56 - 8 * j));
        good = EVP_MAC_update(signer->context, len, sizeof len) &&
               (parts[i].len == 0 || EVP_MAC_update(signer->context, parts[i].at, parts[i].len));
    }
    return end(signer, good, out);
}
