#include "base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void the_sequence_of_a_seed_is_xoshiro256ss_everywhere(void **state)
{
    (void)state;
    static const uint64_t of_0[] = {0x99ec5f36cb75f2b4ull, 0xbf6e1f784956452aull,
                                    0x1a5f849d4933e6e0ull, 0x6aa594f1262d2d2cull};
    static const uint64_t of_42[] = {0x15780b2e0c2ec716ull, 0x6104d9866d113a7eull,
                                     0xae17533239e499a1ull, 0xecb8ad4703b360a1ull};
    struct random zero, answer;
    random_seed(&zero, 0);
    random_seed(&answer, 42);
    for (int i = 0; i < 4; i++) {
        assert_true(random_u64(&zero) == of_0[i]);
        assert_true(random_u64(&answer) == of_42[i]);
    }
}

static void below_stays_below_and_reaches_both_ends(void **state)
{
    (void)state;
    struct random random;
    uint64_t counts[7] = {0};
    random_seed(&random, 1);
    for (int i = 0; i < 70000; i++) {
        uint64_t value = random_below(&random, 7);
        assert_true(value < 7);
        counts[value]++;
    }
    double chi2 = 0;
    for (int i = 0; i < 7; i++)
        chi2 += ((double)counts[i] - 10000) * ((double)counts[i] - 10000) / 10000;
    assert_true(chi2 < 22.5); /* 0.1 % of 6 degrees of freedom; the seed is fixed */
}

static void below_one_is_zero_and_large_bounds_are_fair(void **state)
{
    (void)state;
    struct random random;
    unsigned upper = 0;
    const uint64_t bound = 3ull << 62; /* a modulo would give the lower third twice as often */
    random_seed(&random, 2);
    for (int i = 0; i < 10000; i++) {
        assert_true(random_below(&random, 1) == 0);
        uint64_t value = random_below(&random, bound);
        assert_true(value < bound);
        upper += value >= 1ull << 63;
        assert_true(random_below(&random, UINT64_MAX) < UINT64_MAX);
    }
    assert_in_range(upper, 3333 - 250, 3333 + 250);
}

static void units_are_spread_over_zero_to_one(void **state)
{
    (void)state;
    struct random random;
    unsigned tenths[10] = {0};
    double sum = 0;
    random_seed(&random, 3);
    for (int i = 0; i < 100000; i++) {
        double unit = random_unit(&random);
        assert_true(unit >= 0 && unit < 1);
        tenths[(int)(unit * 10)]++;
        sum += unit;
    }
    assert_true(sum > 49500 && sum < 50500);
    for (int i = 0; i < 10; i++)
        assert_in_range(tenths[i], 9500, 10500);
}

static void secrets_fill_all_and_differ(void **state)
{
    (void)state;
    unsigned char a[1000], b[1000], seen[256] = {0};
    memset(a, 0, sizeof a);
    random_secret(a, sizeof a);
    random_secret(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    unsigned different = 0;
    for (unsigned i = 0; i < sizeof a; i++) {
        different += !seen[a[i]];
        seen[a[i]] = 1;
    }
    assert_true(different > 200);
    assert_memory_not_equal(a + 990, "\0\0\0\0\0\0\0\0\0\0", 10);
    random_secret(a, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_sequence_of_a_seed_is_xoshiro256ss_everywhere),
        cmocka_unit_test(below_stays_below_and_reaches_both_ends),
        cmocka_unit_test(below_one_is_zero_and_large_bounds_are_fair),
        cmocka_unit_test(units_are_spread_over_zero_to_one),
        cmocka_unit_test(secrets_fill_all_and_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
