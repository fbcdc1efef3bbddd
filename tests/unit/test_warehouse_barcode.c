/* Code 128: what a scanner reads from the bars is what was asked for. */
#include "base/check.h"
#include "outside/warehouse_barcode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* Reads VALUES as a scanner does, with the check digit: the text into OUT. */
static void scan(const unsigned char *values, unsigned count, char *out)
{
    unsigned sum = values[0];
    for (unsigned i = 1; i + 2 < count; i++)
        sum += i * values[i];
    assert_int_equal(sum % 103, values[count - 2]);
    assert_int_equal(values[count - 1], 106);
    assert_true(values[0] == 104 || values[0] == 105);
    bool c = values[0] == 105;
    for (unsigned i = 1; i + 2 < count; i++) {
        if (c && values[i] == 100)
            c = false;
        else if (!c && values[i] == 99)
            c = true;
        else if (c)
            out += sprintf(out, "%02u", values[i]);
        else
            *out++ = (char)(values[i] + ' ');
    }
    *out = '\0';
}

static void scanner_reads_what_was_written(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "1001",       "1",
        "12",         "123",
        "12345",      "1234567",
        "A",          "SKU-1",
        "SKU-123456", "SKU-1234567",
        "12AB34",     "1234AB5678",
        "a b~!",      "9999999999999999999",
        "X1234",      "12-34-5678901",
    };
    for (unsigned i = 0; i < COUNT_OF(texts); i++) {
        unsigned char values[BARCODE_VALUES_MAX];
        char text[128];
        unsigned count = warehouse_barcode_values(str_of(texts[i]), values);
        assert_true(count >= 4);
        scan(values, count, text);
        assert_string_equal(text, texts[i]);
    }
}

/* The worked example of many a text book: "Wikipedia" has the check value 88. */
static void check_value_is_the_known_one(void **state)
{
    (void)state;
    unsigned char values[BARCODE_VALUES_MAX];
    unsigned count = warehouse_barcode_values(STR("Wikipedia"), values);
    assert_int_equal(count, 9 + 3);
    assert_int_equal(values[count - 2], 88);
}

static void digits_take_half_the_room(void **state)
{
    (void)state;
    unsigned char values[BARCODE_VALUES_MAX];
    assert_int_equal(warehouse_barcode_values(STR("12345678"), values), 4 + 3);
    assert_int_equal(values[0], 105);
}

static void bars_fill_their_modules(void **state)
{
    (void)state;
    struct buf path;
    buf_init(&path, 1 << 16);
    /* Start, two pairs, check: 11 modules each; stop 13; quiet zones of 10. */
    assert_int_equal(warehouse_barcode_path(STR("1001"), 40, &path), 4 * 11 + 13 + 20);
    buf_byte(&path, '\0');
    /* Start C is 211232: bars at 0, 3, 6 of widths 2, 1, 3. */
    const char *begins = "M10 0h2v40h-2zM13 0h1v40h-1zM16 0h3v40h-3z";
    assert_memory_equal(path.at, begins, strlen(begins));
    assert_false(path.failed);
    buf_close(&path);
}

static void what_cannot_be_printed_has_no_bars(void **state)
{
    (void)state;
    unsigned char values[BARCODE_VALUES_MAX];
    char longest[BARCODE_TEXT_MAX + 1];
    memset(longest, 'x', sizeof longest);
    assert_int_equal(warehouse_barcode_values(STR(""), values), 0);
    assert_int_equal(warehouse_barcode_values(STR("a\nb"), values), 0);
    assert_int_equal(warehouse_barcode_values(STR("\xc3\xa4"), values), 0);
    assert_int_equal(warehouse_barcode_values(str_make(longest, sizeof longest), values), 0);
    assert_true(warehouse_barcode_values(str_make(longest, sizeof longest - 1), values) > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scanner_reads_what_was_written),
        cmocka_unit_test(check_value_is_the_known_one),
        cmocka_unit_test(digits_take_half_the_room),
        cmocka_unit_test(bars_fill_their_modules),
        cmocka_unit_test(what_cannot_be_printed_has_no_bars),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
