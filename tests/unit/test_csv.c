#include "base/arena.h"
#include "shop/csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* Parses TEXT in pieces of SIZE bytes; rows as "line:a|b|c;" and "line!reason;" in OUT. */
static void parse(const char *text, size_t size, char *out, size_t out_size)
{
    struct csv csv;
    struct buf rows;
    struct str rest = str_of(text);
    csv_init(&csv, ',');
    buf_init(&rows, 1 << 20);
    for (bool end = false; !end;) {
        size_t used = 0;
        struct str piece = str_sub(rest, 0, size);
        end = rest.len == 0;
        bool row = end ? csv_end(&csv) : csv_feed(&csv, piece, &used);
        rest = str_from(rest, used);
        if (!row)
            continue;
        buf_printf(&rows, "%llu", (unsigned long long)csv.row_line);
        if (csv.wrong)
            buf_printf(&rows, "!%s", csv.wrong);
        for (unsigned i = 0; !csv.wrong && i < csv.count; i++)
            buf_printf(&rows, "%c%.*s", i ? '|' : ':', STR_FMT(csv.fields[i]));
        buf_byte(&rows, ';');
    }
    snprintf(out, out_size, "%.*s", STR_FMT(buf_text(&rows)));
    buf_close(&rows);
    csv_close(&csv);
}

/* In pieces of every size the same rows come out. */
static void assert_rows(const char *text, const char *expected)
{
    char got[4096];
    for (size_t size = 1; size <= strlen(text) + 1; size++) {
        parse(text, size, got, sizeof got);
        assert_string_equal(got, expected);
    }
}

static void plain_rows_are_split(void **state)
{
    (void)state;
    assert_rows("a,b\n1,2\n", "1:a|b;2:1|2;");
    assert_rows("a,b\r\n1,2\r\n", "1:a|b;2:1|2;");
    assert_rows("a,b\r1,2\r\r3,4", "1:a|b;2:1|2;4:3|4;");
    assert_rows("\"a\r\nb\",c\r\nd,e\r\n", "1:a\r\nb|c;3:d|e;");
    assert_rows("a,,\n,", "1:a||;2:|;");
    assert_rows("last,line", "1:last|line;");
}

static void quotes_hold_separators_and_line_breaks(void **state)
{
    (void)state;
    assert_rows("\"a,b\",\"c\nd\"\nx,y\n", "1:a,b|c\nd;3:x|y;");
    assert_rows("\"say \"\"hi\"\"\",\"\"\n", "1:say \"hi\"|;");
    assert_rows("12\" ruler,[\"a\"]\n", "1:12\" ruler|[\"a\"];");
}

static void empty_lines_are_skipped(void **state)
{
    (void)state;
    assert_rows("\n\na\n\r\n\nb\n\n", "3:a;6:b;");
    assert_rows("", "");
}

static void byte_order_mark_is_no_text(void **state)
{
    (void)state;
    assert_rows("\xef\xbb\xbfTitle,x\n", "1:Title|x;");
}

static void bad_rows_are_told_and_the_next_is_read(void **state)
{
    (void)state;
    assert_rows("\"a\"b,c\nd\n",
                "1!text follows a closing quote (a quote inside a field must be doubled);2:d;");
    assert_rows("ok\n\"never closed\n",
                "1:ok;2!the file ends inside quotes (a closing quote is missing);");
    assert_rows("\xff\xfe\nok\n", "1!it is not UTF-8 text;2:ok;");
}

static void row_is_bounded(void **state)
{
    struct csv csv;
    struct buf text;
    size_t used;
    (void)state;
    buf_init(&text, 4 << 20);
    buf_puts(&text, "\"");
    for (int i = 0; i < (2 << 20); i++)
        buf_byte(&text, 'x');
    buf_puts(&text, "\"\nnext\n");
    csv_init(&csv, ',');
    assert_true(csv_feed(&csv, buf_text(&text), &used));
    assert_non_null(csv.wrong);
    assert_true(csv.bytes.cap <= CSV_ROW_MAX);
    assert_true(csv_feed(&csv, str_from(buf_text(&text), used), &used));
    assert_null(csv.wrong);
    csv_close(&csv);
    buf_clear(&text);
    for (int i = 0; i < 300; i++)
        buf_byte(&text, ',');
    buf_byte(&text, '\n');
    csv_init(&csv, ',');
    assert_true(csv_feed(&csv, buf_text(&text), &used));
    assert_non_null(csv.wrong);
    csv_close(&csv);
    buf_close(&text);
}

static void what_is_written_is_read_again(void **state)
{
    static const char *const fields[] = {"plain", "a,b", "say \"hi\"", "two\nlines", "", " x "};
    struct buf text;
    struct csv csv;
    size_t used;
    (void)state;
    buf_init(&text, 1024);
    for (unsigned i = 0; i < 6; i++) {
        if (i)
            buf_byte(&text, ',');
        csv_put(&text, str_of(fields[i]), ',');
    }
    buf_byte(&text, '\n');
    csv_init(&csv, ',');
    assert_true(csv_feed(&csv, buf_text(&text), &used));
    assert_int_equal(csv.count, 6);
    for (unsigned i = 0; i < 6; i++)
        assert_true(str_eq(csv.fields[i], str_of(fields[i])));
    csv_close(&csv);
    buf_close(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_rows_are_split),
        cmocka_unit_test(quotes_hold_separators_and_line_breaks),
        cmocka_unit_test(empty_lines_are_skipped),
        cmocka_unit_test(byte_order_mark_is_no_text),
        cmocka_unit_test(bad_rows_are_told_and_the_next_is_read),
        cmocka_unit_test(row_is_bounded),
        cmocka_unit_test(what_is_written_is_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
