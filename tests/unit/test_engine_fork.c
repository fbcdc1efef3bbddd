#include "engine/fork.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>

#include <cmocka.h> /* last: it has a macro named fail */

static struct app *no_app(void *context, struct engine_config *config, struct failure *failure)
{
    (void)context;
    (void)config;
    failure->err = ERR_DENIED;
    strcpy(failure->text, "not today");
    return NULL;
}

static const struct fork_app none = {.make = no_app};

static enum app_verdict never(struct app *app, struct exchange *x)
{
    (void)app;
    (void)x;
    return APP_DONE;
}

static void nobody_is_left(void)
{
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child at all */
}

static void *wait_for_it(void *barrier)
{
    pthread_barrier_wait(barrier);
    return NULL;
}

static void a_process_with_threads_is_refused(void **state)
{
    (void)state;
    struct app app = {.name = "none", .handle = never};
    struct engine_config config = {.listen_count = 1, .listen[0].address = "127.0.0.1:0"};
    struct engine *engine = NULL;
    struct failure failure = {0};
    pthread_barrier_t barrier;
    pthread_t thread;
    pthread_barrier_init(&barrier, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, wait_for_it, &barrier), 0);
    assert_int_equal(engine_fork.start(&config, &app, &engine, &failure), ERR_STATE);
    assert_non_null(strstr(failure.text, "has 2"));
    assert_null(engine);
    pthread_barrier_wait(&barrier);
    pthread_join(thread, NULL);
    pthread_barrier_destroy(&barrier);
    nobody_is_left();
}

static void a_zygote_that_nobody_needs_ends(void **state)
{
    (void)state;
    struct fork_zygote *zygote = NULL;
    struct failure failure = {0};
    assert_int_equal(fork_zygote_new(&none, &zygote, &failure), 0);
    fork_zygote_free(zygote);
    fork_zygote_free(NULL);
    nobody_is_left();
}

static void what_the_zygote_cannot_do_is_told(void **state)
{
    (void)state;
    struct engine_config config = {.listen_count = 1, .listen[0].address = "127.0.0.1:0"};
    struct engine *engine = NULL;
    struct failure failure = {0};
    assert_int_equal(fork_zygote_new(&none, &config.zygote, &failure), 0);
    assert_int_equal(engine_fork.start(&config, NULL, &engine, &failure), ERR_DENIED);
    assert_string_equal(failure.text, "not today");
    assert_null(engine);
    nobody_is_left();
}

static void figures_are_all_processes(void **state)
{
    (void)state;
    struct app app = {.name = "none", .handle = never};
    struct engine_config config = {.listen_count = 1, .listen[0].address = "127.0.0.1:0"};
    struct engine *engine = NULL;
    struct engine_stats stats;
    struct failure failure = {0};
    assert_int_equal(engine_fork.start(&config, &app, &engine, &failure), 0);
    assert_true(engine_fork.port(engine, 0) > 0);
    engine_fork.stats(engine, &stats);
    assert_int_equal(stats.accepted + stats.crashed, 0);
    engine_fork.stop(engine);
    nobody_is_left();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_with_threads_is_refused),
        cmocka_unit_test(a_zygote_that_nobody_needs_ends),
        cmocka_unit_test(what_the_zygote_cannot_do_is_told),
        cmocka_unit_test(figures_are_all_processes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
