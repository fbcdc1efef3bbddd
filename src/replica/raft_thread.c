#include "replica/raft_thread.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"
#include "replica/batch.h"
#include "replica/reaper.h"
#include "replica/snapshot.h"
#include "replica/transport.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

enum {
    /* libraft keeps the log since the last snapshot in memory: it is cut off by size too. */
    LOG_BYTES = 8 * 1024 * 1024, /* at most once a second */
    LOG_BYTES_URGENT = 24 * 1024 * 1024,
    LOG_BYTES_STILL = 1024 * 1024, /* when nothing was appended for */
    STILL_MS = 1000,
    TRAILING_BYTES = 2 * 1024 * 1024, /* kept below a snapshot, for servers that lag a little */
    TRAILING_MIN = 8,
    TRAILING_MAX = 2048,
    BACKLOG_BYTES = 64 * 1024 * 1024, /* of a follower's applier; above, entries are dropped */
    RETRY_MS = 1,
    NO_ROOM_SAID_MS = 200, /* the first segment is not there at once, that is normal */
};

void raft_thread_fatal(void *context, const char *reason)
{
    struct replica *replica = context;
    atomic_store(&replica->dead, true);
    log_line(replica->config.log, LOG_ERROR, "replica", "%s", reason);
    replica->config.fatal(replica->config.fatal_context, reason);
    for (;;) /* nothing may be done or answered any more; main ends the process */
        pause();
}

void raft_thread_wake(void *context)
{
    struct replica *replica = context;
    pthread_mutex_lock(&replica->mutex);
    if (replica->wakeable)
        uv_async_send(&replica->wake);
    pthread_mutex_unlock(&replica->mutex);
}

/* ---- What libraft calls ---- */

static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buffer, void **result)
{
    struct replica *replica = fsm->data;
    uint64_t index = raft_last_applied(&replica->raft) + 1;
    struct str bytes = str_make(buffer->base, buffer->len);
    *result = NULL;
    replica->last_command = index;
    struct applier_entry *entry = propose_match(&replica->proposer, index, bytes);
    if (entry == NULL) {
        if (index <= replica->io.config.applied)
            return 0; /* the database had it before this start */
        struct batch batch;
        entry = applier_entry_new(bytes);
        if (entry == NULL)
            raft_thread_fatal(replica, "out of memory");
        entry->index = index;
        entry->time_ms = batch_open(&batch, bytes) == 0 ? batch.time_ms : 0;
    }
    applier_push(replica->applier, &entry, !replica->mark_pushed);
    return 0;
}

/* Begins a snapshot: a few bytes that name a state of the database. io.c holds them back
 * until the database has that state on disk. */
static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *buffers[], unsigned *count)
{
    struct replica *replica = fsm->data;
    const struct io *io = &replica->io;
    uint64_t average = io->log_entries == 0 ? 0 : io->log_bytes / io->log_entries;
    uint64_t trailing = average == 0 ? TRAILING_MAX : TRAILING_BYTES / average;
    trailing = trailing < TRAILING_MIN ? TRAILING_MIN
                                       : (trailing > TRAILING_MAX ? TRAILING_MAX : trailing);
    raft_set_snapshot_trailing(&replica->raft, (unsigned)trailing);
    replica->last_snapshot_ns = clock_mono_ns();

    *buffers = raft_malloc(sizeof **buffers);
    void *bytes = raft_malloc(SNAPSHOT_SIZE);
    if (*buffers == NULL || bytes == NULL) {
        raft_free(*buffers);
        raft_free(bytes);
        return RAFT_NOMEM;
    }
    snapshot_encode(bytes, &(struct snapshot){.index = replica->last_command,
                                              .time_ms = replica->proposer.last_time_ms,
                                              .server = replica->config.id});
    (*buffers)[0] = (struct raft_buffer){.base = bytes, .len = SNAPSHOT_SIZE};
    *count = 1;
    return 0;
}

/* At the start: the log begins at a snapshot, which the database must contain. */
static int fsm_restore(struct raft_fsm *fsm, struct raft_buffer *buffer)
{
    struct replica *replica = fsm->data;
    struct snapshot snapshot;
    uint64_t applied = applier_applied(replica->applier);
    int err = snapshot_decode(&snapshot, str_make(buffer->base, buffer->len));
    if (err != 0) {
        fail(&replica->failure, ERR_DAMAGED, "%s: the snapshot cannot be read: %s",
             replica->log_dir, err_sentence(err));
        return RAFT_CORRUPT;
    }
    if (applied < snapshot.index) {
        fail(&replica->failure, ERR_DAMAGED,
             "the database has applied entry %llu, but %s begins after entry %llu: the database is "
             "older than its log. Restore both from one backup",
             (unsigned long long)applied, replica->log_dir, (unsigned long long)snapshot.index);
        return RAFT_CORRUPT;
    }
    replica->last_command = snapshot.index;
    raft_free(buffer->base);
    return 0;
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

/* ---- The loop ---- */

static uint64_t thread_cpu_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * SEC_NS + (uint64_t)now.tv_nsec;
}

static void keep_max(atomic_uint_fast64_t *max, uint64_t value)
{
    if (value > atomic_load_explicit(max, memory_order_relaxed))
        atomic_store_explicit(max, value, memory_order_relaxed);
}

static void measure_turn(struct replica *replica)
{
    uint64_t now = clock_mono_ns(), cpu = thread_cpu_ns();
    uint64_t idle = uv_metrics_idle_time(&replica->loop);
    if (replica->turn_ns != 0) {
        uint64_t busy = now - replica->turn_ns, rested = idle - replica->turn_idle_ns;
        keep_max(&replica->order.loop_max_ns, busy > rested ? busy - rested : 0);
        keep_max(&replica->order.loop_cpu_max_ns, cpu - replica->turn_cpu_ns);
    }
    replica->turn_ns = now;
    replica->turn_idle_ns = idle;
    replica->turn_cpu_ns = cpu;
}

/* Whether a burst's log has been kept for long enough; it is cut off as well then. */
static bool stands_still(struct replica *replica)
{
    uint64_t last = raft_last_index(&replica->raft);
    if (last != replica->still_index || replica->turn_ns == 0) {
        replica->still_index = last;
        replica->still_ns = replica->turn_ns;
    }
    return replica->io.log_bytes > LOG_BYTES_STILL &&
           replica->turn_ns - replica->still_ns > STILL_MS * MS_NS;
}

/* A snapshot is due by entries (libraft counts them), by bytes, or when nothing is appended any
 * more. libraft looks with everything it does, at the latest with the next heartbeat. */
static void watch_log_size(struct replica *replica)
{
    const struct io *io = &replica->io;
    bool due = stands_still(replica) || io->log_bytes > LOG_BYTES_URGENT ||
               (io->log_bytes > LOG_BYTES && replica->turn_ns - replica->last_snapshot_ns > SEC_NS);
    unsigned threshold = due && !io->snapshot_running ? 1 : replica->config.snapshot_threshold;
    if (threshold != replica->threshold)
        raft_set_snapshot_threshold(&replica->raft, threshold);
    replica->threshold = threshold;
}

static void watch_role(struct replica *replica)
{
    bool primary = raft_state(&replica->raft) == RAFT_LEADER;
    atomic_store(&replica->order.primary, primary);
    atomic_store(&replica->order.term, raft_current_term(&replica->raft));
    atomic_store(&replica->order.last_index, raft_last_index(&replica->raft));
    if (replica->mark_pushed || !primary ||
        raft_last_applied(&replica->raft) < raft_last_index(&replica->raft))
        return;
    struct applier_entry *mark = applier_entry_new(STR_NONE);
    if (mark == NULL)
        raft_thread_fatal(replica, "out of memory");
    mark->mark = true;
    replica->mark_pushed = true;
    applier_push(replica->applier, &mark, false);
    replica->turn_ns = 0; /* the start is not counted as a long turn */
}

static void pump(struct replica *replica);

static void retry_now(uv_timer_t *timer)
{
    pump(timer->data);
}

static void pump(struct replica *replica)
{
    if (!replica->mark_pushed || replica->closing)
        return;
    if (propose_pump(&replica->proposer))
        uv_timer_start(&replica->retry, retry_now, RETRY_MS, 0);
    uint64_t since = replica->proposer.no_room_since_ns;
    bool no_room = since != 0 && clock_mono_ns() - since > NO_ROOM_SAID_MS * MS_NS;
    if (no_room && !replica->no_room)
        log_line(replica->config.log, LOG_WARN, "replica",
                 "%s: no room on the disk for the log; commands wait or are refused until there is",
                 replica->log_dir);
    if (!no_room && replica->no_room)
        log_line(replica->config.log, LOG_INFO, "replica", "%s: there is room again",
                 replica->log_dir);
    replica->no_room = no_room;
}

static void begin_turn(uv_prepare_t *prepare)
{
    struct replica *replica = prepare->data;
    if (replica->closing)
        return;
    io_check(&replica->io);
    measure_turn(replica);
    watch_role(replica);
    watch_log_size(replica);
    if (replica->proposer.no_room_since_ns != 0 && !uv_is_active((uv_handle_t *)&replica->retry))
        uv_timer_start(&replica->retry, retry_now, RETRY_MS, 0);
}

static void close_handles(struct replica *replica)
{
    pthread_mutex_lock(&replica->mutex);
    replica->wakeable = false;
    pthread_mutex_unlock(&replica->mutex);
    uv_close((uv_handle_t *)&replica->wake, NULL);
    uv_close((uv_handle_t *)&replica->retry, NULL);
    uv_close((uv_handle_t *)&replica->turn, NULL);
}

static void raft_closed(struct raft *raft)
{
    struct replica *replica = CONTAINER_OF(raft, struct replica, raft);
    close_handles(replica);
}

static void begin_close(struct replica *replica)
{
    replica->closing = true;
    replica->proposer.stopped = true;
    propose_refuse(&replica->proposer, ERR_CLOSED);
    raft_close(&replica->raft, raft_closed);
}

static void woken(uv_async_t *async)
{
    struct replica *replica = async->data;
    if (replica->closing)
        return;
    if (atomic_exchange(&replica->durable_told, false))
        io_durable(&replica->io);
    if (atomic_load(&replica->stop_asked))
        begin_close(replica);
    else
        pump(replica);
}

/* ---- Start ---- */

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

static void make_fsm(struct replica *replica)
{
    replica->fsm.version = 1;
    replica->fsm.data = replica;
    replica->fsm.apply = fsm_apply;
    replica->fsm.snapshot = fsm_snapshot;
    replica->fsm.restore = fsm_restore;
}

/* 0, or an error after which begin_close or close_handles has been called. */
static int start_raft(struct replica *replica)
{
    transport_alone(&replica->transport);
    int status =
        raft_uv_init(&replica->io.raft, &replica->loop, replica->log_dir, &replica->transport);
    if (status != 0) {
        close_handles(replica);
        return fail(&replica->failure, ERR_IO, "%s: %s", replica->log_dir, raft_strerror(status));
    }
    raft_uv_set_auto_recovery(&replica->io.raft, false);
    raft_uv_set_tracer(&replica->io.raft, NULL); /* it formats each message, wanted or not, */
    make_fsm(replica);
    status =
        raft_init(&replica->raft, &replica->io.raft, &replica->fsm, replica->config.id, "alone");
    if (status != 0) {
        close_handles(replica);
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
    int err = bootstrap(replica);
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
        begin_close(replica);
    return err;
}

static void make_handles(struct replica *replica)
{
    CHECK(uv_loop_init(&replica->loop) == 0);
    CHECK(uv_loop_configure(&replica->loop, UV_METRICS_IDLE_TIME) == 0);
    CHECK(uv_async_init(&replica->loop, &replica->wake, woken) == 0);
    CHECK(uv_timer_init(&replica->loop, &replica->retry) == 0);
    CHECK(uv_prepare_init(&replica->loop, &replica->turn) == 0);
    CHECK(uv_prepare_start(&replica->turn, begin_turn) == 0);
    replica->wake.data = replica->retry.data = replica->turn.data = replica;
    pthread_mutex_lock(&replica->mutex);
    replica->wakeable = true;
    pthread_mutex_unlock(&replica->mutex);
}

void *raft_thread_run(void *context)
{
    struct replica *replica = context;
    struct reaper *reaper = reaper_start();
    make_handles(replica);
    int err = start_raft(replica);
    uv_run(&replica->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&replica->loop) == 0);
    if (replica->io.raft.impl != NULL)
        raft_uv_close(&replica->io.raft);
    reaper_stop(reaper);
    vote_close(&replica->vote);
    if (err != 0) {
        pthread_mutex_lock(&replica->mutex);
        replica->state = REPLICA_FAILED;
        pthread_cond_signal(&replica->changed);
        pthread_mutex_unlock(&replica->mutex);
    }
    return NULL;
}
