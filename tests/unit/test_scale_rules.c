/* What each rule wishes for, sample by sample, without the scaler's pauses around it. */
#include "base/clock.h"
#include "scale/rule.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

enum { INTERVAL_MS = 100 };

struct bench {
    const struct scale_rule *rule;
    struct scale_settings settings;
    struct scale_sample sample; /* what is left alone is as in the last one */
    unsigned size;
    struct scale_wish wish;
    alignas(max_align_t) unsigned char memory[SCALE_MEMORY];
};

static void begin(struct bench *bench, const struct scale_rule *rule, unsigned size)
{
    memset(bench, 0, sizeof *bench);
    bench->rule = rule;
    bench->size = size;
    bench->sample.workers.ready = size;
    scale_settings_defaults(&bench->settings);
}

static struct scale_view view_of(const struct bench *bench)
{
    return (struct scale_view){&bench->settings, &bench->sample, bench->size, 0,
                               INTERVAL_MS * MS_NS};
}

static unsigned judge(struct bench *bench)
{
    bench->sample.now_ns += INTERVAL_MS * MS_NS;
    bench->sample.interval_ns = INTERVAL_MS * MS_NS;
    struct scale_view view = view_of(bench);
    bench->wish = (struct scale_wish){.workers = bench->size};
    bench->rule->judge(bench->memory, &view, &bench->wish);
    return bench->wish.workers;
}

static unsigned judge_often(struct bench *bench, unsigned times)
{
    unsigned wanted = bench->size;
    while (times--)
        wanted = judge(bench);
    return wanted;
}

/* The scaler does as the rule wishes; all that are wanted are ready. */
static void act(struct bench *bench)
{
    struct scale_view view = view_of(bench);
    if (bench->rule->acted)
        bench->rule->acted(bench->memory, &view, bench->wish.workers);
    bench->sample.workers.ready = bench->size = bench->wish.workers;
}

static void rules_are_found_by_their_names(void **state)
{
    (void)state;
    assert_ptr_equal(scale_rule_find("poll"), &scale_rule_poll);
    assert_ptr_equal(scale_rule_find("target"), &scale_rule_target);
    assert_ptr_equal(scale_rule_find("busy"), &scale_rule_busy);
    assert_ptr_equal(scale_rule_find("slope"), &scale_rule_slope);
    assert_null(scale_rule_find("guess"));
}

/* ---- poll ---- */

static void poll_adds_two_however_many_ask(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, &scale_rule_poll, 7);
    assert_int_equal(judge(&bench), 7);
    bench.sample.more = 7;
    bench.sample.fewer = 3;
    assert_int_equal(judge(&bench), 9);
}

static void poll_has_one_lease_to_leave(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, &scale_rule_poll, 7);
    bench.settings.lease_ms = 250;
    bench.sample.fewer = 7;
    assert_int_equal(judge(&bench), 6);
    act(&bench);
    assert_int_equal(judge(&bench), 6);
    assert_int_equal(judge(&bench), 6);
    assert_int_equal(judge(&bench), 5);
    assert_int_equal(judge(&bench), 5); /* a wish that was not granted takes no lease */
}

/* ---- target ---- */

static void target_follows_the_formula(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, &scale_rule_target, 4);
    bench.sample.wait_p90_ns = 75 * MS_NS;
    assert_int_equal(judge(&bench), 6); /* 4 × 75 / 50 */
    bench.sample.wait_p90_ns = 54 * MS_NS;
    assert_int_equal(judge(&bench), 4); /* within 10 % */
    bench.sample.oldest_ns = 75 * MS_NS;
    assert_int_equal(judge(&bench), 6); /* the first in the queue waits longer */
    bench.sample.oldest_ns = 9 * SEC_NS;
    assert_int_equal(judge(&bench), 8); /* at most double, or four more */
}

static void target_counts_who_starts(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, &scale_rule_target, 4);
    bench.sample.workers.ready = 1;
    bench.sample.workers.starting = 3;
    bench.sample.wait_p90_ns = 100 * MS_NS;
    assert_int_equal(judge(&bench), 4); /* two would do, four come: neither more nor fewer */
}

static void target_goes_down_to_the_largest_wish_of_the_window(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, &scale_rule_target, 8);
    bench.sample.wait_p90_ns = 30 * MS_NS;
    assert_int_equal(judge(&bench), 5); /* 8 × 30 / 50 */
    bench.sample.wait_p90_ns = 5 * MS_NS;
    assert_int_equal(judge_often(&bench, 100), 5);
    assert_int_equal(judge_often(&bench, 10), 1);
}

/* ---- busy ---- */

static void busy_keeps_between_its_limits(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, &scale_rule_busy, 4);
    bench.sample.busy = 1600; /* 40 % */
    assert_int_equal(judge_often(&bench, 50), 4);
    bench.sample.busy = 2800; /* 70 %: six would be 47 % */
    assert_int_equal(judge_often(&bench, 5), 6);
}

static void busy_lets_one_go_after_so_many_looks(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, &scale_rule_busy, 4);
    bench.sample.busy = 400;
    assert_int_equal(judge_often(&bench, 49), 4);
    assert_int_equal(judge(&bench), 3);
    act(&bench);
    assert_int_equal(judge_often(&bench, 49), 3); /* it counts anew */
    assert_int_equal(judge(&bench), 2);
}

static void busy_waits_longer_when_it_was_wrong(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, &scale_rule_busy, 2);
    bench.sample.busy = 400; /* 20 % */
    assert_int_equal(judge_often(&bench, 50), 1);
    act(&bench);
    bench.sample.busy = 900; /* one is too few, at once */
    assert_int_equal(judge_often(&bench, 5), 2);
    act(&bench);
    bench.sample.busy = 400;
    assert_int_equal(judge_often(&bench, 54), 2); /* ten looks are not enough now */
    assert_int_equal(judge(&bench), 1);
    act(&bench);
    bench.sample.busy = 300;
    assert_int_equal(judge_often(&bench, 60), 1); /* this time it was right */
    bench.sample.busy = 900;
    assert_int_equal(judge_often(&bench, 5), 2);
    act(&bench);
    bench.sample.busy = 400;
    assert_int_equal(judge_often(&bench, 50), 1); /* ten again */
}

static void busy_does_not_wait_when_the_queue_backs_up(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, &scale_rule_busy, 2);
    bench.sample.queued = 10; /* 5 for each */
    assert_int_equal(judge(&bench), 3);
    act(&bench);
    assert_int_equal(judge(&bench), 3); /* three can carry it, even if one still starts */
}

/* ---- slope ---- */

static void slope_wants_what_little_says_and_some_room(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, &scale_rule_slope, 1);
    bench.sample.arrived = bench.sample.answered = 20; /* 200/s × 20 ms = 4 */
    bench.sample.service_ns = 20 * MS_NS;
    assert_int_equal(judge_often(&bench, 100), 6); /* 4 + √4 */
    bench.sample.queued = 25;                      /* × 20 ms / 500 ms = 1 */
    assert_int_equal(judge(&bench), 7);
}

static void slope_believes_a_step_within_some_samples(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, &scale_rule_slope, 1);
    bench.sample.service_ns = 20 * MS_NS;
    bench.sample.arrived = bench.sample.answered = 1; /* 10/s */
    assert_int_equal(judge_often(&bench, 100), 1);
    bench.sample.arrived = 15; /* 150/s: three workers' work */
    assert_in_range(judge_often(&bench, 5), 4, 5);
}

static void slope_foresees_a_rise(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, &scale_rule_slope, 1);
    bench.settings.start_up_ms = 2000;
    bench.settings.margin = 0;
    bench.sample.service_ns = 20 * MS_NS;
    for (unsigned i = 0; i <= 100; i++) {
        bench.sample.arrived = bench.sample.answered = 20 + i / 2; /* 5/s more each 0.1 s */
        judge(&bench);
    }
    /* 700/s now, 800/s in 2 s: 16 workers, give or take what rounding makes of a count */
    assert_in_range(bench.wish.workers, 16, 17);
}

static void slope_goes_down_to_the_largest_wish_of_the_window(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, &scale_rule_slope, 6);
    bench.sample.service_ns = 20 * MS_NS;
    bench.sample.arrived = bench.sample.answered = 20;
    judge_often(&bench, 100);
    bench.sample.arrived = bench.sample.answered = 0;
    assert_int_equal(judge_often(&bench, 95), 6);
    assert_int_equal(judge_often(&bench, 40), 0);
}

static void slope_asks_for_one_more_while_it_knows_nothing(void **state)
{
    (void)state;
    struct bench bench;
    begin(&bench, &scale_rule_slope, 2);
    bench.sample.arrived = 3;
    bench.sample.queued = 2;
    assert_int_equal(judge(&bench), 2);
    bench.sample.queued = 3;
    assert_int_equal(judge(&bench), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_are_found_by_their_names),
        cmocka_unit_test(poll_adds_two_however_many_ask),
        cmocka_unit_test(poll_has_one_lease_to_leave),
        cmocka_unit_test(target_follows_the_formula),
        cmocka_unit_test(target_counts_who_starts),
        cmocka_unit_test(target_goes_down_to_the_largest_wish_of_the_window),
        cmocka_unit_test(busy_keeps_between_its_limits),
        cmocka_unit_test(busy_lets_one_go_after_so_many_looks),
        cmocka_unit_test(busy_waits_longer_when_it_was_wrong),
        cmocka_unit_test(busy_does_not_wait_when_the_queue_backs_up),
        cmocka_unit_test(slope_wants_what_little_says_and_some_room),
        cmocka_unit_test(slope_believes_a_step_within_some_samples),
        cmocka_unit_test(slope_foresees_a_rise),
        cmocka_unit_test(slope_goes_down_to_the_largest_wish_of_the_window),
        cmocka_unit_test(slope_asks_for_one_more_while_it_knows_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
