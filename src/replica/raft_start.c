#include "base/random.h"
#include "replica/begun.h"
#include "replica/raft_change.h"
#include "replica/raft_links.h"
#include "replica/raft_lost.h"
#include "replica/raft_ready.h"
#include "replica/raft_witness.h"
#include "replica/transport.h"

#include <stdio.h>

enum {
    BACKLOG_BYTES = 64 * 1024 * 1024, /* of a follower's applier; above, entries are dropped */
    /* To a follower that catches up; above it libraft sends it empty messages. Of new entries
     * there are never so many on their way (PROPOSE_IN_FLIGHT, few and large). */
    IN_FLIGHT_ENTRIES = 32,
    INSTALL_SNAPSHOT_MS = 500, /* it is a few bytes, and dropped by who is busy: again */
};

static int raft_failed(struct replica *replica, const char *doing, int status)
{
    if (replica->failure.err != 0)
        return replica->failure.err; /* said more precisely where it happened */
    if (replica->io.load_failure.err != 0) {
        replica->failure = replica->io.load_failure;
        return replica->failure.err;
    }
    const char *more = raft_errmsg(&replica->raft);
    return fail(&replica->failure, status == RAFT_CORRUPT ? ERR_DAMAGED : ERR_IO, "%s: %s: %s%s%s",
                replica->log_dir, doing, raft_strerror(status), more[0] != 0 ? ": " : "", more);
}

/* The configuration that a new log begins with. A server that joins has none: it waits for the
 * primary's log. Addresses are in the book; libraft only wants them to differ. */
static int first_configuration(const struct replica *replica,
                               struct raft_configuration *configuration)
{
    const struct replica_cluster *cluster = replica->config.cluster;
    raft_configuration_init(configuration);
    if (cluster == NULL)
        return raft_configuration_add(configuration, replica->config.id, MEMBER_ALONE, RAFT_VOTER);
    int status = 0;
    for (unsigned i = 0; status == 0 && i < cluster->founder_count; i++) {
        char address[24];
        uint64_t id = cluster->founders[i].id;
        snprintf(address, sizeof address, "%llu", (unsigned long long)id);
        status = raft_configuration_add(configuration, id, address, RAFT_VOTER);
    }
    return status;
}

static int bootstrap(struct replica *replica)
{
    struct raft_configuration first;
    int status = first_configuration(replica, &first);
    if (status == 0 && first.n > 0)
        status = raft_bootstrap(&replica->raft, &first);
    raft_configuration_close(&first);
    if (status != 0 && status != RAFT_CANTBOOTSTRAP) /* normal but at the first start */
        return raft_failed(replica, "the log cannot be begun", status);
    /* From here on the record of votes is there: its absence says that there was no
     * first start, or that it was cut short (see replica.c). */
    int err = vote_open(&replica->vote, replica->vote_file, &replica->failure);
    return err != 0 ? err : begun_note(&replica->config, &replica->failure);
}

static void set_up_raft(struct replica *replica)
{
    const struct replica_config *config = &replica->config;
    unsigned seed;
    random_secret(&seed, sizeof seed);
    raft_seed(&replica->raft, seed); /* all servers would have the same election timeouts */
    raft_set_election_timeout(&replica->raft, config->election_ms);
    raft_set_heartbeat_timeout(&replica->raft, config->heartbeat_ms);
    raft_set_snapshot_threshold(&replica->raft, config->snapshot_threshold);
    raft_set_pre_vote(&replica->raft, true);
    raft_set_max_inflight_entries(&replica->raft, IN_FLIGHT_ENTRIES);
    raft_set_install_snapshot_timeout(&replica->raft, INSTALL_SNAPSHOT_MS);
    replica->threshold = config->snapshot_threshold;

    uint64_t origin;
    random_secret(&origin, sizeof origin);
    propose_init(&replica->proposer, &replica->raft, &replica->order, replica->applier, origin);
    replica->proposer.held = witness_here(replica);
    replica->proposer.batch_bytes_max = config->batch_bytes_max;
    replica->proposer.fatal = raft_thread_fatal;
    replica->proposer.context = replica;
}

static void ask_durable(void *context)
{
    struct replica *replica = context;
    if (witness_here(replica)) {
        atomic_store(&replica->durable_told, true);
        raft_thread_wake(replica);
        return;
    }
    applier_ask_durable(replica->applier, replica->last_command);
}

static bool applier_behind(void *context)
{
    struct replica *replica = context;
    return applier_backlog(replica->applier) > BACKLOG_BYTES;
}

/* libraft on its disk, with our guards; nothing runs yet. */
static int open_raft(struct replica *replica)
{
    transport_alone(&replica->transport);
    int status =
        raft_uv_init(&replica->io.raft, &replica->loop, replica->log_dir, &replica->transport);
    if (status != 0)
        return fail(&replica->failure, ERR_IO, "%s: %s", replica->log_dir, raft_strerror(status));
    /* Segments keep libraft's 8 MiB: with others (1, 32 or 64) it takes nothing (RAFT_NOSPACE), as
     * it counts KiB in 16 bits. What it cannot read it shall not forget: a damaged end is a
     * failure. */
    raft_uv_set_auto_recovery(&replica->io.raft, false);
    raft_uv_set_tracer(&replica->io.raft, NULL); /* it formats each message, wanted or not, */
    raft_fsm_make(replica);
    status =
        raft_init(&replica->raft, &replica->io.raft, &replica->fsm, replica->config.id, "alone");
    if (status != 0)
        return raft_failed(replica, "the log cannot be opened", status);
    replica->raft.tracer = NULL; /* into memory that all threads share */
    io_guard(&replica->io,
             &(struct io_config){.id = replica->config.id,
                                 .dir = replica->log_dir,
                                 .applied = applier_applied(replica->applier),
                                 .several = replica->links != NULL,
                                 .append = &replica->order.append,
                                 .loop = &replica->loop,
                                 .fatal = raft_thread_fatal,
                                 .ask_durable = ask_durable,
                                 .behind = applier_behind,
                                 .waits = ready_waits,
                                 .send = replica->links == NULL ? NULL : links_send,
                                 .context = replica},
             &replica->vote);
    set_up_raft(replica);
    return 0;
}

static int run_raft(struct replica *replica)
{
    int err = raft_role_start(replica);
    if (err != 0)
        return fail(&replica->failure, err, "out of memory for the replica");
    err = bootstrap(replica);
    if (err != 0)
        return err;
    int status = raft_start(&replica->raft);
    if (status != 0)
        return raft_failed(replica, "the log cannot be read", status);
    replica->proposer.history_index = raft_last_index(&replica->raft);
    raft_lost_say(replica);
    if (raft_state(&replica->raft) == RAFT_LEADER && replica->io.floor != 0)
        return io_refuse(&replica->io, raft_last_index(&replica->raft), &replica->failure);
    if (replica->links != NULL)
        return links_open(replica);
    if (raft_state(&replica->raft) == RAFT_LEADER) /* the only voter is at once */
        return 0;
    return fail(&replica->failure, ERR_STATE,
                "%s: this log belongs to another server or to several; server %llu cannot go on "
                "with it alone",
                replica->log_dir, (unsigned long long)replica->config.id);
}

int raft_thread_start(struct replica *replica)
{
    int err = replica->config.cluster == NULL ? 0 : links_begin(replica);
    if (err == 0)
        err = open_raft(replica);
    if (err != 0) {
        raft_thread_close_handles(replica);
        return err;
    }
    err = run_raft(replica);
    if (err != 0)
        raft_thread_begin_close(replica);
    return err;
}
