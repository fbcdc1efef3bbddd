/* The buying saga: every point at which something can fail, and what the shopper is told. */
#include "outside/buy.h"
#include "outside_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct bought {
    struct ordering order;
    struct planned_bank bank;
    struct buying *buying;
    atomic_uint answers;
    bool keyed; /* requests have an Idempotency-Key */
    int err;
    uint64_t index;
    enum checkout_status status;
    char text[300];
};

static void bought_done(void *context, uint64_t index, struct str record)
{
    struct bought *bought = context;
    struct arena arena;
    struct result result;
    arena_init(&arena, 1 << 22);
    CHECK(result_decode(&arena, record, &result) == 0);
    bought->err = result.err;
    bought->index = index;
    str_copy(bought->text, sizeof bought->text, result.text);
    if (result.kind == RESULT_CHECKOUT)
        bought->status = result.checkout.status;
    arena_close(&arena);
    atomic_fetch_add(&bought->answers, 1);
}

static void begin(struct bought *bought, const char *order_plan, const char *bank_plan)
{
    memset(bought, 0, sizeof *bought);
    order_init(&bought->order, id_new(1), 4200);
    bank_init(&bought->bank);
    bought->order.plan = order_plan;
    bought->bank.plan = bank_plan;
    struct buying_config config = {.order = &bought->order, .bank = &bought->bank.bank};
    assert_int_equal(buying_new(&config, &bought->buying), 0);
}

static int start(struct bought *bought, const char *token)
{
    char copied[40]; /* gone when buy_start has returned */
    snprintf(copied, sizeof copied, "%s", token);
    struct buy_request request = {.checkout = bought->order.checkout.id,
                                  .payment = {.handler_id = STR("sandbox")},
                                  .token = str_of(copied),
                                  .currency = STR("EUR"),
                                  .expected_total = -1,
                                  .keyed = bought->keyed,
                                  .done = bought_done,
                                  .context = bought};
    int err = buy_start(bought->buying, &request);
    memset(copied, 'x', sizeof copied);
    return err;
}

static void buy(struct bought *bought, const char *token)
{
    unsigned before = atomic_load(&bought->answers);
    assert_int_equal(start(bought, token), 0);
    uint64_t deadline = clock_mono_ns() + 20 * SEC_NS;
    while (atomic_load(&bought->answers) == before) {
        assert_true(clock_mono_ns() < deadline);
        usleep(200); /* no wait: the pace of looking */
    }
}

static void end(struct bought *bought)
{
    buying_free(bought->buying);
    bank_sandbox_free(bought->bank.sandbox);
}

static void a_good_token_makes_one_order(void **state)
{
    (void)state;
    struct bought bought;
    begin(&bought, "", "");
    buy(&bought, "success_token");
    assert_int_equal(bought.err, 0);
    assert_int_equal(bought.status, CHECKOUT_COMPLETED);
    assert_int_equal(bought.index, 2);
    assert_int_equal(bought.order.orders, 1);
    assert_int_equal(bought.bank.calls, 1);
    assert_true(strncmp(bought.order.reference, "sbx_", 4) == 0);
    struct buy_report report;
    buying_report(bought.buying, &report);
    assert_int_equal(report.paid, 1);
    end(&bought);
    assert_int_equal(bought.answers, 1);
}

static void a_refused_card_gives_the_goods_back_and_another_one_may_pay(void **state)
{
    (void)state;
    struct bought bought;
    begin(&bought, "", "");
    buy(&bought, "fail_token");
    assert_int_equal(bought.err, 0);
    assert_int_equal(bought.status, CHECKOUT_READY);
    assert_int_equal(bought.order.releases, 1);
    assert_true(strlen(bought.order.error) > 0);
    buy(&bought, "success_token");
    assert_int_equal(bought.status, CHECKOUT_COMPLETED);
    assert_int_equal(bought.order.orders, 1);
    end(&bought);
}

static void nothing_to_pay_needs_no_bank(void **state)
{
    (void)state;
    struct bought bought;
    begin(&bought, "", "");
    bought.order.total = 0;
    buy(&bought, "");
    assert_int_equal(bought.status, CHECKOUT_COMPLETED);
    assert_int_equal(bought.bank.calls, 0);
    end(&bought);
}

static void a_busy_shop_is_said_at_once(void **state)
{
    (void)state;
    struct bought bought;
    begin(&bought, "bc", "");
    assert_int_equal(start(&bought, "success_token"), ERR_BUSY);
    assert_int_equal(start(&bought, "success_token"), ERR_CLOSED);
    assert_int_equal(bought.answers, 0);
    assert_int_equal(bought.bank.calls, 0);
    end(&bought);
    assert_int_equal(bought.answers, 0);
}

static void a_checkout_that_is_bought_already_is_refused_with_its_state(void **state)
{
    (void)state;
    struct bought bought;
    begin(&bought, "", "");
    buy(&bought, "success_token");
    buy(&bought, "success_token");
    assert_int_equal(bought.err, ERR_STATE);
    assert_int_equal(bought.status, CHECKOUT_COMPLETED);
    assert_int_equal(bought.order.orders, 1);
    assert_int_equal(bought.bank.calls, 1);
    end(&bought);
}

/* One lost or doubtful answer at each step changes nothing about the outcome. */
/* A load manager, or the shopper, asks for the same purchase again: its first end was counted. */
static void what_was_bought_already_is_no_failure(void **state)
{
    (void)state;
    struct bought bought;
    struct buy_report report;
    begin(&bought, "", "");
    bought.keyed = true;
    buy(&bought, "success_token");
    buy(&bought, "success_token");
    assert_int_equal(bought.err, 0);
    assert_int_equal(bought.status, CHECKOUT_COMPLETED);
    assert_int_equal(bought.bank.calls, 1);
    buying_report(bought.buying, &report);
    assert_int_equal(report.paid, 1);
    assert_int_equal(report.failed, 0);
    bought.keyed = false; /* another purchase of the same is refused */
    buy(&bought, "success_token");
    assert_int_equal(bought.err, ERR_STATE);
    buying_report(bought.buying, &report);
    assert_int_equal(report.failed, 1);
    end(&bought);
}

static void each_step_survives_a_lost_answer(void **state)
{
    (void)state;
    static const struct {
        const char *order, *bank;
    } plans[] = {{"l", ""}, {"u", ""},   {".l", ""},   {".u", ""},    {".b", ""},    {"", "x"},
                 {"", "l"}, {"ul", "l"}, {".bul", ""}, {"u.u", "xl"}, {"lll", "lll"}};
    for (unsigned i = 0; i < sizeof plans / sizeof plans[0]; i++) {
        struct bought bought;
        begin(&bought, plans[i].order, plans[i].bank);
        buy(&bought, "success_token");
        assert_int_equal(bought.err, 0);
        assert_int_equal(bought.status, CHECKOUT_COMPLETED);
        assert_int_equal(bought.order.orders, 1);
        assert_int_equal(bought.order.releases, 0);
        end(&bought);
        assert_int_equal(bought.answers, 1);

        begin(&bought, plans[i].order, plans[i].bank);
        buy(&bought, "fail_token");
        assert_int_equal(bought.err, 0);
        assert_int_equal(bought.status, CHECKOUT_READY);
        assert_int_equal(bought.order.orders, 0);
        assert_int_equal(bought.order.releases, 1);
        end(&bought);
    }
}

static void a_bank_out_of_reach_leaves_the_hold_to_be_settled(void **state)
{
    (void)state;
    struct bought bought;
    begin(&bought, "", "xxxx");
    buy(&bought, "success_token");
    assert_int_equal(bought.err, ERR_TIMEOUT);
    assert_true(strlen(bought.text) > 20);
    assert_int_equal(bought.bank.calls, BUY_TRIES);
    assert_int_equal(bought.order.checkout.status, CHECKOUT_PAYING);
    buy(&bought, "success_token"); /* tries again before it was settled: goes on */
    assert_int_equal(bought.status, CHECKOUT_COMPLETED);
    assert_int_equal(bought.order.holds, 1);
    end(&bought);
}

/* While the bank is asked, somebody else changes the checkout. */
static void claim(void *context)
{
    struct bought *bought = context;
    pthread_mutex_lock(&bought->order.mutex);
    bought->order.checkout.claimed = bought->order.checkout.status == CHECKOUT_PAYING;
    pthread_mutex_unlock(&bought->order.mutex);
}

static void what_the_primary_has_claimed_is_left_to_it(void **state)
{
    (void)state;
    static const char *const tokens[] = {"success_token", "fail_token"};
    for (unsigned i = 0; i < 2; i++) {
        struct bought bought;
        begin(&bought, "", "");
        bought.bank.between = claim;
        bought.bank.between_context = &bought;
        buy(&bought, tokens[i]);
        assert_int_equal(bought.err, ERR_TIMEOUT);
        assert_int_equal(bought.order.checkout.status, CHECKOUT_PAYING);
        assert_int_equal(bought.bank.calls, 1); /* no money is taken back */
        buy(&bought, tokens[i]);                /* tries again: nor is the bank asked */
        assert_int_equal(bought.err, ERR_TIMEOUT);
        assert_int_equal(bought.bank.calls, 1);
        end(&bought);
    }
}

static void release(void *context)
{
    struct bought *bought = context;
    pthread_mutex_lock(&bought->order.mutex);
    bought->order.checkout.status = CHECKOUT_READY;
    pthread_mutex_unlock(&bought->order.mutex);
}

/* From another tab, with a card that the bank does not know. */
static void money_of_an_attempt_that_is_over_is_let_go(void **state)
{
    (void)state;
    struct bought bought;
    begin(&bought, "", ".x."); /* also when the bank is not there at first */
    bought.bank.between = release;
    bought.bank.between_context = &bought;
    buy(&bought, "success_token");
    assert_int_equal(bought.err, ERR_STATE);
    assert_int_equal(bought.order.orders, 0);
    assert_int_equal(bought.bank.cancels, 2);
    assert_true(strncmp(bought.bank.canceled, "sbx_", 4) == 0); /* both times */
    end(&bought);
}

/* The primary settles a slow attempt: an order. Then the shopper sends her request again, under the
 * same key, and is told that the checkout is completed; which the key remembers. */
static void money_of_an_order_is_not_let_go_because_a_repeat_was_refused(void **state)
{
    (void)state;
    struct bought bought;
    begin(&bought, "", "");
    bought.keyed = true;
    bought.order.refused_before = true;
    buy(&bought, "success_token");
    assert_int_equal(bought.bank.cancels, 0);
    assert_int_equal(bought.order.orders, 1);
    assert_int_equal(bought.err, 0);
    assert_int_equal(bought.status, CHECKOUT_COMPLETED);
    end(&bought);
}

static void pay_otherwise(void *context)
{
    struct bought *bought = context;
    pthread_mutex_lock(&bought->order.mutex);
    if (bought->order.checkout.status == CHECKOUT_PAYING) {
        bought->order.checkout.status = CHECKOUT_COMPLETED;
        bought->order.checkout.attempt++;
        bought->order.orders++;
        str_copy(bought->order.reference, sizeof bought->order.reference, STR("sbx_another"));
    }
    pthread_mutex_unlock(&bought->order.mutex);
}

static void an_order_that_another_attempt_has_paid_is_not_paid_twice(void **state)
{
    (void)state;
    struct bought bought;
    begin(&bought, "", "");
    bought.bank.between = pay_otherwise;
    bought.bank.between_context = &bought;
    buy(&bought, "success_token");
    assert_int_equal(bought.err, 0);
    assert_int_equal(bought.status, CHECKOUT_COMPLETED);
    assert_int_equal(bought.order.orders, 1);
    assert_int_equal(bought.bank.cancels, 1);
    end(&bought);
}

static void a_log_that_never_confirms_leaves_the_hold_to_be_settled(void **state)
{
    (void)state;
    struct bought bought;
    begin(&bought, ".bbbb", "");
    buy(&bought, "success_token");
    assert_int_equal(bought.err, ERR_TIMEOUT);
    assert_int_equal(bought.order.checkout.status, CHECKOUT_PAYING);
    end(&bought);
    begin(&bought, ".c", "");
    buy(&bought, "success_token");
    assert_int_equal(bought.err, ERR_TIMEOUT);
    end(&bought);
}

static void stopping_ends_purchases_that_pause(void **state)
{
    (void)state;
    struct bought bought;
    begin(&bought, "", "xxxxxxxx");
    assert_int_equal(start(&bought, "success_token"), 0);
    uint64_t before = clock_mono_ns();
    end(&bought);
    assert_true(clock_mono_ns() - before < 20 * SEC_NS);
    assert_int_equal(bought.answers, 1);
    assert_int_equal(bought.err, ERR_TIMEOUT);
}

static void stopping_waits_for_the_banks_answer(void **state)
{
    (void)state;
    struct bought bought;
    begin(&bought, "", "");
    bank_sandbox_set(bought.bank.sandbox, &(struct bank_sandbox_faults){.latency_ms = 50});
    assert_int_equal(start(&bought, "success_token"), 0);
    end(&bought);
    assert_int_equal(bought.answers, 1);
    assert_int_equal(bought.status, CHECKOUT_COMPLETED);
    assert_int_equal(bought.order.orders, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_token_makes_one_order),
        cmocka_unit_test(a_refused_card_gives_the_goods_back_and_another_one_may_pay),
        cmocka_unit_test(nothing_to_pay_needs_no_bank),
        cmocka_unit_test(a_busy_shop_is_said_at_once),
        cmocka_unit_test(a_checkout_that_is_bought_already_is_refused_with_its_state),
        cmocka_unit_test(what_was_bought_already_is_no_failure),
        cmocka_unit_test(each_step_survives_a_lost_answer),
        cmocka_unit_test(a_bank_out_of_reach_leaves_the_hold_to_be_settled),
        cmocka_unit_test(what_the_primary_has_claimed_is_left_to_it),
        cmocka_unit_test(money_of_an_attempt_that_is_over_is_let_go),
        cmocka_unit_test(money_of_an_order_is_not_let_go_because_a_repeat_was_refused),
        cmocka_unit_test(an_order_that_another_attempt_has_paid_is_not_paid_twice),
        cmocka_unit_test(a_log_that_never_confirms_leaves_the_hold_to_be_settled),
        cmocka_unit_test(stopping_ends_purchases_that_pause),
        cmocka_unit_test(stopping_waits_for_the_banks_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
