/* The queue's mutex, when who has it is stopped, or slow, or stopped together with all others. */
#include "queue_bed.h"
#include "tier/steward.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <time.h>

#include <cmocka.h>

enum { LOOKS = 20, SLOW_MS = 2600 }; /* a little longer than who is stopped may have it */

static void who_is_stopped_is_told_by_looks_one_after_the_other(void **state)
{
    (void)state;
    struct queue_stuck stuck = {0};
    for (unsigned i = 1; i < LOOKS; i++)
        assert_false(queue_is_stuck(&stuck, 7, true));
    assert_true(queue_is_stuck(&stuck, 7, true));
}

static void who_goes_on_in_between_is_not_stuck(void **state)
{
    (void)state;
    struct queue_stuck stuck = {0};
    for (unsigned i = 0; i < 10 * LOOKS; i++)
        assert_false(queue_is_stuck(&stuck, 7, i % LOOKS != 0));
    stuck = (struct queue_stuck){0};
    for (unsigned i = 0; i < 10 * LOOKS; i++)
        assert_false(queue_is_stuck(&stuck, 7 + i / (LOOKS - 1), true));
}

/* It tells by a byte to READY that it has the lock, and then stops, or else is slow. */
static void hold(const struct bed *bed, int ready, bool stops)
{
    struct queue *queue = queue_at(bed->dir, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    unsigned seat = queue_take_seat(queue, QUEUE_WORKER);
    unsigned slot = queue_pull(queue, seat, clock_mono_ns());
    CHECK(slot != QUEUE_NONE);
    queue_lock(queue);
    uint64_t until_ns = clock_mono_ns() + SLOW_MS * MS_NS;
    CHECK(write(ready, "", 1) == 1);
    if (stops)
        raise(SIGSTOP);
    while (clock_mono_ns() < until_ns)
        ;
    queue_unlock(queue);
    queue_leave(queue, seat);
    queue_close(queue);
    _exit(0);
}

static pid_t begin_holding(const struct bed *bed, bool stops)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0)
        hold(bed, ready[1], stops);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

static struct steward *begin_watching(struct bed *bed)
{
    struct steward_config config = {.queue = bed->queue};
    struct steward *steward;
    assert_int_equal(steward_new(&config, &steward, NULL), 0);
    return steward;
}

/* What it had is given back, and everything goes on. */
static void who_is_stopped_with_it_is_killed_and_all_go_on(void **state)
{
    struct bed *bed = *state;
    struct steward *steward = begin_watching(bed);
    int status;
    unsigned slot = queue_enter_usual(bed->queue, bed->front, SHARE_BUYS);
    queue_push_one(bed->queue, slot);
    pid_t child = begin_holding(bed, true);
    queue_lock(bed->queue);
    queue_unlock(bed->queue);
    steward_free(steward);
    assert_int_equal(waitpid(child, &status, 0), child);
    queue_sweep(bed->queue); /* unless the steward has */
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(queue_state(bed->queue, slot), QUEUE_LOST);
    queue_release(bed->queue, slot);
}

static void who_is_slow_with_it_is_waited_for(void **state)
{
    struct bed *bed = *state;
    struct steward *steward = begin_watching(bed);
    int status;
    unsigned slot = queue_enter_usual(bed->queue, bed->front, SHARE_BUYS);
    queue_push_one(bed->queue, slot);
    pid_t child = begin_holding(bed, false);
    queue_release(bed->queue, slot);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    steward_free(steward);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_stopped_is_told_by_looks_one_after_the_other),
        cmocka_unit_test(who_goes_on_in_between_is_not_stuck),
        QUEUED(who_is_stopped_with_it_is_killed_and_all_go_on),
        QUEUED(who_is_slow_with_it_is_waited_for),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
