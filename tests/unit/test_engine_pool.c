#include "base/check.h"
#include "base/thread.h"
#include "engine/pool.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>

#include <cmocka.h> /* last: it has a macro named fail */

enum { WORKERS = 6, PATIENCE_S = 20 };

struct stand {
    struct app app;
    struct engine *engine;
    atomic_uint begun; /* workers' threads */
    bool no_more;      /* there are to be */
    unsigned seats;    /* that can be prepared */
};

static void *start_thread(struct app *app, struct loop *loop)
{
    struct stand *stand = CONTAINER_OF(app, struct stand, app);
    (void)loop;
    return stand->seats-- > 0 ? stand : NULL;
}

static enum app_verdict never(struct app *app, struct exchange *x)
{
    (void)app;
    (void)x;
    return APP_DONE;
}

/* In place of thread.h's (--wrap). A worker's begins while others can get at the queue. */
int __wrap_thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *context);
int __wrap_thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *context)
{
    if (strcmp(name, "stoa-worker") == 0) {
        struct pool_engine *engine = ((struct pool_worker *)context)->engine;
        struct stand *stand = CONTAINER_OF(engine->base.app, struct stand, app);
        struct timespec until = {.tv_sec = time(NULL) + PATIENCE_S};
        CHECK(pthread_mutex_timedlock(&engine->lock, &until) == 0); /* a worker may have it */
        pthread_mutex_unlock(&engine->lock);
        if (stand->no_more)
            return 1;
        atomic_fetch_add(&stand->begun, 1);
    }
    return thread_start_as(thread, NULL, name, run, context);
}

static struct pool_engine *pool_of(const struct stand *stand)
{
    return CONTAINER_OF(stand->engine, struct pool_engine, base);
}

static void stand_open(struct stand *stand)
{
    const struct engine_config config = {
        .listen_count = 1, .listen[0].address = "127.0.0.1:0", .workers = WORKERS};
    struct failure failure = {0};
    *stand = (struct stand){.app = {.name = "stand", .handle = never}};
    assert_int_equal(engine_pool.start(&config, &stand->app, &stand->engine, &failure), 0);
    assert_int_equal(stand->begun, WORKERS);
}

static uint64_t workers(const struct stand *stand)
{
    struct engine_stats stats;
    engine_pool.stats(stand->engine, &stats);
    return stats.workers;
}

static void await_workers(const struct stand *stand, uint64_t count)
{
    while (workers(stand) != count)
        sched_yield();
}

static void those_that_are_too_many_end_and_those_that_lack_begin(void **state)
{
    (void)state;
    struct stand stand;
    stand_open(&stand);
    for (unsigned i = 1; i <= 20; i++) {
        assert_true(pool_resize(pool_of(&stand), 2));
        await_workers(&stand, 2);
        while (workers(&stand) < WORKERS) /* as one that ends yet has its place still */
            assert_true(pool_resize(pool_of(&stand), 2 * WORKERS));
        assert_int_equal(workers(&stand), WORKERS);
        assert_int_equal(stand.begun, WORKERS + i * (WORKERS - 2));
    }
    engine_pool.stop(stand.engine);
}

static void without_more_threads_it_goes_on_with_those_it_has(void **state)
{
    (void)state;
    struct stand stand;
    stand_open(&stand);
    assert_true(pool_resize(pool_of(&stand), 3));
    await_workers(&stand, 3);
    stand.no_more = true;
    while (pool_resize(pool_of(&stand), WORKERS)) /* as long as all that end have their places */
        sched_yield();
    assert_int_equal(workers(&stand), 3);
    stand.no_more = false;
    while (workers(&stand) < WORKERS)
        assert_true(pool_resize(pool_of(&stand), WORKERS));
    engine_pool.stop(stand.engine);
}

static void without_a_seat_for_each_worker_it_does_not_begin(void **state)
{
    (void)state;
    const struct engine_config config = {
        .listen_count = 1, .listen[0].address = "127.0.0.1:0", .workers = WORKERS};
    struct stand stand = {.app = {.name = "stand", .handle = never, .thread_start = start_thread},
                          .seats = WORKERS - 1};
    struct failure failure = {0};
    assert_int_equal(engine_pool.start(&config, &stand.app, &stand.engine, &failure), ERR_IO);
    assert_int_equal(stand.begun, WORKERS - 1);
    assert_null(stand.engine);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_that_are_too_many_end_and_those_that_lack_begin),
        cmocka_unit_test(without_more_threads_it_goes_on_with_those_it_has),
        cmocka_unit_test(without_a_seat_for_each_worker_it_does_not_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
