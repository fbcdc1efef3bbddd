#include "base/check.h"
#include "engine/offload.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

/* An engine's side of it: counts what comes back, and a gate that holds helpers up. */
struct bench {
    struct app app;
    struct exchange_runner runner;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;               /* the gate */
    unsigned held, returned; /* at the gate; through resume */
    unsigned worked;         /* app.work calls that passed the gate */
    atomic_uint started, stopped;
    unsigned start_fails_at; /* this thread_start, counted from 1, gives NULL */
};

static void resume(struct exchange_runner *runner, struct exchange *x)
{
    struct bench *bench = CONTAINER_OF(runner, struct bench, runner);
    (void)x;
    pthread_mutex_lock(&bench->lock);
    bench->returned++;
    pthread_cond_broadcast(&bench->changed);
    pthread_mutex_unlock(&bench->lock);
}

static enum app_verdict pass_gate(struct app *app, struct exchange *x)
{
    struct bench *bench = CONTAINER_OF(app, struct bench, app);
    CHECK(x->thread_state == &bench->started);
    pthread_mutex_lock(&bench->lock);
    bench->held++;
    pthread_cond_broadcast(&bench->changed);
    while (!bench->open)
        pthread_cond_wait(&bench->changed, &bench->lock);
    bench->held--;
    bench->worked++;
    pthread_mutex_unlock(&bench->lock);
    return APP_DONE;
}

static void *start_thread(struct app *app, struct loop *loop)
{
    (void)loop;
    struct bench *bench = CONTAINER_OF(app, struct bench, app);
    return atomic_fetch_add(&bench->started, 1) + 1 == bench->start_fails_at ? NULL
                                                                             : &bench->started;
}

static void stop_thread(struct app *app, void *state)
{
    struct bench *bench = CONTAINER_OF(app, struct bench, app);
    CHECK(state == &bench->started);
    atomic_fetch_add(&bench->stopped, 1);
}

static void bench_open(struct bench *bench)
{
    *bench = (struct bench){
        .app = {.name = "bench",
                .work = pass_gate,
                .thread_start = start_thread,
                .thread_stop = stop_thread},
        .runner.resume = resume,
    };
    pthread_mutex_init(&bench->lock, NULL);
    pthread_cond_init(&bench->changed, NULL);
}

static void wait_for(struct bench *bench, const unsigned *count, unsigned wanted)
{
    pthread_mutex_lock(&bench->lock);
    while (*count < wanted)
        pthread_cond_wait(&bench->changed, &bench->lock);
    pthread_mutex_unlock(&bench->lock);
}

static void open_gate(struct bench *bench)
{
    pthread_mutex_lock(&bench->lock);
    bench->open = true;
    pthread_cond_broadcast(&bench->changed);
    pthread_mutex_unlock(&bench->lock);
}

static void the_queue_is_bounded_and_everything_in_it_is_done(void **state)
{
    (void)state;
    struct bench bench;
    struct exchange x[5];
    bench_open(&bench);
    struct offload *offload = offload_new(&bench.app, 2, 2, NULL);
    assert_non_null(offload);
    memset(x, 0, sizeof x);
    for (int i = 0; i < 5; i++)
        x[i].runner = &bench.runner;
    assert_true(offload_submit(offload, &x[0]));
    assert_true(offload_submit(offload, &x[1]));
    wait_for(&bench, &bench.held, 2);
    assert_true(offload_submit(offload, &x[2]));
    assert_true(offload_submit(offload, &x[3]));
    assert_int_equal(offload_waiting(offload), 2);
    assert_false(offload_submit(offload, &x[4]));
    open_gate(&bench);
    wait_for(&bench, &bench.returned, 4);
    assert_int_equal(bench.worked, 4);
    assert_int_equal(offload_waiting(offload), 0);
    offload_free(offload);
    assert_int_equal(bench.started, 2);
    assert_int_equal(bench.stopped, 2);
}

static void what_waits_is_given_back_undone_when_abandoned(void **state)
{
    (void)state;
    struct bench bench;
    struct exchange x[3];
    bench_open(&bench);
    struct offload *offload = offload_new(&bench.app, 1, 10, NULL);
    memset(x, 0, sizeof x);
    for (int i = 0; i < 3; i++) {
        x[i].runner = &bench.runner;
        assert_true(offload_submit(offload, &x[i]));
    }
    wait_for(&bench, &bench.held, 1);
    offload_abandon(offload);
    open_gate(&bench);
    wait_for(&bench, &bench.returned, 3);
    assert_int_equal(bench.worked, 1);
    offload_free(offload);
}

static void mark(struct exchange *x)
{
    x->status = 207;
}

static void an_exchange_may_bring_its_own_work(void **state)
{
    (void)state;
    struct bench bench;
    bench_open(&bench);
    struct offload *offload = offload_new(&bench.app, 1, 1, NULL);
    struct exchange x = {.runner = &bench.runner, .work = mark, .step = mark};
    assert_true(offload_submit(offload, &x));
    wait_for(&bench, &bench.returned, 1);
    assert_int_equal(x.status, 207);
    assert_int_equal(bench.worked, 0);
    assert_true(x.step == mark);
    offload_free(offload);
}

static void a_thread_that_cannot_start_stops_the_others(void **state)
{
    (void)state;
    struct bench bench;
    struct failure failure = {0};
    bench_open(&bench);
    bench.start_fails_at = 2;
    assert_null(offload_new(&bench.app, 3, 1, &failure));
    assert_int_equal(failure.err, ERR_STATE);
    assert_int_equal(bench.stopped, bench.started - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_queue_is_bounded_and_everything_in_it_is_done),
        cmocka_unit_test(what_waits_is_given_back_undone_when_abandoned),
        cmocka_unit_test(an_exchange_may_bring_its_own_work),
        cmocka_unit_test(a_thread_that_cannot_start_stops_the_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
