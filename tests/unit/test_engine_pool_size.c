#include "base/check.h"
#include "base/clock.h"
#include "engine/pool_size.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

/* ---- A pool of workers on a few processors, in steps of a quarter of a millisecond ---- */

enum { STEP_US = 250, STEPS = 400 /* an interval: 0.1 s */, CLIENTS = 1000 };

/* Each client asks again when it has its answer. */
struct load {
    unsigned clients;
    unsigned cpu_us, block_us; /* of a request, on the average: first the one, then the other */
};

struct job {
    double cpu_us, block_us;
    uint64_t asked_us, begun_us;
};

struct machine {
    struct load load;
    unsigned cores;
    uint64_t now_us, random;
    struct job running[POOL_SIZE_MOST];
    unsigned busy;
    uint64_t queue[CLIENTS]; /* since when they wait: a ring */
    unsigned first, waiting;
};

/* Between a half and one and a half of MEAN. */
static double about(struct machine *machine, unsigned mean)
{
    machine->random = machine->random * 6364136223846793005u + 1442695040888963407u;
    return mean * (0.5 + (double)(machine->random >> 11) / (double)(1ull << 53));
}

static void ask(struct machine *machine)
{
    machine->queue[(machine->first + machine->waiting++) % CLIENTS] = machine->now_us;
}

static void begin_jobs(struct machine *machine, unsigned workers, struct pool_sample *sample)
{
    while (machine->busy < workers && machine->waiting > 0) {
        struct job *job = &machine->running[machine->busy++];
        *job = (struct job){.cpu_us = about(machine, machine->load.cpu_us),
                            .block_us = about(machine, machine->load.block_us),
                            .asked_us = machine->queue[machine->first],
                            .begun_us = machine->now_us};
        machine->first = (machine->first + 1) % CLIENTS;
        machine->waiting--;
        sample->waited_ns += (job->begun_us - job->asked_us) * 1000;
    }
}

static void end_job(struct machine *machine, unsigned i, struct pool_sample *sample)
{
    sample->turns++;
    machine->running[i] = machine->running[--machine->busy];
    if (machine->busy + machine->waiting < machine->load.clients)
        ask(machine);
}

/* Those that compute share the processors. */
static void step(struct machine *machine, unsigned workers, struct pool_sample *sample)
{
    unsigned computing = 0;
    begin_jobs(machine, workers, sample);
    for (unsigned i = 0; i < machine->busy; i++)
        computing += machine->running[i].cpu_us > 0;
    double share = computing > machine->cores ? (double)machine->cores / computing : 1;
    machine->now_us += STEP_US;
    for (unsigned i = machine->busy; i-- > 0;) {
        struct job *job = &machine->running[i];
        sample->busy_ns += STEP_US * 1000;
        if (job->cpu_us > 0) {
            job->cpu_us -= STEP_US * share;
            sample->cpu_ns += (uint64_t)(STEP_US * share) * 1000;
        } else {
            job->block_us -= STEP_US;
        }
        if (job->cpu_us <= 0 && job->block_us <= 0)
            end_job(machine, i, sample);
    }
}

static void set_load(struct machine *machine, struct load load)
{
    machine->load = load;
    while (machine->busy + machine->waiting < load.clients)
        ask(machine);
}

static void machine_init(struct machine *machine, struct load load)
{
    memset(machine, 0, sizeof *machine);
    machine->cores = 2;
    machine->random = 1;
    set_load(machine, load);
}

/* ---- What the controller did ---- */

struct outcome {
    unsigned workers;   /* at the end, trials apart */
    unsigned moves;     /* in the last half: trials and their ends, too */
    double turns_per_s; /* in the last half */
};

static struct outcome run(struct machine *machine, struct pool_size *size, unsigned seconds)
{
    struct outcome outcome = {0};
    unsigned intervals = seconds * 10;
    uint64_t turns = 0;
    for (unsigned i = 0; i < intervals; i++) {
        struct pool_sample sample = {.length_ns = STEPS * STEP_US * 1000ull};
        struct pool_decision decision;
        for (unsigned s = 0; s < STEPS; s++)
            step(machine, size->workers, &sample);
        sample.busy_now = machine->busy;
        sample.waiting = machine->waiting;
        pool_size_observe(size, &sample, &decision);
        assert_in_range(decision.to, 1, POOL_SIZE_MOST);
        assert_int_equal(decision.to, size->workers);
        if (i < intervals / 2)
            continue;
        turns += sample.turns;
        outcome.moves += decision.to != decision.with;
    }
    outcome.workers = size->last;
    outcome.turns_per_s = (double)turns / (seconds - seconds / 2.0);
    return outcome;
}

static const struct load computing = {.clients = 64, .cpu_us = 4000};
static const struct load blocking = {.clients = 200, .cpu_us = 250, .block_us = 50000};
static const struct load mixed = {.clients = 100, .cpu_us = 4000, .block_us = 8000};

static void what_computes_gets_about_as_many_as_there_are_processors(void **state)
{
    struct machine machine;
    struct pool_size size;
    (void)state;
    machine_init(&machine, computing);
    pool_size_init(&size, 2);
    struct outcome outcome = run(&machine, &size, 120);
    assert_in_range(outcome.workers, 2, 3);
    assert_true(outcome.turns_per_s > 0.93 * 500);
}

static void what_blocks_gets_many(void **state)
{
    struct machine machine;
    struct pool_size size;
    (void)state;
    machine_init(&machine, blocking);
    pool_size_init(&size, 2);
    struct outcome outcome = run(&machine, &size, 30);
    assert_in_range(outcome.workers, 128, POOL_SIZE_MOST);
    assert_true(outcome.turns_per_s > 0.9 * 3980);
}

static void what_does_both_gets_some(void **state)
{
    struct machine machine;
    struct pool_size size;
    (void)state;
    machine_init(&machine, mixed);
    pool_size_init(&size, 2);
    struct outcome outcome = run(&machine, &size, 60);
    assert_in_range(outcome.workers, 4, 24);
    assert_true(outcome.turns_per_s > 0.85 * 500);
}

/* The longest pause is over and begins again several times. */
static void a_load_that_does_not_change_is_left_alone(void **state)
{
    static const struct load loads[] = {computing, blocking, mixed};
    static const double most[] = {500, 3980, 500}; /* turns/s */
    (void)state;
    for (size_t i = 0; i < COUNT_OF(loads); i++) {
        struct machine machine;
        struct pool_size size;
        machine_init(&machine, loads[i]);
        pool_size_init(&size, 2);
        unsigned settled = run(&machine, &size, 60).workers;
        struct outcome outcome = run(&machine, &size, 600);
        assert_in_range(outcome.workers, settled / 2, 2 * settled);
        assert_true(outcome.moves < 80); /* in 300 s */
        assert_true(outcome.turns_per_s > 0.9 * most[i]);
    }
}

static void a_change_of_load_is_followed(void **state)
{
    struct machine machine;
    struct pool_size size;
    (void)state;
    machine_init(&machine, computing);
    pool_size_init(&size, 2);
    run(&machine, &size, 600);
    set_load(&machine, blocking);
    assert_in_range(run(&machine, &size, 40).workers, 128, POOL_SIZE_MOST);
    run(&machine, &size, 600);
    set_load(&machine, computing);
    assert_in_range(run(&machine, &size, 60).workers, 2, 4);
    set_load(&machine, mixed);
    assert_in_range(run(&machine, &size, 60).workers, 4, 24);
}

static void there_are_no_more_than_the_bound(void **state)
{
    static const struct load endless = {.clients = CLIENTS, .cpu_us = 50, .block_us = 100000};
    struct machine machine;
    struct pool_size size;
    (void)state;
    machine_init(&machine, endless);
    pool_size_init(&size, 2);
    assert_int_equal(run(&machine, &size, 60).workers, POOL_SIZE_MOST);
}

/* But there stays one for each processor. */
static void who_has_nothing_to_do_goes(void **state)
{
    struct machine machine;
    struct pool_size size;
    (void)state;
    machine_init(&machine, blocking);
    pool_size_init(&size, 2);
    run(&machine, &size, 60);
    set_load(&machine, (struct load){.clients = 1, .cpu_us = 250, .block_us = 50000});
    assert_int_equal(run(&machine, &size, 120).workers, 2);
    set_load(&machine, (struct load){0});
    assert_int_equal(run(&machine, &size, 60).workers, 2);
}

static unsigned after_standstill(struct pool_size *size, unsigned waiting, uint64_t cpu_ns)
{
    struct pool_decision decision;
    const struct pool_sample sample = {
        .length_ns = 100 * MS_NS,
        .busy_ns = 100 * MS_NS * size->workers,
        .cpu_ns = cpu_ns,
        .busy_now = size->workers,
        .waiting = waiting,
    };
    pool_size_observe(size, &sample, &decision);
    return decision.to;
}

static void when_all_are_blocked_there_are_more_at_once(void **state)
{
    struct pool_size size;
    (void)state;
    pool_size_init(&size, 2);
    assert_int_equal(after_standstill(&size, 1, 0), 3);
    assert_int_equal(after_standstill(&size, 100, 0), 6);
    assert_int_equal(after_standstill(&size, 100, 0), 12);
    for (int i = 0; i < 10; i++)
        after_standstill(&size, 10000, 0);
    assert_int_equal(size.workers, POOL_SIZE_MOST);
}

static void who_computes_for_long_is_not_blocked(void **state)
{
    struct pool_size size;
    (void)state;
    pool_size_init(&size, 2);
    assert_int_equal(after_standstill(&size, 100, 150 * MS_NS), 2);
    assert_int_equal(after_standstill(&size, 0, 0), 2); /* and who is alone holds nobody up */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_computes_gets_about_as_many_as_there_are_processors),
        cmocka_unit_test(what_blocks_gets_many),
        cmocka_unit_test(what_does_both_gets_some),
        cmocka_unit_test(a_load_that_does_not_change_is_left_alone),
        cmocka_unit_test(a_change_of_load_is_followed),
        cmocka_unit_test(there_are_no_more_than_the_bound),
        cmocka_unit_test(who_has_nothing_to_do_goes),
        cmocka_unit_test(when_all_are_blocked_there_are_more_at_once),
        cmocka_unit_test(who_computes_for_long_is_not_blocked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
