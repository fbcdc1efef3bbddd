/* Commands of other servers are taken under our own bounds, and answered on their own link. */
#include "base/check.h"
#include "base/clock.h"
#include "replica/guest.h"
#include "replica/hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { KEPT = 4000 };

struct kept {
    uint64_t server, link;
    struct forward_answer answer;
    char result[32];
};

struct house {
    struct ordering order;
    struct guests *guests;
    unsigned woken;
    struct kept *kept;
    unsigned kept_count, frames, cuts;
    int answer_err;
};

static void count_wake(void *context)
{
    struct house *house = context;
    house->woken++;
}

static void nothing(void *context)
{
    (void)context;
}

static int keep_answers(void *context, uint64_t server, uint64_t link, uint8_t kind,
                        struct str payload)
{
    struct house *house = context;
    assert_int_equal(kind, FRAME_ANSWERS);
    assert_in_range(payload.len, 1, GUEST_ANSWERS_FRAME + FORWARD_RESULT_MAX + 64);
    if (house->answer_err != 0)
        return house->answer_err;
    struct wire in;
    assert_int_equal(forward_open_answers(payload, &in), 0);
    house->frames++;
    struct forward_answer answer;
    while (forward_next_answer(&in, &answer)) {
        assert_in_range(house->kept_count, 0, KEPT - 1);
        struct kept *kept = &house->kept[house->kept_count++];
        *kept = (struct kept){.server = server, .link = link, .answer = answer};
        snprintf(kept->result, sizeof kept->result, "%.*s",
                 answer.result.len > 30 ? 30 : (int)answer.result.len, answer.result.at);
    }
    return 0;
}

static void count_cut(void *context, uint64_t server, uint64_t link)
{
    struct house *house = context;
    (void)server, (void)link;
    house->cuts++;
}

static void set_up_for(struct house *house, uint64_t waiting_max)
{
    memset(house, 0, sizeof *house);
    ordering_init(&house->order, waiting_max, 64 << 20, 60000, nothing, NULL);
    ordering_open(&house->order);
    house->kept = calloc(KEPT, sizeof *house->kept);
    assert_int_equal(guests_new(&(struct guests_config){.order = &house->order,
                                                        .context = house,
                                                        .wake = count_wake,
                                                        .answer = keep_answers,
                                                        .cut = count_cut},
                                &house->guests),
                     0);
}

static void set_up(struct house *house)
{
    set_up_for(house, 65536);
}

static void tear_down(struct house *house)
{
    assert_int_equal(atomic_load(&house->order.waiting), 0);
    assert_int_equal(atomic_load(&house->order.waiting_bytes), 0);
    guests_free(house->guests);
    ordering_close(&house->order);
    ordering_destroy(&house->order);
    free(house->kept);
}

/* COUNT commands "c<number>", numbered from FIRST, for TERM, to a primary of PRIMARY_TERM. */
static struct submission *come(struct house *house, uint64_t server, uint64_t link, uint64_t term,
                               uint64_t first, unsigned count, bool again, uint64_t primary_term)
{
    struct buf payload;
    buf_init(&payload, 4 << 20);
    forward_put_begin(&payload, term, first);
    for (unsigned i = 0; i < count; i++) {
        char text[24];
        snprintf(text, sizeof text, "c%llu", (unsigned long long)first + i);
        forward_put_command(&payload,
                            &(struct forward_command){.again = again, .bytes = str_of(text)});
    }
    struct submission *submitted;
    assert_int_equal(
        guests_commands(house->guests, server, link, buf_text(&payload), primary_term, &submitted),
        0);
    buf_close(&payload); /* they have copies */
    return submitted;
}

/* As the applier, or whoever answers. */
static void finish(struct house *house, struct submission *first, int err, struct str result)
{
    uint64_t count = 0, bytes = 0, index = 500;
    while (first != NULL) {
        struct submission *next = first->next;
        count++;
        bytes += first->command.len;
        first->done(first, err, err == 0 ? index++ : 0, result);
        first = next;
    }
    ordering_answered(&house->order, count, count, bytes);
}

static void commands_become_submissions_and_results_go_back(void **state)
{
    (void)state;
    struct house house;
    set_up(&house);
    struct submission *first = come(&house, 2, 7, 5, 100, 3, false, 5);
    unsigned at = 100;
    for (const struct submission *s = first; s != NULL; s = s->next) {
        char text[24];
        snprintf(text, sizeof text, "c%u", at++);
        assert_true(str_eq(s->command, str_of(text)));
        assert_true(guest_owns(s));
        assert_false(s->patient);
    }
    assert_int_equal(at, 103);
    assert_int_equal(atomic_load(&house.order.waiting), 3);
    finish(&house, first, 0, STR("a result"));
    assert_int_equal(house.woken, 1); /* once for all */
    assert_false(guests_answers(house.guests));
    assert_int_equal(house.frames, 1);
    assert_int_equal(house.kept_count, 3);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(house.kept[i].server, 2);
        assert_int_equal(house.kept[i].link, 7);
        assert_int_equal(house.kept[i].answer.number, 100 + i);
        assert_int_equal(house.kept[i].answer.verdict, ANSWER_APPLIED);
        assert_int_equal(house.kept[i].answer.index, 500 + i);
        assert_string_equal(house.kept[i].result, "a result");
    }
    finish(&house, come(&house, 2, 7, 5, 103, 1, false, 5), 0, STR(""));
    assert_int_equal(house.woken, 2);
    guests_answers(house.guests);
    tear_down(&house);
}

static void expect_all(struct house *house, unsigned count, enum answer_verdict verdict)
{
    guests_answers(house->guests);
    assert_int_equal(house->kept_count, count);
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(house->kept[i].answer.verdict, verdict);
    house->kept_count = 0;
}

static void only_the_primary_of_that_term_takes_commands(void **state)
{
    (void)state;
    struct house house;
    set_up(&house);
    assert_null(come(&house, 2, 7, 5, 1, 4, false, 0));
    expect_all(&house, 4, ANSWER_NOT_PRIMARY);
    assert_null(come(&house, 2, 7, 5, 5, 4, false, 6));
    expect_all(&house, 4, ANSWER_NOT_PRIMARY);
    assert_null(come(&house, 2, 7, 6, 9, 4, false, 5));
    expect_all(&house, 4, ANSWER_NOT_PRIMARY);
    tear_down(&house);
}

static void what_does_not_fit_is_refused_as_our_own_shoppers_are(void **state)
{
    (void)state;
    struct house house;
    set_up_for(&house, ADMISSION_LEAST + 100);
    house.order.waiting_limit = ADMISSION_LEAST;
    struct submission *first = come(&house, 2, 7, 5, 1, ADMISSION_LEAST + 10, false, 5);
    expect_all(&house, 10, ANSWER_BUSY);
    /* What may have happened before is refused at the last bound only. */
    struct submission *again = come(&house, 2, 7, 5, 1000, 110, true, 5);
    expect_all(&house, 10, ANSWER_BUSY);
    finish(&house, first, 0, STR(""));
    finish(&house, again, 0, STR(""));
    expect_all(&house, ADMISSION_LEAST + 100, ANSWER_APPLIED);
    tear_down(&house);
}

static void who_stops_says_so(void **state)
{
    (void)state;
    struct house house;
    set_up(&house);
    struct submission *first = come(&house, 2, 7, 5, 1, 2, false, 5);
    ordering_close(&house.order);
    assert_null(come(&house, 2, 7, 5, 3, 2, false, 5));
    expect_all(&house, 2, ANSWER_CLOSED);
    ordering_end(&house.order, first, ERR_CLOSED);
    expect_all(&house, 2, ANSWER_CLOSED);
    tear_down(&house);
}

static void a_lost_leadership_is_told_as_an_unknown_fate(void **state)
{
    (void)state;
    struct house house;
    set_up(&house);
    ordering_end(&house.order, come(&house, 2, 7, 5, 1, 2, false, 5), ERR_NOPRIMARY);
    expect_all(&house, 2, ANSWER_NOT_PRIMARY);
    struct submission *first = come(&house, 2, 7, 5, 3, 1, false, 5);
    first->sent = true;
    ordering_end(&house.order, first, ERR_BUSY); /* may have happened: not refused */
    expect_all(&house, 1, ANSWER_NOT_PRIMARY);
    tear_down(&house);
}

static void answers_of_a_link_that_left_are_dropped(void **state)
{
    (void)state;
    struct house house;
    set_up(&house);
    struct submission *first = come(&house, 2, 7, 5, 1, 2, false, 5);
    struct submission *other = come(&house, 3, 8, 5, 1, 1, false, 5);
    guests_left(house.guests, 2, 7);
    guests_answers(house.guests);
    finish(&house, first, 0, STR("late"));
    finish(&house, other, 0, STR("fine"));
    guests_answers(house.guests);
    assert_int_equal(house.kept_count, 1);
    assert_int_equal(house.kept[0].server, 3);
    tear_down(&house);
}

static void commands_of_a_link_that_was_replaced_are_not_taken(void **state)
{
    (void)state;
    struct house house;
    set_up(&house);
    struct submission *old = come(&house, 2, 7, 5, 1, 1, false, 5);
    struct submission *now = come(&house, 2, 9, 5, 1, 1, true, 5);
    assert_non_null(now);
    assert_null(come(&house, 2, 7, 5, 2, 1, false, 5));
    finish(&house, old, 0, STR(""));
    finish(&house, now, 0, STR(""));
    guests_answers(house.guests);
    assert_int_equal(house.kept_count, 1);
    assert_int_equal(house.kept[0].link, 9);
    tear_down(&house);
}

static void a_full_link_gets_its_answers_later_in_order(void **state)
{
    (void)state;
    struct house house;
    set_up(&house);
    char *big = calloc(1, 60000);
    memset(big, 'x', 60000);
    house.answer_err = ERR_FULL;
    finish(&house, come(&house, 2, 7, 5, 1, 5, false, 5), 0, str_make(big, 60000));
    assert_true(guests_answers(house.guests));
    finish(&house, come(&house, 2, 7, 5, 6, 5, false, 5), 0, str_make(big, 60000));
    assert_true(guests_answers(house.guests));
    house.answer_err = 0;
    assert_false(guests_answers(house.guests));
    assert_int_equal(house.kept_count, 10);
    assert_in_range(house.frames, 2, 9);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(house.kept[i].answer.number, 1 + i);
    tear_down(&house);
    free(big);
}

static void a_link_that_never_takes_answers_is_cut(void **state)
{
    (void)state;
    struct house house;
    set_up(&house);
    char *big = calloc(1, 1000000);
    house.answer_err = ERR_FULL;
    for (unsigned i = 0; house.cuts == 0; i++) {
        assert_in_range(i, 0, GUEST_ANSWERS_MAX / 1000000 + 3);
        finish(&house, come(&house, 2, 7, 5, 1 + i, 1, false, 5), 0, str_make(big, 1000000));
        guests_answers(house.guests);
    }
    assert_int_equal(house.cuts, 1);
    house.answer_err = ERR_CLOSED;
    guests_answers(house.guests);
    tear_down(&house);
    free(big);
}

static void what_is_no_frame_of_commands_is_refused(void **state)
{
    (void)state;
    struct house house;
    set_up(&house);
    struct submission *submitted;
    assert_int_equal(guests_commands(house.guests, 2, 7, STR(""), 5, &submitted), ERR_INVALID);
    assert_null(submitted);
    assert_int_equal(guests_commands(house.guests, 2, 7, STR("\5\1\0\x7f"), 5, &submitted),
                     ERR_INVALID);
    assert_null(submitted);
    guests_answers(house.guests);
    assert_int_equal(house.kept_count, 0);
    tear_down(&house);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_become_submissions_and_results_go_back),
        cmocka_unit_test(only_the_primary_of_that_term_takes_commands),
        cmocka_unit_test(what_does_not_fit_is_refused_as_our_own_shoppers_are),
        cmocka_unit_test(who_stops_says_so),
        cmocka_unit_test(a_lost_leadership_is_told_as_an_unknown_fate),
        cmocka_unit_test(answers_of_a_link_that_left_are_dropped),
        cmocka_unit_test(commands_of_a_link_that_was_replaced_are_not_taken),
        cmocka_unit_test(a_full_link_gets_its_answers_later_in_order),
        cmocka_unit_test(a_link_that_never_takes_answers_is_cut),
        cmocka_unit_test(what_is_no_frame_of_commands_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
