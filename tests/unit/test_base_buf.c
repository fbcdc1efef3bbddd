#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_text(const struct buf *buf, const char *text)
{
    assert_int_equal(buf->len, strlen(text));
    assert_memory_equal(buf->at, text, buf->len);
}

static void writes_follow_each_other(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1 << 16);
    buf_puts(&buf, "a");
    buf_str(&buf, STR("bc"));
    buf_str(&buf, STR_NONE);
    buf_byte(&buf, '-');
    buf_put(&buf, "de", 2);
    buf_printf(&buf, "%d:%s", 7, "x");
    assert_text(&buf, "abc-de7:x");
    assert_false(buf.failed);
    for (int i = 0; i < 5000; i++)
        buf_byte(&buf, 'y');
    assert_int_equal(buf.len, 5009);
    assert_memory_equal(buf.at, "abc-de7:xyyy", 12);
    buf_close(&buf);
    assert_null(buf.at);
}

static void numbers_to_their_limits(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 200);
    buf_u64(&buf, 0);
    buf_byte(&buf, ' ');
    buf_u64(&buf, UINT64_MAX);
    buf_byte(&buf, ' ');
    buf_i64(&buf, INT64_MIN);
    buf_byte(&buf, ' ');
    buf_i64(&buf, INT64_MAX);
    assert_text(&buf, "0 18446744073709551615 -9223372036854775808 9223372036854775807");
    buf_close(&buf);
}

static void a_write_past_the_bound_writes_nothing_and_so_do_all_after_it(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 8);
    buf_puts(&buf, "1234567");
    buf_puts(&buf, "89");
    assert_true(buf.failed);
    buf_byte(&buf, '8'); /* would fit */
    buf_printf(&buf, "%d", 8);
    buf_u64(&buf, 8);
    assert_null(buf_room(&buf, 1));
    assert_text(&buf, "1234567");
    buf_clear(&buf);
    assert_false(buf.failed);
    buf_puts(&buf, "12345678");
    assert_text(&buf, "12345678");
    assert_false(buf.failed);
    buf_close(&buf);
}

static void a_negative_number_is_written_whole_or_not_at_all(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 3);
    buf_i64(&buf, -123);
    assert_true(buf.failed);
    assert_int_equal(buf.len, 0);
    buf_close(&buf);
}

static void formatted_text_fits_up_to_the_bound_itself(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 8);
    buf_printf(&buf, "%s", "12345678");
    assert_false(buf.failed);
    assert_text(&buf, "12345678");
    buf_printf(&buf, "%s", "");
    assert_false(buf.failed);
    buf_printf(&buf, "%s", "9");
    assert_true(buf.failed);
    assert_text(&buf, "12345678");
    buf_close(&buf);
    buf_init(&buf, 4);
    buf_printf(&buf, "%s", "12345");
    assert_true(buf.failed);
    buf_close(&buf);
}

static void room_is_written_to_directly(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 1000);
    assert_non_null(buf_room(&buf, 0));
    char *room = buf_room(&buf, 600);
    assert_non_null(room);
    memset(room, 'r', 600);
    buf.len += 600;
    assert_null(buf_room(&buf, 401));
    assert_true(buf.failed);
    assert_int_equal(buf.len, 600);
    buf_close(&buf);
}

static void an_unbounded_wish_fails_instead_of_wrapping(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, SIZE_MAX);
    buf_byte(&buf, 'x');
    assert_null(buf_room(&buf, SIZE_MAX));
    assert_true(buf.failed);
    buf_close(&buf);
}

static void drain_drops_from_the_front(void **state)
{
    (void)state;
    struct buf buf;
    buf_init(&buf, 100);
    buf_puts(&buf, "abcdef");
    buf_drain(&buf, 2);
    assert_text(&buf, "cdef");
    buf_drain(&buf, 0);
    assert_text(&buf, "cdef");
    buf_drain(&buf, 100);
    assert_int_equal(buf.len, 0);
    buf_close(&buf);
}

static void taking_hands_the_memory_over(void **state)
{
    (void)state;
    struct buf buf;
    size_t len;
    buf_init(&buf, 100);
    buf_puts(&buf, "mine");
    char *text = buf_take(&buf, &len);
    assert_int_equal(len, 4);
    assert_memory_equal(text, "mine", 4);
    assert_null(buf.at);
    assert_int_equal(buf.len, 0);
    buf_puts(&buf, "again");
    assert_text(&buf, "again");
    free(text);
    buf_close(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_follow_each_other),
        cmocka_unit_test(numbers_to_their_limits),
        cmocka_unit_test(a_write_past_the_bound_writes_nothing_and_so_do_all_after_it),
        cmocka_unit_test(a_negative_number_is_written_whole_or_not_at_all),
        cmocka_unit_test(formatted_text_fits_up_to_the_bound_itself),
        cmocka_unit_test(room_is_written_to_directly),
        cmocka_unit_test(an_unbounded_wish_fails_instead_of_wrapping),
        cmocka_unit_test(drain_drops_from_the_front),
        cmocka_unit_test(taking_hands_the_memory_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
