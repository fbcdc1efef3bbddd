#include "base/check.h"
#include "engine/connection.h"
#include "engine/settings.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h> /* last: it has a macro named fail */

/* A client, and the server's end of its connection, of which each turn is given by hand. */
struct pair {
    struct engine engine;
    struct app app;
    struct dispatcher dispatcher;
    struct connection_buffers buffers;
    struct connection connection;
    int client;
};

static void wake(struct dispatcher *d)
{
    (void)d;
}

static void touch(struct dispatcher *d, void *owner)
{
    (void)d, (void)owner;
}

static const struct dispatcher_kind kind = {
    .wake = wake, .touch = touch, .addresses = connection_addresses};

static enum app_verdict greet(struct app *app, struct exchange *x)
{
    (void)app;
    exchange_reply(x, 200, STR("text/plain"), STR("hello"));
    return APP_DONE;
}

static void pair_open(struct pair *pair)
{
    const struct engine_listen plain = {0};
    const struct endpoint peer = {0};
    int fds[2];
    *pair = (struct pair){.app = {.name = "pair", .handle = greet}};
    engine_settings_fill(&pair->engine.config);
    pair->engine.app = &pair->app;
    dispatcher_init(&pair->dispatcher, &kind, &pair->engine, &pair->engine.counters);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    pair->client = fds[0];
    assert_true(connection_open(&pair->connection, &pair->dispatcher, &pair->buffers, &plain,
                                fds[1], &peer, 1));
}

static void pair_close(struct pair *pair)
{
    connection_close(&pair->connection);
    dispatcher_close(&pair->dispatcher);
    close(pair->client);
    assert_int_equal(pair->engine.open, 0);
}

static void ask(struct pair *pair)
{
    struct str text = STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(send(pair->client, text.at, text.len, MSG_NOSIGNAL), text.len);
}

/* What has been sent to the client. */
static struct str received(struct pair *pair, char *out, size_t room)
{
    ssize_t n = recv(pair->client, out, room, 0);
    return str_make(out, n > 0 ? (size_t)n : 0);
}

static void a_turn_answers_what_has_come(void **state)
{
    (void)state;
    struct pair pair;
    char text[1024];
    pair_open(&pair);
    assert_true(connection_turn(&pair.connection, 2));
    assert_int_equal(connection_wants(&pair.connection), EPOLLIN | EPOLLRDHUP);
    ask(&pair);
    assert_true(connection_ready(&pair.connection, EPOLLIN));
    assert_true(connection_turn(&pair.connection, 3));
    assert_true(str_ends(received(&pair, text, sizeof text), STR("hello")));
    assert_false(connection_ready(&pair.connection, EPOLLHUP));
    pair_close(&pair);
}

static void a_stop_answers_what_has_come_though_nobody_was_told(void **state)
{
    (void)state;
    struct pair pair;
    char text[1024];
    pair_open(&pair);
    ask(&pair);
    engine_begin_stop(&pair.engine);
    connection_drain(&pair.connection, 2);
    struct str answer = received(&pair, text, sizeof text);
    assert_true(str_ends(answer, STR("hello")));
    assert_true(str_find(answer, STR("Connection: close\r\n")) > 0);
    assert_int_equal(pair.connection.state, CONNECTION_LINGERING);
    pair_close(&pair);
}

static void a_stop_closes_who_has_said_nothing(void **state)
{
    (void)state;
    struct pair pair;
    char text[16];
    pair_open(&pair);
    engine_begin_stop(&pair.engine);
    connection_drain(&pair.connection, 2);
    assert_int_equal(recv(pair.client, text, sizeof text, 0), 0); /* the end */
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_answers_what_has_come),
        cmocka_unit_test(a_stop_answers_what_has_come_though_nobody_was_told),
        cmocka_unit_test(a_stop_closes_who_has_said_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
