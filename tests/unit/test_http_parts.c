/* The pure parts: fields, escapes, forms, cookies, tags, ranges, codings, pages. */
#include "http/characters.h"
#include "http/core.h"
#include "http/etag.h"
#include "http/gzip.h"
#include "http/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static void known_fields_are_found_in_any_case(void **state)
{
    (void)state;
    for (enum http_field field = 1; field < HTTP_FIELD_COUNT; field++) {
        char upper[64];
        struct str name = field_name(field);
        str_copy(upper, sizeof upper, name);
        for (size_t i = 0; i < name.len; i++)
            upper[i] = (char)(upper[i] >= 'a' && upper[i] <= 'z' ? upper[i] - 32 : upper[i]);
        assert_int_equal(field_of(name), field);
        assert_int_equal(field_of(str_of(upper)), field);
        upper[0] = '!';
        assert_int_equal(field_of(str_of(upper)), HTTP_FIELD_UNKNOWN);
    }
    assert_int_equal(field_of(STR("\x08ost")), HTTP_FIELD_UNKNOWN);
    assert_int_equal(field_of(STR("accept\x0d"
                                  "encoding")),
                     HTTP_FIELD_UNKNOWN); /* '-' ^ 0x20 */
    assert_int_equal(field_of(STR("")), HTTP_FIELD_UNKNOWN);
}

static void escapes_are_decoded_or_refused(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 16);
    assert_true(str_eq(url_decode(&arena, STR("a%20b+c%C3%a9"), true), STR("a b c\xc3\xa9")));
    assert_true(str_eq(url_decode(&arena, STR("a+b"), false), STR("a+b")));
    assert_true(str_eq(url_decode(&arena, STR(""), false), STR("")));
    assert_non_null(url_decode(&arena, STR(""), false).at);
    assert_null(url_decode(&arena, STR("a%2"), false).at);
    assert_null(url_decode(&arena, STR("a%"), false).at);
    assert_null(url_decode(&arena, STR("%zz"), false).at);
    assert_null(url_decode(&arena, STR("%00"), false).at);
    arena_close(&arena);
}

static void forms_are_searched_by_decoded_name(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 16);
    struct str form = STR("a=1&&b%5B%5D=2+3&c&a=9&=x");
    assert_true(str_eq(form_find(&arena, form, STR("a")), STR("1")));
    assert_true(str_eq(form_find(&arena, form, STR("b[]")), STR("2 3")));
    assert_true(str_eq(form_find(&arena, form, STR("c")), STR("")));
    assert_non_null(form_find(&arena, form, STR("c")).at);
    assert_null(form_find(&arena, form, STR("d")).at);
    assert_null(form_find(&arena, STR_NONE, STR("d")).at);
    arena_close(&arena);
}

static void cookies_are_found_by_whole_name(void **state)
{
    (void)state;
    struct str cookies = STR("session=abc; a=1;b=\"x y\"; empty=; xa=2");
    assert_true(str_eq(cookie_find(cookies, STR("session")), STR("abc")));
    assert_true(str_eq(cookie_find(cookies, STR("a")), STR("1")));
    assert_true(str_eq(cookie_find(cookies, STR("b")), STR("x y")));
    assert_non_null(cookie_find(cookies, STR("empty")).at);
    assert_null(cookie_find(cookies, STR("sess")).at);
    assert_null(cookie_find(STR_NONE, STR("a")).at);
}

static void tags_are_compared_weakly(void **state)
{
    (void)state;
    assert_true(etag_listed(STR("\"a\""), STR("\"a\"")));
    assert_true(etag_listed(STR("W/\"a\""), STR("\"a\"")));
    assert_true(etag_listed(STR(" \"b\",W/\"x,y\" ,, \"a\""), STR("W/\"a\"")));
    assert_true(etag_listed(STR("*"), STR("\"a\"")));
    assert_false(etag_listed(STR("\"b\""), STR("\"a\"")));
    assert_false(etag_listed(STR("a"), STR("\"a\"")));
    assert_false(etag_listed(STR("\"b\" \"a\""), STR("\"a\"")));
    assert_false(etag_listed(STR("\"a"), STR("\"a\"")));
    assert_false(etag_listed(STR(""), STR("\"a\"")));
}

static void gzip_is_chosen_by_quality(void **state)
{
    (void)state;
    assert_true(gzip_accepted(STR("gzip")));
    assert_true(gzip_accepted(STR("br;q=1.0, GZIP;q=0.001, *;q=0")));
    assert_true(gzip_accepted(STR("*")));
    assert_false(gzip_accepted(STR("gzip;q=0")));
    assert_false(gzip_accepted(STR("gzip; Q=0.000, *")));
    assert_false(gzip_accepted(STR("br, deflate")));
    assert_false(gzip_accepted(STR("")));
    assert_false(gzip_accepted(STR_NONE));
}

static void hosts_are_checked(void **state)
{
    (void)state;
    static const char *const good[] = {"a",     "a.b-c:80",       "127.0.0.1",
                                       "[::1]", "[fe80::1]:8080", "a:"};
    static const char *const bad[] = {"",   ":80",  "a b",   "a/b",      "a@b",    "[::1",
                                      "[]", "a:8x", "a:b:c", "a:999999", "[::1]x", "a\\b"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(host_is_valid(str_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (host_is_valid(str_of(bad[i])))
            fail_msg("%s is no host", bad[i]);
}

/* Each of the 256, against the definitions written out. */
static void characters_are_those_of_the_definitions(void **state)
{
    (void)state;
    static const char alphanumeric[] =
        "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    for (int i = 0; i < 256; i++) {
        char c = (char)i;
        bool plain = c && strchr(alphanumeric, c);
        bool token = plain || (c && strchr("!#$%&'*+-.^_`|~", c));
        bool host = plain || (c && strchr("-._~!$&'()*+,;=%", c));
        bool target = i > 0x20 && i < 0x7f && c != '#';
        if (characters_have(CHARACTERS_TOKEN, c) != token ||
            characters_have(CHARACTERS_HOST, c) != host ||
            characters_have(CHARACTERS_TARGET, c) != target)
            fail_msg("byte %d is in other sets", i);
    }
    assert_int_equal(characters_span(CHARACTERS_HOST, STR("a.b:80")), 3);
    assert_int_equal(characters_span(CHARACTERS_TOKEN, STR("GET")), 3);
    assert_int_equal(characters_span(CHARACTERS_TARGET, STR(" /")), 0);
}

static void pages_have_a_tag_of_their_bytes(void **state)
{
    (void)state;
    struct http_page *a = http_page_new(200, STR("text/plain"), STR(""), STR("hello"), true);
    struct http_page *b =
        http_page_new(200, STR("text/plain"), STR("no-store"), STR("hello"), false);
    struct http_page *c = http_page_new(200, STR("text/plain"), STR(""), STR("hellp"), false);
    assert_true(str_eq(a->plain.etag, b->plain.etag));
    assert_false(str_eq(a->plain.etag, c->plain.etag));
    assert_false(a->has_gzip); /* too short to gain */
    assert_true(http_page_size(a) > 5);
    http_page_drop(http_page_hold(a));
    http_page_drop(a);
    http_page_drop(b);
    http_page_drop(c);
    http_page_drop(NULL);
}

static void pages_that_do_not_compress_have_one_form(void **state)
{
    (void)state;
    char noise[2000];
    srand(1);
    for (size_t i = 0; i < sizeof noise; i++)
        noise[i] = (char)rand();
    struct http_page *page =
        http_page_new(200, STR("image/png"), STR(""), str_make(noise, sizeof noise), true);
    assert_false(page->has_gzip);
    assert_true(str_find(page->plain.head, STR("Vary")) < 0);
    http_page_drop(page);
}

static void pages_carry_further_headers(void **state)
{
    (void)state;
    struct http_header more[] = {{STR("Content-Security-Policy"), STR("default-src 'self'"), 0}};
    struct http_page *page =
        http_page_with(404, STR("text/html"), STR("no-cache"), more, 1, STR("<p>none</p>"), false);
    assert_true(str_starts(page->plain.head, STR("HTTP/1.1 404 Not Found\r\n")));
    assert_true(str_find(page->plain.head, STR("Content-Security-Policy: default-src 'self'\r\n")) >
                0);
    assert_true(str_ends(page->plain.head, STR("Date: ")));
    http_page_drop(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_fields_are_found_in_any_case),
        cmocka_unit_test(escapes_are_decoded_or_refused),
        cmocka_unit_test(forms_are_searched_by_decoded_name),
        cmocka_unit_test(cookies_are_found_by_whole_name),
        cmocka_unit_test(tags_are_compared_weakly),
        cmocka_unit_test(gzip_is_chosen_by_quality),
        cmocka_unit_test(hosts_are_checked),
        cmocka_unit_test(characters_are_those_of_the_definitions),
        cmocka_unit_test(pages_have_a_tag_of_their_bytes),
        cmocka_unit_test(pages_that_do_not_compress_have_one_form),
        cmocka_unit_test(pages_carry_further_headers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
