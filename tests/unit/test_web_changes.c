/* What a server tells of its changes: each of them, in order, to who keeps up, and to nobody
 * else as if it were all. */
#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "web/change_line.h"
#include "web/change_ring.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* ---- Lines ---- */

static void check_line(const struct change_line *line, const char *text)
{
    struct change_line read;
    struct buf out;
    buf_init(&out, CHANGE_LINE_MAX);
    change_line_put(&out, line);
    assert_string_equal(text,
                        str_copy((char[CHANGE_LINE_MAX]){0}, CHANGE_LINE_MAX, buf_text(&out)));
    assert_int_equal(0, change_line_read(str_sub(buf_text(&out), 0, out.len - 1), &read));
    assert_int_equal(line->kind, read.kind);
    assert_int_equal(line->index, read.index);
    assert_int_equal(line->ring, read.ring);
    assert_int_equal(line->change, read.change);
    assert_int_equal(line->product_id, read.product_id);
    assert_true(str_eq(line->handle, read.handle));
    assert_int_equal(line->round, read.round);
    assert_int_equal(line->time_ns, read.time_ns);
    buf_close(&out);
}

static void lines_are_read_as_they_were_written(void **state)
{
    (void)state;
    check_line(&(struct change_line){.kind = CHANGE_LINE_ALL, .ring = 0xabc, .index = 5},
               "all 0000000000000abc 5\n");
    check_line(&(struct change_line){.kind = CHANGE_LINE_FROM, .ring = UINT64_MAX, .index = 7},
               "from ffffffffffffffff 7\n");
    check_line(&(struct change_line){.kind = CHANGE_LINE_CHANGE,
                                     .index = 8,
                                     .change = CHANGE_PRODUCT,
                                     .product_id = 3,
                                     .handle = STR("mug")},
               "change 8 product 3 mug\n");
    check_line(
        &(struct change_line){
            .kind = CHANGE_LINE_CHANGE, .index = 8, .change = CHANGE_PRODUCT, .product_id = 3},
        "change 8 product 3 -\n");
    check_line(
        &(struct change_line){.kind = CHANGE_LINE_CHANGE, .index = 9, .change = CHANGE_CATALOGUE},
        "change 9 catalogue\n");
    check_line(
        &(struct change_line){.kind = CHANGE_LINE_CHANGE, .index = 9, .change = CHANGE_SETTINGS},
        "change 9 settings\n");
    check_line(
        &(struct change_line){.kind = CHANGE_LINE_BEAT, .index = 9, .round = 2, .time_ns = 77},
        "beat 9 2 77\n");
}

static void what_is_no_line_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "beat",
        "beat 1 2",
        "beat 1 2 3 4",
        "beat -1 2 3",
        "all 12 5",
        "all 000000000000zabc 5",
        "from 0000000000000abc",
        "change 8 outbox",
        "change 8 product 3",
        "change 8 product x mug",
        "change 8 product 3 mug cup",
        "change x catalogue",
        "else 1",
    };
    struct change_line line;
    for (unsigned i = 0; i < COUNT_OF(wrong); i++)
        assert_int_equal(ERR_INVALID, change_line_read(str_of(wrong[i]), &line));
}

/* ---- The ring ---- */

static void change(struct change_ring *ring, uint64_t index)
{
    change_ring_changed(ring, CHANGE_PRODUCT, index * 10, STR("mug"), index);
}

static void what_is_not_told_is_not_seen(void **state)
{
    (void)state;
    struct change_ring *ring = change_ring_new();
    struct change_note notes[4];
    uint64_t at, told;
    change_ring_begin(ring, 5);
    assert_true(change_ring_find(ring, 5, &at, &told));
    change(ring, 6);
    assert_int_equal(0, change_ring_read(ring, &at, notes, 4, &told));
    assert_int_equal(5, told);
    change_ring_told(ring, 7);
    assert_int_equal(1, change_ring_read(ring, &at, notes, 4, &told));
    assert_int_equal(7, told);
    assert_int_equal(6, notes[0].index);
    assert_int_equal(60, notes[0].product_id);
    assert_string_equal("mug", notes[0].handle);
    assert_int_equal(0, change_ring_read(ring, &at, notes, 4, &told));
    change_ring_free(ring);
}

static void one_finds_its_place_or_hears_that_it_is_gone(void **state)
{
    (void)state;
    struct change_ring *ring = change_ring_new();
    struct change_note notes[2];
    uint64_t at, told;
    change_ring_begin(ring, 5);
    for (uint64_t i = 6; i < 10; i++) {
        change(ring, i);
        change_ring_told(ring, i);
    }
    assert_true(change_ring_find(ring, 7, &at, &told));
    assert_int_equal(2, change_ring_read(ring, &at, notes, 2, &told));
    assert_int_equal(8, notes[0].index);
    assert_int_equal(9, notes[1].index);
    assert_false(change_ring_find(ring, 4, &at, &told));  /* before the database was opened */
    assert_false(change_ring_find(ring, 10, &at, &told)); /* of another history */
    assert_int_equal(9, told);
    assert_int_equal(0, change_ring_read(ring, &at, notes, 2, &told));
    change_ring_free(ring);
}

static void who_is_too_slow_reads_no_more(void **state)
{
    (void)state;
    struct change_ring *ring = change_ring_new();
    struct change_note notes[1];
    uint64_t slow, at, told;
    change_ring_begin(ring, 0);
    assert_true(change_ring_find(ring, 0, &slow, &told));
    for (uint64_t i = 1; i <= CHANGE_RING_ROOM; i++) {
        change(ring, i);
        change_ring_told(ring, i);
    }
    assert_true(change_ring_find(ring, 0, &at, &told));
    change(ring, CHANGE_RING_ROOM + 1);
    assert_int_equal(-1, change_ring_read(ring, &slow, notes, 1, &told));
    assert_false(change_ring_find(ring, 0, &at, &told));
    assert_true(change_ring_find(ring, 1, &at, &told));
    assert_int_equal(1, change_ring_read(ring, &at, notes, 1, &told));
    assert_int_equal(2, notes[0].index);
    change_ring_free(ring);
}

static void one_ring_is_not_another(void **state)
{
    (void)state;
    struct change_ring *a = change_ring_new(), *b = change_ring_new();
    assert_int_not_equal(change_ring_number(a), change_ring_number(b));
    assert_false(change_ring_is_heard(a));
    change_ring_listen(a, 1);
    change_ring_listen(a, -1);
    assert_true(change_ring_is_heard(a));
    change_ring_free(a);
    change_ring_free(b);
}

static void waiting_ends_with_what_is_told(void **state)
{
    (void)state;
    struct change_ring *ring = change_ring_new();
    uint64_t told = 0;
    change_ring_begin(ring, 5);
    change_ring_wait(ring, &told, clock_mono_ns() + 20 * SEC_NS);
    assert_int_equal(5, told);
    change_ring_wait(ring, &told, clock_mono_ns());
    change_ring_nudge(ring);
    change_ring_wait(ring, &told, clock_mono_ns() + 20 * SEC_NS);
    assert_int_equal(5, told);
    change_ring_free(ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_are_read_as_they_were_written),
        cmocka_unit_test(what_is_no_line_is_refused),
        cmocka_unit_test(what_is_not_told_is_not_seen),
        cmocka_unit_test(one_finds_its_place_or_hears_that_it_is_gone),
        cmocka_unit_test(who_is_too_slow_reads_no_more),
        cmocka_unit_test(one_ring_is_not_another),
        cmocka_unit_test(waiting_ends_with_what_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
