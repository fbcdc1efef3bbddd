/* The client over HTTP/1.1; over HTTP/2 see test_http_h2.c. */
#include "http/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct seen {
    unsigned heads, done, broken;
    int status[8];
    bool keep_alive[8];
    int64_t content_length;
    struct buf body;
};

static void on_head(void *user, const struct http_response *response)
{
    struct seen *seen = user;
    seen->heads++;
    seen->content_length = response->content_length;
}

static void on_body(void *user, const struct http_response *response, struct str bytes)
{
    struct seen *seen = user;
    (void)response;
    buf_str(&seen->body, bytes);
}

static void on_done(void *user, const struct http_response *response)
{
    struct seen *seen = user;
    seen->status[seen->done] = response->status;
    seen->keep_alive[seen->done++] = response->keep_alive;
    seen->broken += response->broken;
}

static const struct http_client_events events = {on_head, on_body, on_done};

static struct http_client *open_client(struct seen *seen, const char *const *methods)
{
    memset(seen, 0, sizeof *seen);
    buf_init(&seen->body, 1 << 20);
    struct http_client *client = http_client_new(HTTP_1, &events, seen);
    for (; *methods; methods++) {
        struct http_request request = {
            .method = str_of(*methods), .target = STR("/"), .authority = STR("a")};
        assert_int_equal(http_client_request(client, &request, NULL), 0);
    }
    return client;
}

/* In pieces of each length up to the whole. */
static void receive(struct http_client *client, const char *text, size_t piece)
{
    for (size_t len = strlen(text), at = 0; at < len; at += piece)
        assert_int_equal(
            http_client_receive(client, text + at, len - at < piece ? len - at : piece), 0);
}

static void close_client(struct http_client *client, struct seen *seen)
{
    http_client_free(client);
    buf_close(&seen->body);
}

static void pipelined_answers_come_apart_however_they_are_cut(void **state)
{
    (void)state;
    static const char text[] = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
                               "HTTP/1.1 100 Continue\r\n\r\n"
                               "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "3\r\nabc\r\n0\r\n\r\n"
                               "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"
                               "HTTP/1.1 304 Not Modified\r\n\r\n"
                               "HTTP/1.1 404 Not Found\r\nContent-Length: 1\r\n\r\n!";
    static const char *const methods[] = {"GET", "POST", "HEAD", "GET", "GET", NULL};
    for (size_t piece = 1; piece <= sizeof text; piece++) {
        struct seen seen;
        struct http_client *client = open_client(&seen, methods);
        receive(client, text, piece);
        assert_int_equal(seen.done, 5);
        assert_int_equal(seen.heads, 5);
        assert_int_equal(seen.broken, 0);
        assert_int_equal(seen.status[3], 304);
        assert_int_equal(seen.status[4], 404);
        assert_true(seen.keep_alive[4]);
        assert_true(str_eq(buf_text(&seen.body), STR("hiabc!")));
        assert_int_equal(http_client_waiting(client), 0);
        close_client(client, &seen);
    }
}

static void an_answer_may_end_with_the_connection(void **state)
{
    (void)state;
    static const char *const methods[] = {"GET", NULL};
    struct seen seen;
    struct http_client *client = open_client(&seen, methods);
    receive(client, "HTTP/1.0 200 OK\r\n\r\nrest", 100);
    assert_int_equal(seen.done, 0);
    http_client_receive(client, "", 0);
    assert_int_equal(seen.done, 1);
    assert_int_equal(seen.broken, 0);
    assert_false(seen.keep_alive[0]);
    assert_true(str_eq(buf_text(&seen.body), STR("rest")));
    close_client(client, &seen);
}

static void what_breaks_off_is_told(void **state)
{
    (void)state;
    static const char *const methods[] = {"GET", "GET", NULL};
    struct seen seen;
    struct http_client *client = open_client(&seen, methods);
    receive(client, "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nrest", 100);
    http_client_receive(client, "", 0);
    assert_int_equal(seen.done, 2);
    assert_int_equal(seen.broken, 2);
    close_client(client, &seen);
}

static void what_is_no_http_is_refused(void **state)
{
    (void)state;
    static const char *const methods[] = {"GET", NULL}, *const nothing[] = {NULL};
    struct seen seen;
    struct http_client *client = open_client(&seen, methods);
    assert_int_equal(http_client_receive(client, "SSH-2.0-x\r\n", 11), ERR_INVALID);
    assert_int_equal(seen.broken, 1);
    close_client(client, &seen);
    client = open_client(&seen, nothing);
    assert_int_equal(http_client_receive(client, "HTTP/1.1 200 OK\r\n\r\n", 19), ERR_INVALID);
    close_client(client, &seen);
}

static void a_close_is_the_last_answer(void **state)
{
    (void)state;
    static const char *const methods[] = {"GET", "GET", NULL};
    struct seen seen;
    struct http_client *client = open_client(&seen, methods);
    receive(client, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", 100);
    assert_int_equal(seen.done, 1);
    assert_false(seen.keep_alive[0]);
    http_client_receive(client, "", 0);
    assert_int_equal(seen.broken, 1);
    assert_int_equal(http_client_expect(client, false, NULL), ERR_CLOSED);
    close_client(client, &seen);
}

static void requests_are_written_out(void **state)
{
    (void)state;
    static const char *const nothing[] = {NULL};
    struct seen seen;
    struct http_client *client = open_client(&seen, nothing);
    struct http_header header = {STR("X-A"), STR("b"), 0};
    struct http_request request = {.method = STR("POST"),
                                   .target = STR("/p"),
                                   .authority = STR("shop"),
                                   .headers = &header,
                                   .header_count = 1,
                                   .body = STR("hello")};
    assert_int_equal(http_client_request(client, &request, NULL), 0);
    assert_true(str_eq(http_client_output(client),
                       STR("POST /p HTTP/1.1\r\nHost: shop\r\nX-A: b\r\nContent-Length: 5\r\n\r\n"
                           "hello")));
    http_client_sent(client, 5);
    assert_true(str_starts(http_client_output(client), STR("/p HTTP")));
    close_client(client, &seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pipelined_answers_come_apart_however_they_are_cut),
        cmocka_unit_test(an_answer_may_end_with_the_connection),
        cmocka_unit_test(what_breaks_off_is_told),
        cmocka_unit_test(what_is_no_http_is_refused),
        cmocka_unit_test(a_close_is_the_last_answer),
        cmocka_unit_test(requests_are_written_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
