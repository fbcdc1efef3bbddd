/* Whether a request is sent again, what that may cost, and under which name. */
#include "balance/budget.h"
#include "balance/quantile.h"
#include "balance/retry.h"
#include "balance/stamp.h"
#include "base/check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ---- Retry ---- */

static struct retry_case usual(enum retry_reason reason)
{
    return (struct retry_case){
        .reason = reason,
        .repeatable = true,
        .sent = true,
        .kept = true,
        .shop = true,
        .others = true,
        .costly = 1,
        .now_ns = 10 * SEC_NS,
        .began_ns = 10 * SEC_NS - MS_NS,
        .deadline_ns = 40 * SEC_NS,
    };
}

static void a_repeatable_request_goes_to_the_next_server_at_once(void **state)
{
    (void)state;
    for (int reason = RETRY_REFUSED; reason <= RETRY_ELSEWHERE; reason++) {
        struct retry_case is = usual((enum retry_reason)reason);
        assert_int_equal(retry_decide(&is), RETRY_AT_ONCE);
    }
}

static void what_was_sent_and_may_have_happened_is_not_sent_again(void **state)
{
    (void)state;
    struct retry_case is = usual(RETRY_RESET);
    is.repeatable = false;
    assert_int_equal(retry_decide(&is), RETRY_GIVE_UP);
    is.reason = RETRY_STALE;
    assert_int_equal(retry_decide(&is), RETRY_GIVE_UP);
    is = usual(RETRY_REFUSED);
    is.repeatable = is.sent = false;
    assert_int_equal(retry_decide(&is), RETRY_AT_ONCE);
}

static void a_body_that_has_gone_cannot_be_sent_again(void **state)
{
    (void)state;
    struct retry_case is = usual(RETRY_REFUSED);
    is.kept = false;
    assert_int_equal(retry_decide(&is), RETRY_GIVE_UP);
}

static void there_is_an_end_to_what_costs(void **state)
{
    (void)state;
    struct retry_case is = usual(RETRY_RESET);
    is.costly = RETRY_MOST;
    assert_int_equal(retry_decide(&is), RETRY_GIVE_UP);
    is.reason = RETRY_REFUSED;
    assert_int_equal(retry_decide(&is), RETRY_AT_ONCE);
    is = usual(RETRY_RESET);
    is.now_ns = is.deadline_ns;
    assert_int_equal(retry_decide(&is), RETRY_GIVE_UP);
}

static void a_shop_without_a_primary_is_asked_again_for_a_while(void **state)
{
    (void)state;
    struct retry_case is = usual(RETRY_ELSEWHERE);
    is.others = false;
    assert_int_equal(retry_decide(&is), RETRY_LATER);
    is.now_ns = is.began_ns + RETRY_PATIENCE_NS;
    assert_int_equal(retry_decide(&is), RETRY_GIVE_UP);
    is = usual(RETRY_REFUSED);
    is.others = is.shop = false; /* other people's servers: nobody knows when they are back */
    assert_int_equal(retry_decide(&is), RETRY_GIVE_UP);
}

static void for_a_busy_server_one_other_is_asked_once(void **state)
{
    (void)state;
    struct retry_case is = usual(RETRY_BUSY);
    is.repeatable = is.shop = false; /* it has not looked at it */
    assert_int_equal(retry_decide(&is), RETRY_AT_ONCE);
    assert_true(retry_costs(RETRY_BUSY));
    is.was_busy = true;
    assert_int_equal(retry_decide(&is), RETRY_GIVE_UP);
    is = usual(RETRY_BUSY);
    is.others = false;
    assert_int_equal(retry_decide(&is), RETRY_GIVE_UP);
    is = usual(RETRY_BUSY);
    is.kept = false;
    assert_int_equal(retry_decide(&is), RETRY_GIVE_UP);
}

static void pauses_are_short_and_differ(void **state)
{
    (void)state;
    struct random random;
    uint64_t least = UINT64_MAX, most = 0;
    random_seed(&random, 1);
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t pause = retry_pause_ns(&random, i % 50);
        least = pause < least ? pause : least;
        most = pause > most ? pause : most;
    }
    assert_in_range(least, 20 * MS_NS, 22 * MS_NS);
    assert_in_range(most, 40 * MS_NS, 51 * MS_NS);
}

static void methods_say_what_may_be_repeated(void **state)
{
    (void)state;
    struct exchange x = {.method = HTTP_GET};
    assert_true(retry_is_repeatable(&x));
    x.method = HTTP_PUT;
    assert_true(retry_is_repeatable(&x));
    x.method = HTTP_DELETE;
    assert_true(retry_is_repeatable(&x));
    x.method = HTTP_POST;
    assert_false(retry_is_repeatable(&x));
    x.known[HTTP_FIELD_IDEMPOTENCY_KEY] = STR("k");
    assert_true(retry_is_repeatable(&x));
    x.method = HTTP_OTHER;
    assert_false(retry_is_repeatable(&x));
}

/* ---- Budget ---- */

static void requests_pay_for_retries(void **state)
{
    (void)state;
    struct budget budget;
    unsigned spent = 0;
    budget_init(&budget, 200, 0, 5, SEC_NS);
    for (unsigned i = 0; i < 1000; i++) {
        budget_earn(&budget);
        spent += budget_spend(&budget, SEC_NS);
    }
    assert_in_range(spent, 200, 205);
}

static void some_are_free_every_second(void **state)
{
    (void)state;
    struct budget budget;
    unsigned spent = 0;
    budget_init(&budget, 0, 10, 10, SEC_NS);
    while (budget_spend(&budget, SEC_NS))
        spent++;
    assert_int_equal(spent, 10);
    for (uint64_t now = SEC_NS; now <= 3 * SEC_NS; now += 7 * MS_NS)
        spent += budget_spend(&budget, now);
    assert_in_range(spent, 29, 30);
}

static void savings_are_bounded(void **state)
{
    (void)state;
    struct budget budget;
    unsigned spent = 0;
    budget_init(&budget, 200, 10, 256, SEC_NS);
    for (unsigned i = 0; i < 1000000; i++)
        budget_earn(&budget);
    while (budget_spend(&budget, 1000000 * SEC_NS))
        spent++;
    assert_int_equal(spent, 256);
}

static void all_that_a_server_had_can_go_elsewhere_at_once(void **state)
{
    (void)state;
    struct budget budget;
    unsigned spent = 0;
    budget_init(&budget, 200, 10, 256, SEC_NS);
    while (budget_spend(&budget, SEC_NS))
        spent++;
    assert_int_equal(spent, 256);
}

/* ---- Quantile ---- */

static void the_quantile_is_near_the_true_one(void **state)
{
    (void)state;
    struct quantile quantile = {0};
    assert_int_equal(quantile_at(&quantile, 950), 0);
    for (uint64_t i = 1; i <= 1000; i++)
        quantile_add(&quantile, i * MS_NS);
    assert_in_range(quantile_at(&quantile, 950), 950 * MS_NS, 1080 * MS_NS);
    assert_in_range(quantile_at(&quantile, 500), 500 * MS_NS, 570 * MS_NS);
}

static void the_quantile_follows_a_change(void **state)
{
    (void)state;
    struct quantile quantile = {0};
    for (unsigned i = 0; i < 20000; i++)
        quantile_add(&quantile, 100 * MS_NS);
    for (unsigned i = 0; i < 20000; i++)
        quantile_add(&quantile, MS_NS);
    assert_in_range(quantile_at(&quantile, 950), MS_NS, 2 * MS_NS);
}

/* ---- Stamp ---- */

static void stamps_are_ids_and_differ(void **state)
{
    (void)state;
    struct stamp stamp = {0};
    char before[ID_TEXT] = "", text[ID_TEXT];
    struct id id;
    for (unsigned i = 0; i < 1000; i++) {
        stamp_new(&stamp, 1795345678000, text);
        assert_int_equal(id_parse(str_of(text), &id), 0);
        assert_string_not_equal(text, before);
        memcpy(before, text, sizeof before);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repeatable_request_goes_to_the_next_server_at_once),
        cmocka_unit_test(what_was_sent_and_may_have_happened_is_not_sent_again),
        cmocka_unit_test(a_body_that_has_gone_cannot_be_sent_again),
        cmocka_unit_test(there_is_an_end_to_what_costs),
        cmocka_unit_test(a_shop_without_a_primary_is_asked_again_for_a_while),
        cmocka_unit_test(for_a_busy_server_one_other_is_asked_once),
        cmocka_unit_test(pauses_are_short_and_differ),
        cmocka_unit_test(methods_say_what_may_be_repeated),
        cmocka_unit_test(requests_pay_for_retries),
        cmocka_unit_test(some_are_free_every_second),
        cmocka_unit_test(savings_are_bounded),
        cmocka_unit_test(all_that_a_server_had_can_go_elsewhere_at_once),
        cmocka_unit_test(the_quantile_is_near_the_true_one),
        cmocka_unit_test(the_quantile_follows_a_change),
        cmocka_unit_test(stamps_are_ids_and_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
