#include "base/check.h"
#include "engine/connection.h"
#include "engine/settings.h"

#include <fcntl.h>
#include <poll.h>
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

/* FDS: the client's end, and the server's, of a connection with LISTEN. */
static void pair_open_at(struct pair *pair, const struct engine_listen *listen,
                         const struct endpoint *peer, const int fds[2])
{
    *pair = (struct pair){.app = {.name = "pair", .handle = greet}};
    engine_settings_fill(&pair->engine.config);
    pair->engine.app = &pair->app;
    dispatcher_init(&pair->dispatcher, &kind, &pair->engine, &pair->engine.counters);
    pair->engine.trusted_count = 1;
    assert_int_equal(network_parse(STR("127.0.0.0/8"), pair->engine.trusted, NULL), 0);
    pair->client = fds[0];
    assert_true(connection_open(&pair->connection, &pair->dispatcher, &pair->buffers, listen,
                                fds[1], peer, 1));
}

static void pair_open(struct pair *pair)
{
    const struct engine_listen plain = {0};
    const struct endpoint peer = {0};
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
    pair_open_at(pair, &plain, &peer, fds);
}

/* Behind a proxy, by TCP. */
static void pair_open_proxied(struct pair *pair)
{
    const struct engine_listen proxied = {.proxy = true};
    struct endpoint door, peer = {.len = sizeof peer.at};
    int door_fd, fds[2];
    assert_int_equal(endpoint_resolve(STR("127.0.0.1:0"), true, &door, NULL), 0);
    assert_int_equal(socket_listen(&door, "", false, &door_fd, NULL), 0);
    assert_int_equal(socket_connect(&door, &fds[0], NULL), 0);
    struct pollfd waiting = {door_fd, POLLIN, 0};
    assert_int_equal(poll(&waiting, 1, 20000), 1);
    fds[1] = accept4(door_fd, (struct sockaddr *)&peer.at, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    close(door_fd);
    pair_open_at(pair, &proxied, &peer, fds);
}

static void pair_close(struct pair *pair)
{
    connection_close(&pair->connection);
    dispatcher_close(&pair->dispatcher);
    close(pair->client);
    assert_int_equal(pair->engine.open, 0);
}

static void tell(struct pair *pair, struct str text)
{
    assert_int_equal(send(pair->client, text.at, text.len, MSG_NOSIGNAL), text.len);
}

static void ask(struct pair *pair)
{
    tell(pair, STR("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
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

/* Waits MS for what the connection waits for, and gives it its turn then. */
static bool turn_when_ready(struct pair *pair, int ms)
{
    struct pollfd fd = {pair->connection.fd, (short)connection_wants(&pair->connection), 0};
    if (poll(&fd, 1, ms) == 0)
        return false;
    assert_true(connection_ready(&pair->connection, (uint32_t)fd.revents));
    assert_true(connection_turn(&pair->connection, 2));
    return true;
}

static void a_piece_of_a_proxy_header_is_looked_at_once(void **state)
{
    (void)state;
    struct pair pair;
    pair_open_proxied(&pair);
    tell(&pair, STR("PROXY TCP4 192.0.2.7 "));
    assert_true(turn_when_ready(&pair, 20000));
    assert_false(turn_when_ready(&pair, 0));
    tell(&pair, STR("192.0.2.8 1 2\r\n"));
    assert_true(turn_when_ready(&pair, 20000));
    assert_int_equal(pair.connection.state, CONNECTION_OPEN);
    tell(&pair, STR("G"));
    assert_true(turn_when_ready(&pair, 20000));
    pair_close(&pair);
}

static void a_stop_answers_what_has_come_behind_a_proxy_header(void **state)
{
    (void)state;
    struct pair pair;
    char text[1024];
    pair_open_proxied(&pair);
    tell(&pair, STR("PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\n"));
    ask(&pair);
    engine_begin_stop(&pair.engine);
    connection_drain(&pair.connection, 2);
    struct pollfd answered = {pair.client, POLLIN, 0};
    assert_int_equal(poll(&answered, 1, 20000), 1);
    assert_true(str_ends(received(&pair, text, sizeof text), STR("hello")));
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_turn_answers_what_has_come),
        cmocka_unit_test(a_stop_answers_what_has_come_though_nobody_was_told),
        cmocka_unit_test(a_stop_closes_who_has_said_nothing),
        cmocka_unit_test(a_stop_answers_what_has_come_behind_a_proxy_header),
        cmocka_unit_test(a_piece_of_a_proxy_header_is_looked_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
