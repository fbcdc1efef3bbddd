#include "replica/readiness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void put(struct readiness_table *table, uint64_t id, enum readiness kind, uint32_t every_ms)
{
    struct server_readiness server = {id, kind, every_ms};
    assert_int_equal(readiness_set(table, &server), 0);
}

static void who_is_not_named_is_hot(void **state)
{
    (void)state;
    struct readiness_table table = {0};
    put(&table, 3, READINESS_WARM, 5000);
    assert_int_equal(readiness_of(&table, 2).kind, READINESS_HOT);
    assert_int_equal(readiness_of(&table, 3).kind, READINESS_WARM);
    assert_int_equal(readiness_of(&table, 3).every_ms, 5000);
}

static void the_table_is_by_id_and_hot_takes_out(void **state)
{
    (void)state;
    struct readiness_table table = {0};
    put(&table, 7, READINESS_COLD, 60000);
    put(&table, 2, READINESS_WARM, 30000);
    put(&table, 5, READINESS_WARM, 30000);
    put(&table, 5, READINESS_COLD, 9000);
    assert_int_equal(table.count, 3);
    assert_int_equal(table.servers[0].id, 2);
    assert_int_equal(table.servers[1].id, 5);
    assert_int_equal(table.servers[1].kind, READINESS_COLD);
    assert_int_equal(table.servers[2].id, 7);
    put(&table, 2, READINESS_HOT, 0);
    put(&table, 4, READINESS_HOT, 0);
    assert_int_equal(table.count, 2);
    assert_int_equal(table.servers[0].id, 5);
}

static void there_is_room_for_each_server_once(void **state)
{
    (void)state;
    struct readiness_table table = {0};
    struct server_readiness late = {99, READINESS_WARM, 1000};
    for (uint64_t id = 1; id <= CLUSTER_SERVERS_MAX; id++)
        put(&table, id, READINESS_WARM, 1000);
    assert_int_equal(readiness_set(&table, &late), ERR_FULL);
    put(&table, 4, READINESS_COLD, 2000);
    assert_int_equal(table.count, CLUSTER_SERVERS_MAX);
}

static void tables_are_the_same_or_not(void **state)
{
    (void)state;
    struct readiness_table a = {0}, b = {0};
    put(&a, 2, READINESS_WARM, 30000);
    assert_false(readiness_same(&a, &b));
    put(&b, 2, READINESS_WARM, 30001);
    assert_false(readiness_same(&a, &b));
    put(&b, 2, READINESS_WARM, 30000);
    assert_true(readiness_same(&a, &b));
    b.failback = FAILBACK_IDLE;
    assert_false(readiness_same(&a, &b));
}

static void the_registry_gives_back_what_was_written(void **state)
{
    (void)state;
    static const struct server_readiness all[] = {
        {1, READINESS_HOT, 0},
        {1, READINESS_WARM, READINESS_WARM_EVERY_MS},
        {1, READINESS_COLD, READINESS_EVERY_MAX_MS},
    };
    char text[READINESS_TEXT];
    for (unsigned i = 0; i < 3; i++) {
        struct server_readiness got = {.id = 1};
        assert_int_equal(readiness_read(str_of(readiness_write(&all[i], text)), &got), 0);
        assert_int_equal(got.kind, all[i].kind);
        assert_int_equal(got.every_ms, all[i].every_ms);
    }
    assert_string_equal(readiness_write(&all[1], text), "warm 30000");
}

static void what_nobody_wrote_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",         "warm",      "warm ",      "tepid 30000",
                                      "warm 999", "warm -1",   "warm 1000 ", "warm 99999999999",
                                      "hot 1",    "cold once", " warm 1000"};
    struct server_readiness server = {.id = 1, .kind = READINESS_COLD};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(readiness_read(str_of(bad[i]), &server), ERR_INVALID);
    assert_int_equal(server.kind, READINESS_COLD);
    enum failback failback;
    assert_int_equal(failback_read(STR("idle"), &failback), 0);
    assert_int_equal(failback, FAILBACK_IDLE);
    assert_int_equal(failback_read(STR("later"), &failback), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_not_named_is_hot),
        cmocka_unit_test(the_table_is_by_id_and_hot_takes_out),
        cmocka_unit_test(there_is_room_for_each_server_once),
        cmocka_unit_test(tables_are_the_same_or_not),
        cmocka_unit_test(the_registry_gives_back_what_was_written),
        cmocka_unit_test(what_nobody_wrote_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
