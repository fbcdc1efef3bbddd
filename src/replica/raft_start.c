#include "base/random.h"
#include "replica/raft_thread.h"
#include "replica/transport.h"

enum { BACKLOG_BYTES = 64 * 1024 * 1024 }; /* of a follower's applier; above, entries are dropped */

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

static int bootstrap(struct replica *replica)
{
    struct raft_configuration alone;
    raft_configuration_init(&alone);
    int status = raft_configuration_add(&alone, replica->config.id, "alone", RAFT_VOTER);
    if (status == 0)
        status = raft_bootstrap(&replica->raft, &alone);
    raft_configuration_close(&alone);
    if (status != 0 && status != RAFT_CANTBOOTSTRAP) /* normal but at the first start */
        return raft_failed(replica, "the log cannot be begun", status);
    /* From here on the record of votes is there: its absence says that there was no
     * first start, or that it was cut short (see replica.c). */
    return vote_open(&replica->vote, replica->vote_file, &replica->failure);
}

static void set_up_raft(struct replica *replica)
{
    const struct replica_config *config = &replica->config;
    raft_set_election_timeout(&replica->raft, config->election_ms);
    raft_set_heartbeat_timeout(&replica->raft, config->heartbeat_ms);
    raft_set_snapshot_threshold(&replica->raft, config->snapshot_threshold);
    raft_set_pre_vote(&replica->raft, true);
    replica->threshold = config->snapshot_threshold;

    uint64_t origin;
    random_secret(&origin, sizeof origin);
    propose_init(&replica->proposer, &replica->raft, &replica->order, replica->applier, origin);
    replica->proposer.batch_bytes_max = config->batch_bytes_max;
    replica->proposer.fatal = raft_thread_fatal;
    replica->proposer.context = replica;
}

static void ask_durable(void *context)
{
    struct replica *replica = context;
    applier_ask_durable(replica->applier, replica->last_command);
}

static bool applier_behind(void *context)
{
    struct replica *replica = context;
    return applier_backlog(replica->applier) > BACKLOG_BYTES;
}
/* 0, or an error after which begin_close or close_handles has been called. */
int raft_thread_start(struct replica *replica)
{
    transport_alone(&replica->transport);
    int status =
        raft_uv_init(&replica->io.raft, &replica->loop, replica->log_dir, &replica->transport);
    if (status != 0) {
        raft_thread_close_handles(replica);
        return fail(&replica->failure, ERR_IO, "%s: %s", replica->log_dir, raft_strerror(status));
    }
    raft_uv_set_auto_recovery(&replica->io.raft, false);
    raft_uv_set_tracer(&replica->io.raft, NULL); /* it formats each message, wanted or not, */
    raft_fsm_make(replica);
    status =
        raft_init(&replica->raft, &replica->io.raft, &replica->fsm, replica->config.id, "alone");
    if (status != 0) {
        raft_thread_close_handles(replica);
        return raft_failed(replica, "the log cannot be opened", status);
    }
    replica->raft.tracer = NULL; /* into memory that all threads share */
    io_guard(&replica->io,
             &(struct io_config){.dir = replica->log_dir,
                                 .applied = applier_applied(replica->applier),
                                 .append = &replica->order.append,
                                 .fatal = raft_thread_fatal,
                                 .ask_durable = ask_durable,
                                 .behind = applier_behind,
                                 .context = replica},
             &replica->vote);
    set_up_raft(replica);
    int err = raft_role_start(replica);
    if (err != 0)
        fail(&replica->failure, err, "out of memory for the replica");
    if (err == 0)
        err = bootstrap(replica);
    if (err == 0) {
        status = raft_start(&replica->raft);
        if (status != 0)
            err = raft_failed(replica, "the log cannot be read", status);
        else if (raft_state(&replica->raft) != RAFT_LEADER) /* the only voter is at once */
            err = fail(&replica->failure, ERR_STATE,
                       "%s: this log belongs to another server or to several; server %llu cannot "
                       "go on with it alone",
                       replica->log_dir, (unsigned long long)replica->config.id);
    }
    if (err != 0)
        raft_thread_begin_close(replica);
    return err;
}
