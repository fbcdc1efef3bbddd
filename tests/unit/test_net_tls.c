#include "net/openssl.h"
#include "net/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h> /* last: it has a macro named fail */

struct fixture {
    char dir[64], path[TLS_PATH];
    struct tls_context *context;
    SSL_CTX *client_context;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    str_copy(f->dir, sizeof f->dir, STR("/tmp/test_net_tls.XXXXXX"));
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(tls_self_signed(f->dir, f->path, NULL), ERR_OK);
    f->context = tls_context_new(f->path, f->path, NULL);
    assert_non_null(f->context);
    f->client_context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(f->client_context, SSL_VERIFY_PEER, NULL);
    assert_int_equal(SSL_CTX_load_verify_file(f->client_context, f->path), 1);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    char command[TLS_PATH];
    SSL_CTX_free(f->client_context);
    tls_context_free(f->context);
    snprintf(command, sizeof command, "rm -r %s", f->dir);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

/* A client and a server that talk through memory. */
struct talk {
    struct tls *server;
    SSL *client;
    BIO *to_client, *from_client;
    char received[100000];
    size_t received_len;
    enum tls_verdict verdict;
};

static void talk_open(struct talk *talk, struct fixture *f, int version, const char *host,
                      const unsigned char *alpn, unsigned alpn_len)
{
    *talk = (struct talk){.server = tls_new(f->context), .client = SSL_new(f->client_context)};
    assert_non_null(talk->server);
    talk->to_client = BIO_new(BIO_s_mem());
    talk->from_client = BIO_new(BIO_s_mem());
    SSL_set_bio(talk->client, talk->to_client, talk->from_client);
    SSL_set_connect_state(talk->client);
    SSL_set_min_proto_version(talk->client, version);
    SSL_set_max_proto_version(talk->client, version);
    SSL_set1_host(talk->client, host);
    if (alpn)
        assert_int_equal(SSL_set_alpn_protos(talk->client, alpn, alpn_len), 0);
}

static void talk_close(struct talk *talk)
{
    SSL_free(talk->client);
    tls_free(talk->server);
}

/* Carries what waits on either side to the other, in pieces of STEP bytes. */
static bool carry(struct talk *talk, size_t step)
{
    char piece[4096];
    bool carried = false;
    int n = BIO_read(talk->from_client, piece, (int)step);
    if (n > 0) {
        size_t got;
        tls_receive(talk->server, piece, (size_t)n);
        while ((talk->verdict = tls_read(talk->server, talk->received + talk->received_len,
                                         sizeof talk->received - talk->received_len, &got)) ==
               TLS_OK)
            talk->received_len += got;
        carried = true;
    }
    struct str output = tls_output(talk->server);
    if (output.len > 0) {
        size_t part = output.len < step ? output.len : step;
        assert_int_equal(BIO_write(talk->to_client, output.at, (int)part), (int)part);
        tls_sent(talk->server, part);
        carried = true;
    }
    return carried;
}

static bool shake_hands(struct talk *talk, size_t step)
{
    for (;;) {
        int done = SSL_do_handshake(talk->client);
        bool carried = carry(talk, step);
        if (done == 1 && !carried)
            return tls_ready(talk->server);
        if (!carried && SSL_get_error(talk->client, done) != SSL_ERROR_WANT_READ)
            return false;
    }
}

static void both_versions_carry_bytes_both_ways(void **state)
{
    static const unsigned char h2[] = "\x02h2";
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    static char big[50000];
    for (int i = 0; i < 2; i++)
        for (size_t step = 1; step <= 4096; step = step * 64) {
            struct talk talk;
            talk_open(&talk, *state, versions[i], "localhost", h2, sizeof h2 - 1);
            assert_false(tls_ready(talk.server));
            assert_true(shake_hands(&talk, step));
            assert_true(tls_agreed(talk.server, STR("h2")));
            assert_false(tls_agreed(talk.server, STR("http/1.1")));
            memset(big, 'a' + i, sizeof big);
            assert_int_equal(SSL_write(talk.client, big, sizeof big), sizeof big);
            assert_true(tls_write(talk.server, big, sizeof big));
            while (carry(&talk, step))
                ;
            assert_int_equal(talk.received_len, sizeof big);
            assert_memory_equal(talk.received, big, sizeof big);
            size_t back = 0, got;
            while (SSL_read_ex(talk.client, talk.received, sizeof talk.received, &got) == 1)
                back += got;
            assert_int_equal(back, sizeof big);
            assert_int_equal(tls_output(talk.server).len, 0);
            talk_close(&talk);
        }
}

static void all_that_there_is_is_read_as_far_as_there_is_room(void **state)
{
    static char big[40000], piece[50000];
    struct talk talk;
    struct buf to;
    talk_open(&talk, *state, TLS1_3_VERSION, "localhost", NULL, 0);
    assert_true(shake_hands(&talk, 4096));
    memset(big, 'a', sizeof big);
    assert_int_equal(SSL_write(talk.client, big, sizeof big), sizeof big);
    int n = BIO_read(talk.from_client, piece, sizeof piece);
    tls_receive(talk.server, piece, (size_t)n);
    buf_init(&to, TLS_RECORD + 1);
    assert_int_equal(tls_read_all(talk.server, &to), TLS_OK);
    assert_true(to.len > 0 && to.len <= TLS_RECORD);
    size_t before = to.len;
    buf_close(&to);
    buf_init(&to, 4 * TLS_RECORD);
    assert_int_equal(tls_read_all(talk.server, &to), TLS_WAIT);
    assert_int_equal(before + to.len, sizeof big);
    buf_close(&to);
    talk_close(&talk);
}

static void the_end_of_the_stream_is_told_from_a_break(void **state)
{
    struct talk talk;
    talk_open(&talk, *state, TLS1_3_VERSION, "127.0.0.1", NULL, 0);
    assert_true(shake_hands(&talk, 4096));
    assert_false(tls_agreed(talk.server, STR("h2")));
    SSL_shutdown(talk.client);
    while (carry(&talk, 4096))
        ;
    assert_int_equal(talk.verdict, TLS_CLOSED);
    talk_close(&talk);

    talk_open(&talk, *state, TLS1_3_VERSION, "localhost", NULL, 0);
    BIO_write(talk.from_client, "GET / HTTP/1.1\r\n\r\n", 18);
    carry(&talk, 4096);
    assert_int_equal(talk.verdict, TLS_FAILED);
    talk_close(&talk);
}

static void an_unknown_protocol_or_an_old_version_is_refused(void **state)
{
    static const unsigned char spdy[] = "\x06spdy/3";
    struct talk talk;
    talk_open(&talk, *state, TLS1_3_VERSION, "localhost", spdy, sizeof spdy - 1);
    assert_false(shake_hands(&talk, 4096));
    talk_close(&talk);
    talk_open(&talk, *state, TLS1_1_VERSION, "localhost", NULL, 0);
    SSL_set_security_level(talk.client, 0);
    SSL_set_cipher_list(talk.client, "ALL");
    assert_false(shake_hands(&talk, 4096));
    talk_close(&talk);
}

static void a_client_resumes_its_session(void **state)
{
    struct talk talk;
    char byte;
    talk_open(&talk, *state, TLS1_2_VERSION, "localhost", NULL, 0);
    assert_true(shake_hands(&talk, 4096));
    SSL_read(talk.client, &byte, 1);
    SSL_SESSION *session = SSL_get1_session(talk.client);
    SSL_shutdown(talk.client);
    talk_close(&talk);
    talk_open(&talk, *state, TLS1_2_VERSION, "localhost", NULL, 0);
    SSL_set_session(talk.client, session);
    assert_true(shake_hands(&talk, 4096));
    assert_true(SSL_session_reused(talk.client));
    SSL_SESSION_free(session);
    talk_close(&talk);
}

static void the_self_signed_certificate_is_private_and_kept(void **state)
{
    struct fixture *f = *state;
    struct stat before, after;
    char path[TLS_PATH];
    assert_int_equal(stat(f->path, &before), 0);
    assert_int_equal(before.st_mode & 0777, 0600);
    assert_int_equal(tls_self_signed(f->dir, path, NULL), ERR_OK);
    assert_string_equal(path, f->path);
    assert_int_equal(stat(path, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
}

static void its_pin_is_the_digest_of_its_public_key(void **state)
{
    struct fixture *f = *state;
    char pin[TLS_PIN], command[512], expected[TLS_PIN] = "sha256//";
    struct failure failure = {0};
    assert_int_equal(tls_pin(f->path, pin, &failure), 0);
    snprintf(command, sizeof command,
             "openssl x509 -in %s -noout -pubkey | openssl pkey -pubin -outform der | "
             "openssl dgst -sha256 -binary | openssl base64",
             f->path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    assert_non_null(fgets(expected + 8, sizeof expected - 8, pipe));
    assert_int_equal(pclose(pipe), 0);
    expected[strcspn(expected, "\n")] = '\0';
    assert_string_equal(pin, expected);
    assert_int_equal(tls_pin("/nowhere", pin, &failure), ERR_IO);
    assert_int_equal(tls_pin("/dev/null", pin, &failure), ERR_INVALID);
}

static void which_file_is_wrong_is_said(void **state)
{
    struct fixture *f = *state;
    struct failure failure = {0};
    char other_dir[TLS_PATH], other[TLS_PATH], text[TLS_PATH];
    assert_null(tls_context_new("/nowhere/cert.pem", f->path, &failure));
    assert_int_equal(failure.err, ERR_NOTFOUND);
    assert_non_null(strstr(failure.text, "certificate file /nowhere/cert.pem"));

    snprintf(text, sizeof text, "%s/text.pem", f->dir);
    FILE *file = fopen(text, "w");
    fputs("no certificate\n", file);
    fclose(file);
    assert_null(tls_context_new(text, f->path, &failure));
    assert_non_null(strstr(failure.text, "text.pem: no certificate in PEM format"));
    assert_null(tls_context_new(f->path, text, &failure));
    assert_non_null(strstr(failure.text, "text.pem: no key in PEM format"));

    snprintf(other_dir, sizeof other_dir, "%.60s/other", f->dir);
    mkdir(other_dir, 0700);
    assert_int_equal(tls_self_signed(other_dir, other, NULL), ERR_OK);
    assert_null(tls_context_new(f->path, other, &failure));
    assert_non_null(strstr(failure.text, "not the one of the certificate"));
    assert_int_not_equal(tls_self_signed("/nowhere", other, &failure), ERR_OK);
    assert_non_null(strstr(failure.text, "/nowhere/self-signed.pem"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(both_versions_carry_bytes_both_ways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(all_that_there_is_is_read_as_far_as_there_is_room, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_end_of_the_stream_is_told_from_a_break, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(an_unknown_protocol_or_an_old_version_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_client_resumes_its_session, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_self_signed_certificate_is_private_and_kept, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(its_pin_is_the_digest_of_its_public_key, set_up, tear_down),
        cmocka_unit_test_setup_teardown(which_file_is_wrong_is_said, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
