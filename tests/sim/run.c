#include "run.h"

#include "aftersale.h"
#include "base/check.h"
#include "base/clock.h"
#include "carriers.h"
#include "database_disk.h"
#include "history.h"
#include "leaders.h"
#include "members.h"
#include "server.h"
#include "shop/audit.h"
#include "shopper.h"
#include "weather.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    /* So long things break and shoppers begin something new, and then until all is well. */
    STORM_LEAST_MS = 2000,
    STORM_MOST_MS = 10000,
    PATIENCE_S = 180,
};

void run_root(char out[64], pid_t pid)
{
    const char *base = getenv("STOA_SIM_DIR");
    snprintf(out, 64, "%s/stoa-sim-%d", base != NULL ? base : "/dev/shm", (int)pid);
}

/* ---- The end ---- */

/* Every member is up and has what any of them has. */
static bool converged(void)
{
    for (unsigned i = 0; i < cluster.count; i++) {
        const struct server *server = &cluster.servers[i];
        uint64_t has = server->witness ? server_committed(server) : server->machine.applied;
        if (server->member && (!server->up || has < history_last()))
            return false;
    }
    return true;
}

static void say_difference(void *context, const char *sentence)
{
    const struct server *server = context;
    world_fail("server %u: audit: %s", server->number + 1, sentence);
}

static void check_copy(struct server *server)
{
    struct audit_report report;
    struct failure failure = {0};
    unsigned char digest[DB_DIGEST];
    uint64_t index;
    if (audit_run(server->database, say_difference, server, &report, &failure) != 0 ||
        audit_digest(server->database, digest, &index, &failure) != 0)
        world_fail("server %u: its copy cannot be audited: %s", server->number + 1, failure.text);
    history_digest(server->number, index, digest, server->reader);
    aftersale_check(server->number, server->database);
    if (report.orders != history_orders())
        world_fail("server %u has %llu orders; there were %llu purchases", server->number + 1,
                   (unsigned long long)report.orders, (unsigned long long)history_orders());
}

static void describe_all(void)
{
    for (unsigned i = 0; i < cluster.count; i++)
        server_describe(&cluster.servers[i]);
}

static void say_who_waits(void)
{
    world_fail("not all is well %d s after everything was repaired: %s", PATIENCE_S,
               shoppers_done() ? "the copies differ" : shoppers_waiting());
}

static void say_what_happened(uint64_t seed)
{
    printf("seed %llu: %llu events, %llu requests, %llu entries, %llu orders;",
           (unsigned long long)seed, (unsigned long long)world.events,
           (unsigned long long)shoppers_asked(), (unsigned long long)history_last(),
           (unsigned long long)history_orders());
    for (unsigned i = 0; i < WEATHER_COUNT; i++)
        if (weather_counts()[i] > 0)
            printf(" %s %u", weather_names[i], weather_counts()[i]);
    for (int type = COMMAND_ORDER_CANCEL; type < COMMAND_TYPE_COUNT; type++)
        if (history_counts()[type] > 0)
            printf(" %s %u", command_name((enum command_type)type), history_counts()[type]);
    if (carriers_count() > 0)
        printf(" carried %u", carriers_count());
    if (drill_count() > 0)
        printf(" drilled");
    printf("; hash %016llx\n", (unsigned long long)world.hash);
}

/* ---- A seed ---- */

static void step_until(uint64_t until_ns, bool (*done)(void))
{
    while (world.now_ns < until_ns && (done == NULL || !done())) {
        if (!world_step())
            return;
        leaders_look();
        carriers_look();
    }
}

static bool all_well(void)
{
    return drill_done() && shoppers_done() && converged();
}

void run_seed(uint64_t seed, bool trace, enum broken_rule broken)
{
    char root[64];
    /* Much memory is taken and given back; the kernel need not hear of it each time. */
    mallopt(M_MMAP_THRESHOLD, 1 << 30);
    mallopt(M_TRIM_THRESHOLD, 1 << 30);
    mallopt(M_TOP_PAD, 8 << 20);
    run_root(root, getpid());
    world_open(seed, trace);
    world.describe = describe_all;
    database_disk_open();
    static const unsigned founders[] = {1, 2, 2, 2, 2, 3, 3, 3, 3, 5};
    cluster_open(root, founders[world_pick(COUNT_OF(founders))], broken);
    for (unsigned i = 0; i < cluster.count; i++)
        server_start(&cluster.servers[i]);
    uint64_t storm_ns = world_between(STORM_LEAST_MS, STORM_MOST_MS) * MS_NS;
    shoppers_start((unsigned)world_between(2, SHOPPERS_MAX), storm_ns + drill_ns());
    if (broken == BROKEN_bank)
        aftersale_break_bank();
    weather_start(storm_ns);
    members_begin();
    step_until(storm_ns, NULL);
    weather_clear();
    drill_start();
    step_until(storm_ns + PATIENCE_S * SEC_NS, all_well);
    if (!all_well())
        say_who_waits();
    for (unsigned i = 0; i < cluster.count; i++)
        if (cluster.servers[i].member && !cluster.servers[i].witness)
            check_copy(&cluster.servers[i]);
    say_what_happened(seed);
}
