#include "replica/hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

static struct hello example(void)
{
    struct hello hello = {.purpose = HELLO_LINK,
                          .cluster = id_new(1),
                          .generation = 7,
                          .place = {.id = 3,
                                    .since_ms = -5,
                                    .pid = 4711,
                                    .address = "[2001:db8::1]:7000",
                                    .url = "https://käse.example"}};
    return hello;
}

static void a_hello_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct buf out;
    struct hello hello = example(), read;
    buf_init(&out, HELLO_MAX);
    hello_encode(&out, &hello);
    assert_false(out.failed);
    assert_int_equal(hello_decode(&read, buf_text(&out)), ERR_OK);
    assert_int_equal(read.purpose, HELLO_LINK);
    assert_true(id_eq(read.cluster, hello.cluster));
    assert_int_equal(read.generation, 7);
    assert_int_equal(read.place.id, 3);
    assert_int_equal(read.place.since_ms, -5);
    assert_int_equal(read.place.pid, 4711);
    assert_string_equal(read.place.address, hello.place.address);
    assert_string_equal(read.place.url, hello.place.url);
    buf_close(&out);
}

static void the_longest_hello_has_room(void **state)
{
    (void)state;
    struct buf out;
    struct hello hello = example(), read;
    hello.generation = hello.place.id = hello.place.pid = UINT64_MAX;
    hello.place.since_ms = INT64_MIN;
    memset(hello.place.address, 'a', sizeof hello.place.address - 1);
    memset(hello.place.url, 'u', sizeof hello.place.url - 1);
    buf_init(&out, HELLO_MAX);
    hello_encode(&out, &hello);
    assert_false(out.failed);
    assert_int_equal(hello_decode(&read, buf_text(&out)), ERR_OK);
    assert_string_equal(read.place.address, hello.place.address);
    assert_string_equal(read.place.url, hello.place.url);
    buf_close(&out);
}

static void what_is_cut_off_or_goes_on_is_refused(void **state)
{
    (void)state;
    struct buf out;
    struct hello hello = example(), read;
    buf_init(&out, HELLO_MAX);
    hello_encode(&out, &hello);
    for (size_t len = 0; len < out.len; len++)
        assert_int_equal(hello_decode(&read, str_sub(buf_text(&out), 0, len)), ERR_INVALID);
    buf_byte(&out, 0);
    assert_int_equal(hello_decode(&read, buf_text(&out)), ERR_INVALID);
    buf_close(&out);
}

static int decode_with(const char *address, unsigned version, unsigned purpose)
{
    struct buf out;
    struct hello read;
    buf_init(&out, 4096);
    wire_put_u64(&out, version);
    wire_put_u64(&out, purpose);
    wire_put_raw(&out, "0123456789abcdef", 16);
    wire_put_u64(&out, 1);
    wire_put_u64(&out, 2);
    wire_put_i64(&out, 3);
    wire_put_u64(&out, 4);
    wire_put_str(&out, str_of(address));
    wire_put_str(&out, STR("http://x"));
    int err = hello_decode(&read, buf_text(&out));
    if (err)
        assert_string_equal(read.place.address, "");
    buf_close(&out);
    return err;
}

static void other_versions_and_purposes_and_unprintable_addresses_are_refused(void **state)
{
    (void)state;
    char long_address[SERVER_ADDRESS + 1];
    memset(long_address, 'x', sizeof long_address - 1);
    long_address[sizeof long_address - 1] = '\0';
    assert_int_equal(decode_with("a:1", HELLO_VERSION, HELLO_COPY), ERR_OK);
    assert_int_equal(decode_with("", HELLO_VERSION + 1, HELLO_COPY), ERR_UNSUPPORTED);
    assert_int_equal(decode_with("", 0, HELLO_COPY), ERR_UNSUPPORTED);
    assert_int_equal(decode_with("", HELLO_VERSION, 0), ERR_INVALID);
    assert_int_equal(decode_with("", HELLO_VERSION, HELLO_JOIN + 1), ERR_INVALID);
    assert_int_equal(decode_with("a:1\n2026 error: forged", HELLO_VERSION, HELLO_LINK),
                     ERR_INVALID);
    assert_int_equal(decode_with("a\x7f:1", HELLO_VERSION, HELLO_LINK), ERR_INVALID);
    assert_int_equal(decode_with(long_address, HELLO_VERSION, HELLO_LINK), ERR_INVALID);
}

static void a_refusal_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct buf out;
    enum refusal code;
    char sentence[REFUSAL_TEXT], text[1000];
    buf_init(&out, HELLO_MAX);
    refusal_encode(&out, REFUSED_REMOVED, "not one of us");
    assert_int_equal(refusal_decode(buf_text(&out), &code, sentence, sizeof sentence), ERR_OK);
    assert_int_equal(code, REFUSED_REMOVED);
    assert_string_equal(sentence, "not one of us");
    for (size_t len = 0; len < out.len; len++)
        assert_int_equal(refusal_decode(str_sub(buf_text(&out), 0, len), &code, sentence, 10),
                         ERR_INVALID);
    assert_int_equal(refusal_decode(buf_text(&out), &code, sentence, 4), ERR_OK);
    assert_string_equal(sentence, "not");

    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    buf_clear(&out);
    refusal_encode(&out, REFUSED_BUSY, text);
    assert_false(out.failed);
    assert_int_equal(refusal_decode(buf_text(&out), &code, sentence, sizeof sentence), ERR_OK);
    assert_int_equal(strlen(sentence), REFUSAL_TEXT - 1);
    buf_clear(&out);
    refusal_encode(&out, REFUSED_BUSY, "two\nlines\x7f");
    assert_int_equal(refusal_decode(buf_text(&out), &code, sentence, sizeof sentence), ERR_OK);
    assert_string_equal(sentence, "two?lines?");
    buf_clear(&out);
    refusal_encode(&out, (enum refusal)(REFUSED_BUSY + 1), "x");
    assert_int_equal(refusal_decode(buf_text(&out), &code, sentence, 9), ERR_INVALID);
    buf_close(&out);
}

static void servers_are_named_by_number(void **state)
{
    (void)state;
    char name[SERVER_NAME];
    assert_string_equal(server_name(3, name), "server-3");
    assert_string_equal(server_name(UINT64_MAX, name), "server-18446744073709551615");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_hello_is_read_as_it_was_written),
        cmocka_unit_test(the_longest_hello_has_room),
        cmocka_unit_test(what_is_cut_off_or_goes_on_is_refused),
        cmocka_unit_test(other_versions_and_purposes_and_unprintable_addresses_are_refused),
        cmocka_unit_test(a_refusal_is_read_as_it_was_written),
        cmocka_unit_test(servers_are_named_by_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
