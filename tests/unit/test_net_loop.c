#include "base/check.h"
#include "base/clock.h"
#include "net/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <cmocka.h> /* last: it has a macro named fail */

enum { THREADS = 4, POSTS = 20000 };

/* ---- Posts ---- */

struct counted_post {
    struct post post;
    struct poster *poster;
    unsigned number;
};

struct poster {
    struct loop *loop;
    pthread_t thread;
    struct counted_post *posts;
    unsigned arrived;
    unsigned *total;
};

static void arrive(struct post *post)
{
    struct counted_post *counted = CONTAINER_OF(post, struct counted_post, post);
    struct poster *poster = counted->poster;
    assert_int_equal(counted->number, poster->arrived);
    poster->arrived++;
    if (++*poster->total == THREADS * POSTS)
        loop_stop(poster->loop);
}

static void *post_all(void *argument)
{
    struct poster *poster = argument;
    for (unsigned i = 0; i < POSTS; i++) {
        poster->posts[i] = (struct counted_post){{.run = arrive}, poster, i};
        loop_post(poster->loop, &poster->posts[i].post);
    }
    return NULL;
}

static void every_post_arrives_once_in_the_order_of_its_thread(void **state)
{
    (void)state;
    struct loop *loop = loop_new(NULL);
    struct poster posters[THREADS];
    unsigned total = 0;
    assert_non_null(loop);
    for (int i = 0; i < THREADS; i++) {
        posters[i] = (struct poster){.loop = loop, .total = &total};
        posters[i].posts = calloc(POSTS, sizeof *posters[i].posts);
        assert_non_null(posters[i].posts);
        pthread_create(&posters[i].thread, NULL, post_all, &posters[i]);
    }
    loop_run(loop);
    for (int i = 0; i < THREADS; i++) {
        pthread_join(posters[i].thread, NULL);
        assert_int_equal(posters[i].arrived, POSTS);
        free(posters[i].posts);
    }
    loop_free(loop);
}

struct echo_post {
    struct post post;
    struct loop *loop;
    unsigned left;
};

static void post_again(struct post *post)
{
    struct echo_post *echo = CONTAINER_OF(post, struct echo_post, post);
    if (echo->left-- > 0)
        loop_post(echo->loop, post);
    else
        loop_stop(echo->loop);
}

static void a_post_may_post_itself_again(void **state)
{
    (void)state;
    struct loop *loop = loop_new(NULL);
    struct echo_post echo = {{.run = post_again}, loop, 100};
    loop_post(loop, &echo.post);
    loop_run(loop);
    assert_int_equal(echo.left, UINT32_MAX);
    loop_free(loop);
}

/* ---- Watches ---- */

struct pair {
    struct watch watch;
    struct loop *loop;
    struct pair *other;
    int write_end;
    unsigned ready;
};

static void close_the_other(struct watch *watch, uint32_t events)
{
    struct pair *pair = CONTAINER_OF(watch, struct pair, watch), *other = pair->other;
    assert_true(events & EPOLLIN);
    pair->ready++;
    loop_unwatch(other->loop, &other->watch);
    close(other->watch.fd);
    close(other->write_end);
    /* Whoever still went to it would find this. */
    memset(other, 0x5a, sizeof *other);
}

static void pair_open(struct pair *pair, struct loop *loop, struct pair *other)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    *pair = (struct pair){{ends[0], close_the_other}, loop, other, ends[1], 0};
    assert_int_equal(loop_watch(loop, &pair->watch, EPOLLIN), ERR_OK);
    assert_int_equal(write(ends[1], "x", 1), 1);
}

static void a_watch_removed_in_a_batch_is_not_called(void **state)
{
    (void)state;
    struct loop *loop = loop_new(NULL);
    struct pair a, b;
    pair_open(&a, loop, &b);
    pair_open(&b, loop, &a);
    loop_turn(loop, 1000);
    struct pair *left = a.loop == loop ? &a : &b;
    assert_int_equal(left->ready, 1);
    loop_unwatch(loop, &left->watch);
    close(left->watch.fd);
    close(left->write_end);
    loop_free(loop);
}

/* ---- Timers and soons ---- */

struct ticker {
    struct timer timer;
    struct soon soon;
    struct loop *loop;
    uint64_t due_ns, fired_ns;
    unsigned turns;
};

static void tick(struct timer *timer, uint64_t now_ns)
{
    struct ticker *ticker = CONTAINER_OF(timer, struct ticker, timer);
    ticker->fired_ns = now_ns;
    loop_stop(ticker->loop);
}

static void again(struct soon *soon)
{
    struct ticker *ticker = CONTAINER_OF(soon, struct ticker, soon);
    ticker->turns++;
    loop_soon(ticker->loop, soon);
}

/* And sets the timer when it has had more turns than one. */
static void again_and_tick(struct soon *soon)
{
    struct ticker *ticker = CONTAINER_OF(soon, struct ticker, soon);
    again(soon);
    if (ticker->turns == 2) {
        ticker->due_ns = clock_mono_ns() + 20 * MS_NS;
        loop_timer_set(ticker->loop, &ticker->timer, ticker->due_ns);
    }
}

static void a_timer_fires_when_due_and_soons_do_not_starve_it(void **state)
{
    (void)state;
    struct ticker ticker = {.timer.fire = tick, .soon.run = again_and_tick, .loop = loop_new(NULL)};
    list_init(&ticker.soon.node);
    loop_soon(ticker.loop, &ticker.soon);
    loop_run(ticker.loop);
    assert_true(ticker.turns >= 2);
    assert_true(ticker.fired_ns >= ticker.due_ns);
    loop_soon_cancel(&ticker.soon);
    loop_free(ticker.loop);
}

static void a_soon_runs_once_per_turn(void **state)
{
    (void)state;
    struct ticker ticker = {.soon.run = again, .loop = loop_new(NULL)};
    list_init(&ticker.soon.node);
    loop_soon(ticker.loop, &ticker.soon);
    loop_soon(ticker.loop, &ticker.soon);
    loop_turn(ticker.loop, 1000);
    assert_int_equal(ticker.turns, 1);
    loop_turn(ticker.loop, 1000);
    assert_int_equal(ticker.turns, 2);
    loop_soon_cancel(&ticker.soon);
    loop_turn(ticker.loop, 0);
    assert_int_equal(ticker.turns, 2);
    loop_free(ticker.loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_post_arrives_once_in_the_order_of_its_thread),
        cmocka_unit_test(a_post_may_post_itself_again),
        cmocka_unit_test(a_watch_removed_in_a_batch_is_not_called),
        cmocka_unit_test(a_timer_fires_when_due_and_soons_do_not_starve_it),
        cmocka_unit_test(a_soon_runs_once_per_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
