/* The sandbox bank: one answer per key, whatever goes wrong on the way. */
#include "base/check.h"
#include "base/clock.h"
#include "base/err.h"
#include "outside/bank.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct asked {
    struct bank_call call;
    atomic_uint answers;
    enum bank_outcome outcome;
    char reference[64], text[200];
};

static void answered(struct bank_call *call)
{
    struct asked *asked = CONTAINER_OF(call, struct asked, call);
    asked->outcome = call->outcome;
    str_copy(asked->reference, sizeof asked->reference, call->answer_reference);
    str_copy(asked->text, sizeof asked->text, call->text);
    atomic_fetch_add(&asked->answers, 1);
}

static void wait_for(struct asked *asked)
{
    uint64_t deadline = clock_mono_ns() + 10 * SEC_NS;
    while (atomic_load(&asked->answers) == 0) {
        assert_true(clock_mono_ns() < deadline);
        usleep(100); /* no wait: the pace of looking */
    }
    assert_int_equal(asked->answers, 1);
}

/* TOKEN NULL: settles. */
static struct asked ask(struct bank *bank, struct id key, const char *token)
{
    struct asked asked = {.call = {.key = key,
                                   .token = str_of(token),
                                   .amount = 1999,
                                   .currency = STR("EUR"),
                                   .done = answered}};
    if (token != NULL)
        bank->authorise(bank, &asked.call);
    else
        bank->settle(bank, &asked.call);
    wait_for(&asked);
    return asked;
}

/* Capture, cancel or refund. */
static enum bank_outcome move(struct bank *bank,
                              void (*act)(struct bank *bank, struct bank_call *call),
                              const char *reference, int64_t amount, unsigned effect)
{
    struct asked asked = {.call = {.reference = str_of(reference),
                                   .amount = amount,
                                   .effect = {.bytes = {(unsigned char)effect}},
                                   .done = answered}};
    act(bank, &asked.call);
    wait_for(&asked);
    assert_true(asked.outcome != BANK_IMPOSSIBLE || strlen(asked.text) > 0);
    return asked.outcome;
}

static void money_is_taken_once_and_given_back_once(void **state)
{
    (void)state;
    struct bank *bank;
    assert_int_equal(bank_sandbox_new(&bank), 0);
    struct asked paid = ask(bank, id_new(1), "success_token");
    assert_int_equal(move(bank, bank->refund, paid.reference, 100, 1), BANK_IMPOSSIBLE);
    assert_int_equal(move(bank, bank->capture, paid.reference, 2000, 2), BANK_IMPOSSIBLE);
    assert_int_equal(move(bank, bank->capture, paid.reference, 1500, 2), BANK_DONE);
    assert_int_equal(move(bank, bank->capture, paid.reference, 1500, 2), BANK_DONE);
    assert_int_equal(move(bank, bank->cancel, paid.reference, 0, 3), BANK_IMPOSSIBLE);
    for (unsigned i = 0; i < 3; i++) /* the same one */
        assert_int_equal(move(bank, bank->refund, paid.reference, 1000, 4), BANK_DONE);
    assert_int_equal(move(bank, bank->refund, paid.reference, 501, 5), BANK_IMPOSSIBLE);
    assert_int_equal(move(bank, bank->refund, paid.reference, 500, 6), BANK_DONE);
    assert_int_equal(ask(bank, paid.call.key, NULL).outcome, BANK_AUTHORISED);
    bank_sandbox_free(bank);
}

static void what_was_let_go_cannot_be_taken(void **state)
{
    (void)state;
    struct bank *bank;
    assert_int_equal(bank_sandbox_new(&bank), 0);
    struct asked paid = ask(bank, id_new(1), "success_token");
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(move(bank, bank->cancel, paid.reference, 0, 1), BANK_DONE);
    assert_int_equal(move(bank, bank->capture, paid.reference, 100, 2), BANK_IMPOSSIBLE);
    assert_int_equal(ask(bank, paid.call.key, NULL).outcome, BANK_REFUSED);
    assert_int_equal(move(bank, bank->capture, "sbx_of another day", 100, 2), BANK_DONE);
    bank_sandbox_free(bank);
}

static void tokens_decide(void **state)
{
    (void)state;
    struct bank *bank;
    assert_int_equal(bank_sandbox_new(&bank), 0);
    struct asked paid = ask(bank, id_new(1), "success_token");
    assert_int_equal(paid.outcome, BANK_AUTHORISED);
    assert_true(strlen(paid.reference) > 4);
    struct asked refused = ask(bank, id_new(2), "fail_token");
    assert_int_equal(refused.outcome, BANK_REFUSED);
    assert_true(strlen(refused.text) > 0);
    assert_int_equal(ask(bank, id_new(3), "4111111111111111").outcome, BANK_REFUSED);
    assert_int_equal(ask(bank, id_new(4), "").outcome, BANK_REFUSED);
    bank_sandbox_free(bank);
}

static void the_first_answer_to_a_key_stands(void **state)
{
    (void)state;
    struct bank *bank;
    assert_int_equal(bank_sandbox_new(&bank), 0);
    struct id paid = id_new(1), refused = id_new(2);
    struct asked first = ask(bank, paid, "success_token");
    struct asked second = ask(bank, paid, "fail_token");
    assert_int_equal(second.outcome, BANK_AUTHORISED);
    assert_string_equal(first.reference, second.reference);
    assert_string_equal(ask(bank, paid, NULL).reference, first.reference);
    ask(bank, refused, "fail_token");
    assert_int_equal(ask(bank, refused, "success_token").outcome, BANK_REFUSED);
    assert_int_equal(ask(bank, refused, NULL).outcome, BANK_REFUSED);
    bank_sandbox_free(bank);
}

static void settling_an_unknown_key_bars_it(void **state)
{
    (void)state;
    struct bank *bank;
    assert_int_equal(bank_sandbox_new(&bank), 0);
    struct id key = id_new(1);
    assert_int_equal(ask(bank, key, NULL).outcome, BANK_REFUSED);
    assert_int_equal(ask(bank, key, "success_token").outcome, BANK_REFUSED);
    assert_int_equal(ask(bank, key, NULL).outcome, BANK_REFUSED);
    bank_sandbox_free(bank);
}

static void a_lost_answer_is_the_same_when_asked_again(void **state)
{
    (void)state;
    struct bank *bank;
    assert_int_equal(bank_sandbox_new(&bank), 0);
    bank_sandbox_set(bank, &(struct bank_sandbox_faults){.lost_percent = 100});
    struct id key = id_new(1);
    assert_int_equal(ask(bank, key, "success_token").outcome, BANK_UNREACHABLE);
    bank_sandbox_set(bank, &(struct bank_sandbox_faults){0});
    assert_int_equal(ask(bank, key, NULL).outcome, BANK_AUTHORISED);
    bank_sandbox_free(bank);
}

static void a_bank_that_is_down_does_nothing(void **state)
{
    (void)state;
    struct bank *bank;
    assert_int_equal(bank_sandbox_new(&bank), 0);
    bank_sandbox_set(bank, &(struct bank_sandbox_faults){.down_percent = 100});
    struct id key = id_new(1);
    assert_int_equal(ask(bank, key, "success_token").outcome, BANK_UNREACHABLE);
    bank_sandbox_set(bank, &(struct bank_sandbox_faults){0});
    assert_int_equal(ask(bank, key, NULL).outcome, BANK_REFUSED);
    bank_sandbox_free(bank);
}

static void answers_can_take_a_while_and_closing_gives_them(void **state)
{
    (void)state;
    struct bank *bank;
    assert_int_equal(bank_sandbox_new(&bank), 0);
    bank_sandbox_set(bank, &(struct bank_sandbox_faults){.latency_ms = 30});
    uint64_t before = clock_mono_ns();
    assert_int_equal(ask(bank, id_new(1), "success_token").outcome, BANK_AUTHORISED);
    assert_true(clock_mono_ns() - before >= 30 * MS_NS);

    bank_sandbox_set(bank, &(struct bank_sandbox_faults){.latency_ms = 60000});
    struct asked late = {.call = {.token = STR("success_token"), .done = answered}};
    bank->authorise(bank, &late.call);
    bank_sandbox_free(bank);
    assert_int_equal(late.answers, 1);
}

static void memory_is_bounded(void **state)
{
    (void)state;
    struct bank *bank;
    assert_int_equal(bank_sandbox_new(&bank), 0);
    struct id oldest = id_new(1), newest = oldest;
    ask(bank, oldest, "success_token");
    for (uint32_t i = 0; i < 100 * 1000; i++) {
        newest = id_new(2);
        struct asked asked = {
            .call = {.key = newest, .token = STR("success_token"), .done = answered}};
        bank->authorise(bank, &asked.call);
    }
    assert_int_equal(ask(bank, newest, NULL).outcome, BANK_AUTHORISED);
    assert_int_equal(ask(bank, oldest, NULL).outcome, BANK_REFUSED);
    bank_sandbox_free(bank);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokens_decide),
        cmocka_unit_test(the_first_answer_to_a_key_stands),
        cmocka_unit_test(money_is_taken_once_and_given_back_once),
        cmocka_unit_test(what_was_let_go_cannot_be_taken),
        cmocka_unit_test(settling_an_unknown_key_bars_it),
        cmocka_unit_test(a_lost_answer_is_the_same_when_asked_again),
        cmocka_unit_test(a_bank_that_is_down_does_nothing),
        cmocka_unit_test(answers_can_take_a_while_and_closing_gives_them),
        cmocka_unit_test(memory_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
