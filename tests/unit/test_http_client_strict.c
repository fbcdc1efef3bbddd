/* What the client refuses of an answer over HTTP/1.1, and what it takes: each case however the
 * bytes are cut. */
#include "base/check.h"
#include "http/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

struct seen {
    unsigned heads, done, broken;
    int status;
    bool keep_alive;
    struct buf body;
};

static void on_head(void *user, const struct http_response *response)
{
    ((struct seen *)user)->heads++;
    (void)response;
}

static void on_body(void *user, const struct http_response *response, struct str bytes)
{
    (void)response;
    buf_str(&((struct seen *)user)->body, bytes);
}

static void on_done(void *user, const struct http_response *response)
{
    struct seen *seen = user;
    seen->done++;
    seen->broken += response->broken;
    seen->status = response->status;
    seen->keep_alive = response->keep_alive;
}

static const struct http_client_events events = {on_head, on_body, on_done};

static struct http_client *open_client(struct seen *seen, const char *method)
{
    memset(seen, 0, sizeof *seen);
    buf_init(&seen->body, 1 << 20);
    struct http_client *client = http_client_new(HTTP_1, &events, seen);
    struct http_request request = {
        .method = str_of(method), .target = STR("/"), .authority = STR("a")};
    assert_int_equal(http_client_request(client, &request, NULL), 0);
    return client;
}

/* Copied, so that a byte read behind the piece is found; 0 or the first error. */
static int receive(struct http_client *client, const char *bytes, size_t len, size_t piece)
{
    for (size_t at = 0; at < len; at += piece) {
        size_t part = len - at < piece ? len - at : piece;
        char *copy = malloc(part);
        memcpy(copy, bytes + at, part);
        int err = http_client_receive(client, copy, part);
        free(copy);
        if (err)
            return err;
    }
    return 0;
}

#define OK     "HTTP/1.1 200 OK\r\n"
#define CHUNKS OK "Transfer-Encoding: chunked\r\n\r\n"

static const char *const refused[] = {
    /* the status line */
    "hello\r\n",
    "HTTP/0.9 200 OK\r\n\r\n",
    "HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/1.2 200 OK\r\n\r\n",
    "HTTP/1.1 20 OK\r\n\r\n",
    "HTTP/1.1 2000 OK\r\n\r\n",
    "HTTP/1.1 099 OK\r\n\r\n",
    "HTTP/1.1 600 OK\r\n\r\n",
    "HTTP/1.1 999 OK\r\n\r\n",
    "HTTP/1.1  200 OK\r\n\r\n",
    "HTTP/1.1\t200 OK\r\n\r\n",
    "HTTP/1.1 2x0 OK\r\n\r\n",
    "HTTP/1.1 -20 OK\r\n\r\n",
    "HTTP/1.1 200\tOK\r\n\r\n",
    "HTTP/1.1 200 O\x01K\r\n\r\n",
    "HTTP/1.1 200 O\rK\r\n\r\n",
    "\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    " HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "http/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    /* line ends, folding, names, values */
    "HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
    OK "Content-Length: 0\n\r\n",
    OK "Content-Length: 0\r\n\n",
    OK "Content-Length: 0\r\r\n\r\n",
    OK "X: a\rb\r\nContent-Length: 0\r\n\r\n",
    OK "X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    OK "X: a\r\n\tb\r\nContent-Length: 0\r\n\r\n",
    OK " X: a\r\nContent-Length: 0\r\n\r\n",
    OK "Content-Length : 0\r\n\r\n",
    OK "Content-Length\t: 0\r\n\r\n",
    OK "Content Length: 0\r\n\r\n",
    OK ": a\r\nContent-Length: 0\r\n\r\n",
    OK "X\r\nContent-Length: 0\r\n\r\n",
    OK "X@y: a\r\nContent-Length: 0\r\n\r\n",
    OK "X\x80: a\r\nContent-Length: 0\r\n\r\n",
    OK "X: a\x01z\r\nContent-Length: 0\r\n\r\n",
    OK "X: a\x7fz\r\nContent-Length: 0\r\n\r\n",
    OK "X: a\x1b[0m\r\nContent-Length: 0\r\n\r\n",
    /* lengths */
    OK "Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    OK "Content-Length: 1\r\nContent-Length: 1\r\n\r\n",
    OK "Content-Length: 1, 1\r\n\r\n",
    OK "Content-Length: +1\r\n\r\n",
    OK "Content-Length: -1\r\n\r\n",
    OK "Content-Length: 0x1\r\n\r\n",
    OK "Content-Length: 1 1\r\n\r\n",
    OK "Content-Length: 1.0\r\n\r\n",
    OK "Content-Length: one\r\n\r\n",
    OK "Content-Length:\r\n\r\n",
    OK "Content-Length: 9223372036854775808\r\n\r\n",
    OK "Content-Length: 18446744073709551617\r\n\r\n",
    /* codings */
    OK "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
    OK "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n",
    OK "Transfer-Encoding: gzip\r\n\r\n",
    OK "Transfer-Encoding: gzip, chunked\r\n\r\n",
    OK "Transfer-Encoding: chunked, gzip\r\n\r\n",
    OK "Transfer-Encoding: chunked, chunked\r\n\r\n",
    OK "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
    OK "Transfer-Encoding: xchunked\r\n\r\n",
    OK "Transfer-Encoding: \"chunked\"\r\n\r\n",
    OK "Transfer-Encoding: identity\r\n\r\n",
    OK "Transfer-Encoding:\r\n\r\n",
    OK "Transfer-Encoding: chunked;q=1\r\n\r\n",
    "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 204 None\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 103 Hints\r\nTransfer-Encoding: chunked\r\n\r\n",
    /* chunks */
    CHUNKS "x\r\n",
    CHUNKS "\r\n0\r\n\r\n",
    CHUNKS "-1\r\n",
    CHUNKS "+1\r\na\r\n0\r\n\r\n",
    CHUNKS "0x1\r\na\r\n0\r\n\r\n",
    CHUNKS " 1\r\na\r\n0\r\n\r\n",
    CHUNKS "1 \r\na\r\n0\r\n\r\n",
    CHUNKS "1\na\r\n0\r\n\r\n",
    CHUNKS "1\r\na\n0\r\n\r\n",
    CHUNKS "1\r\nab\r\n0\r\n\r\n",
    CHUNKS "2\r\na\r\n0\r\n\r\n",
    CHUNKS "1\r\ra\r\n0\r\n\r\n",
    CHUNKS "00000000000000001\r\na\r\n0\r\n\r\n",
    CHUNKS "8000000000000000\r\n",
    CHUNKS "ffffffffffffffff\r\n",
    CHUNKS "10000000000000000\r\n",
    CHUNKS "1;x\ny\r\na\r\n0\r\n\r\n",
    CHUNKS "1;x\x01\r\na\r\n0\r\n\r\n",
    CHUNKS "1;x\ry\r\na\r\n0\r\n\r\n",
    CHUNKS "0\r\nX : a\r\n\r\n",
    CHUNKS "0\r\nX: a\n\r\n",
    CHUNKS "0\r\n X: a\r\n\r\n",
    CHUNKS "0\r\n\n",
    /* what nobody asked for */
    "HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    OK "Content-Length: 1\r\n\r\nab",
    OK "Content-Length: 0\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    CHUNKS "0\r\n\r\n\r\n",
    "HTTP/1.1 204 None\r\nContent-Length: 3\r\n\r\nabc",
};

static void what_can_be_read_in_two_ways_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(refused); i++) {
        const char *text = refused[i];
        size_t len = strlen(text);
        for (size_t piece = 1; piece <= len; piece++) {
            struct seen seen;
            struct http_client *client = open_client(&seen, "GET");
            if (receive(client, text, len, piece) != ERR_INVALID)
                fail_msg("%s: taken in pieces of %zu", text, piece);
            assert_non_null(http_client_error(client));
            assert_int_equal(seen.done, 1);
            assert_int_equal(http_client_waiting(client), 0);
            assert_int_equal(http_client_expect(client, false, NULL), ERR_CLOSED);
            http_client_free(client);
            buf_close(&seen.body);
        }
    }
}

static void a_nul_is_refused_anywhere(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 200 OK\r\nName: value\r\nContent-Length: 1\r\n\r\n";
    for (size_t at = 0; at + 1 < sizeof text; at++) {
        struct seen seen;
        char with[sizeof text];
        memcpy(with, text, sizeof text);
        with[at] = 0;
        struct http_client *client = open_client(&seen, "GET");
        int err = receive(client, with, sizeof text - 1, sizeof text);
        if (!err) /* it stood where a line should end: more of the head is waited for */
            err = http_client_receive(client, "\r\n\r\n", 4);
        assert_int_equal(err, ERR_INVALID);
        http_client_free(client);
        buf_close(&seen.body);
    }
}

struct good {
    const char *method, *text, *body;
    bool keep_alive, until_close;
};

static const struct good taken[] = {
    {"GET", OK "Content-Length: 2\r\n\r\nhi", "hi", true, false},
    {"GET", OK "content-length:2\r\n\r\nhi", "hi", true, false},
    {"GET", OK "CONTENT-LENGTH: \t 2 \t \r\n\r\nhi", "hi", true, false},
    {"GET", "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n", "", true, false},
    {"GET", "HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "", true, false},
    {"GET", "HTTP/1.1 200 \xc3\xa4\r\nX: \xff\r\nContent-Length: 0\r\n\r\n", "", true, false},
    {"GET", OK "X:\r\nY: a\tb\r\nContent-Length: 0\r\n\r\n", "", true, false},
    {"GET", OK "Content-Length: 002\r\n\r\nhi", "hi", true, false},
    {"GET", OK "Connection: close\r\nContent-Length: 0\r\n\r\n", "", false, false},
    {"GET", OK "Connection: x, Close\r\nContent-Length: 0\r\n\r\n", "", false, false},
    {"GET", OK "Connection: x\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", "", false, false},
    {"GET", "HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n", "", false, false},
    {"GET", "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 0\r\n\r\n", "", true,
     false},
    {"GET", OK "\r\nrest", "rest", false, true},
    {"GET", "HTTP/1.0 200 OK\r\n\r\nrest", "rest", false, true},
    {"GET", CHUNKS "2\r\nhi\r\n0\r\n\r\n", "hi", true, false},
    {"GET", CHUNKS "1\r\nh\r\n1\r\ni\r\n0\r\n\r\n", "hi", true, false},
    {"GET", OK "Transfer-Encoding: Chunked\r\n\r\n2;a=b;c=\"d\"\r\nhi\r\n000\r\n\r\n", "hi", true,
     false},
    {"GET", CHUNKS "A\r\n0123456789\r\n0\r\nX: y\r\nZ: \r\n\r\n", "0123456789", true, false},
    {"GET",
     "HTTP/1.1 100 Go\r\n\r\nHTTP/1.1 103 Hints\r\nLink: </a>\r\n\r\n" OK
     "Content-Length: 1\r\n\r\n!",
     "!", true, false},
    {"GET", "HTTP/1.1 204 None\r\n\r\n", "", true, false},
    {"GET", "HTTP/1.1 204 None\r\nContent-Length: 3\r\n\r\n", "", true, false},
    {"GET", "HTTP/1.1 304 Same\r\nContent-Length: 300\r\n\r\n", "", true, false},
    {"GET", "HTTP/1.1 304 Same\r\nTransfer-Encoding: chunked\r\n\r\n", "", true, false},
    {"GET", "HTTP/1.1 205 Reset\r\nContent-Length: 0\r\n\r\n", "", true, false},
    {"HEAD", OK "Content-Length: 300\r\n\r\n", "", true, false},
    {"HEAD", CHUNKS, "", true, false},
    {"HEAD", OK "\r\n", "", true, false},
    {"POST", "HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n", "", true, false},
};

static void what_is_clear_is_taken_however_it_is_cut(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(taken); i++) {
        const struct good *good = &taken[i];
        size_t len = strlen(good->text);
        for (size_t piece = 1; piece <= len; piece++) {
            struct seen seen;
            struct http_client *client = open_client(&seen, good->method);
            if (receive(client, good->text, len, piece))
                fail_msg("%s: %s", good->text, http_client_error(client));
            assert_int_equal(seen.done, good->until_close ? 0 : 1);
            if (good->until_close)
                assert_int_equal(http_client_receive(client, "", 0), 0);
            assert_int_equal(seen.done, 1);
            assert_int_equal(seen.heads, 1);
            assert_int_equal(seen.broken, 0);
            assert_int_equal(seen.keep_alive, good->keep_alive);
            assert_true(str_eq(buf_text(&seen.body), str_of(good->body)));
            http_client_free(client);
            buf_close(&seen.body);
        }
    }
}

static void breaking_off_is_never_an_end(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(taken); i++) {
        size_t len = strlen(taken[i].text);
        for (size_t cut = 0; cut < len; cut++) {
            struct seen seen;
            struct http_client *client = open_client(&seen, taken[i].method);
            receive(client, taken[i].text, cut, SIZE_MAX);
            http_client_receive(client, "", 0);
            bool in_rest = taken[i].until_close && seen.heads > 0;
            assert_int_equal(seen.done, 1);
            assert_int_equal(seen.broken, in_rest ? 0 : 1);
            http_client_free(client);
            buf_close(&seen.body);
        }
    }
}

/* BEGIN, then PIECE COUNT times. */
static int receive_many(const char *begin, const char *piece, unsigned count)
{
    struct seen seen;
    struct http_client *client = open_client(&seen, "GET");
    int err = receive(client, begin, strlen(begin), SIZE_MAX);
    for (unsigned i = 0; i < count && !err; i++)
        err = http_client_receive(client, piece, strlen(piece));
    http_client_free(client);
    buf_close(&seen.body);
    return err;
}

static void an_answer_is_bounded(void **state)
{
    (void)state;
    static const char hints[] = "HTTP/1.1 103 A\r\n\r\n";
    static const char *const begins[] = {OK, CHUNKS "0\r\n"};
    for (size_t i = 0; i < COUNT_OF(begins); i++) {
        char fields[CLIENT_HEADERS_MAX * 8], *at = fields;
        for (unsigned count = 0; count < CLIENT_HEADERS_MAX; count++)
            at += snprintf(at, 8, "A: 1\r\n");
        struct seen seen;
        struct http_client *client = open_client(&seen, "GET");
        assert_int_equal(receive(client, begins[i], strlen(begins[i]), 7), 0);
        assert_int_equal(receive(client, fields, strlen(fields), 7), 0);
        assert_int_equal(receive(client, "B: 2\r\n\r\n", 8, 7), ERR_INVALID);
        http_client_free(client);
        buf_close(&seen.body);
    }
    assert_int_equal(receive_many("", hints, 8), 0);
    assert_int_equal(receive_many("", hints, 9), ERR_INVALID);
    /* Heads, extensions and trailers that never end. */
    assert_int_equal(receive_many(OK "X: ", "a", 60000), 0);
    assert_int_equal(receive_many(OK "X: ", "a", 66000), ERR_INVALID);
    assert_int_equal(receive_many(CHUNKS "1;", "a", 66000), ERR_INVALID);
    assert_int_equal(receive_many(CHUNKS "0\r\nX: ", "a", 66000), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_be_read_in_two_ways_is_refused),
        cmocka_unit_test(a_nul_is_refused_anywhere),
        cmocka_unit_test(what_is_clear_is_taken_however_it_is_cut),
        cmocka_unit_test(breaking_off_is_never_an_end),
        cmocka_unit_test(an_answer_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
