/* What tls.c and tls_cluster.c share: the insides of contexts and sessions. For net/ alone. */
#ifndef STOA_NET_TLS_INNER_H
#define STOA_NET_TLS_INNER_H

#include "base/buf.h"
#include "net/openssl.h"
#include "net/tls.h"

struct tls_context {
    SSL_CTX *ssl;
    BIO_METHOD *bio; /* reads from and writes to a struct tls */
    /* A pinned one: SHA-256 of the authority's certificate. */
    unsigned char fingerprint[32];
};

struct tls {
    SSL *ssl;
    struct str input; /* lent by tls_receive, not yet used */
    struct buf output;
    size_t sent;         /* of output */
    const char *problem; /* why it failed, if it did; OpenSSL's text */
};

/* Why OpenSSL says that its last call failed. */
const char *tls_reason(void);

/* A context without certificate and rules, or NULL. */
struct tls_context *tls_context_blank(const SSL_METHOD *method, struct failure *failure);
/* Gives it what this side shows. Errors name the file. */
int tls_context_load(struct tls_context *context, const char *certificate, const char *key,
                     struct failure *failure);
/* For a failure of OpenSSL's without a cause of ours. Frees CONTEXT; returns NULL. */
struct tls_context *tls_context_fail(struct tls_context *context, struct failure *failure);

#endif
