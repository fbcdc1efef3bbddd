/* What of a message goes on to the next connection, and what is added to it. */
#include "balance/hop.h"
#include "base/check.h"
#include "http/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { FIELDS = 40 };

struct message {
    struct http_header headers[FIELDS];
    struct exchange x;
    struct buf out;
    struct arena arena;
    struct http_response response;
    struct hop_answer answer;
};

static void parse(struct message *m, const char *lines, unsigned *count)
{
    const char *why = NULL;
    assert_int_equal(fields_parse(str_of(lines), m->headers, FIELDS, count, &why), 0);
}

/* A request as the core gives it to an app; LINES end with an empty one. */
static struct message *request(const char *target, const char *lines)
{
    struct message *m = calloc(1, sizeof *m);
    assert_non_null(m);
    arena_init(&m->arena, 1 << 20);
    buf_init(&m->out, 1 << 20);
    struct exchange *x = &m->x;
    parse(m, lines, &x->header_count);
    x->headers = m->headers;
    x->method = HTTP_GET;
    x->method_name = STR("GET");
    x->target = str_of(target);
    x->path = str_of(target);
    x->host = STR("shop.example");
    x->scheme = STR("https");
    x->peer = STR("192.0.2.7");
    x->version = 11;
    for (unsigned i = 0; i < x->header_count; i++)
        if (!x->known[m->headers[i].field].at)
            x->known[m->headers[i].field] = m->headers[i].value;
    return m;
}

static void forget(struct message *m)
{
    buf_close(&m->out);
    arena_close(&m->arena);
    free(m);
}

static const char *written(struct message *m, struct hop_request request)
{
    request.x = &m->x;
    buf_clear(&m->out);
    hop_write_request(&m->out, &request);
    buf_byte(&m->out, '\0');
    assert_false(m->out.failed);
    return m->out.at;
}

static void assert_has(const char *head, const char *line)
{
    if (!strstr(head, line))
        fail_msg("\"%s\" is missing in:\n%s", line, head);
}

static void assert_lacks(const char *head, const char *text)
{
    if (strcasestr(head, text))
        fail_msg("\"%s\" should not be in:\n%s", text, head);
}

static unsigned times(const char *head, const char *text)
{
    unsigned count = 0;
    for (const char *at = head; (at = strcasestr(at, text)); at += strlen(text))
        count++;
    return count;
}

static void a_request_goes_on_with_what_concerns_the_server(void **state)
{
    (void)state;
    struct message *m = request("/a?b=c", "Accept: text/html\r\nCookie: cart=1\r\n"
                                          "Authorization: Bearer x\r\nX-Mine: yes\r\n"
                                          "Stoa-Session: t\r\nIdempotency-Key: k\r\n\r\n");
    const char *head = written(m, (struct hop_request){0});
    assert_int_equal(strncmp(head, "GET /a?b=c HTTP/1.1\r\nHost: shop.example\r\n", 41), 0);
    assert_has(head, "\r\nAccept: text/html\r\n");
    assert_has(head, "\r\nCookie: cart=1\r\n");
    assert_has(head, "\r\nAuthorization: Bearer x\r\n");
    assert_has(head, "\r\nX-Mine: yes\r\n");
    assert_has(head, "\r\nStoa-Session: t\r\n");
    assert_has(head, "\r\nIdempotency-Key: k\r\n");
    assert_int_equal(times(head, "\r\n\r\n"), 1);
    forget(m);
}

static void what_is_about_the_connection_ends_here(void **state)
{
    (void)state;
    struct message *m =
        request("/", "Connection: close, X-Private\r\nConnection: x-other\r\nX-Private: 1\r\n"
                     "X-Other: 2\r\nKeep-Alive: 5\r\nProxy-Connection: a\r\n"
                     "Proxy-Authorization: b\r\nProxy: c\r\nTE: trailers\r\nTrailer: d\r\n"
                     "Upgrade: h2c\r\nHTTP2-Settings: e\r\nExpect: 100-continue\r\n\r\n");
    const char *head = written(m, (struct hop_request){0});
    assert_lacks(head, "connection:");
    assert_lacks(head, "x-private");
    assert_lacks(head, "x-other");
    assert_lacks(head, "keep-alive");
    assert_lacks(head, "proxy");
    assert_lacks(head, "te:");
    assert_lacks(head, "trailer");
    assert_lacks(head, "upgrade");
    assert_lacks(head, "http2");
    assert_lacks(head, "expect");
    forget(m);
}

static void connection_cannot_take_away_what_concerns_the_server(void **state)
{
    (void)state;
    struct message *m = request(
        "/", "Connection: Host, Cookie, Authorization, Content-Type, X-Forwarded-For, Stoa-Session,"
             " Via\r\nCookie: a=b\r\nAuthorization: c\r\nContent-Type: d\r\nStoa-Session: e\r\n"
             "Via: 1.0 f\r\n\r\n");
    const char *head = written(m, (struct hop_request){0});
    assert_has(head, "\r\nHost: shop.example\r\n");
    assert_has(head, "\r\nCookie: a=b\r\n");
    assert_has(head, "\r\nAuthorization: c\r\n");
    assert_has(head, "\r\nContent-Type: d\r\n");
    assert_has(head, "\r\nX-Forwarded-For: 192.0.2.7\r\n");
    assert_has(head, "\r\nStoa-Session: e\r\n");
    assert_has(head, "\r\nVia: 1.0 f\r\n");
    forget(m);
}

static void the_framing_is_our_own(void **state)
{
    (void)state;
    struct message *m = request("/", "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"
                                     "Content_Length: 7\r\ntransfer_encoding: chunked\r\n\r\n");
    const char *head = written(m, (struct hop_request){.framing = HOP_LENGTH, .length = 12});
    assert_int_equal(times(head, "content-length"), 1);
    assert_has(head, "\r\nContent-Length: 12\r\n\r\n");
    assert_lacks(head, "content_length");
    assert_lacks(head, "chunked");
    head = written(m, (struct hop_request){.framing = HOP_CHUNKED});
    assert_lacks(head, "content-length");
    assert_int_equal(times(head, "transfer-encoding: chunked"), 1);
    head = written(m, (struct hop_request){0});
    assert_lacks(head, "content-length");
    assert_lacks(head, "transfer");
    forget(m);
}

static void a_strangers_word_about_others_is_not_believed(void **state)
{
    (void)state;
    struct message *m =
        request("/", "X-Forwarded-For: 10.0.0.1\r\nX_Forwarded_For: 10.0.0.2\r\n"
                     "X-Forwarded-Proto: http\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\n"
                     "X-Forwarded-Prefix: /evil\r\nX-Real-IP: 10.0.0.4\r\n"
                     "X-Client-IP: 10.0.0.5\r\nTrue-Client-IP: 10.0.0.6\r\n"
                     "x_real_ip: 10.0.0.7\r\nForwarded: for=10.0.0.3\r\n\r\n");
    const char *head = written(m, (struct hop_request){0});
    assert_lacks(head, "10.0.0.");
    assert_lacks(head, "x-forwarded-port");
    assert_lacks(head, "evil");
    assert_has(head, "\r\nX-Forwarded-For: 192.0.2.7\r\n");
    assert_has(head, "\r\nX-Forwarded-Proto: https\r\n");
    assert_has(head, "\r\nX-Forwarded-Host: shop.example\r\n");
    assert_has(head, "\r\nForwarded: for=192.0.2.7;host=\"shop.example\";proto=https\r\n");
    assert_true(str_eq(hop_client(&m->x, false), STR("192.0.2.7")));
    forget(m);
}

static void a_trusted_peers_word_is_added_to(void **state)
{
    (void)state;
    struct message *m =
        request("/", "X-Forwarded-For: 10.0.0.1\r\nX-Forwarded-For: 10.0.0.2, 10.0.0.3\r\n"
                     "X-Forwarded-Proto: http\r\nX-Forwarded-Host: front\r\n"
                     "X-Forwarded-Port: 8443\r\nX-Real-IP: 10.0.0.1\r\nx_real_ip: 10.0.0.7\r\n"
                     "x_forwarded_port: 7\r\nForwarded: for=10.0.0.3\r\n\r\n");
    const char *head = written(m, (struct hop_request){.trusted = true});
    assert_has(head, "\r\nX-Forwarded-Port: 8443\r\n");
    assert_has(head, "\r\nX-Real-IP: 10.0.0.1\r\n");
    assert_lacks(head, "x_");
    assert_has(head, "\r\nX-Forwarded-For: 10.0.0.1, 10.0.0.2, 10.0.0.3, 192.0.2.7\r\n");
    assert_has(head, "\r\nX-Forwarded-Proto: http\r\n");
    assert_has(head, "\r\nX-Forwarded-Host: front\r\n");
    assert_has(head, "\r\nForwarded: for=10.0.0.3, for=192.0.2.7;");
    assert_true(str_eq(hop_client(&m->x, true), STR("10.0.0.3")));
    forget(m);
}

/* A trusted peer has set or added to the fields that it knows; those written otherwise are its
 * client's. */
static void a_strangers_word_that_a_trusted_peer_let_through_is_not_believed(void **state)
{
    (void)state;
    struct message *m = request(
        "/", "X_Forwarded_Proto: evil\r\nX_Forwarded_For: 6.6.6.6\r\nX_Forwarded_Host: bad\r\n"
             "X-Forwarded-Proto: evil\r\nX-Forwarded-Proto: https\r\n"
             "X-Forwarded-For: 198.51.100.1\r\n\r\n");
    m->x.scheme = STR("http");
    const char *head = written(m, (struct hop_request){.trusted = true});
    assert_has(head, "\r\nX-Forwarded-Proto: https\r\n");
    assert_has(head, "\r\nX-Forwarded-For: 198.51.100.1, 192.0.2.7\r\n");
    assert_lacks(head, "6.6.6.6");
    assert_lacks(head, "evil");
    assert_lacks(head, "bad");
    forget(m);
}

/* What the cookie's Secure is decided by. */
static void by_what_a_client_came_is_a_trusted_peers_word(void **state)
{
    (void)state;
    static const struct {
        const char *head, *trusted;
    } cases[] = {{"\r\n", "http"},
                 {"X-Forwarded-Proto: https\r\n\r\n", "https"},
                 {"X-Forwarded-Proto: http\r\nX-Forwarded-Proto: https\r\n\r\n", "https"},
                 {"X-Forwarded-Proto: ftp\r\n\r\n", "http"},
                 {"X_Forwarded_Proto: https\r\n\r\n", "http"}};
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct message *m = request("/", cases[i].head);
        m->x.scheme = STR("http");
        assert_true(str_eq(hop_scheme(&m->x, true), str_of(cases[i].trusted)));
        assert_true(str_eq(hop_scheme(&m->x, false), STR("http")));
        forget(m);
    }
}

static void an_ipv6_client_is_quoted(void **state)
{
    (void)state;
    struct message *m = request("/", "\r\n");
    m->x.peer = STR("2001:db8::1");
    assert_has(written(m, (struct hop_request){0}), "\r\nForwarded: for=\"[2001:db8::1]\";");
    forget(m);
}

static void what_we_say_to_servers_nobody_else_can_say(void **state)
{
    (void)state;
    struct message *m = request("/", "Stoa-Operation: 1\r\nSTOA-HOME: 2\r\nStoa_Relayed: 3\r\n"
                                     "stoa-anything: 4\r\n\r\n");
    const char *head = written(m, (struct hop_request){0});
    assert_lacks(head, "stoa");
    head =
        written(m, (struct hop_request){.operation = STR("abc"), .home = STR("2.1"), .via = true});
    assert_has(head, "\r\nStoa-Operation: abc\r\n");
    assert_has(head, "\r\nStoa-Home: 2.1\r\n");
    assert_has(head, "\r\nVia: 1.1 stoa\r\n");
    assert_int_equal(times(head, "stoa-operation"), 1);
    forget(m);
}

static void a_request_keeps_its_name_or_gets_one(void **state)
{
    (void)state;
    struct message *m = request("/", "X-Request-Id: theirs\r\n\r\n");
    const char *head = written(m, (struct hop_request){.request_id = STR("ours")});
    assert_has(head, "\r\nX-Request-Id: theirs\r\n");
    assert_lacks(head, "ours");
    assert_true(str_eq(hop_request_id(&m->x), STR("theirs")));
    forget(m);
    m = request("/", "\r\n");
    assert_has(written(m, (struct hop_request){.request_id = STR("ours")}),
               "\r\nX-Request-Id: ours\r\n");
    forget(m);
}

static void absolute_form_becomes_origin_form(void **state)
{
    (void)state;
    struct message *m = request("http://shop.example/a?b", "\r\n");
    m->x.path = STR("/a");
    m->x.query = STR("b");
    assert_has(written(m, (struct hop_request){0}), "GET /a?b HTTP/1.1\r\nHost: shop.example\r\n");
    forget(m);
}

static void an_upgrade_goes_on_when_it_may(void **state)
{
    (void)state;
    struct message *m = request("/", "Connection: Upgrade\r\nUpgrade: websocket\r\n"
                                     "Sec-WebSocket-Key: k\r\n\r\n");
    const char *head = written(m, (struct hop_request){.upgrade = true});
    assert_has(head, "\r\nConnection: upgrade\r\nUpgrade: websocket\r\n");
    assert_has(head, "\r\nSec-WebSocket-Key: k\r\n");
    assert_int_equal(times(head, "\r\nupgrade:"), 1);
    forget(m);
}

/* ---- Answers ---- */

static struct message *answer(const char *lines)
{
    struct message *m = calloc(1, sizeof *m);
    assert_non_null(m);
    arena_init(&m->arena, 1 << 20);
    parse(m, lines, &m->response.header_count);
    m->response.headers = m->headers;
    assert_int_equal(hop_read_answer(&m->arena, &m->response, 2, &m->answer), 0);
    return m;
}

static struct str value_of(const struct message *m, struct str name)
{
    for (unsigned i = 0; i < m->answer.count; i++)
        if (str_eq_nocase(m->answer.headers[i].name, name))
            return m->answer.headers[i].value;
    return STR_NONE;
}

static void an_answer_goes_on_without_what_is_about_the_connection(void **state)
{
    (void)state;
    struct message *m =
        answer("Content-Type: text/html\r\nConnection: x-hop, content-type, set-cookie\r\n"
               "X-Hop: 1\r\nKeep-Alive: 2\r\nTransfer-Encoding: chunked\r\nContent-Length: 9\r\n"
               "Trailer: t\r\nUpgrade: u\r\nDate: now\r\nSet-Cookie: a=b\r\nStoa-Try: later\r\n"
               "Set-Cookie: c=d\r\n\r\n");
    assert_int_equal(m->answer.count, 2);
    assert_true(str_eq(value_of(m, STR("Content-Type")), STR("text/html")));
    assert_true(str_eq(value_of(m, STR("Date")), STR("now")));
    assert_true(m->answer.room >= m->answer.count + 2);
    forget(m);
}

static void cookies_pass_one_by_one(void **state)
{
    (void)state;
    struct message *m = answer("Set-Cookie: a=b\r\nSet-Cookie: c=d\r\n\r\n");
    assert_int_equal(m->answer.count, 2);
    assert_true(str_eq(m->answer.headers[0].value, STR("a=b")));
    assert_true(str_eq(m->answer.headers[1].value, STR("c=d")));
    forget(m);
}

static void an_answer_for_many_is_known(void **state)
{
    (void)state;
    static const struct {
        const char *lines;
        bool is_public;
    } cases[] = {
        {"Cache-Control: public, max-age=60\r\n\r\n", true},
        {"Cache-Control: max-age=60, s-maxage=1\r\n\r\n", true},
        {"Cache-Control: private\r\n\r\n", false},
        {"Cache-Control: no-store\r\n\r\n", false},
        {"\r\n", false},
    };
    for (unsigned i = 0; i < COUNT_OF(cases); i++) {
        struct message *m = answer(cases[i].lines);
        assert_int_equal(m->answer.is_public, cases[i].is_public);
        forget(m);
    }
}

static void a_server_that_cannot_now_or_is_busy_says_so(void **state)
{
    (void)state;
    struct message *m = answer("Stoa-Try: elsewhere\r\nStoa-Server: 2\r\n\r\n");
    assert_int_equal(hop_says_try(&m->response), HOP_TRY_ELSEWHERE);
    assert_true(m->answer.is_named);
    forget(m);
    m = answer("Stoa-Try: later\r\n\r\n");
    assert_int_equal(hop_says_try(&m->response), HOP_TRY_NONE);
    forget(m);
    m = answer("Retry-After: 1\r\nStoa-Try: once\r\n\r\n");
    assert_int_equal(hop_says_try(&m->response), HOP_TRY_ONCE);
    assert_int_equal(m->answer.count, 1);
    forget(m);
}

static void a_servers_word_about_home_is_read_and_ends_here(void **state)
{
    (void)state;
    struct message *m = answer("Stoa-Home: 2.1-x-y\r\nDate: now\r\n\r\n");
    assert_true(str_eq(m->answer.home, STR("2.1-x-y")));
    assert_int_equal(m->answer.count, 1);
    forget(m);
    m = answer("Date: now\r\n\r\n");
    assert_int_equal(m->answer.home.len, 0);
    forget(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_goes_on_with_what_concerns_the_server),
        cmocka_unit_test(what_is_about_the_connection_ends_here),
        cmocka_unit_test(connection_cannot_take_away_what_concerns_the_server),
        cmocka_unit_test(the_framing_is_our_own),
        cmocka_unit_test(a_strangers_word_about_others_is_not_believed),
        cmocka_unit_test(a_trusted_peers_word_is_added_to),
        cmocka_unit_test(a_strangers_word_that_a_trusted_peer_let_through_is_not_believed),
        cmocka_unit_test(by_what_a_client_came_is_a_trusted_peers_word),
        cmocka_unit_test(an_ipv6_client_is_quoted),
        cmocka_unit_test(what_we_say_to_servers_nobody_else_can_say),
        cmocka_unit_test(a_request_keeps_its_name_or_gets_one),
        cmocka_unit_test(absolute_form_becomes_origin_form),
        cmocka_unit_test(an_upgrade_goes_on_when_it_may),
        cmocka_unit_test(an_answer_goes_on_without_what_is_about_the_connection),
        cmocka_unit_test(cookies_pass_one_by_one),
        cmocka_unit_test(an_answer_for_many_is_known),
        cmocka_unit_test(a_server_that_cannot_now_or_is_busy_says_so),
        cmocka_unit_test(a_servers_word_about_home_is_read_and_ends_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
