/* What may become of a payment: every status with every call, and the money in it. */
#include "base/check.h"
#include "base/err.h"
#include "outside/sandbox_payment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

enum { NOW_MS = 1795361400 * 1000ll, LAPSE_MS = 60000 };

static const struct sandbox_account account = {"ABCDEFGH"};

struct life {
    struct payment payment;
    struct charge charge;
    bool charged;
    struct refund refund;
    bool let_go;
    struct sandbox_error error;
};

static struct life fresh(enum payment_capture_method method)
{
    return (struct life){.payment = {.number = 7,
                                     .amount = 2000,
                                     .currency = "eur",
                                     .capture_method = method,
                                     .method = STR(""),
                                     .metadata = STR("{}")}};
}

static int confirm_with(struct life *life, const char *card, bool no_action, bool refuse)
{
    struct payment_attempt attempt = {.card = sandbox_card_find(str_of(card)),
                                      .method = str_of(card),
                                      .no_action = no_action,
                                      .refuse = refuse,
                                      .now_ms = NOW_MS,
                                      .lapse_ms = LAPSE_MS};
    life->error = (struct sandbox_error){0};
    int status =
        payment_confirm(&life->payment, &attempt, &life->charge, &life->charged, &life->error);
    if (life->charged)
        life->payment.charge = life->charge.number = 3;
    return status;
}

static int confirm(struct life *life)
{
    return confirm_with(life, "pm_card_visa", false, false);
}

static int capture(struct life *life, int64_t amount)
{
    return payment_capture(&life->payment, &life->charge, amount, &life->error);
}

static int cancel(struct life *life)
{
    return payment_cancel(&life->payment, &life->charge, STR("abandoned"), NOW_MS, &life->refund,
                          &life->let_go, &life->error);
}

static int refund(struct life *life, int64_t amount)
{
    return payment_refund(&account, &life->payment, &life->charge, amount, STR("duplicate"), NOW_MS,
                          &life->refund, &life->error);
}

static void manual_capture_reserves_first(void **state)
{
    (void)state;
    struct life life = fresh(CAPTURE_MANUAL);
    assert_int_equal(confirm(&life), 0);
    assert_int_equal(life.payment.status, PAYMENT_REQUIRES_CAPTURE);
    assert_int_equal(life.payment.received, 0);
    assert_int_equal(life.payment.lapses_ms, NOW_MS + LAPSE_MS);
    assert_true(life.charged);
    assert_false(life.charge.is_captured);
    assert_int_equal(life.charge.capture_before, (NOW_MS + LAPSE_MS) / 1000);
    assert_int_equal(capture(&life, 0), 0);
    assert_int_equal(life.payment.status, PAYMENT_SUCCEEDED);
    assert_int_equal(life.payment.received, 2000);
    assert_int_equal(life.charge.captured, 2000);
    assert_int_equal(life.payment.lapses_ms, 0);
}

static void automatic_capture_takes_all_at_once(void **state)
{
    (void)state;
    for (int method = CAPTURE_AUTOMATIC; method <= CAPTURE_AUTOMATIC_ASYNC; method++) {
        struct life life = fresh((enum payment_capture_method)method);
        assert_int_equal(confirm(&life), 0);
        assert_int_equal(life.payment.status, PAYMENT_SUCCEEDED);
        assert_int_equal(life.payment.received, 2000);
        assert_true(life.charge.is_captured);
        assert_int_equal(life.payment.lapses_ms, 0);
    }
}

static void part_can_be_captured_once(void **state)
{
    (void)state;
    struct life life = fresh(CAPTURE_MANUAL);
    assert_int_equal(confirm(&life), 0);
    assert_int_equal(capture(&life, 2001), 400);
    assert_string_equal(life.error.param, "amount_to_capture");
    assert_int_equal(capture(&life, -1), 400);
    assert_int_equal(life.payment.status, PAYMENT_REQUIRES_CAPTURE);
    assert_int_equal(capture(&life, 1200), 0);
    assert_int_equal(life.payment.received, 1200);
    assert_int_equal(capture(&life, 800), 400);
    assert_string_equal(life.error.code, "payment_intent_unexpected_state");
    assert_int_equal(life.payment.received, 1200);
}

static void what_was_captured_can_be_given_back_in_parts(void **state)
{
    (void)state;
    struct life life = fresh(CAPTURE_MANUAL);
    assert_int_equal(confirm(&life), 0);
    assert_int_equal(refund(&life, 0), 400); /* only authorised: that is canceled */
    assert_string_equal(life.error.param, "payment_intent");
    assert_int_equal(capture(&life, 1200), 0);
    assert_int_equal(refund(&life, 500), 0);
    assert_int_equal(life.refund.amount, 500);
    assert_int_equal(life.refund.status, REFUND_SUCCEEDED);
    assert_int_equal(refund(&life, 701), 400);
    assert_null(life.error.code);
    assert_string_equal(life.error.param, "amount");
    assert_int_equal(refund(&life, 0), 0);
    assert_int_equal(life.refund.amount, 700);
    assert_int_equal(refund(&life, 1), 400);
    assert_string_equal(life.error.code, "charge_already_refunded");
    assert_int_equal(life.charge.refunded, 1200);
}

static void a_decline_can_be_followed_by_another_card(void **state)
{
    (void)state;
    struct life life = fresh(CAPTURE_MANUAL);
    assert_int_equal(confirm_with(&life, "pm_card_chargeDeclined", false, false), 402);
    assert_string_equal(life.error.code, "card_declined");
    assert_string_equal(life.error.decline_code, "generic_decline");
    assert_int_equal(life.payment.status, PAYMENT_REQUIRES_METHOD);
    assert_int_equal(life.payment.method.len, 0);
    assert_true(str_eq(life.payment.declined_method, STR("pm_card_chargeDeclined")));
    assert_true(life.charged);
    assert_int_equal(life.charge.decline, DECLINE_GENERIC);
    assert_int_equal(confirm(&life), 0);
    assert_int_equal(life.payment.decline, DECLINE_NONE);
    assert_int_equal(life.charge.decline, DECLINE_NONE);
}

static void a_fault_declines_any_card(void **state)
{
    (void)state;
    struct life life = fresh(CAPTURE_MANUAL);
    assert_int_equal(confirm_with(&life, "pm_card_visa", false, true), 402);
    assert_int_equal(life.payment.decline, DECLINE_GENERIC);
}

static void a_card_that_asks_waits_or_is_declined(void **state)
{
    (void)state;
    struct life life = fresh(CAPTURE_MANUAL);
    assert_int_equal(confirm_with(&life, "pm_card_threeDSecure2Required", false, false), 0);
    assert_int_equal(life.payment.status, PAYMENT_REQUIRES_ACTION);
    assert_false(life.charged);
    life = fresh(CAPTURE_MANUAL);
    assert_int_equal(confirm_with(&life, "pm_card_threeDSecure2Required", true, false), 402);
    assert_string_equal(life.error.code, "authentication_required");
    assert_int_equal(life.payment.status, PAYMENT_REQUIRES_METHOD);
    assert_false(life.charged);
}

static void letting_go_gives_the_authorisation_back(void **state)
{
    (void)state;
    struct life life = fresh(CAPTURE_MANUAL);
    assert_int_equal(confirm(&life), 0);
    assert_int_equal(cancel(&life), 0);
    assert_true(life.let_go);
    assert_true(life.refund.reversal);
    assert_int_equal(life.refund.amount, 2000);
    assert_int_equal(life.charge.refunded, 2000);
    assert_int_equal(life.charge.captured, 0);
    assert_int_equal(life.payment.status, PAYMENT_CANCELED);
    assert_int_equal(life.payment.canceled_at, NOW_MS / 1000);
    assert_string_equal(life.payment.cancel_reason, "abandoned");
    life = fresh(CAPTURE_MANUAL);
    assert_int_equal(cancel(&life), 0);
    assert_false(life.let_go);
}

/* Which calls are taken in which status: the rest changes nothing. */
static void each_status_takes_its_calls_alone(void **state)
{
    (void)state;
    static const bool confirms[] = {true, true, true, false, false, false};
    static const bool cancels[] = {true, true, true, true, false, false};
    for (int status = 0; status < PAYMENT_STATUS_COUNT; status++) {
        struct life life = fresh(CAPTURE_MANUAL);
        life.charge = (struct charge){.number = 3, .amount = 2000, .currency = "eur"};
        life.payment.status = (enum payment_status)status;
        struct life before = life;
        bool captures = status == PAYMENT_REQUIRES_CAPTURE;
        struct life one = life;
        assert_int_equal(confirm(&one), confirms[status] ? 0 : 400);
        one = life;
        assert_int_equal(cancel(&one), cancels[status] ? 0 : 400);
        if (!cancels[status])
            assert_non_null(strstr(one.error.message, payment_status_names[status]));
        one = life;
        assert_int_equal(capture(&one, 0), captures ? 0 : 400);
        if (!captures) {
            assert_int_equal(one.payment.status, before.payment.status);
            assert_int_equal(one.charge.captured, 0);
        }
    }
}

static void without_a_card_nothing_is_confirmed(void **state)
{
    (void)state;
    struct life life = fresh(CAPTURE_MANUAL);
    assert_int_equal(confirm_with(&life, "pm_card_none", false, false), 400);
    assert_string_equal(life.error.code, "payment_intent_unexpected_state");
}

static void some_refunds_turn_out_later(void **state)
{
    (void)state;
    static const struct {
        const char *card;
        enum refund_status now, later;
        int64_t left;
    } rows[] = {{"pm_card_pendingRefund", REFUND_PENDING, REFUND_SUCCEEDED, 0},
                {"pm_card_refundFail", REFUND_SUCCEEDED, REFUND_FAILED, 2000}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct life life = fresh(CAPTURE_AUTOMATIC);
        assert_int_equal(confirm_with(&life, rows[i].card, false, false), 0);
        assert_int_equal(refund(&life, 0), 0);
        assert_int_equal(life.refund.status, rows[i].now);
        assert_int_equal(life.refund.later_ms, NOW_MS + REFUND_LATER_MS);
        refund_settle(&life.refund, &life.charge);
        assert_int_equal(life.refund.status, rows[i].later);
        assert_int_equal(life.charge.captured - life.charge.refunded, rows[i].left);
    }
}

static void names_are_of_this_account_alone(void **state)
{
    (void)state;
    char id[PAYMENT_ID];
    static const struct sandbox_account other = {"ABCDEFGJ"};
    assert_string_equal(sandbox_id(&account, "pi", 0x1a2b, id), "pi_ABCDEFGH0000000000001a2b");
    assert_int_equal(sandbox_id_number(&account, "pi", str_of(id)), 0x1a2b);
    assert_int_equal(sandbox_id_number(&account, "ch", str_of(id)), 0);
    assert_int_equal(sandbox_id_number(&other, "pi", str_of(id)), 0);
    assert_int_equal(sandbox_id_number(&account, "pi", STR("pi_ABCDEFGH0000000000001a2")), 0);
    assert_int_equal(sandbox_id_number(&account, "pi", STR("pi_ABCDEFGHffffffffffffffff")), 0);
    assert_int_equal(sandbox_id_number(&account, "pi", STR("pi_ABCDEFGH000000000000zzzz")), 0);
    assert_int_equal(sandbox_id_number(&account, "pi", STR("")), 0);
    assert_int_equal(sandbox_id_number(&account, "pi", STR_NONE), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manual_capture_reserves_first),
        cmocka_unit_test(automatic_capture_takes_all_at_once),
        cmocka_unit_test(part_can_be_captured_once),
        cmocka_unit_test(what_was_captured_can_be_given_back_in_parts),
        cmocka_unit_test(a_decline_can_be_followed_by_another_card),
        cmocka_unit_test(a_fault_declines_any_card),
        cmocka_unit_test(a_card_that_asks_waits_or_is_declined),
        cmocka_unit_test(letting_go_gives_the_authorisation_back),
        cmocka_unit_test(each_status_takes_its_calls_alone),
        cmocka_unit_test(without_a_card_nothing_is_confirmed),
        cmocka_unit_test(some_refunds_turn_out_later),
        cmocka_unit_test(names_are_of_this_account_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
