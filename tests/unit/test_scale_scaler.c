/* What the scaler promises whatever the rule: a rule of the test's own says what it wishes. */
#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "scale/scaler.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

/* Wishes for sample->more workers; counts how often it was told of a change. */
struct told {
    unsigned changes, wanted;
};

static void wish_more(void *memory, const struct scale_view *view, struct scale_wish *wish)
{
    (void)memory;
    wish->workers = (unsigned)view->sample->more;
    scale_say(wish, "the test wants %u", wish->workers);
}

static void be_told(void *memory, const struct scale_view *view, unsigned wanted)
{
    struct told *told = memory;
    (void)view;
    told->changes++;
    told->wanted = wanted;
}

static const struct scale_rule obedient = {"obedient", "what the test says", sizeof(struct told),
                                           wish_more, be_told};

struct bench {
    struct scaler scaler;
    struct scale_settings settings;
    struct scale_sample sample;
    struct scale_decision decision;
};

static void begin(struct bench *bench, unsigned workers)
{
    memset(bench, 0, sizeof *bench);
    scale_settings_defaults(&bench->settings);
    bench->settings.workers_max = 20;
    scaler_init(&bench->scaler, &obedient, &bench->settings);
    bench->sample.now_ns = 1000 * SEC_NS;
    bench->sample.workers.ready = workers;
    bench->sample.fronts.ready = 1;
    bench->sample.more = workers;
    scaler_step(&bench->scaler, &bench->sample, &bench->decision);
}

/* MS later WISH is wished for; returns how many are wanted then. */
static unsigned ask(struct bench *bench, uint64_t ms, unsigned wish)
{
    bench->sample.now_ns += ms * MS_NS;
    bench->sample.interval_ns = ms * MS_NS;
    bench->sample.more = wish;
    scaler_step(&bench->scaler, &bench->sample, &bench->decision);
    return bench->decision.workers;
}

static void the_first_sample_says_how_many_there_are(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, 5);
    assert_int_equal(bench.decision.workers_before, 5);
    assert_int_equal(bench.decision.workers, 5);
    begin(&bench, 0);
    assert_int_equal(bench.decision.workers_before, 0);
    assert_int_equal(bench.decision.workers, 1);
    assert_true(scale_decision_acts(&bench.decision));
    begin(&bench, 50);
    assert_int_equal(bench.decision.workers, 20);
}

static void minimum_and_maximum_hold(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, 5);
    assert_int_equal(ask(&bench, 1000, 100), 20);
    assert_int_equal(bench.decision.held, SCALE_HELD_MAXIMUM);
    assert_int_equal(bench.decision.wish, 100);
    assert_int_equal(ask(&bench, 100000, 0), 1);
    assert_int_equal(bench.decision.held, SCALE_HELD_MINIMUM);
}

static void none_is_added_right_after_a_change(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, 2);
    assert_int_equal(ask(&bench, 100, 4), 4);
    assert_int_equal(ask(&bench, 100, 6), 4);
    assert_int_equal(bench.decision.held, SCALE_HELD_PAUSE);
    assert_int_equal(ask(&bench, 100, 6), 4);
    assert_int_equal(ask(&bench, 100, 6), 6);
}

static void none_leaves_soon_after_some_were_added(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, 2);
    assert_int_equal(ask(&bench, 100, 4), 4);
    assert_int_equal(ask(&bench, 4900, 3), 4);
    assert_int_equal(bench.decision.held, SCALE_HELD_HOLD);
    assert_int_equal(ask(&bench, 100, 3), 3);
    assert_int_equal(ask(&bench, 50, 2), 3);
    assert_int_equal(bench.decision.held, SCALE_HELD_PAUSE);
    assert_int_equal(ask(&bench, 50, 2), 2);
}

static void directions_change_once_a_minute(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, 2);
    bench.sample.busy = 400;
    assert_int_equal(ask(&bench, 100, 4), 4);
    assert_int_equal(ask(&bench, 10000, 3), 3); /* the first change of direction waits for none */
    assert_int_equal(ask(&bench, 10000, 4), 3); /* and nobody suffers: it is noise */
    assert_int_equal(bench.decision.held, SCALE_HELD_CALM);
    assert_int_equal(ask(&bench, 50000, 4), 4);
    assert_int_equal(ask(&bench, 119000, 3), 4); /* twice as long: they had to come back soon */
    assert_int_equal(bench.decision.held, SCALE_HELD_CALM);
    assert_int_equal(ask(&bench, 1000, 3), 3);
}

static void who_suffers_is_helped_at_once_and_the_next_calm_is_longer(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, 2);
    bench.sample.busy = 400;
    assert_int_equal(ask(&bench, 100, 4), 4);
    assert_int_equal(ask(&bench, 10000, 3), 3);
    bench.sample.oldest_ns = 200 * MS_NS;
    assert_int_equal(ask(&bench, 10000, 4), 4);
    bench.sample.oldest_ns = 0;
    assert_int_equal(ask(&bench, 100000, 3), 4); /* it was wrong to go down: 120 s now */
    assert_int_equal(bench.decision.held, SCALE_HELD_CALM);
    assert_int_equal(ask(&bench, 20000, 3), 3);
    assert_int_equal(ask(&bench, 300000, 4), 4); /* that one was right */
    assert_int_equal(ask(&bench, 60000, 3), 3);
}

static void a_load_that_is_gone_is_no_noise(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, 2);
    bench.sample.busy = 400;
    assert_int_equal(ask(&bench, 100, 4), 4);
    assert_int_equal(ask(&bench, 10000, 3), 3);
    bench.sample.oldest_ns = 200 * MS_NS;
    assert_int_equal(ask(&bench, 10000, 4), 4);
    bench.sample.oldest_ns = bench.sample.busy = 0;
    assert_int_equal(ask(&bench, 9900, 3), 4); /* twice the hold: it was wrong once */
    assert_int_equal(bench.decision.held, SCALE_HELD_CALM);
    ask(&bench, 1000, 4);
    assert_int_equal(ask(&bench, 10000, 1), 1);
}

static void going_on_in_one_direction_needs_no_calm(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, 9);
    for (unsigned size = 8; size > 0; size--)
        assert_int_equal(ask(&bench, 100, size), size);
    assert_int_equal(bench.scaler.actions, 8);
}

static void nobody_leaves_whose_work_the_others_cannot_carry(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, 10);
    bench.sample.busy = 4000;
    for (int i = 0; i < 100; i++)
        ask(&bench, 1000, 10);
    assert_int_equal(ask(&bench, 1000, 1), 7); /* 4 + 1.5 × 2 */
    assert_int_equal(bench.decision.held, SCALE_HELD_ROOM);
    assert_in_range(bench.decision.load, 3990, 4000);
    assert_int_equal(ask(&bench, 1000, 1), 7);
    bench.sample.busy = 0;
    for (int i = 0; i < 100; i++)
        ask(&bench, 1000, 1);
    assert_int_equal(bench.decision.workers, 1);
}

static void the_rule_is_told_of_each_change(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, 2);
    ask(&bench, 1000, 2);
    ask(&bench, 1000, 30);
    struct told told;
    memcpy(&told, bench.scaler.memory, sizeof told);
    assert_int_equal(told.changes, 1);
    assert_int_equal(told.wanted, 20); /* what is done, not what was wished for */
}

static void fronts_follow_the_workers(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, 2);
    assert_int_equal(ask(&bench, 1000, 12), 12);
    assert_int_equal(bench.decision.fronts_before, 1);
    assert_int_equal(bench.decision.fronts, 3);
    assert_non_null(strstr(bench.decision.reason, "fronts follow 12 workers"));
    ask(&bench, 5000, 1);
    assert_int_equal(bench.decision.fronts, 1);
}

static void fronts_are_added_for_many_connections(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, 2);
    bench.sample.connections = 2 * bench.settings.fronts_connections + 1;
    ask(&bench, 30000, 2);
    assert_int_equal(bench.decision.workers, 2);
    assert_int_equal(bench.decision.fronts, 3);
    assert_non_null(strstr(bench.decision.reason, "have 20001 connections"));
    bench.sample.connections = 10;
    ask(&bench, 30000, 2);
    assert_int_equal(bench.decision.fronts, 1);
}

/* A decision gives its reason in words. */
static void each_decision_says_why(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, 2);
    ask(&bench, 1000, 30);
    assert_string_equal(bench.decision.reason,
                        "the test wants 30; there are to be no more; fronts follow 20 workers");
}

/* ---- Any samples at all ---- */

static uint64_t any(struct random *random)
{
    switch (random_below(random, 4)) {
    case 0:
        return 0;
    case 1:
        return random_below(random, 10);
    case 2:
        return random_u64(random) >> random_below(random, 64);
    default:
        return UINT64_MAX - random_below(random, 2);
    }
}

static struct scale_sample any_sample(struct random *random, uint64_t now_ns)
{
    struct scale_sample sample;
    uint64_t numbers[sizeof sample / sizeof(uint64_t)];
    for (unsigned i = 0; i < COUNT_OF(numbers); i++)
        numbers[i] = any(random);
    memcpy(&sample, numbers, sizeof sample);
    if (random_below(random, 10))
        sample.now_ns = now_ns;
    return sample;
}

static struct scale_settings any_settings(struct random *random)
{
    struct scale_settings settings;
    do {
        scale_settings_defaults(&settings);
        for (unsigned i = 0; i < scale_setting_count; i++) {
            const struct scale_setting *row = &scale_setting_rows[i];
            uint64_t span = row->most - row->least + 1;
            if (random_below(random, 3) == 0)
                *scale_settings_at(&settings, row) = row->least + random_below(random, span);
        }
    } while (scale_settings_check(&settings, NULL));
    return settings;
}

static void nothing_that_is_measured_breaks_the_bounds(void **state)
{
    (void)state;
    for (uint64_t seed = 0; seed < 400; seed++) {
        struct random random;
        struct scaler scaler;
        random_seed(&random, seed);
        struct scale_settings settings = any_settings(&random);
        const struct scale_rule *rule = scale_rules[seed % 4];
        uint64_t now_ns = random_below(&random, SEC_NS);
        scaler_init(&scaler, rule, &settings);
        for (int i = 0; i < 200; i++) {
            now_ns += random_below(&random, 10) ? 100 * MS_NS : random_below(&random, 100 * SEC_NS);
            struct scale_sample sample = any_sample(&random, now_ns);
            struct scale_decision decision;
            scaler_step(&scaler, &sample, &decision);
            assert_in_range(decision.workers, settings.workers_min, settings.workers_max);
            assert_in_range(decision.fronts, settings.fronts_min, settings.fronts_max);
            assert_true(isfinite(scaler.load_quick) && isfinite(scaler.load_slow));
            assert_true(isfinite(scaler.fronts_load.busy));
            assert_true(decision.reason[0] != 0);
            assert_null(strstr(decision.reason, "nan"));
            assert_null(strstr(decision.reason, "inf"));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_sample_says_how_many_there_are),
        cmocka_unit_test(minimum_and_maximum_hold),
        cmocka_unit_test(none_is_added_right_after_a_change),
        cmocka_unit_test(none_leaves_soon_after_some_were_added),
        cmocka_unit_test(directions_change_once_a_minute),
        cmocka_unit_test(who_suffers_is_helped_at_once_and_the_next_calm_is_longer),
        cmocka_unit_test(a_load_that_is_gone_is_no_noise),
        cmocka_unit_test(going_on_in_one_direction_needs_no_calm),
        cmocka_unit_test(nobody_leaves_whose_work_the_others_cannot_carry),
        cmocka_unit_test(the_rule_is_told_of_each_change),
        cmocka_unit_test(fronts_follow_the_workers),
        cmocka_unit_test(fronts_are_added_for_many_connections),
        cmocka_unit_test(each_decision_says_why),
        cmocka_unit_test(nothing_that_is_measured_breaks_the_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
