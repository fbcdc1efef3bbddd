#include "net/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h> /* last: it has a macro named fail */

static void frames_are_read_as_they_were_written(void **state)
{
    (void)state;
    struct buf out;
    struct frame frame;
    size_t used;
    buf_init(&out, 1 << 20);
    frame_put(&out, 7, STR("hello"));
    size_t begun = frame_begin(&out, 255);
    buf_puts(&out, "straight into the buffer");
    frame_end(&out, begun);
    frame_put(&out, 1, STR_NONE);

    struct str left = buf_text(&out);
    assert_int_equal(frame_read(left, &frame, &used), ERR_OK);
    assert_int_equal(frame.kind, 7);
    assert_true(str_eq(frame.payload, STR("hello")));
    left = str_from(left, used);
    assert_int_equal(frame_read(left, &frame, &used), ERR_OK);
    assert_int_equal(frame.kind, 255);
    assert_true(str_eq(frame.payload, STR("straight into the buffer")));
    left = str_from(left, used);
    assert_int_equal(frame_read(left, &frame, &used), ERR_OK);
    assert_int_equal(frame.kind, 1);
    assert_int_equal(frame.payload.len, 0);
    assert_int_equal(used, left.len);
    buf_close(&out);
}

static void a_part_of_a_frame_is_waited_for(void **state)
{
    (void)state;
    struct buf out;
    struct frame frame;
    size_t used;
    buf_init(&out, 1 << 20);
    frame_put(&out, 9, STR("0123456789"));
    for (size_t len = 0; len < out.len; len++)
        assert_int_equal(frame_read(str_sub(buf_text(&out), 0, len), &frame, &used), ERR_NOTFOUND);
    buf_close(&out);
}

static void what_is_no_frame_is_refused_by_its_header(void **state)
{
    (void)state;
    static const char headers[][FRAME_HEADER + 1] = {
        "\x01\x00\x40\x00\x07\x00\x00\x00", /* one byte too long */
        "\xff\xff\xff\xff\x07\x00\x00\x00", "\x01\x00\x00\x00\x00\x00\x00\x00", /* kind 0 */
        "\x01\x00\x00\x00\x07\x01\x00\x00", "\x01\x00\x00\x00\x07\x00\x00\x80", "GET / HT",
        "\x16\x03\x01\x02\x00\x01\x00\x01", /* TLS */
    };
    struct frame frame;
    size_t used;
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++)
        assert_int_equal(frame_read(str_make(headers[i], FRAME_HEADER), &frame, &used),
                         ERR_INVALID);
}

static void the_longest_frame_passes(void **state)
{
    (void)state;
    struct buf out;
    struct frame frame;
    size_t used;
    char *payload = calloc(1, FRAME_PAYLOAD_MAX);
    assert_non_null(payload);
    buf_init(&out, FRAME_HEADER + FRAME_PAYLOAD_MAX);
    frame_put(&out, 3, str_make(payload, FRAME_PAYLOAD_MAX));
    assert_false(out.failed);
    assert_int_equal(frame_read(buf_text(&out), &frame, &used), ERR_OK);
    assert_int_equal(frame.payload.len, FRAME_PAYLOAD_MAX);
    frame_put(&out, 3, STR_NONE); /* no room: nothing is written, and that is known */
    assert_true(out.failed);
    assert_int_equal(out.len, FRAME_HEADER + FRAME_PAYLOAD_MAX);
    buf_close(&out);
    free(payload);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_read_as_they_were_written),
        cmocka_unit_test(a_part_of_a_frame_is_waited_for),
        cmocka_unit_test(what_is_no_frame_is_refused_by_its_header),
        cmocka_unit_test(the_longest_frame_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
