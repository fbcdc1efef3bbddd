#include "base/check.h"
#include "engine/dispatcher.h"
#include "engine/settings.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h> /* last: it has a macro named fail */

enum { KEPT = 8 };

/* An engine without sockets: one connection, whose bytes are given and taken by hand, and an app
 * that does what a request's path says. */
struct desk {
    struct dispatcher dispatcher;
    struct engine engine;
    struct app app;
    struct http_conn *conn;
    struct buf sent;
    unsigned woken, woken_own, touched, offered, answered;
    bool takes_work;        /* kind->work */
    struct exchange *given; /* to it */
    struct exchange *kept[KEPT];
    unsigned kept_count;
    unsigned handled, worked, ended;
    unsigned circles;      /* steps that continue themselves, left */
    char order[64];        /* letters of what was done */
    void *source_state;    /* x->thread_state in the source */
    void *end_state;       /* and in the cleanup */
    struct exchange *last; /* that the app has seen */
};

static struct desk *desk_of_dispatcher(struct dispatcher *d)
{
    return CONTAINER_OF(d, struct desk, dispatcher);
}

static struct desk *desk_of(struct app *app)
{
    return CONTAINER_OF(app, struct desk, app);
}

/* ---- The engine ---- */

static void wake(struct dispatcher *d)
{
    desk_of_dispatcher(d)->woken++;
}

static void wake_own(struct dispatcher *d)
{
    desk_of_dispatcher(d)->woken_own++;
}

static bool work(struct dispatcher *d, struct exchange *x)
{
    struct desk *desk = desk_of_dispatcher(d);
    desk->offered++;
    desk->given = desk->takes_work ? x : NULL;
    return desk->takes_work;
}

static void touch(struct dispatcher *d, void *owner)
{
    (void)owner;
    desk_of_dispatcher(d)->touched++;
}

static bool addresses(void *owner, struct endpoint *client, struct endpoint *here)
{
    (void)owner, (void)client, (void)here;
    return false;
}

static void answered(struct dispatcher *d, struct exchange *x)
{
    (void)x;
    desk_of_dispatcher(d)->answered++;
}

static const struct dispatcher_kind plain = {.wake = wake, .touch = touch, .addresses = addresses};
static const struct dispatcher_kind full = {.wake = wake,
                                            .wake_own = wake_own,
                                            .work = work,
                                            .touch = touch,
                                            .addresses = addresses,
                                            .answered = answered};

/* ---- The app ---- */

static void note(struct desk *desk, char letter)
{
    size_t len = strlen(desk->order);
    CHECK(len + 1 < sizeof desk->order);
    desk->order[len] = letter;
}

static void say(struct exchange *x, struct str text)
{
    exchange_reply(x, 200, STR("text/plain"), text);
}

static enum source_verdict read_one(struct exchange *x, char *out, size_t room, size_t *len)
{
    struct desk *desk = x->state;
    CHECK(room > 0);
    desk->source_state = x->thread_state;
    if (desk->kept_count == 0) {
        desk->kept[desk->kept_count++] = x;
        *len = 0;
        return SOURCE_WAIT;
    }
    *out = 's';
    *len = 1;
    return SOURCE_END;
}

static void at_end(void *argument)
{
    struct desk *desk = argument;
    desk->ended++;
    desk->end_state = desk->last->thread_state;
}

static void blocks(struct exchange *x)
{
    note(x->state, 'w');
}

static void then(struct exchange *x)
{
    note(x->state, 't');
    say(x, STR("offloaded"));
    exchange_finish(x);
}

static void circle(struct exchange *x)
{
    struct desk *desk = x->state;
    if (desk->circles > 0) {
        desk->circles--;
        exchange_continue(x, circle);
        return;
    }
    say(x, STR("round"));
    exchange_finish(x);
}

static enum app_verdict handle(struct app *app, struct exchange *x)
{
    static const struct body_source source = {.read = read_one};
    struct desk *desk = desk_of(app);
    desk->handled++;
    desk->last = x;
    x->state = desk;
    if (str_eq(x->path, STR("/work")))
        return APP_WORK;
    if (str_eq(x->path, STR("/offload"))) {
        exchange_offload(x, blocks, then);
        note(desk, 'h');
        return APP_LATER;
    }
    if (str_eq(x->path, STR("/circle"))) {
        exchange_continue(x, circle);
        return APP_LATER;
    }
    if (str_eq(x->path, STR("/later"))) {
        CHECK(desk->kept_count < KEPT);
        desk->kept[desk->kept_count++] = x;
        return APP_LATER;
    }
    if (str_eq(x->path, STR("/source"))) {
        CHECK(exchange_at_end(x, at_end, desk) == 0);
        exchange_reply_source(x, 200, STR("text/plain"), &source, UINT64_MAX);
        return APP_DONE;
    }
    say(x, STR("done"));
    return APP_DONE;
}

static enum app_verdict app_work(struct app *app, struct exchange *x)
{
    desk_of(app)->worked++;
    say(x, STR("worked"));
    return APP_DONE;
}

/* ---- The bench ---- */

static void desk_open(struct desk *desk, const struct dispatcher_kind *kind)
{
    *desk = (struct desk){.app = {.name = "desk", .handle = handle, .work = app_work}};
    engine_settings_fill(&desk->engine.config);
    desk->engine.app = &desk->app;
    dispatcher_init(&desk->dispatcher, kind, &desk->engine, &desk->engine.counters);
    desk->dispatcher.self = pthread_self();
    desk->dispatcher.now_ns = 1;
    desk->dispatcher.thread_state = desk;
    desk->conn = http_conn_new(&desk->dispatcher.host, HTTP_1, false, STR("127.0.0.1"), 1, desk);
    assert_non_null(desk->conn);
    buf_init(&desk->sent, 1 << 20);
}

static void hang_up(struct desk *desk)
{
    http_conn_free(desk->conn);
    desk->conn = NULL;
}

static void desk_close(struct desk *desk)
{
    if (desk->conn)
        hang_up(desk);
    assert_int_equal(dispatcher_held(&desk->dispatcher), 0);
    dispatcher_close(&desk->dispatcher);
    buf_close(&desk->sent);
}

static void ask(struct desk *desk, const char *path)
{
    char request[128];
    int len = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", path);
    http_conn_receive(desk->conn, request, (size_t)len, 1);
}

static bool has_sent(struct desk *desk, struct str text)
{
    struct iovec piece;
    while (http_conn_output(desk->conn, &piece, 1) > 0) {
        buf_put(&desk->sent, piece.iov_base, piece.iov_len);
        http_conn_sent(desk->conn, piece.iov_len, 1);
    }
    return str_find(buf_text(&desk->sent), text) >= 0;
}

static void *finish(void *argument)
{
    say(argument, STR("late"));
    exchange_finish(argument);
    return NULL;
}

/* As another thread, which has gone when this returns. */
static void elsewhere(void *(*run)(void *), void *argument)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, run, argument), 0);
    pthread_join(thread, NULL);
}

/* ---- What it promises ---- */

static void what_the_app_has_done_is_answered_and_counted(void **state)
{
    (void)state;
    struct desk desk;
    desk_open(&desk, &full);
    ask(&desk, "/");
    assert_true(has_sent(&desk, STR("done")));
    assert_int_equal(desk.engine.counters.requests, 1);
    assert_int_equal(desk.dispatcher.heads, 1);
    assert_int_equal(desk.answered, 1);
    assert_int_equal(desk.engine.counters.refused, 0);
    desk_close(&desk);
}

static void others_give_back_in_order_and_wake_once(void **state)
{
    (void)state;
    struct desk desk;
    desk_open(&desk, &full);
    for (int i = 0; i < 3; i++)
        ask(&desk, "/later");
    assert_int_equal(dispatcher_held(&desk.dispatcher), 3);
    assert_false(dispatcher_has_resumed(&desk.dispatcher));
    for (int i = 0; i < 3; i++)
        elsewhere(finish, desk.kept[i]);
    assert_int_equal(desk.woken, 1); /* whoever finds nothing waiting */
    assert_int_equal(desk.woken_own, 0);
    assert_true(dispatcher_has_resumed(&desk.dispatcher));
    dispatcher_deliver(&desk.dispatcher);
    assert_int_equal(desk.touched, 3);
    assert_int_equal(desk.answered, 3);
    assert_false(dispatcher_has_resumed(&desk.dispatcher));
    assert_true(has_sent(&desk, STR("late")));
    desk_close(&desk);
}

static void what_is_given_back_when_the_client_has_gone_is_let_go(void **state)
{
    (void)state;
    struct desk desk;
    desk_open(&desk, &plain);
    ask(&desk, "/later");
    hang_up(&desk);
    assert_int_equal(dispatcher_held(&desk.dispatcher), 1);
    elsewhere(finish, desk.kept[0]);
    dispatcher_deliver(&desk.dispatcher);
    assert_int_equal(desk.touched, 0);
    desk_close(&desk);
}

static void what_blocks_is_run_here_where_there_are_no_helpers(void **state)
{
    (void)state;
    struct desk desk;
    desk_open(&desk, &plain);
    ask(&desk, "/work");
    assert_int_equal(desk.worked, 1);
    assert_true(has_sent(&desk, STR("worked")));
    desk_close(&desk);
}

static void an_app_has_returned_before_what_it_offloads_is_run(void **state)
{
    (void)state;
    struct desk desk;
    desk_open(&desk, &plain);
    ask(&desk, "/offload");
    assert_string_equal(desk.order, "h");
    assert_int_equal(desk.woken, 1);
    dispatcher_deliver(&desk.dispatcher); /* its work and its step, which finishes it */
    assert_string_equal(desk.order, "hwt");
    dispatcher_deliver(&desk.dispatcher);
    assert_true(has_sent(&desk, STR("offloaded")));
    desk_close(&desk);
}

static void what_has_no_room_is_told_to_come_again(void **state)
{
    (void)state;
    struct desk desk;
    for (int i = 0; i < 2; i++) {
        desk_open(&desk, &full);
        ask(&desk, i ? "/offload" : "/work");
        dispatcher_deliver_own(&desk.dispatcher);
        assert_int_equal(desk.offered, 1);
        assert_int_equal(desk.worked, 0);
        assert_true(has_sent(&desk, STR("HTTP/1.1 503 ")));
        assert_true(has_sent(&desk, STR("Retry-After: 1\r\n")));
        assert_int_equal(desk.engine.counters.refused, 1);
        assert_null(strchr(desk.order, 'w'));
        desk_close(&desk);
    }
}

static void a_helper_has_what_it_took(void **state)
{
    (void)state;
    struct desk desk;
    desk_open(&desk, &full);
    desk.takes_work = true;
    ask(&desk, "/work");
    assert_ptr_equal(desk.given, desk.last);
    assert_int_equal(dispatcher_held(&desk.dispatcher), 1);
    assert_int_equal(desk.answered, 0);
    elsewhere(finish, desk.given);
    dispatcher_deliver(&desk.dispatcher);
    assert_int_equal(desk.answered, 1);
    desk_close(&desk);
}

static void a_step_that_continues_itself_does_not_keep_the_thread(void **state)
{
    (void)state;
    struct desk desk;
    unsigned calls = 1;
    desk_open(&desk, &full);
    desk.circles = 100;
    ask(&desk, "/circle");
    assert_int_equal(desk.woken, 0);
    assert_true(desk.woken_own > 0);
    while (dispatcher_deliver_own(&desk.dispatcher))
        calls++;
    assert_in_range(calls, 2, 100);
    assert_true(has_sent(&desk, STR("round")));
    desk_close(&desk);
}

static void the_app_is_called_with_the_state_of_the_thread_that_has_the_turn(void **state)
{
    (void)state;
    struct desk desk;
    char first, second, third;
    desk_open(&desk, &plain);
    desk.dispatcher.thread_state = &first;
    ask(&desk, "/source");
    has_sent(&desk, STR("")); /* the source waits */
    assert_ptr_equal(desk.source_state, &first);
    exchange_wake(desk.kept[0]);
    desk.dispatcher.thread_state = &second;
    dispatcher_deliver(&desk.dispatcher);
    assert_true(has_sent(&desk, STR("s\r\n")));
    assert_ptr_equal(desk.source_state, &second);
    desk.kept_count = 0;
    ask(&desk, "/source");
    has_sent(&desk, STR(""));
    exchange_wake(desk.kept[0]);
    desk.dispatcher.thread_state = &third;
    hang_up(&desk);
    dispatcher_deliver(&desk.dispatcher);
    assert_int_equal(desk.ended, 2);
    assert_ptr_equal(desk.end_state, &third);
    desk_close(&desk);
}

static void answers_close_their_connection_when_the_engine_stops(void **state)
{
    (void)state;
    struct desk desk;
    desk_open(&desk, &plain);
    engine_begin_stop(&desk.engine);
    ask(&desk, "/");
    assert_true(has_sent(&desk, STR("Connection: close\r\n")));
    assert_true(http_conn_finished(desk.conn));
    desk_close(&desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_the_app_has_done_is_answered_and_counted),
        cmocka_unit_test(others_give_back_in_order_and_wake_once),
        cmocka_unit_test(what_is_given_back_when_the_client_has_gone_is_let_go),
        cmocka_unit_test(what_blocks_is_run_here_where_there_are_no_helpers),
        cmocka_unit_test(an_app_has_returned_before_what_it_offloads_is_run),
        cmocka_unit_test(what_has_no_room_is_told_to_come_again),
        cmocka_unit_test(a_helper_has_what_it_took),
        cmocka_unit_test(a_step_that_continues_itself_does_not_keep_the_thread),
        cmocka_unit_test(the_app_is_called_with_the_state_of_the_thread_that_has_the_turn),
        cmocka_unit_test(answers_close_their_connection_when_the_engine_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
