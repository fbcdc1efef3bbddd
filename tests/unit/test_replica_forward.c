/* Commands reach whoever is primary, in order, and each is answered once. */
#include "base/check.h"
#include "base/clock.h"
#include "replica/forward.h"
#include "replica/hello.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MANY = 40000 };

struct one {
    struct submission submission;
    struct shop *shop;
    char text[16];
    int err; /* -1: not answered */
    uint64_t index;
    char result[16];
};

struct sent {
    uint64_t server, link, term, first;
    size_t count;
    struct forward_command *commands;
    char *bytes;
};

struct shop {
    struct ordering order;
    struct forward *forward;
    struct one *all;
    unsigned made, answered;
    struct sent frames[64];
    unsigned frame_count;
    int send_err;
    uint64_t now_ns;
};

static void nothing(void *context)
{
    (void)context;
}

static int keep_frame(void *context, uint64_t server, uint64_t link, uint8_t kind,
                      struct str payload)
{
    struct shop *shop = context;
    assert_int_equal(kind, FRAME_COMMANDS);
    if (shop->send_err != 0)
        return shop->send_err;
    assert_in_range(shop->frame_count, 0, COUNT_OF(shop->frames) - 1);
    struct sent *frame = &shop->frames[shop->frame_count++];
    *frame = (struct sent){.server = server, .link = link, .bytes = malloc(payload.len)};
    memcpy(frame->bytes, payload.at, payload.len);
    struct wire in;
    size_t bytes;
    assert_int_equal(forward_open_commands(str_make(frame->bytes, payload.len), &in, &frame->term,
                                           &frame->first, &frame->count, &bytes),
                     0);
    assert_in_range(bytes, 0, FORWARD_FRAME_MAX + ORDER_COMMAND_MAX);
    frame->commands = calloc(frame->count, sizeof *frame->commands);
    for (size_t i = 0; i < frame->count; i++)
        assert_true(forward_next_command(&in, &frame->commands[i]));
    return 0;
}

static void set_up(struct shop *shop)
{
    memset(shop, 0, sizeof *shop);
    ordering_init(&shop->order, 65536, 64 << 20, 60000, nothing, NULL);
    ordering_open(&shop->order);
    shop->all = calloc(MANY, sizeof *shop->all);
    assert_int_equal(
        forward_new(
            &(struct forward_config){.order = &shop->order, .context = shop, .send = keep_frame},
            &shop->forward),
        0);
    shop->now_ns = clock_mono_ns();
}

static void forget_frames(struct shop *shop)
{
    for (unsigned i = 0; i < shop->frame_count; i++) {
        free(shop->frames[i].commands);
        free(shop->frames[i].bytes);
    }
    shop->frame_count = 0;
}

/* Everything was answered exactly once, and nothing waits any more. */
static void tear_down(struct shop *shop)
{
    assert_int_equal(shop->answered, shop->made);
    assert_int_equal(atomic_load(&shop->order.waiting), 0);
    assert_int_equal(atomic_load(&shop->order.waiting_bytes), 0);
    forget_frames(shop);
    forward_free(shop->forward);
    ordering_close(&shop->order);
    ordering_destroy(&shop->order);
    free(shop->all);
}

static void done(struct submission *submission, int err, uint64_t index, struct str result)
{
    struct one *one = CONTAINER_OF(submission, struct one, submission);
    assert_int_equal(one->err, -1);
    one->err = err;
    one->index = index;
    snprintf(one->result, sizeof one->result, "%.*s", STR_FMT(result));
    one->shop->answered++;
}

static struct one *submit(struct shop *shop)
{
    struct one *one = &shop->all[shop->made];
    *one = (struct one){.shop = shop, .err = -1, .submission = {.done = done, .patient = true}};
    snprintf(one->text, sizeof one->text, "c%u", shop->made++);
    one->submission.command = str_of(one->text);
    assert_int_equal(order_submit(&shop->order, &one->submission), 0);
    return one;
}

static void pump(struct shop *shop)
{
    forward_pump(shop->forward, shop->now_ns);
}

static void expect_frame(struct shop *shop, unsigned frame, uint64_t server, uint64_t link,
                         unsigned from, unsigned count, bool again)
{
    assert_true(frame < shop->frame_count);
    const struct sent *sent = &shop->frames[frame];
    assert_int_equal(sent->server, server);
    assert_int_equal(sent->link, link);
    assert_int_equal(sent->count, count);
    for (unsigned i = 0; i < count; i++) {
        assert_true(str_eq(sent->commands[i].bytes, str_of(shop->all[from + i].text)));
        assert_int_equal(sent->commands[i].again, again);
        assert_true(sent->commands[i].patient);
    }
}

static int answer(struct shop *shop, const struct sent *frame, uint64_t number,
                  enum answer_verdict verdict)
{
    struct buf payload;
    buf_init(&payload, 1 << 20);
    forward_put_answer(&payload, &(struct forward_answer){.number = number,
                                                          .verdict = verdict,
                                                          .index = 1000 + number,
                                                          .result = STR("fine")});
    int err = forward_answers(shop->forward, frame->server, frame->link, buf_text(&payload));
    buf_close(&payload);
    return err;
}

static void answer_all(struct shop *shop, const struct sent *frame, enum answer_verdict verdict)
{
    for (size_t i = 0; i < frame->count; i++)
        assert_int_equal(answer(shop, frame, frame->first + i, verdict), 0);
}

/* ---- On the way ---- */

static void the_first_goes_at_once_and_what_comes_later_gathers(void **state)
{
    (void)state;
    struct shop shop;
    set_up(&shop);
    forward_primary(shop.forward, 3, 2, 11, false);
    for (unsigned i = 0; i < FORWARD_FRAMES; i++) {
        submit(&shop);
        pump(&shop);
        expect_frame(&shop, i, 2, 11, i, 1, false);
        assert_int_equal(shop.frames[i].term, 3);
    }
    for (unsigned i = 0; i < 100; i++) {
        submit(&shop);
        pump(&shop);
    }
    assert_int_equal(shop.frame_count, FORWARD_FRAMES);
    answer_all(&shop, &shop.frames[0], ANSWER_APPLIED);
    pump(&shop);
    assert_int_equal(shop.frame_count, FORWARD_FRAMES + 1);
    expect_frame(&shop, FORWARD_FRAMES, 2, 11, FORWARD_FRAMES, 100, false);
    for (unsigned i = 1; i <= FORWARD_FRAMES; i++)
        answer_all(&shop, &shop.frames[i], ANSWER_APPLIED);
    assert_int_equal(shop.all[0].err, 0);
    assert_int_equal(shop.all[0].index, 1000 + shop.frames[0].first);
    assert_string_equal(shop.all[50].result, "fine");
    tear_down(&shop);
}

static void answers_may_come_in_any_order_and_each_counts_once(void **state)
{
    (void)state;
    struct shop shop;
    set_up(&shop);
    for (unsigned i = 0; i < 3000; i++)
        submit(&shop);
    forward_primary(shop.forward, 3, 2, 11, false);
    pump(&shop);
    assert_int_equal(shop.frame_count, 1);
    const struct sent *frame = &shop.frames[0];
    assert_int_equal(frame->count, 3000);
    for (uint64_t i = 3000; i-- > 0;) {
        assert_int_equal(answer(&shop, frame, frame->first + i, ANSWER_APPLIED), 0);
        assert_int_equal(answer(&shop, frame, frame->first + i, ANSWER_APPLIED), 0);
    }
    assert_int_equal(answer(&shop, frame, frame->first + 3000, ANSWER_APPLIED), 0); /* none such */
    for (unsigned i = 0; i < 3000; i++)
        assert_int_equal(shop.all[i].index, 1000 + frame->first + i);
    tear_down(&shop);
}

static void what_is_on_its_way_is_bounded_by_bytes_and_count(void **state)
{
    (void)state;
    struct shop shop;
    set_up(&shop);
    for (unsigned i = 0; i < MANY; i++)
        submit(&shop);
    forward_primary(shop.forward, 3, 2, 11, false);
    unsigned answered = 0;
    for (unsigned round = 0; answered < MANY; round++) {
        pump(&shop);
        assert_in_range(shop.frame_count, 1, FORWARD_FRAMES);
        for (unsigned i = 0; i < shop.frame_count; i++) {
            assert_in_range(shop.frames[i].count, 1, FORWARD_COMMANDS_MAX);
            expect_frame(&shop, i, 2, 11, answered, (unsigned)shop.frames[i].count, false);
            answered += (unsigned)shop.frames[i].count;
            answer_all(&shop, &shop.frames[i], ANSWER_APPLIED);
        }
        forget_frames(&shop);
    }
    tear_down(&shop);
}

static void a_big_command_goes_alone(void **state)
{
    (void)state;
    struct shop shop;
    set_up(&shop);
    char *big = calloc(1, ORDER_COMMAND_MAX);
    enum { BIG = FORWARD_FRAMES + 1 };
    struct one *ones[BIG];
    for (unsigned i = 0; i < BIG; i++) {
        struct one *one = ones[i] = &shop.all[shop.made++];
        *one = (struct one){.shop = &shop, .err = -1, .submission = {.done = done}};
        one->submission.command = str_make(big, ORDER_COMMAND_MAX);
        assert_int_equal(order_submit(&shop.order, &one->submission), 0);
    }
    forward_primary(shop.forward, 3, 2, 11, false);
    pump(&shop);
    assert_int_equal(shop.frame_count, FORWARD_FRAMES);
    assert_int_equal(shop.frames[0].count, 1);
    assert_int_equal(shop.frames[0].commands[0].bytes.len, ORDER_COMMAND_MAX);
    forward_refuse(shop.forward, ERR_CLOSED);
    assert_int_equal(ones[0]->err, ERR_TIMEOUT); /* it may have happened */
    assert_int_equal(ones[BIG - 1]->err, ERR_CLOSED);
    tear_down(&shop);
    free(big);
}

static void a_link_that_takes_nothing_is_asked_again(void **state)
{
    (void)state;
    struct shop shop;
    set_up(&shop);
    struct one *one = submit(&shop);
    forward_primary(shop.forward, 3, 2, 11, false);
    shop.send_err = ERR_FULL;
    pump(&shop);
    assert_int_equal(shop.frame_count, 0);
    shop.send_err = 0;
    pump(&shop);
    expect_frame(&shop, 0, 2, 11, 0, 1, false);
    answer_all(&shop, &shop.frames[0], ANSWER_APPLIED);
    assert_int_equal(one->err, 0);
    tear_down(&shop);
}

/* ---- The primary changes ---- */

static void a_new_primary_gets_what_the_old_one_has_not_answered_in_order(void **state)
{
    (void)state;
    struct shop shop;
    set_up(&shop);
    for (unsigned i = 0; i < 10; i++)
        submit(&shop);
    forward_primary(shop.forward, 3, 2, 11, false);
    pump(&shop);
    const struct sent *old = &shop.frames[0];
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(answer(&shop, old, old->first + i, ANSWER_APPLIED), 0);
    for (unsigned i = 0; i < 3; i++)
        submit(&shop);
    forward_primary(shop.forward, 4, 0, 0, false); /* nobody */
    pump(&shop);
    assert_int_equal(shop.frame_count, 1);
    /* Its answer was on the way. */
    assert_int_equal(answer(&shop, old, old->first + 5, ANSWER_APPLIED), 0);
    assert_int_equal(shop.all[5].err, 0);
    forward_primary(shop.forward, 4, 3, 12, false);
    pump(&shop);
    assert_int_equal(shop.frame_count, 2);
    const struct sent *now = &shop.frames[1];
    assert_int_equal(now->term, 4);
    assert_int_equal(now->count, 7);
    for (unsigned i = 0; i < 7; i++) {
        assert_true(str_eq(now->commands[i].bytes, str_of(shop.all[6 + i].text)));
        assert_int_equal(now->commands[i].again, i < 4);
    }
    /* The old one's answer comes too late: the new one is to say. */
    assert_int_equal(answer(&shop, old, old->first + 6, ANSWER_APPLIED), 0);
    assert_int_equal(shop.all[6].err, -1);
    answer_all(&shop, now, ANSWER_APPLIED);
    tear_down(&shop);
}

static void the_same_primary_on_a_new_link_or_in_a_new_term_is_asked_again(void **state)
{
    (void)state;
    struct shop shop;
    set_up(&shop);
    submit(&shop);
    forward_primary(shop.forward, 3, 2, 11, false);
    pump(&shop);
    forward_primary(shop.forward, 3, 2, 0, false);
    pump(&shop);
    forward_primary(shop.forward, 3, 2, 12, false);
    pump(&shop);
    expect_frame(&shop, 1, 2, 12, 0, 1, true);
    forward_primary(shop.forward, 5, 2, 12, false);
    pump(&shop);
    expect_frame(&shop, 2, 2, 12, 0, 1, true);
    assert_int_equal(shop.frames[2].term, 5);
    assert_true(shop.frames[2].first > shop.frames[1].first); /* so that the two differ */
    assert_int_equal(answer(&shop, &shop.frames[1], shop.frames[1].first, ANSWER_APPLIED), 0);
    assert_int_equal(shop.answered, 0);
    answer_all(&shop, &shop.frames[2], ANSWER_APPLIED);
    tear_down(&shop);
}

static void who_becomes_primary_takes_what_it_had_sent_away(void **state)
{
    (void)state;
    struct shop shop;
    set_up(&shop);
    forward_primary(shop.forward, 3, 2, 11, false);
    submit(&shop);
    pump(&shop);
    submit(&shop);
    forward_primary(shop.forward, 4, 1, 0, true);
    pump(&shop);
    struct submission *taken = forward_take(shop.forward);
    assert_ptr_equal(taken, &shop.all[0].submission);
    assert_true(taken->sent);
    assert_ptr_equal(taken->next, &shop.all[1].submission);
    assert_false(taken->next->sent);
    assert_null(taken->next->next);
    /* Leadership is lost: in front of what came later. */
    submit(&shop);
    forward_primary(shop.forward, 5, 0, 0, false);
    pump(&shop);
    forward_give_back(shop.forward, taken);
    forward_primary(shop.forward, 5, 3, 12, false);
    pump(&shop);
    assert_int_equal(shop.frames[1].count, 3);
    for (unsigned i = 0; i < 3; i++)
        assert_true(str_eq(shop.frames[1].commands[i].bytes, str_of(shop.all[i].text)));
    answer_all(&shop, &shop.frames[1], ANSWER_APPLIED);
    tear_down(&shop);
}

static void who_says_that_it_is_not_primary_is_asked_again_in_a_while(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct shop shop;
        set_up(&shop);
        struct one *one = submit(&shop);
        forward_primary(shop.forward, 3, 2, 11, false);
        pump(&shop);
        answer_all(&shop, &shop.frames[0], i == 0 ? ANSWER_NOT_PRIMARY : ANSWER_CLOSED);
        pump(&shop);
        assert_int_equal(shop.frame_count, 1);
        shop.now_ns += (FORWARD_HOLD_MS - 1) * MS_NS;
        pump(&shop);
        assert_int_equal(shop.frame_count, 1);
        shop.now_ns += MS_NS;
        pump(&shop);
        expect_frame(&shop, 1, 2, 11, 0, 1, true);
        answer_all(&shop, &shop.frames[1], ANSWER_NOT_PRIMARY);
        forward_primary(shop.forward, 4, 3, 12, false); /* a new one is asked at once */
        pump(&shop);
        expect_frame(&shop, 2, 3, 12, 0, 1, true);
        answer_all(&shop, &shop.frames[2], ANSWER_APPLIED);
        assert_int_equal(one->err, 0);
        tear_down(&shop);
    }
}

/* ---- Refused, late ---- */

static void a_busy_primary_refuses_what_certainly_did_not_happen(void **state)
{
    (void)state;
    struct shop shop;
    set_up(&shop);
    struct one *one = submit(&shop);
    forward_primary(shop.forward, 3, 2, 11, false);
    pump(&shop);
    answer_all(&shop, &shop.frames[0], ANSWER_BUSY);
    assert_int_equal(one->err, ERR_BUSY);
    tear_down(&shop);
}

static void what_may_have_happened_is_not_refused_but_asked_again(void **state)
{
    (void)state;
    struct shop shop;
    set_up(&shop);
    struct one *one = submit(&shop);
    forward_primary(shop.forward, 3, 2, 11, false);
    pump(&shop);
    forward_primary(shop.forward, 4, 3, 12, false);
    pump(&shop);
    expect_frame(&shop, 1, 3, 12, 0, 1, true);
    answer_all(&shop, &shop.frames[1], ANSWER_BUSY);
    assert_int_equal(one->err, -1);
    pump(&shop);
    shop.now_ns += FORWARD_HOLD_MS * MS_NS;
    pump(&shop);
    expect_frame(&shop, 2, 3, 12, 0, 1, true);
    answer_all(&shop, &shop.frames[2], ANSWER_APPLIED);
    assert_int_equal(one->err, 0);
    tear_down(&shop);
}

static void the_deadline_tells_whether_it_can_have_happened(void **state)
{
    (void)state;
    struct shop shop;
    set_up(&shop);
    struct one *sent = submit(&shop);
    forward_primary(shop.forward, 3, 2, 11, false);
    pump(&shop);
    forward_primary(shop.forward, 4, 0, 0, false);
    struct one *never = submit(&shop);
    pump(&shop);
    uint64_t begun = never->submission.submitted_ns;
    forward_expire(shop.forward, begun + (FORWARD_DEADLINE_MS - 1000) * MS_NS);
    assert_int_equal(shop.answered, 0);
    forward_expire(shop.forward, begun + FORWARD_DEADLINE_MS * MS_NS + 1);
    assert_int_equal(sent->err, ERR_TIMEOUT);
    assert_int_equal(never->err, ERR_NOPRIMARY);
    /* An answer after that finds nobody. */
    assert_int_equal(answer(&shop, &shop.frames[0], shop.frames[0].first, ANSWER_APPLIED), 0);
    tear_down(&shop);
}

static void the_deadline_holds_for_what_came_back_too(void **state)
{
    (void)state;
    struct shop shop;
    set_up(&shop);
    struct one *one = submit(&shop);
    forward_primary(shop.forward, 3, 2, 11, false);
    pump(&shop);
    answer_all(&shop, &shop.frames[0], ANSWER_NOT_PRIMARY);
    forward_expire(shop.forward, one->submission.submitted_ns + FORWARD_DEADLINE_MS * MS_NS + 1);
    assert_int_equal(one->err, ERR_TIMEOUT);
    tear_down(&shop);
}

static void answers_that_cannot_be_read_are_refused_and_change_nothing(void **state)
{
    (void)state;
    struct shop shop;
    set_up(&shop);
    submit(&shop);
    forward_primary(shop.forward, 3, 2, 11, false);
    pump(&shop);
    struct buf payload;
    buf_init(&payload, 1 << 20);
    forward_put_answer(
        &payload, &(struct forward_answer){.number = shop.frames[0].first, .result = STR("fine")});
    buf_byte(&payload, 7); /* and half of another */
    assert_int_equal(forward_answers(shop.forward, 2, 11, buf_text(&payload)), ERR_INVALID);
    assert_int_equal(forward_answers(shop.forward, 2, 11, STR("")), ERR_INVALID);
    assert_int_equal(shop.answered, 0);
    buf_close(&payload);
    answer_all(&shop, &shop.frames[0], ANSWER_APPLIED);
    tear_down(&shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_goes_at_once_and_what_comes_later_gathers),
        cmocka_unit_test(answers_may_come_in_any_order_and_each_counts_once),
        cmocka_unit_test(what_is_on_its_way_is_bounded_by_bytes_and_count),
        cmocka_unit_test(a_big_command_goes_alone),
        cmocka_unit_test(a_link_that_takes_nothing_is_asked_again),
        cmocka_unit_test(a_new_primary_gets_what_the_old_one_has_not_answered_in_order),
        cmocka_unit_test(the_same_primary_on_a_new_link_or_in_a_new_term_is_asked_again),
        cmocka_unit_test(who_becomes_primary_takes_what_it_had_sent_away),
        cmocka_unit_test(who_says_that_it_is_not_primary_is_asked_again_in_a_while),
        cmocka_unit_test(a_busy_primary_refuses_what_certainly_did_not_happen),
        cmocka_unit_test(what_may_have_happened_is_not_refused_but_asked_again),
        cmocka_unit_test(the_deadline_tells_whether_it_can_have_happened),
        cmocka_unit_test(the_deadline_holds_for_what_came_back_too),
        cmocka_unit_test(answers_that_cannot_be_read_are_refused_and_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
