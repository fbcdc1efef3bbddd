/* What a change of the cluster is refused for. */
#include "cluster_fixture.h"
#include "replica/membership.h"
#include "replica/raft_change.h"

#include <glob.h>

/* Asks server I to add server ID. */
static int add(struct cluster *cluster, unsigned i, uint64_t id, struct failure *failure)
{
    struct server_place place = {.id = id, .since_ms = clock_wall_ms()};
    snprintf(place.address, sizeof place.address, "127.0.0.1:1");
    return replica_add(cluster->members[i].server.replica, &place, failure);
}

static void more_than_sixteen_are_refused(void **state)
{
    struct cluster cluster;
    struct failure failure = {0};
    (void)state;
    open_cluster(&cluster, 1);
    start_founders(&cluster);
    for (uint64_t id = 2; id <= MEMBERS_MAX; id++)
        if (add(&cluster, 0, id, &failure) != 0)
            fail_msg("%s", failure.text);
    assert_int_equal(add(&cluster, 0, MEMBERS_MAX + 1, &failure), ERR_FULL);
    assert_non_null(strstr(failure.text, "16 servers"));
    close_cluster(&cluster);
}

static void one_that_was_not_added_is_not_in_the_book(void **state)
{
    struct cluster cluster;
    struct failure failure = {0};
    char line[512];
    unsigned there = 0;
    (void)state;
    open_cluster(&cluster, 2);
    unsigned primary = start_founders(&cluster), other = 1 - primary;
    assert_int_equal(add(&cluster, other, 9, &failure), ERR_STATE);
    stop(&cluster, other);
    stop(&cluster, primary);
    for (unsigned i = 0; i < 2; i++) {
        FILE *book = fopen(cluster.members[i].book, "r");
        assert_non_null(book);
        while (fgets(line, sizeof line, book) != NULL) {
            there++;
            assert_int_not_equal(strncmp(line, "server 9 ", 9), 0);
        }
        fclose(book);
    }
    assert_true(there > 0);
    close_cluster(&cluster);
}

/* Who of them is missing from a cluster's own log was removed, and is not to come back. */
static void founders_are_taken_in_by_who_was_alone_only(void **state)
{
    struct raft_configuration members;
    (void)state;
    raft_configuration_init(&members);
    assert_false(change_was_alone(&members));
    assert_int_equal(raft_configuration_add(&members, 1, "1", RAFT_VOTER), 0);
    assert_int_equal(raft_configuration_add(&members, 2, "2", RAFT_VOTER), 0);
    assert_false(change_was_alone(&members));
    assert_int_equal(raft_configuration_add(&members, 3, MEMBER_ALONE, RAFT_VOTER), 0);
    assert_true(change_was_alone(&members));
    raft_configuration_close(&members);
}

/* Nor gives up its own vote: see raft_change.c for what would come of it. */
static void a_primary_does_not_remove_itself(void **state)
{
    struct cluster cluster;
    struct failure failure = {0};
    char own[32];
    (void)state;
    open_cluster(&cluster, 2);
    unsigned primary = start_founders(&cluster), other = 1 - primary;
    snprintf(own, sizeof own, "server %u ", primary + 1);
    struct replica *replica = cluster.members[primary].server.replica;
    assert_int_equal(replica_remove(replica, primary + 1, &failure), ERR_STATE);
    assert_non_null(strstr(failure.text, own));
    assert_non_null(strstr(failure.text, "stoa handover"));
    assert_int_equal(server_add(&cluster.members[primary].server, 0), 0);

    if (replica_handover(replica, 0, &failure) != 0)
        fail_msg("%s", failure.text);
    assert_int_equal(primary_of(&cluster), other);
    if (replica_remove(cluster.members[other].server.replica, primary + 1, &failure) != 0)
        fail_msg("%s", failure.text);
    stop(&cluster, primary);
    assert_int_equal(server_add(&cluster.members[other].server, 1), 1);
    assert_int_equal(replica_remove(cluster.members[other].server.replica, other + 1, &failure),
                     ERR_STATE); /* the last one neither */
    close_cluster(&cluster);
}

static void wait_for_a_snapshot(const struct cluster *cluster, unsigned i)
{
    char pattern[256];
    glob_t found = {0};
    uint64_t deadline = within_ms(PATIENCE_MS);
    server_file(&cluster->members[i].server, "raft/snapshot-*.meta", pattern);
    while (glob(pattern, 0, NULL, &found) != 0) {
        assert_true(clock_mono_ns() < deadline);
        usleep(1000); /* no wait: the pace of looking */
    }
    globfree(&found);
}

/* At a start several changes of members are applied at once, and a snapshot may be due. It has the
 * last of them, else no change would ever be possible again (raft_fsm.c says why). */
static void a_snapshot_at_the_start_hides_no_change(void **state)
{
    struct cluster cluster;
    struct failure failure = {0};
    (void)state;
    open_cluster(&cluster, 1);
    start(&cluster, 0);
    primary_of(&cluster);
    for (uint64_t id = 2; id <= 4; id++) {
        server_add(&cluster.members[0].server, id);
        if (add(&cluster, 0, id, &failure) != 0)
            fail_msg("%s", failure.text);
    }
    stop(&cluster, 0);
    cluster.snapshot_threshold = 5; /* there are more entries, and a start adds fewer */
    start(&cluster, 0);
    wait_for_a_snapshot(&cluster, 0);
    stop(&cluster, 0);
    start(&cluster, 0);
    if (add(&cluster, 0, 5, &failure) != 0)
        fail_msg("%s", failure.text);
    close_cluster(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_than_sixteen_are_refused),
        cmocka_unit_test(founders_are_taken_in_by_who_was_alone_only),
        cmocka_unit_test(one_that_was_not_added_is_not_in_the_book),
        cmocka_unit_test(a_primary_does_not_remove_itself),
        cmocka_unit_test(a_snapshot_at_the_start_hides_no_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
