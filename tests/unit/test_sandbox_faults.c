/* The sandbox bank's faults, its keys in use, and the signature and waits of its webhooks. */
#include "base/err.h"
#include "outside/sandbox_faults.h"
#include "outside/sandbox_hooks.h"
#include "outside/sandbox_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect_set(struct sandbox_faults *faults, const char *form)
{
    struct sandbox_error error = {0};
    if (faults_set(faults, str_of(form), &error))
        fail_msg("%s: %s", form, error.message);
}

static void expect_refused(const char *form)
{
    struct sandbox_error error = {0};
    struct sandbox_faults faults, before;
    faults_init(&faults);
    before = faults;
    assert_int_equal(faults_set(&faults, str_of(form), &error), 400);
    assert_memory_equal(&faults, &before, sizeof faults);
}

static void faults_are_set_by_name(void **state)
{
    (void)state;
    struct sandbox_faults faults;
    faults_init(&faults);
    assert_int_equal(faults.lapse_ms, 7 * 24 * 3600 * 1000);
    expect_set(&faults, "lost=10%25&down=2.5%&hang=100&latency_ms=40&hooks_out_of_order=true");
    assert_int_equal(faults.lost, 100);
    assert_int_equal(faults.down, 25);
    assert_int_equal(faults.hang, 1000);
    assert_int_equal(faults.latency_ms, 40);
    assert_int_equal(faults.hooks_out_of_order, 1);
    expect_set(&faults, "lost=0&hooks_out_of_order=0");
    assert_int_equal(faults.lost, 0);
    assert_int_equal(faults.down, 25);
    assert_int_equal(faults.hooks_out_of_order, 0);
}

static void what_is_no_fault_changes_nothing(void **state)
{
    (void)state;
    expect_refused("lots=1");
    expect_refused("lost=101");
    expect_refused("lost=100.1");
    expect_refused("lost=1.25");
    expect_refused("lost=");
    expect_refused("lost=-1");
    expect_refused("latency_ms=1s");
    expect_refused("hooks_out_of_order=yes");
    expect_refused("hang=1&lost=x");
}

static void shares_come_true(void **state)
{
    (void)state;
    struct sandbox_faults faults;
    struct random random;
    unsigned lost = 0, refused = 0, down = 0;
    faults_init(&faults);
    expect_set(&faults, "lost=10&refuse=30&down=50");
    random_seed(&random, 5);
    for (int i = 0; i < 10000; i++) {
        struct sandbox_fate fate = faults_draw(&faults, &random);
        lost += fate.after == FATE_LOST;
        refused += fate.refuse;
        down += fate.before == FATE_AWAY || fate.before == FATE_BROKEN;
    }
    assert_in_range(lost, 850, 1150);
    assert_in_range(refused, 2750, 3250);
    assert_in_range(down, 4700, 5300);
}

/* Whoever switches one fault on finds the others where they were. */
static void a_seed_gives_the_same_fates(void **state)
{
    (void)state;
    struct sandbox_faults few, many;
    struct random one, other;
    faults_init(&few);
    faults_init(&many);
    expect_set(&few, "lost=20");
    expect_set(&many, "lost=20&refuse=50&latency_ms=5");
    random_seed(&one, 9);
    random_seed(&other, 9);
    unsigned lost = 0;
    for (int i = 0; i < 500; i++) {
        struct sandbox_fate a = faults_draw(&few, &one), b = faults_draw(&many, &other);
        assert_int_equal(a.after, b.after);
        lost += a.after == FATE_LOST;
    }
    assert_true(lost > 50);
}

static void a_key_is_in_use_once(void **state)
{
    (void)state;
    struct sandbox_keys *keys = sandbox_keys_new();
    struct sandbox_key first = {.key = STR("K")}, same = {.key = STR("K")},
                       other = {.key = STR("k")};
    assert_true(sandbox_keys_enter(keys, &first));
    assert_false(sandbox_keys_enter(keys, &same));
    assert_true(sandbox_keys_enter(keys, &other));
    sandbox_keys_leave(keys, &first);
    assert_true(sandbox_keys_enter(keys, &same));
    sandbox_keys_leave(keys, &same);
    sandbox_keys_leave(keys, &other);
    sandbox_keys_free(keys);
}

/* The value was computed by another program. */
static void webhooks_are_signed_as_stripes(void **state)
{
    (void)state;
    char text[SANDBOX_SIGNATURE];
    sandbox_hook_sign("whsec_test_secret", 1795361400, STR("{\"id\":\"evt_1\"}"), text);
    assert_string_equal(text, "t=1795361400,v1=5c75544a9f3f10d902b46711303c67b8f67f78e700f562244653"
                              "a982a406464a");
}

static void waits_grow_up_to_ten_minutes(void **state)
{
    (void)state;
    assert_int_equal(sandbox_hook_wait(1), 500);
    assert_int_equal(sandbox_hook_wait(2), 1000);
    assert_int_equal(sandbox_hook_wait(5), 8000);
    assert_int_equal(sandbox_hook_wait(40), 600000);
    assert_int_equal(sandbox_hook_wait(4000000000u), 600000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_are_set_by_name),
        cmocka_unit_test(what_is_no_fault_changes_nothing),
        cmocka_unit_test(shares_come_true),
        cmocka_unit_test(a_seed_gives_the_same_fates),
        cmocka_unit_test(a_key_is_in_use_once),
        cmocka_unit_test(webhooks_are_signed_as_stripes),
        cmocka_unit_test(waits_grow_up_to_ten_minutes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
