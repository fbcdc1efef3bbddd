/* Who waits for this server's copy is woken when it has got there, and not before. */
#include "base/check.h"
#include "base/clock.h"
#include "replica/await.h"
#include "replica/ordering.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

struct waiter {
    struct awaiting awaiting;
    int err; /* -1: not told */
    uint64_t *last;
};

static void told(struct awaiting *awaiting, int err)
{
    struct waiter *waiter = CONTAINER_OF(awaiting, struct waiter, awaiting);
    assert_int_equal(waiter->err, -1);
    waiter->err = err;
    if (waiter->last != NULL && err == 0) {
        assert_true(*waiter->last <= awaiting->index);
        *waiter->last = awaiting->index;
    }
}

static struct waiter waiter_for(uint64_t index, uint64_t deadline_ns)
{
    return (struct waiter){.awaiting = {.index = index, .deadline_ns = deadline_ns, .done = told},
                           .err = -1};
}

static void who_asks_for_what_is_there_does_not_wait(void **state)
{
    (void)state;
    struct awaits awaits;
    awaits_init(&awaits);
    awaits_applied(&awaits, 7);
    struct waiter waiter = waiter_for(7, 100);
    assert_true(awaits_add(&awaits, &waiter.awaiting));
    assert_int_equal(waiter.err, -1);
    awaits_destroy(&awaits);
}

static void a_commit_wakes_whom_it_reaches_in_order_and_nobody_else(void **state)
{
    (void)state;
    enum { WAITERS = 2000 };
    struct awaits awaits;
    awaits_init(&awaits);
    struct waiter *waiters = calloc(WAITERS, sizeof *waiters);
    uint64_t last = 0;
    uint32_t mixed = 1;
    for (unsigned i = 0; i < WAITERS; i++) {
        mixed = mixed * 1664525u + 1013904223u;
        waiters[i] = waiter_for(1 + (mixed >> 8) % 1000, 1 << 20);
        waiters[i].last = &last;
        assert_false(awaits_add(&awaits, &waiters[i].awaiting));
    }
    for (uint64_t applied = 50; applied <= 1000; applied += 50) {
        last = 0;
        awaits_applied(&awaits, applied);
        for (unsigned i = 0; i < WAITERS; i++)
            assert_int_equal(waiters[i].err, waiters[i].awaiting.index <= applied ? 0 : -1);
    }
    assert_int_equal(atomic_load(&awaits.count), 0);
    awaits_destroy(&awaits);
    free(waiters);
}

static void who_is_late_is_told_and_the_others_go_on_waiting(void **state)
{
    (void)state;
    enum { WAITERS = 300 };
    struct awaits awaits;
    awaits_init(&awaits);
    struct waiter waiters[WAITERS];
    for (unsigned i = 0; i < WAITERS; i++) {
        waiters[i] = waiter_for(1 + i * 7 % 100, 1000 + i % 3 * 500);
        assert_false(awaits_add(&awaits, &waiters[i].awaiting));
    }
    awaits_expire(&awaits, 999);
    assert_int_equal(atomic_load(&awaits.count), WAITERS);
    awaits_expire(&awaits, 1499);
    for (unsigned i = 0; i < WAITERS; i++)
        assert_int_equal(waiters[i].err, i % 3 == 0 ? ERR_TIMEOUT : -1);
    awaits_applied(&awaits, 50);
    awaits_expire(&awaits, 1500);
    awaits_close(&awaits);
    for (unsigned i = 0; i < WAITERS; i++) {
        int expected = i % 3 == 0                                ? ERR_TIMEOUT
                       : waiters[i].awaiting.index <= 50         ? 0
                       : waiters[i].awaiting.deadline_ns == 1500 ? ERR_TIMEOUT
                                                                 : ERR_CLOSED;
        assert_int_equal(waiters[i].err, expected);
    }
    assert_int_equal(atomic_load(&awaits.count), 0);
    awaits_destroy(&awaits);
}

static void nobody_waits_on_a_server_that_stops(void **state)
{
    (void)state;
    struct awaits awaits;
    awaits_init(&awaits);
    awaits_close(&awaits);
    struct waiter waiter = waiter_for(1, 100);
    assert_false(awaits_add(&awaits, &waiter.awaiting));
    assert_int_equal(waiter.err, ERR_CLOSED);
    awaits_destroy(&awaits);
}

/* ---- With the applier and waiters on threads of their own ---- */

enum { RACERS = 4, EACH = 20000 };

struct race {
    struct ordering order;
    atomic_bool failed;
};

static void *wait_often(void *context)
{
    struct race *race = context;
    for (uint64_t index = 1; index <= EACH; index++)
        if (order_await_wait(&race->order, index, 20000) != 0 ||
            order_applied(&race->order) < index)
            atomic_store(&race->failed, true);
    return NULL;
}

static void no_wake_up_is_lost_between_threads(void **state)
{
    (void)state;
    struct race *race = calloc(1, sizeof *race);
    ordering_init(&race->order, 10, 1000, 1000, NULL, NULL);
    pthread_t threads[RACERS];
    for (unsigned i = 0; i < RACERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, wait_often, race), 0);
    for (uint64_t index = 1; index <= EACH; index++)
        ordering_applied(&race->order, index, 0);
    for (unsigned i = 0; i < RACERS; i++)
        pthread_join(threads[i], NULL);
    assert_false(atomic_load(&race->failed));
    ordering_destroy(&race->order);
    free(race);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_asks_for_what_is_there_does_not_wait),
        cmocka_unit_test(a_commit_wakes_whom_it_reaches_in_order_and_nobody_else),
        cmocka_unit_test(who_is_late_is_told_and_the_others_go_on_waiting),
        cmocka_unit_test(nobody_waits_on_a_server_that_stops),
        cmocka_unit_test(no_wake_up_is_lost_between_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
