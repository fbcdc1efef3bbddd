#include "balance/status_app.h"
#include "base/check.h"
#include "base/clock.h"
#include "status_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define TOKEN "sesame"

struct door {
    struct status_door at; /* first: tests are given this as that */
    struct events *events;
    struct status_app *app;
    _Atomic unsigned usable;
    _Atomic uint64_t drained;
};

static void look(void *context, struct balance_view *view)
{
    struct door *door = context;
    memset(view, 0, sizeof *view);
    view->now_ns = clock_mono_ns();
    view->wall_ms = clock_wall_ms();
    view->policy = "two-choices";
    view->count = 2;
    view->usable = atomic_load(&door->usable);
    for (unsigned i = 0; i < 2; i++) {
        view->at[i].id = i + 1;
        view->at[i].shop = true;
        view->at[i].share = 1000;
        snprintf(view->at[i].name, BACKEND_NAME, i ? "<b>\"&" : "server 1");
        snprintf(view->at[i].url, BACKEND_URL, i ? "javascript:alert(1)" : "http://10.0.0.1:80");
    }
}

static int drain(void *context, uint64_t id, bool away)
{
    struct door *door = context;
    if (id > 2)
        return ERR_NOTFOUND;
    atomic_store(&door->drained, away ? id : 0);
    return 0;
}

static int open_door(void **state)
{
    struct door *door = calloc(1, sizeof *door);
    struct failure failure;
    door->usable = 2;
    assert_int_equal(events_new(NULL, &door->events, &failure), 0);
    struct status_settings settings = {.look = look,
                                       .drain = drain,
                                       .context = door,
                                       .events = door->events,
                                       .token = TOKEN,
                                       .loopback = true};
    assert_int_equal(status_app_new(&settings, &door->app, &failure), 0);
    status_door_open(&door->at, status_app_app(door->app));
    *state = door;
    return 0;
}

static int close_door(void **state)
{
    struct door *door = *state;
    status_app_stop(door->app);
    engine_event.stop(door->at.engine);
    status_app_free(door->app);
    events_free(door->events);
    free(door);
    return 0;
}

/* ---- Answers ---- */

static void everything_answers(void **state)
{
    answers(*state, "GET /", NULL, OK, "<h1 class=\"name\">Load manager</h1>");
    answers(*state, "GET /", NULL, OK, "default-src 'none'");
    answers(*state, "GET /balance.json", NULL, OK, "\"policy\":\"two-choices\"");
    answers(*state, "GET /history.json", NULL, OK, "{\"points\":[");
    struct door *door = *state;
    events_add(door->events, EVENT_OUT, 2, "server 2", "is dead");
    answers(*state, "GET /events.json", NULL, OK, "\"text\":\"is dead\"}");
    answers(*state, "GET /metrics", NULL, OK, "\nstoa_balance_servers 2\n");
    answers(*state, "GET /metrics", NULL, OK, "text/plain; version=0.0.4");
    answers(*state, "GET /balance.js", NULL, OK, "EventSource");
    answers(*state, "GET /board.css", NULL, OK, ".gauge");
    answers(*state, "GET /style.css", NULL, OK, ":root");
    answers(*state, "HEAD /balance.json", NULL, OK, "application/json");
    answers(*state, "GET /nothing", NULL, "HTTP/1.1 404 ", "status page is at /");
    answers(*state, "POST /", NULL, "HTTP/1.1 405 ", "Allow: GET, HEAD");
}

static void what_servers_are_called_cannot_break_the_page(void **state)
{
    answers(*state, "GET /", NULL, OK, "href=\"#\">&lt;b&gt;&quot;&amp;</a>");
}

static void health_follows_the_servers(void **state)
{
    struct door *door = *state;
    answers(&door->at, "GET /healthz", NULL, OK, "2 of 2 servers can be used");
    atomic_store(&door->usable, 0);
    answers(&door->at, "GET /healthz", NULL, "HTTP/1.1 503 ", "0 of 2");
    answers(&door->at, "GET /", NULL, OK, "<title>No server");
}

static void a_name_of_another_site_is_refused(void **state)
{
    answers(*state, "GET /", "Host: evil.example", "HTTP/1.1 421 ", "127.0.0.1");
    answers(*state, "GET /balance.json", "Host: 127.evil.example:80", "HTTP/1.1 421 ", "");
    answers(*state, "GET /balance.json", "Host: localhost.evil.example", "HTTP/1.1 421 ", "");
    answers(*state, "GET /balance.json", "Host: localhost:9088", OK, "");
    answers(*state, "GET /balance.json", "Host: [::1]:9088", OK, "");
    answers(*state, "GET /balance.json", "Host: 127.0.0.2", OK, "");
}

static void only_the_operator_drains(void **state)
{
    struct door *door = *state;
    const char *host = "Host: localhost\r\nContent-Length: 0\r\nAuthorization: Bearer ";
    char right[128], wrong[128], longer[128];
    snprintf(right, sizeof right, "%s%s", host, TOKEN);
    snprintf(wrong, sizeof wrong, "%s%s", host, "sesamE");
    snprintf(longer, sizeof longer, "%s%s", host, "sesame2");
    answers(&door->at, "POST /drain?server=2", "Host: localhost\r\nContent-Length: 0",
            "HTTP/1.1 401 ", "WWW-Authenticate: Bearer");
    answers(&door->at, "POST /drain?server=2", wrong, "HTTP/1.1 401 ", "");
    answers(&door->at, "POST /drain?server=2", longer, "HTTP/1.1 401 ", "");
    answers(&door->at, "GET /drain?server=2", right, "HTTP/1.1 405 ", "Allow: POST");
    answers(&door->at, "POST /drain?server=9", right, "HTTP/1.1 404 ", "");
    answers(&door->at, "POST /drain?server=x", right, "HTTP/1.1 400 ", "");
    assert_int_equal(atomic_load(&door->drained), 0);
    answers(&door->at, "POST /drain?server=2", right, OK, "no new requests");
    assert_int_equal(atomic_load(&door->drained), 2);
    answers(&door->at, "POST /undrain?server=2", right, OK, "again");
    assert_int_equal(atomic_load(&door->drained), 0);
}

/* ---- Followers ---- */

static const char follow[] = "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n";

static void a_follower_gets_frames_and_events_as_they_happen(void **state)
{
    struct door *door = *state;
    struct buf text;
    buf_init(&text, 4 << 20);
    events_add(door->events, EVENT_JOINED, 1, "server 1", "is there");
    int fd = ask(&door->at, follow);
    assert_true(read_until(fd, &text, "event: happened\nid: 1\ndata: {\"number\":1,"));
    assert_true(read_until(fd, &text, "event: view\ndata: {\"version\":"));
    events_add(door->events, EVENT_OUT, 2, "server 2", "is dead");
    assert_true(read_until(fd, &text, "\"text\":\"is dead\"}\n\n"));
    /* And a further frame. */
    buf_clear(&text);
    assert_true(read_until(fd, &text, "event: view\n"));
    /* A stop of the door ends it properly. */
    status_app_stop(door->app);
    assert_true(read_until(fd, &text, "\r\n0\r\n\r\n"));
    close(fd);
    buf_close(&text);
}

static void one_who_comes_again_gets_only_what_is_new(void **state)
{
    struct door *door = *state;
    struct buf text;
    buf_init(&text, 4 << 20);
    for (unsigned i = 0; i < 3; i++)
        events_add(door->events, EVENT_JOINED, i, "x", "number %u", i);
    int fd = ask(&door->at, "GET /events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 2\r\n\r\n");
    assert_true(read_until(fd, &text, "event: view\n"));
    assert_true(str_find(buf_text(&text), STR("id: 3\n")) > 0);
    assert_true(str_find(buf_text(&text), STR("id: 2\n")) < 0);
    close(fd);
    /* Of a load manager before this one: its numbers mean nothing here. */
    buf_clear(&text);
    fd = ask(&door->at, "GET /events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 99\r\n\r\n");
    assert_true(read_until(fd, &text, "id: 1\n"));
    close(fd);
    buf_close(&text);
}

static void followers_are_bounded_and_make_room_when_they_leave(void **state)
{
    struct door *door = *state;
    struct buf text;
    int fds[STATUS_FOLLOWERS_MAX];
    buf_init(&text, 4 << 20);
    for (unsigned i = 0; i < STATUS_FOLLOWERS_MAX; i++) {
        buf_clear(&text);
        fds[i] = ask(&door->at, follow);
        assert_true(read_until(fds[i], &text, "event: view\n"));
    }
    answers(&door->at, "GET /events", NULL, "HTTP/1.1 503 ", "Retry-After");
    close(fds[7]);
    /* Its place is free within a frame or so. */
    for (uint64_t until = clock_mono_ns() + 20 * SEC_NS;;) {
        buf_clear(&text);
        fds[7] = ask(&door->at, follow);
        read_until(fds[7], &text, "\r\n\r\n");
        if (str_starts(buf_text(&text), STR(OK)))
            break;
        close(fds[7]);
        assert_true(clock_mono_ns() < until);
        poll(NULL, 0, 20);
    }
    for (unsigned i = 0; i < STATUS_FOLLOWERS_MAX; i++)
        close(fds[i]);
    buf_close(&text);
}

int main(void)
{
#define WITH_DOOR(test) cmocka_unit_test_setup_teardown(test, open_door, close_door)
    const struct CMUnitTest tests[] = {
        WITH_DOOR(everything_answers),
        WITH_DOOR(what_servers_are_called_cannot_break_the_page),
        WITH_DOOR(health_follows_the_servers),
        WITH_DOOR(a_name_of_another_site_is_refused),
        WITH_DOOR(only_the_operator_drains),
        WITH_DOOR(a_follower_gets_frames_and_events_as_they_happen),
        WITH_DOOR(one_who_comes_again_gets_only_what_is_new),
        WITH_DOOR(followers_are_bounded_and_make_room_when_they_leave),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
