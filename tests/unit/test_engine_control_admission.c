#include "base/clock.h"
#include "base/random.h"
#include "engine/control_admission.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

#define TARGET_NS (50 * MS_NS)

static struct control_admission begun(void)
{
    struct control_admission control;
    control_admission_init(&control, TARGET_NS);
    return control;
}

static struct admission_seen seen(uint32_t answered, uint64_t p90_ms, uint32_t refused)
{
    return (struct admission_seen){.ns = SEC_NS,
                                   .answered = answered,
                                   .measured = answered,
                                   .p90_ns = p90_ms * MS_NS,
                                   .refused = refused};
}

static void an_interval_is_a_hundred_answers_and_the_target_or_a_second(void **state)
{
    (void)state;
    struct control_admission control = begun();
    assert_false(control_admission_is_due(&control, TARGET_NS - 1, 5000));
    assert_true(control_admission_is_due(&control, TARGET_NS, 100));
    assert_false(control_admission_is_due(&control, SEC_NS - 1, 99));
    assert_true(control_admission_is_due(&control, SEC_NS, 0));
    control_admission_init(&control, 5 * SEC_NS);
    assert_true(control_admission_is_due(&control, SEC_NS, 100));
}

static void all_are_let_in_until_they_are_late(void **state)
{
    (void)state;
    struct control_admission control = begun();
    struct admission_seen well = seen(1000, 43, 0), late = seen(1000, 60, 0);
    assert_int_equal(control_admission_step(&control, &well), ADMISSION_HELD);
    assert_true(control.rate <= 0);
    assert_int_equal(control_admission_step(&control, &late), ADMISSION_LOWERED);
    assert_true(control.rate < 1000 && control.rate > 700);
}

static void the_later_they_are_the_more_it_is_lowered_but_not_below_half(void **state)
{
    (void)state;
    double rates[3];
    static const uint64_t late_ms[] = {45, 60, 5000};
    for (int i = 0; i < 3; i++) {
        struct control_admission control = begun();
        struct admission_seen late = seen(1000, late_ms[i], 0);
        control_admission_step(&control, &late);
        rates[i] = control.rate;
    }
    assert_true(rates[0] > rates[1] && rates[1] > rates[2]);
    assert_true(fabs(rates[2] - 500) < 1);
}

static void it_is_not_lowered_while_the_queue_is_getting_shorter(void **state)
{
    (void)state;
    struct control_admission control = begun();
    struct admission_seen first = seen(1000, 500, 0), draining = seen(1000, 400, 900);
    control_admission_step(&control, &first);
    double rate = control.rate;
    assert_int_equal(control_admission_step(&control, &draining), ADMISSION_HELD);
    assert_true(fabs(control.rate - rate) < 1e-9);
    struct admission_seen still_late = seen((uint32_t)rate, 400, 900);
    assert_int_equal(control_admission_step(&control, &still_late), ADMISSION_LOWERED);
}

static void what_was_taken_off_for_the_queue_is_given_back(void **state)
{
    (void)state;
    struct control_admission control = begun();
    struct admission_seen late = seen(1000, 5000, 0), well = seen(1000, 40, 500);
    control_admission_step(&control, &late);
    assert_true(control.rate < 501);
    assert_int_equal(control_admission_step(&control, &well), ADMISSION_RAISED);
    assert_true(control.rate > 940 && control.rate < 1000);
    assert_int_equal(control_admission_step(&control, &well), ADMISSION_HELD);
}

static void what_was_not_measured_changes_nothing(void **state)
{
    (void)state;
    struct control_admission control = begun();
    struct admission_seen late = seen(1000, 60, 0), none = {.ns = SEC_NS, .answered = 700};
    control_admission_step(&control, &late);
    double rate = control.rate;
    assert_int_equal(control_admission_step(&control, &none), ADMISSION_HELD);
    assert_true(fabs(control.rate - rate) < 1e-9);
}

static void it_is_raised_only_while_it_holds_somebody_back(void **state)
{
    (void)state;
    struct control_admission control = begun();
    struct admission_seen late = seen(1000, 60, 0), well = seen(500, 10, 0),
                          refusing = seen(500, 10, 1), nearly = seen(500, 40, 300);
    control_admission_step(&control, &late);
    control_admission_step(&control, &well); /* the queue is gone */
    double rate = control.rate;
    assert_int_equal(control_admission_step(&control, &well), ADMISSION_HELD);
    assert_int_equal(control_admission_step(&control, &nearly), ADMISSION_HELD);
    assert_int_equal(control_admission_step(&control, &refusing), ADMISSION_RAISED);
    assert_true(control.rate > rate && control.rate < rate * 1.05);
}

static void ten_quiet_seconds_end_it(void **state)
{
    (void)state;
    struct control_admission control = begun();
    struct admission_seen late = seen(1000, 60, 0), well = seen(500, 10, 0),
                          refusing = seen(500, 10, 5);
    control_admission_step(&control, &late);
    for (int i = 0; i < 5; i++)
        control_admission_step(&control, &well);
    control_admission_step(&control, &refusing);
    for (int i = 0; i < 9; i++)
        assert_int_equal(control_admission_step(&control, &well), ADMISSION_HELD);
    assert_int_equal(control_admission_step(&control, &well), ADMISSION_LIFTED);
    assert_true(control.rate <= 0);
}

/* ---- Beside a queue ---- */

/* Servers with exponential times, CAPACITY a second together, and OFFERED arrivals a second. */
struct plant {
    double capacity, offered, target;
    unsigned servers;
    double seconds;
    /* What comes of it, after the first quarter: */
    double used; /* of the capacity */
    double late; /* share of the answers */
};

enum { SERVERS_MAX = 16, WAITING_MAX = 1 << 16, MEASURED_MAX = 1 << 14 };

/* Those that were let in are answered in about the order of their coming. */
struct line {
    double came[WAITING_MAX], ends[WAITING_MAX];
    unsigned first, count;
    double free_at[SERVERS_MAX];
    double took[MEASURED_MAX];
    uint32_t measured, answered, refused;
    double begun, acted, due;
    double told; /* the latest answer so far: the others are seen after it */
};

static double exponential(struct random *random, double rate)
{
    return -log(1 - random_unit(random)) / rate;
}

static int ascending(const void *a, const void *b)
{
    const double *left = a, *right = b;
    return (*left > *right) - (*left < *right);
}

static void end_interval(struct line *line, struct control_admission *control, double now)
{
    struct admission_seen seen = {
        .ns = (uint64_t)((now - line->begun) * 1e9),
        .answered = line->answered,
        .measured = line->measured,
        .refused = line->refused,
    };
    if (!control_admission_is_due(control, seen.ns, seen.measured))
        return;
    uint32_t count = line->measured < MEASURED_MAX ? line->measured : MEASURED_MAX;
    if (count > 0) {
        qsort(line->took, count, sizeof *line->took, ascending);
        seen.p90_ns = (uint64_t)(line->took[(count - 1) * 9 / 10] * 1e9);
    }
    if (control_admission_step(control, &seen) != ADMISSION_HELD)
        line->acted = now;
    line->begun = now;
    line->measured = line->answered = line->refused = 0;
}

static void answer(struct line *line, struct control_admission *control, struct plant *plant,
                   uint64_t counts[2])
{
    double came = line->came[line->first % WAITING_MAX];
    double ends = line->ends[line->first % WAITING_MAX];
    line->first++;
    line->count--;
    line->answered++;
    if (came >= line->acted) {
        if (line->measured < MEASURED_MAX)
            line->took[line->measured] = ends - came;
        line->measured++;
    }
    if (ends > plant->seconds / 4)
        counts[ends - came > plant->target]++;
    if (ends > line->told)
        line->told = ends;
    end_interval(line, control, line->told);
}

static void let_in(struct line *line, const struct plant *plant, struct random *random, double now)
{
    unsigned server = 0;
    for (unsigned i = 1; i < plant->servers; i++)
        if (line->free_at[i] < line->free_at[server])
            server = i;
    double from = now > line->free_at[server] ? now : line->free_at[server];
    line->free_at[server] = from + exponential(random, plant->capacity / plant->servers);
    assert_true(line->count < WAITING_MAX);
    unsigned at = (line->first + line->count++) % WAITING_MAX;
    line->came[at] = now;
    line->ends[at] = line->free_at[server];
}

static bool refuses(struct line *line, const struct control_admission *control, double now)
{
    if (control->rate <= 0)
        return false;
    if (line->due < now - 0.01)
        line->due = now - 0.01;
    if (line->due > now)
        return true;
    line->due += 1 / control->rate;
    return false;
}

static void run(struct plant *plant)
{
    struct control_admission control;
    struct random random;
    struct line *line = calloc(1, sizeof *line);
    uint64_t counts[2] = {0};
    assert_non_null(line);
    random_seed(&random, 7);
    control_admission_init(&control, (uint64_t)(plant->target * 1e9));
    for (double now = 0; now < plant->seconds;) {
        now += exponential(&random, plant->offered);
        while (line->count > 0 && line->ends[line->first % WAITING_MAX] <= now)
            answer(line, &control, plant, counts);
        if (refuses(line, &control, now))
            line->refused++;
        else
            let_in(line, plant, &random, now);
    }
    free(line);
    plant->used = (double)(counts[0] + counts[1]) / (plant->seconds * 0.75 * plant->capacity);
    plant->late = (double)counts[1] / (double)(counts[0] + counts[1]);
}

static void an_overloaded_queue_stays_busy_and_in_time(void **state)
{
    (void)state;
    struct plant plants[] = {
        {.capacity = 2000, .offered = 4000, .target = 0.05, .servers = 1, .seconds = 40},
        {.capacity = 20000, .offered = 40000, .target = 0.05, .servers = 1, .seconds = 10},
        {.capacity = 2000, .offered = 20000, .target = 0.05, .servers = 1, .seconds = 20},
        {.capacity = 500, .offered = 2500, .target = 0.2, .servers = 10, .seconds = 60},
    };
    for (unsigned i = 0; i < sizeof plants / sizeof *plants; i++) {
        run(&plants[i]);
        print_message("%.0f of %.0f requests/s in %.0f ms: %.3f used, %.3f late\n",
                      plants[i].capacity, plants[i].offered, plants[i].target * 1e3, plants[i].used,
                      plants[i].late);
        assert_true(plants[i].used > 0.92);
        assert_true(plants[i].late < 0.10);
    }
}

static void a_queue_with_room_is_left_alone(void **state)
{
    (void)state;
    struct plant plant = {
        .capacity = 2000, .offered = 1500, .target = 0.05, .servers = 1, .seconds = 20};
    run(&plant);
    assert_true(plant.used > 0.73 && plant.used < 0.77);
    assert_true(plant.late < 0.001);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interval_is_a_hundred_answers_and_the_target_or_a_second),
        cmocka_unit_test(all_are_let_in_until_they_are_late),
        cmocka_unit_test(the_later_they_are_the_more_it_is_lowered_but_not_below_half),
        cmocka_unit_test(it_is_not_lowered_while_the_queue_is_getting_shorter),
        cmocka_unit_test(what_was_taken_off_for_the_queue_is_given_back),
        cmocka_unit_test(what_was_not_measured_changes_nothing),
        cmocka_unit_test(it_is_raised_only_while_it_holds_somebody_back),
        cmocka_unit_test(ten_quiet_seconds_end_it),
        cmocka_unit_test(an_overloaded_queue_stays_busy_and_in_time),
        cmocka_unit_test(a_queue_with_room_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
