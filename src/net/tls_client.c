#include "net/tls.h"
#include "net/tls_inner.h"

#include <arpa/inet.h>
#include <errno.h>
#include <unistd.h>

/* As a server's (tls.c), seen from the other side. HTTP/1.1 is all that is asked for: whoever
 * connects here keeps one request on a connection. */
static bool set_up(SSL_CTX *ssl)
{
    static const unsigned char protocols[] = "\x08http/1.1";
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ssl, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL") == 1 &&
           SSL_CTX_set1_groups_list(ssl, "X25519:P-256:P-384") == 1 &&
           SSL_CTX_set_alpn_protos(ssl, protocols, sizeof protocols - 1) == 0;
}

static int believe(SSL_CTX *ssl, const char *authority, struct failure *failure)
{
    SSL_CTX_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    if (!authority) {
        if (SSL_CTX_set_default_verify_paths(ssl) != 1)
            return fail(failure, ERR_INTERNAL, "the system's authorities cannot be read: %s",
                        tls_reason());
        return ERR_OK;
    }
    if (access(authority, R_OK) < 0)
        return fail_errno(failure, errno == ENOENT ? ERR_NOTFOUND : ERR_DENIED,
                          "cannot read the authority's certificate file %s", authority);
    /* A server's own certificate is an authority for itself: self-signed ones are no other's. */
    X509_STORE_set_flags(SSL_CTX_get_cert_store(ssl), X509_V_FLAG_PARTIAL_CHAIN);
    if (SSL_CTX_load_verify_file(ssl, authority) != 1)
        return fail(failure, ERR_INVALID,
                    "%s: no certificate in PEM format can be read from it: %s", authority,
                    tls_reason());
    return ERR_OK;
}

struct tls_context *tls_context_client(const char *authority, bool verify, struct failure *failure)
{
    struct tls_context *context = tls_context_blank(TLS_client_method(), failure);
    if (!context)
        return NULL;
    ERR_clear_error();
    if (!set_up(context->ssl))
        return tls_context_fail(context, failure);
    if (!verify || believe(context->ssl, authority, failure) == ERR_OK)
        return context;
    ERR_clear_error();
    tls_context_free(context);
    return NULL;
}

/* HOST of "HOST:PORT", "[IPV6]:PORT" or of itself alone. */
static void host_of(struct str text, char out[TLS_PATH])
{
    if (text.len > 0 && text.at[0] == '[') {
        ptrdiff_t end = str_find_byte(text, ']');
        text = str_sub(text, 1, end < 0 ? text.len : (size_t)end - 1);
    } else {
        ptrdiff_t colon = str_find_byte(text, ':');
        text = str_sub(text, 0, colon < 0 ? text.len : (size_t)colon);
    }
    str_copy(out, TLS_PATH, text);
}

bool tls_expect(struct tls *tls, const char *host)
{
    char name[TLS_PATH];
    unsigned char address[sizeof(struct in6_addr)];
    host_of(str_of(host), name);
    ERR_clear_error();
    if (inet_pton(AF_INET, name, address) == 1 || inet_pton(AF_INET6, name, address) == 1)
        return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(tls->ssl), name) == 1;
    return SSL_set_tlsext_host_name(tls->ssl, name) == 1 && SSL_set1_host(tls->ssl, name) == 1;
}
