#include "base/check.h"
#include "engine/seats.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* last: it has a macro named fail */

/* An app whose thread_state is the number of the thread_start that made it, from 1. */
struct stand {
    struct app app;
    atomic_uint started, stopped, seated, most_seated;
    unsigned fails_at, fails_to; /* these thread_starts give NULL; fails_to 0: all from fails_at */
    char states[64];
    struct seats *seats;
};

static struct stand *stand_of(struct app *app)
{
    return CONTAINER_OF(app, struct stand, app);
}

static void *start_thread(struct app *app, struct loop *loop)
{
    struct stand *stand = stand_of(app);
    CHECK(!loop);
    unsigned number = atomic_fetch_add(&stand->started, 1) + 1;
    bool fails = stand->fails_at && number >= stand->fails_at &&
                 (!stand->fails_to || number <= stand->fails_to);
    return fails ? NULL : &stand->states[number];
}

static void stop_thread(struct app *app, void *state)
{
    struct stand *stand = stand_of(app);
    CHECK((char *)state > stand->states && (char *)state < stand->states + sizeof stand->states);
    atomic_fetch_add(&stand->stopped, 1);
}

static int stand_open(struct stand *stand, unsigned max, unsigned fails_at, struct failure *failure)
{
    *stand = (struct stand){
        .app = {.name = "stand", .thread_start = start_thread, .thread_stop = stop_thread},
        .fails_at = fails_at};
    return seats_new(&stand->app, max, &stand->seats, failure);
}

static void *take_one(void *argument)
{
    return seats_take(((struct stand *)argument)->seats);
}

/* A thread that takes a seat, and does not get one yet. */
static pthread_t begin_waiting(struct stand *stand)
{
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, take_one, stand), 0);
    while (seats_waiting(stand->seats) == 0)
        sched_yield();
    return thread;
}

static struct seat *seat_of(pthread_t thread)
{
    void *seat;
    assert_int_equal(pthread_join(thread, &seat), 0);
    return seat;
}

static void the_first_is_made_at_once_and_the_others_when_needed(void **state)
{
    (void)state;
    struct stand stand;
    assert_int_equal(stand_open(&stand, 3, 0, NULL), 0);
    assert_int_equal(stand.started, 1);
    struct seat *a = seats_take(stand.seats);
    assert_int_equal(stand.started, 1);
    struct seat *b = seats_take(stand.seats);
    assert_int_equal(stand.started, 2);
    assert_ptr_not_equal(a->thread_state, b->thread_state);
    seats_give(stand.seats, a);
    seats_give(stand.seats, b);
    seats_free(stand.seats);
    assert_int_equal(stand.stopped, 2);
}

static void the_one_given_back_last_is_lent_next(void **state)
{
    (void)state;
    struct stand stand;
    assert_int_equal(stand_open(&stand, 3, 0, NULL), 0);
    struct seat *a = seats_take(stand.seats), *b = seats_take(stand.seats);
    seats_give(stand.seats, b);
    seats_give(stand.seats, a);
    assert_ptr_equal(seats_take(stand.seats), a);
    assert_ptr_equal(seats_take(stand.seats), b);
    seats_give(stand.seats, a);
    seats_give(stand.seats, b);
    seats_free(stand.seats);
}

static void above_the_bound_a_taker_waits_for_one(void **state)
{
    (void)state;
    struct stand stand;
    assert_int_equal(stand_open(&stand, 1, 0, NULL), 0);
    struct seat *a = seats_take(stand.seats);
    assert_int_equal(seats_waiting(stand.seats), 0);
    pthread_t waiting = begin_waiting(&stand);
    seats_give(stand.seats, a);
    assert_ptr_equal(seat_of(waiting), a);
    assert_int_equal(seats_waiting(stand.seats), 0);
    assert_int_equal(stand.started, 1);
    seats_give(stand.seats, a);
    seats_free(stand.seats);
}

enum { QUEUE = 5 };

/* Who takes a seat, when its turn was, and how many turns there were. */
struct sitter {
    struct stand *stand;
    unsigned turn;
};

static void *sit_once(void *argument)
{
    struct sitter *sitter = argument;
    struct seat *seat = seats_take(sitter->stand->seats);
    sitter->turn = atomic_fetch_add(&sitter->stand->seated, 1);
    seats_give(sitter->stand->seats, seat);
    return NULL;
}

static void who_has_waited_longest_gets_the_next_one(void **state)
{
    (void)state;
    struct stand stand;
    struct sitter sitters[QUEUE];
    pthread_t threads[QUEUE];
    assert_int_equal(stand_open(&stand, 1, 0, NULL), 0);
    struct seat *seat = seats_take(stand.seats);
    for (unsigned i = 0; i < QUEUE; i++) {
        sitters[i] = (struct sitter){&stand, QUEUE};
        assert_int_equal(pthread_create(&threads[i], NULL, sit_once, &sitters[i]), 0);
        while (seats_waiting(stand.seats) <= i)
            sched_yield();
    }
    seats_give(stand.seats, seat);
    seat = seats_take(stand.seats); /* behind them all, although it is here first */
    assert_int_equal(stand.seated, QUEUE);
    for (unsigned i = 0; i < QUEUE; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(sitters[i].turn, i);
    }
    seats_give(stand.seats, seat);
    seats_free(stand.seats);
}

static void an_app_that_cannot_be_prepared_is_found_out_at_once(void **state)
{
    (void)state;
    struct stand stand;
    struct failure failure = {0};
    assert_int_equal(stand_open(&stand, 3, 1, &failure), ERR_STATE);
    assert_int_equal(failure.err, ERR_STATE);
    assert_null(stand.seats);
    assert_int_equal(stand.stopped, 0);
    seats_free(stand.seats);
}

static void what_could_not_be_prepared_is_tried_again_after_a_while(void **state)
{
    (void)state;
    struct stand stand;
    assert_int_equal(stand_open(&stand, 2, 2, NULL), 0);
    stand.fails_to = 2;
    struct seat *a = seats_take(stand.seats);
    for (int i = 0; i <= SEATS_PATIENCE; i++) { /* the first of them tries in vain */
        pthread_t waiting = begin_waiting(&stand);
        seats_give(stand.seats, a);
        assert_ptr_equal(seat_of(waiting), a);
    }
    struct seat *b = seats_take(stand.seats);
    assert_ptr_not_equal(a, b);
    seats_give(stand.seats, a);
    seats_give(stand.seats, b);
    seats_free(stand.seats);
    assert_int_equal(stand.stopped, 2);
}

static void what_there_is_must_do_when_no_more_can_be_prepared(void **state)
{
    (void)state;
    struct stand stand;
    assert_int_equal(stand_open(&stand, 3, 2, NULL), 0);
    struct seat *a = seats_take(stand.seats);
    for (int i = 0; i < 2; i++) {
        pthread_t waiting = begin_waiting(&stand);
        seats_give(stand.seats, a);
        assert_ptr_equal(seat_of(waiting), a);
    }
    assert_int_equal(stand.started, 2); /* it was not tried again */
    seats_give(stand.seats, a);
    seats_free(stand.seats);
    assert_int_equal(stand.stopped, 1);
}

static void one_that_is_made_after_all_is_for_who_has_waited_longest(void **state)
{
    (void)state;
    struct stand stand;
    pthread_t later;
    assert_int_equal(stand_open(&stand, 3, 2, NULL), 0);
    struct seat *a = seats_take(stand.seats);
    pthread_t waiting = begin_waiting(&stand);
    stand.fails_at = 0;
    struct seat *b = seats_try(stand.seats); /* and from now on others may be made */
    assert_int_equal(pthread_create(&later, NULL, take_one, &stand), 0);
    struct seat *c = seat_of(waiting);
    while (seats_waiting(stand.seats) == 0)
        sched_yield();
    seats_give(stand.seats, a);
    assert_ptr_equal(seat_of(later), a);
    seats_give(stand.seats, a);
    seats_give(stand.seats, b);
    seats_give(stand.seats, c);
    seats_free(stand.seats);
}

static void an_app_without_thread_states_has_seats_too(void **state)
{
    (void)state;
    struct app app = {.name = "plain"};
    struct seats *seats;
    assert_int_equal(seats_new(&app, 1, &seats, NULL), 0);
    struct seat *seat = seats_take(seats);
    assert_null(seat->thread_state);
    seats_give(seats, seat);
    seats_free(seats);
}

enum { SITTERS = 8, TURNS = 500, ROOM = 3 };

static void *sit_often(void *argument)
{
    struct stand *stand = argument;
    for (int i = 0; i < TURNS; i++) {
        struct seat *seat = seats_take(stand->seats);
        unsigned now = atomic_fetch_add(&stand->seated, 1) + 1;
        unsigned most = atomic_load(&stand->most_seated);
        while (now > most && !atomic_compare_exchange_weak(&stand->most_seated, &most, now))
            ;
        (*(char *)seat->thread_state)++; /* a race, should another have it */
        if (i % 16 == 0)
            sched_yield();
        atomic_fetch_sub(&stand->seated, 1);
        seats_give(stand->seats, seat);
    }
    return NULL;
}

static void no_two_have_one_seat_and_no_more_have_one_than_there_may_be(void **state)
{
    (void)state;
    struct stand stand;
    pthread_t sitters[SITTERS];
    unsigned sum = 0;
    assert_int_equal(stand_open(&stand, ROOM, 0, NULL), 0);
    for (int i = 0; i < SITTERS; i++)
        assert_int_equal(pthread_create(&sitters[i], NULL, sit_often, &stand), 0);
    for (int i = 0; i < SITTERS; i++)
        pthread_join(sitters[i], NULL);
    assert_in_range(stand.most_seated, 1, ROOM);
    assert_in_range(stand.started, 1, ROOM);
    for (unsigned i = 1; i <= ROOM; i++)
        sum += (unsigned char)stand.states[i];
    assert_int_equal(sum % 256, SITTERS * TURNS % 256);
    seats_free(stand.seats);
    assert_int_equal(stand.stopped, stand.started);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_made_at_once_and_the_others_when_needed),
        cmocka_unit_test(the_one_given_back_last_is_lent_next),
        cmocka_unit_test(above_the_bound_a_taker_waits_for_one),
        cmocka_unit_test(who_has_waited_longest_gets_the_next_one),
        cmocka_unit_test(an_app_that_cannot_be_prepared_is_found_out_at_once),
        cmocka_unit_test(what_could_not_be_prepared_is_tried_again_after_a_while),
        cmocka_unit_test(what_there_is_must_do_when_no_more_can_be_prepared),
        cmocka_unit_test(one_that_is_made_after_all_is_for_who_has_waited_longest),
        cmocka_unit_test(an_app_without_thread_states_has_seats_too),
        cmocka_unit_test(no_two_have_one_seat_and_no_more_have_one_than_there_may_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
