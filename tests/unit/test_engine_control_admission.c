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
                                   .p50_ns = p90_ms * MS_NS * 4 / 5,
                                   .p90_ns = p90_ms * MS_NS,
                                   .refused = refused};
}

/* It has been late once. */
static struct control_admission doubted(void)
{
    struct control_admission control = begun();
    struct admission_seen late = seen(1000, 60, 0);
    assert_int_equal(control_admission_step(&control, &late), ADMISSION_HELD);
    assert_true(control.rate <= 0);
    return control;
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

static void all_are_let_in_until_they_are_late_twice(void **state)
{
    (void)state;
    struct control_admission control = begun();
    struct admission_seen well = seen(1000, 43, 0), late = seen(1000, 60, 0);
    assert_int_equal(control_admission_step(&control, &well), ADMISSION_HELD);
    assert_int_equal(control_admission_step(&control, &late), ADMISSION_HELD);
    assert_int_equal(control_admission_step(&control, &well), ADMISSION_HELD);
    assert_int_equal(control_admission_step(&control, &late), ADMISSION_HELD);
    assert_true(control.rate <= 0);
    assert_int_equal(control_admission_step(&control, &late), ADMISSION_LOWERED);
    assert_true(control.rate < 1000 && control.rate > 700);
}

/* Load that begins at the end of a quiet second. */
static void where_load_begins_is_no_measure_of_the_server(void **state)
{
    (void)state;
    struct control_admission control = begun();
    struct admission_seen begins = seen(52, 123, 0), goes_on = seen(900, 150, 0);
    control_admission_step(&control, &begins);
    assert_int_equal(control_admission_step(&control, &goes_on), ADMISSION_LOWERED);
    assert_true(control.rate >= 450);
}

static void the_later_they_are_the_more_it_is_lowered_but_not_below_half(void **state)
{
    (void)state;
    double rates[3];
    static const uint64_t late_ms[] = {45, 60, 5000};
    for (int i = 0; i < 3; i++) {
        struct control_admission control = doubted();
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
    struct control_admission control = doubted();
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
    struct control_admission control = doubted();
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
    struct control_admission control = doubted();
    struct admission_seen late = seen(1000, 60, 0), none = {.ns = SEC_NS, .answered = 700};
    control_admission_step(&control, &late);
    double rate = control.rate;
    assert_int_equal(control_admission_step(&control, &none), ADMISSION_HELD);
    assert_true(fabs(control.rate - rate) < 1e-9);
}

static void a_queue_that_grows_need_not_be_measured(void **state)
{
    (void)state;
    struct control_admission control = doubted();
    struct admission_seen late = seen(1000, 60, 0), few = {.ns = SEC_NS, .answered = 60};
    control_admission_step(&control, &late);
    double rate = control.rate;
    assert_int_equal(control_admission_step(&control, &few), ADMISSION_LOWERED);
    assert_true(fabs(control.rate - rate / 2) < 1);
    for (int i = 0; i < 10; i++)
        control_admission_step(&control, &few);
    assert_true(control.rate > 59 && control.rate < 121);
}

static void it_is_raised_only_while_it_holds_somebody_back(void **state)
{
    (void)state;
    struct control_admission control = doubted();
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
    struct control_admission control = doubted();
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

/* ---- Recorded loads ---- */

/* An interval as the debug log has it. */
struct recorded {
    unsigned ms, answered;
    double p50_ms, p90_ms;
    unsigned refused;
};

static void play(struct control_admission *control, const struct recorded *loads, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct admission_seen seen = {
            .ns = loads[i].ms * MS_NS,
            .answered = loads[i].answered,
            .measured = loads[i].answered,
            .p50_ns = (uint64_t)(loads[i].p50_ms * 1e6),
            .p90_ns = (uint64_t)(loads[i].p90_ms * 1e6),
            .refused = loads[i].refused,
        };
        control_admission_step(control, &seen);
    }
}

/* It has found a rate of about a thousand. */
static struct control_admission settled(void)
{
    static const struct recorded loads[] = {{102, 103, 40, 60, 0}, {105, 101, 25, 35, 90}};
    struct control_admission control = doubted();
    play(&control, loads, 2);
    for (int i = 0; i < 20 && control.rate < 960; i++)
        play(&control, &(struct recorded){100, 97, 12, 20, 95}, 1);
    assert_true(control.rate >= 960 && control.rate < 1010);
    return control;
}

static void a_short_pause_takes_off_little_and_that_is_given_back(void **state)
{
    (void)state;
    struct control_admission control = settled();
    double before = control.rate;
    /* It stood still for 300 ms: those that were in it were late, those after them not. */
    static const struct recorded loads[] = {{475, 104, 12, 141.6, 677}, {110, 100, 3, 5.8, 105}};
    play(&control, loads, 1);
    assert_true(control.rate < before && control.rate > before * 0.85);
    play(&control, loads + 1, 1);
    assert_true(control.rate > before * 0.94);
}

static void after_standing_still_for_a_second_it_is_soon_as_before(void **state)
{
    (void)state;
    struct control_admission control = settled();
    double before = control.rate;
    static const struct recorded still = {1090, 100, 1008, 1052, 1180},
                                 well = {150, 100, 3, 4, 140};
    play(&control, &still, 1);
    assert_true(control.rate > before * 0.49);
    play(&control, &well, 1);
    assert_true(control.rate > before * 0.69);
    int steps = 1;
    for (; steps < 20 && control.rate < before * 0.95; steps++)
        play(&control, &well, 1);
    assert_true(steps <= 7); /* about a second */
}

/* How many intervals it takes in which hardly anybody waits. */
static int intervals_until(struct control_admission *control, double rate)
{
    int steps = 0;
    for (; steps < 30 && control->rate < rate; steps++) {
        unsigned ms = control->rate < 100 ? 1000 : (unsigned)(100000 / control->rate);
        unsigned answered = (unsigned)(control->rate * ms / 1000);
        play(control, &(struct recorded){ms, answered, 1, 2, ms}, 1);
    }
    return steps;
}

static void from_far_below_it_is_back_in_a_few_intervals(void **state)
{
    (void)state;
    struct control_admission control = settled();
    control.rate = 50;
    assert_in_range(intervals_until(&control, 800), 2, 6);
    control.rate = control.best = 50; /* and nothing is known of what the server can do */
    assert_in_range(intervals_until(&control, 800), 4, 9);
}

static void half_the_speed_is_half_the_rate(void **state)
{
    (void)state;
    struct control_admission control = settled();
    static const struct recorded loads[] = {
        {200, 100, 90, 120, 200}, {200, 100, 130, 150, 300}, {200, 100, 30, 40, 300}};
    play(&control, loads, 3);
    assert_true(control.rate > 380 && control.rate < 520);
}

static void pages_that_take_longer_than_the_target_do_not_end_all(void **state)
{
    (void)state;
    struct control_admission control = settled();
    for (int i = 0; i < 100; i++) {
        unsigned answered = control.rate < 40 ? (unsigned)control.rate : 40;
        play(&control, &(struct recorded){1000, answered, 120, 200, 2000 - answered}, 1);
    }
    assert_true(control.rate > 4 && control.rate < 15); /* two at a time */
}

/* ---- Beside a queue ---- */

/* Servers with exponential times, CAPACITY a second together, and OFFERED arrivals a second. Every
 * now and then they have only a part of their speed, or none, for a while. */
struct plant {
    const char *name;
    double capacity, offered, target;
    unsigned servers;
    double seconds;
    double refusal;              /* what it costs, as a share of an answer */
    double every, lasts, slowed; /* seconds; of the speed. EVERY 0: never */
    double used_least, late_most;
    double away, back; /* who reads has no processor for so long, and then one for so long */
    uint32_t cheap;    /* so many were answered in the second before, which cost next to nothing */
    /* What comes of it, after the first quarter: */
    double used; /* of the capacity that there was */
    double late; /* share of the answers */
};

enum { SERVERS_MAX = 16, WAITING_MAX = 1 << 14, MEASURED_MAX = 1 << 11, PIECES_MAX = 1000 };

struct waiting {
    double came, read, ends;
};

struct line {
    const struct plant *plant;
    struct random random;
    struct control_admission control;
    /* How fast it is until when. */
    struct {
        double until, speed;
    } pieces[PIECES_MAX];
    unsigned piece_count, piece;
    /* Those that were let in, by their end. */
    struct waiting waiting[WAITING_MAX];
    unsigned first, count;
    double free_at[SERVERS_MAX];
    double took[MEASURED_MAX];
    uint32_t measured, answered, refused;
    double begun, acted, due;
    uint64_t counts[2]; /* in time, and late */
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

static void add_piece(struct line *line, double until, double speed)
{
    assert_true(line->piece_count < PIECES_MAX);
    line->pieces[line->piece_count].until = until;
    line->pieces[line->piece_count++].speed = speed;
}

static void lay_out(struct line *line)
{
    const struct plant *plant = line->plant;
    double now = 0, end = plant->seconds * 2;
    while (plant->every > 0 && now < plant->seconds) {
        add_piece(line, now += plant->every * (0.5 + random_unit(&line->random)), 1);
        add_piece(line, now += plant->lasts * (0.5 + random_unit(&line->random)), plant->slowed);
    }
    add_piece(line, end > now ? end : now + end, 1);
}

static unsigned piece_at(struct line *line, double now)
{
    while (line->piece > 0 && line->pieces[line->piece - 1].until > now)
        line->piece--;
    while (line->pieces[line->piece].until <= now)
        line->piece++;
    return line->piece;
}

/* When WORK seconds of it that begin at FROM are done. */
static double done_at(struct line *line, double from, double work)
{
    for (unsigned i = piece_at(line, from);; i++) {
        double room = (line->pieces[i].until - from) * line->pieces[i].speed;
        if (room > work)
            return from + work / line->pieces[i].speed;
        work -= room;
        from = line->pieces[i].until;
    }
}

/* Nobody reads while it stands still, nor while who reads has no processor. */
static double read_at(struct line *line, double now)
{
    double turn = line->plant->away + line->plant->back;
    if (turn > 0 && fmod(now, turn) < line->plant->away)
        now += line->plant->away - fmod(now, turn);
    unsigned piece = piece_at(line, now);
    return line->pieces[piece].speed > 0 ? now : line->pieces[piece].until;
}

static double speed_between(const struct line *line, double from, double to)
{
    double sum = 0, begin = 0;
    for (unsigned i = 0; i < line->piece_count; begin = line->pieces[i++].until) {
        double left = begin > from ? begin : from;
        double right = line->pieces[i].until < to ? line->pieces[i].until : to;
        if (right > left)
            sum += (right - left) * line->pieces[i].speed;
    }
    return sum / (to - from);
}

static void end_interval(struct line *line, double now)
{
    struct admission_seen seen = {
        .ns = (uint64_t)((now - line->begun) * 1e9),
        .answered = line->answered,
        .measured = line->measured,
        .refused = line->refused,
    };
    if (!control_admission_is_due(&line->control, seen.ns, seen.measured))
        return;
    uint32_t count = line->measured < MEASURED_MAX ? line->measured : MEASURED_MAX;
    if (count > 0) {
        qsort(line->took, count, sizeof *line->took, ascending);
        seen.p50_ns = (uint64_t)(line->took[(count - 1) / 2] * 1e9);
        seen.p90_ns = (uint64_t)(line->took[(count - 1) * 9 / 10] * 1e9);
    }
    if (control_admission_step(&line->control, &seen) != ADMISSION_HELD)
        line->acted = now;
    line->begun = now;
    line->measured = line->answered = line->refused = 0;
}

static void answer(struct line *line)
{
    struct waiting *next = &line->waiting[line->first++ % WAITING_MAX];
    line->count--;
    line->answered++;
    if (next->read >= line->acted)
        line->took[line->measured++ % MEASURED_MAX] = next->ends - next->read;
    if (next->ends > line->plant->seconds / 4)
        line->counts[next->ends - next->came > line->plant->target]++;
    end_interval(line, next->ends);
}

static double *free_server(struct line *line)
{
    double *server = &line->free_at[0];
    for (unsigned i = 1; i < line->plant->servers; i++)
        if (line->free_at[i] < *server)
            server = &line->free_at[i];
    return server;
}

/* WORK: of a server, in services. When it is over. */
static double serve(struct line *line, double now, double work)
{
    double *server = free_server(line);
    double from = now > *server ? now : *server;
    *server = done_at(line, from, work * line->plant->servers / line->plant->capacity);
    return *server;
}

static void let_in(struct line *line, double came, double read)
{
    struct waiting last = {came, read, serve(line, read, exponential(&line->random, 1))};
    assert_true(line->count < WAITING_MAX);
    unsigned at = line->first + line->count++;
    for (; at > line->first && line->waiting[(at - 1) % WAITING_MAX].ends > last.ends; at--)
        line->waiting[at % WAITING_MAX] = line->waiting[(at - 1) % WAITING_MAX];
    line->waiting[at % WAITING_MAX] = last;
}

/* As intake.c does. */
static bool refuses(struct line *line, double now)
{
    double burst = line->plant->target / 4;
    if (line->control.rate <= 0)
        return false;
    if (line->due < now - burst)
        line->due = now - burst;
    if (line->due > now)
        return true;
    line->due += 1 / line->control.rate;
    return false;
}

static void run(struct plant *plant)
{
    struct line *line = calloc(1, sizeof *line);
    assert_non_null(line);
    line->plant = plant;
    random_seed(&line->random, 7);
    control_admission_init(&line->control, (uint64_t)(plant->target * 1e9));
    if (plant->cheap > 0) {
        struct admission_seen before = seen(plant->cheap, 1, 0);
        assert_int_equal(control_admission_step(&line->control, &before), ADMISSION_HELD);
    }
    lay_out(line);
    for (double now = 0; now < plant->seconds;) {
        now += exponential(&line->random, plant->offered);
        while (line->count > 0 && line->waiting[line->first % WAITING_MAX].ends <= now)
            answer(line);
        double read = read_at(line, now);
        if (!refuses(line, read)) {
            let_in(line, now, read);
        } else {
            line->refused++;
            serve(line, read, plant->refusal);
        }
    }
    double answered = (double)(line->counts[0] + line->counts[1]);
    double speed = speed_between(line, plant->seconds / 4, plant->seconds);
    plant->used = answered / (plant->seconds * 0.75 * plant->capacity * speed);
    plant->late = (double)line->counts[1] / answered;
    free(line);
}

static void run_all(struct plant *plants, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        struct plant *plant = &plants[i];
        run(plant);
        print_message("%s: %.0f of %.0f requests/s in %.0f ms: %.3f used, %.3f late\n", plant->name,
                      plant->capacity, plant->offered, plant->target * 1e3, plant->used,
                      plant->late);
        assert_true(plant->used > plant->used_least);
        assert_true(plant->late < plant->late_most);
    }
}

static void an_overloaded_queue_stays_busy_and_in_time(void **state)
{
    (void)state;
    struct plant plants[] = {
        {"one server", 2000, 4000, 0.05, 1, 40, .used_least = 0.97, .late_most = 0.1},
        {"a fast one", 20000, 40000, 0.05, 1, 10, .used_least = 0.97, .late_most = 0.1},
        {"ten times too many", 2000, 20000, 0.05, 1, 20, .used_least = 0.97, .late_most = 0.12},
        {"ten servers", 500, 2500, 0.2, 10, 60, .used_least = 0.95, .late_most = 0.1},
        {"a slow one", 40, 80, 0.5, 2, 120, .used_least = 0.85, .late_most = 0.15},
        {"refusals cost 5 %", 1000, 2000, 0.1, 2, 40, 0.05, .used_least = 0.91, .late_most = 0.12},
    };
    run_all(plants, sizeof plants / sizeof *plants);
}

/* On a machine that others use, too. */
static void a_disturbed_queue_stays_busy(void **state)
{
    (void)state;
    struct plant plants[] = {
        {"pauses of 30 ms", 1000, 2000, 0.1, 2, 60, 0, 0.2, 0.03, 0, 0.89, 0.15},
        {"pauses of 60 ms", 1000, 2000, 0.1, 2, 60, 0, 0.2, 0.06, 0, 0.82, 0.15},
        {"pauses of 300 ms", 1000, 2000, 0.1, 2, 60, 0, 2, 0.3, 0, 0.90, 0.15},
        {"pauses of 1 s", 1000, 2000, 0.1, 2, 60, 0, 5, 1, 0, 0.90, 0.15},
        {"who reads is away", 1000, 2000, 0.1, 2, 60, 0, 0, 0, 0, 0.85, 0.15, 0.04, 0.04},
        {"half the speed for 2 s", 1000, 2000, 0.1, 2, 120, 0.05, 3, 2, 0.5, 0.75, 0.3},
        {"a tenth for 4 s", 1000, 2000, 0.1, 2, 80, 0, 16, 4, 0.1, 0.9, 0.4},
        {"cheap ones before", 1000, 2000, 0.1, 2, 8, .used_least = 0.95, .late_most = 0.2,
         .cheap = 20000},
    };
    run_all(plants, sizeof plants / sizeof *plants);
}

static void a_queue_with_room_is_left_alone(void **state)
{
    (void)state;
    struct plant plant = {"room", 2000, 1500, 0.05, 1, 20, .late_most = 0.001};
    run_all(&plant, 1);
    assert_true(plant.used > 0.73 && plant.used < 0.77);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interval_is_a_hundred_answers_and_the_target_or_a_second),
        cmocka_unit_test(all_are_let_in_until_they_are_late_twice),
        cmocka_unit_test(where_load_begins_is_no_measure_of_the_server),
        cmocka_unit_test(the_later_they_are_the_more_it_is_lowered_but_not_below_half),
        cmocka_unit_test(it_is_not_lowered_while_the_queue_is_getting_shorter),
        cmocka_unit_test(what_was_taken_off_for_the_queue_is_given_back),
        cmocka_unit_test(what_was_not_measured_changes_nothing),
        cmocka_unit_test(a_queue_that_grows_need_not_be_measured),
        cmocka_unit_test(it_is_raised_only_while_it_holds_somebody_back),
        cmocka_unit_test(ten_quiet_seconds_end_it),
        cmocka_unit_test(a_short_pause_takes_off_little_and_that_is_given_back),
        cmocka_unit_test(after_standing_still_for_a_second_it_is_soon_as_before),
        cmocka_unit_test(from_far_below_it_is_back_in_a_few_intervals),
        cmocka_unit_test(half_the_speed_is_half_the_rate),
        cmocka_unit_test(pages_that_take_longer_than_the_target_do_not_end_all),
        cmocka_unit_test(an_overloaded_queue_stays_busy_and_in_time),
        cmocka_unit_test(a_disturbed_queue_stays_busy),
        cmocka_unit_test(a_queue_with_room_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
