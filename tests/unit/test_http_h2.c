/* HTTP/2, spoken with our own client in memory, and with raw frames where a client
 * misbehaves.
 */
#include "../lib/http_bed.h"
#include "http/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { ANSWERS_MOST = 256 };

struct answer {
    int status;
    bool done, broken;
    uint64_t body_bytes;
    struct buf body;
    char headers[512]; /* "name: value\n" each */
};

struct pair {
    struct bed bed;
    struct http_client *client;
    struct answer answers[ANSWERS_MOST];
};

static void on_head(void *user, const struct http_response *response)
{
    struct answer *answer = response->tag;
    size_t len = 0;
    (void)user;
    answer->status = response->status;
    for (unsigned i = 0; i < response->header_count; i++)
        len += (size_t)snprintf(answer->headers + len, sizeof answer->headers - len, "%.*s: %.*s\n",
                                STR_FMT(response->headers[i].name),
                                STR_FMT(response->headers[i].value));
}

static void on_body(void *user, const struct http_response *response, struct str bytes)
{
    struct answer *answer = response->tag;
    (void)user;
    if (answer->body.len < 1 << 16)
        buf_str(&answer->body, bytes);
}

static void on_done(void *user, const struct http_response *response)
{
    struct answer *answer = response->tag;
    (void)user;
    answer->done = true;
    answer->broken = response->broken;
    answer->body_bytes = response->body_bytes;
}

static const struct http_client_events events = {on_head, on_body, on_done};

static void pair_open(struct pair *pair)
{
    memset(pair, 0, sizeof *pair);
    bed_open(&pair->bed, HTTP_DETECT);
    pair->client = http_client_new(HTTP_2, &events, pair);
    for (unsigned i = 0; i < ANSWERS_MOST; i++)
        buf_init(&pair->answers[i].body, 1 << 20);
}

static void pair_close(struct pair *pair)
{
    http_client_free(pair->client);
    bed_close(&pair->bed);
    for (unsigned i = 0; i < ANSWERS_MOST; i++)
        buf_close(&pair->answers[i].body);
}

/* Carries bytes both ways until neither side has any. */
static void carry(struct pair *pair)
{
    struct bed *bed = &pair->bed;
    for (bool moved = true; moved;) {
        moved = false;
        struct str out = http_client_output(pair->client);
        size_t len = out.len > 5000 ? 5000 : out.len;
        if (len > 0 && bed->conn && http_conn_wants_input(bed->conn)) {
            char *copy = malloc(len);
            memcpy(copy, out.at, len);
            http_client_sent(pair->client, len);
            http_conn_receive(bed->conn, copy, len, bed->now_ns);
            free(copy);
            moved = true;
        }
        bed_run(bed);
        struct iovec pieces[2];
        if (bed->conn && http_conn_output(bed->conn, pieces, 2) > 0) {
            assert_true(pieces[0].iov_len < 200000);
            assert_int_equal(
                http_client_receive(pair->client, pieces[0].iov_base, pieces[0].iov_len), 0);
            http_conn_sent(bed->conn, pieces[0].iov_len, bed->now_ns);
            moved = true;
        }
    }
}

static void ask(struct pair *pair, unsigned answer, const char *method, const char *target,
                struct str body)
{
    struct http_request request = {
        .method = str_of(method),
        .target = str_of(target),
        .authority = STR("shop:8080"),
        .body = body,
    };
    assert_int_equal(http_client_request(pair->client, &request, &pair->answers[answer]), 0);
}

static void expect_answer(struct pair *pair, unsigned index, int status, const char *body)
{
    struct answer *answer = &pair->answers[index];
    assert_true(answer->done && !answer->broken);
    assert_int_equal(answer->status, status);
    if (!str_eq(buf_text(&answer->body), str_of(body)))
        fail_msg("\"%.*s\" is not \"%s\"", STR_FMT(buf_text(&answer->body)), body);
}

static void requests_of_each_kind_are_answered(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    ask(&pair, 0, "GET", "/a?b=1", STR_NONE);
    ask(&pair, 1, "POST", "/p", STR("hello"));
    ask(&pair, 2, "HEAD", "/page", STR_NONE);
    ask(&pair, 3, "GET", "/none", STR_NONE);
    ask(&pair, 4, "GET", "/stream", STR_NONE);
    ask(&pair, 5, "GET", "/file", STR_NONE);
    ask(&pair, 6, "OPTIONS", "*", STR_NONE);
    ask(&pair, 7, "BREW", "/a", STR_NONE);
    ask(&pair, 8, "GET", "/close", STR_NONE);
    carry(&pair);
    expect_answer(&pair, 0, 200, "GET /a?b=1");
    expect_answer(&pair, 1, 200, "POST /p\nhello");
    expect_answer(&pair, 2, 200, "");
    assert_non_null(strstr(pair.answers[2].headers, "content-length: 440\n"));
    expect_answer(&pair, 3, 204, "");
    expect_answer(&pair, 4, 200, "one two three ");
    expect_answer(&pair, 5, 200, "0123456789");
    expect_answer(&pair, 6, 204, "");
    expect_answer(&pair, 7, 501, "501: the method is not known\n");
    expect_answer(&pair, 8, 200, "bye");
    assert_false(http_conn_finished(pair.bed.conn));
    assert_int_equal(pair.bed.cleaned, 7);
    pair_close(&pair);
}

static void conditions_and_compression_work_as_in_http_1(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    struct http_header headers[] = {
        {STR("accept-encoding"), STR("gzip"), 0},
        {STR("if-none-match"), STR("\"v1\""), 0},
        {STR("range"), STR("bytes=2-4"), 0},
    };
    struct http_request request = {.method = STR("GET"),
                                   .target = STR("/page"),
                                   .authority = STR("shop"),
                                   .headers = headers,
                                   .header_count = 2};
    http_client_request(pair.client, &request, &pair.answers[0]);
    request.target = STR("/file");
    http_client_request(pair.client, &request, &pair.answers[1]);
    request.headers = headers + 2;
    request.header_count = 1;
    http_client_request(pair.client, &request, &pair.answers[2]);
    carry(&pair);
    assert_int_equal(pair.answers[0].status, 200);
    assert_non_null(strstr(pair.answers[0].headers, "content-encoding: gzip\n"));
    expect_answer(&pair, 1, 304, "");
    expect_answer(&pair, 2, 206, "234");
    assert_non_null(strstr(pair.answers[2].headers, "content-range: bytes 2-4/10\n"));
    pair_close(&pair);
}

static void many_streams_run_side_by_side(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    carry(&pair); /* the limit arrives with the settings */
    pair.bed.late = true;
    for (unsigned i = 0; i < 60; i++)
        ask(&pair, i, "GET", "/a", STR_NONE);
    carry(&pair);
    assert_int_equal(pair.bed.kept_count, 60);
    while (pair.bed.kept_count > 0)
        bed_answer(&pair.bed, 0);
    carry(&pair);
    for (unsigned i = 0; i < 60; i++)
        expect_answer(&pair, i, 200, "GET /a");
    pair_close(&pair);
}

/* ---- Streaming ---- */

static struct {
    uint64_t taken, given, size;
    bool pause;
    struct exchange *paused;
} flow;

static enum sink_verdict take(struct exchange *x, struct str bytes)
{
    flow.taken += bytes.len;
    flow.paused = x;
    return flow.pause ? SINK_PAUSE : SINK_MORE;
}

static enum source_verdict give(struct exchange *x, char *out, size_t room, size_t *len)
{
    (void)x;
    uint64_t left = flow.size - flow.given;
    *len = left < room ? (size_t)left : room;
    memset(out, 'x', *len);
    flow.given += *len;
    return left <= room ? SOURCE_END : SOURCE_MORE;
}

static struct body_sink sink = {take};
static struct body_source source = {give};

static void bodies_of_any_size_stream_both_ways(void **state)
{
    (void)state;
    static char body[20 << 20];
    struct pair pair;
    memset(&flow, 0, sizeof flow);
    flow.size = 200 << 20;
    pair_open(&pair);
    pair.bed.sink = &sink;
    pair.bed.source = &source;
    ask(&pair, 0, "POST", "/sink", str_make(body, sizeof body));
    ask(&pair, 1, "GET", "/source", STR_NONE);
    ask(&pair, 2, "GET", "/a", STR_NONE);
    carry(&pair);
    assert_int_equal(flow.taken, sizeof body);
    expect_answer(&pair, 0, 200, "POST /sink");
    assert_true(pair.answers[1].done && !pair.answers[1].broken);
    pair_close(&pair);
    assert_int_equal(flow.given, flow.size);
}

static void a_paused_sink_shuts_its_stream_but_not_the_others(void **state)
{
    (void)state;
    static char body[1 << 20];
    struct pair pair;
    memset(&flow, 0, sizeof flow);
    flow.pause = true;
    pair_open(&pair);
    pair.bed.sink = &sink;
    ask(&pair, 0, "POST", "/sink", str_make(body, sizeof body));
    carry(&pair);
    assert_true(flow.taken <= 16384);
    ask(&pair, 1, "POST", "/other", str_make(body, 300000));
    carry(&pair);
    assert_true(pair.answers[1].done);
    flow.pause = false;
    exchange_take_more(flow.paused);
    carry(&pair);
    assert_int_equal(flow.taken, sizeof body);
    expect_answer(&pair, 0, 200, "POST /sink");
    pair_close(&pair);
}

static void too_large_bodies_get_413(void **state)
{
    (void)state;
    static char body[2 << 20];
    struct pair pair;
    pair_open(&pair);
    ask(&pair, 0, "POST", "/a", str_make(body, sizeof body));
    ask(&pair, 1, "GET", "/b", STR_NONE);
    carry(&pair);
    assert_int_equal(pair.answers[0].status, 413);
    expect_answer(&pair, 1, 200, "GET /b");
    pair_close(&pair);
}

static void an_early_refusal_ends_the_upload(void **state)
{
    (void)state;
    static char body[1 << 20];
    struct pair pair;
    pair_open(&pair);
    ask(&pair, 0, "POST", "/refuse", str_make(body, sizeof body));
    carry(&pair);
    assert_int_equal(pair.answers[0].status, 403);
    assert_true(pair.answers[0].done);
    assert_int_equal(pair.bed.seen, 0);
    pair_close(&pair);
}

/* ---- Ends ---- */

static void draining_refuses_what_is_new_and_finishes_what_runs(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    pair.bed.late = true;
    ask(&pair, 0, "GET", "/a", STR_NONE);
    carry(&pair);
    http_conn_drain(pair.bed.conn);
    carry(&pair);
    assert_false(http_conn_finished(pair.bed.conn));
    bed_answer(&pair.bed, 0);
    carry(&pair);
    expect_answer(&pair, 0, 200, "GET /a");
    assert_true(http_conn_finished(pair.bed.conn));
    pair_close(&pair);
}

static void exchanges_that_are_held_survive_their_connection(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    pair.bed.late = true;
    ask(&pair, 0, "GET", "/a", STR_NONE);
    carry(&pair);
    bed_hang_up(&pair.bed);
    assert_true(pair.bed.kept[0]->client_gone);
    assert_int_equal(pair.bed.cleaned, 0);
    bed_answer(&pair.bed, 0);
    assert_int_equal(pair.bed.cleaned, 1);
    pair_close(&pair);
}

static void a_dropped_exchange_resets_its_stream_alone(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    pair.bed.late = true;
    ask(&pair, 0, "GET", "/a", STR_NONE);
    ask(&pair, 1, "GET", "/b", STR_NONE);
    carry(&pair);
    exchange_drop(pair.bed.kept[0]);
    http_conn_answered(pair.bed.kept[0], pair.bed.now_ns);
    pair.bed.kept[0] = pair.bed.kept[--pair.bed.kept_count];
    bed_answer(&pair.bed, 0);
    carry(&pair);
    assert_int_equal(pair.answers[0].status, 0);
    assert_true(pair.answers[0].done && pair.answers[0].broken);
    expect_answer(&pair, 1, 200, "GET /b");
    pair_close(&pair);
}

static void an_app_that_takes_too_long_is_answered_for(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    pair.bed.late = true;
    ask(&pair, 0, "GET", "/a", STR_NONE);
    carry(&pair);
    uint64_t deadline = http_conn_deadline(pair.bed.conn);
    assert_int_equal((deadline - pair.bed.now_ns) / SEC_NS, 60);
    pair.bed.now_ns = deadline;
    assert_false(http_conn_expire(pair.bed.conn, deadline));
    carry(&pair);
    assert_int_equal(pair.answers[0].status, 503);
    assert_false(http_conn_finished(pair.bed.conn));
    bed_answer(&pair.bed, 0);
    assert_int_equal(pair.bed.cleaned, 1);
    pair_close(&pair);
}

static void idle_connections_say_goodbye(void **state)
{
    (void)state;
    struct pair pair;
    pair_open(&pair);
    ask(&pair, 0, "GET", "/a", STR_NONE);
    carry(&pair);
    pair.bed.now_ns = http_conn_deadline(pair.bed.conn);
    assert_false(http_conn_expire(pair.bed.conn, pair.bed.now_ns));
    carry(&pair);
    assert_true(http_conn_finished(pair.bed.conn));
    struct http_request request = {.method = STR("GET"), .target = STR("/"), .authority = STR("a")};
    assert_int_equal(http_client_request(pair.client, &request, NULL), ERR_CLOSED);
    pair_close(&pair);
}

/* ---- Misbehaviour, in raw frames ---- */

static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0";

static void open_raw(struct bed *bed)
{
    bed_open(bed, HTTP_DETECT);
    for (size_t i = 0; i < sizeof preface - 1; i++) /* byte by byte */
        bed_feed(bed, preface + i, 1);
}

static void put_frame(struct buf *out, unsigned type, unsigned flags, unsigned stream,
                      const char *payload, size_t len)
{
    char head[9] = {(char)(len >> 16),    (char)(len >> 8),    (char)len,
                    (char)type,           (char)flags,         (char)(stream >> 24),
                    (char)(stream >> 16), (char)(stream >> 8), (char)stream};
    buf_put(out, head, sizeof head);
    buf_put(out, payload, len);
}

/* :method GET, :scheme http, :path /, and :authority "a" as a literal. */
static const char get_head[] = "\x82\x86\x84\x01\x01"
                               "a";

/* Is there a GOAWAY with this code among the frames sent? */
static bool said_goaway(const struct bed *bed, unsigned code)
{
    const unsigned char *at = (const unsigned char *)bed->sent.at;
    for (size_t i = 0; i + 17 <= bed->sent.len;) {
        size_t len = (size_t)at[i] << 16 | (size_t)at[i + 1] << 8 | at[i + 2];
        if (at[i + 3] == 7)
            return at[i + 16] == code;
        i += 9 + len;
    }
    return false;
}

static void rapid_resets_end_the_connection(void **state)
{
    (void)state;
    struct bed bed;
    struct buf frames;
    open_raw(&bed);
    bed.late = true;
    buf_init(&frames, 1 << 20);
    for (unsigned id = 1; id < 4000; id += 2) {
        put_frame(&frames, 1, 5, id, get_head, sizeof get_head - 1);
        put_frame(&frames, 3, 0, id, "\0\0\0\x8", 4);
    }
    bed_feed(&bed, frames.at, frames.len);
    assert_true(said_goaway(&bed, 11)); /* ENHANCE_YOUR_CALM */
    assert_true(http_conn_finished(bed.conn));
    assert_true(bed.seen <= 100); /* what was reset still counts while the app works on it */
    buf_close(&frames);
    bed_close(&bed);
}

static void floods_of_pings_and_settings_end_the_connection(void **state)
{
    (void)state;
    for (unsigned which = 0; which < 2; which++) {
        struct bed bed;
        struct buf frames;
        open_raw(&bed);
        buf_init(&frames, 1 << 20);
        for (unsigned i = 0; i < 900; i++) {
            if (which)
                put_frame(&frames, 4, 0, 0, "", 0);
            else
                put_frame(&frames, 6, 0, 0, "12345678", 8);
        }
        bed_feed(&bed, frames.at, frames.len);
        assert_true(http_conn_finished(bed.conn));
        buf_close(&frames);
        bed_close(&bed);
    }
}

static void headers_that_never_end_are_cut_off(void **state)
{
    (void)state;
    struct bed bed;
    struct buf frames;
    open_raw(&bed);
    buf_init(&frames, 1 << 20);
    put_frame(&frames, 1, 1, 1, get_head, sizeof get_head - 1); /* without END_HEADERS */
    bed_feed(&bed, frames.at, frames.len);
    bed.now_ns = http_conn_deadline(bed.conn);
    assert_int_equal((bed.now_ns - SEC_NS) / SEC_NS, 10);
    http_conn_expire(bed.conn, bed.now_ns);
    bed_collect(&bed);
    assert_true(http_conn_finished(bed.conn));
    buf_close(&frames);
    bed_close(&bed);
}

static void a_window_kept_shut_is_cut_off(void **state)
{
    (void)state;
    struct bed bed;
    struct buf frames;
    memset(&flow, 0, sizeof flow);
    flow.size = 1 << 20;
    open_raw(&bed);
    bed.source = &source;
    buf_init(&frames, 1 << 20);
    put_frame(&frames, 1, 5, 1,
              "\x82\x86\x04\x07/source\x01\x01"
              "a",
              14);
    bed_feed(&bed, frames.at, frames.len);
    assert_int_equal(flow.given, 65535); /* the default window */
    bed.now_ns = http_conn_deadline(bed.conn);
    assert_true(bed.now_ns <= 30 * SEC_NS);
    http_conn_expire(bed.conn, bed.now_ns);
    bed_collect(&bed);
    assert_int_equal(bed.cleaned, 1);
    buf_close(&frames);
    bed_close(&bed);
}

/* Answers to one header block: a status, or 0 for a reset of the stream. */
static void expect_block(const char *block, size_t len, const char *status)
{
    struct bed bed;
    struct buf frames;
    open_raw(&bed);
    bed.sent.len = 0;
    buf_init(&frames, 1 << 20);
    put_frame(&frames, 1, 5, 1, block, len);
    bed_feed(&bed, frames.at, frames.len);
    assert_int_equal(bed.seen, 0);
    if (status && str_find(buf_text(&bed.sent), str_of(status)) < 0)
        fail_msg("not answered: %s", status);
    if (!status)
        assert_true(bed.sent.len == 0 || bed.sent.at[3] != 1 || bed.sent.len < 9);
    buf_close(&frames);
    bed_close(&bed);
}
#define BLOCK(text) text, sizeof(text) - 1

static void malformed_heads_never_reach_the_app(void **state)
{
    (void)state;
    expect_block(BLOCK("\x82\x86\x84"), NULL); /* no authority */
    expect_block(BLOCK("\x82\x86\x01\x01"      /* no path */
                       "a"),
                 NULL);
    expect_block(BLOCK("\x82\x86\x84\x01\x03" /* bad authority */
                       "a:b"),
                 "400");
    expect_block(BLOCK("\x82\x86\x84\x01\x01"
                       "a\0\x04host\x01" /* Host differs */
                       "b"),
                 "400: the authority");
    expect_block(BLOCK("\x82\x86\x84\x01\x01"
                       "a\0\x0a"
                       "connection\x05"
                       "close"),
                 NULL);
    expect_block(BLOCK("\x82\x86\x84\x01\x01"
                       "a\0\x03"
                       "X-A\x01" /* upper case */
                       "b"),
                 NULL);
    expect_block(BLOCK("\x82\x86\x04\x04/a b\x01\x01" /* space in the path */
                       "a"),
                 NULL);
    expect_block(BLOCK("\x82\x86\x04\x04/a#b\x01\x01"
                       "a"),
                 "400: the request target");
    expect_block(BLOCK("\x82\x86\x84\x01\x01"
                       "a\0\x06"
                       "expect\x03"
                       "tea"),
                 "417");
}

static void a_head_beyond_the_limit_gets_431(void **state)
{
    (void)state;
    struct pair pair;
    static char value[20000];
    memset(value, 'v', sizeof value);
    struct http_header header = {STR("x-a"), str_make(value, sizeof value), 0};
    struct http_request request = {.method = STR("GET"),
                                   .target = STR("/"),
                                   .authority = STR("a"),
                                   .headers = &header,
                                   .header_count = 1};
    pair_open(&pair);
    http_client_request(pair.client, &request, &pair.answers[0]);
    carry(&pair);
    assert_int_equal(pair.answers[0].status, 431);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_of_each_kind_are_answered),
        cmocka_unit_test(conditions_and_compression_work_as_in_http_1),
        cmocka_unit_test(many_streams_run_side_by_side),
        cmocka_unit_test(bodies_of_any_size_stream_both_ways),
        cmocka_unit_test(a_paused_sink_shuts_its_stream_but_not_the_others),
        cmocka_unit_test(too_large_bodies_get_413),
        cmocka_unit_test(an_early_refusal_ends_the_upload),
        cmocka_unit_test(draining_refuses_what_is_new_and_finishes_what_runs),
        cmocka_unit_test(exchanges_that_are_held_survive_their_connection),
        cmocka_unit_test(a_dropped_exchange_resets_its_stream_alone),
        cmocka_unit_test(an_app_that_takes_too_long_is_answered_for),
        cmocka_unit_test(idle_connections_say_goodbye),
        cmocka_unit_test(rapid_resets_end_the_connection),
        cmocka_unit_test(floods_of_pings_and_settings_end_the_connection),
        cmocka_unit_test(headers_that_never_end_are_cut_off),
        cmocka_unit_test(a_window_kept_shut_is_cut_off),
        cmocka_unit_test(malformed_heads_never_reach_the_app),
        cmocka_unit_test(a_head_beyond_the_limit_gets_431),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
