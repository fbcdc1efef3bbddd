#include "net/authority.h"

#include "net/certificate.h"

#include <limits.h>

enum { VALID_DAYS = 30 * 365 };

/* What OpenSSL holds during one of the calls here. */
struct desk {
    EVP_PKEY *key; /* the authority's, or a server's new one */
    X509 *authority;
    X509 *certificate;
    X509_REQ *request;
    EVP_PKEY *requested; /* the request's, public */
};

static void desk_close(struct desk *desk)
{
    EVP_PKEY_free(desk->key);
    EVP_PKEY_free(desk->requested);
    X509_free(desk->authority);
    X509_free(desk->certificate);
    X509_REQ_free(desk->request);
    ERR_clear_error();
}

static int openssl_failed(const char *what, struct failure *failure)
{
    const char *reason = ERR_reason_error_string(ERR_peek_last_error());
    return fail(failure, ERR_INTERNAL, "OpenSSL cannot make %s: %s", what,
                reason ? reason : "unknown reason");
}

/* ---- PEM ---- */

static BIO *pem_open(struct str text)
{
    return text.len > 0 && text.len <= INT_MAX ? BIO_new_mem_buf(text.at, (int)text.len) : NULL;
}

/* A key protected by a passphrase is refused, not asked for at a terminal. */
static int no_passphrase(char *out, int size, int writing, void *argument)
{
    (void)out, (void)size, (void)writing, (void)argument;
    return -1;
}

static int read_certificate(struct str text, X509 **certificate, struct failure *failure)
{
    BIO *bio = pem_open(text);
    *certificate = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    return *certificate ? ERR_OK
                        : fail(failure, ERR_INVALID, "the certificate is none in PEM format");
}

static int read_key(struct str text, EVP_PKEY **key, struct failure *failure)
{
    BIO *bio = pem_open(text);
    *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    return *key ? ERR_OK : fail(failure, ERR_INVALID, "the key is none in PEM format");
}

static int read_request(struct str text, struct desk *desk, struct failure *failure)
{
    BIO *bio = pem_open(text);
    desk->request = bio ? PEM_read_bio_X509_REQ(bio, NULL, no_passphrase, NULL) : NULL;
    BIO_free(bio);
    desk->requested = desk->request ? X509_REQ_get_pubkey(desk->request) : NULL;
    if (!desk->requested)
        return fail(failure, ERR_INVALID, "the certificate request is none in PEM format");
    if (X509_REQ_verify(desk->request, desk->requested) != 1)
        return fail(failure, ERR_INVALID,
                    "the certificate request is not signed by the key that it is for");
    if (EVP_PKEY_get_security_bits(desk->requested) < 128)
        return fail(failure, ERR_INVALID, "the key in the certificate request is too weak");
    return ERR_OK;
}

/* Appends what BIO holds; frees it. */
static bool pem_take(BIO *bio, bool written, struct buf *out)
{
    char *at = NULL;
    long len = written ? BIO_get_mem_data(bio, &at) : 0;
    if (len > 0)
        buf_put(out, at, (size_t)len);
    BIO_free(bio);
    return len > 0 && !out->failed;
}

static bool write_certificate(X509 *certificate, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    return bio && pem_take(bio, PEM_write_bio_X509(bio, certificate) == 1, out);
}

static bool write_key(EVP_PKEY *key, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    return bio &&
           pem_take(bio, PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL) == 1, out);
}

static bool write_request(X509_REQ *request, struct buf *out)
{
    BIO *bio = BIO_new(BIO_s_mem());
    return bio && pem_take(bio, PEM_write_bio_X509_REQ(bio, request) == 1, out);
}

/* ---- Making ---- */

static bool fill_authority(X509 *certificate, const char *name, EVP_PKEY *key)
{
    return certificate_begin(certificate, name, key) &&
           X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "O", MBSTRING_UTF8,
                                      (const unsigned char *)"Stoa cluster", -1, -1, 0) == 1 &&
           X509_set_issuer_name(certificate, X509_get_subject_name(certificate)) == 1 &&
           X509_time_adj_ex(X509_getm_notAfter(certificate), VALID_DAYS, 0, NULL) &&
           certificate_extend(certificate, certificate, NID_basic_constraints,
                              "critical,CA:TRUE,pathlen:0") &&
           certificate_extend(certificate, certificate, NID_key_usage,
                              "critical,keyCertSign,cRLSign") &&
           certificate_extend(certificate, certificate, NID_subject_key_identifier, "hash") &&
           X509_sign(certificate, key, EVP_sha256()) > 0;
}

int authority_new(const char *name, struct buf *certificate, struct buf *key,
                  struct failure *failure)
{
    struct desk desk = {.key = EVP_EC_gen("P-256"), .authority = X509_new()};
    int err = ERR_OK;
    if (!desk.key || !desk.authority || !fill_authority(desk.authority, name, desk.key) ||
        !write_certificate(desk.authority, certificate) || !write_key(desk.key, key))
        err = openssl_failed("the cluster's authority", failure);
    desk_close(&desk);
    return err;
}

int authority_request(struct buf *key, struct buf *request, struct failure *failure)
{
    struct desk desk = {.key = EVP_EC_gen("P-256"), .request = X509_REQ_new()};
    int err = ERR_OK;
    /* The name comes from the one who signs. */
    if (!desk.key || !desk.request || X509_REQ_set_version(desk.request, X509_REQ_VERSION_1) != 1 ||
        X509_REQ_set_pubkey(desk.request, desk.key) != 1 ||
        X509_REQ_sign(desk.request, desk.key, EVP_sha256()) <= 0 || !write_key(desk.key, key) ||
        !write_request(desk.request, request))
        err = openssl_failed("a certificate request", failure);
    desk_close(&desk);
    return err;
}

static bool fill_server(struct desk *desk, const char *name)
{
    X509 *certificate = desk->certificate;
    return certificate_begin(certificate, name, desk->requested) &&
           X509_set_issuer_name(certificate, X509_get_subject_name(desk->authority)) == 1 &&
           X509_set1_notAfter(certificate, X509_get0_notAfter(desk->authority)) == 1 &&
           certificate_extend(certificate, desk->authority, NID_basic_constraints,
                              "critical,CA:FALSE") &&
           certificate_extend(certificate, desk->authority, NID_key_usage,
                              "critical,digitalSignature") &&
           certificate_extend(certificate, desk->authority, NID_ext_key_usage,
                              "serverAuth,clientAuth") &&
           certificate_extend(certificate, desk->authority, NID_subject_key_identifier, "hash") &&
           certificate_extend(certificate, desk->authority, NID_authority_key_identifier,
                              "keyid") &&
           X509_sign(certificate, desk->key, EVP_sha256()) > 0;
}

int authority_sign(struct str authority, struct str authority_key, struct str request,
                   const char *name, struct buf *certificate, struct failure *failure)
{
    struct desk desk = {0};
    int err = read_certificate(authority, &desk.authority, failure);
    if (!err)
        err = read_key(authority_key, &desk.key, failure);
    if (!err && X509_check_private_key(desk.authority, desk.key) != 1)
        err = fail(failure, ERR_INVALID, "the key is not the one of the authority's certificate");
    if (!err)
        err = read_request(request, &desk, failure);
    if (!err) {
        desk.certificate = X509_new();
        if (!desk.certificate || !fill_server(&desk, name) ||
            !write_certificate(desk.certificate, certificate))
            err = openssl_failed("a server's certificate", failure);
    }
    desk_close(&desk);
    return err;
}

int authority_fingerprint(struct str certificate, char out[FINGERPRINT_TEXT],
                          struct failure *failure)
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    X509 *read;
    int err = read_certificate(certificate, &read, failure);
    if (err)
        return err;
    if (X509_digest(read, EVP_sha256(), digest, &len) == 1 && len * 2 + 1 == FINGERPRINT_TEXT)
        hex_encode(digest, len, out);
    else
        err = openssl_failed("a fingerprint", failure);
    X509_free(read);
    return err;
}
