/* Threads of our own, and conditions that are waited for until a time. */
#include "base/clock.h"
#include "base/cond.h"
#include "base/thread.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

struct scene {
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    sigset_t blocked;
    char name[32];
    bool go, done;
};

static void *look(void *context)
{
    struct scene *scene = context;
    pthread_mutex_lock(&scene->mutex);
    while (!scene->go)
        pthread_cond_wait(&scene->changed, &scene->mutex);
    pthread_sigmask(SIG_SETMASK, NULL, &scene->blocked);
    pthread_getname_np(pthread_self(), scene->name, sizeof scene->name);
    scene->done = true;
    pthread_cond_broadcast(&scene->changed);
    pthread_mutex_unlock(&scene->mutex);
    return NULL;
}

static int set_up(void **state)
{
    static struct scene scene;
    memset(&scene, 0, sizeof scene);
    pthread_mutex_init(&scene.mutex, NULL);
    cond_init(&scene.changed);
    *state = &scene;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *scene = *state;
    pthread_cond_destroy(&scene->changed);
    pthread_mutex_destroy(&scene->mutex);
    return 0;
}

static void a_thread_has_its_name_and_takes_no_signals(void **state)
{
    struct scene *scene = *state;
    sigset_t before, after;
    pthread_t thread;
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    assert_int_equal(thread_start(&thread, "stoa-test", look, scene), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    pthread_mutex_lock(&scene->mutex);
    scene->go = true; /* it has been given its name by now */
    pthread_cond_broadcast(&scene->changed);
    pthread_mutex_unlock(&scene->mutex);
    pthread_join(thread, NULL);
    assert_string_equal(scene->name, "stoa-test");
    static const int signals[] = {SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGCHLD};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        assert_true(sigismember(&scene->blocked, signals[i]));
        assert_int_equal(sigismember(&before, signals[i]), sigismember(&after, signals[i]));
    }
}

static void a_wait_ends_at_its_time(void **state)
{
    struct scene *scene = *state;
    uint64_t until_ns = clock_mono_ns() + 20 * MS_NS;
    pthread_mutex_lock(&scene->mutex);
    assert_false(cond_wait_until(&scene->changed, &scene->mutex, 1)); /* long past */
    while (cond_wait_until(&scene->changed, &scene->mutex, until_ns))
        continue;
    pthread_mutex_unlock(&scene->mutex);
    assert_true(clock_mono_ns() >= until_ns);
}

static void a_wait_ends_when_it_is_told(void **state)
{
    struct scene *scene = *state;
    uint64_t until_ns = clock_mono_ns() + 60 * SEC_NS;
    pthread_t thread;
    bool in_time = true;
    scene->go = true;
    assert_int_equal(thread_start(&thread, "stoa-test", look, scene), 0);
    pthread_mutex_lock(&scene->mutex);
    while (!scene->done && in_time)
        in_time = cond_wait_until(&scene->changed, &scene->mutex, until_ns);
    pthread_mutex_unlock(&scene->mutex);
    pthread_join(thread, NULL);
    assert_true(in_time);
    assert_true(clock_mono_ns() < until_ns);
}

int main(void)
{
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_thread_has_its_name_and_takes_no_signals),
        TEST(a_wait_ends_at_its_time),
        TEST(a_wait_ends_when_it_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
