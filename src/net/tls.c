#include "net/tls.h"

#include "base/check.h"
#include "net/tls_inner.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* The most ciphertext held: a batch of records of the owner, and handshake messages. */
enum { OUTPUT_MAX = 1 << 20 };

/* ---- The ends that OpenSSL reads from and writes to ---- */

static int bio_read(BIO *bio, char *out, size_t room, size_t *len)
{
    struct tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (tls->input.len == 0) {
        BIO_set_retry_read(bio);
        return 0;
    }
    *len = room < tls->input.len ? room : tls->input.len;
    memcpy(out, tls->input.at, *len);
    tls->input = str_from(tls->input, *len);
    return 1;
}

static int bio_write(BIO *bio, const char *bytes, size_t len, size_t *written)
{
    struct tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    buf_put(&tls->output, bytes, len);
    if (tls->output.failed)
        return 0;
    *written = len;
    return 1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *bio_method_new(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "stoa");
    if (method) {
        BIO_meth_set_read_ex(method, bio_read);
        BIO_meth_set_write_ex(method, bio_write);
        BIO_meth_set_ctrl(method, bio_control);
    }
    return method;
}

/* ---- Contexts ---- */

const char *tls_reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_last_error());
    return text ? text : "unknown reason";
}

static int no_passphrase(char *out, int size, int writing, void *argument)
{
    (void)out, (void)size, (void)writing;
    *(bool *)argument = true;
    return -1;
}

static int check_readable(const char *what, const char *path, struct failure *failure)
{
    if (access(path, R_OK) < 0)
        return fail_errno(failure, errno == ENOENT ? ERR_NOTFOUND : ERR_DENIED,
                          "cannot read the %s file %s", what, path);
    return ERR_OK;
}

int tls_context_load(struct tls_context *context, const char *certificate, const char *key,
                     struct failure *failure)
{
    SSL_CTX *ssl = context->ssl;
    bool protected = false;
    int err = check_readable("certificate", certificate, failure);
    if (!err)
        err = check_readable("key", key, failure);
    if (err)
        return err;
    SSL_CTX_set_default_passwd_cb(ssl, no_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(ssl, &protected);
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ssl, certificate) != 1)
        return fail(failure, ERR_INVALID,
                    "%s: no certificate in PEM format can be read from it: %s", certificate,
                    tls_reason());
    if (SSL_CTX_use_PrivateKey_file(ssl, key, SSL_FILETYPE_PEM) != 1) {
        if (protected)
            return fail(failure, ERR_INVALID,
                        "%s: the key is protected by a passphrase; give one without", key);
        if (ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH)
            return fail(failure, ERR_INVALID, "the key in %s is not the one of the certificate %s",
                        key, certificate);
        return fail(failure, ERR_INVALID, "%s: no key in PEM format can be read from it: %s", key,
                    tls_reason());
    }
    SSL_CTX_set_default_passwd_cb_userdata(ssl, NULL);
    if (SSL_CTX_check_private_key(ssl) != 1)
        return fail(failure, ERR_INVALID, "the key in %s is not the one of the certificate %s", key,
                    certificate);
    return ERR_OK;
}

/* h2 before http/1.1, whatever the client prefers. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *offered, unsigned offered_len, void *argument)
{
    static const unsigned char ours[] = "\x02h2\x08http/1.1";
    (void)ssl, (void)argument;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_len, ours, sizeof ours - 1, offered, offered_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static bool set_up(SSL_CTX *ssl)
{
    static const unsigned char name[] = "stoa";
    SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(ssl, 1);
    SSL_CTX_set_alpn_select_cb(ssl, choose_protocol, NULL);
    return SSL_CTX_set_min_proto_version(ssl, TLS1_2_VERSION) == 1 &&
           SSL_CTX_set_cipher_list(ssl, "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL") == 1 &&
           SSL_CTX_set1_groups_list(ssl, "X25519:P-256:P-384") == 1 &&
           SSL_CTX_set_session_id_context(ssl, name, sizeof name - 1) == 1;
}

struct tls_context *tls_context_blank(const SSL_METHOD *method, struct failure *failure)
{
    struct tls_context *context = calloc(1, sizeof *context);
    if (!context) {
        fail(failure, ERR_NOMEM, "no memory for TLS");
        return NULL;
    }
    context->ssl = SSL_CTX_new(method);
    context->bio = bio_method_new();
    return context->ssl && context->bio ? context : tls_context_fail(context, failure);
}

struct tls_context *tls_context_fail(struct tls_context *context, struct failure *failure)
{
    fail(failure, ERR_INTERNAL, "OpenSSL cannot be set up: %s", tls_reason());
    ERR_clear_error();
    tls_context_free(context);
    return NULL;
}

struct tls_context *tls_context_new(const char *certificate, const char *key,
                                    struct failure *failure)
{
    struct tls_context *context = tls_context_blank(TLS_server_method(), failure);
    if (!context)
        return NULL;
    if (!set_up(context->ssl))
        return tls_context_fail(context, failure);
    if (tls_context_load(context, certificate, key, failure) == ERR_OK)
        return context;
    ERR_clear_error();
    tls_context_free(context);
    return NULL;
}

void tls_context_free(struct tls_context *context)
{
    if (!context)
        return;
    SSL_CTX_free(context->ssl);
    BIO_meth_free(context->bio);
    free(context);
}

/* ---- Sessions ---- */

static struct tls *session_new(struct tls_context *context)
{
    struct tls *tls = calloc(1, sizeof *tls);
    if (!tls)
        return NULL;
    buf_init(&tls->output, OUTPUT_MAX);
    BIO *bio = BIO_new(context->bio);
    tls->ssl = SSL_new(context->ssl);
    if (!bio || !tls->ssl) {
        BIO_free(bio);
        tls_free(tls);
        return NULL;
    }
    BIO_set_data(bio, tls);
    BIO_set_init(bio, 1);
    SSL_set_bio(tls->ssl, bio, bio);
    return tls;
}

struct tls *tls_new(struct tls_context *context)
{
    struct tls *tls = session_new(context);
    if (tls)
        SSL_set_accept_state(tls->ssl);
    return tls;
}

struct tls *tls_new_connecting(struct tls_context *context)
{
    struct tls *tls = session_new(context);
    if (tls)
        SSL_set_connect_state(tls->ssl);
    return tls;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl);
    buf_close(&tls->output);
    free(tls);
}

void tls_receive(struct tls *tls, const void *bytes, size_t len)
{
    CHECK(tls->input.len == 0);
    tls->input = str_make(bytes, len);
}

/* The first cause is kept: what fails afterwards fails because of it. */
static void note_problem(struct tls *tls)
{
    if (!tls->problem && ERR_peek_last_error() != 0)
        tls->problem = tls_reason();
    ERR_clear_error();
}

const char *tls_problem(const struct tls *tls)
{
    long verified = SSL_get_verify_result(tls->ssl);
    if (verified != X509_V_OK)
        return X509_verify_cert_error_string(verified);
    return tls->problem ? tls->problem : "the connection broke";
}

enum tls_verdict tls_read(struct tls *tls, void *out, size_t room, size_t *len)
{
    ERR_clear_error();
    if (SSL_read_ex(tls->ssl, out, room, len) == 1)
        return TLS_OK;
    int error = SSL_get_error(tls->ssl, 0);
    if (error == SSL_ERROR_WANT_READ) {
        CHECK(tls->input.len == 0);
        return TLS_WAIT;
    }
    tls->input = STR_NONE;
    note_problem(tls);
    return error == SSL_ERROR_ZERO_RETURN ? TLS_CLOSED : TLS_FAILED;
}

enum tls_verdict tls_read_all(struct tls *tls, struct buf *to)
{
    enum tls_verdict verdict = TLS_OK;
    char *room;
    while (verdict == TLS_OK && (room = buf_room(to, TLS_RECORD)) != NULL) {
        size_t len = 0;
        verdict = tls_read(tls, room, TLS_RECORD, &len);
        to->len += len;
    }
    return verdict;
}

bool tls_has_unread(const struct tls *tls)
{
    return tls->input.len > 0 || SSL_has_pending(tls->ssl);
}

bool tls_ready(const struct tls *tls)
{
    return SSL_is_init_finished(tls->ssl);
}

bool tls_agreed(const struct tls *tls, struct str protocol)
{
    const unsigned char *name;
    unsigned len;
    SSL_get0_alpn_selected(tls->ssl, &name, &len);
    return len > 0 && str_eq(str_make(name, len), protocol);
}

bool tls_write(struct tls *tls, const void *bytes, size_t len)
{
    size_t written;
    if (len == 0)
        return true;
    ERR_clear_error();
    /* Without partial writes it takes all: the output has no full state but its bound. */
    if (SSL_write_ex(tls->ssl, bytes, len, &written) == 1 && written == len)
        return true;
    note_problem(tls);
    return false;
}

void tls_close(struct tls *tls)
{
    ERR_clear_error();
    if (SSL_is_init_finished(tls->ssl))
        SSL_shutdown(tls->ssl);
    ERR_clear_error();
}

struct str tls_output(const struct tls *tls)
{
    return str_from(buf_text(&tls->output), tls->sent);
}

void tls_sent(struct tls *tls, size_t len)
{
    tls->sent += len;
    if (tls->sent < tls->output.len)
        return;
    /* Memory is held only while something waits: most connections are idle. */
    tls->sent = 0;
    buf_close(&tls->output);
    buf_init(&tls->output, OUTPUT_MAX);
}
