/* The central queue: every way that a slot may go, who is next, and who is told. */
#include "base/random.h"
#include "queue_bed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { SLOTS = 16, PINGS = 20000, PATIENCE_MS = 20000 };

static unsigned push_one(struct bed *bed, enum share_class class)
{
    unsigned slot = queue_enter_usual(bed->queue, bed->front, class);
    assert_int_not_equal(slot, QUEUE_NONE);
    queue_push_one(bed->queue, slot);
    return slot;
}

static unsigned pull_one(struct bed *bed)
{
    return queue_pull(bed->queue, bed->worker, clock_mono_ns());
}

static void check_state(struct bed *bed, unsigned slot, enum queue_state state)
{
    assert_int_equal(queue_state(bed->queue, slot), state);
}

/* ---- A slot's life ---- */

static void put_text(struct pipe pipe, const char *text)
{
    assert_int_equal(pipe_put(&pipe, text, strlen(text)), strlen(text));
    pipe_end(&pipe);
}

static void check_text(struct pipe pipe, const char *text)
{
    struct iovec pieces[2];
    assert_int_equal(pipe_peek(&pipe, pieces), 1);
    assert_int_equal(pieces[0].iov_len, strlen(text));
    assert_memory_equal(pieces[0].iov_base, text, strlen(text));
    pipe_take(&pipe, pieces[0].iov_len);
    assert_true(pipe_is_over(&pipe));
}

static void a_request_goes_up_and_its_answer_down(void **state)
{
    struct bed *bed = *state;
    struct queue_stats stats;
    for (unsigned i = 0; i < 3 * SLOTS; i++) {
        unsigned slot = queue_enter_usual(bed->queue, bed->front, SHARE_BUYS);
        check_state(bed, slot, QUEUE_FILLING);
        put_text(queue_up(bed->queue, slot), "one mug, please");
        queue_push_one(bed->queue, slot);
        check_state(bed, slot, QUEUE_QUEUED);
        assert_int_equal(pull_one(bed), slot);
        check_state(bed, slot, QUEUE_TAKEN);
        check_text(queue_up(bed->queue, slot), "one mug, please");
        put_text(queue_down(bed->queue, slot), "sold");
        queue_answer(bed->queue, slot, 70000);
        check_state(bed, slot, QUEUE_DONE);
        assert_int_equal(queue_news(bed->queue, bed->front, 0), slot);
        check_text(queue_down(bed->queue, slot), "sold");
        queue_release(bed->queue, slot);
        check_state(bed, slot, QUEUE_FREE);
    }
    queue_look(bed->queue, clock_mono_ns(), &stats);
    assert_int_equal(stats.entered[SHARE_BUYS], 3 * SLOTS);
    assert_int_equal(stats.done[SHARE_BUYS], 3 * SLOTS);
    assert_int_equal(stats.work_ns[SHARE_BUYS], 3 * SLOTS * 70000ull);
    assert_int_equal(stats.held[SHARE_BUYS], 0);
}

static void those_of_a_class_come_in_their_order(void **state)
{
    struct bed *bed = *state;
    unsigned slots[6];
    for (unsigned i = 0; i < 6; i++)
        slots[i] = push_one(bed, SHARE_PAGES);
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(pull_one(bed), slots[i]);
    assert_int_equal(pull_one(bed), QUEUE_NONE);
}

static void the_front_may_let_go_at_any_time(void **state)
{
    struct bed *bed = *state;
    struct queue *queue = bed->queue;
    unsigned filling = queue_enter_usual(queue, bed->front, SHARE_CARTS);
    unsigned taken = push_one(bed, SHARE_CARTS);
    assert_int_equal(pull_one(bed), taken);
    unsigned done = push_one(bed, SHARE_CARTS);
    assert_int_equal(pull_one(bed), done);
    queue_answer(queue, done, 1);
    unsigned before = push_one(bed, SHARE_CARTS), waits = push_one(bed, SHARE_CARTS);
    unsigned after = push_one(bed, SHARE_CARTS);
    queue_release(queue, filling);
    queue_release(queue, taken);
    queue_release(queue, done);
    queue_release(queue, waits);
    check_state(bed, filling, QUEUE_FREE);
    check_state(bed, done, QUEUE_FREE);
    check_state(bed, waits, QUEUE_FREE);
    /* Its worker has it still. */
    check_state(bed, taken, QUEUE_ABANDONED);
    assert_int_equal(queue_news(queue, bed->worker, 0), taken);
    queue_answer(queue, taken, 1);
    check_state(bed, taken, QUEUE_FREE);
    assert_int_equal(pull_one(bed), before);
    assert_int_equal(pull_one(bed), after);
    assert_int_equal(pull_one(bed), QUEUE_NONE);
}

/* A worker of its own takes the next one and goes; what it took is the front's again. */
static void lose(struct bed *bed, unsigned slot)
{
    unsigned other = queue_take_seat(bed->queue, QUEUE_WORKER);
    assert_int_equal(queue_pull(bed->queue, other, clock_mono_ns()), slot);
    struct pipe down = queue_down(bed->queue, slot);
    assert_int_equal(pipe_put(&down, "half of", 7), 7);
    queue_leave(bed->queue, other);
    check_state(bed, slot, QUEUE_LOST);
}

static void what_is_lost_is_pushed_again_and_keeps_its_place(void **state)
{
    struct bed *bed = *state;
    unsigned slot = push_one(bed, SHARE_CARTS), later = push_one(bed, SHARE_CARTS);
    lose(bed, slot);
    assert_int_equal(queue_news(bed->queue, bed->front, 0), slot);
    assert_true(queue_refill(bed->queue, slot));
    check_state(bed, slot, QUEUE_FILLING);
    struct pipe down = queue_down(bed->queue, slot);
    assert_int_equal(pipe_room(&down), queue_usual.pipe_bytes);
    queue_push_one(bed->queue, slot);
    assert_int_equal(pull_one(bed), slot);
    assert_int_equal(pull_one(bed), later);
}

static void a_request_that_kills_workers_is_given_up(void **state)
{
    struct bed *bed = *state;
    unsigned slot = push_one(bed, SHARE_CARTS);
    for (unsigned i = 1; i < QUEUE_ATTEMPTS; i++) {
        lose(bed, slot);
        assert_true(queue_refill(bed->queue, slot));
        queue_push_one(bed->queue, slot);
    }
    lose(bed, slot);
    assert_false(queue_refill(bed->queue, slot));
    check_state(bed, slot, QUEUE_LOST);
    queue_release(bed->queue, slot);
    check_state(bed, slot, QUEUE_FREE);
}

static void a_front_that_leaves_takes_its_requests_along(void **state)
{
    struct bed *bed = *state;
    unsigned other = queue_take_seat(bed->queue, QUEUE_FRONT), slots[3];
    for (unsigned i = 0; i < 3; i++) {
        slots[i] = queue_enter_usual(bed->queue, other, SHARE_PAGES);
        queue_push_one(bed->queue, slots[i]);
    }
    assert_int_equal(pull_one(bed), slots[0]);
    assert_int_equal(pull_one(bed), slots[1]);
    queue_answer(bed->queue, slots[1], 1);
    queue_leave(bed->queue, other);
    check_state(bed, slots[0], QUEUE_ABANDONED);
    check_state(bed, slots[1], QUEUE_FREE);
    check_state(bed, slots[2], QUEUE_FREE);
    assert_int_equal(pull_one(bed), QUEUE_NONE);
    queue_answer(bed->queue, slots[0], 1);
    check_state(bed, slots[0], QUEUE_FREE);
}

/* The front has read all of an answer before its worker says that it is one. */
static void an_answer_that_was_taken_early_counts(void **state)
{
    struct bed *bed = *state;
    struct queue_stats stats;
    unsigned slot = push_one(bed, SHARE_CARTS);
    assert_int_equal(pull_one(bed), slot);
    put_text(queue_down(bed->queue, slot), "sold");
    check_text(queue_down(bed->queue, slot), "sold");
    queue_release(bed->queue, slot);
    queue_answer(bed->queue, slot, 5000);
    queue_look(bed->queue, clock_mono_ns(), &stats);
    assert_int_equal(stats.done[SHARE_CARTS], 1);
    assert_int_equal(stats.work_ns[SHARE_CARTS], 5000);
}

/* ---- Deadlines ---- */

static unsigned push_until(struct bed *bed, enum share_class class, uint64_t deadline_ns)
{
    unsigned slot = queue_enter_usual(bed->queue, bed->front, class);
    assert_int_not_equal(slot, QUEUE_NONE);
    queue_facts(bed->queue, slot)->deadline_ns = deadline_ns;
    queue_push_one(bed->queue, slot);
    return slot;
}

static void what_nobody_waits_for_any_more_is_dropped(void **state)
{
    struct bed *bed = *state;
    unsigned late = push_until(bed, SHARE_CARTS, 1000);
    unsigned good = push_until(bed, SHARE_CARTS, 3000);
    assert_false(queue_expire(bed->queue, late, 999));
    assert_int_equal(queue_pull(bed->queue, bed->worker, 2000), good);
    check_state(bed, late, QUEUE_DROPPED);
    assert_int_equal(queue_news(bed->queue, bed->front, 0), late);
    queue_release(bed->queue, late);
    assert_false(queue_expire(bed->queue, good, 4000)); /* it was begun in time */
    late = push_until(bed, SHARE_CARTS, 1000);
    assert_true(queue_expire(bed->queue, late, 1000));
    check_state(bed, late, QUEUE_DROPPED);
    assert_int_equal(queue_pull(bed->queue, bed->worker, 1000), QUEUE_NONE);
}

static void however_many_are_overdue_none_is_begun(void **state)
{
    struct bed *bed = *state;
    struct queue_config config = queue_usual;
    struct queue_stats stats;
    char dir[FOLDER_PATH];
    config.slots = 128;
    folder_make(dir);
    struct bed own = {.queue = queue_at(dir, &config)};
    own.front = queue_take_seat(own.queue, QUEUE_FRONT);
    own.worker = queue_take_seat(own.queue, QUEUE_WORKER);
    for (unsigned i = 0; i < 60; i++)
        push_until(&own, i % 2 ? SHARE_PAGES : SHARE_BUYS, 1000 + i);
    unsigned good = push_until(&own, SHARE_BUYS, 9000);
    assert_int_equal(queue_pull(own.queue, own.worker, 5000), good);
    assert_int_equal(queue_count_state(own.queue, QUEUE_DROPPED), 60);
    queue_look(own.queue, 5000, &stats);
    assert_int_equal(stats.dropped[SHARE_PAGES] + stats.dropped[SHARE_BUYS], 60);
    assert_null(queue_find_fault(own.queue));
    queue_close(own.queue);
    folder_remove(dir);
    (void)bed;
}

/* ---- Classes, and bounds ---- */

static void a_class_that_floods_leaves_the_others_their_reserve(void **state)
{
    struct bed *bed = *state;
    struct queue_stats stats;
    unsigned pages = 0;
    while (queue_enter_usual(bed->queue, bed->front, SHARE_PAGES) != QUEUE_NONE)
        pages++;
    assert_int_equal(pages, SLOTS - 3 * SLOTS / 8);
    for (unsigned class = 0; class < SHARE_PAGES; class ++)
        for (unsigned i = 0; i < SLOTS / 8; i++)
            push_one(bed, class);
    for (unsigned class = 0; class < SHARE_CLASSES; class ++)
        assert_int_equal(queue_enter(bed->queue, bed->front, class), QUEUE_NONE);
    queue_look(bed->queue, clock_mono_ns(), &stats);
    assert_int_equal(stats.refused[SHARE_PAGES], 2);
    assert_int_equal(stats.waiting[SHARE_BUYS], SLOTS / 8);
    assert_int_equal(queue_count_state(bed->queue, QUEUE_FREE), 0);
}

static void each_class_has_its_share_of_the_turns(void **state)
{
    struct bed *bed = *state;
    unsigned turns[SHARE_CLASSES] = {0};
    for (unsigned i = 0; i < 8; i++)
        push_one(bed, i % SHARE_CLASSES);
    for (unsigned i = 0; i < 1000; i++) {
        unsigned slot = pull_one(bed);
        enum share_class class = queue_facts(bed->queue, slot)->class;
        turns[class]++;
        queue_answer(bed->queue, slot, 50000);
        queue_release(bed->queue, slot);
        push_one(bed, class);
    }
    for (unsigned i = 0; i < SHARE_CLASSES; i++)
        assert_in_range(turns[i], 98 * queue_usual.weight[i], 102 * queue_usual.weight[i]);
}

static void there_are_so_many_seats(void **state)
{
    struct bed *bed = *state;
    struct failure failure;
    struct queue_seat_view list[QUEUE_SEATS];
    unsigned seats[QUEUE_SEATS], count = 0, seat;
    while (count < QUEUE_SEATS - 2)
        seats[count++] = queue_take_seat(bed->queue, QUEUE_WORKER);
    assert_int_equal(queue_join(bed->queue, QUEUE_FRONT, &seat, &failure), ERR_FULL);
    assert_int_equal(queue_seats(bed->queue, list, QUEUE_SEATS), QUEUE_SEATS);
    queue_leave(bed->queue, seats[77]);
    assert_int_equal(queue_join(bed->queue, QUEUE_FRONT, &seat, &failure), 0);
    assert_int_equal(seat, seats[77]);
    seats[77] = seat;
    while (count > 0)
        queue_leave(bed->queue, seats[--count]);
    assert_int_equal(queue_seats(bed->queue, list, QUEUE_SEATS), 2);
    assert_int_equal(list[0].role, QUEUE_FRONT);
    assert_int_equal(list[1].role, QUEUE_WORKER);
    assert_int_equal(list[1].pid, getpid());
}

/* Several may have the same pid on their machines, and none of them is this process. */
static void processes_of_other_machines_are_processes_of_their_own(void **state)
{
    struct bed *bed = *state;
    struct failure failure;
    struct queue_seat_view list[4];
    struct queue_far far[] = {{(uint32_t)getpid(), 5, 3, "192.0.2.1:40000"},
                              {(uint32_t)getpid(), 6, 0, "192.0.2.1:40001"}};
    unsigned seats[2];
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(queue_join_far(bed->queue, QUEUE_WORKER, &far[i], &seats[i], &failure), 0);
    assert_int_equal(queue_seats(bed->queue, list, 4), 4);
    assert_true(list[1].is_near);
    assert_string_equal(list[1].host, "");
    for (unsigned i = 0; i < 2; i++) {
        assert_false(list[2 + i].is_near);
        assert_int_equal(list[2 + i].number, far[i].number);
        assert_string_equal(list[2 + i].host, far[i].host);
        queue_leave(bed->queue, seats[i]);
    }
    assert_false(queue_is_same(queue_process_of(&list[2]), queue_process_of(&list[3])));
    assert_false(queue_is_same(queue_process_of(&list[1]), queue_process_of(&list[2])));
}

/* ---- News and bells ---- */

static void hear_all(struct bed *bed, unsigned seat)
{
    queue_wake(bed->queue, seat);
    for (unsigned slot = 0; (slot = queue_news(bed->queue, seat, slot)) != QUEUE_NONE;)
        ;
    assert_true(queue_park(bed->queue, seat));
}

static void who_is_parked_is_rung_and_who_is_awake_is_not(void **state)
{
    struct bed *bed = *state;
    unsigned slot = push_one(bed, SHARE_PAGES);
    pull_one(bed);
    hear_all(bed, bed->front);
    assert_false(queue_hears(bed->queue, bed->front, 0));
    queue_tell_front(bed->queue, slot);
    assert_true(queue_hears(bed->queue, bed->front, 0));
    queue_wake(bed->queue, bed->front);
    assert_false(queue_hears(bed->queue, bed->front, 0));
    assert_false(queue_park(bed->queue, bed->front)); /* the news is still there */
    assert_int_equal(queue_news(bed->queue, bed->front, 0), slot);
    assert_int_equal(queue_news(bed->queue, bed->front, 0), QUEUE_NONE);
    queue_tell_front(bed->queue, slot); /* awake: told, not rung */
    assert_false(queue_hears(bed->queue, bed->front, 0));
    assert_false(queue_park(bed->queue, bed->front));
    hear_all(bed, bed->front);
}

static void news_is_looked_at_in_rounds(void **state)
{
    struct bed *bed = *state;
    unsigned slots[3], from = 0;
    for (unsigned i = 0; i < 3; i++)
        slots[i] = push_one(bed, SHARE_PAGES);
    for (unsigned i = 0; i < 3; i++)
        queue_tell_front(bed->queue, slots[i]);
    for (unsigned i = 0; i < 3; i++, from++) {
        from = queue_news(bed->queue, bed->front, from);
        assert_int_equal(from, slots[i]);
        queue_tell_front(bed->queue, slots[0]); /* the first has more each time */
    }
    assert_int_equal(queue_news(bed->queue, bed->front, from), QUEUE_NONE);
    assert_int_equal(queue_news(bed->queue, bed->front, 0), slots[0]);
}

static void each_request_wakes_one_that_is_idle(void **state)
{
    struct bed *bed = *state;
    unsigned other = queue_take_seat(bed->queue, QUEUE_WORKER);
    assert_int_equal(pull_one(bed), QUEUE_NONE);
    assert_int_equal(queue_pull(bed->queue, other, 0), QUEUE_NONE);
    hear_all(bed, bed->worker);
    hear_all(bed, other);
    push_one(bed, SHARE_PAGES);
    assert_true(queue_hears(bed->queue, bed->worker, 0));
    assert_false(queue_hears(bed->queue, other, 0));
    push_one(bed, SHARE_PAGES);
    assert_true(queue_hears(bed->queue, other, 0));
    queue_leave(bed->queue, other);
}

static void who_is_woken_and_takes_none_wakes_another(void **state)
{
    struct bed *bed = *state;
    unsigned other = queue_take_seat(bed->queue, QUEUE_WORKER);
    assert_int_equal(pull_one(bed), QUEUE_NONE);
    assert_int_equal(queue_pull(bed->queue, other, 0), QUEUE_NONE);
    hear_all(bed, bed->worker);
    hear_all(bed, other);
    push_one(bed, SHARE_PAGES);
    assert_true(queue_hears(bed->queue, bed->worker, 0));
    queue_busy(bed->queue, bed->worker); /* it is about to stop */
    assert_true(queue_hears(bed->queue, other, 0));
    queue_leave(bed->queue, other);
}

/* Until SEAT's bell rings, for PATIENCE_MS; now and then after it has looked once more. */
static bool rest(struct queue *queue, unsigned seat, struct random *random)
{
    for (uint64_t spin = random_below(random, 200); spin > 0; spin--)
        __asm__ volatile("" ::: "memory");
    if (queue_park(queue, seat) && !queue_hears(queue, seat, PATIENCE_MS))
        return false;
    queue_wake(queue, seat);
    return true;
}

/* Answers until one says that it is the last. */
static void serve(const char *dir)
{
    struct queue *queue = queue_at(dir, NULL);
    unsigned seat = queue_take_seat(queue, QUEUE_WORKER);
    struct random random;
    random_seed(&random, 2);
    for (bool last = false; !last;) {
        unsigned slot = queue_pull(queue, seat, 0);
        if (slot == QUEUE_NONE) {
            if (!rest(queue, seat, &random))
                _exit(1);
            continue;
        }
        last = queue_facts(queue, slot)->tls;
        queue_answer(queue, slot, 1);
    }
    queue_leave(queue, seat);
    queue_close(queue);
    _exit(0);
}

static void no_ring_is_lost_between_two_processes(void **state)
{
    struct bed *bed = *state;
    struct queue *queue = bed->queue;
    struct random random;
    int status;
    pid_t child = fork();
    if (child == 0)
        serve(bed->dir);
    random_seed(&random, 1);
    for (unsigned i = 1; i <= PINGS; i++) {
        unsigned slot = queue_enter_usual(queue, bed->front, SHARE_PAGES);
        queue_facts(queue, slot)->tls = i == PINGS;
        queue_push_one(queue, slot);
        while (queue_state(queue, slot) != QUEUE_DONE) {
            assert_true(rest(queue, bed->front, &random));
            while (queue_news(queue, bed->front, 0) != QUEUE_NONE)
                ;
        }
        queue_release(queue, slot);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        QUEUED(a_request_goes_up_and_its_answer_down),
        QUEUED(those_of_a_class_come_in_their_order),
        QUEUED(the_front_may_let_go_at_any_time),
        QUEUED(what_is_lost_is_pushed_again_and_keeps_its_place),
        QUEUED(a_request_that_kills_workers_is_given_up),
        QUEUED(a_front_that_leaves_takes_its_requests_along),
        QUEUED(an_answer_that_was_taken_early_counts),
        QUEUED(what_nobody_waits_for_any_more_is_dropped),
        QUEUED(however_many_are_overdue_none_is_begun),
        QUEUED(a_class_that_floods_leaves_the_others_their_reserve),
        QUEUED(each_class_has_its_share_of_the_turns),
        QUEUED(there_are_so_many_seats),
        QUEUED(processes_of_other_machines_are_processes_of_their_own),
        QUEUED(who_is_parked_is_rung_and_who_is_awake_is_not),
        QUEUED(news_is_looked_at_in_rounds),
        QUEUED(each_request_wakes_one_that_is_idle),
        QUEUED(who_is_woken_and_takes_none_wakes_another),
        QUEUED(no_ring_is_lost_between_two_processes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
