#include "base/err.h"
#include "base/str.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void equality_minds_length_and_case_only_when_asked(void **state)
{
    (void)state;
    assert_true(str_eq(STR("ab"), str_of("ab")));
    assert_false(str_eq(STR("ab"), STR("aB")));
    assert_false(str_eq(STR("ab"), STR("abc")));
    assert_true(str_eq(STR_NONE, STR("")));
    assert_true(str_eq(str_of(NULL), STR_NONE));
    assert_true(str_eq(STR("a\0b"), str_make("a\0b", 3)));
    assert_true(str_eq_nocase(STR("Content-Length"), STR("content-lENGTH")));
    assert_false(str_eq_nocase(STR("["), STR("{"))); /* only letters have a case */
    assert_false(str_eq_nocase(STR("\xc3\x84"), STR("\xc3\xa4")));
    assert_false(str_eq_nocase(STR("a"), STR("ab")));
}

static void order_is_of_unsigned_bytes_and_a_prefix_comes_first(void **state)
{
    (void)state;
    assert_true(str_compare(STR("a"), STR("b")) < 0);
    assert_true(str_compare(STR("\xff"), STR("a")) > 0);
    assert_true(str_compare(STR("a"), STR("ab")) < 0);
    assert_true(str_compare(STR("ab"), STR("a")) > 0);
    assert_int_equal(str_compare(STR_NONE, STR("")), 0);
    assert_true(str_compare(STR_NONE, STR("a")) < 0);
}

static void starts_and_ends(void **state)
{
    (void)state;
    assert_true(str_starts(STR("http://x"), STR("http://")));
    assert_false(str_starts(STR("htt"), STR("http://")));
    assert_true(str_ends(STR("a.csv"), STR(".csv")));
    assert_false(str_ends(STR("csv"), STR(".csv")));
    assert_true(str_starts(STR_NONE, STR_NONE));
    assert_true(str_ends(STR("x"), STR("")));
}

static void trim_takes_all_ascii_space_at_both_ends_alone(void **state)
{
    (void)state;
    assert_true(str_eq(str_trim(STR(" \t\r\n\v\fa b \n")), STR("a b")));
    assert_int_equal(str_trim(STR(" \t ")).len, 0);
    assert_int_equal(str_trim(STR_NONE).len, 0);
    assert_true(str_eq(str_trim(STR("\xc2\xa0")), STR("\xc2\xa0"))); /* no ASCII space */
}

static void parts_are_clipped_to_the_whole(void **state)
{
    (void)state;
    assert_true(str_eq(str_from(STR("abc"), 1), STR("bc")));
    assert_int_equal(str_from(STR("abc"), 9).len, 0);
    assert_true(str_eq(str_sub(STR("abcdef"), 2, 3), STR("cde")));
    assert_true(str_eq(str_sub(STR("abc"), 2, SIZE_MAX), STR("c")));
    assert_null(str_from(STR_NONE, 3).at);
}

static void find_tells_the_first_place(void **state)
{
    (void)state;
    assert_int_equal(str_find_byte(STR("a=b=c"), '='), 1);
    assert_int_equal(str_find_byte(STR("abc"), '='), -1);
    assert_int_equal(str_find_byte(STR_NONE, 'x'), -1);
    assert_int_equal(str_find(STR("hello"), STR("l")), 2);
    assert_int_equal(str_find(STR("hello"), STR("lo!")), -1);
    assert_int_equal(str_find(STR("hello"), STR("")), 0);
    assert_int_equal(str_find(STR_NONE, STR("x")), -1);
}

static void cut_gives_each_part_also_empty_ones(void **state)
{
    (void)state;
    struct str rest = STR("a,,b,"), part;
    const char *const parts[] = {"a", "", "b", ""};
    for (int i = 0; i < 4; i++) {
        assert_true(str_cut(&rest, ',', &part));
        assert_true(str_eq(part, str_of(parts[i])));
    }
    assert_false(str_cut(&rest, ',', &part));
    assert_null(rest.at);
    rest = STR("");
    assert_true(str_cut(&rest, ',', &part));
    assert_int_equal(part.len, 0);
    assert_false(str_cut(&rest, ',', &part));
}

static void numbers_are_read_whole_or_refused(void **state)
{
    (void)state;
    uint64_t u = 7;
    int64_t i = 7;
    assert_int_equal(str_to_u64(STR("18446744073709551615"), &u), 0);
    assert_true(u == UINT64_MAX);
    const char *const bad[] = {
        "", "18446744073709551616", "99999999999999999999", "-1", "+1", " 1", "1 ", "0x1", "1.0",
        "१"};
    for (unsigned n = 0; n < sizeof bad / sizeof *bad; n++)
        assert_int_equal(str_to_u64(str_of(bad[n]), &u), ERR_INVALID);
    assert_int_equal(str_to_i64(STR("-9223372036854775808"), &i), 0);
    assert_true(i == INT64_MIN);
    assert_int_equal(str_to_i64(STR("9223372036854775807"), &i), 0);
    assert_true(i == INT64_MAX);
    assert_int_equal(str_to_i64(STR("-0"), &i), 0);
    assert_int_equal(i, 0);
    const char *const bad_signed[] = {"-9223372036854775809", "9223372036854775808", "-", "--1",
                                      ""};
    for (unsigned n = 0; n < sizeof bad_signed / sizeof *bad_signed; n++)
        assert_int_equal(str_to_i64(str_of(bad_signed[n]), &i), ERR_INVALID);
}

static void utf8_is_told_from_what_only_looks_like_it(void **state)
{
    (void)state;
    const char *const good[] = {"",
                                "plain",
                                "\xc2\x80",
                                "\xdf\xbf",
                                "\xe0\xa0\x80",
                                "\xed\x9f\xbf",
                                "\xee\x80\x80",
                                "\xf0\x90\x80\x80",
                                "\xf4\x8f\xbf\xbf"};
    const char *const bad[] = {"\x80",
                               "\xc0\x80",
                               "\xc1\xbf",
                               "\xc2",
                               "\xe0\x9f\xbf",
                               "\xe2\x82",
                               "\xed\xa0\x80",
                               "\xed\xbf\xbf",
                               "\xf0\x8f\xbf\xbf",
                               "\xf4\x90\x80\x80",
                               "\xf5\x80\x80\x80",
                               "\xff",
                               "\xc3(",
                               "a\xe2\x82"
                               "b"};
    for (unsigned n = 0; n < sizeof good / sizeof *good; n++)
        assert_true(str_is_utf8(str_of(good[n])));
    for (unsigned n = 0; n < sizeof bad / sizeof *bad; n++)
        assert_false(str_is_utf8(str_of(bad[n])));
    assert_true(str_is_utf8(STR_NONE));
}

static void clipping_leaves_no_part_of_a_character(void **state)
{
    (void)state;
    struct str text = STR("a\xe2\x82\xac\xf0\x9f\x98\x80z"); /* a € 😀 z: 1 + 3 + 4 + 1 */
    const size_t lengths[] = {0, 1, 1, 1, 4, 4, 4, 4, 8, 9, 9};
    for (size_t max = 0; max < sizeof lengths / sizeof *lengths; max++)
        assert_int_equal(str_clip_utf8(text, max).len, lengths[max]);
}

static void copy_is_clipped_and_ended(void **state)
{
    (void)state;
    char out[4] = "xxx";
    assert_ptr_equal(str_copy(out, sizeof out, STR("abcdef")), out);
    assert_string_equal(out, "abc");
    assert_string_equal(str_copy(out, sizeof out, STR("ab")), "ab");
    assert_string_equal(str_copy(out, sizeof out, STR_NONE), "");
    out[0] = 'x';
    assert_string_equal(str_copy(out, 1, STR("abc")), "");
}

static void hexadecimal_goes_there_and_back(void **state)
{
    (void)state;
    unsigned char bytes[4] = {0x00, 0x9f, 0xa0, 0xff}, back[4];
    char text[9];
    hex_encode(bytes, 4, text);
    assert_string_equal(text, "009fa0ff");
    assert_int_equal(hex_decode(STR("009FA0ff"), back, 4), 0);
    assert_memory_equal(bytes, back, 4);
    assert_int_equal(hex_decode(STR("009fa0f"), back, 4), ERR_INVALID);
    assert_int_equal(hex_decode(STR("009fa0ff00"), back, 4), ERR_INVALID);
    assert_int_equal(hex_decode(STR("009fa0fg"), back, 4), ERR_INVALID);
    assert_int_equal(hex_decode(STR("009fa0f:"), back, 4), ERR_INVALID);
    hex_encode(bytes, 0, text);
    assert_string_equal(text, "");
    uint64_t number = 7;
    assert_int_equal(hex_to_u64(STR("0123456789abcDEF"), &number), 0);
    assert_true(number == 0x0123456789abcdefu);
    assert_int_equal(hex_to_u64(STR("0123456789abcde"), &number), ERR_INVALID);
    assert_int_equal(hex_to_u64(STR("0123456789abcdeg"), &number), ERR_INVALID);
    assert_true(number == 0x0123456789abcdefu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equality_minds_length_and_case_only_when_asked),
        cmocka_unit_test(order_is_of_unsigned_bytes_and_a_prefix_comes_first),
        cmocka_unit_test(starts_and_ends),
        cmocka_unit_test(trim_takes_all_ascii_space_at_both_ends_alone),
        cmocka_unit_test(parts_are_clipped_to_the_whole),
        cmocka_unit_test(find_tells_the_first_place),
        cmocka_unit_test(cut_gives_each_part_also_empty_ones),
        cmocka_unit_test(numbers_are_read_whole_or_refused),
        cmocka_unit_test(utf8_is_told_from_what_only_looks_like_it),
        cmocka_unit_test(clipping_leaves_no_part_of_a_character),
        cmocka_unit_test(copy_is_clipped_and_ended),
        cmocka_unit_test(hexadecimal_goes_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
