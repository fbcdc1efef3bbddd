#include "shop/registry.h"
#include "shop_fixture.h"

static int put_when(struct fixture *f, const char *key, const char *value,
                    enum registry_condition condition, const char *expected)
{
    struct command command = {.type = COMMAND_REGISTRY_PUT,
                              .registry = {.key = str_of(key),
                                           .value = str_of(value),
                                           .condition = condition,
                                           .expected = str_of(expected)}};
    return apply_command(f, &command);
}

static int put(struct fixture *f, const char *key, const char *value)
{
    return put_when(f, key, value, REGISTRY_ANY, "");
}

/* The value of KEY, in the fixture's arena; "": there is no such entry. */
static const char *value_of(struct fixture *f, const char *key)
{
    struct reader *reader;
    struct failure failure = {0};
    struct str value;
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    int err = reader_registry(reader, &f->arena, str_of(key), &value);
    reader_close(reader);
    assert_true(err == 0 || err == ERR_NOTFOUND);
    return err ? "" : value.at;
}

static void what_was_put_is_read(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f, "cluster/preferred", "2"), 0);
    assert_string_equal(value_of(f, "cluster/preferred"), "2");
    assert_int_equal(put(f, "cluster/preferred", "3"), 0);
    assert_string_equal(value_of(f, "cluster/preferred"), "3");
    assert_int_equal(put(f, "cluster/preferred", ""), 0);
    assert_string_equal(value_of(f, "cluster/preferred"), "");
}

static void of_two_that_make_an_entry_one_wins(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_when(f, "a", "first", REGISTRY_ABSENT, ""), 0);
    assert_int_equal(put_when(f, "a", "second", REGISTRY_ABSENT, ""), ERR_CONFLICT);
    assert_string_equal(value_of(f, "a"), "first");
}

static void of_two_that_spend_a_token_one_wins(void **state)
{
    struct fixture *f = *state;
    put(f, "token/x", "until noon");
    assert_int_equal(put_when(f, "token/x", "", REGISTRY_SAME, "until one"), ERR_CONFLICT);
    assert_int_equal(put_when(f, "token/x", "", REGISTRY_SAME, "until noon"), 0);
    assert_int_equal(put_when(f, "token/x", "", REGISTRY_SAME, "until noon"), ERR_CONFLICT);
    assert_int_equal(put_when(f, "token/none", "a", REGISTRY_SAME, "b"), ERR_CONFLICT);
}

static void a_demand_sent_twice_gets_its_first_answer(void **state)
{
    struct fixture *f = *state;
    struct command command = {
        .type = COMMAND_REGISTRY_PUT,
        .operation = test_id(1),
        .registry = {.key = STR("n"), .value = STR("1"), .condition = REGISTRY_ABSENT}};
    assert_int_equal(apply_command(f, &command), 0);
    assert_int_equal(apply_command(f, &command), 0);
    command.operation = test_id(2);
    assert_int_equal(apply_command(f, &command), ERR_CONFLICT);
    put(f, "n", "");
    assert_int_equal(apply_command(f, &command), ERR_CONFLICT);
}

static void what_passes_a_bound_is_refused(void **state)
{
    struct fixture *f = *state;
    char key[REGISTRY_KEY_MAX + 2], *value = malloc(REGISTRY_VALUE_MAX + 2);
    memset(key, 'k', sizeof key);
    key[REGISTRY_KEY_MAX + 1] = 0;
    memset(value, 'v', REGISTRY_VALUE_MAX + 1);
    value[REGISTRY_VALUE_MAX + 1] = 0;
    assert_int_equal(put(f, key, "1"), ERR_INVALID);
    key[REGISTRY_KEY_MAX] = 0;
    assert_int_equal(put(f, key, value), ERR_INVALID);
    value[REGISTRY_VALUE_MAX] = 0;
    assert_int_equal(put(f, key, value), 0);
    assert_int_equal(put(f, "", "1"), ERR_INVALID);
    assert_int_equal(put(f, "a b", "1"), ERR_INVALID);
    assert_int_equal(put(f, "a\xc3\xa4", "1"), ERR_INVALID);
    free(value);
}

static void it_does_not_grow_without_end(void **state)
{
    struct fixture *f = *state;
    char key[32];
    for (int i = 0; i < REGISTRY_ENTRIES_MAX; i++) {
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(put(f, key, "1"), 0);
    }
    assert_int_equal(put(f, "one-more", "1"), ERR_FULL);
    assert_int_equal(put(f, "k7", "2"), 0);
    assert_int_equal(put(f, "k7", ""), 0);
    assert_int_equal(put(f, "one-more", "1"), 0);
}

static void entries_of_a_prefix_are_read_in_order(void **state)
{
    struct fixture *f = *state;
    put(f, "token/b", "2");
    put(f, "token/a", "1");
    put(f, "tokens", "not one of them");
    put(f, "cluster/id", "x");
    struct reader *reader;
    struct failure failure = {0};
    struct str key = STR(""), value;
    char seen[64] = "";
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    while (reader_registry_next(reader, &f->arena, STR("token/"), key, &key, &value) == 0) {
        strncat(seen, key.at, key.len);
        strncat(seen, value.at, value.len);
    }
    reader_close(reader);
    assert_string_equal(seen, "token/a1token/b2");
}

static void the_audit_knows_it(void **state)
{
    struct fixture *f = *state;
    struct audit_report report;
    struct failure failure = {0};
    put(f, "token/b", "2");
    assert_int_equal(audit_run(f->file, NULL, NULL, &report, &failure), 0);
    assert_int_equal(report.differences, 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_put_is_read),
        TEST(of_two_that_make_an_entry_one_wins),
        TEST(of_two_that_spend_a_token_one_wins),
        TEST(a_demand_sent_twice_gets_its_first_answer),
        TEST(what_passes_a_bound_is_refused),
        TEST(it_does_not_grow_without_end),
        TEST(entries_of_a_prefix_are_read_in_order),
        TEST(the_audit_knows_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
