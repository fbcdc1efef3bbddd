#include "main/join_words.h"
#include "main/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct failure failure;

static struct token full_token(void)
{
    struct token token = {
        .cluster = {{1, 2, 3}},
        .expires_ms = 1795304536735,
        .address_count = 2,
        .addresses = {"127.0.0.1:7420", "[2001:db8::1]:7420"},
    };
    memset(token.fingerprint, 'a', 64);
    memset(token.secret, 0x5e, sizeof token.secret);
    return token;
}

static char *text_of(const struct token *token)
{
    static char text[TOKEN_TEXT];
    struct buf out;
    buf_init(&out, sizeof text);
    token_encode(&out, token);
    assert_false(out.failed);
    assert_true(out.len < sizeof text);
    str_copy(text, sizeof text, buf_text(&out));
    buf_close(&out);
    return text;
}

static void a_token_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct token token = full_token(), read;
    assert_int_equal(token_decode(str_of(text_of(&token)), &read, &failure), 0);
    assert_true(id_eq(read.cluster, token.cluster));
    assert_string_equal(read.fingerprint, token.fingerprint);
    assert_memory_equal(read.secret, token.secret, sizeof read.secret);
    assert_int_equal(read.expires_ms, token.expires_ms);
    assert_int_equal(read.address_count, 2);
    assert_string_equal(read.addresses[1], "[2001:db8::1]:7420");
}

static void blanks_around_it_do_not_matter(void **state)
{
    (void)state;
    char text[TOKEN_TEXT];
    struct token token = full_token(), read;
    snprintf(text, sizeof text, "  %s \n", text_of(&token));
    assert_int_equal(token_decode(str_of(text), &read, &failure), 0);
}

static void the_longest_token_has_room(void **state)
{
    (void)state;
    struct token token = full_token(), read;
    token.address_count = TOKEN_ADDRESSES;
    for (unsigned i = 0; i < TOKEN_ADDRESSES; i++) {
        memset(token.addresses[i], 'h', SERVER_ADDRESS - 1);
        token.addresses[i][SERVER_ADDRESS - 1] = 0;
    }
    assert_int_equal(token_decode(str_of(text_of(&token)), &read, &failure), 0);
    assert_int_equal(strlen(read.addresses[4]), SERVER_ADDRESS - 1);
}

static void one_that_is_not_whole_is_recognised(void **state)
{
    (void)state;
    struct token token = full_token(), read;
    char *text = text_of(&token);
    size_t whole = strlen(text);
    for (size_t len = 0; len < whole; len++)
        assert_int_equal(token_decode(str_make(text, len), &read, &failure), ERR_INVALID);
    for (size_t at = 10; at < whole; at += 7) {
        char was = text[at];
        text[at] = was == '0' ? '1' : '0';
        assert_int_not_equal(token_decode(str_of(text), &read, &failure), 0);
        text[at] = was;
    }
    assert_int_equal(token_decode(str_of(text), &read, &failure), 0);
}

static void what_is_no_token_is_told_so(void **state)
{
    (void)state;
    struct token read;
    assert_int_equal(token_decode(STR("hunter2"), &read, &failure), ERR_INVALID);
    assert_non_null(strstr(failure.text, "stoa token"));
    assert_int_equal(token_decode(STR(""), &read, &failure), ERR_INVALID);
}

static void its_key_does_not_tell_the_secret(void **state)
{
    (void)state;
    struct token token = full_token();
    char key[TOKEN_KEY], other[TOKEN_KEY], secret[2 * TOKEN_SECRET + 1];
    token_key(token.secret, key);
    assert_int_equal(strlen(key), TOKEN_KEY - 1);
    assert_int_equal(strncmp(key, "token/", 6), 0);
    hex_encode(token.secret, sizeof token.secret, secret);
    assert_null(strstr(key, secret));
    token.secret[0] ^= 1;
    token_key(token.secret, other);
    assert_string_not_equal(key, other);
}

/* ---- What newcomer and member say ---- */

static void an_ask_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct buf out;
    struct join_ask ask = {.request = STR("PEM"), .address = STR("10.0.0.1:7420")}, read;
    memset(ask.secret, 7, sizeof ask.secret);
    buf_init(&out, 4096);
    join_ask_encode(&out, &ask);
    assert_int_equal(join_ask_decode(&read, buf_text(&out)), 0);
    assert_memory_equal(read.secret, ask.secret, sizeof ask.secret);
    assert_true(str_eq(read.request, STR("PEM")));
    assert_true(str_eq(read.address, STR("10.0.0.1:7420")));
    for (size_t len = 0; len < out.len; len++)
        assert_int_equal(join_ask_decode(&read, str_make(out.at, len)), ERR_INVALID);
    buf_close(&out);
}

static void an_address_that_would_break_a_log_or_a_file_is_refused(void **state)
{
    (void)state;
    const struct str bad[] = {STR(""), STR("a b:1"), STR("a\n:1"), STR("\x7f:1"),
                              STR("\xc3\xa4:1")};
    for (unsigned i = 0; i < 5; i++) {
        struct buf out;
        struct join_ask ask = {.request = STR("x"), .address = bad[i]}, read;
        buf_init(&out, 4096);
        join_ask_encode(&out, &ask);
        assert_int_equal(join_ask_decode(&read, buf_text(&out)), ERR_INVALID);
        buf_close(&out);
    }
}

static void a_welcome_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct buf out;
    struct join_welcome welcome = {.id = 4,
                                   .cluster = {{9}},
                                   .generation = 2,
                                   .name = STR("harbour"),
                                   .certificate = STR("c"),
                                   .authority = STR("a"),
                                   .authority_key = STR("k"),
                                   .secret = STR("00"),
                                   .operator_token = STR("11"),
                                   .book = STR("server 1 2 3 a:1\n")},
                        read;
    buf_init(&out, 4096);
    join_welcome_encode(&out, &welcome);
    assert_int_equal(join_welcome_decode(&read, buf_text(&out)), 0);
    assert_int_equal(read.id, 4);
    assert_int_equal(read.generation, 2);
    assert_true(id_eq(read.cluster, welcome.cluster));
    assert_true(str_eq(read.authority_key, STR("k")));
    assert_true(str_eq(read.book, welcome.book));
    for (size_t len = 0; len < out.len; len++)
        assert_int_equal(join_welcome_decode(&read, str_make(out.at, len)), ERR_INVALID);
    buf_close(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_is_read_as_it_was_written),
        cmocka_unit_test(blanks_around_it_do_not_matter),
        cmocka_unit_test(the_longest_token_has_room),
        cmocka_unit_test(one_that_is_not_whole_is_recognised),
        cmocka_unit_test(what_is_no_token_is_told_so),
        cmocka_unit_test(its_key_does_not_tell_the_secret),
        cmocka_unit_test(an_ask_is_read_as_it_was_written),
        cmocka_unit_test(an_address_that_would_break_a_log_or_a_file_is_refused),
        cmocka_unit_test(a_welcome_is_read_as_it_was_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
