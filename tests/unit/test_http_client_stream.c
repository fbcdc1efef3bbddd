/* The client as the load manager uses it: requests of its own making, upgrades, being freed. */
#include "http/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct seen {
    struct http_client *client;
    unsigned heads, done, broken;
    int status, next; /* what http_client_request in `done` gave */
    bool free_in_head, ask_in_done, keep_alive;
    struct buf body;
};

static const struct http_request get = {
    .method = STR("GET"), .target = STR("/"), .authority = STR("a")};

static void on_head(void *user, const struct http_response *response)
{
    struct seen *seen = user;
    seen->heads++;
    seen->status = response->status;
    if (seen->free_in_head)
        http_client_free(seen->client);
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
    seen->done++;
    seen->broken += response->broken;
    seen->keep_alive = response->keep_alive;
    if (seen->ask_in_done)
        seen->next = http_client_request(seen->client, &get, NULL);
}

static const struct http_client_events events = {on_head, on_body, on_done};

static struct http_client *open_client(struct seen *seen)
{
    memset(seen, 0, sizeof *seen);
    buf_init(&seen->body, 1 << 20);
    seen->client = http_client_new(HTTP_1, &events, seen);
    return seen->client;
}

static void close_client(struct seen *seen)
{
    if (!seen->free_in_head)
        http_client_free(seen->client);
    buf_close(&seen->body);
}

static int receive(struct seen *seen, const char *text)
{
    return http_client_receive(seen->client, text, strlen(text));
}

static void nothing_can_be_smuggled_into_a_request(void **state)
{
    (void)state;
    struct seen seen;
    struct http_client *client = open_client(&seen);
    struct http_header headers[] = {
        {STR("X"), STR("a\r\nY: b"), 0}, {STR("X"), STR("a\nb"), 0},
        {STR("X"), STR("a\0b"), 0},      {STR("X\r\nY"), STR("a"), 0},
        {STR("X: b\r\nY"), STR("a"), 0}, {STR("X "), STR("a"), 0},
        {STR(""), STR("a"), 0},          {STR("X:"), STR("a"), 0},
    };
    for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
        struct http_request request = get;
        request.headers = &headers[i];
        request.header_count = 1;
        assert_int_equal(http_client_request(client, &request, NULL), ERR_INVALID);
    }
    struct http_request request = get;
    request.target = STR("/ HTTP/1.1\r\nX: y");
    assert_int_equal(http_client_request(client, &request, NULL), ERR_INVALID);
    request = get;
    request.method = STR("CONNECT");
    assert_int_equal(http_client_request(client, &request, NULL), ERR_INVALID);
    request = get;
    request.authority = STR("a\r\nX: y");
    assert_int_equal(http_client_request(client, &request, NULL), ERR_INVALID);
    assert_int_equal(http_client_output(client).len, 0);
    close_client(&seen);
}

/* The answer that is behind the first cannot become that to a request made in its `done`. */
static void what_is_sent_unasked_answers_nobody(void **state)
{
    (void)state;
    struct seen seen;
    struct http_client *client = open_client(&seen);
    http_client_request(client, &get, NULL);
    seen.ask_in_done = true;
    assert_int_equal(receive(&seen, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
                                    "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil"),
                     ERR_INVALID);
    assert_int_equal(seen.done, 1);
    assert_int_equal(seen.next, ERR_CLOSED);
    assert_true(str_eq(buf_text(&seen.body), STR("hi")));
    close_client(&seen);
}

static void an_upgraded_connection_carries_bytes_until_it_ends(void **state)
{
    (void)state;
    struct seen seen;
    struct http_client *client = open_client(&seen);
    assert_int_equal(http_client_expect(client, false, NULL), 0);
    http_client_may_switch(client);
    assert_int_equal(receive(&seen, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                                    "Connection: Upgrade\r\n\r\nHTTP/1.1 raw\n"),
                     0);
    assert_int_equal(seen.status, 101);
    assert_int_equal(receive(&seen, "more"), 0);
    assert_true(str_eq(buf_text(&seen.body), STR("HTTP/1.1 raw\nmore")));
    assert_int_equal(http_client_request(client, &get, NULL), ERR_CLOSED);
    assert_int_equal(seen.done, 0);
    http_client_receive(client, "", 0);
    assert_int_equal(seen.done, 1);
    assert_int_equal(seen.broken, 0);
    assert_false(seen.keep_alive);
    close_client(&seen);
}

/* The caller wrote the request himself. */
static void what_is_awaited_may_switch_if_that_was_said(void **state)
{
    (void)state;
    for (int said = 0; said < 2; said++) {
        struct seen seen;
        struct http_client *client = open_client(&seen);
        assert_int_equal(http_client_expect(client, false, NULL), 0);
        if (said)
            http_client_may_switch(client);
        int err = receive(&seen, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\nraw");
        assert_int_equal(err, said ? 0 : ERR_INVALID);
        assert_true(str_eq(buf_text(&seen.body), said ? STR("raw") : STR("")));
        close_client(&seen);
    }
}

static void an_upgrade_may_be_declined(void **state)
{
    (void)state;
    struct seen seen;
    struct http_client *client = open_client(&seen);
    assert_int_equal(http_client_expect(client, false, NULL), 0);
    http_client_may_switch(client);
    receive(&seen, "HTTP/1.1 426 Upgrade Required\r\nContent-Length: 0\r\n\r\n");
    assert_int_equal(seen.done, 1);
    assert_true(seen.keep_alive);
    assert_int_equal(http_client_request(client, &get, NULL), 0);
    close_client(&seen);
}

static void a_callback_may_free_it(void **state)
{
    (void)state;
    struct seen seen;
    struct http_client *client = open_client(&seen);
    http_client_request(client, &get, NULL);
    http_client_request(client, &get, NULL);
    seen.free_in_head = true;
    assert_int_equal(receive(&seen, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"), ERR_CLOSED);
    assert_int_equal(seen.heads, 1);
    assert_int_equal(seen.done, 0);
    assert_int_equal(seen.body.len, 0);
    close_client(&seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_can_be_smuggled_into_a_request),
        cmocka_unit_test(what_is_sent_unasked_answers_nobody),
        cmocka_unit_test(an_upgraded_connection_carries_bytes_until_it_ends),
        cmocka_unit_test(what_is_awaited_may_switch_if_that_was_said),
        cmocka_unit_test(an_upgrade_may_be_declined),
        cmocka_unit_test(a_callback_may_free_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
