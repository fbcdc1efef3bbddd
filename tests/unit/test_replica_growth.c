/* Several replicas in one process: how a cluster grows and shrinks. */
#include "cluster_fixture.h"

static void a_shop_that_was_alone_becomes_a_cluster(void **state)
{
    struct cluster cluster;
    (void)state;
    open_cluster(&cluster, 3);
    start_as(&cluster, 0, ALONE);
    for (uint64_t n = 0; n < 20; n++)
        server_add(&cluster.members[0].server, n);
    stop(&cluster, 0);

    start_as(&cluster, 0, FOUNDER);
    wait_ready(&cluster, 0);
    server_add(&cluster.members[0].server, 20);
    start_as(&cluster, 1, JOINER);
    start_as(&cluster, 2, JOINER);
    sees(&cluster, 0, 2, SERVER_SECONDARY, SERVER_UP);
    sees(&cluster, 0, 3, SERVER_SECONDARY, SERVER_UP);
    server_add(&cluster.members[0].server, 21);
    same_on_all(&cluster, 22);
    stop(&cluster, 0);
    primary_of(&cluster);
    assert_int_equal(server_add(&cluster.members[1].server, 22), 22);
    same_on_all(&cluster, 23);
    close_cluster(&cluster);
}

static void servers_come_and_go(void **state)
{
    struct cluster cluster;
    struct failure failure = {0};
    (void)state;
    open_cluster(&cluster, 3);
    unsigned primary = start_founders(&cluster);
    for (uint64_t n = 0; n < 20; n++)
        server_add(&cluster.members[primary].server, n);
    struct server_place place = cluster.founders[3];
    place.since_ms = clock_wall_ms();
    start(&cluster, 3);
    if (replica_add(cluster.members[primary].server.replica, &place, &failure) != 0)
        fail_msg("%s", failure.text);
    assert_int_equal(replica_add(cluster.members[primary].server.replica, &place, &failure), 0);
    sees(&cluster, primary, 4, SERVER_STANDBY, SERVER_UP);
    same_on_all(&cluster, 20);
    assert_int_equal(server_add(&cluster.members[3].server, 20), 20);

    unsigned leaver = (primary + 1) % 3;
    stop(&cluster, leaver);
    if (replica_remove(cluster.members[primary].server.replica, leaver + 1, &failure) != 0)
        fail_msg("%s", failure.text);
    sees(&cluster, primary, 4, SERVER_SECONDARY, SERVER_UP); /* it has a vote now */
    same_on_all(&cluster, 21);

    /* The primary too, once another has taken over. */
    if (replica_handover(cluster.members[primary].server.replica, 0, &failure) != 0)
        fail_msg("%s", failure.text);
    unsigned next = primary_of(&cluster);
    assert_int_not_equal(next, primary);
    if (replica_remove(cluster.members[next].server.replica, primary + 1, &failure) != 0)
        fail_msg("%s", failure.text);
    stop(&cluster, primary);
    assert_int_equal(server_add(&cluster.members[next].server, 21), 21);
    same_on_all(&cluster, 22);
    close_cluster(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_shop_that_was_alone_becomes_a_cluster),
        cmocka_unit_test(servers_come_and_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
