#include "shop_fixture.h"

static void with_key(struct command *command, unsigned char key, unsigned char body)
{
    command->idempotency = IDEMPOTENCY_FULL;
    memset(command->idempotency_key, key, sizeof command->idempotency_key);
    memset(command->idempotency_body, body, sizeof command->idempotency_body);
}

static struct command adding(unsigned cart, const char *item)
{
    return (struct command){
        .type = COMMAND_CART_ADD,
        .cart_item = {.id = test_id(cart), .item_key = str_of(item), .quantity = 1}};
}

/* The answer's bytes, but for the mark that says it was given before. */
static struct str answer(struct fixture *f, bool replayed)
{
    assert_int_equal(f->result.replayed, replayed);
    f->answer.at[1] = 0;
    return arena_str(&f->arena, buf_text(&f->answer));
}

static void the_same_key_and_body_give_the_same_answer(void **state)
{
    struct fixture *f = *state;
    struct arena kept;
    arena_init(&kept, 1 << 20);
    struct command add = adding(1, "tulips");
    with_key(&add, 1, 1);
    assert_int_equal(apply_command(f, &add), 0);
    struct str first = arena_str(&kept, answer(f, false));
    /* What happens in between does not show in it. */
    cart_add(f, test_id(1), "pot", 3);
    assert_int_equal(apply_command(f, &add), 0);
    assert_true(str_eq(answer(f, true), first));
    assert_int_equal(f->result.cart.basket.line_count, 1);
    cart_add(f, test_id(1), "pot", 1);
    assert_int_equal(f->result.cart.basket.lines[0].quantity, 1);
    arena_close(&kept);
}

static void a_refusal_is_remembered_too(void **state)
{
    struct fixture *f = *state;
    struct command add = adding(1, "crocus");
    with_key(&add, 1, 1);
    assert_int_equal(apply_command(f, &add), ERR_NOTFOUND);
    put_item(f, "crocus", 100, 1);
    assert_int_equal(apply_command(f, &add), ERR_NOTFOUND);
    assert_true(f->result.replayed);
}

static void the_same_key_with_another_body_is_a_conflict(void **state)
{
    struct fixture *f = *state;
    struct command add = adding(1, "tulips");
    with_key(&add, 1, 1);
    apply_command(f, &add);
    with_key(&add, 1, 2);
    assert_int_equal(apply_command(f, &add), ERR_CONFLICT);
    assert_true(f->result.text.len > 0);
    with_key(&add, 2, 2);
    assert_int_equal(apply_command(f, &add), 0);
    assert_int_equal(f->result.cart.basket.lines[0].quantity, 2);
}

static void a_key_is_forgotten_after_a_day(void **state)
{
    struct fixture *f = *state;
    struct command add = adding(1, "tulips");
    with_key(&add, 1, 1);
    apply_command(f, &add);
    f->now += 24 * 3600 * 1000 - 1000;
    assert_int_equal(expire(f, 1000), 0);
    apply_command(f, &add);
    assert_true(f->result.replayed);
    f->now += 1000;
    /* Swept away or not yet: the answer is the same. */
    apply_command(f, &add);
    assert_false(f->result.replayed);
    f->now += 24 * 3600 * 1000;
    assert_int_equal(expire(f, 1000), 1);
    assert_int_equal(expire(f, 1000), 0);
}

static void completing_checks_in_its_first_half_and_keeps_in_its_second(void **state)
{
    struct fixture *f = *state;
    checkout_direct(f, test_id(1), "roses", 1, "US");
    struct command first = {.type = COMMAND_CHECKOUT_HOLD,
                            .complete = {.id = test_id(1), .expected_total = -1}};
    with_key(&first, 1, 1);
    first.idempotency = IDEMPOTENCY_CHECK;
    assert_int_equal(apply_command(f, &first), 0);
    assert_int_equal(f->result.checkout.status, CHECKOUT_PAYING);
    struct command second = {.type = COMMAND_CHECKOUT_CONFIRM,
                             .complete = {.id = test_id(1), .payment.reference = STR("auth")}};
    with_key(&second, 1, 1);
    second.idempotency = IDEMPOTENCY_KEEP;
    assert_int_equal(apply_command(f, &second), 0);
    assert_int_equal(f->result.checkout.status, CHECKOUT_COMPLETED);
    assert_int_equal(apply_command(f, &first), 0);
    assert_true(f->result.replayed);
    assert_int_equal(f->result.checkout.status, CHECKOUT_COMPLETED);
    memset(first.idempotency_body, 9, sizeof first.idempotency_body);
    assert_int_equal(apply_command(f, &first), ERR_CONFLICT);
    expect_stock(f, "roses", 9, 0, 1);
}

/* As from a server that was stopped while it had the request, and the shopper went to another. */
static void a_completion_that_was_refused_does_not_happen_later(void **state)
{
    struct fixture *f = *state;
    checkout_direct(f, test_id(1), "roses", 3, "US");
    checkout_direct(f, test_id(2), "roses", 9, "US");
    assert_int_equal(hold(f, test_id(2), -1), 0);
    struct command first = {.type = COMMAND_CHECKOUT_HOLD,
                            .complete = {.id = test_id(1), .expected_total = -1}};
    with_key(&first, 1, 1);
    first.idempotency = IDEMPOTENCY_CHECK;
    assert_int_equal(apply_command(f, &first), ERR_SHORT);
    assert_int_equal(release(f, test_id(2), 1), 0);
    assert_int_equal(apply_command(f, &first), ERR_SHORT);
    assert_true(f->result.replayed);
    expect_stock(f, "roses", 10, 0, 0);
    with_key(&first, 2, 1); /* pressed again */
    first.idempotency = IDEMPOTENCY_CHECK;
    assert_int_equal(apply_command(f, &first), 0);
    expect_stock(f, "roses", 7, 3, 0);
}

static void an_operation_happens_once(void **state)
{
    struct fixture *f = *state;
    struct command add = adding(1, "tulips");
    add.operation = test_id(77);
    assert_int_equal(apply_command(f, &add), 0);
    uint64_t version = f->result.cart.version;
    assert_int_equal(apply_command(f, &add), 0);
    assert_int_equal(f->result.kind, RESULT_CART);
    assert_int_equal(f->result.cart.version, version);
    assert_int_equal(f->result.cart.basket.lines[0].quantity, 1);
    struct command receive = {.type = COMMAND_STOCK_RECEIVE,
                              .operation = test_id(78),
                              .item = {.key = STR("roses"), .value = 5}};
    assert_int_equal(apply_command(f, &receive), 0);
    assert_int_equal(apply_command(f, &receive), 0);
    expect_stock(f, "roses", 15, 0, 0);
    struct command missing = adding(2, "crocus");
    missing.operation = test_id(79);
    assert_int_equal(apply_command(f, &missing), ERR_NOTFOUND);
    put_item(f, "crocus", 100, 1);
    assert_int_equal(apply_command(f, &missing), ERR_NOTFOUND);
}

static void an_operation_is_remembered_for_an_hour_at_least(void **state)
{
    struct fixture *f = *state;
    struct command add = adding(1, "tulips");
    add.operation = test_id(77);
    apply_command(f, &add);
    f->now += 3600 * 1000 - 100;
    assert_int_equal(expire(f, 1000), 0);
    apply_command(f, &add);
    assert_int_equal(f->result.cart.basket.lines[0].quantity, 1);
    f->now += 1000;
    assert_int_equal(expire(f, 1000), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_same_key_and_body_give_the_same_answer),
        TEST(a_refusal_is_remembered_too),
        TEST(the_same_key_with_another_body_is_a_conflict),
        TEST(a_key_is_forgotten_after_a_day),
        TEST(completing_checks_in_its_first_half_and_keeps_in_its_second),
        TEST(a_completion_that_was_refused_does_not_happen_later),
        TEST(an_operation_happens_once),
        TEST(an_operation_is_remembered_for_an_hour_at_least),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
