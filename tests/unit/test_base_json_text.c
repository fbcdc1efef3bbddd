#include "base/json_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Both ways write TEXT as WANTED. */
static void assert_written(const char *text, const char *wanted)
{
    struct buf buf;
    char *printed = NULL;
    size_t len = 0;
    FILE *stream = open_memstream(&printed, &len);
    assert_non_null(stream);
    json_text_print(text, stream);
    fclose(stream);
    assert_string_equal(printed, wanted);
    buf_init(&buf, 1 << 12);
    json_text_put(text, &buf);
    assert_false(buf.failed);
    assert_int_equal(buf.len, len);
    assert_memory_equal(buf.at, printed, len);
    buf_close(&buf);
    free(printed);
}

static void what_json_does_not_take_is_escaped(void **state)
{
    (void)state;
    assert_written("", "\"\"");
    assert_written("plain/text", "\"plain/text\"");
    assert_written("a \"b\" \\c", "\"a \\\"b\\\" \\\\c\"");
    assert_written("\n\t\x1f\x7f", "\"\\u000a\\u0009\\u001f\x7f\"");
}

static void utf8_stays_and_what_is_none_is_a_question_mark(void **state)
{
    (void)state;
    assert_written("caf\xc3\xa9 \xe2\x82\xac", "\"caf\xc3\xa9 \xe2\x82\xac\"");
    assert_written("caf\xe9 \"x\"", "\"caf? \\\"x\\\"\"");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_json_does_not_take_is_escaped),
        cmocka_unit_test(utf8_stays_and_what_is_none_is_a_question_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
