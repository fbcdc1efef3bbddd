#include "net/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h> /* last: it has a macro named fail */

/* A server with a self-signed certificate for localhost, 127.0.0.1 and ::1. */
struct fixture {
    char dir[64], path[TLS_PATH];
    struct tls_context *server;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    str_copy(f->dir, sizeof f->dir, STR("/tmp/test_net_tls_client.XXXXXX"));
    assert_non_null(mkdtemp(f->dir));
    assert_int_equal(tls_self_signed(f->dir, f->path, NULL), ERR_OK);
    f->server = tls_context_new(f->path, f->path, NULL);
    assert_non_null(f->server);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    tls_context_free(f->server);
    unlink(f->path);
    rmdir(f->dir);
    free(f);
    return 0;
}

/* What one side has said goes to the other. False: nothing was said. */
static bool carry(struct tls *from, struct tls *to, enum tls_verdict *verdict)
{
    char bytes[65536], plain[64];
    size_t len;
    struct str output = tls_output(from);
    assert_true(output.len <= sizeof bytes);
    if (output.len == 0 || *verdict == TLS_FAILED)
        return false;
    memcpy(bytes, output.at, output.len);
    tls_sent(from, output.len);
    tls_receive(to, bytes, output.len);
    while ((*verdict = tls_read(to, plain, sizeof plain, &len)) == TLS_OK)
        ;
    return true;
}

/* Whether a client by CONTEXT that expects HOST believes the server; PROBLEM says why not. */
static bool believes(struct fixture *f, struct tls_context *context, const char *host,
                     char problem[128])
{
    struct tls *client = tls_new_connecting(context), *server = tls_new(f->server);
    enum tls_verdict client_verdict = TLS_WAIT, server_verdict = TLS_WAIT;
    char none[8];
    size_t len;
    assert_non_null(client);
    assert_non_null(server);
    assert_true(tls_expect(client, host));
    assert_int_equal(tls_read(client, none, sizeof none, &len), TLS_WAIT);
    bool moved = true;
    while (moved) {
        moved = carry(client, server, &server_verdict);
        moved |= carry(server, client, &client_verdict);
    }
    bool ready = tls_ready(client) && client_verdict != TLS_FAILED;
    if (ready)
        assert_true(tls_agreed(client, STR("http/1.1")));
    else
        snprintf(problem, 128, "%s", tls_problem(client));
    tls_free(client);
    tls_free(server);
    return ready;
}

static void a_server_is_believed_by_its_own_certificate_and_under_its_own_names(void **state)
{
    struct fixture *f = *state;
    char problem[128];
    struct tls_context *context = tls_context_client(f->path, true, NULL);
    assert_non_null(context);
    assert_true(believes(f, context, "127.0.0.1:8443", problem));
    assert_true(believes(f, context, "localhost:8443", problem));
    assert_true(believes(f, context, "[::1]:8443", problem));
    assert_true(believes(f, context, "localhost", problem));
    assert_false(believes(f, context, "shop.example:8443", problem));
    assert_non_null(strstr(problem, "ostname"));
    assert_false(believes(f, context, "10.1.2.3:8443", problem));
    assert_non_null(strstr(problem, "IP address"));
    tls_context_free(context);
}

static void a_server_whose_authority_is_unknown_is_not_believed_unless_all_are(void **state)
{
    struct fixture *f = *state;
    char problem[128];
    struct tls_context *system = tls_context_client(NULL, true, NULL);
    assert_non_null(system);
    assert_false(believes(f, system, "localhost:8443", problem));
    assert_non_null(strstr(problem, "self"));
    tls_context_free(system);
    struct tls_context *anybody = tls_context_client(NULL, false, NULL);
    assert_non_null(anybody);
    assert_true(believes(f, anybody, "shop.example:8443", problem));
    tls_context_free(anybody);
}

static void a_file_without_certificates_is_named(void **state)
{
    struct fixture *f = *state;
    struct failure failure;
    char path[128];
    assert_null(tls_context_client("/nowhere/authority.pem", true, &failure));
    assert_int_equal(failure.err, ERR_NOTFOUND);
    assert_non_null(strstr(failure.text, "/nowhere/authority.pem"));
    snprintf(path, sizeof path, "%s/empty.pem", f->dir);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    assert_null(tls_context_client(path, true, &failure));
    assert_int_equal(failure.err, ERR_INVALID);
    assert_non_null(strstr(failure.text, path));
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_server_is_believed_by_its_own_certificate_and_under_its_own_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_server_whose_authority_is_unknown_is_not_believed_unless_all_are, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_file_without_certificates_is_named, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
