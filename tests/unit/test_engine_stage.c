#include "base/clock.h"
#include "engine/control_threads.h"
#include "engine/stage.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* last: it has a macro named fail */

enum { MANY = 1000, ROOM = 64, MOST = 4 };

struct bed {
    struct app app;
    struct seats *seats;
    struct stage *stage;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    unsigned one; /* what is put in */
    /* Under the lock: */
    unsigned done, most_at_once, inside;
    bool held; /* whoever handles waits */
};

static void handle(void *context, struct seat *seat, void **items, unsigned count)
{
    struct bed *bed = context;
    assert_non_null(seat);
    pthread_mutex_lock(&bed->lock);
    bed->inside++;
    pthread_cond_broadcast(&bed->changed);
    while (bed->held)
        pthread_cond_wait(&bed->changed, &bed->lock);
    bed->inside--;
    for (unsigned i = 0; i < count; i++)
        bed->done += *(unsigned *)items[i];
    if (count > bed->most_at_once)
        bed->most_at_once = count;
    pthread_cond_broadcast(&bed->changed);
    pthread_mutex_unlock(&bed->lock);
}

static void set_up(struct bed *bed, unsigned least, bool singly)
{
    struct failure failure = {0};
    *bed = (struct bed){.app = {.name = "test"}, .one = 1};
    pthread_mutex_init(&bed->lock, NULL);
    pthread_cond_init(&bed->changed, NULL);
    assert_int_equal(seats_new(&bed->app, MOST, &bed->seats, &failure), 0);
    struct stage_config config = {
        .name = "test",
        .thread = "test",
        .queue_max = ROOM,
        .least = least,
        .most = MOST,
        .singly = singly,
        .handle = handle,
        .context = bed,
        .seats = bed->seats,
    };
    assert_int_equal(stage_new(&config, &bed->stage, &failure), 0);
}

static void tear_down(struct bed *bed)
{
    stage_end(bed->stage);
    stage_free(bed->stage);
    seats_free(bed->seats);
    pthread_cond_destroy(&bed->changed);
    pthread_mutex_destroy(&bed->lock);
}

static void hold(struct bed *bed, bool held)
{
    pthread_mutex_lock(&bed->lock);
    bed->held = held;
    pthread_cond_broadcast(&bed->changed);
    pthread_mutex_unlock(&bed->lock);
}

static void await_inside(struct bed *bed, unsigned count)
{
    pthread_mutex_lock(&bed->lock);
    while (bed->inside < count)
        pthread_cond_wait(&bed->changed, &bed->lock);
    pthread_mutex_unlock(&bed->lock);
}

static void await_done(struct bed *bed, unsigned count)
{
    pthread_mutex_lock(&bed->lock);
    while (bed->done < count)
        pthread_cond_wait(&bed->changed, &bed->lock);
    pthread_mutex_unlock(&bed->lock);
}

static void put(struct bed *bed, unsigned count)
{
    void *items[ROOM];
    assert_true(count <= ROOM);
    for (unsigned i = 0; i < count; i++)
        items[i] = &bed->one;
    assert_true(stage_put(bed->stage, items, count));
}

/* All its threads are kept busy. */
static void set_up_busy(struct bed *bed, unsigned threads, bool singly)
{
    set_up(bed, threads, singly);
    hold(bed, true);
    for (unsigned i = 1; i <= threads; i++) {
        put(bed, 1);
        await_inside(bed, i);
    }
}

static void what_is_put_in_is_handled_once(void **state)
{
    struct bed bed;
    (void)state;
    set_up(&bed, 2, false);
    for (unsigned i = 1; i <= MANY; i++) {
        put(&bed, 1);
        if (i % ROOM == 0)
            await_done(&bed, i);
    }
    await_done(&bed, MANY);
    tear_down(&bed);
    assert_int_equal(bed.done, MANY);
}

static void what_has_no_room_is_refused_as_a_whole(void **state)
{
    struct bed bed;
    void *items[2] = {&bed, &bed};
    struct engine_stage look;
    (void)state;
    set_up_busy(&bed, 1, true);
    put(&bed, ROOM - 1);
    assert_false(stage_put(bed.stage, items, 2));
    stage_look(bed.stage, &look);
    assert_int_equal(look.queued, ROOM - 1);
    put(&bed, 1);
    assert_false(stage_put(bed.stage, items, 1));
    hold(&bed, false);
    await_done(&bed, ROOM + 1);
    tear_down(&bed);
    assert_int_equal(bed.most_at_once, 1);
}

static void a_batch_is_a_threads_share(void **state)
{
    struct bed bed;
    (void)state;
    set_up_busy(&bed, 2, false);
    put(&bed, 20);
    hold(&bed, false);
    await_done(&bed, 22);
    tear_down(&bed);
    assert_true(bed.most_at_once > 1 && bed.most_at_once <= 10);
}

static void a_long_queue_gets_another_thread(void **state)
{
    struct bed bed;
    struct engine_stage look;
    (void)state;
    set_up_busy(&bed, 1, true);
    put(&bed, CONTROL_THREADS_QUEUE + 2);
    uint64_t now_ns = clock_mono_ns();
    stage_control(bed.stage, now_ns + CONTROL_THREADS_NS);
    await_inside(&bed, 2);
    stage_control(bed.stage, now_ns + CONTROL_THREADS_NS + 1); /* too soon */
    stage_look(bed.stage, &look);
    assert_int_equal(look.threads, 2);
    assert_int_equal(look.queued, CONTROL_THREADS_QUEUE + 1);
    hold(&bed, false);
    await_done(&bed, CONTROL_THREADS_QUEUE + 3);
    tear_down(&bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_put_in_is_handled_once),
        cmocka_unit_test(what_has_no_room_is_refused_as_a_whole),
        cmocka_unit_test(a_batch_is_a_threads_share),
        cmocka_unit_test(a_long_queue_gets_another_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
