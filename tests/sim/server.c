#include "server.h"

#include "base/check.h"
#include "base/clock.h"
#include "database_disk.h"
#include "log_disk.h"
#include "network.h"
#include "replica/raft_thread.h"

#include <raft.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct cluster cluster;

/* In a third of the seeds one of the first servers is warm. */
static void choose_readiness(void)
{
    struct server_readiness warm = {.id = 1 + world_pick(cluster.founders), .kind = READINESS_WARM};
    warm.every_ms = (uint32_t)world_between(300, 4000);
    cluster.readiness.failback = (enum failback)world_pick(FAILBACK_COUNT);
    if (cluster.founders > 1 && world_one_in(3))
        CHECK(readiness_set(&cluster.readiness, &warm) == 0);
}

void cluster_open(const char *root, unsigned founders, enum broken_rule broken)
{
    memset(&cluster, 0, sizeof cluster);
    snprintf(cluster.root, sizeof cluster.root, "%s", root);
    CHECK(mkdir(cluster.root, 0700) == 0);
    cluster.founders = cluster.count = founders;
    cluster.broken = broken;
    cluster.snapshot_threshold = world_one_in(2) ? 40 : (unsigned)world_between(5, 200);
    cluster.trailing = world_one_in(2) ? 0 : (unsigned)world_between(1, 30);
    cluster.with_witness = founders == 2 || world_one_in(4);
    cluster.log_cut = world_between(100, 1500);
    cluster.log_max = world_one_in(5) ? world_between(4000, 20000) : 0;
    for (unsigned i = 0; i < SERVERS_MAX; i++) {
        struct server *server = &cluster.servers[i];
        server->number = i;
        server->member = i < founders;
        snprintf(server->dir, sizeof server->dir, "%s/s%u", cluster.root, i + 1);
        snprintf(server->book, sizeof server->book, "%s/book", server->dir);
        snprintf(server->database, sizeof server->database, "%s/shop.db", server->dir);
        CHECK(mkdir(server->dir, 0700) == 0);
        snprintf(server->address, sizeof server->address, "server-%u", i + 1);
        server->machine.server = i;
        server->machine.broken = broken;
    }
    choose_readiness();
}

/* ---- Death ---- */

static void reset_requests(struct server *server)
{
    struct request *request = server->requests;
    server->requests = NULL;
    while (request != NULL) {
        struct request *next = request->next;
        request->answered = true;
        request->err = ERR_CLOSED;
        fiber_wake(request, true);
        request = next;
    }
}

static void end_life(struct server *server, bool silently)
{
    network_life(server->number, NULL, silently);
    life_end(server->life);
    server->life = NULL;
    server->up = server->stopping = false;
    server->replica = NULL;
    server->order = NULL;
    server->reader = NULL;
    reset_requests(server);
}

static void log_dir_of(const struct server *server, char out[256])
{
    snprintf(out, 256, "%s/raft", server->dir);
}

void server_crash(struct server *server, bool power_cut)
{
    char log_dir[256];
    if (server->life == NULL)
        return;
    world_note("server %u: %s", server->number + 1, power_cut ? "power cut" : "killed");
    server->machine.least = power_cut ? server->machine.durable : server->machine.applied;
    server->crashes++;
    end_life(server, power_cut);
    log_dir_of(server, log_dir);
    log_disk_crash(log_disk_at(log_dir));
    database_disk_crash(server->dir, power_cut);
}

/* The process ends itself: a write failed. */
static void fatal(void *context, const char *reason)
{
    struct server *server = context;
    const char *what = strstr(reason, server->dir);
    world_note("server %u stops: %s", server->number + 1,
               what != NULL ? what + strlen(server->dir) : reason);
    if (strstr(reason, "was removed from the cluster") != NULL)
        server->member = false;
    server_crash(server, false);
    fiber_abandon();
}

/* It needs a copy, which it fetches before anything else: main/again.c executes the program anew.
 */
static void again(void *context)
{
    struct server *server = context;
    world_note("server %u begins anew, to fetch a copy", server->number + 1);
    server->copies++;
    server_crash(server, false);
    server_start(server);
    fiber_abandon();
}

/* ---- Life ---- */

static void must(const struct server *server, const char *doing, int err,
                 const struct failure *failure)
{
    if (err != 0)
        world_fail("server %u cannot start: %s: %s", server->number + 1, doing, failure->text);
}

/* What all servers are told of each other at the cluster's begin. */
static void describe_cluster(const struct server *server, struct replica_cluster *out,
                             struct server_place founders[SERVERS_MAX])
{
    for (unsigned i = 0; i < cluster.founders; i++) {
        founders[i] = (struct server_place){.id = i + 1, .since_ms = 1};
        snprintf(founders[i].address, sizeof founders[i].address, "server-%u", i + 1);
    }
    *out = (struct replica_cluster){
        .id = {{1}},
        .generation = 1,
        .listen = cluster.servers[server->number].address,
        .certificate = "none",
        .key = "none",
        .authority = "none",
        .book = server->book,
        .founders = server->number < cluster.founders ? founders : NULL,
        .founder_count = server->number < cluster.founders ? cluster.founders : 0,
        .replace_ms = 3000,
        .steady_ms = 500,
    };
}

static struct replica_config config_of(struct server *server,
                                       const struct replica_cluster *described)
{
    return (struct replica_config){
        .cluster = described,
        .dir = server->dir,
        .id = server->number + 1,
        .election_ms = 300,
        .heartbeat_ms = 30,
        .snapshot_threshold = cluster.snapshot_threshold,
        .fatal = fatal,
        .fatal_context = server,
        .again = server->witness ? NULL : again,
        .witness = server->witness,
        .log_cut = cluster.log_cut,
        .log_max = cluster.log_max,
    };
}

/* As main/witness.c does it. */
static void *run_witness(void *argument)
{
    struct server *server = argument;
    struct failure failure = {0};
    struct replica_cluster described;
    struct server_place founders[SERVERS_MAX];
    describe_cluster(server, &described, founders);
    struct replica_config config = config_of(server, &described);
    must(server, "replication", replica_start(&config, NULL, &server->replica, &failure), &failure);
    server->order = replica_order(server->replica);
    server->up = server->joined = true;
    world_note("server %u: up, a witness", server->number + 1);
    while (!server->stopping)
        fiber_wait(server, UINT64_MAX);
    server->up = false;
    replica_stop(server->replica);
    world_note("server %u: stopped", server->number + 1);
    end_life(server, false);
    return NULL;
}

static void *run_server(void *argument)
{
    struct server *server = argument;
    struct failure failure = {0};
    struct shop *shop;
    struct replica_cluster described;
    struct server_place founders[SERVERS_MAX];
    describe_cluster(server, &described, founders);
    struct replica_config config = config_of(server, &described);
    must(server, "a copy", replica_fetch_first(&config, server->database, &failure), &failure);
    database_disk_take_in(server->database);
    must(server, "the shop", shop_open(server->database, NULL, NULL, &shop, &failure), &failure);
    must(server, "a reader", db_open(server->database, DB_READER, &server->reader, &failure),
         &failure);
    must(server, "a reader", reader_open(server->database, &server->looks, &failure), &failure);
    machine_guard_open(&server->machine, shop, server->reader);
    struct machine machine = machine_guard_machine(&server->machine);
    must(server, "replication", replica_start(&config, &machine, &server->replica, &failure),
         &failure);
    server->order = replica_order(server->replica);
    replica_set_readiness(server->replica, &cluster.readiness);
    server->up = server->joined = true;
    world_note("server %u: up at entry %llu", server->number + 1,
               (unsigned long long)server->machine.applied);
    while (!server->stopping)
        fiber_wait(server, UINT64_MAX);
    server->up = false;
    replica_stop(server->replica);
    reader_close(server->looks);
    db_close(server->reader);
    shop_close(shop);
    world_note("server %u: stopped", server->number + 1);
    end_life(server, false);
    return NULL;
}

void server_start(struct server *server)
{
    CHECK(server->life == NULL);
    server->starts++;
    server->life = calloc(1, sizeof *server->life);
    CHECK(server->life != NULL);
    server->life->server = server->number;
    network_life(server->number, server->life, false);
    fiber_start(server->life, server->witness ? run_witness : run_server, server);
}

void server_stop(struct server *server)
{
    if (server->life == NULL || !server->up)
        return;
    world_note("server %u: is to stop", server->number + 1);
    server->stopping = true;
    fiber_wake(server, true);
}

uint64_t server_committed(const struct server *server)
{
    return server->up ? raft_commit_index(&server->replica->raft) : 0;
}

void server_describe(const struct server *server)
{
    static const char *const states[] = {"unavailable", "follower", "candidate", "leader"};
    static const char *const roles[] = {"standby", "voter", "spare"};
    char members[200] = "", log_dir[256];
    const struct replica *replica = server->replica;
    if (!server->up) {
        world_note("server %u%s: %s", server->number + 1, server->member ? "" : " (no member)",
                   server->life != NULL ? "starting" : "down");
        return;
    }
    struct raft *raft = (struct raft *)&replica->raft;
    for (unsigned i = 0; i < raft->configuration.n; i++) {
        const struct raft_server *member = &raft->configuration.servers[i];
        size_t len = strlen(members);
        snprintf(members + len, sizeof members - len, " %llu %s", member->id, roles[member->role]);
    }
    world_note("server %u%s: %s of term %llu, last entry %llu, committed %llu, copy %llu;%s",
               server->number + 1, server->member ? "" : " (no member)", states[raft_state(raft)],
               raft_current_term(raft), raft_last_index(raft), raft_commit_index(raft),
               (unsigned long long)server->machine.applied, members);
    log_dir_of(server, log_dir);
    log_disk_describe(log_disk_at(log_dir));
}

/* So that logs are cut off sooner than the product cuts them, and copies are needed. */
void __wrap_raft_set_snapshot_trailing(struct raft *raft, unsigned count);
void __real_raft_set_snapshot_trailing(struct raft *raft, unsigned count);

void __wrap_raft_set_snapshot_trailing(struct raft *raft, unsigned count)
{
    if (cluster.servers[raft->id - 1].witness) {
        __real_raft_set_snapshot_trailing(raft, count); /* others depend on it */
        return;
    }
    __real_raft_set_snapshot_trailing(
        raft, cluster.trailing != 0 && cluster.trailing < count ? cluster.trailing : count);
}

/* ---- Requests ---- */

static void forget_request(struct request *request)
{
    struct request **at = &request->server->requests;
    while (*at != NULL && *at != request)
        at = &(*at)->next;
    if (*at != NULL)
        *at = request->next;
}

static void answer_came(void *argument)
{
    struct request *request = argument;
    if (request->answered)
        return;
    forget_request(request);
    request->answered = true;
    fiber_wake(request, true);
}

static void answer(struct request *request, int err)
{
    request->err = err;
    /* Lost with the server when it dies within that time. */
    world_after(world_between(50, 800) * 1000, request->life, answer_came, request);
}

static void submission_done(struct submission *submission, int err, uint64_t index,
                            struct str result)
{
    struct request *request = CONTAINER_OF(submission, struct request, submission);
    buf_str(&request->result, result);
    request->index = index;
    answer(request, err);
}

/* A thread of the server that serves the shopper. */
static void *handle(void *argument)
{
    struct request *request = argument;
    request->submission.command = buf_text(&request->command);
    request->submission.done = submission_done;
    int err = request->server->up ? order_submit(request->server->order, &request->submission)
                                  : ERR_CLOSED;
    if (err != 0)
        answer(request, err);
    return NULL;
}

static void request_came(void *argument)
{
    struct request *request = argument;
    fiber_start(request->life, handle, request);
}

struct request *server_ask(struct server *server, struct str command, uint32_t timeout_ms)
{
    if (server->life == NULL || !server->up)
        return NULL;
    struct request *request = calloc(1, sizeof *request);
    CHECK(request != NULL);
    request->server = server;
    request->life = server->life;
    buf_init(&request->command, 1 << 20);
    buf_init(&request->result, 1 << 20);
    buf_str(&request->command, command);
    request->next = server->requests;
    server->requests = request;
    world_after(world_between(50, 800) * 1000, server->life, request_came, request);
    uint64_t deadline = world.now_ns + timeout_ms * MS_NS;
    while (!request->answered)
        if (!fiber_wait(request, deadline))
            return NULL; /* it may still be answered, to nobody */
    return request;
}

/* ---- Looking ---- */

struct look {
    struct server *server;
    struct life *life;
    uint64_t index;
    void (*look)(void *context, const struct server *server, struct reader *reader);
    void *context;
    bool given_up, done, seen;
};

/* A thread of the server, as web/gate.c does it. */
static void *show(void *argument)
{
    struct look *look = argument;
    struct server *server = look->server;
    if (server->up && order_await_wait(server->order, look->index, 1000) == 0 && server->up &&
        !look->given_up) {
        look->look(look->context, server, server->looks);
        look->seen = true;
    }
    look->done = true;
    fiber_wake(look, true);
    return NULL;
}

bool server_look(struct server *server, uint64_t index, uint32_t timeout_ms,
                 void (*look)(void *context, const struct server *server, struct reader *reader),
                 void *context)
{
    if (server->life == NULL || !server->up)
        return false;
    struct look *wish = calloc(1, sizeof *wish);
    CHECK(wish != NULL);
    *wish = (struct look){
        .server = server, .life = server->life, .index = index, .look = look, .context = context};
    fiber_start(server->life, show, wish);
    uint64_t deadline = world.now_ns + timeout_ms * MS_NS;
    while (!wish->done && !wish->life->ended && fiber_wait(wish, deadline))
        ;
    wish->given_up = true;
    return wish->seen;
}
