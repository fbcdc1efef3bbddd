/* The connection core for an app that forwards: upgrades, lent bodies, early answers, clients
 * that go, answers of others, answers that break off. */
#include "../lib/http_bed.h"
#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* An app that keeps its one exchange, and does with it what a test says. */
struct forward {
    struct bed bed; /* first: so a host's pointer leads here */
    struct exchange *x;
    unsigned touched, gone, handled;
    struct str lent[4]; /* what the source has, in order */
    int lent_count;
    enum source_verdict then; /* when it has no more than this */
    struct buf heard;         /* what the sink got */
    unsigned ends;            /* how often it got nothing: the client's end */
    enum sink_verdict verdict;
    size_t taken;
    bool take_body; /* by a sink, from accept on */
};

static enum source_verdict lend(struct exchange *x, struct iovec *pieces, int max, int *count)
{
    struct forward *f = x->state;
    for (*count = 0; *count < f->lent_count && *count < max; ++*count)
        pieces[*count] = (struct iovec){(void *)(uintptr_t)f->lent[*count].at, f->lent[*count].len};
    return *count == 0 || f->then != SOURCE_WAIT ? f->then : SOURCE_MORE;
}

static void taken(struct exchange *x, size_t len)
{
    struct forward *f = x->state;
    f->taken += len;
    while (len > 0) {
        size_t part = len < f->lent[0].len ? len : f->lent[0].len;
        f->lent[0] = str_from(f->lent[0], part);
        len -= part;
        if (f->lent[0].len == 0) {
            memmove(f->lent, f->lent + 1, sizeof f->lent - sizeof *f->lent);
            f->lent_count--;
        }
    }
}

static const struct body_source lender = {.lend = lend, .taken = taken};

static enum sink_verdict hear(struct exchange *x, struct str bytes)
{
    struct forward *f = x->state;
    buf_str(&f->heard, bytes);
    f->ends += bytes.len == 0;
    return f->verdict;
}

static const struct body_sink listener = {hear};

static void on_gone(struct exchange *x)
{
    struct forward *f = x->state;
    assert_true(x->client_gone);
    f->gone++;
}

static void on_accept(struct http_host *host, struct exchange *x)
{
    struct forward *f = (struct forward *)(void *)bed_of(host);
    x->state = f;
    x->gone = on_gone;
    f->x = x;
    if (f->take_body) {
        x->sink = &listener;
        x->body_limit = UINT64_MAX;
    }
    exchange_at_end(x, bed_count_cleanup, &f->bed);
}

static void on_handle(struct http_host *host, struct exchange *x)
{
    (void)x;
    ((struct forward *)(void *)bed_of(host))->handled++;
}

static void touch(struct exchange_runner *runner, struct exchange *x)
{
    (void)runner;
    ((struct forward *)x->state)->touched++;
}

static void open_forward(struct forward *f, enum http_protocol protocol)
{
    memset(f, 0, sizeof *f);
    bed_open(&f->bed, protocol);
    f->bed.host.accept = on_accept;
    f->bed.host.handle = on_handle;
    f->bed.runner.touch = touch;
    buf_init(&f->heard, 1 << 20);
}

static void close_forward(struct forward *f)
{
    bed_close(&f->bed);
    buf_close(&f->heard);
    assert_int_equal(f->bed.host.suspended, 0);
}

/* What the engine does at the next turn of a connection that was touched. */
static void turn(struct forward *f)
{
    http_conn_nudge(f->bed.conn, f->bed.now_ns);
    bed_collect(&f->bed);
}

static void answered(struct forward *f)
{
    http_conn_answered(f->x, f->bed.now_ns);
    bed_collect(&f->bed);
}

static void give(struct forward *f, const char *text)
{
    f->lent[f->lent_count++] = str_of(text);
}

static void reply(struct forward *f, uint64_t length)
{
    exchange_reply_source(f->x, 200, STR("text/plain"), &lender, length);
    answered(f);
}

static void assert_ends(struct forward *f, const char *text)
{
    if (!str_ends(buf_text(&f->bed.sent), str_of(text)))
        fail_msg("sent: %.*s", STR_FMT(buf_text(&f->bed.sent)));
}

static void assert_has(struct forward *f, const char *text)
{
    if (str_find(buf_text(&f->bed.sent), str_of(text)) < 0)
        fail_msg("sent: %.*s", STR_FMT(buf_text(&f->bed.sent)));
}

#define GET "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
#define UPGRADE \
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: x, upgrade\r\nUpgrade: websocket\r\n\r\n"

/* ---- Lent bodies ---- */

static void a_lent_body_of_known_length_goes_as_it_is(void **state)
{
    (void)state;
    for (size_t take = 0; take < 30; take++) {
        struct forward f;
        open_forward(&f, HTTP_DETECT);
        f.bed.take = take;
        bed_text(&f.bed, GET);
        give(&f, "abc");
        give(&f, "defg");
        f.then = SOURCE_END;
        reply(&f, 7);
        assert_ends(&f, "Content-Length: 7\r\n\r\nabcdefg");
        assert_int_equal(f.taken, 7);
        assert_int_equal(f.bed.cleaned, 1);
        assert_false(http_conn_finished(f.bed.conn));
        close_forward(&f);
    }
}

static void a_lent_body_of_unknown_length_goes_in_chunks(void **state)
{
    (void)state;
    for (size_t take = 0; take < 40; take++) {
        struct forward f;
        open_forward(&f, HTTP_DETECT);
        f.bed.take = take;
        bed_text(&f.bed, GET);
        give(&f, "0123456789abcde");
        give(&f, "f");
        f.then = SOURCE_WAIT;
        reply(&f, UINT64_MAX);
        assert_ends(&f, "\r\n\r\n10\r\n0123456789abcdef");
        give(&f, "x");
        exchange_nudge(f.x);
        exchange_nudge(f.x);
        assert_int_equal(f.touched, 1);
        turn(&f);
        assert_ends(&f, "\r\n1\r\nx");
        f.then = SOURCE_END;
        exchange_nudge(f.x);
        turn(&f);
        assert_ends(&f, "x\r\n0\r\n\r\n");
        assert_int_equal(f.bed.cleaned, 1);
        assert_int_equal(f.handled, 1);
        close_forward(&f);
    }
}

static void old_clients_get_it_until_the_connection_ends(void **state)
{
    (void)state;
    struct forward f;
    open_forward(&f, HTTP_DETECT);
    bed_text(&f.bed, "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_int_equal(f.x->version, 10);
    give(&f, "abc");
    f.then = SOURCE_END;
    reply(&f, UINT64_MAX);
    assert_ends(&f, "Connection: close\r\n\r\nabc");
    assert_int_equal(str_find(buf_text(&f.bed.sent), STR("chunked")), -1);
    assert_true(http_conn_finished(f.bed.conn));
    assert_false(http_conn_is_cut(f.bed.conn));
    close_forward(&f);
}

static void a_body_that_breaks_off_cuts_the_connection(void **state)
{
    (void)state;
    static const char *const requests[] = {GET, GET, "GET / HTTP/1.0\r\n\r\n"};
    for (int i = 0; i < 3; i++) {
        struct forward f;
        open_forward(&f, HTTP_DETECT);
        bed_text(&f.bed, requests[i]);
        give(&f, "abc");
        f.then = SOURCE_WAIT;
        reply(&f, i == 0 ? 7 : UINT64_MAX);
        assert_ends(&f, "abc");
        f.then = SOURCE_FAIL;
        exchange_nudge(f.x);
        turn(&f);
        assert_ends(&f, "abc");
        assert_true(http_conn_finished(f.bed.conn));
        assert_true(http_conn_is_cut(f.bed.conn));
        close_forward(&f);
        assert_int_equal(f.bed.cleaned, 1);
    }
}

static void less_or_more_than_was_promised_cuts_it_too(void **state)
{
    (void)state;
    for (int more = 0; more < 2; more++) {
        struct forward f;
        open_forward(&f, HTTP_DETECT);
        bed_text(&f.bed, GET);
        give(&f, more ? "abcdefgh" : "abc");
        f.then = SOURCE_END;
        reply(&f, 7);
        assert_true(http_conn_is_cut(f.bed.conn));
        close_forward(&f);
    }
}

/* ---- Answers of others ---- */

static void an_answer_of_another_server_is_left_alone(void **state)
{
    (void)state;
    struct forward f;
    open_forward(&f, HTTP_DETECT);
    bed_text(&f.bed, "GET / HTTP/1.1\r\nHost: a\r\nIf-None-Match: \"x\"\r\nRange: bytes=1-2\r\n"
                     "Accept-Encoding: gzip\r\n\r\n");
    f.x->as_is = true;
    exchange_add_header(f.x, STR("Date"), STR("yesterday"));
    exchange_add_header(f.x, STR("ETag"), STR("\"x\""));
    exchange_reply(f.x, 200, STR("text/plain"), STR("whole"));
    answered(&f);
    assert_has(&f, "200 OK\r\nDate: yesterday\r\n");
    assert_int_equal(str_find(buf_text(&f.bed.sent), STR("GMT")), -1);
    assert_ends(&f, "Content-Length: 5\r\n\r\nwhole");
    close_forward(&f);
}

/* ---- Early answers ---- */

static void an_answer_need_not_wait_for_the_body(void **state)
{
    (void)state;
    for (int paused = 0; paused < 2; paused++) {
        struct forward f;
        open_forward(&f, HTTP_DETECT);
        f.take_body = true;
        f.verdict = paused ? SINK_PAUSE : SINK_MORE;
        bed_text(&f.bed, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9000000\r\n\r\nabc");
        assert_true(str_eq(buf_text(&f.heard), STR("abc")));
        exchange_reply(f.x, 413, STR("text/plain"), STR("too much"));
        exchange_nudge(f.x);
        turn(&f);
        assert_has(&f, "413 Content Too Large");
        assert_has(&f, "Connection: close");
        assert_ends(&f, "too much");
        assert_int_equal(f.handled, 0);
        assert_int_equal(f.bed.cleaned, 1);
        assert_true(http_conn_finished(f.bed.conn));
        close_forward(&f);
    }
}

static void a_paused_body_goes_on_after_a_nudge(void **state)
{
    (void)state;
    struct forward f;
    open_forward(&f, HTTP_DETECT);
    f.take_body = true;
    f.verdict = SINK_PAUSE;
    bed_text(&f.bed, "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                     "1\r\na\r\n1\r\nb\r\n0\r\n\r\n");
    assert_true(str_eq(buf_text(&f.heard), STR("a")));
    assert_false(http_conn_wants_input(f.bed.conn));
    f.verdict = SINK_MORE;
    exchange_nudge(f.x);
    turn(&f);
    assert_true(str_eq(buf_text(&f.heard), STR("ab")));
    assert_int_equal(f.handled, 1);
    exchange_reply(f.x, 200, STR("text/plain"), STR("fine"));
    answered(&f);
    assert_ends(&f, "fine");
    close_forward(&f);
}

/* ---- Clients that go ---- */

static void the_app_is_told_when_the_client_has_gone(void **state)
{
    (void)state;
    /* While it thinks, while its source waits, and while its sink pauses. */
    for (int i = 0; i < 3; i++) {
        struct forward f;
        open_forward(&f, HTTP_DETECT);
        f.take_body = i == 2;
        f.verdict = SINK_PAUSE;
        bed_text(&f.bed, i == 2 ? "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na" : GET);
        if (i == 1) {
            f.then = SOURCE_WAIT;
            reply(&f, UINT64_MAX);
        }
        assert_int_equal(f.bed.cleaned, 0);
        bed_hang_up(&f.bed);
        assert_int_equal(f.gone, 1);
        if (i == 0) {
            exchange_nudge(f.x); /* without harm */
            assert_int_equal(f.bed.cleaned, 0);
            exchange_finish(f.x);
            bed_run(&f.bed);
        }
        assert_int_equal(f.bed.cleaned, 1);
        close_forward(&f);
    }
}

static void the_app_is_told_when_its_answer_came_too_late(void **state)
{
    (void)state;
    struct forward f;
    open_forward(&f, HTTP_DETECT);
    bed_text(&f.bed, GET);
    f.bed.now_ns += 61 * SEC_NS;
    assert_false(http_conn_expire(f.bed.conn, f.bed.now_ns));
    assert_int_equal(f.gone, 1);
    bed_collect(&f.bed);
    assert_has(&f, "503 Service Unavailable");
    exchange_finish(f.x);
    bed_run(&f.bed);
    assert_int_equal(f.bed.cleaned, 1);
    close_forward(&f);
}

/* ---- Upgrades ---- */

static void only_what_may_be_upgraded_wants_it(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        bool wants;
    } cases[] = {
        {UPGRADE, true},
        {"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\n\r\n", false},
        {"GET / HTTP/1.0\r\nConnection: upgrade, keep-alive\r\nUpgrade: x\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: close, upgrade\r\nUpgrade: x\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: xupgrade\r\nUpgrade: x\r\n\r\n", false},
        {"GET / HTTP/1.1\r\nHost: a\r\nConnection: a\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
         true},
        {"POST / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n"
         "Content-Length: 1\r\n\r\na",
         false},
        {"HEAD / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", false},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct forward f;
        open_forward(&f, HTTP_DETECT);
        bed_text(&f.bed, cases[i].request);
        assert_int_equal(f.handled, 1);
        assert_int_equal(f.x->wants_upgrade, cases[i].wants);
        exchange_reply(f.x, 200, STR("text/plain"), STR(""));
        answered(&f);
        close_forward(&f);
    }
}

static void upgrade(struct forward *f)
{
    f->then = SOURCE_WAIT;
    exchange_add_header(f->x, STR("Upgrade"), STR("websocket"));
    exchange_upgrade(f->x, &listener, &lender);
    answered(f);
}

static void an_upgraded_connection_carries_bytes_both_ways(void **state)
{
    (void)state;
    struct forward f;
    open_forward(&f, HTTP_DETECT);
    bed_text(&f.bed, UPGRADE "\x81\0GET / HTTP/1.1\r\n\r\n"); /* cut short by its NUL */
    upgrade(&f);
    assert_has(&f, "HTTP/1.1 101 Switching Protocols\r\n");
    assert_ends(&f, "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
    assert_true(str_eq(buf_text(&f.heard), STR("\x81"))); /* what had come with the request */
    bed_text(&f.bed, "GET / HTTP/1.1\r\n\r\n");
    assert_true(str_eq(buf_text(&f.heard), STR("\x81GET / HTTP/1.1\r\n\r\n")));
    assert_int_equal(f.handled, 1);
    give(&f, "down");
    give(&f, "wards");
    exchange_nudge(f.x);
    turn(&f);
    assert_ends(&f, "\r\n\r\ndownwards");
    bed_feed(&f.bed, "", 0);
    assert_int_equal(f.ends, 1);
    assert_false(http_conn_finished(f.bed.conn)); /* the other half is open */
    give(&f, "last");
    exchange_nudge(f.x);
    turn(&f);
    assert_ends(&f, "last");
    f.then = SOURCE_END;
    exchange_nudge(f.x);
    turn(&f);
    assert_true(http_conn_finished(f.bed.conn));
    assert_false(http_conn_is_cut(f.bed.conn));
    assert_int_equal(f.bed.cleaned, 1);
    close_forward(&f);
}

static void an_upgraded_connection_pauses(void **state)
{
    (void)state;
    struct forward f;
    open_forward(&f, HTTP_DETECT);
    bed_text(&f.bed, UPGRADE);
    upgrade(&f);
    f.verdict = SINK_PAUSE;
    bed_text(&f.bed, "one");
    assert_false(http_conn_wants_input(f.bed.conn));
    bed_text(&f.bed, "two");
    bed_feed(&f.bed, "", 0);
    assert_true(str_eq(buf_text(&f.heard), STR("one")));
    assert_int_equal(f.ends, 0);
    f.verdict = SINK_MORE;
    exchange_nudge(f.x);
    turn(&f);
    assert_true(str_eq(buf_text(&f.heard), STR("onetwo")));
    assert_int_equal(f.ends, 1);
    bed_hang_up(&f.bed);
    assert_int_equal(f.gone, 1);
    close_forward(&f);
}

static void what_follows_an_upgrade_waits_for_the_answer(void **state)
{
    (void)state;
    struct forward f;
    open_forward(&f, HTTP_DETECT);
    bed_text(&f.bed, UPGRADE GET);
    assert_int_equal(f.handled, 1);
    exchange_reply(f.x, 400, STR("text/plain"), STR("no"));
    answered(&f);
    assert_int_equal(f.handled, 2); /* declined: it was a request */
    exchange_reply(f.x, 200, STR("text/plain"), STR("yes"));
    answered(&f);
    assert_ends(&f, "yes");
    close_forward(&f);
}

static void an_upgraded_connection_may_be_idle_for_long(void **state)
{
    (void)state;
    struct forward f;
    open_forward(&f, HTTP_DETECT);
    bed_text(&f.bed, UPGRADE);
    upgrade(&f);
    f.bed.now_ns += 3000 * SEC_NS;
    assert_true(http_conn_deadline(f.bed.conn) > f.bed.now_ns);
    bed_text(&f.bed, "ping");
    f.bed.now_ns += 3599 * SEC_NS;
    assert_true(http_conn_deadline(f.bed.conn) > f.bed.now_ns);
    f.bed.now_ns += 2 * SEC_NS;
    assert_true(http_conn_expire(f.bed.conn, f.bed.now_ns));
    bed_hang_up(&f.bed);
    assert_int_equal(f.gone, 1);
    close_forward(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lent_body_of_known_length_goes_as_it_is),
        cmocka_unit_test(a_lent_body_of_unknown_length_goes_in_chunks),
        cmocka_unit_test(old_clients_get_it_until_the_connection_ends),
        cmocka_unit_test(a_body_that_breaks_off_cuts_the_connection),
        cmocka_unit_test(less_or_more_than_was_promised_cuts_it_too),
        cmocka_unit_test(an_answer_of_another_server_is_left_alone),
        cmocka_unit_test(an_answer_need_not_wait_for_the_body),
        cmocka_unit_test(a_paused_body_goes_on_after_a_nudge),
        cmocka_unit_test(the_app_is_told_when_the_client_has_gone),
        cmocka_unit_test(the_app_is_told_when_its_answer_came_too_late),
        cmocka_unit_test(only_what_may_be_upgraded_wants_it),
        cmocka_unit_test(an_upgraded_connection_carries_bytes_both_ways),
        cmocka_unit_test(an_upgraded_connection_pauses),
        cmocka_unit_test(what_follows_an_upgrade_waits_for_the_answer),
        cmocka_unit_test(an_upgraded_connection_may_be_idle_for_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
