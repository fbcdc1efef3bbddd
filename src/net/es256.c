#include "net/es256.h"

#include "base/base64.h"
#include "net/openssl.h"
#include "net/sha256.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/param_build.h>
#include <stdlib.h>

enum { POINT = 1 + 2 * ES256_COORDINATE, POINT_UNCOMPRESSED = 4, DER_MAX = 72, CURVE_NAME = 32 };

struct es256_key {
    EVP_PKEY *pair; /* or its public half */
};

/* Takes PAIR over. */
static int hand_out(EVP_PKEY *pair, struct es256_key **key, struct failure *failure)
{
    struct es256_key *made = calloc(1, sizeof *made);
    if (!made) {
        EVP_PKEY_free(pair);
        return fail(failure, ERR_NOMEM, "out of memory");
    }
    made->pair = pair;
    *key = made;
    return 0;
}

int es256_new(struct es256_key **key, struct failure *failure)
{
    EVP_PKEY *pair = EVP_EC_gen("P-256");
    *key = NULL;
    return pair ? hand_out(pair, key, failure)
                : fail(failure, ERR_INTERNAL, "OpenSSL cannot make a key on the curve P-256");
}

static bool is_p256(EVP_PKEY *pair)
{
    char name[CURVE_NAME] = "";
    size_t len = 0;
    return pair && EVP_PKEY_is_a(pair, "EC") &&
           EVP_PKEY_get_utf8_string_param(pair, OSSL_PKEY_PARAM_GROUP_NAME, name, sizeof name,
                                          &len) == 1 &&
           OBJ_sn2nid(name) == NID_X9_62_prime256v1;
}

/* OpenSSL asks the terminal for the password of an encrypted key unless it is told one. */
static int no_password(char *out, int size, int writing, void *context)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)context;
    return -1;
}

int es256_read(struct str pem, struct es256_key **key, struct failure *failure)
{
    *key = NULL;
    BIO *bio = pem.len < INT32_MAX ? BIO_new_mem_buf(pem.at ? pem.at : "", (int)pem.len) : NULL;
    EVP_PKEY *pair = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL) : NULL;
    BIO_free(bio);
    ERR_clear_error();
    if (is_p256(pair))
        return hand_out(pair, key, failure);
    EVP_PKEY_free(pair);
    return fail(failure, ERR_INVALID,
                "this is no private key (PEM, not encrypted) on the curve P-256");
}

static bool take_coordinate(struct str text, unsigned char out[static ES256_COORDINATE])
{
    size_t len = 0;
    return base64_decode(BASE64_URL, text, out, ES256_COORDINATE, &len) == 0 &&
           len == ES256_COORDINATE;
}

/* OpenSSL refuses a point that is not on the curve. */
static EVP_PKEY *from_point(unsigned char point[static POINT])
{
    EVP_PKEY *pair = NULL;
    char curve[] = "P-256";
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, curve, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, POINT),
        OSSL_PARAM_construct_end(),
    };
    EVP_PKEY_CTX *context = EVP_PKEY_CTX_new_from_name(NULL, "EC", NULL);
    bool good = context && EVP_PKEY_fromdata_init(context) == 1 &&
                EVP_PKEY_fromdata(context, &pair, EVP_PKEY_PUBLIC_KEY, params) == 1;
    EVP_PKEY_CTX_free(context);
    if (good && (context = EVP_PKEY_CTX_new(pair, NULL)) != NULL) {
        good = EVP_PKEY_public_check(context) == 1;
        EVP_PKEY_CTX_free(context);
    }
    if (good)
        return pair;
    EVP_PKEY_free(pair);
    return NULL;
}

int es256_read_public(struct str x, struct str y, struct es256_key **key, struct failure *failure)
{
    unsigned char point[POINT] = {POINT_UNCOMPRESSED};
    *key = NULL;
    if (!take_coordinate(x, point + 1) || !take_coordinate(y, point + 1 + ES256_COORDINATE))
        return fail(failure, ERR_INVALID,
                    "x and y of a P-256 key are %d bytes each, in base64url without padding",
                    ES256_COORDINATE);
    EVP_PKEY *pair = from_point(point);
    ERR_clear_error();
    return pair ? hand_out(pair, key, failure)
                : fail(failure, ERR_INVALID, "x and y are no point of the curve P-256");
}

void es256_free(struct es256_key *key)
{
    if (key)
        EVP_PKEY_free(key->pair);
    free(key);
}

int es256_write(const struct es256_key *key, struct buf *pem, struct failure *failure)
{
    char *text = NULL;
    BIO *bio = BIO_new(BIO_s_mem());
    bool good = bio && PEM_write_bio_PKCS8PrivateKey(bio, key->pair, NULL, NULL, 0, NULL, NULL);
    long len = good ? BIO_get_mem_data(bio, &text) : 0;
    if (len > 0)
        buf_put(pem, text, (size_t)len);
    if (text)
        OPENSSL_cleanse(text, (size_t)len);
    BIO_free(bio);
    if (len <= 0)
        return fail(failure, ERR_INTERNAL, "OpenSSL cannot write the key: has it a private half?");
    return pem->failed ? fail(failure, ERR_NOMEM, "out of memory") : 0;
}

/* ---- JWK ---- */

static bool put_text(struct str bytes, char out[static ES256_COORDINATE_TEXT])
{
    struct buf text;
    buf_init(&text, ES256_COORDINATE_TEXT - 1);
    base64_put(&text, BASE64_URL, bytes);
    bool good = !text.failed;
    str_copy(out, ES256_COORDINATE_TEXT, buf_text(&text));
    buf_close(&text);
    return good;
}

/* RFC 7638 §3.2: the required members alone, in alphabetical order, without blanks. */
static bool put_thumbprint(struct es256_public *out)
{
    unsigned char digest[SHA256_SIZE];
    char jwk[160];
    int len =
        snprintf(jwk, sizeof jwk, "{\"crv\":\"P-256\",\"kty\":\"EC\",\"x\":\"%s\",\"y\":\"%s\"}",
                 out->x, out->y);
    sha256_of(str_make(jwk, (size_t)len), digest);
    return put_text(str_make(digest, sizeof digest), out->thumbprint);
}

int es256_publish(const struct es256_key *key, struct es256_public *out, struct failure *failure)
{
    unsigned char x[ES256_COORDINATE], y[ES256_COORDINATE];
    BIGNUM *x_number = NULL, *y_number = NULL;
    bool good = EVP_PKEY_get_bn_param(key->pair, OSSL_PKEY_PARAM_EC_PUB_X, &x_number) == 1 &&
                EVP_PKEY_get_bn_param(key->pair, OSSL_PKEY_PARAM_EC_PUB_Y, &y_number) == 1 &&
                BN_bn2binpad(x_number, x, sizeof x) == sizeof x &&
                BN_bn2binpad(y_number, y, sizeof y) == sizeof y &&
                put_text(str_make(x, sizeof x), out->x) &&
                put_text(str_make(y, sizeof y), out->y) && put_thumbprint(out);
    BN_free(x_number);
    BN_free(y_number);
    return good ? 0 : fail(failure, ERR_INTERNAL, "OpenSSL does not give the key's public half");
}

/* ---- Signatures ---- */

/* OpenSSL's signatures are DER (RFC 3279 §2.2.3): a SEQUENCE of two INTEGERs. */
static bool from_der(const unsigned char *der, size_t len,
                     unsigned char signature[static ES256_SIGNATURE])
{
    const BIGNUM *r, *s;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &der, (long)len);
    if (!pair)
        return false;
    ECDSA_SIG_get0(pair, &r, &s);
    bool good = BN_bn2binpad(r, signature, ES256_COORDINATE) == ES256_COORDINATE &&
                BN_bn2binpad(s, signature + ES256_COORDINATE, ES256_COORDINATE) == ES256_COORDINATE;
    ECDSA_SIG_free(pair);
    return good;
}

/* Its length; 0: it could not. */
static size_t to_der(const unsigned char signature[static ES256_SIGNATURE],
                     unsigned char der[static DER_MAX])
{
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(signature, ES256_COORDINATE, NULL);
    BIGNUM *s = BN_bin2bn(signature + ES256_COORDINATE, ES256_COORDINATE, NULL);
    if (!pair || !r || !s || ECDSA_SIG_set0(pair, r, s) != 1) {
        ECDSA_SIG_free(pair);
        BN_free(r);
        BN_free(s);
        return 0;
    }
    int len = i2d_ECDSA_SIG(pair, NULL);
    unsigned char *at = der;
    if (len > 0 && len <= DER_MAX)
        len = i2d_ECDSA_SIG(pair, &at);
    else
        len = 0;
    ECDSA_SIG_free(pair);
    return len > 0 ? (size_t)len : 0;
}

int es256_sign(const struct es256_key *key, struct str message,
               unsigned char signature[static ES256_SIGNATURE], struct failure *failure)
{
    unsigned char der[DER_MAX];
    size_t len = sizeof der;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good =
        context && EVP_DigestSignInit(context, NULL, EVP_sha256(), NULL, key->pair) == 1 &&
        EVP_DigestSign(context, der, &len, (const unsigned char *)message.at, message.len) == 1 &&
        from_der(der, len, signature);
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return good ? 0 : fail(failure, ERR_INTERNAL, "OpenSSL cannot sign by this key");
}

bool es256_verify(const struct es256_key *key, struct str message,
                  const unsigned char signature[static ES256_SIGNATURE])
{
    unsigned char der[DER_MAX];
    size_t len = to_der(signature, der);
    EVP_MD_CTX *context = len ? EVP_MD_CTX_new() : NULL;
    bool good =
        context && EVP_DigestVerifyInit(context, NULL, EVP_sha256(), NULL, key->pair) == 1 &&
        EVP_DigestVerify(context, der, len, (const unsigned char *)message.at, message.len) == 1;
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return good;
}
