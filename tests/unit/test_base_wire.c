#include "base/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static struct wire read_of(const struct buf *buf)
{
    return wire_of(buf_text(buf));
}

static void what_is_written_is_read(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {
        0, 1, 127, 128, 16383, 16384, 1ull << 32, 1ull << 63, UINT64_MAX - 1, UINT64_MAX};
    static const int64_t signs[] = {0, -1, 1, -64, 64, INT64_MIN, INT64_MAX};
    struct buf buf;
    buf_init(&buf, 1000);
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
        wire_put_u64(&buf, numbers[i]);
    for (unsigned i = 0; i < sizeof signs / sizeof *signs; i++)
        wire_put_i64(&buf, signs[i]);
    wire_put_bool(&buf, true);
    wire_put_str(&buf, STR("a\0b"));
    wire_put_str(&buf, STR_NONE);
    wire_put_raw(&buf, "raw", 3);
    struct wire in = read_of(&buf);
    for (unsigned i = 0; i < sizeof numbers / sizeof *numbers; i++)
        assert_true(wire_u64(&in) == numbers[i]);
    for (unsigned i = 0; i < sizeof signs / sizeof *signs; i++)
        assert_true(wire_i64(&in) == signs[i]);
    assert_true(wire_bool(&in));
    assert_true(str_eq(wire_str(&in), STR("a\0b")));
    assert_int_equal(wire_str(&in).len, 0);
    char raw[3];
    assert_int_equal(wire_left(&in), 3);
    wire_raw(&in, raw, 3);
    assert_memory_equal(raw, "raw", 3);
    assert_false(in.bad);
    assert_int_equal(wire_left(&in), 0);
    buf_close(&buf);
}

static void numbers_take_the_bytes_of_leb128_and_zigzag(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    wire_put_u64(&buf, 624485);
    wire_put_i64(&buf, -1);
    wire_put_i64(&buf, 1);
    wire_put_i64(&buf, -2);
    assert_int_equal(buf.len, 6);
    assert_memory_equal(buf.at, "\xe5\x8e\x26\x01\x02\x03", 6);
    buf_close(&buf);
}

static void the_same_bytes_come_out_whether_there_is_room_or_not(void **state)
{
    (void)state;
    struct buf small, large;
    buf_init(&small, 1000);
    buf_init(&large, 1000);
    assert_non_null(buf_room(&large, 900));
    for (uint64_t i = 0; i < 300; i++) {
        wire_put_u64(&small, i % 130);
        wire_put_u64(&large, i % 130);
    }
    assert_int_equal(small.len, large.len);
    assert_memory_equal(small.at, large.at, small.len);
    buf_close(&small);
    buf_close(&large);
}

static void after_the_first_error_all_is_zero_and_stays_bad(void **state)
{
    (void)state;
    struct wire in = wire_of(STR("\x05"
                                 "ab\x01\x01"));
    char raw[2] = "xy";
    assert_int_equal(wire_str(&in).len, 0); /* announces 5, has 4 */
    assert_true(in.bad);
    assert_int_equal(wire_u64(&in), 0);
    assert_int_equal(wire_i64(&in), 0);
    assert_false(wire_bool(&in));
    wire_raw(&in, raw, 2);
    assert_memory_equal(raw, "\0\0", 2);
    assert_true(in.bad);
}

static void each_record_cut_short_is_noticed(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    wire_put_u64(&buf, UINT64_MAX);
    wire_put_str(&buf, STR("hello"));
    wire_put_raw(&buf, "xyz", 3);
    for (size_t len = 0; len < buf.len; len++) {
        struct wire in = wire_of(str_make(buf.at, len));
        char raw[3];
        wire_u64(&in);
        wire_str(&in);
        wire_raw(&in, raw, 3);
        assert_true(in.bad);
        assert_true(in.at <= in.end);
    }
    buf_close(&buf);
}

static void what_no_writer_writes_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t len;
    } bad[] = {
        {"", 0},
        {"\x80", 1},
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10}, /* 65 bits */
        {"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", 11},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct wire in = wire_of(str_make(bad[i].bytes, bad[i].len));
        assert_int_equal(wire_u64(&in), 0);
        assert_true(in.bad);
    }
    struct wire two = wire_of(STR("\x02"));
    assert_false(wire_bool(&two));
    assert_true(two.bad);
    struct wire huge = wire_of(STR("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
    assert_int_equal(wire_str(&huge).len, 0);
    assert_true(huge.bad);
}

static void a_maximum_is_kept(void **state)
{
    (void)state;
    struct wire in = wire_of(STR("\x07\x08"));
    assert_int_equal(wire_u64_max(&in, 7), 7);
    assert_int_equal(wire_u64_max(&in, 7), 0);
    assert_true(in.bad);
}

static void nothing_at_all_is_an_empty_record(void **state)
{
    (void)state;
    struct wire in = wire_of(STR_NONE);
    char raw[1] = "x";
    assert_int_equal(wire_left(&in), 0);
    wire_raw(&in, raw, 0);
    assert_false(in.bad);
    assert_int_equal(wire_u64(&in), 0);
    assert_true(in.bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(numbers_take_the_bytes_of_leb128_and_zigzag),
        cmocka_unit_test(the_same_bytes_come_out_whether_there_is_room_or_not),
        cmocka_unit_test(after_the_first_error_all_is_zero_and_stays_bad),
        cmocka_unit_test(each_record_cut_short_is_noticed),
        cmocka_unit_test(what_no_writer_writes_is_refused),
        cmocka_unit_test(a_maximum_is_kept),
        cmocka_unit_test(nothing_at_all_is_an_empty_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
