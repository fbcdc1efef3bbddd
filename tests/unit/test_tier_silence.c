#include "base/clock.h"
#include "tier/silence.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* last: it has a macro named fail */

#define LIMIT_NS (2 * SEC_NS)

enum { STEP_MS = 100, PID = 42 };

struct watcher {
    struct silence silence;
    struct queue_seat_view seat;
    uint64_t now_ns;
    uint32_t pid; /* who was named last; 0: nobody */
};

static struct watcher watcher(void)
{
    return (struct watcher){
        .seat = {.role = QUEUE_WORKER, .seat = 3, .pid = PID, .is_near = true},
        .now_ns = 100 * SEC_NS,
    };
}

/* Looks once a step for NS; how often somebody was named. */
static unsigned watch(struct watcher *w, uint64_t ns, bool beats)
{
    unsigned named = 0;
    for (uint64_t end = w->now_ns + ns; w->now_ns < end; w->now_ns += STEP_MS * MS_NS) {
        if (beats)
            w->seat.report.beat_ns = w->now_ns;
        named += silence_look(&w->silence, &w->seat, 1, w->now_ns, LIMIT_NS, &w->pid);
    }
    return named;
}

static void one_that_beats_is_left_alone(void **state)
{
    struct watcher w = watcher();
    (void)state;
    assert_int_equal(watch(&w, 60 * SEC_NS, true), 0);
}

static void one_that_does_not_is_named_after_the_limit(void **state)
{
    struct watcher w = watcher();
    (void)state;
    watch(&w, SEC_NS, true);
    assert_int_equal(watch(&w, LIMIT_NS - STEP_MS * MS_NS, false), 0);
    assert_int_equal(watch(&w, 3 * STEP_MS * MS_NS, false), 1);
    assert_int_equal(w.pid, PID);
}

static void after_a_while_without_looking_counting_begins_anew(void **state)
{
    struct watcher w = watcher();
    (void)state;
    watch(&w, LIMIT_NS - 2 * STEP_MS * MS_NS, false);
    w.now_ns += 60 * SEC_NS; /* the machine was stopped */
    assert_int_equal(watch(&w, LIMIT_NS - STEP_MS * MS_NS, false), 0);
}

static void the_next_in_the_same_seat_is_another(void **state)
{
    struct watcher w = watcher();
    (void)state;
    watch(&w, LIMIT_NS - STEP_MS * MS_NS, false);
    w.seat.pid = PID + 1;
    assert_int_equal(watch(&w, LIMIT_NS - STEP_MS * MS_NS, false), 0);
}

static void fronts_and_those_of_other_containers_are_not_looked_at(void **state)
{
    struct watcher front = watcher(), far = watcher();
    (void)state;
    front.seat.role = QUEUE_FRONT;
    far.seat.is_near = false;
    assert_int_equal(watch(&front, 3 * LIMIT_NS, false), 0);
    assert_int_equal(watch(&far, 3 * LIMIT_NS, false), 0);
}

/* ---- Processes ---- */

enum { SPACE = 9, MASTER = 100, FOLLOWER, WORKER, SEATS = 5 };

/* A master of two loops, a follower of two, and a worker, as one of them sees them. */
struct tiers {
    struct silence silence;
    struct silence_watch watch;
    struct queue_seat_view seats[SEATS];
    uint64_t now_ns;
    unsigned named[WORKER + 1]; /* by pid, how often */
};

static void seat_at(struct tiers *t, unsigned seat, enum queue_role role, uint32_t pid)
{
    t->seats[seat] = (struct queue_seat_view){
        .role = role, .seat = seat, .pid = pid, .space = SPACE, .is_near = true};
}

static struct tiers tiers_seen_by(uint32_t pid)
{
    struct tiers t = {.watch = {{pid, SPACE}, {MASTER, SPACE}}, .now_ns = 100 * SEC_NS};
    seat_at(&t, 0, QUEUE_FRONT, MASTER);
    seat_at(&t, 1, QUEUE_FRONT, FOLLOWER);
    seat_at(&t, 2, QUEUE_WORKER, WORKER);
    seat_at(&t, 3, QUEUE_FRONT, MASTER);
    seat_at(&t, 4, QUEUE_FRONT, FOLLOWER);
    return t;
}

/* Looks for NS, while the seats of the set BEATING beat. */
static void go(struct tiers *t, uint64_t ns, unsigned beating)
{
    unsigned places[SEATS];
    for (uint64_t end = t->now_ns + ns; t->now_ns < end; t->now_ns += silence_pause_ns(LIMIT_NS)) {
        for (unsigned i = 0; i < SEATS; i++)
            if (beating >> i & 1)
                t->seats[i].report.beat_ns = t->now_ns;
        unsigned count = silence_look_at_processes(&t->silence, &t->watch, t->seats, SEATS,
                                                   t->now_ns, LIMIT_NS, places);
        for (unsigned i = 0; i < count; i++)
            t->named[t->seats[places[i]].pid]++;
    }
}

static void the_leader_names_fronts_and_workers_but_never_itself(void **state)
{
    struct tiers t = tiers_seen_by(MASTER);
    (void)state;
    go(&t, LIMIT_NS, 0);
    assert_int_equal(t.named[FOLLOWER] + t.named[WORKER], 0);
    go(&t, LIMIT_NS, 0);
    assert_int_equal(t.named[FOLLOWER], 1);
    assert_int_equal(t.named[WORKER], 1);
    assert_int_equal(t.named[MASTER], 0);
}

static void a_follower_names_the_leader_alone(void **state)
{
    struct tiers t = tiers_seen_by(FOLLOWER);
    (void)state;
    go(&t, 2 * LIMIT_NS, 0);
    assert_int_equal(t.named[MASTER], 1);
    assert_int_equal(t.named[FOLLOWER] + t.named[WORKER], 0);
}

/* Others have hung with the leader: they need not be waited for from the beginning. */
static void who_leads_next_knows_since_when_others_are_silent(void **state)
{
    struct tiers t = tiers_seen_by(FOLLOWER);
    (void)state;
    go(&t, 2 * LIMIT_NS, 0);
    t.watch.leader.pid = FOLLOWER;
    go(&t, silence_pause_ns(LIMIT_NS), 0);
    assert_int_equal(t.named[WORKER], 1);
}

static void without_a_leader_nobody_is_named(void **state)
{
    struct tiers t = tiers_seen_by(FOLLOWER);
    (void)state;
    t.watch.leader.pid = 0;
    go(&t, 5 * LIMIT_NS, 0);
    assert_int_equal(t.named[MASTER] + t.named[FOLLOWER] + t.named[WORKER], 0);
}

static void a_process_with_a_loop_that_beats_is_left_alone(void **state)
{
    struct tiers t = tiers_seen_by(FOLLOWER);
    (void)state;
    go(&t, 20 * LIMIT_NS, 1u << 3); /* the master's second */
    assert_int_equal(t.named[MASTER], 0);
    go(&t, LIMIT_NS, 0);
    assert_int_equal(t.named[MASTER], 1);
}

static void far_ones_are_not_watched_whatever_their_pid(void **state)
{
    struct tiers t = tiers_seen_by(FOLLOWER);
    (void)state;
    for (unsigned i = 0; i < SEATS; i++)
        t.seats[i].is_near = false;
    go(&t, 5 * LIMIT_NS, 0);
    assert_int_equal(t.named[MASTER], 0);
    t = tiers_seen_by(FOLLOWER);
    t.seats[0].space = t.seats[3].space = SPACE + 1; /* its pid is another's here */
    go(&t, 5 * LIMIT_NS, 0);
    assert_int_equal(t.named[MASTER], 0);
}

/* All are stopped, this one as well, again and again, and each time hardly one beat is between. */
static void those_who_are_stopped_together_and_go_on_together_are_left_alone(void **state)
{
    struct tiers t = tiers_seen_by(MASTER);
    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        t.now_ns += (i + 1) * LIMIT_NS / 10;
        go(&t, 1, 0); /* it goes on before the others do */
        go(&t, 1, ~0u);
    }
    assert_int_equal(t.named[FOLLOWER] + t.named[WORKER], 0);
}

static void who_beats_after_all_is_not_ended(void **state)
{
    struct tiers t = tiers_seen_by(FOLLOWER);
    const struct queue_process master = {MASTER, SPACE}, gone = {MASTER + 50, SPACE};
    (void)state;
    go(&t, 2 * LIMIT_NS, 0);
    assert_true(silence_goes_on(&t.silence, master, t.seats, SEATS));
    assert_false(silence_goes_on(&t.silence, gone, t.seats, SEATS));
    t.seats[3].report.beat_ns = t.now_ns;
    assert_false(silence_goes_on(&t.silence, master, t.seats, SEATS));
}

static void looks_are_some_in_a_limit_and_one_a_second_at_most(void **state)
{
    (void)state;
    assert_int_equal(silence_pause_ns(5 * SEC_NS), SEC_NS);
    assert_int_equal(silence_pause_ns(3600 * SEC_NS), SEC_NS);
    assert_int_equal(silence_pause_ns(500 * MS_NS), 100 * MS_NS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_that_beats_is_left_alone),
        cmocka_unit_test(one_that_does_not_is_named_after_the_limit),
        cmocka_unit_test(after_a_while_without_looking_counting_begins_anew),
        cmocka_unit_test(the_next_in_the_same_seat_is_another),
        cmocka_unit_test(fronts_and_those_of_other_containers_are_not_looked_at),
        cmocka_unit_test(the_leader_names_fronts_and_workers_but_never_itself),
        cmocka_unit_test(a_follower_names_the_leader_alone),
        cmocka_unit_test(who_leads_next_knows_since_when_others_are_silent),
        cmocka_unit_test(without_a_leader_nobody_is_named),
        cmocka_unit_test(a_process_with_a_loop_that_beats_is_left_alone),
        cmocka_unit_test(far_ones_are_not_watched_whatever_their_pid),
        cmocka_unit_test(those_who_are_stopped_together_and_go_on_together_are_left_alone),
        cmocka_unit_test(who_beats_after_all_is_not_ended),
        cmocka_unit_test(looks_are_some_in_a_limit_and_one_a_second_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
