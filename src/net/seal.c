#include "net/seal.h"

#include "base/err.h"
#include "base/random.h"
#include "net/openssl.h"

enum { NONCE = 12, TAG = 16, TEXT_MAX = 1 << 20 };

int seal(const unsigned char key[static SEAL_KEY], struct str about, struct str secret,
         struct buf *out)
{
    int len = 0, last = 0;
    unsigned char *at =
        secret.len <= TEXT_MAX ? (unsigned char *)buf_room(out, secret.len + SEAL_MORE) : NULL;
    EVP_CIPHER_CTX *context = at ? EVP_CIPHER_CTX_new() : NULL;
    if (!context)
        return ERR_NOMEM;
    random_secret(at, NONCE);
    unsigned char *text = at + NONCE;
    bool good =
        EVP_EncryptInit_ex2(context, EVP_aes_256_gcm(), key, at, NULL) == 1 &&
        EVP_EncryptUpdate(context, NULL, &len, (const unsigned char *)about.at, (int)about.len) ==
            1 &&
        EVP_EncryptUpdate(context, text, &len, (const unsigned char *)secret.at, (int)secret.len) ==
            1 &&
        EVP_EncryptFinal_ex(context, text + len, &last) == 1 && len + last == (int)secret.len &&
        EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, TAG, text + secret.len) == 1;
    EVP_CIPHER_CTX_free(context);
    if (good)
        out->len += secret.len + SEAL_MORE;
    return good ? 0 : ERR_INTERNAL;
}

int seal_open(const unsigned char key[static SEAL_KEY], struct str about, struct str sealed,
              struct buf *out)
{
    int len = 0, last = 0;
    if (sealed.len < SEAL_MORE || sealed.len > TEXT_MAX)
        return ERR_DENIED;
    size_t text_len = sealed.len - SEAL_MORE;
    const unsigned char *nonce = (const unsigned char *)sealed.at, *text = nonce + NONCE;
    unsigned char tag[TAG];
    unsigned char *at = (unsigned char *)buf_room(out, text_len + 1);
    EVP_CIPHER_CTX *context = at ? EVP_CIPHER_CTX_new() : NULL;
    if (!context)
        return ERR_NOMEM;
    memcpy(tag, text + text_len, TAG);
    bool good = EVP_DecryptInit_ex2(context, EVP_aes_256_gcm(), key, nonce, NULL) == 1 &&
                EVP_DecryptUpdate(context, NULL, &len, (const unsigned char *)about.at,
                                  (int)about.len) == 1 &&
                EVP_DecryptUpdate(context, at, &len, text, (int)text_len) == 1 &&
                EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, TAG, tag) == 1 &&
                EVP_DecryptFinal_ex(context, at + len, &last) == 1;
    EVP_CIPHER_CTX_free(context);
    ERR_clear_error();
    if (good)
        out->len += text_len;
    else
        OPENSSL_cleanse(at, text_len);
    return good ? 0 : ERR_DENIED;
}
