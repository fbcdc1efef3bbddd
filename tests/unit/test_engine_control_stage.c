#include "engine/control_batch.h"
#include "engine/control_threads.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* last: it has a macro named fail */

/* ---- Threads ---- */

/* A load: what waited at each look, half a second apart. */
static void a_queue_gets_one_more_thread_every_two_seconds(void **state)
{
    (void)state;
    struct control_threads control = {.least = 1, .most = 20};
    unsigned threads = 1;
    uint64_t now_ns = 100 * SEC_NS;
    for (int look = 0; look < 20; look++, now_ns += SEC_NS / 2)
        threads += control_threads_grow(&control, threads, 500, now_ns);
    assert_int_equal(threads, 1 + 5);
}

static void there_is_a_most_and_a_least(void **state)
{
    (void)state;
    struct control_threads control = {.least = 2, .most = 3};
    unsigned threads = 0;
    for (uint64_t now_ns = 10 * SEC_NS; now_ns < 60 * SEC_NS; now_ns += CONTROL_THREADS_NS)
        threads += control_threads_grow(&control, threads, now_ns < 30 * SEC_NS ? 0 : 99, now_ns);
    assert_int_equal(threads, 3);
    assert_true(control_threads_leave(&control, 3, 70 * SEC_NS));
    assert_false(control_threads_leave(&control, 2, 80 * SEC_NS));
}

static void a_short_queue_is_no_reason(void **state)
{
    (void)state;
    struct control_threads control = {.least = 1, .most = 20};
    for (uint64_t now_ns = 10 * SEC_NS; now_ns < 60 * SEC_NS; now_ns += CONTROL_THREADS_NS)
        assert_false(control_threads_grow(&control, 1, CONTROL_THREADS_QUEUE, now_ns));
}

static void one_leaves_at_a_time(void **state)
{
    (void)state;
    struct control_threads control = {.least = 1, .most = 20};
    unsigned threads = 10;
    for (uint64_t now_ns = 50 * SEC_NS; now_ns < 56 * SEC_NS; now_ns += 10 * MS_NS)
        threads -= control_threads_leave(&control, threads, now_ns);
    assert_int_equal(threads, 7);
}

static void idle_times_differ_but_little(void **state)
{
    (void)state;
    uint64_t least = UINT64_MAX, most = 0;
    for (uint64_t random = 0; random < 100; random++) {
        uint64_t ns = control_threads_idle_ns(random * 0x9e3779b97f4a7c15ull);
        least = ns < least ? ns : least;
        most = ns > most ? ns : most;
    }
    assert_true(least >= 3750 * MS_NS && most < 6250 * MS_NS);
    assert_true(most - least > SEC_NS);
}

/* ---- Batches ---- */

/* A stage that does BASE a second, and less by a fixed cost for each batch. */
static uint64_t done_in_a_second(unsigned factor, double each_us, double batch_us)
{
    return (uint64_t)(1e6 / (each_us + batch_us / factor));
}

static void the_factor_shrinks_while_throughput_holds(void **state)
{
    (void)state;
    struct control_batch control;
    control_batch_init(&control);
    assert_int_equal(control.factor, CONTROL_BATCH_MOST);
    for (int i = 0; i < 20; i++)
        control_batch_step(&control, done_in_a_second(control.factor, 100, 1), 500, SEC_NS);
    assert_true(control.factor <= 2);
}

/* With 20 us for each batch and 5 us for each of its members, batches of one do 40,000 a second and
 * of sixty-four nearly 190,000. */
static void the_factor_stays_where_throughput_needs_it(void **state)
{
    (void)state;
    struct control_batch control;
    uint64_t sum = 0;
    control_batch_init(&control);
    for (int i = 0; i < 200; i++) {
        uint64_t done = done_in_a_second(control.factor, 5, 20);
        sum += i >= 100 ? done : 0;
        control_batch_step(&control, done, 500, SEC_NS);
    }
    assert_true(sum / 100 > 140000);
}

static void without_a_queue_it_shrinks_and_compares_nothing(void **state)
{
    (void)state;
    struct control_batch control;
    control_batch_init(&control);
    static const uint64_t done[] = {50000, 20000, 800, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0};
    for (unsigned i = 0; i < sizeof done / sizeof *done; i++)
        control_batch_step(&control, done[i], 0, SEC_NS);
    assert_int_equal(control.factor, 1);
    assert_false(control_batch_step(&control, 0, 0, SEC_NS));
}

/* The load's kind changes: each takes ten times as long. */
static void what_was_once_possible_is_forgotten(void **state)
{
    (void)state;
    struct control_batch control;
    control_batch_init(&control);
    for (int i = 0; i < 30; i++)
        control_batch_step(&control, done_in_a_second(control.factor, 10, 1), 500, SEC_NS);
    for (int i = 0; i < 30; i++)
        control_batch_step(&control, done_in_a_second(control.factor, 100, 1), 500, SEC_NS);
    assert_true(control.factor <= 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_queue_gets_one_more_thread_every_two_seconds),
        cmocka_unit_test(there_is_a_most_and_a_least),
        cmocka_unit_test(a_short_queue_is_no_reason),
        cmocka_unit_test(one_leaves_at_a_time),
        cmocka_unit_test(idle_times_differ_but_little),
        cmocka_unit_test(the_factor_shrinks_while_throughput_holds),
        cmocka_unit_test(the_factor_stays_where_throughput_needs_it),
        cmocka_unit_test(without_a_queue_it_shrinks_and_compares_nothing),
        cmocka_unit_test(what_was_once_possible_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
