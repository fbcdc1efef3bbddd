/* The queue when one of its processes dies between any two instructions of what it does. A child is
 * led step by step into each of the queue's functions, and killed there; then the others go on, and
 * nothing is lost, doubled or nobody's. */
#include "base/random.h"
#include "queue_fixture.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cmocka.h>

/* A step costs the kernel some 15 µs where the processor is a virtual one: hence so many in all for
 * each act, and other deaths each time the test is run. */
enum {
    STEPS_IN_ALL = 10000,
    DEATHS_LEAST = 4,
    DEATHS_MOST = 60,
    STEPS_MAX = 200000,
    LATE = 1,
    TRAP_FLAG = 0x100,
};

/* The parent has a front and a worker, who live; the child one of its own, who dies. */
struct bed {
    char dir[FOLDER_PATH];
    struct queue *queue;
    unsigned front, worker;
};

/* What the child prepares, and what it dies in. Both with the queue as it has opened it. */
struct plot {
    const char *name;
    unsigned (*prepare)(struct bed *own, unsigned seat); /* the slot that `act` is about */
    void (*act)(struct queue *queue, unsigned seat, unsigned slot);
    enum queue_role role;
};

/* Of the process that is being led, on its way through one function; `steps` its parent sees too.
 */
static struct {
    unsigned *steps, most;
    volatile sig_atomic_t over;
} way;

static int set_up(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    way.steps =
        mmap(NULL, sizeof *way.steps, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(way.steps != MAP_FAILED);
    folder_make(bed->dir);
    bed->queue = queue_at(bed->dir, &queue_usual);
    bed->front = queue_take_seat(bed->queue, QUEUE_FRONT);
    bed->worker = queue_take_seat(bed->queue, QUEUE_WORKER);
    *state = bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    queue_leave(bed->queue, bed->front);
    queue_leave(bed->queue, bed->worker);
    queue_close(bed->queue);
    folder_remove(bed->dir);
    munmap(way.steps, sizeof *way.steps);
    free(bed);
    return 0;
}

/* ---- Children ---- */

/* Whether the processor traps after the next instruction of who is interrupted in CONTEXT. */
static void set_trap(ucontext_t *context, bool on)
{
    greg_t *flags = &context->uc_mcontext.gregs[REG_EFL];
    *flags = on ? *flags | TRAP_FLAG : *flags & ~TRAP_FLAG;
}

/* After each instruction. */
static void step(int signal, siginfo_t *about, void *context)
{
    (void)signal, (void)about;
    set_trap(context, !way.over);
    if ((*way.steps)++ == way.most)
        raise(SIGKILL);
}

static void play(const struct bed *bed, const struct plot *plot)
{
    struct sigaction action = {.sa_sigaction = step, .sa_flags = SA_SIGINFO};
    struct bed own = *bed;
    own.queue = queue_at(bed->dir, NULL);
    unsigned seat = queue_take_seat(own.queue, plot->role);
    unsigned slot = plot->prepare ? plot->prepare(&own, seat) : QUEUE_NONE;
    for (unsigned i = 0; i <= seat + 2; i++)
        CHECK(queue_bell(own.queue, i) >= 0); /* to open one is a long way */
    sigaction(SIGTRAP, &action, NULL);
    raise(SIGTRAP);
    plot->act(own.queue, seat, slot);
    way.over = 1;
    raise(SIGKILL);
}

/* A child goes MOST steps through the act, or to its end, and is dead; how many it went. */
static unsigned die_after(const struct bed *bed, const struct plot *plot, unsigned most)
{
    int status;
    *way.steps = 0;
    way.most = most;
    pid_t child = fork();
    if (child == 0)
        play(bed, plot);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return *way.steps;
}

/* One that does its part to the end and is killed, but not swept. */
static void leave_dead(const struct bed *bed, void (*act)(struct queue *, const struct bed *))
{
    int status;
    pid_t child = fork();
    if (child == 0) {
        struct queue *queue = queue_at(bed->dir, NULL);
        act(queue, bed);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

/* ---- What must be true when it is dead ---- */

/* The front that lives gets an answer to each of its requests, and is told when it must look. */
static void finish_own(struct bed *bed)
{
    struct queue *queue = bed->queue;
    for (unsigned i = 0; i < queue_slots(queue); i++) {
        if (atomic_load(&queue_slot(queue, i)->front) != bed->front)
            continue;
        if (queue_state(queue, i) == QUEUE_LOST) {
            assert_true(queue_refill(queue, i));
            queue_facts(queue, i)->deadline_ns = UINT64_MAX;
        }
        if (queue_state(queue, i) == QUEUE_FILLING)
            queue_push_one(queue, i);
    }
    for (unsigned slot; (slot = queue_pull(queue, bed->worker, clock_mono_ns())) != QUEUE_NONE;)
        queue_answer(queue, slot, 1000);
    for (unsigned i = 0; i < queue_slots(queue); i++)
        if (queue_state(queue, i) != QUEUE_FREE &&
            atomic_load(&queue_slot(queue, i)->front) == bed->front) {
            if (queue_state(queue, i) == QUEUE_TAKEN)
                queue_answer(queue, i, 1000);
            assert_int_equal(queue_state(queue, i), QUEUE_DONE);
            queue_release(queue, i);
        }
}

/* What the dead one's front had is the living worker's to let go. */
static void let_abandoned_go(struct bed *bed)
{
    struct queue *queue = bed->queue;
    for (unsigned i = 0; i < queue_slots(queue); i++) {
        if (queue_state(queue, i) != QUEUE_ABANDONED && queue_state(queue, i) != QUEUE_TAKEN)
            continue;
        if (atomic_load(&queue_slot(queue, i)->worker) == bed->worker)
            queue_answer(queue, i, 1000);
    }
}

static void quiet(struct queue *queue, unsigned seat)
{
    queue_wake(queue, seat);
    while (queue_news(queue, seat, 0) != QUEUE_NONE)
        ;
    assert_true(queue_park(queue, seat));
}

static void check_and_clear(struct bed *bed, const char *when)
{
    struct queue *queue = bed->queue;
    struct queue_seat_view seats[QUEUE_SEATS];
    const char *fault;
    queue_sweep(queue);
    /* Whatever it had begun: everybody looks. */
    if (!queue_hears(queue, bed->front, 0) || !queue_hears(queue, bed->worker, 0))
        fail_msg("%s: nobody rang", when);
    if ((fault = queue_find_fault(queue)) != NULL)
        fail_msg("%s: %s", when, fault);
    let_abandoned_go(bed);
    finish_own(bed);
    if ((fault = queue_find_fault(queue)) != NULL)
        fail_msg("%s, in the end: %s", when, fault);
    if (queue_count_state(queue, QUEUE_FREE) != queue_slots(queue))
        fail_msg("%s: a slot is lost", when);
    assert_int_equal(queue_seats(queue, seats, QUEUE_SEATS), 2);
    quiet(queue, bed->front);
    quiet(queue, bed->worker);
}

/* How many deaths there is time for in an act of TOTAL steps. */
static unsigned deaths_in(unsigned total)
{
    unsigned deaths = 2 * STEPS_IN_ALL / total;
    return deaths < DEATHS_LEAST ? DEATHS_LEAST : deaths > DEATHS_MOST ? DEATHS_MOST : deaths;
}

/* The first one gets to the end, to see how far that is; the others die evenly all over the way,
 * each somewhere in its part of it. BEFORE is done by the parent each time, CHECK after it. */
static void die_with(struct bed *bed, const struct plot *plot, void (*before)(struct bed *),
                     void (*check)(struct bed *, const char *))
{
    struct random random;
    unsigned total = 0, deaths = 0;
    char when[64];
    random_seed(&random, clock_mono_ns());
    for (unsigned i = 0; i <= deaths; i++) {
        if (before)
            before(bed);
        unsigned part = i > 0 ? total / deaths : 0;
        unsigned most =
            i > 0 ? (i - 1) * part + (unsigned)random_below(&random, part + 1) : STEPS_MAX;
        unsigned went = die_after(bed, plot, most);
        total = i > 0 ? total : went;
        deaths = i > 0 ? deaths : deaths_in(total);
        snprintf(when, sizeof when, "%s, after %u of %u steps", plot->name, went, total);
        check(bed, when);
    }
    assert_in_range(total, 20, STEPS_MAX - 1);
}

static void die_everywhere(struct bed *bed, const struct plot *plot, void (*before)(struct bed *))
{
    quiet(bed->queue, bed->front);
    quiet(bed->queue, bed->worker);
    die_with(bed, plot, before, check_and_clear);
}

/* ---- Fronts ---- */

static void enter_and_push(struct queue *queue, unsigned seat, unsigned slot)
{
    slot = queue_enter_usual(queue, seat, SHARE_CARTS);
    queue_push_one(queue, slot);
}

static void a_front_dies_while_it_queues(void **state)
{
    static const struct plot plot = {"push", NULL, enter_and_push, QUEUE_FRONT};
    die_everywhere(*state, &plot, NULL);
}

static void own_waits(struct bed *bed)
{
    unsigned slot = queue_enter_usual(bed->queue, bed->front, SHARE_PAGES);
    queue_push_one(bed->queue, slot);
}

static void a_front_dies_while_it_queues_behind_others(void **state)
{
    static const struct plot plot = {"push", NULL, enter_and_push, QUEUE_FRONT};
    die_everywhere(*state, &plot, own_waits);
}

static unsigned wait_one(struct bed *own, unsigned seat)
{
    unsigned slot = queue_enter_usual(own->queue, seat, SHARE_CARTS);
    queue_push_one(own->queue, slot);
    return slot;
}

static void release_slot(struct queue *queue, unsigned seat, unsigned slot)
{
    (void)seat;
    queue_release(queue, slot);
}

static void a_front_dies_while_it_takes_one_out(void **state)
{
    static const struct plot plot = {"release", wait_one, release_slot, QUEUE_FRONT};
    die_everywhere(*state, &plot, own_waits);
}

/* The living worker has it. */
static unsigned have_taken(struct bed *own, unsigned seat)
{
    unsigned slot = wait_one(own, seat);
    CHECK(queue_pull(own->queue, own->worker, 0) == slot);
    return slot;
}

static void a_front_dies_while_it_abandons_one(void **state)
{
    static const struct plot plot = {"abandon", have_taken, release_slot, QUEUE_FRONT};
    die_everywhere(*state, &plot, NULL);
}

static unsigned have_done(struct bed *own, unsigned seat)
{
    unsigned slot = have_taken(own, seat);
    queue_answer(own->queue, slot, 1000);
    return slot;
}

static void a_front_dies_while_it_gives_an_answered_one_back(void **state)
{
    static const struct plot plot = {"release", have_done, release_slot, QUEUE_FRONT};
    die_everywhere(*state, &plot, NULL);
}

static unsigned have_overdue(struct bed *own, unsigned seat)
{
    unsigned slot = queue_enter_usual(own->queue, seat, SHARE_CARTS);
    queue_facts(own->queue, slot)->deadline_ns = LATE;
    queue_push_one(own->queue, slot);
    return slot;
}

static void expire_slot(struct queue *queue, unsigned seat, unsigned slot)
{
    (void)seat;
    CHECK(queue_expire(queue, slot, 2 * LATE));
}

static void a_front_dies_while_it_drops_an_overdue_one(void **state)
{
    static const struct plot plot = {"expire", have_overdue, expire_slot, QUEUE_FRONT};
    die_everywhere(*state, &plot, own_waits);
}

static void leave_seat(struct queue *queue, unsigned seat, unsigned slot)
{
    (void)slot;
    queue_leave(queue, seat);
}

static void a_front_dies_while_it_leaves(void **state)
{
    static const struct plot plot = {"leave", have_taken, leave_seat, QUEUE_FRONT};
    die_everywhere(*state, &plot, NULL);
}

/* ---- Workers ---- */

static void pull_one(struct queue *queue, unsigned seat, unsigned slot)
{
    (void)slot;
    CHECK(queue_pull(queue, seat, clock_mono_ns()) != QUEUE_NONE);
}

static void three_wait(struct bed *bed)
{
    for (unsigned i = 0; i < 3; i++) {
        unsigned slot = queue_enter_usual(bed->queue, bed->front, SHARE_PAGES);
        queue_push_one(bed->queue, slot);
    }
}

static void a_worker_dies_while_it_pulls(void **state)
{
    static const struct plot plot = {"pull", NULL, pull_one, QUEUE_WORKER};
    die_everywhere(*state, &plot, three_wait);
}

static void pull_overdue(struct queue *queue, unsigned seat, unsigned slot)
{
    (void)slot;
    queue_pull(queue, seat, 2 * LATE);
}

/* Dropped by the worker, or by nobody: those whose state says so are released. */
static void release_dropped(struct bed *bed)
{
    for (unsigned i = 0; i < queue_slots(bed->queue); i++)
        if (queue_state(bed->queue, i) == QUEUE_DROPPED)
            queue_release(bed->queue, i);
}

static void two_overdue(struct bed *bed)
{
    release_dropped(bed);
    for (unsigned i = 0; i < 2; i++) {
        unsigned slot = queue_enter_usual(bed->queue, bed->front, SHARE_PAGES);
        queue_facts(bed->queue, slot)->deadline_ns = LATE;
        queue_push_one(bed->queue, slot);
    }
}

static void check_dropped(struct bed *bed, const char *when)
{
    struct queue *queue = bed->queue;
    queue_sweep(queue);
    const char *fault = queue_find_fault(queue);
    if (fault)
        fail_msg("%s: %s", when, fault);
    assert_int_equal(queue_pull(queue, bed->worker, 2 * LATE), QUEUE_NONE);
    assert_int_equal(queue_count_state(queue, QUEUE_DROPPED), 2);
    assert_null(queue_find_fault(queue));
}

static void a_worker_dies_while_it_drops_overdue_ones(void **state)
{
    static const struct plot plot = {"drop", NULL, pull_overdue, QUEUE_WORKER};
    die_with(*state, &plot, two_overdue, check_dropped);
    release_dropped(*state);
}

static unsigned have_pulled(struct bed *own, unsigned seat)
{
    return queue_pull(own->queue, seat, 0);
}

static void finish_slot(struct queue *queue, unsigned seat, unsigned slot)
{
    (void)seat;
    queue_answer(queue, slot, 1000);
}

static void a_worker_dies_while_it_says_that_it_is_done(void **state)
{
    static const struct plot plot = {"done", have_pulled, finish_slot, QUEUE_WORKER};
    die_everywhere(*state, &plot, three_wait);
}

/* Its front has gone: the parent's lets it go while the child has it. */
static unsigned have_abandoned(struct bed *own, unsigned seat)
{
    unsigned slot = queue_pull(own->queue, seat, 0);
    queue_release(own->queue, slot);
    return slot;
}

static void a_worker_dies_while_it_lets_an_abandoned_one_go(void **state)
{
    static const struct plot plot = {"let go", have_abandoned, finish_slot, QUEUE_WORKER};
    die_everywhere(*state, &plot, three_wait);
}

static void a_worker_dies_while_it_leaves(void **state)
{
    static const struct plot plot = {"leave", have_pulled, leave_seat, QUEUE_WORKER};
    die_everywhere(*state, &plot, three_wait);
}

/* ---- Who sweeps ---- */

static void sweep(struct queue *queue, unsigned seat, unsigned slot)
{
    (void)seat, (void)slot;
    CHECK(queue_sweep(queue) > 0);
}

static void die_with_two(struct queue *queue, const struct bed *bed)
{
    unsigned seat = queue_take_seat(queue, QUEUE_WORKER);
    (void)bed;
    queue_pull(queue, seat, 0);
    queue_pull(queue, seat, 0);
}

static void a_worker_is_dead(struct bed *bed)
{
    three_wait(bed);
    leave_dead(bed, die_with_two);
}

/* It may not join, for who joins sweeps. */
static unsigned bury_first(struct bed *own, unsigned seat)
{
    (void)seat;
    a_worker_is_dead(own);
    return QUEUE_NONE;
}

static void who_gives_back_what_a_dead_worker_had_dies(void **state)
{
    static const struct plot plot = {"sweep", bury_first, sweep, QUEUE_FRONT};
    die_everywhere(*state, &plot, NULL);
}

/* One waits, one is at work, one is answered. */
static void die_with_three(struct queue *queue, const struct bed *bed)
{
    unsigned seat = queue_take_seat(queue, QUEUE_FRONT);
    for (unsigned i = 0; i < 3; i++)
        queue_push_one(queue, queue_enter_usual(queue, seat, SHARE_BUYS));
    queue_answer(queue, queue_pull(queue, bed->worker, 0), 1000);
    queue_pull(queue, bed->worker, 0);
}

static unsigned bury_front(struct bed *own, unsigned seat)
{
    (void)seat;
    leave_dead(own, die_with_three);
    return QUEUE_NONE;
}

static void who_takes_away_what_a_dead_front_had_dies(void **state)
{
    static const struct plot plot = {"sweep", bury_front, sweep, QUEUE_WORKER};
    die_everywhere(*state, &plot, NULL);
}

/* Without a seat, so that nobody would miss it. */
static void leave_and_sweep(struct queue *queue, unsigned seat, unsigned slot)
{
    (void)seat, (void)slot;
    queue_sweep(queue);
}

static unsigned stand_up(struct bed *own, unsigned seat)
{
    queue_leave(own->queue, seat);
    a_worker_is_dead(own);
    quiet(own->queue, own->front);
    quiet(own->queue, own->worker);
    return QUEUE_NONE;
}

static void who_sweeps_and_has_no_seat_dies(void **state)
{
    static const struct plot plot = {"sweep", stand_up, leave_and_sweep, QUEUE_WORKER};
    die_everywhere(*state, &plot, NULL);
}

#define STEPS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        STEPS(a_front_dies_while_it_queues),
        STEPS(a_front_dies_while_it_queues_behind_others),
        STEPS(a_front_dies_while_it_takes_one_out),
        STEPS(a_front_dies_while_it_abandons_one),
        STEPS(a_front_dies_while_it_gives_an_answered_one_back),
        STEPS(a_front_dies_while_it_drops_an_overdue_one),
        STEPS(a_front_dies_while_it_leaves),
        STEPS(a_worker_dies_while_it_pulls),
        STEPS(a_worker_dies_while_it_drops_overdue_ones),
        STEPS(a_worker_dies_while_it_says_that_it_is_done),
        STEPS(a_worker_dies_while_it_lets_an_abandoned_one_go),
        STEPS(a_worker_dies_while_it_leaves),
        STEPS(who_gives_back_what_a_dead_worker_had_dies),
        STEPS(who_takes_away_what_a_dead_front_had_dies),
        STEPS(who_sweeps_and_has_no_seat_dies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
