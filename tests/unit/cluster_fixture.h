/* A cluster of replicas in one process, with TLS over loopback and certificates of its own. Each
 * is a list machine (replica_fixture.h). */
#ifndef STOA_TESTS_CLUSTER_FIXTURE_H
#define STOA_TESTS_CLUSTER_FIXTURE_H

#include "net/socket.h"
#include "net_fixture.h"
#include "replica_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { SERVERS = 5, PATIENCE_MS = 10000, FIRST_PORT = 7001, OTHER_PORT = 7101 };

struct cluster {
    struct pki pki;
    struct id id;
    struct replica_cluster usual; /* its settings; the rest is each member's */
    struct server_place founders[SERVERS];
    unsigned founder_count;
    uint32_t snapshot_threshold; /* 0: the usual one */
    struct member {
        struct one_server server;
        struct replica_cluster config;
        char address[64], certificate[128], key[128], book[256], url[64];
        bool up;
    } members[SERVERS];
};

enum part { FOUNDER, JOINER, ALONE };

static inline void start_as(struct cluster *cluster, unsigned i, enum part part)
{
    struct member *member = &cluster->members[i];
    struct failure failure = {0};
    struct replica_config config = server_config(&member->server);
    static const struct log log = {.fd = 2};
    config.id = i + 1;
    config.snapshot_threshold = cluster->snapshot_threshold;
    if (getenv("STOA_TEST_LOG") != NULL)
        config.log = &log;
    member->config = cluster->usual;
    member->config.id = cluster->id;
    member->config.generation = 1;
    member->config.listen = member->address;
    member->config.url = member->url;
    member->config.certificate = member->certificate;
    member->config.key = member->key;
    member->config.authority = cluster->pki.authority;
    member->config.book = member->book;
    member->config.founders = part == FOUNDER ? cluster->founders : NULL;
    member->config.founder_count = part == FOUNDER ? cluster->founder_count : 0;
    if (part != ALONE)
        config.cluster = &member->config;
    if (server_start_with(&member->server, &config, &failure) != 0)
        fail_msg("server %u: %s", i + 1, failure.text);
    member->up = true;
}

static inline void start(struct cluster *cluster, unsigned i)
{
    start_as(cluster, i, i < cluster->founder_count ? FOUNDER : JOINER);
}

static inline void stop(struct cluster *cluster, unsigned i)
{
    server_stop(&cluster->members[i].server);
    cluster->members[i].up = false;
}

static inline void open_cluster(struct cluster *cluster, unsigned founders)
{
    memset(cluster, 0, sizeof *cluster);
    cluster->id = id_new(clock_wall_ms());
    cluster->founder_count = founders;
    pki_open(&cluster->pki, "test");
    for (unsigned i = 0; i < SERVERS; i++) {
        struct member *member = &cluster->members[i];
        char name[SERVER_NAME];
        server_dir(&member->server);
        own_address(member->address, sizeof member->address, FIRST_PORT + i);
        snprintf(member->url, sizeof member->url, "http://127.0.0.1:%u", 8000 + i);
        server_file(&member->server, "book", member->book);
        pki_certify(&cluster->pki, server_name(i + 1, name), member->certificate, member->key);
        cluster->founders[i] = (struct server_place){.id = i + 1};
        snprintf(cluster->founders[i].address, SERVER_ADDRESS, "%s", member->address);
    }
}

static inline void close_cluster(struct cluster *cluster)
{
    for (unsigned i = 0; i < SERVERS; i++) {
        if (cluster->members[i].up)
            stop(cluster, i);
        server_remove(&cluster->members[i].server);
    }
    pki_close(&cluster->pki);
}

static inline bool is_primary(struct cluster *cluster, unsigned i)
{
    int64_t time_ms;
    return cluster->members[i].up && order_is_primary(cluster->members[i].server.order, &time_ms);
}

/* The one primary, once all that are up agree on it. */
static inline unsigned primary_of(struct cluster *cluster)
{
    uint64_t deadline = within_ms(PATIENCE_MS);
    while (clock_mono_ns() < deadline) {
        uint64_t primary = 0;
        bool agreed = true;
        for (unsigned i = 0; i < SERVERS; i++) {
            struct order_status_report report;
            if (!cluster->members[i].up)
                continue;
            order_report(cluster->members[i].server.order, &report);
            agreed &= report.primary_id != 0 && (primary == 0 || report.primary_id == primary);
            primary = report.primary_id;
        }
        if (agreed && primary != 0 && is_primary(cluster, (unsigned)primary - 1))
            return (unsigned)primary - 1;
        usleep(1000); /* no wait: the pace of looking */
    }
    fail_msg("nobody is primary");
    return 0;
}

/* All founders of a cluster that was opened; the primary. */
static inline unsigned start_founders(struct cluster *cluster)
{
    for (unsigned i = 0; i < cluster->founder_count; i++)
        start(cluster, i);
    return primary_of(cluster);
}

/* Waits until all that are up have COUNT numbers, and checks that they are the same. */
static inline void same_on_all(struct cluster *cluster, size_t count)
{
    const struct list_machine *first = NULL;
    for (unsigned i = 0; i < SERVERS; i++) {
        if (!cluster->members[i].up)
            continue;
        struct list_machine *m = &cluster->members[i].server.machine;
        uint64_t deadline = within_ms(PATIENCE_MS);
        while (__atomic_load_n(&m->committed, __ATOMIC_ACQUIRE) < count &&
               clock_mono_ns() < deadline)
            usleep(1000); /* no wait: the pace of looking */
        assert_int_equal(m->committed, count);
        if (first != NULL)
            assert_memory_equal(first->numbers, m->numbers, count * sizeof *m->numbers);
        first = m;
    }
}

static inline double ms_since(uint64_t begun_ns)
{
    return (double)(clock_mono_ns() - begun_ns) / (double)MS_NS;
}

static inline void wait_ready(struct cluster *cluster, unsigned i)
{
    struct failure failure = {0};
    if (replica_wait_ready(cluster->members[i].server.replica, PATIENCE_MS, &failure) != 0)
        fail_msg("server %u is not ready: %s", i + 1, failure.text);
}

/* Waits until server I sees server ID in ROLE and STATE. */
static inline void sees(struct cluster *cluster, unsigned i, uint64_t id, enum server_role role,
                        enum server_state state)
{
    uint64_t deadline = within_ms(3 * PATIENCE_MS);
    struct cluster_status status;
    const struct server_status *server = NULL;
    while (clock_mono_ns() < deadline) {
        replica_status(cluster->members[i].server.replica, &status);
        server = NULL;
        for (unsigned at = 0; at < status.count; at++)
            if (status.servers[at].place.id == id)
                server = &status.servers[at];
        if (server != NULL && server->role == role && server->state == state)
            return;
        usleep(5000); /* no wait: the pace of looking */
    }
    if (server == NULL)
        fail_msg("server %u does not know server %u", i + 1, (unsigned)id);
    else
        fail_msg("server %u sees server %u as %s, %s", i + 1, (unsigned)id,
                 server_role_names[server->role], server_state_names[server->state]);
}

#endif
