/* Logs that are made or changed while no server runs. */
#include "replica/repair.h"
#include "replica_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A list that has one block of COUNT numbers, as of entry INDEX. */
static void write_list(const struct one_server *server, uint64_t index, uint64_t count)
{
    char file[256];
    server_file(server, "list.db", file);
    FILE *out = fopen(file, "w");
    struct block block = {BLOCK_MAGIC, index, 77, count};
    CHECK(out && fwrite(&block, sizeof block, 1, out) == 1);
    for (uint64_t i = 0; i < count; i++)
        CHECK(fwrite(&i, sizeof i, 1, out) == 1);
    CHECK(fclose(out) == 0);
}

static void a_log_is_begun_after(uint64_t index)
{
    struct one_server server;
    struct failure failure = {0};
    struct repair_found found;
    server_dir(&server);
    write_list(&server, index, 3);
    if (repair_begin_log(server.dir, 1, index, 77, &failure) != 0)
        fail_msg("%s", failure.text);
    if (repair_look(server.dir, &found, &failure) != 0)
        fail_msg("%s", failure.text);
    assert_int_equal(found.last_index, index);
    for (uint64_t round = 0; round < 3; round++) {
        server_start(&server);
        struct order_status_report report;
        order_report(server.order, &report);
        assert_true(report.last_index >= index);
        for (uint64_t i = 0; i < 10; i++)
            assert_int_equal(server_add(&server, i), 3 + round * 10 + i);
        assert_true(server.machine.applied > index);
        server_stop(&server);
    }
    server_remove(&server);
}

static void a_log_begins_after_a_database_from_elsewhere(void **state)
{
    (void)state;
    a_log_is_begun_after(5000);
    a_log_is_begun_after(2);
    a_log_is_begun_after(1);
    a_log_is_begun_after(123456789012);
}

static void a_server_made_alone_has_all_that_it_had(void **state)
{
    (void)state;
    struct one_server server;
    struct failure failure = {0};
    struct repair_found before, after;
    server_dir(&server);
    assert_int_equal(repair_look(server.dir, &before, &failure), ERR_NOTFOUND);
    server_start(&server);
    for (uint64_t i = 0; i < 25; i++)
        server_add(&server, i);
    server_stop(&server);
    assert_int_equal(repair_look(server.dir, &before, &failure), 0);
    assert_int_equal(repair_make_alone(server.dir, 1, &failure), 0);
    assert_int_equal(repair_look(server.dir, &after, &failure), 0);
    assert_int_equal(after.last_index, before.last_index + 1);
    assert_true(after.term > before.term); /* never the one in which others may have been primary */
    for (uint64_t round = 0; round < 3; round++) {
        server_start(&server);
        assert_int_equal(server_add(&server, 1), 25 + round);
        server_stop(&server);
    }
    server_remove(&server);
}

/* The snapshot is there, and neither the log that it stands for is gone, nor the empty segments
 * that libraft prepares. */
static void a_log_that_was_being_replaced_by_a_snapshot_is_read(void **state)
{
    (void)state;
    struct one_server before, server;
    struct failure failure = {0};
    char command[700];
    server_dir(&before);
    server_start(&before);
    server_stop(&before);
    server_dir(&server);
    write_list(&server, 5000, 3);
    assert_int_equal(repair_begin_log(server.dir, 1, 5000, 77, &failure), 0);
    snprintf(command, sizeof command,
             "cp %s/raft/0000000000000001-0000000000000001 %s/raft/ && "
             "truncate -s 8M %s/raft/open-1 %s/raft/open-2",
             before.dir, server.dir, server.dir, server.dir);
    assert_int_equal(system(command), 0);
    server_start(&server);
    assert_int_equal(server_add(&server, 1), 3);
    assert_true(server.machine.applied > 5000);
    server_stop(&server);
    server_remove(&server);
    server_remove(&before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_log_begins_after_a_database_from_elsewhere),
        cmocka_unit_test(a_server_made_alone_has_all_that_it_had),
        cmocka_unit_test(a_log_that_was_being_replaced_by_a_snapshot_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
