/* Several replicas in one process, with TLS over loopback: what a cluster promises. */
#include "cluster_fixture.h"
#include "replica/greet.h"

#include <signal.h>
#include <sys/wait.h>

static uint64_t term_of(struct cluster *cluster, unsigned i)
{
    struct order_status_report report;
    order_report(cluster->members[i].server.order, &report);
    return report.term;
}

static void three_servers_elect_a_primary_and_hold_the_same(void **state)
{
    struct cluster cluster;
    (void)state;
    open_cluster(&cluster, 3);
    unsigned primary = start_founders(&cluster);
    uint64_t term = term_of(&cluster, primary);
    for (uint64_t n = 0; n < 200; n++)
        assert_int_equal(server_add(&cluster.members[primary].server, n), n);
    same_on_all(&cluster, 200);
    /* Under one primary nothing is sent again. */
    unsigned again = cluster.members[primary].server.machine.again;
    assert_true(again == 0 || term_of(&cluster, primary) != term);
    close_cluster(&cluster);
}

static void another_takes_over_when_the_primary_ends(void **state)
{
    struct cluster cluster;
    (void)state;
    open_cluster(&cluster, 3);
    unsigned first = start_founders(&cluster);
    for (uint64_t n = 0; n < 50; n++)
        server_add(&cluster.members[first].server, n);
    stop(&cluster, first);
    uint64_t begun = clock_mono_ns();
    unsigned second = primary_of(&cluster);
    print_message("another primary after %.1f ms\n",
                  (double)(clock_mono_ns() - begun) / (double)MS_NS);
    assert_int_not_equal(first, second);
    for (uint64_t n = 50; n < 100; n++)
        assert_int_equal(server_add(&cluster.members[second].server, n), n);
    start(&cluster, first);
    same_on_all(&cluster, 100);
    close_cluster(&cluster);
}

/* Gives the shop to server I. */
static void hand_to(struct cluster *cluster, unsigned i)
{
    uint64_t deadline = within_ms(PATIENCE_MS);
    struct failure failure = {0};
    struct order_status_report report;
    while (clock_mono_ns() < deadline) {
        unsigned asked = cluster->members[0].up ? 0 : 1;
        order_report(cluster->members[asked].server.order, &report);
        if (report.primary_id == i + 1)
            return;
        unsigned primary = (unsigned)report.primary_id - 1;
        if (report.primary_id != 0 && cluster->members[primary].up)
            replica_handover(cluster->members[primary].server.replica, i + 1, &failure);
        usleep(5000); /* no wait: the pace of looking */
    }
    fail_msg("no handover to server %u: %s", i + 1, failure.text);
}

/* Three servers, the third of them primary, and a process of its own. */
static pid_t open_with_primary_apart(struct cluster *cluster)
{
    open_cluster(cluster, 3);
    pid_t child = fork(); /* before any thread is there */
    if (child == 0) {
        start(cluster, 2);
        for (;;)
            pause();
    }
    start(cluster, 0);
    start(cluster, 1);
    hand_to(cluster, 2);
    return child;
}

static void a_killed_primary_is_succeeded_at_once(void **state)
{
    struct cluster cluster;
    double best = PATIENCE_MS;
    (void)state;
    for (unsigned round = 0; round < 3; round++) {
        pid_t child = open_with_primary_apart(&cluster);
        assert_int_equal(server_add(&cluster.members[0].server, round), 0); /* through it */
        uint64_t begun = clock_mono_ns();
        kill(child, SIGKILL);
        for (;;) { /* what server 1 says until it has noticed is what was before */
            struct order_status_report report;
            order_report(cluster.members[0].server.order, &report);
            if (report.primary_id == 1 || report.primary_id == 2)
                break;
            if (ms_since(begun) > PATIENCE_MS)
                fail_msg("nobody succeeds");
            usleep(500); /* no wait: the pace of looking */
        }
        double ms = ms_since(begun);
        assert_int_equal(server_add(&cluster.members[1].server, 7), 1);
        print_message("killed -9, another after %.1f ms, first answer after %.1f ms\n", ms,
                      ms_since(begun));
        best = ms < best ? ms : best;
        waitpid(child, NULL, 0);
        same_on_all(&cluster, 2);
        close_cluster(&cluster);
    }
    assert_true(best < 300); /* the election timeout, which nobody had to wait for */
}

static void a_handover_loses_nothing(void **state)
{
    struct cluster cluster;
    double worst = 0;
    (void)state;
    open_cluster(&cluster, 3);
    unsigned primary = start_founders(&cluster);
    for (uint64_t n = 0; n < 300; n++) {
        if (n % 100 == 50) {
            struct failure failure = {0};
            unsigned to = (primary + 1) % 3;
            uint64_t begun = clock_mono_ns();
            if (replica_handover(cluster.members[primary].server.replica, to + 1, &failure) != 0)
                fail_msg("%s", failure.text);
            print_message("handover in %.1f ms\n", ms_since(begun));
            primary = to;
        }
        uint64_t begun = clock_mono_ns();
        assert_int_equal(server_add(&cluster.members[n % 3].server, n), n);
        double ms = ms_since(begun);
        worst = ms > worst ? ms : worst;
    }
    print_message("longest wait %.1f ms\n", worst);
    same_on_all(&cluster, 300);
    struct failure failure = {0};
    assert_int_equal(replica_handover(cluster.members[primary].server.replica, 9, &failure),
                     ERR_STATE);
    unsigned other = (primary + 1) % 3;
    assert_int_equal(replica_handover(cluster.members[other].server.replica, 0, &failure),
                     ERR_STATE);
    assert_int_equal(replica_handover(cluster.members[primary].server.replica, 0, &failure), 0);
    assert_int_not_equal(primary_of(&cluster), primary);
    close_cluster(&cluster);
}

static void each_server_knows_how_the_others_are(void **state)
{
    struct cluster cluster;
    struct failure failure = {0};
    (void)state;
    open_cluster(&cluster, 3);
    start(&cluster, 0);
    assert_int_equal(replica_wait_ready(cluster.members[0].server.replica, 50, &failure),
                     ERR_TIMEOUT);
    assert_non_null(strstr(failure.text, "1 of 3 servers are up"));
    start(&cluster, 1);
    start(&cluster, 2);
    unsigned primary = primary_of(&cluster);
    unsigned other = (primary + 1) % 3, third = (primary + 2) % 3;
    for (unsigned i = 0; i < 3; i++)
        wait_ready(&cluster, i);
    replica_announce(cluster.members[third].server.replica, "https://third.example");
    server_add(&cluster.members[other].server, 5);
    sees(&cluster, other, primary + 1, SERVER_PRIMARY, SERVER_UP);
    sees(&cluster, other, third + 1, SERVER_SECONDARY, SERVER_UP);
    struct cluster_status status = {0};
    uint64_t deadline = within_ms(PATIENCE_MS);
    while (strcmp(status.servers[third].place.url, "https://third.example") != 0) {
        assert_true(clock_mono_ns() < deadline);
        replica_status(cluster.members[other].server.replica, &status);
    }
    assert_int_equal(status.count, 3);
    assert_int_equal(status.primary, primary + 1);
    stop(&cluster, third);
    sees(&cluster, primary, third + 1, SERVER_SECONDARY, SERVER_DOWN);

    /* It comes back at another place, knows the others from its book, and is found again. */
    cluster.founder_count = 0;
    own_address(cluster.members[third].address, sizeof cluster.members[third].address, OTHER_PORT);
    start(&cluster, third);
    wait_ready(&cluster, third);
    sees(&cluster, primary, third + 1, SERVER_SECONDARY, SERVER_UP);
    close_cluster(&cluster);
}

static void a_stopped_primary_is_succeeded_and_comes_back(void **state)
{
    struct cluster cluster;
    struct order_status_report report;
    (void)state;
    pid_t child = open_with_primary_apart(&cluster);
    server_add(&cluster.members[0].server, 0);
    kill(child, SIGSTOP);
    uint64_t begun = clock_mono_ns();
    do {
        order_report(cluster.members[0].server.order, &report);
        assert_true(ms_since(begun) < PATIENCE_MS);
        usleep(500); /* no wait: the pace of looking */
    } while (report.primary_id == 0 || report.primary_id == 3);
    print_message("stopped, another after %.0f ms\n", ms_since(begun));
    for (uint64_t n = 1; n < 100; n++)
        assert_int_equal(server_add(&cluster.members[n % 2].server, n), n);
    sees(&cluster, 0, 3, SERVER_SECONDARY, SERVER_DOWN);
    kill(child, SIGCONT);
    sees(&cluster, 0, 3, SERVER_SECONDARY, SERVER_UP);
    sees(&cluster, 1, 3, SERVER_SECONDARY, SERVER_UP);
    order_report(cluster.members[0].server.order, &report);
    assert_true(report.primary_id == 1 || report.primary_id == 2);
    same_on_all(&cluster, 100);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    close_cluster(&cluster);
}

/* A connection to server 1 as server 3 makes them, by hand. */
static void visit(struct cluster *cluster, struct channel *channel, struct tls_context *context)
{
    struct failure failure = {0};
    struct hello answer, hello = {.purpose = HELLO_LINK, .cluster = cluster->id, .generation = 1};
    enum refusal refusal;
    hello.place = cluster->founders[2];
    hello.place.since_ms = clock_wall_ms();
    if (channel_connect(channel, cluster->members[0].address, context, -1, within_ms(PATIENCE_MS),
                        &failure) != 0 ||
        greet(channel, &hello, &answer, &refusal, within_ms(PATIENCE_MS), &failure) != 0)
        fail_msg("%s", failure.text);
}

static void is_closed(struct channel *channel)
{
    struct frame frame;
    int err;
    while ((err = channel_receive(channel, &frame, within_ms(PATIENCE_MS))) == 0)
        continue;
    assert_int_not_equal(err, ERR_TIMEOUT);
    channel_close(channel);
}

static void garbage_costs_a_server_its_connection_and_nobody_else_anything(void **state)
{
    struct cluster cluster;
    struct channel channel, second;
    (void)state;
    open_cluster(&cluster, 3);
    start(&cluster, 0);
    start(&cluster, 1);
    unsigned primary = primary_of(&cluster);
    server_add(&cluster.members[primary].server, 0);
    struct tls_context *context = pki_context(&cluster.pki, "server-3");
    const struct str garbage[] = {STR("what is this"), STR_NONE, STR("\1\1\0\4\143\2"),
                                  STR("\1\3\2\3\1\1\1\0\0")}; /* a vote for server 1 */
    const uint8_t kinds[] = {FRAME_RAFT, FRAME_NEWS, FRAME_COMMANDS, FRAME_ANSWERS, 200};
    for (unsigned g = 0; g < sizeof garbage / sizeof *garbage; g++)
        for (unsigned k = 0; k < sizeof kinds; k++) {
            visit(&cluster, &channel, context);
            assert_int_equal(channel_send(&channel, kinds[k], garbage[g], within_ms(PATIENCE_MS)),
                             0);
            is_closed(&channel);
        }
    visit(&cluster, &channel, context); /* what is no frame at all */
    assert_int_equal(
        channel_send_raw(&channel, "\377\377\377\377\377\377\377\377", 8, within_ms(PATIENCE_MS)),
        0);
    is_closed(&channel);
    visit(&cluster, &channel, context);
    uint64_t begun = clock_mono_ns();
    visit(&cluster, &second, context); /* takes the place of the first */
    is_closed(&channel);
    is_closed(&second); /* silent for too long */
    assert_true(ms_since(begun) > 500);
    assert_int_equal(server_add(&cluster.members[primary].server, 1), 1);
    same_on_all(&cluster, 2);
    tls_context_free(context);
    close_cluster(&cluster);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_servers_elect_a_primary_and_hold_the_same),
        cmocka_unit_test(another_takes_over_when_the_primary_ends),
        cmocka_unit_test(a_killed_primary_is_succeeded_at_once),
        cmocka_unit_test(a_handover_loses_nothing),
        cmocka_unit_test(each_server_knows_how_the_others_are),
        cmocka_unit_test(a_stopped_primary_is_succeeded_and_comes_back),
        cmocka_unit_test(garbage_costs_a_server_its_connection_and_nobody_else_anything),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
