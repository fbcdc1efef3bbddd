/* What the primary does by itself about who votes and who is primary, with real replicas. The rules
 * one by one are in test_replica_membership.c. */
#include "cluster_fixture.h"

/* A second is how often the primary looks. */
enum { STEADY_MS = 500, REPLACE_MS = 1500 };

static void open_quick_cluster(struct cluster *cluster, unsigned founders)
{
    open_cluster(cluster, founders);
    cluster->usual.steady_ms = STEADY_MS;
    cluster->usual.replace_ms = REPLACE_MS;
    start_founders(cluster);
}

/* Takes server I into the cluster, as `stoa join` does. */
static void join(struct cluster *cluster, unsigned i)
{
    struct failure failure = {0};
    struct server_place place = cluster->founders[i];
    unsigned primary = primary_of(cluster);
    place.since_ms = clock_wall_ms();
    if (replica_add(cluster->members[primary].server.replica, &place, &failure) != 0)
        fail_msg("%s", failure.text);
    start_as(cluster, i, JOINER);
}

static unsigned count_of(struct cluster *cluster, enum server_role role, enum server_state state)
{
    struct cluster_status status;
    unsigned count = 0;
    replica_status(cluster->members[primary_of(cluster)].server.replica, &status);
    for (unsigned i = 0; i < status.count; i++)
        count += status.servers[i].role == role && status.servers[i].state == state;
    return count;
}

/* Waits until so many servers besides the primary vote and are up, and so many stand by. */
static void wait_for_votes(struct cluster *cluster, unsigned secondaries, unsigned standbys)
{
    uint64_t deadline = within_ms(3 * PATIENCE_MS);
    unsigned voting = 0, standing = 0;
    do {
        voting = count_of(cluster, SERVER_SECONDARY, SERVER_UP);
        standing = count_of(cluster, SERVER_STANDBY, SERVER_UP) +
                   count_of(cluster, SERVER_STANDBY, SERVER_DOWN);
        if (voting == secondaries && standing == standbys)
            return;
        usleep(20000); /* no wait: the pace of looking */
    } while (clock_mono_ns() < deadline);
    fail_msg("%u secondaries and %u standbys instead of %u and %u", voting, standing, secondaries,
             standbys);
}

static enum server_role role_of(struct cluster *cluster, unsigned i)
{
    struct cluster_status status;
    replica_status(cluster->members[primary_of(cluster)].server.replica, &status);
    for (unsigned at = 0; at < status.count; at++)
        if (status.servers[at].place.id == i + 1)
            return status.servers[at].role;
    fail_msg("server %u is not in the cluster", i + 1);
    return SERVER_WITNESS;
}

static void one_server_grows_to_three_that_survive_a_death(void **state)
{
    struct cluster cluster;
    (void)state;
    open_quick_cluster(&cluster, 1);
    for (uint64_t n = 0; n < 20; n++)
        assert_int_equal(server_add(&cluster.members[0].server, n), n);
    join(&cluster, 1);
    wait_for_votes(&cluster, 1, 0);
    join(&cluster, 2);
    wait_for_votes(&cluster, 2, 0);
    stop(&cluster, primary_of(&cluster));
    unsigned next = primary_of(&cluster);
    assert_int_equal(server_add(&cluster.members[next].server, 20), 20);
    same_on_all(&cluster, 21);
    close_cluster(&cluster);
}

static void a_voter_that_stays_away_is_replaced_for_good(void **state)
{
    struct cluster cluster;
    (void)state;
    open_quick_cluster(&cluster, 3);
    join(&cluster, 3);
    wait_for_votes(&cluster, 2, 1);
    unsigned primary = primary_of(&cluster), lost = (primary + 1) % 3;
    assert_int_equal(server_add(&cluster.members[primary].server, 0), 0);
    stop(&cluster, lost);
    uint64_t deadline = within_ms(3 * PATIENCE_MS);
    while (role_of(&cluster, 3) != SERVER_SECONDARY || role_of(&cluster, lost) != SERVER_STANDBY) {
        assert_true(clock_mono_ns() < deadline);
        usleep(20000); /* no wait: the pace of looking */
    }
    start(&cluster, lost);
    assert_int_equal(server_add(&cluster.members[primary].server, 1), 1);
    same_on_all(&cluster, 2);
    wait_for_votes(&cluster, 2, 1);
    assert_int_equal(role_of(&cluster, lost), SERVER_STANDBY);
    /* And the one in its place counts: without the primary it makes a majority. */
    stop(&cluster, primary);
    unsigned next = primary_of(&cluster);
    assert_int_equal(server_add(&cluster.members[next].server, 2), 2);
    close_cluster(&cluster);
}

/* Without a command of anybody: what former terms left is committed, and changes may follow. */
static void a_new_primary_commits_an_entry_of_its_own(void **state)
{
    struct cluster cluster;
    struct order_status_report before, after;
    (void)state;
    open_quick_cluster(&cluster, 3);
    unsigned first = primary_of(&cluster);
    assert_int_equal(server_add(&cluster.members[first].server, 0), 0);
    order_report(cluster.members[first].server.order, &before);
    stop(&cluster, first);
    unsigned second = primary_of(&cluster);
    uint64_t deadline = within_ms(PATIENCE_MS);
    do {
        order_report(cluster.members[second].server.order, &after);
        assert_true(clock_mono_ns() < deadline);
        usleep(1000); /* no wait: the pace of looking */
    } while (after.last_index <= before.last_index);
    assert_true(after.term > before.term);
    close_cluster(&cluster);
}

static void four_founders_become_three_voters_and_a_standby(void **state)
{
    struct cluster cluster;
    (void)state;
    open_quick_cluster(&cluster, 4);
    wait_for_votes(&cluster, 2, 1);
    close_cluster(&cluster);
}

static void the_preferred_server_is_primary_again_when_it_is_back(void **state)
{
    struct cluster cluster;
    uint64_t n = 0;
    (void)state;
    open_cluster(&cluster, 3);
    cluster.usual.steady_ms = STEADY_MS;
    cluster.usual.preferred = 2;
    for (unsigned i = 0; i < 3; i++)
        start(&cluster, i);
    for (int round = 0; round < 2; round++) {
        uint64_t deadline = within_ms(3 * PATIENCE_MS);
        for (; primary_of(&cluster) != 1; n++) { /* while the shop goes on selling */
            assert_int_equal(server_add(&cluster.members[round % 2 ? 0 : 2].server, n), n);
            assert_true(clock_mono_ns() < deadline);
            usleep(1000); /* no wait: the pace of looking */
        }
        if (round == 1)
            break;
        stop(&cluster, 1);
        assert_int_not_equal(primary_of(&cluster), 1);
        start(&cluster, 1);
    }
    same_on_all(&cluster, n);
    close_cluster(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_server_grows_to_three_that_survive_a_death),
        cmocka_unit_test(a_voter_that_stays_away_is_replaced_for_good),
        cmocka_unit_test(a_new_primary_commits_an_entry_of_its_own),
        cmocka_unit_test(four_founders_become_three_voters_and_a_standby),
        cmocka_unit_test(the_preferred_server_is_primary_again_when_it_is_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
