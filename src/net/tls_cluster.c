#include "base/check.h"
#include "net/tls.h"
#include "net/tls_inner.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* TLS 1.3 (RFC 8446) alone, and each connection with a full handshake: without resumption the
 * other side's certificate is looked at every time. */
static bool set_up(SSL_CTX *ssl)
{
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ssl, 0);
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_3_VERSION) == 1 &&
           SSL_CTX_set1_groups_list(ssl, "X25519:P-256") == 1;
}

/* Believes AUTHORITY, and shows it behind our own certificate: who joins knows no more of the
 * cluster than its fingerprint. */
static int believe(SSL_CTX *ssl, const char *authority, struct failure *failure)
{
    FILE *file = fopen(authority, "re");
    if (!file)
        return fail_errno(failure, errno == ENOENT ? ERR_NOTFOUND : ERR_DENIED,
                          "cannot read the authority's certificate file %s", authority);
    ERR_clear_error();
    X509 *certificate = PEM_read_X509(file, NULL, NULL, NULL);
    fclose(file);
    int err = ERR_OK;
    if (!certificate)
        err = fail(failure, ERR_INVALID, "%s: no certificate in PEM format can be read from it: %s",
                   authority, tls_reason());
    else if (X509_STORE_add_cert(SSL_CTX_get_cert_store(ssl), certificate) != 1 ||
             SSL_CTX_add1_chain_cert(ssl, certificate) != 1)
        err = fail(failure, ERR_INTERNAL, "%s: OpenSSL does not take it as an authority: %s",
                   authority, tls_reason());
    X509_free(certificate);
    return err;
}

/* Another cluster's certificate among our files would only be found out by others. */
static int check_own(SSL_CTX *ssl, const char *certificate, const char *authority,
                     struct failure *failure)
{
    X509_STORE_CTX *check = X509_STORE_CTX_new();
    int err = ERR_OK;
    if (!check || X509_STORE_CTX_init(check, SSL_CTX_get_cert_store(ssl),
                                      SSL_CTX_get0_certificate(ssl), NULL) != 1)
        err = fail(failure, ERR_NOMEM, "no memory for TLS");
    else if (X509_verify_cert(check) != 1)
        err = fail(failure, ERR_INVALID, "the certificate %s is not one of the authority %s: %s",
                   certificate, authority,
                   X509_verify_cert_error_string(X509_STORE_CTX_get_error(check)));
    X509_STORE_CTX_free(check);
    return err;
}

struct tls_context *tls_context_cluster(const char *certificate, const char *key,
                                        const char *authority, struct failure *failure)
{
    struct tls_context *context = tls_context_blank(TLS_method(), failure);
    if (!context)
        return NULL;
    if (!set_up(context->ssl))
        return tls_context_fail(context, failure);
    int err = tls_context_load(context, certificate, key, failure);
    if (!err)
        err = believe(context->ssl, authority, failure);
    if (!err)
        err = check_own(context->ssl, certificate, authority, failure);
    if (!err)
        return context;
    ERR_clear_error();
    tls_context_free(context);
    return NULL;
}

/* The one that has the fingerprint, among what the server has shown; NULL: none. */
static X509 *find_pinned(STACK_OF(X509) * shown, const struct tls_context *context)
{
    for (int i = 0; i < sk_X509_num(shown); i++) {
        unsigned char digest[EVP_MAX_MD_SIZE];
        unsigned len = 0;
        X509 *certificate = sk_X509_value(shown, i);
        if (X509_digest(certificate, EVP_sha256(), digest, &len) == 1 &&
            len == sizeof context->fingerprint && memcmp(digest, context->fingerprint, len) == 0)
            return certificate;
    }
    return NULL;
}

/* OpenSSL verifies as always, with the pinned certificate as the only one that is trusted. */
static int verify_pinned(X509_STORE_CTX *check, void *argument)
{
    STACK_OF(X509) *shown = X509_STORE_CTX_get0_untrusted(check);
    X509 *pinned = find_pinned(shown, argument);
    STACK_OF(X509) *trusted = pinned ? sk_X509_new_null() : NULL;
    if (!trusted || !sk_X509_push(trusted, pinned)) {
        sk_X509_free(trusted);
        X509_STORE_CTX_set_error(check, X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN);
        return 0;
    }
    X509_STORE_CTX_set0_trusted_stack(check, trusted);
    int verified = X509_verify_cert(check);
    X509_STORE_CTX_set0_trusted_stack(check, NULL);
    sk_X509_free(trusted);
    return verified;
}

struct tls_context *tls_context_pinned(const char *fingerprint, struct failure *failure)
{
    unsigned char digest[sizeof((struct tls_context *)0)->fingerprint];
    if (hex_decode(str_of(fingerprint), digest, sizeof digest) != ERR_OK) {
        fail(failure, ERR_INVALID, "\"%.80s\" is no SHA-256 fingerprint (64 hexadecimal digits)",
             fingerprint);
        return NULL;
    }
    struct tls_context *context = tls_context_blank(TLS_client_method(), failure);
    if (!context)
        return NULL;
    memcpy(context->fingerprint, digest, sizeof digest);
    if (!set_up(context->ssl))
        return tls_context_fail(context, failure);
    SSL_CTX_set_cert_verify_callback(context->ssl, verify_pinned, context);
    return context;
}

void tls_peer_name(const struct tls *tls, char out[TLS_NAME])
{
    out[0] = '\0';
    X509 *certificate = SSL_get0_peer_certificate(tls->ssl);
    if (!certificate || SSL_get_verify_result(tls->ssl) != X509_V_OK)
        return;
    const X509_NAME *subject = X509_get_subject_name(certificate);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    if (at < 0)
        return;
    const ASN1_STRING *name = X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at));
    struct str text = str_make(ASN1_STRING_get0_data(name), (size_t)ASN1_STRING_length(name));
    /* One that does not fit, or ends before its end, would name somebody else. */
    if (text.len < TLS_NAME && str_find_byte(text, '\0') < 0)
        str_copy(out, TLS_NAME, text);
}
