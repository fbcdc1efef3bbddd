#include "net/openssl.h"
#include "net_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h> /* last: it has a macro named fail */

struct fixture {
    struct buf authority, authority_key, key, request, certificate;
    struct failure failure;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    buf_init(&f->authority, 65536);
    buf_init(&f->authority_key, 65536);
    buf_init(&f->key, 65536);
    buf_init(&f->request, 65536);
    buf_init(&f->certificate, 65536);
    assert_int_equal(authority_new("Käse & Co", &f->authority, &f->authority_key, &f->failure), 0);
    assert_int_equal(authority_request(&f->key, &f->request, &f->failure), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    buf_close(&f->authority);
    buf_close(&f->authority_key);
    buf_close(&f->key);
    buf_close(&f->request);
    buf_close(&f->certificate);
    free(f);
    return 0;
}

static int sign(struct fixture *f, struct str authority, struct str key, struct str request)
{
    return authority_sign(authority, key, request, "server-3", &f->certificate, &f->failure);
}

static X509 *read_certificate(struct str text)
{
    BIO *bio = BIO_new_mem_buf(text.at, (int)text.len);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(certificate);
    return certificate;
}

static int verify(X509 *authority, X509 *certificate, int purpose, time_t at)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *check = X509_STORE_CTX_new();
    assert_int_equal(X509_STORE_add_cert(store, authority), 1);
    assert_int_equal(X509_STORE_CTX_init(check, store, certificate, NULL), 1);
    X509_STORE_CTX_set_purpose(check, purpose);
    X509_STORE_CTX_set_time(check, 0, at);
    X509_STORE_CTX_set_flags(check, X509_V_FLAG_X509_STRICT);
    int verified = X509_verify_cert(check);
    if (verified != 1)
        print_message("%s\n", X509_verify_cert_error_string(X509_STORE_CTX_get_error(check)));
    X509_STORE_CTX_free(check);
    X509_STORE_free(store);
    return verified;
}

static void a_server_s_certificate_serves_both_ways_for_decades(void **state)
{
    struct fixture *f = *state;
    char name[64];
    time_t now = time(NULL), year = 365 * 86400;
    assert_int_equal(
        sign(f, buf_text(&f->authority), buf_text(&f->authority_key), buf_text(&f->request)),
        ERR_OK);
    X509 *authority = read_certificate(buf_text(&f->authority));
    X509 *certificate = read_certificate(buf_text(&f->certificate));
    assert_int_equal(verify(authority, certificate, X509_PURPOSE_SSL_CLIENT, now), 1);
    assert_int_equal(verify(authority, certificate, X509_PURPOSE_SSL_SERVER, now), 1);
    /* 30 years less than 30 days: past the end of 32 bits, and of two-digit years. */
    assert_int_equal(
        verify(authority, certificate, X509_PURPOSE_SSL_SERVER, now + 30 * year - 30 * 86400), 1);
    assert_int_not_equal(verify(authority, certificate, X509_PURPOSE_SSL_SERVER, now + 31 * year),
                         1);
    assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(certificate), NID_commonName, name,
                                          sizeof name) > 0);
    assert_string_equal(name, "server-3");
    /* It cannot make further ones. */
    assert_int_equal(X509_check_ca(certificate), 0);
    assert_int_equal(X509_check_ca(authority), 1);
    X509_free(authority);
    X509_free(certificate);
}

static void the_key_fits_the_certificate_and_no_other(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(
        sign(f, buf_text(&f->authority), buf_text(&f->authority_key), buf_text(&f->request)),
        ERR_OK);
    X509 *certificate = read_certificate(buf_text(&f->certificate));
    BIO *bio = BIO_new_mem_buf(f->key.at, (int)f->key.len);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    assert_int_equal(X509_check_private_key(certificate, key), 1);
    assert_int_equal(EVP_PKEY_get_bits(key), 256);
    EVP_PKEY_free(key);
    BIO_free(bio);
    X509_free(certificate);
}

static void what_is_not_ours_is_refused_with_the_reason(void **state)
{
    struct fixture *f = *state;
    struct str authority = buf_text(&f->authority), key = buf_text(&f->authority_key),
               request = buf_text(&f->request);
    assert_int_equal(sign(f, STR("nonsense"), key, request), ERR_INVALID);
    assert_non_null(strstr(f->failure.text, "certificate is none in PEM format"));
    assert_int_equal(sign(f, STR_NONE, key, request), ERR_INVALID);
    assert_int_equal(sign(f, authority, authority, request), ERR_INVALID);
    assert_non_null(strstr(f->failure.text, "key is none"));
    assert_int_equal(sign(f, authority, buf_text(&f->key), request), ERR_INVALID);
    assert_non_null(strstr(f->failure.text, "not the one of the authority"));
    assert_int_equal(sign(f, authority, key, key), ERR_INVALID);
    assert_non_null(strstr(f->failure.text, "request is none"));
    assert_int_equal(sign(f, authority, key, str_sub(request, 0, request.len / 2)), ERR_INVALID);
    assert_int_equal(f->certificate.len, 0);
}

/* As REQUEST's public key, but signed by another: its owner has not asked. */
static void a_request_for_somebody_else_s_key_is_refused(void **state)
{
    struct fixture *f = *state;
    struct buf forged;
    char *at = NULL;
    BIO *bio = BIO_new_mem_buf(f->request.at, (int)f->request.len), *out = BIO_new(BIO_s_mem());
    X509_REQ *request = PEM_read_bio_X509_REQ(bio, NULL, NULL, NULL);
    EVP_PKEY *other = EVP_EC_gen("P-256");
    assert_true(X509_REQ_sign(request, other, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509_REQ(out, request), 1);
    long len = BIO_get_mem_data(out, &at);
    buf_init(&forged, 65536);
    buf_put(&forged, at, (size_t)len);
    assert_int_equal(
        sign(f, buf_text(&f->authority), buf_text(&f->authority_key), buf_text(&forged)),
        ERR_INVALID);
    assert_non_null(strstr(f->failure.text, "not signed by the key"));
    buf_close(&forged);
    EVP_PKEY_free(other);
    X509_REQ_free(request);
    BIO_free(out);
    BIO_free(bio);
}

static void a_weak_key_is_refused(void **state)
{
    struct fixture *f = *state;
    char *at = NULL;
    EVP_PKEY *weak = EVP_RSA_gen(1024);
    X509_REQ *request = X509_REQ_new();
    BIO *out = BIO_new(BIO_s_mem());
    X509_REQ_set_pubkey(request, weak);
    assert_true(X509_REQ_sign(request, weak, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509_REQ(out, request), 1);
    long len = BIO_get_mem_data(out, &at);
    assert_int_equal(
        sign(f, buf_text(&f->authority), buf_text(&f->authority_key), str_make(at, (size_t)len)),
        ERR_INVALID);
    assert_non_null(strstr(f->failure.text, "too weak"));
    BIO_free(out);
    X509_REQ_free(request);
    EVP_PKEY_free(weak);
}

static void a_fingerprint_is_that_of_the_certificate_s_bytes(void **state)
{
    struct fixture *f = *state;
    char text[FINGERPRINT_TEXT], expected[FINGERPRINT_TEXT];
    unsigned char digest[32];
    unsigned len = sizeof digest;
    X509 *authority = read_certificate(buf_text(&f->authority));
    assert_int_equal(X509_digest(authority, EVP_sha256(), digest, &len), 1);
    hex_encode(digest, sizeof digest, expected);
    assert_int_equal(authority_fingerprint(buf_text(&f->authority), text, &f->failure), ERR_OK);
    assert_string_equal(text, expected);
    assert_int_equal(authority_fingerprint(STR("x"), text, &f->failure), ERR_INVALID);
    X509_free(authority);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_server_s_certificate_serves_both_ways_for_decades, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_key_fits_the_certificate_and_no_other, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_is_not_ours_is_refused_with_the_reason, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_request_for_somebody_else_s_key_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_weak_key_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_fingerprint_is_that_of_the_certificate_s_bytes, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
