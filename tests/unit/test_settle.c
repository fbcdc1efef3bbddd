/* Settling: a hold whose server died is decided by what the bank knows, and once. */
#include "outside/settle.h"
#include "outside_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct scene {
    struct ordering order;
    struct planned_bank bank;
    struct settle *settle;
    struct id import;
    bool overdue; /* the checkout's hold is past its deadline */
    atomic_uint looks;
};

static int scene_due(void *context, struct arena *arena, int64_t now_ms, struct due *due)
{
    struct scene *scene = context;
    *due = (struct due){0};
    assert_true(now_ms > 1);
    pthread_mutex_lock(&scene->order.mutex);
    due->overdue = ARENA_ARRAY(arena, struct id, 1);
    due->overdue[0] = scene->order.checkout.id;
    due->overdue_count = scene->overdue && scene->order.checkout.status == CHECKOUT_PAYING;
    due->expirable = scene->order.expirable;
    due->imports = &scene->import;
    due->import_count = scene->order.to_import > 0;
    pthread_mutex_unlock(&scene->order.mutex);
    atomic_fetch_add(&scene->looks, 1);
    return 0;
}

static int scene_overdue(void *context, struct arena *arena, int64_t now_ms,
                         const struct overdue_place *after, struct overdue_place **places,
                         unsigned *count)
{
    struct scene *scene = context;
    assert_true(now_ms > 1);
    pthread_mutex_lock(&scene->order.mutex);
    *places = ARENA_ARRAY(arena, struct overdue_place, 1);
    (*places)[0] = (struct overdue_place){1, scene->order.checkout.id};
    *count = after->hold_until_ms == 0 && scene->order.checkout.status == CHECKOUT_PAYING;
    pthread_mutex_unlock(&scene->order.mutex);
    return 0;
}

static int scene_checkout(void *context, struct arena *arena, struct id id,
                          struct checkout *checkout)
{
    struct scene *scene = context;
    (void)arena;
    assert_true(id_eq(id, scene->order.checkout.id));
    pthread_mutex_lock(&scene->order.mutex);
    *checkout = scene->order.checkout;
    checkout->basket.total_count = 1;
    checkout->basket.totals[0] = (struct total){.type = TOTAL_TOTAL, .amount = scene->order.total};
    pthread_mutex_unlock(&scene->order.mutex);
    return 0;
}

static int scene_currency(void *context, struct arena *arena, struct str *currency)
{
    (void)context;
    (void)arena;
    *currency = STR("EUR");
    return 0;
}

/* A checkout that is being paid under the bank's key of its second attempt. */
static void begin(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    order_init(&scene->order, id_new(1), 4200);
    bank_init(&scene->bank);
    scene->order.checkout.status = CHECKOUT_PAYING;
    scene->order.checkout.attempt = 2;
    scene->overdue = true;
    scene->import = id_new(2);
}

static void ask_bank_before(struct scene *scene, const char *token)
{
    struct bank_call call = {.key = checkout_payment_key(&scene->order.checkout),
                             .token = str_of(token),
                             .done = drop_answer};
    scene->bank.sandbox->authorise(scene->bank.sandbox, &call);
}

static void start(struct scene *scene)
{
    struct settle_config config = {.order = &scene->order,
                                   .bank = &scene->bank.bank,
                                   .view = {.context = scene,
                                            .due = scene_due,
                                            .overdue = scene_overdue,
                                            .checkout = scene_checkout,
                                            .currency = scene_currency},
                                   .interval_ms = 20};
    struct failure failure;
    assert_int_equal(settle_start(&config, &scene->settle, &failure), 0);
}

static void look_until(struct scene *scene, unsigned wanted)
{
    uint64_t deadline = clock_mono_ns() + 20 * SEC_NS;
    while (atomic_load(&scene->looks) < wanted) {
        assert_true(clock_mono_ns() < deadline);
        usleep(500); /* no wait: the pace of looking */
    }
}

static void look_times(struct scene *scene, unsigned times)
{
    look_until(scene, atomic_load(&scene->looks) + times);
}

/* The bank's answer and the log's come when they come, however often it has looked. */
static unsigned read_sum(struct scene *scene)
{
    pthread_mutex_lock(&scene->order.mutex);
    unsigned sum = scene->order.orders + scene->order.releases;
    pthread_mutex_unlock(&scene->order.mutex);
    return sum;
}

static void await_zero(struct scene *scene, const uint64_t *count)
{
    uint64_t deadline = clock_mono_ns() + 20 * SEC_NS, left = 1;
    while (left > 0) {
        assert_true(clock_mono_ns() < deadline);
        usleep(500); /* no wait: the pace of looking */
        pthread_mutex_lock(&scene->order.mutex);
        left = *count;
        pthread_mutex_unlock(&scene->order.mutex);
    }
}

/* Until it is an order or released; then it looks a few times more, in which nothing may happen. */
static void await_decision(struct scene *scene)
{
    uint64_t deadline = clock_mono_ns() + 20 * SEC_NS;
    while (read_sum(scene) == 0) {
        assert_true(clock_mono_ns() < deadline);
        usleep(500); /* no wait: the pace of looking */
    }
    look_times(scene, 3);
}

static void end(struct scene *scene)
{
    settle_stop(scene->settle);
    bank_sandbox_free(scene->bank.sandbox);
}

static void an_authorised_hold_becomes_an_order_once(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    ask_bank_before(&scene, "success_token");
    start(&scene);
    await_decision(&scene);
    end(&scene);
    assert_int_equal(scene.order.orders, 1);
    assert_int_equal(scene.order.claims, 1);
    assert_int_equal(scene.bank.settles, 1);
    assert_true(strncmp(scene.order.reference, "sbx_", 4) == 0);
}

static void a_refused_hold_is_released_with_the_reason(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    ask_bank_before(&scene, "fail_token");
    start(&scene);
    await_decision(&scene);
    end(&scene);
    assert_int_equal(scene.order.releases, 1);
    assert_int_equal(scene.order.orders, 0);
    assert_non_null(strstr(scene.order.error, "declined"));
}

static void a_hold_the_bank_never_heard_of_is_released_and_barred(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    struct id key = checkout_payment_key(&scene.order.checkout);
    start(&scene);
    await_decision(&scene);
    assert_int_equal(scene.order.releases, 1);
    /* the home that was thought dead comes late: it must not be charged now */
    struct bank_call late = {.key = key, .token = STR("success_token"), .done = drop_answer};
    scene.bank.sandbox->authorise(scene.bank.sandbox, &late);
    assert_int_equal(late.outcome, BANK_REFUSED);
    end(&scene);
}

static void a_bank_out_of_reach_is_asked_until_it_answers(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    ask_bank_before(&scene, "success_token");
    scene.bank.plan = "xlxxl";
    start(&scene);
    await_decision(&scene);
    end(&scene);
    assert_int_equal(scene.bank.settles, 6);
    assert_int_equal(scene.order.orders, 1);
    assert_int_equal(scene.order.releases, 0);
}

static void a_log_that_fails_is_tried_again(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    ask_bank_before(&scene, "success_token");
    scene.order.plan = "ul.bul"; /* of claims, then of the confirmation */
    start(&scene);
    await_decision(&scene);
    end(&scene);
    assert_int_equal(scene.order.orders, 1);
}

/* A home that was thought dead lives: between the claim and the bank's answer its CONFIRM comes. */
static void confirm_late(void *context)
{
    struct scene *scene = context;
    struct command command = {
        .type = COMMAND_CHECKOUT_CONFIRM,
        .complete = {.id = scene->order.checkout.id, .attempt = scene->order.checkout.attempt}};
    struct result result = {0};
    pthread_mutex_lock(&scene->order.mutex);
    order_apply(&scene->order, &command, &result);
    pthread_mutex_unlock(&scene->order.mutex);
    assert_int_equal(result.err, ERR_STATE);
}

static void once_claimed_its_home_cannot_end_it(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    scene.bank.between = confirm_late;
    scene.bank.between_context = &scene;
    start(&scene);
    await_decision(&scene);
    end(&scene);
    assert_int_equal(scene.order.claims, 1);
    assert_int_equal(scene.order.orders, 0);
    assert_int_equal(scene.order.releases, 1);
}

static void nothing_to_pay_is_released_without_the_bank(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    scene.order.total = 0;
    start(&scene);
    await_decision(&scene);
    end(&scene);
    assert_int_equal(scene.order.releases, 1);
    assert_int_equal(scene.bank.calls, 0);
}

static void a_bank_that_hangs_does_not_hold_up_the_rest(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    scene.order.expirable = 450;
    bank_sandbox_set(scene.bank.sandbox, &(struct bank_sandbox_faults){.latency_ms = 120000});
    start(&scene);
    await_zero(&scene, &scene.order.expirable);
    look_times(&scene, 3);
    assert_int_equal(read_sum(&scene), 0);
    bank_sandbox_free(scene.bank.sandbox); /* it answers at once */
    settle_stop(scene.settle);
    assert_int_equal(scene.bank.calls, 1);
}

static void only_the_primary_settles(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    scene.order.primary = false;
    start(&scene);
    usleep(100 * 1000); /* no wait: time in which nothing may happen */
    assert_int_equal(scene.looks, 0);
    pthread_mutex_lock(&scene.order.mutex);
    scene.order.primary = true;
    pthread_mutex_unlock(&scene.order.mutex);
    await_decision(&scene);
    end(&scene);
    assert_int_equal(scene.order.releases, 1);
    assert_int_equal(scene.order.barriers, 1); /* it got what its predecessor did, once */
}

static void holds_within_their_time_are_left_alone(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    scene.overdue = false;
    start(&scene);
    look_times(&scene, 3);
    end(&scene);
    assert_int_equal(scene.bank.calls, 0);
    assert_int_equal(scene.order.commands, 0);
}

static void what_is_past_its_time_is_removed_bit_by_bit(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    scene.overdue = false;
    scene.order.expirable = 450;
    start(&scene);
    await_zero(&scene, &scene.order.expirable);
    look_times(&scene, 2);
    end(&scene);
    assert_int_equal(scene.order.expires, 3);
}

static void an_import_is_stepped_to_its_end_without_pauses(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    scene.overdue = false;
    scene.order.to_import = 300000;
    start(&scene);
    await_zero(&scene, &scene.order.to_import); /* for 3001 rests, of 20 ms, it has no time */
    end(&scene);
    assert_in_range(scene.order.steps, 3000, 3002);
}

static void being_woken_it_looks_at_once(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    scene.overdue = false;
    struct settle_config config = {.order = &scene.order,
                                   .bank = &scene.bank.bank,
                                   .view = {.context = &scene,
                                            .due = scene_due,
                                            .overdue = scene_overdue,
                                            .checkout = scene_checkout,
                                            .currency = scene_currency},
                                   .interval_ms = 600000};
    struct failure failure;
    assert_int_equal(settle_start(&config, &scene.settle, &failure), 0);
    look_until(&scene, 1);
    unsigned before = atomic_load(&scene.looks);
    settle_wake(scene.settle);
    look_until(&scene, before + 1);
    end(&scene);
}

/* ---- More than are settled at once ---- */

enum { CROWD = 250 };

/* A bank that never knows of any, and what it was asked for. */
struct crowd {
    struct bank bank;
    struct scene *scene;
    atomic_bool asked[CROWD];
};

static int crowd_due(void *context, struct arena *arena, int64_t now_ms, struct due *due)
{
    (void)context;
    (void)now_ms;
    *due = (struct due){.overdue = ARENA_ARRAY(arena, struct id, 1), .overdue_count = 1};
    return 0;
}

static int crowd_overdue(void *context, struct arena *arena, int64_t now_ms,
                         const struct overdue_place *after, struct overdue_place **places,
                         unsigned *count)
{
    (void)context;
    (void)now_ms;
    *places = ARENA_ARRAY(arena, struct overdue_place, OVERDUE_PAGE);
    *count = 0;
    for (int64_t i = after->hold_until_ms; i < CROWD && *count < OVERDUE_PAGE; i++)
        (*places)[(*count)++] =
            (struct overdue_place){i + 1, {.bytes = {[0] = 1, [1] = (unsigned char)i}}};
    return 0;
}

static int crowd_checkout(void *context, struct arena *arena, struct id id,
                          struct checkout *checkout)
{
    (void)context;
    (void)arena;
    *checkout = (struct checkout){.id = id, .status = CHECKOUT_PAYING, .claimed = true};
    checkout->basket.total_count = 1;
    checkout->basket.totals[0] = (struct total){.type = TOTAL_TOTAL, .amount = 100};
    return 0;
}

static void crowd_settle(struct bank *bank, struct bank_call *call)
{
    struct crowd *crowd = CONTAINER_OF(bank, struct crowd, bank);
    atomic_store(&crowd->asked[call->order.bytes[1]], true);
    call->outcome = BANK_UNREACHABLE;
    call->text = STR("nobody knows");
    call->done(call);
}

static void each_has_its_turn_however_many_are_stuck(void **state)
{
    (void)state;
    struct scene scene;
    struct crowd crowd = {.bank = {.settle = crowd_settle}, .scene = &scene};
    begin(&scene);
    struct settle_config config = {.order = &scene.order,
                                   .bank = &crowd.bank,
                                   .view = {.context = &crowd,
                                            .due = crowd_due,
                                            .overdue = crowd_overdue,
                                            .checkout = crowd_checkout,
                                            .currency = scene_currency},
                                   .interval_ms = 5};
    struct failure failure;
    assert_int_equal(settle_start(&config, &scene.settle, &failure), 0);
    uint64_t deadline = clock_mono_ns() + 20 * SEC_NS;
    for (unsigned i = 0; i < CROWD; i++)
        while (!atomic_load(&crowd.asked[i])) {
            assert_true(clock_mono_ns() < deadline);
            usleep(500); /* no wait: the pace of looking */
        }
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_authorised_hold_becomes_an_order_once),
        cmocka_unit_test(a_refused_hold_is_released_with_the_reason),
        cmocka_unit_test(a_hold_the_bank_never_heard_of_is_released_and_barred),
        cmocka_unit_test(a_bank_out_of_reach_is_asked_until_it_answers),
        cmocka_unit_test(a_log_that_fails_is_tried_again),
        cmocka_unit_test(once_claimed_its_home_cannot_end_it),
        cmocka_unit_test(nothing_to_pay_is_released_without_the_bank),
        cmocka_unit_test(a_bank_that_hangs_does_not_hold_up_the_rest),
        cmocka_unit_test(only_the_primary_settles),
        cmocka_unit_test(holds_within_their_time_are_left_alone),
        cmocka_unit_test(what_is_past_its_time_is_removed_bit_by_bit),
        cmocka_unit_test(an_import_is_stepped_to_its_end_without_pauses),
        cmocka_unit_test(being_woken_it_looks_at_once),
        cmocka_unit_test(each_has_its_turn_however_many_are_stuck),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
