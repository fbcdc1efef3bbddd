#include "balance/admission.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* last: it has a macro named fail */

/* Three servers, seen from one of two lanes. */
struct fixture {
    struct admission admission;
    struct policy_server servers[3];
    struct admission_place places[3];
    struct policy_view view;
    uint64_t now_ns;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;
    const struct admission_limits limits = {
        .lane = 0, .lanes = 2, .queue = {.total = 8, .per_client = 4, .wait_ns = 2 * SEC_NS}};
    *f = (struct fixture){.now_ns = SEC_NS};
    assert_int_equal(admission_init(&f->admission, &limits, 1), ERR_OK);
    for (unsigned i = 0; i < 3; i++) {
        f->servers[i] =
            (struct policy_server){.id = i + 1, .weight = 100, .share = 1000, .usable = true};
        f->places[i] = (struct admission_place){.limit = 20};
    }
    f->view = (struct policy_view){.servers = f->servers, .count = 3, .version = 1};
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    admission_close(&f->admission);
    return 0;
}

static uint64_t full(struct fixture *f)
{
    return admission_look(&f->admission, &f->view, f->places).full;
}

static void limit_is_split_between_lanes_to_the_last_request(void **state)
{
    (void)state;
    for (unsigned limit = 1; limit < 40; limit++) {
        for (unsigned lanes = 1; lanes <= 8; lanes++) {
            uint32_t sum = 0;
            for (unsigned lane = 0; lane < lanes; lane++) {
                const struct admission admission = {.lane = lane, .lanes = lanes};
                uint32_t part = admission_part(&admission, limit, 1000);
                assert_true(part >= 1);
                sum += part;
            }
            assert_int_equal(sum, limit > lanes ? limit : lanes);
        }
    }
    const struct admission admission = {.lane = 0, .lanes = 2};
    assert_int_equal(admission_part(&admission, 0, 1000), UINT32_MAX);
}

static void server_that_warms_up_has_a_part_of_its_places_but_one_at_least(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(admission_part(&f->admission, 200, 100), 10);
    assert_int_equal(admission_part(&f->admission, 4, 100), 1);
    f->servers[1].share = 100;
    f->places[1].in_flight = 1;
    assert_int_equal(full(f), 0x2);
    f->places[0].in_flight = 9;
    assert_int_equal(full(f), 0x2);
    f->places[0].in_flight = 10;
    assert_int_equal(full(f), 0x3);
}

static void request_waits_only_when_no_usable_server_has_a_place(void **state)
{
    struct fixture *f = *state;
    f->places[0].in_flight = f->places[1].in_flight = 10;
    assert_false(admission_must_wait(&f->admission, &f->view, full(f)));
    f->servers[2].usable = false;
    assert_true(admission_must_wait(&f->admission, &f->view, full(f)));
    f->servers[2].usable = true;
    f->places[2].limit = 0;
    f->places[2].in_flight = 1000000;
    assert_false(admission_must_wait(&f->admission, &f->view, full(f)));
}

static void whoever_comes_while_others_wait_waits_behind_them(void **state)
{
    struct fixture *f = *state;
    struct fair_item first = {0}, second = {0};
    for (unsigned i = 0; i < 3; i++)
        f->places[i].in_flight = 10;
    assert_null(admission_wait(&f->admission, &first, 1, f->now_ns));
    assert_null(admission_next(&f->admission, &f->view, f->places, f->now_ns));
    f->places[1].in_flight = 9;
    assert_true(admission_must_wait(&f->admission, &f->view, full(f)));
    assert_null(admission_wait(&f->admission, &second, 1, f->now_ns));
    assert_ptr_equal(admission_next(&f->admission, &f->view, f->places, f->now_ns), &first);
    f->places[1].in_flight = 10;
    assert_null(admission_next(&f->admission, &f->view, f->places, f->now_ns));
    admission_leave(&f->admission, &second);
    assert_int_equal(admission_waiting(&f->admission), 0);
    f->places[1].in_flight = 9;
    assert_false(admission_must_wait(&f->admission, &f->view, full(f)));
}

static void what_waits_too_long_and_what_finds_no_room_is_to_be_answered(void **state)
{
    struct fixture *f = *state;
    struct fair_item items[8] = {0};
    unsigned taken = 0;
    for (unsigned i = 0; i < 8; i++) {
        struct fair_item *shed = admission_wait(&f->admission, &items[i], 1, f->now_ns);
        taken += shed == NULL;
        assert_true(shed == NULL || shed == &items[i]);
    }
    assert_int_equal(taken, 4);
    assert_null(admission_late(&f->admission, f->now_ns + 2 * SEC_NS - 1));
    for (unsigned i = 0; i < taken; i++)
        assert_ptr_equal(admission_late(&f->admission, f->now_ns + 2 * SEC_NS), &items[i]);
    assert_null(admission_late(&f->admission, f->now_ns + 2 * SEC_NS));
}

static void who_pauses_counts_against_the_bound_of_the_queue(void **state)
{
    struct fixture *f = *state;
    struct fair_item items[8] = {0};
    for (unsigned i = 0; i < 3; i++)
        f->places[i].in_flight = 10;
    for (unsigned i = 0; i < 6; i++)
        assert_true(admission_pause(&f->admission));
    assert_null(admission_wait(&f->admission, &items[0], 1, f->now_ns));
    assert_true(admission_pause(&f->admission));
    assert_false(admission_pause(&f->admission));
    /* There are 8 now. Another client's newcomer has a turn of his own only in place of one who
     * waits in the queue with more than he has. */
    assert_ptr_equal(admission_wait(&f->admission, &items[1], 2, f->now_ns), &items[1]);
    admission_resume(&f->admission);
    assert_null(admission_wait(&f->admission, &items[1], 2, f->now_ns));
    assert_int_equal(admission_waiting(&f->admission), 2);
    f->places[0].in_flight = 0;
    assert_ptr_equal(admission_next(&f->admission, &f->view, f->places, f->now_ns), &items[0]);
    assert_true(admission_pause(&f->admission));
    assert_false(admission_pause(&f->admission));
}

static void server_with_a_small_share_is_avoided_as_often_as_that_says(void **state)
{
    struct fixture *f = *state;
    unsigned avoided = 0;
    f->servers[1].share = 100;
    for (unsigned i = 0; i < 10000; i++) {
        struct admission_look look = admission_look(&f->admission, &f->view, f->places);
        assert_int_equal(look.full, 0);
        assert_int_equal(look.avoid & ~0x2ull, 0);
        avoided += look.avoid != 0;
    }
    assert_in_range(avoided, 8800, 9200);
}

static void server_with_a_small_share_is_not_avoided_when_no_other_has_a_place(void **state)
{
    struct fixture *f = *state;
    f->servers[1].share = 1;
    f->places[0].in_flight = 10;
    f->servers[2].usable = false;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(admission_look(&f->admission, &f->view, f->places).avoid, 0x1);
}

static void retry_after_says_when_the_queue_will_have_been_served(void **state)
{
    struct fixture *f = *state;
    struct fair_item items[4] = {0};
    assert_int_equal(admission_retry_s(&f->admission), 1);
    /* Two a second. */
    for (unsigned i = 0; i < 40; i++) {
        admission_wait(&f->admission, &items[0], 1, f->now_ns);
        assert_non_null(admission_next(&f->admission, &f->view, f->places, f->now_ns));
        f->now_ns += SEC_NS / 2;
    }
    for (unsigned i = 0; i < 4; i++)
        admission_wait(&f->admission, &items[i], 1, f->now_ns);
    assert_in_range(admission_retry_s(&f->admission), 2, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(limit_is_split_between_lanes_to_the_last_request),
        cmocka_unit_test_setup_teardown(
            server_that_warms_up_has_a_part_of_its_places_but_one_at_least, set_up, tear_down),
        cmocka_unit_test_setup_teardown(request_waits_only_when_no_usable_server_has_a_place,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(whoever_comes_while_others_wait_waits_behind_them, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(
            what_waits_too_long_and_what_finds_no_room_is_to_be_answered, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_pauses_counts_against_the_bound_of_the_queue, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(server_with_a_small_share_is_avoided_as_often_as_that_says,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            server_with_a_small_share_is_not_avoided_when_no_other_has_a_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(retry_after_says_when_the_queue_will_have_been_served,
                                        set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
