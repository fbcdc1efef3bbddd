#include "replica/retain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { ENTRY = 100 };

/* A log of COUNT entries of ENTRY bytes; servers 1 and 2 are to be fed. */
static struct retain log_of(uint64_t bytes_max, uint64_t count)
{
    static const uint64_t servers[] = {1, 2};
    struct retain retain = {.bytes_max = bytes_max, .fine = 4 * ENTRY};
    retain_voters(&retain, servers, 2);
    for (uint64_t i = 1; i <= count; i++)
        retain_weigh(&retain, i, i * ENTRY);
    return retain;
}

static uint64_t cut(struct retain *retain, uint64_t committed, uint64_t last, unsigned *gone)
{
    uint64_t given_up[CLUSTER_SERVERS_MAX];
    return retain_cut(retain, 1, committed, last, given_up, gone);
}

static void what_one_may_lack_is_kept(void **state)
{
    (void)state;
    unsigned gone;
    struct retain retain = log_of(1 << 20, 1000);
    assert_int_equal(cut(&retain, 1000, 1000, &gone), 0); /* nothing is known of them */
    retain_certain(&retain, 1, 990);
    assert_int_equal(cut(&retain, 1000, 1000, &gone), 0);
    retain_certain(&retain, 2, 400);
    assert_int_equal(cut(&retain, 1000, 1000, &gone), 400);
    retain_certain(&retain, 2, 300); /* late news */
    assert_int_equal(cut(&retain, 1000, 1000, &gone), 400);
    retain_certain(&retain, 2, 1000);
    assert_int_equal(cut(&retain, 950, 1000, &gone), 950); /* never what is not committed */
    assert_int_equal(gone, 0);
}

static void who_is_no_voter_any_more_needs_nothing(void **state)
{
    (void)state;
    unsigned gone;
    static const uint64_t one[] = {1};
    struct retain retain = log_of(1 << 20, 1000);
    retain_certain(&retain, 1, 900);
    retain_voters(&retain, one, 1);
    assert_int_equal(cut(&retain, 1000, 1000, &gone), 900);
    assert_int_equal(retain_certain_of(&retain, 2), 0);
}

static void above_the_bound_one_is_given_up(void **state)
{
    (void)state;
    unsigned gone;
    struct retain retain = log_of(500 * ENTRY, 1000);
    retain_certain(&retain, 1, 1000);
    retain_certain(&retain, 2, 100);
    uint64_t after = cut(&retain, 1000, 1000, &gone);
    assert_int_equal(gone, 1);
    assert_in_range(after, 600, 700); /* three quarters of the bound are kept */
    assert_int_equal(cut(&retain, 1000, 1000, &gone), 1000);
    assert_int_equal(gone, 0); /* said once */
    retain_certain(&retain, 2, 980);
    retain_take_up(&retain, 2);
    assert_int_equal(cut(&retain, 1000, 1000, &gone), 980);
}

/* It may have more than is known, so that it is not given up. */
static void of_an_unknown_one_as_much_is_kept_as_fits(void **state)
{
    (void)state;
    unsigned gone;
    struct retain retain = log_of(500 * ENTRY, 1000);
    retain_certain(&retain, 1, 1000);
    assert_in_range(cut(&retain, 1000, 1000, &gone), 600, 700);
    assert_int_equal(gone, 0);
}

static void marks_cover_a_log_of_any_length(void **state)
{
    (void)state;
    struct retain retain = log_of(UINT64_MAX / 2, 100000);
    assert_true(retain.mark_count <= RETAIN_MARKS);
    uint64_t all = retain_bytes(&retain, 0, 100000), half = retain_bytes(&retain, 50000, 100000);
    assert_in_range(all, 99000 * ENTRY, 100000 * ENTRY);
    assert_in_range(half, 49000 * ENTRY, 52000 * ENTRY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_one_may_lack_is_kept),
        cmocka_unit_test(who_is_no_voter_any_more_needs_nothing),
        cmocka_unit_test(above_the_bound_one_is_given_up),
        cmocka_unit_test(of_an_unknown_one_as_much_is_kept_as_fits),
        cmocka_unit_test(marks_cover_a_log_of_any_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
