/* HTTP/1.1 over time: streaming, holding, deadlines, ends. What single requests look
 * like is in tests/data/http.
 */
#include "../lib/http_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <zlib.h>

#include <cmocka.h>

static bool was_sent(const struct bed *bed, const char *text)
{
    return str_find(buf_text(&bed->sent), str_of(text)) >= 0;
}

/* ---- Streaming ---- */

static struct {
    uint64_t taken, given;
    unsigned pauses;
    bool pause, stop, wait;
} flow; /* one test at a time */

static enum sink_verdict take(struct exchange *x, struct str bytes)
{
    flow.taken += bytes.len;
    if (flow.stop) {
        exchange_reply(x, 422, STR("text/plain"), STR("enough"));
        return SINK_STOP;
    }
    if (!flow.pause)
        return SINK_MORE;
    flow.pauses++;
    return SINK_PAUSE;
}

static enum source_verdict give(struct exchange *x, char *out, size_t room, size_t *len)
{
    (void)x;
    if (flow.wait) {
        flow.wait = false;
        return SOURCE_WAIT;
    }
    uint64_t left = (100 << 20) - flow.given;
    *len = left < room ? (size_t)left : room;
    memset(out, 'x', *len);
    flow.given += *len;
    return left <= room ? SOURCE_END : SOURCE_MORE;
}

static struct body_sink sink = {take};
static struct body_source source = {give};

static void open_bed(struct bed *bed)
{
    memset(&flow, 0, sizeof flow);
    bed_open(bed, HTTP_1);
    bed->sink = &sink;
    bed->source = &source;
}

static void an_upload_of_any_size_passes_through_a_sink(void **state)
{
    (void)state;
    static char block[65536];
    struct bed bed;
    open_bed(&bed);
    bed_text(&bed, "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 1073741824\r\n\r\n");
    for (unsigned i = 0; i < 1073741824 / sizeof block; i++)
        http_conn_receive(bed.conn, block, sizeof block, bed.now_ns);
    bed_collect(&bed);
    assert_int_equal(flow.taken, 1073741824);
    assert_true(was_sent(&bed, "200 OK"));
    assert_int_equal(bed.seen, 1);
    bed_close(&bed);
}

static struct exchange *paused_exchange;

static enum sink_verdict take_and_remember(struct exchange *x, struct str bytes)
{
    paused_exchange = x;
    return take(x, bytes);
}

static void a_paused_sink_stops_reading_until_it_takes_more(void **state)
{
    (void)state;
    struct body_sink remembering = {take_and_remember};
    struct bed bed;
    open_bed(&bed);
    bed.sink = &remembering;
    flow.pause = true;
    bed_text(&bed, "POST /sink HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                   "3\r\nabc\r\n3\r\ndef\r\n0\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(flow.taken, 3);
    assert_false(http_conn_wants_input(bed.conn));
    exchange_take_more(paused_exchange);
    bed_run(&bed);
    assert_int_equal(flow.taken, 6);
    assert_int_equal(bed.seen, 0);
    flow.pause = false;
    exchange_take_more(paused_exchange);
    bed_run(&bed);
    bed_collect(&bed);
    assert_int_equal(flow.pauses, 2);
    assert_int_equal(bed.seen, 2);
    assert_true(was_sent(&bed, "GET /b"));
    assert_true(http_conn_wants_input(bed.conn));
    bed_close(&bed);
}

static void a_client_that_goes_while_its_sink_pauses_is_cleaned_up(void **state)
{
    (void)state;
    struct body_sink remembering = {take_and_remember};
    struct bed bed;
    open_bed(&bed);
    bed.sink = &remembering;
    flow.pause = true;
    bed_text(&bed, "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc");
    bed_hang_up(&bed);
    assert_true(paused_exchange->client_gone);
    assert_int_equal(bed.cleaned, 0);
    exchange_take_more(paused_exchange);
    bed_run(&bed);
    assert_int_equal(bed.cleaned, 1);
    bed_close(&bed);
}

static void a_sink_that_stops_has_its_answer_sent_and_closes(void **state)
{
    (void)state;
    struct bed bed;
    open_bed(&bed);
    flow.stop = true;
    bed_text(&bed, "POST /sink HTTP/1.1\r\nHost: a\r\nContent-Length: 900\r\n\r\nabc");
    assert_true(was_sent(&bed, "422"));
    assert_true(was_sent(&bed, "Connection: close"));
    assert_true(http_conn_finished(bed.conn));
    assert_true(http_conn_wants_input(bed.conn)); /* lingering */
    bed_close(&bed);
}

static void a_download_of_any_size_takes_little_memory(void **state)
{
    (void)state;
    struct bed bed;
    struct iovec pieces[4];
    uint64_t total = 0;
    open_bed(&bed);
    bed.take = 10000;
    const char *request = "GET /source HTTP/1.1\r\nHost: a\r\n\r\n";
    http_conn_receive(bed.conn, request, strlen(request), bed.now_ns);
    int count;
    while ((count = http_conn_output(bed.conn, pieces, 4)) > 0) {
        size_t len = pieces[0].iov_len;
        assert_true(len < 200000);           /* formatted ahead */
        len = len > 3000 ? len - 1000 : len; /* never quite all, so that it must be cut */
        total += len;
        http_conn_sent(bed.conn, len, bed.now_ns);
    }
    assert_int_equal(flow.given, 100 << 20);
    assert_true(total > 100 << 20 && total < 101 << 20);
    bed_close(&bed);
}

static void a_source_that_waits_is_asked_again_when_it_wakes(void **state)
{
    (void)state;
    struct bed bed;
    open_bed(&bed);
    flow.wait = true;
    flow.given = (100 << 20) - 5;
    bed.late = true;
    bed_text(&bed, "GET /source HTTP/1.1\r\nHost: a\r\n\r\n");
    struct exchange *x = bed.kept[0];
    bed_answer(&bed, 0);
    bed_collect(&bed);
    assert_true(was_sent(&bed, "chunked"));
    assert_false(was_sent(&bed, "xxxxx"));
    exchange_wake(x);
    bed_run(&bed);
    bed_collect(&bed);
    assert_true(was_sent(&bed, "0005\r\nxxxxx\r\n0\r\n\r\n"));
    bed_close(&bed);
}

static void a_client_that_goes_while_its_source_waits_is_cleaned_up(void **state)
{
    (void)state;
    struct bed bed;
    open_bed(&bed);
    flow.wait = true;
    bed.late = true;
    bed_text(&bed, "GET /source HTTP/1.1\r\nHost: a\r\n\r\n");
    struct exchange *x = bed.kept[0];
    bed_answer(&bed, 0);
    bed_collect(&bed);
    bed_hang_up(&bed);
    assert_int_equal(bed.cleaned, 0);
    exchange_wake(x);
    bed_run(&bed);
    assert_int_equal(bed.cleaned, 1);
    bed_close(&bed);
}

static void a_source_is_compressed_while_it_is_sent(void **state)
{
    (void)state;
    struct bed bed;
    open_bed(&bed);
    bed_text(&bed, "GET /source?gzip HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n");
    assert_true(was_sent(&bed, "Content-Encoding: gzip"));
    assert_int_equal(flow.given, 100 << 20);
    assert_true(bed.sent.len < 1 << 20);
    assert_true(was_sent(&bed, "\r\n0\r\n\r\n"));
    bed_close(&bed);
}

/* The header lines of all answers so far that are NAME's. */
static unsigned count_sent(const struct bed *bed, const char *name)
{
    struct str left = buf_text(&bed->sent), line, name_of;
    unsigned count = 0;
    while (str_cut(&left, '\n', &line))
        count += str_cut(&line, ':', &name_of) && line.at && str_eq_nocase(name_of, str_of(name));
    return count;
}

/* Another server's answer may say it already, in its own words. */
static void an_answer_says_once_that_it_varies(void **state)
{
    static const struct {
        const char *said, *sent;
    } cases[] = {{"", "\r\nVary: Accept-Encoding\r\n"},
                 {"?accept-encoding", "\r\nvary: accept-encoding\r\n"},
                 {"?Origin,Accept-Encoding", "\r\nvary: Origin,Accept-Encoding\r\n"},
                 {"?*", "\r\nvary: *\r\n"},
                 {"?Origin", "\r\nvary: Origin, Accept-Encoding\r\n"}};
    static const char *const ways[] = {"GET /vary%s HTTP/1.1\r\nHost: a\r\n\r\n",
                                       "HEAD /vary%s HTTP/1.1\r\nHost: a\r\n\r\n",
                                       "GET /vary%s HTTP/1.1\r\nHost: a\r\n"
                                       "If-None-Match: \"v1\"\r\n\r\n"};
    (void)state;
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++)
        for (unsigned way = 0; way < sizeof ways / sizeof *ways; way++) {
            char request[200];
            struct bed bed;
            open_bed(&bed);
            snprintf(request, sizeof request, ways[way], cases[i].said);
            bed_text(&bed, request);
            assert_int_equal(count_sent(&bed, "Vary"), 1);
            assert_true(was_sent(&bed, cases[i].sent));
            bed_close(&bed);
        }
}

static void a_file_is_left_to_sendfile_when_the_engine_asks(void **state)
{
    (void)state;
    struct bed bed;
    int fd;
    uint64_t offset, len;
    open_bed(&bed);
    bed.late = true;
    assert_false(http_conn_file(bed.conn, &fd, &offset, &len));
    bed_text(&bed, "GET /big HTTP/1.1\r\nHost: a\r\n\r\n");
    int file = memfd_create("big", MFD_CLOEXEC);
    assert_int_equal(ftruncate(file, 1 << 20), 0);
    exchange_reply_file(bed.kept[0], 200, STR("text/plain"), file, 10, 500000);
    http_conn_answered(bed.kept[0], bed.now_ns);
    bed.kept_count = 0;
    assert_false(http_conn_file(bed.conn, &fd, &offset, &len)); /* the head comes first */
    bed_collect(&bed);
    assert_true(was_sent(&bed, "Content-Length: 500000\r\n"));
    assert_true(bed.sent.len < 1000);
    assert_true(http_conn_file(bed.conn, &fd, &offset, &len));
    assert_int_equal(fd, file);
    assert_int_equal(offset, 10);
    assert_int_equal(len, 500000);
    http_conn_sent(bed.conn, 100000, bed.now_ns);
    assert_true(http_conn_file(bed.conn, &fd, &offset, &len));
    assert_int_equal(offset, 100010);
    http_conn_sent(bed.conn, len, bed.now_ns);
    assert_false(http_conn_file(bed.conn, &fd, &offset, &len));
    assert_int_equal(bed.cleaned, 1);
    bed_close(&bed);
}

/* ---- Order and holding ---- */

static void answers_leave_in_the_order_of_their_requests(void **state)
{
    (void)state;
    struct bed bed;
    open_bed(&bed);
    bed.late = true;
    bed_text(&bed, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(bed.kept_count, 2); /* safe ones run side by side */
    bed_answer(&bed, 1);
    bed_collect(&bed);
    assert_int_equal(bed.sent.len, 0);
    bed_answer(&bed, 0);
    bed_collect(&bed);
    assert_true(str_find(buf_text(&bed.sent), STR("GET /1")) <
                str_find(buf_text(&bed.sent), STR("GET /2")));
    bed_close(&bed);
}

static void unsafe_requests_run_one_after_the_other(void **state)
{
    (void)state;
    struct bed bed;
    open_bed(&bed);
    bed.late = true;
    bed_text(&bed, "POST /1 HTTP/1.1\r\nHost: a\r\n\r\nPOST /2 HTTP/1.1\r\nHost: a\r\n\r\n"
                   "GET /3 HTTP/1.1\r\nHost: a\r\n\r\n");
    for (unsigned i = 1; i <= 3; i++) {
        assert_int_equal(bed.seen, i);
        assert_int_equal(bed.kept_count, 1);
        bed_answer(&bed, 0);
    }
    bed_collect(&bed);
    assert_true(was_sent(&bed, "GET /3"));
    bed_close(&bed);
}

static void no_more_than_the_pipeline_is_begun(void **state)
{
    (void)state;
    struct bed bed;
    open_bed(&bed);
    bed.late = true;
    for (unsigned i = 0; i < 20; i++)
        http_conn_receive(bed.conn, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n", 28, bed.now_ns);
    assert_int_equal(bed.kept_count, 16);
    assert_false(http_conn_wants_input(bed.conn));
    while (bed.kept_count > 0)
        bed_answer(&bed, 0);
    assert_int_equal(bed.seen, 20);
    bed_close(&bed);
}

static void exchanges_that_are_held_survive_their_connection(void **state)
{
    (void)state;
    struct bed bed;
    open_bed(&bed);
    bed.late = true;
    bed_text(&bed, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
    bed_hang_up(&bed);
    assert_true(bed.kept[0]->client_gone && bed.kept[1]->client_gone);
    assert_null(bed.kept[0]->conn);
    assert_true(str_eq(bed.kept[0]->path, STR("/1")));
    assert_true(str_eq(bed.kept[0]->peer, STR("192.0.2.1")));
    assert_int_equal(bed.cleaned, 0);
    bed_answer(&bed, 0);
    bed_answer(&bed, 0);
    assert_int_equal(bed.cleaned, 2);
    bed_close(&bed);
}

static void exchange_finish_answers_through_the_runner(void **state)
{
    (void)state;
    struct bed bed;
    open_bed(&bed);
    bed.late = true;
    bed_text(&bed, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    exchange_reply(bed.kept[0], 200, STR("text/plain"), STR("finished"));
    exchange_finish(bed.kept[0]);
    bed.kept_count = 0;
    bed_run(&bed);
    bed_collect(&bed);
    assert_true(was_sent(&bed, "finished"));
    bed_close(&bed);
}

static void a_dropped_exchange_resets_the_connection_without_a_byte(void **state)
{
    (void)state;
    struct bed bed;
    open_bed(&bed);
    bed.late = true;
    bed_text(&bed, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    exchange_drop(bed.kept[0]);
    http_conn_answered(bed.kept[0], bed.now_ns);
    bed.kept_count = 0;
    bed_collect(&bed);
    assert_int_equal(bed.sent.len, 0);
    assert_true(http_conn_finished(bed.conn) && http_conn_is_cut(bed.conn));
    bed_close(&bed);
}

static void a_client_that_shuts_its_side_still_gets_answers(void **state)
{
    (void)state;
    struct bed bed;
    open_bed(&bed);
    bed.late = true;
    bed_text(&bed, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HT");
    bed_feed(&bed, "", 0);
    assert_false(http_conn_finished(bed.conn));
    bed_answer(&bed, 0);
    bed_collect(&bed);
    assert_true(was_sent(&bed, "GET /1"));
    assert_true(http_conn_finished(bed.conn));
    bed_close(&bed);
}

/* ---- Deadlines ---- */

/* Moves to the next deadline, which must be AFTER_MS away. */
static void expire(struct bed *bed, unsigned after_ms)
{
    uint64_t deadline = http_conn_deadline(bed->conn);
    assert_int_equal((deadline - bed->now_ns) / MS_NS, after_ms);
    bed->now_ns = deadline;
}

static void an_idle_connection_is_closed_silently(void **state)
{
    (void)state;
    struct bed bed;
    open_bed(&bed);
    expire(&bed, 60000);
    assert_false(http_conn_expire(bed.conn, bed.now_ns));
    assert_true(http_conn_finished(bed.conn));
    assert_int_equal(bed.sent.len, 0);
    bed_close(&bed);
}

static void slow_heads_get_408(void **state)
{
    (void)state;
    static const char *const heads[] = {"G", "GET /a HTTP/1.1\r\nHost: a\r\nX: "};
    for (unsigned i = 0; i < 2; i++) {
        struct bed bed;
        open_bed(&bed);
        bed_text(&bed, heads[i]);
        bed.now_ns += 9 * SEC_NS;
        bed_text(&bed, i ? "y" : "E"); /* dripping does not help */
        expire(&bed, 1000);
        assert_false(http_conn_expire(bed.conn, bed.now_ns));
        bed_collect(&bed);
        assert_true(was_sent(&bed, "408 Request Timeout"));
        assert_true(http_conn_finished(bed.conn));
        assert_int_equal(bed.last_refusal, 408);
        bed_close(&bed);
    }
}

static void slow_bodies_get_408(void **state)
{
    (void)state;
    struct bed bed;
    open_bed(&bed);
    bed_text(&bed, "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\nabc");
    bed.now_ns += 5 * SEC_NS;
    bed_text(&bed, "d");
    expire(&bed, 5000); /* the mean rate is too low */
    assert_false(http_conn_expire(bed.conn, bed.now_ns));
    bed_collect(&bed);
    assert_true(was_sent(&bed, "408"));
    bed_close(&bed);
}

static void a_client_that_takes_nothing_is_cut_off(void **state)
{
    (void)state;
    struct bed bed;
    struct iovec pieces[2];
    open_bed(&bed);
    const char *request = "GET /source HTTP/1.1\r\nHost: a\r\n\r\n";
    http_conn_receive(bed.conn, request, strlen(request), bed.now_ns);
    assert_int_equal(http_conn_output(bed.conn, pieces, 2), 1);
    expire(&bed, 10000); /* the mean rate after the grace */
    bed.now_ns -= SEC_NS;
    http_conn_sent(bed.conn, 50000, bed.now_ns);
    assert_true(http_conn_output(bed.conn, pieces, 2) > 0);
    expire(&bed, 20000);
    assert_true(http_conn_expire(bed.conn, bed.now_ns));
    bed_close(&bed);
}

static void an_app_that_takes_too_long_is_answered_for(void **state)
{
    (void)state;
    struct bed bed;
    open_bed(&bed);
    bed.late = true;
    bed_text(&bed, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    expire(&bed, 60000);
    assert_false(http_conn_expire(bed.conn, bed.now_ns));
    bed_collect(&bed);
    assert_true(was_sent(&bed, "503 Service Unavailable"));
    assert_true(was_sent(&bed, "Retry-After: 1\r\n"));
    assert_true(http_conn_finished(bed.conn));
    assert_true(bed.kept[0]->client_gone);
    bed_answer(&bed, 0); /* goes nowhere */
    assert_int_equal(bed.cleaned, 1);
    bed_close(&bed);
}

static void draining_finishes_what_runs(void **state)
{
    (void)state;
    struct bed bed;
    open_bed(&bed);
    bed.late = true;
    bed_text(&bed, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    http_conn_drain(bed.conn);
    assert_false(http_conn_finished(bed.conn));
    bed_answer(&bed, 0);
    bed_collect(&bed);
    assert_true(was_sent(&bed, "Connection: close"));
    assert_true(http_conn_finished(bed.conn));
    bed_close(&bed);
    open_bed(&bed);
    http_conn_drain(bed.conn);
    assert_true(http_conn_finished(bed.conn));
    bed_close(&bed);
}

static void requests_on_one_connection_are_counted(void **state)
{
    (void)state;
    struct bed bed;
    open_bed(&bed);
    bed_hang_up(&bed);
    bed.limits.requests = 2;
    bed.conn = http_conn_new(&bed.host, HTTP_1, false, STR("::1"), bed.now_ns, &bed);
    for (unsigned i = 0; i < 3; i++)
        bed_text(&bed, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_int_equal(bed.seen, 2);
    assert_true(was_sent(&bed, "Connection: close"));
    bed_close(&bed);
}

static void the_app_is_told_what_it_needs(void **state)
{
    (void)state;
    struct bed bed;
    open_bed(&bed);
    bed.late = true;
    bed_text(&bed, "POST /p%20q?a=1&b=x+y%21&a=2 HTTP/1.1\r\nHost: shop:80\r\nX-One: 1\r\n"
                   "Cookie: s=\"abc\"; t=d\r\nCookie: u=e\r\nContent-Length: 11\r\n"
                   "Content-Type: application/x-www-form-urlencoded; charset=utf-8\r\n\r\n"
                   "n=%C3%A9&m=");
    struct exchange *x = bed.kept[0];
    assert_true(str_eq(x->path, STR("/p%20q")));
    assert_true(str_eq(x->host, STR("shop:80")));
    assert_true(str_eq(x->peer, STR("192.0.2.1")));
    assert_true(str_eq(x->scheme, STR("http")));
    assert_true(str_eq(exchange_header(x, STR("x-ONE")), STR("1")));
    assert_null(exchange_header(x, STR("x-two")).at);
    assert_true(str_eq(exchange_cookie(x, STR("s")), STR("abc")));
    assert_true(str_eq(exchange_cookie(x, STR("u")), STR("e")));
    assert_true(str_eq(exchange_query(x, STR("a")), STR("1")));
    assert_true(str_eq(exchange_query(x, STR("b")), STR("x y!")));
    assert_true(str_eq(exchange_form(x, STR("n")), STR("\xc3\xa9")));
    assert_true(exchange_form(x, STR("m")).at != NULL);
    assert_null(exchange_form(x, STR("o")).at);
    bed_close(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_upload_of_any_size_passes_through_a_sink),
        cmocka_unit_test(a_paused_sink_stops_reading_until_it_takes_more),
        cmocka_unit_test(a_client_that_goes_while_its_sink_pauses_is_cleaned_up),
        cmocka_unit_test(a_sink_that_stops_has_its_answer_sent_and_closes),
        cmocka_unit_test(a_download_of_any_size_takes_little_memory),
        cmocka_unit_test(a_source_that_waits_is_asked_again_when_it_wakes),
        cmocka_unit_test(a_client_that_goes_while_its_source_waits_is_cleaned_up),
        cmocka_unit_test(a_source_is_compressed_while_it_is_sent),
        cmocka_unit_test(an_answer_says_once_that_it_varies),
        cmocka_unit_test(a_file_is_left_to_sendfile_when_the_engine_asks),
        cmocka_unit_test(answers_leave_in_the_order_of_their_requests),
        cmocka_unit_test(unsafe_requests_run_one_after_the_other),
        cmocka_unit_test(no_more_than_the_pipeline_is_begun),
        cmocka_unit_test(exchanges_that_are_held_survive_their_connection),
        cmocka_unit_test(exchange_finish_answers_through_the_runner),
        cmocka_unit_test(a_dropped_exchange_resets_the_connection_without_a_byte),
        cmocka_unit_test(a_client_that_shuts_its_side_still_gets_answers),
        cmocka_unit_test(an_idle_connection_is_closed_silently),
        cmocka_unit_test(slow_heads_get_408),
        cmocka_unit_test(slow_bodies_get_408),
        cmocka_unit_test(a_client_that_takes_nothing_is_cut_off),
        cmocka_unit_test(an_app_that_takes_too_long_is_answered_for),
        cmocka_unit_test(draining_finishes_what_runs),
        cmocka_unit_test(requests_on_one_connection_are_counted),
        cmocka_unit_test(the_app_is_told_what_it_needs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
