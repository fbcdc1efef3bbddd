/* A cluster's authority and certificates in a directory of the test's own, and time. */
#ifndef STOA_TESTS_NET_FIXTURE_H
#define STOA_TESTS_NET_FIXTURE_H

#include "base/check.h"
#include "base/clock.h"
#include "net/authority.h"
#include "net/tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Loopback, but of this process alone: no other test listens there, nor does any connection of
 * the machine begin there. So a port that was given back is still free. */
static inline void own_address(char *out, size_t size, unsigned port)
{
    unsigned pid = (unsigned)getpid();
    snprintf(out, size, "127.%u.%u.1:%u", 64 + (pid >> 8) % 64, pid % 256, port);
}

struct pki {
    char dir[64], authority[128];
    struct buf certificate, key; /* the authority's */
};

static inline void pki_save(const char *path, struct str text)
{
    FILE *file = fopen(path, "w");
    CHECK(file && fwrite(text.at, 1, text.len, file) == text.len && fclose(file) == 0);
}

static inline void pki_open(struct pki *pki, const char *name)
{
    struct failure failure = {0};
    str_copy(pki->dir, sizeof pki->dir, STR("/tmp/test_net.XXXXXX"));
    CHECK(mkdtemp(pki->dir));
    buf_init(&pki->certificate, 65536);
    buf_init(&pki->key, 65536);
    CHECK(authority_new(name, &pki->certificate, &pki->key, &failure) == ERR_OK);
    snprintf(pki->authority, sizeof pki->authority, "%s/authority.pem", pki->dir);
    pki_save(pki->authority, buf_text(&pki->certificate));
}

static inline void pki_close(struct pki *pki)
{
    char command[96];
    snprintf(command, sizeof command, "rm -r %s", pki->dir);
    CHECK(system(command) == 0);
    buf_close(&pki->certificate);
    buf_close(&pki->key);
}

/* A new key with a certificate for NAME, as two files. */
static inline void pki_certify(const struct pki *pki, const char *name, char certificate[128],
                               char key[128])
{
    struct failure failure = {0};
    struct buf key_text, request, text;
    buf_init(&key_text, 65536);
    buf_init(&request, 65536);
    buf_init(&text, 65536);
    CHECK(authority_request(&key_text, &request, &failure) == ERR_OK);
    CHECK(authority_sign(buf_text(&pki->certificate), buf_text(&pki->key), buf_text(&request), name,
                         &text, &failure) == ERR_OK);
    snprintf(certificate, 128, "%s/%s.pem", pki->dir, name);
    snprintf(key, 128, "%s/%s.key", pki->dir, name);
    pki_save(certificate, buf_text(&text));
    pki_save(key, buf_text(&key_text));
    buf_close(&key_text);
    buf_close(&request);
    buf_close(&text);
}

/* The context of the server NAME. */
static inline struct tls_context *pki_context(const struct pki *pki, const char *name)
{
    char certificate[128], key[128];
    struct failure failure = {0};
    pki_certify(pki, name, certificate, key);
    struct tls_context *context = tls_context_cluster(certificate, key, pki->authority, &failure);
    if (!context)
        fprintf(stderr, "%s\n", failure.text);
    CHECK(context);
    return context;
}

static inline struct tls_context *pki_pinned(const struct pki *pki)
{
    char fingerprint[FINGERPRINT_TEXT];
    CHECK(authority_fingerprint(buf_text(&pki->certificate), fingerprint, NULL) == ERR_OK);
    struct tls_context *context = tls_context_pinned(fingerprint, NULL);
    CHECK(context);
    return context;
}

static inline uint64_t within_ms(unsigned ms)
{
    return clock_mono_ns() + ms * MS_NS;
}

#endif
