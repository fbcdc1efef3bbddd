#include "net/openssl.h"
#include "net_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

struct fixture {
    struct pki ours, others;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    pki_open(&f->ours, "ours");
    pki_open(&f->others, "others");
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    pki_close(&f->ours);
    pki_close(&f->others);
    free(f);
    return 0;
}

/* Two sessions that talk through memory. */
struct talk {
    struct tls *connecting, *accepting;
    enum tls_verdict connecting_verdict, accepting_verdict;
    char received[64]; /* by the accepting side */
    size_t received_len;
    char name_of_connecting[TLS_NAME], name_of_accepting[TLS_NAME];
};

static bool carry(struct tls *from, struct tls *to, enum tls_verdict *verdict, char *out,
                  size_t room, size_t *out_len)
{
    char bytes[65536];
    struct str output = tls_output(from);
    assert_true(output.len <= sizeof bytes);
    if (output.len == 0 || *verdict == TLS_FAILED)
        return false;
    memcpy(bytes, output.at, output.len);
    tls_sent(from, output.len);
    tls_receive(to, bytes, output.len);
    size_t len;
    while ((*verdict = tls_read(to, out + *out_len, room - *out_len, &len)) == TLS_OK)
        *out_len += len;
    return true;
}

/* Shakes hands and says "hello"; true when it arrived. */
static bool talk(struct talk *t, struct tls_context *connecting, struct tls_context *accepting)
{
    char back[64];
    size_t back_len = 0, len;
    *t = (struct talk){.connecting = tls_new_connecting(connecting),
                       .accepting = tls_new(accepting),
                       .connecting_verdict = TLS_WAIT,
                       .accepting_verdict = TLS_WAIT};
    assert_non_null(t->connecting);
    assert_non_null(t->accepting);
    assert_int_equal(tls_read(t->connecting, back, sizeof back, &len), TLS_WAIT);
    bool said = false, moved = true;
    while (moved) {
        moved = carry(t->connecting, t->accepting, &t->accepting_verdict, t->received,
                      sizeof t->received, &t->received_len);
        moved |= carry(t->accepting, t->connecting, &t->connecting_verdict, back, sizeof back,
                       &back_len);
        if (!said && tls_ready(t->connecting) && t->connecting_verdict != TLS_FAILED)
            moved |= said = tls_write(t->connecting, "hello", 5);
    }
    tls_peer_name(t->connecting, t->name_of_accepting);
    tls_peer_name(t->accepting, t->name_of_connecting);
    return t->received_len == 5 && memcmp(t->received, "hello", 5) == 0;
}

static void talk_close(struct talk *t)
{
    tls_free(t->connecting);
    tls_free(t->accepting);
}

static void servers_of_a_cluster_know_each_other_by_name(void **state)
{
    struct fixture *f = *state;
    struct tls_context *one = pki_context(&f->ours, "server-1");
    struct tls_context *two = pki_context(&f->ours, "server-2");
    struct talk t;
    assert_true(talk(&t, one, two));
    assert_string_equal(t.name_of_connecting, "server-1");
    assert_string_equal(t.name_of_accepting, "server-2");
    talk_close(&t);
    assert_true(talk(&t, two, one));
    assert_string_equal(t.name_of_connecting, "server-2");
    talk_close(&t);
    tls_context_free(one);
    tls_context_free(two);
}

static void another_cluster_is_believed_by_neither_side(void **state)
{
    struct fixture *f = *state;
    struct tls_context *ours = pki_context(&f->ours, "server-1");
    struct tls_context *other = pki_context(&f->others, "server-2");
    struct talk t;
    assert_false(talk(&t, ours, other));
    assert_int_equal(t.connecting_verdict, TLS_FAILED);
    assert_string_equal(t.name_of_accepting, "");
    assert_non_null(strstr(tls_problem(t.connecting), "certificate"));
    /* The other side is told so by an alert. */
    assert_int_equal(t.accepting_verdict, TLS_FAILED);
    assert_non_null(strstr(tls_problem(t.accepting), "unknown ca"));
    talk_close(&t);
    tls_context_free(ours);
    tls_context_free(other);
}

/* With the fingerprint of our authority, and a certificate of another. */
static void who_connects_with_another_cluster_s_certificate_is_refused(void **state)
{
    struct fixture *f = *state;
    char certificate[128], key[128];
    pki_certify(&f->others, "server-1", certificate, key);
    struct tls_context *ours = pki_context(&f->ours, "server-2");
    struct talk t;
    SSL_CTX *liar = SSL_CTX_new(TLS_client_method());
    assert_int_equal(SSL_CTX_use_certificate_file(liar, certificate, SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(liar, key, SSL_FILETYPE_PEM), 1);
    SSL *ssl = SSL_new(liar);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    t.accepting = tls_new(ours);
    enum tls_verdict verdict = TLS_WAIT;
    char piece[16384], plain[64];
    for (int i = 0; i < 10 && verdict == TLS_WAIT; i++) {
        size_t len;
        SSL_do_handshake(ssl);
        int n = BIO_read(out, piece, sizeof piece);
        if (n > 0) {
            tls_receive(t.accepting, piece, (size_t)n);
            verdict = tls_read(t.accepting, plain, sizeof plain, &len);
        }
        struct str output = tls_output(t.accepting);
        if (output.len > 0)
            BIO_write(in, output.at, (int)output.len);
        tls_sent(t.accepting, output.len);
    }
    assert_int_equal(verdict, TLS_FAILED);
    assert_false(tls_ready(t.accepting));
    SSL_free(ssl);
    SSL_CTX_free(liar);
    tls_free(t.accepting);
    tls_context_free(ours);
}

static void who_joins_has_no_name_and_believes_the_pinned_authority_alone(void **state)
{
    struct fixture *f = *state;
    struct tls_context *ours = pki_context(&f->ours, "server-1");
    struct tls_context *other = pki_context(&f->others, "server-1");
    struct tls_context *joining = pki_pinned(&f->ours);
    struct talk t;
    assert_true(talk(&t, joining, ours));
    assert_string_equal(t.name_of_connecting, "");
    assert_string_equal(t.name_of_accepting, "server-1");
    talk_close(&t);
    assert_false(talk(&t, joining, other));
    assert_int_equal(t.connecting_verdict, TLS_FAILED);
    talk_close(&t);
    tls_context_free(ours);
    tls_context_free(other);
    tls_context_free(joining);
}

/* The pinned authority's certificate shown beside a certificate that it has not signed. */
static void showing_the_authority_is_not_being_certified_by_it(void **state)
{
    struct fixture *f = *state;
    char certificate[128], key[128];
    pki_certify(&f->others, "server-1", certificate, key);
    struct tls_context *joining = pki_pinned(&f->ours);
    SSL_CTX *liar = SSL_CTX_new(TLS_server_method());
    assert_int_equal(SSL_CTX_use_certificate_file(liar, certificate, SSL_FILETYPE_PEM), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey_file(liar, key, SSL_FILETYPE_PEM), 1);
    BIO *bio = BIO_new_mem_buf(f->ours.certificate.at, (int)f->ours.certificate.len);
    X509 *authority = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_int_equal(SSL_CTX_add_extra_chain_cert(liar, authority), 1);
    SSL *ssl = SSL_new(liar);
    BIO *in = BIO_new(BIO_s_mem()), *out = BIO_new(BIO_s_mem());
    SSL_set_bio(ssl, in, out);
    SSL_set_accept_state(ssl);
    struct tls *tls = tls_new_connecting(joining);
    enum tls_verdict verdict = TLS_WAIT;
    char piece[16384], plain[64];
    size_t len;
    (void)tls_read(tls, plain, sizeof plain, &len);
    for (int i = 0; i < 10 && verdict == TLS_WAIT; i++) {
        struct str output = tls_output(tls);
        if (output.len > 0)
            BIO_write(in, output.at, (int)output.len);
        tls_sent(tls, output.len);
        SSL_do_handshake(ssl);
        int n = BIO_read(out, piece, sizeof piece);
        if (n > 0) {
            tls_receive(tls, piece, (size_t)n);
            verdict = tls_read(tls, plain, sizeof plain, &len);
        }
    }
    assert_int_equal(verdict, TLS_FAILED);
    assert_false(tls_ready(tls));
    tls_free(tls);
    SSL_free(ssl);
    SSL_CTX_free(liar);
    tls_context_free(joining);
}

static void files_of_two_clusters_are_not_mixed(void **state)
{
    struct fixture *f = *state;
    struct failure failure = {0};
    char certificate[128], key[128];
    pki_certify(&f->others, "server-1", certificate, key);
    assert_null(tls_context_cluster(certificate, key, f->ours.authority, &failure));
    assert_int_equal(failure.err, ERR_INVALID);
    assert_non_null(strstr(failure.text, "is not one of the authority"));
    assert_null(tls_context_cluster(certificate, key, "/nowhere/authority.pem", &failure));
    assert_int_equal(failure.err, ERR_NOTFOUND);
    assert_non_null(strstr(failure.text, "/nowhere/authority.pem"));
    assert_null(tls_context_cluster(certificate, key, key, &failure));
    assert_non_null(strstr(failure.text, "no certificate in PEM format"));
    assert_null(tls_context_pinned("0123", &failure));
    assert_non_null(strstr(failure.text, "64 hexadecimal digits"));
}

static void a_name_that_would_be_cut_off_is_none(void **state)
{
    struct fixture *f = *state;
    char long_name[TLS_NAME + 1];
    memset(long_name, 'x', sizeof long_name - 1);
    long_name[sizeof long_name - 1] = '\0'; /* 64 characters: the most X.509 allows */
    struct tls_context *one = pki_context(&f->ours, long_name);
    struct tls_context *two = pki_context(&f->ours, "server-2");
    struct talk t;
    assert_true(talk(&t, one, two));
    assert_string_equal(t.name_of_connecting, "");
    talk_close(&t);
    tls_context_free(one);
    tls_context_free(two);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(servers_of_a_cluster_know_each_other_by_name, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(another_cluster_is_believed_by_neither_side, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(who_connects_with_another_cluster_s_certificate_is_refused,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            who_joins_has_no_name_and_believes_the_pinned_authority_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(showing_the_authority_is_not_being_certified_by_it, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(files_of_two_clusters_are_not_mixed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_name_that_would_be_cut_off_is_none, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
