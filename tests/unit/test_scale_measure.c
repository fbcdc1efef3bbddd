#include "base/check.h"
#include "base/clock.h"
#include "scale/measure.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

enum { INTERVAL_MS = 100 };

/* A tier of one front with two threads and two workers, as it is looked at. */
struct tier {
    struct scale_measure measure;
    struct scale_look look;
    struct scale_sample sample;
};

static void add_seat(struct tier *tier, enum queue_role role, uint32_t pid, unsigned helpers)
{
    unsigned i = tier->look.seat_count++;
    tier->look.seats[i] = (struct queue_seat_view){
        .role = role, .seat = i, .pid = pid, .report = {.helpers = helpers}};
}

static void begin(struct tier *tier)
{
    memset(tier, 0, sizeof *tier);
    add_seat(tier, QUEUE_FRONT, 10, 0);
    add_seat(tier, QUEUE_FRONT, 10, 0);
    add_seat(tier, QUEUE_WORKER, 20, 2);
    add_seat(tier, QUEUE_WORKER, 21, 2);
    tier->look.now_ns = 5 * SEC_NS;
    scale_measure(&tier->measure, &tier->look, &tier->sample);
}

/* An interval passes, in which the thread of seat SEAT worked for LOOP_MS and its helpers for
 * HELPER_MS. */
static void work(struct tier *tier, unsigned seat, uint64_t loop_ms, uint64_t helper_ms)
{
    struct queue_report *report = &tier->look.seats[seat].report;
    report->loop_ns += loop_ms * MS_NS;
    report->helper_ns += helper_ms * MS_NS;
}

static void pass(struct tier *tier)
{
    tier->look.now_ns += INTERVAL_MS * MS_NS;
    for (unsigned i = 0; i < tier->look.seat_count; i++)
        tier->look.seats[i].report.beat_ns = tier->look.now_ns;
    scale_measure(&tier->measure, &tier->look, &tier->sample);
}

static void workers_of_other_machines_count_each_by_itself(void **state)
{
    struct tier tier;
    (void)state;
    begin(&tier);
    for (unsigned i = 0; i < 3; i++) {
        add_seat(&tier, i < 2 ? QUEUE_WORKER : QUEUE_FRONT, 10, i < 2 ? 2 : 0);
        tier.look.seats[4 + i].space = 77 + i;
    }
    pass(&tier);
    work(&tier, 4, 30, 0);
    work(&tier, 5, 0, 80); /* two helpers: 40 % */
    work(&tier, 6, 50, 0);
    pass(&tier);
    assert_int_equal(tier.sample.workers.ready, 4);
    assert_int_equal(tier.sample.fronts.ready, 2);
    assert_int_equal(tier.sample.busy, 300 + 400);
    assert_int_equal(tier.sample.fronts_busy, 500);
}

static void the_first_look_says_how_many_there_are_and_nothing_of_what_was(void **state)
{
    struct tier tier;
    (void)state;
    begin(&tier);
    assert_int_equal(tier.sample.fronts.ready, 1); /* of two threads */
    assert_int_equal(tier.sample.workers.ready, 2);
    assert_int_equal(tier.sample.busy, 0);
    assert_int_equal(tier.sample.interval_ns, 0);
}

/* A front tells them of the whole process, in each of its threads' seats. */
static void connections_are_counted_once_for_each_front(void **state)
{
    struct tier tier;
    (void)state;
    begin(&tier);
    add_seat(&tier, QUEUE_FRONT, 11, 0);
    for (unsigned i = 0; i < tier.look.seat_count; i++)
        tier.look.seats[i].report.counts[7] = 300;
    pass(&tier);
    assert_int_equal(tier.sample.connections, 600); /* a worker's counts are others */
}

static void a_worker_is_as_busy_as_the_busier_of_its_thread_and_its_helpers(void **state)
{
    struct tier tier;
    (void)state;
    begin(&tier);
    pass(&tier);             /* from the first beat on */
    work(&tier, 2, 30, 20);  /* 30 % by its thread, 10 % by two helpers */
    work(&tier, 3, 10, 100); /* 10 %, 50 % */
    work(&tier, 0, 80, 0);   /* of two threads: 40 % on average */
    pass(&tier);
    assert_int_equal(tier.sample.busy, 300 + 500);
    assert_int_equal(tier.sample.fronts_busy, 400);
    assert_int_equal(tier.sample.interval_ns, INTERVAL_MS * MS_NS);
}

static void nobody_is_busier_than_all_the_time(void **state)
{
    struct tier tier;
    (void)state;
    begin(&tier);
    pass(&tier);
    work(&tier, 2, 0, 900); /* a long one that comes back at once */
    pass(&tier);
    assert_int_equal(tier.sample.busy, 1000);
}

static void who_took_the_seat_of_another_begins_anew(void **state)
{
    struct tier tier;
    (void)state;
    begin(&tier);
    pass(&tier);
    tier.look.seats[2].pid = 99;
    tier.look.seats[2].report = (struct queue_report){.helpers = 2};
    work(&tier, 2, 50, 0);
    pass(&tier);
    assert_int_equal(tier.sample.busy, 0);
}

static void who_drains_is_no_capacity_and_who_starts_is(void **state)
{
    struct tier tier;
    (void)state;
    begin(&tier);
    tier.look.seats[3].report.draining = true;
    tier.look.workers = (struct fleet_sizes){.starting = 2, .crashed = 1};
    pass(&tier);
    assert_int_equal(tier.sample.workers.ready, 1);
    assert_int_equal(tier.sample.workers.draining, 1);
    assert_int_equal(tier.sample.workers.starting, 3);
}

static void counts_are_of_the_interval_over_all_classes(void **state)
{
    struct tier tier;
    struct queue_stats *stats = &tier.look.stats;
    (void)state;
    begin(&tier);
    stats->entered[SHARE_PAGES] = 100;
    stats->taken[SHARE_PAGES] = 90;
    pass(&tier);
    assert_int_equal(tier.sample.arrived, 100);
    stats->entered[SHARE_PAGES] = 130;
    stats->entered[SHARE_BUYS] = 5;
    stats->done[SHARE_BUYS] = 4;
    stats->work_ns[SHARE_BUYS] = 8 * MS_NS;
    stats->dropped[SHARE_CARTS] = 2;
    stats->refused[SHARE_CARTS] = 3;
    stats->waiting[SHARE_CARTS] = 7;
    stats->more = 2;
    pass(&tier);
    assert_int_equal(tier.sample.arrived, 35);
    assert_int_equal(tier.sample.taken, 0);
    assert_int_equal(tier.sample.answered, 4);
    assert_int_equal(tier.sample.service_ns, 2 * MS_NS);
    assert_int_equal(tier.sample.dropped, 2);
    assert_int_equal(tier.sample.refused, 3);
    assert_int_equal(tier.sample.queued, 7);
    assert_int_equal(tier.sample.more, 2);
}

static void quantiles_are_of_those_who_waited_in_the_interval(void **state)
{
    struct tier tier;
    uint64_t *waits = tier.look.stats.waits;
    (void)state;
    begin(&tier);
    waits[50] = 1000; /* long ago */
    pass(&tier);
    waits[10] += 90;
    waits[20] += 9;
    waits[30] += 1;
    pass(&tier);
    assert_int_equal(tier.sample.wait_p50_ns, queue_wait_bound(10));
    assert_int_equal(tier.sample.wait_p90_ns, queue_wait_bound(10));
    assert_int_equal(tier.sample.wait_p99_ns, queue_wait_bound(20));
    pass(&tier);
    assert_int_equal(tier.sample.wait_p99_ns, 0);
}

static void bounds_of_waits_grow_and_are_eighths_of_doublings(void **state)
{
    (void)state;
    assert_int_equal(queue_wait_bound(QUEUE_WAIT_STEPS - 1), 2048);
    for (unsigned b = 1; b < QUEUE_WAIT_BUCKETS; b++) {
        uint64_t below = queue_wait_bound(b - 1), bound = queue_wait_bound(b);
        assert_true(bound > below && bound - below <= below / QUEUE_WAIT_STEPS + 1);
    }
    assert_true(queue_wait_bound(QUEUE_WAIT_BUCKETS - 1) > 16 * SEC_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(workers_of_other_machines_count_each_by_itself),
        cmocka_unit_test(the_first_look_says_how_many_there_are_and_nothing_of_what_was),
        cmocka_unit_test(connections_are_counted_once_for_each_front),
        cmocka_unit_test(a_worker_is_as_busy_as_the_busier_of_its_thread_and_its_helpers),
        cmocka_unit_test(nobody_is_busier_than_all_the_time),
        cmocka_unit_test(who_took_the_seat_of_another_begins_anew),
        cmocka_unit_test(who_drains_is_no_capacity_and_who_starts_is),
        cmocka_unit_test(counts_are_of_the_interval_over_all_classes),
        cmocka_unit_test(quantiles_are_of_those_who_waited_in_the_interval),
        cmocka_unit_test(bounds_of_waits_grow_and_are_eighths_of_doublings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
