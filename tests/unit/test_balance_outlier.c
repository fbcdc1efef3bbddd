#include "balance/outlier.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

/* Servers that are told what comes of their requests, second by second. */
struct many {
    struct outlier_server servers[64];
    struct outlier_server *at[64];
    uint64_t answers[64], failed[64], lost[64];
    unsigned count;
};

static void begin(struct many *many, unsigned count)
{
    memset(many, 0, sizeof *many);
    many->count = count;
    for (unsigned i = 0; i < count; i++)
        many->at[i] = &many->servers[i];
}

/* A second: each server has given so many answers, which took so long. */
static struct outliers second(struct many *many, const uint64_t *answers, const uint64_t *failed,
                              const uint64_t *latency_ms)
{
    for (unsigned i = 0; i < many->count; i++) {
        many->answers[i] += answers[i];
        many->failed[i] += failed ? failed[i] : 0;
        outlier_count(&many->servers[i], many->answers[i], many->failed[i], many->lost[i],
                      latency_ms[i] * MS_NS);
    }
    return outlier_look(many->at, many->count);
}

static struct outliers seconds(struct many *many, unsigned n, const uint64_t *answers,
                               const uint64_t *failed, const uint64_t *latency_ms)
{
    struct outliers found = {0, 0};
    while (n--)
        found = second(many, answers, failed, latency_ms);
    return found;
}

static const uint64_t busy[64] = {100, 100, 100, 100, 100};

static void one_ten_times_slower_is_named_at_the_second_look(void **state)
{
    (void)state;
    struct many many;
    begin(&many, 3);
    const uint64_t usual[] = {2, 2, 2}, slow[] = {2, 20, 2};
    assert_int_equal(seconds(&many, 5, busy, NULL, usual).slow, 0);
    assert_int_equal(second(&many, busy, NULL, slow).slow, 0);
    assert_int_equal(second(&many, busy, NULL, slow).slow, 0x2);
    assert_int_equal(second(&many, busy, NULL, usual).slow, 0);
}

static void of_two_servers_the_slower_one_is_named(void **state)
{
    (void)state;
    struct many many;
    begin(&many, 2);
    const uint64_t slow[] = {50, 5};
    assert_int_equal(seconds(&many, 5, busy, NULL, slow).slow, 0x1);
}

static void when_all_are_slow_none_is(void **state)
{
    (void)state;
    struct many many;
    begin(&many, 3);
    const uint64_t slow[] = {2000, 2100, 1900};
    assert_int_equal(seconds(&many, 5, busy, NULL, slow).slow, 0);
}

static void some_times_slower_or_slow_by_little_is_not_enough(void **state)
{
    (void)state;
    struct many many;
    begin(&many, 3);
    const uint64_t factor[] = {10, 40, 10};
    assert_int_equal(seconds(&many, 5, busy, NULL, factor).slow, 0);
    const uint64_t little[] = {0, 2, 0}; /* milliseconds: who shares a machine waits as long */
    assert_int_equal(seconds(&many, 5, busy, NULL, little).slow, 0);
}

static void nobody_is_judged_by_few_answers(void **state)
{
    (void)state;
    struct many many;
    begin(&many, 3);
    const uint64_t answers[] = {100, 5, 100}, slow[] = {2, 500, 2};
    assert_int_equal(seconds(&many, 9, answers, NULL, slow).slow, 0);
    const uint64_t more[] = {100, 11, 100}; /* of the last seconds together: 22 */
    assert_int_equal(seconds(&many, 9, more, NULL, slow).slow, 0x2);
}

static void one_that_fails_where_others_do_not_is_named(void **state)
{
    (void)state;
    struct many many;
    begin(&many, 3);
    const uint64_t latency[] = {2, 2, 2}, failed[] = {40, 0, 1};
    assert_int_equal(seconds(&many, 1, busy, failed, latency).failing, 0);
    assert_int_equal(seconds(&many, 3, busy, failed, latency).failing, 0x1);
    const uint64_t all[] = {40, 35, 50};
    assert_int_equal(seconds(&many, 9, busy, all, latency).failing, 0);
}

static void lost_requests_are_failures_too(void **state)
{
    (void)state;
    struct many many;
    struct outliers found = {0, 0};
    begin(&many, 3);
    const uint64_t latency[] = {2, 2, 2};
    for (int i = 0; i < 5; i++) {
        many.lost[2] += 100;
        found = second(&many, busy, NULL, latency);
    }
    assert_int_equal(found.failing, 0x4);
}

static void those_that_are_left_out_are_neither_judged_nor_compared_with(void **state)
{
    (void)state;
    struct many many;
    begin(&many, 3);
    const uint64_t latency[] = {2, 50, 2};
    seconds(&many, 5, busy, NULL, latency);
    many.at[1] = NULL;
    assert_int_equal(seconds(&many, 5, busy, NULL, latency).slow, 0);
    many.at[1] = &many.servers[1];
    many.at[0] = many.at[2] = NULL;
    assert_int_equal(seconds(&many, 5, busy, NULL, latency).slow, 0);
}

static void never_are_more_than_half_of_them_named(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 5);
    for (int round = 0; round < 2000; round++) {
        struct many many;
        uint64_t answers[64], failed[64], latency[64];
        begin(&many, 1 + (unsigned)random_below(&random, 64));
        for (unsigned i = 0; i < many.count; i++) {
            answers[i] = random_below(&random, 200);
            failed[i] = random_below(&random, 2) ? 0 : random_below(&random, answers[i] + 1);
            latency[i] = random_below(&random, 2) ? 1 : random_below(&random, 1000);
        }
        struct outliers found = seconds(&many, 3, answers, failed, latency);
        assert_true((unsigned)__builtin_popcountll(found.slow) <= many.count / 2);
        assert_true((unsigned)__builtin_popcountll(found.failing) <= many.count / 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_ten_times_slower_is_named_at_the_second_look),
        cmocka_unit_test(of_two_servers_the_slower_one_is_named),
        cmocka_unit_test(when_all_are_slow_none_is),
        cmocka_unit_test(some_times_slower_or_slow_by_little_is_not_enough),
        cmocka_unit_test(nobody_is_judged_by_few_answers),
        cmocka_unit_test(one_that_fails_where_others_do_not_is_named),
        cmocka_unit_test(lost_requests_are_failures_too),
        cmocka_unit_test(those_that_are_left_out_are_neither_judged_nor_compared_with),
        cmocka_unit_test(never_are_more_than_half_of_them_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
