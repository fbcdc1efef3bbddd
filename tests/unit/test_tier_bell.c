/* Who has a seat at the queue hears all news once, at its loop's pace. */
#include "queue_bed.h"
#include "tier/bell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { PATIENCE_MS = 5000, ROUNDS_MAX = 100 };

/* A front that counts what it is told to look at. */
struct hearer {
    struct bell bell;
    struct loop *loop;
    unsigned seen, all, looked;
    uint64_t slots; /* a bit for each that was seen */
    bool endless;   /* each look is followed by more news */
};

static void look(struct bell *bell, unsigned slot)
{
    struct hearer *hearer = CONTAINER_OF(bell, struct hearer, bell);
    hearer->seen++;
    hearer->slots |= 1ull << slot;
    if (hearer->endless)
        queue_tell_front(bell->queue, slot);
}

static void look_at_all(struct bell *bell)
{
    CONTAINER_OF(bell, struct hearer, bell)->all++;
}

static void looked(struct bell *bell)
{
    CONTAINER_OF(bell, struct hearer, bell)->looked++;
}

static const struct bell_kind kind = {
    .look = look,
    .look_at_all = look_at_all,
    .looked = looked,
};

static void start(struct hearer *hearer, const struct bed *bed)
{
    *hearer = (struct hearer){.loop = loop_new(NULL)};
    assert_non_null(hearer->loop);
    assert_int_equal(bell_start(&hearer->bell, &kind, hearer->loop, bed->queue, bed->front, NULL),
                     0);
}

static void stop(struct hearer *hearer)
{
    bell_stop(&hearer->bell);
    loop_free(hearer->loop);
}

static unsigned enter(const struct bed *bed)
{
    unsigned slot = queue_enter_usual(bed->queue, bed->front, SHARE_PAGES);
    assert_int_not_equal(slot, QUEUE_NONE);
    return slot;
}

static void what_was_told_before_it_starts_is_looked_at(void **state)
{
    struct bed *bed = *state;
    struct hearer hearer;
    unsigned slot = enter(bed);
    queue_tell_front(bed->queue, slot);
    start(&hearer, bed);
    assert_int_equal(hearer.seen, 1);
    assert_int_equal(hearer.slots, 1ull << slot);
    assert_int_equal(hearer.looked, 0);
    stop(&hearer);
    queue_release(bed->queue, slot);
}

static void each_slot_that_there_is_news_of_is_looked_at_once(void **state)
{
    struct bed *bed = *state;
    struct hearer hearer;
    unsigned one = enter(bed), other = enter(bed), quiet = enter(bed);
    start(&hearer, bed);
    queue_tell_front(bed->queue, one);
    queue_tell_front(bed->queue, other);
    queue_tell_front(bed->queue, one);
    loop_turn(hearer.loop, PATIENCE_MS);
    assert_int_equal(hearer.seen, 2);
    assert_int_equal(hearer.slots, 1ull << one | 1ull << other);
    assert_int_equal(hearer.looked, 1);
    queue_tell_front(bed->queue, quiet);
    loop_turn(hearer.loop, PATIENCE_MS);
    assert_int_equal(hearer.seen, 3);
    assert_int_equal(hearer.looked, 2);
    assert_int_equal(hearer.all, 0);
    stop(&hearer);
    queue_release(bed->queue, one);
    queue_release(bed->queue, other);
    queue_release(bed->queue, quiet);
}

static void when_somebody_has_gone_all_are_looked_at(void **state)
{
    struct bed *bed = *state;
    struct hearer hearer;
    unsigned other = queue_take_seat(bed->queue, QUEUE_WORKER);
    start(&hearer, bed);
    queue_leave(bed->queue, other);
    loop_turn(hearer.loop, PATIENCE_MS);
    assert_int_equal(hearer.all, 1);
    assert_int_equal(hearer.seen, 0);
    assert_int_equal(hearer.looked, 1);
    stop(&hearer);
}

/* It goes on in turn after turn without a ring, and when there is no more it is rung again. */
static void news_without_end_leaves_the_loop_its_turns(void **state)
{
    struct bed *bed = *state;
    struct hearer hearer;
    unsigned slot = enter(bed), before;
    start(&hearer, bed);
    hearer.endless = true;
    queue_tell_front(bed->queue, slot);
    loop_turn(hearer.loop, PATIENCE_MS);
    assert_in_range(hearer.seen, 1, ROUNDS_MAX);
    before = hearer.seen;
    loop_turn(hearer.loop, PATIENCE_MS);
    assert_in_range(hearer.seen, before + 1, before + ROUNDS_MAX);
    assert_false(queue_hears(bed->queue, bed->front, 0));
    hearer.endless = false;
    loop_turn(hearer.loop, PATIENCE_MS);
    before = hearer.seen;
    queue_tell_front(bed->queue, slot);
    assert_true(queue_hears(bed->queue, bed->front, 0));
    loop_turn(hearer.loop, PATIENCE_MS);
    assert_int_equal(hearer.seen, before + 1);
    stop(&hearer);
    queue_release(bed->queue, slot);
}

static void one_that_has_stopped_hears_nothing(void **state)
{
    struct bed *bed = *state;
    struct hearer hearer;
    unsigned slot = enter(bed);
    start(&hearer, bed);
    queue_tell_front(bed->queue, slot);
    bell_stop(&hearer.bell);
    loop_turn(hearer.loop, 0);
    assert_int_equal(hearer.seen, 0);
    assert_int_equal(hearer.looked, 0);
    loop_free(hearer.loop);
    queue_release(bed->queue, slot);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUED(what_was_told_before_it_starts_is_looked_at),
        QUEUED(each_slot_that_there_is_news_of_is_looked_at_once),
        QUEUED(when_somebody_has_gone_all_are_looked_at),
        QUEUED(news_without_end_leaves_the_loop_its_turns),
        QUEUED(one_that_has_stopped_hears_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
