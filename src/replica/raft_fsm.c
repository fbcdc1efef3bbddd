#include "base/clock.h"
#include "replica/raft_links.h"
#include "replica/raft_witness.h"
#include "replica/snapshot.h"

#include <limits.h>

enum {
    /* libraft keeps the log since the last snapshot in memory: it is cut off by size too. */
    LOG_BYTES = 8 * 1024 * 1024, /* at most once a second */
    LOG_BYTES_URGENT = 24 * 1024 * 1024,
    LOG_BYTES_STILL = 1024 * 1024, /* when nothing was appended for */
    STILL_MS = 1000,
    /* Kept below a snapshot. Whoever lacks an entry that is not kept needs a copy of the whole
     * database, so what a server lacks that is there, or was a minute ago, is kept for it, within
     * a bound. */
    TRAILING_BYTES = 2 * 1024 * 1024,
    TRAILING_BYTES_SEVERAL = 16 * 1024 * 1024, /* for the one that will be primary next */
    TRAILING_BYTES_LACKED = 64 * 1024 * 1024,
    TRAILING_MIN = 8,
    TRAILING_MAX = 2048,
};

static int fsm_apply(struct raft_fsm *fsm, const struct raft_buffer *buffer, void **result)
{
    struct replica *replica = fsm->data;
    uint64_t index = raft_last_applied(&replica->raft) + 1;
    struct str bytes = str_make(buffer->base, buffer->len);
    *result = NULL;
    replica->last_command = index;
    struct applier_entry *entry = propose_match(&replica->proposer, index, bytes);
    if (entry == NULL) {
        if (index <= replica->io.config.applied || witness_here(replica))
            return 0; /* the database had it before this start, or there is none */
        entry = applier_entry_new(bytes);
        if (entry == NULL)
            raft_thread_fatal(replica, "out of memory");
        entry->index = index;
        entry->time_ms = replica->proposer.committed_time_ms;
    }
    applier_push(replica->applier, &entry, !replica->mark_pushed);
    return 0;
}

/* How many entries are to be kept below the snapshot that begins. */
static uint64_t trailing_entries(struct replica *replica)
{
    if (witness_here(replica))
        return witness_trailing(replica);
    const struct io *io = &replica->io;
    uint64_t average = io->log_entries == 0 ? 0 : io->log_bytes / io->log_entries;
    uint64_t bytes = replica->links == NULL ? TRAILING_BYTES : TRAILING_BYTES_SEVERAL;
    uint64_t trailing = average == 0 ? TRAILING_MAX : bytes / average;
    uint64_t most = replica->config.snapshot_threshold / 4;
    if (most > TRAILING_MAX)
        most = TRAILING_MAX;
    trailing = trailing > most ? most : trailing;
    trailing = trailing < TRAILING_MIN ? TRAILING_MIN : trailing;
    uint64_t lacked = replica->links == NULL ? 0 : links_lacked(replica);
    if (average != 0 && lacked > TRAILING_BYTES_LACKED / average)
        lacked = TRAILING_BYTES_LACKED / average;
    if (lacked > replica->config.snapshot_threshold / 4)
        lacked = replica->config.snapshot_threshold / 4;
    return lacked > trailing ? lacked : trailing;
}

/* Whether libraft knows the members as of its last applied entry. Version 0.22.1 learns that a
 * change was applied by an event of its own. When several changes are applied at once, as at a
 * start, it may begin a snapshot after the first of these events, with members from before the
 * last change. Once the log begins at such a snapshot, that change is never applied again: libraft
 * waits for it for ever and lets no other begin. Who is sent the snapshot would count the votes of
 * the wrong servers. A change that is only proposed has to wait as well: with it pending libraft
 * passes over the event of the one before. And a change may be known to be committed before its
 * entry is (guard_keep_members): then they are of a later time than the snapshot's. */
static bool knows_members(const struct raft *raft)
{
    return raft->configuration_uncommitted_index == 0 &&
           raft->configuration_committed_index <= raft->commit_index;
}

/* Begins a snapshot: a few bytes that name a state of the database. io.c holds them back
 * until the database has that state on disk. */
static int fsm_snapshot(struct raft_fsm *fsm, struct raft_buffer *buffers[], unsigned *count)
{
    struct replica *replica = fsm->data;
    if (!knows_members(&replica->raft))
        return RAFT_BUSY; /* libraft asks again with the next event */
    raft_set_snapshot_trailing(&replica->raft, (unsigned)trailing_entries(replica));
    replica->last_snapshot_ns = clock_mono_ns();

    *buffers = raft_malloc(sizeof **buffers);
    void *bytes = raft_malloc(SNAPSHOT_SIZE);
    if (*buffers == NULL || bytes == NULL) {
        raft_free(*buffers);
        raft_free(bytes);
        return RAFT_NOMEM;
    }
    snapshot_encode(bytes, &(struct snapshot){.index = replica->last_command,
                                              .time_ms = replica->proposer.committed_time_ms,
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
    if (applied < snapshot.index && !witness_here(replica)) {
        fail(&replica->failure, ERR_DAMAGED,
             "the database has applied entry %llu, but %s begins after entry %llu: the database is "
             "older than its log. Restore both from one backup",
             (unsigned long long)applied, replica->log_dir, (unsigned long long)snapshot.index);
        return RAFT_CORRUPT;
    }
    replica->last_command = snapshot.index;
    propose_note_time(&replica->proposer, snapshot.time_ms);
    raft_free(buffer->base);
    return 0;
}

void raft_fsm_make(struct replica *replica)
{
    replica->fsm.version = 1;
    replica->fsm.data = replica;
    replica->fsm.apply = fsm_apply;
    replica->fsm.snapshot = fsm_snapshot;
    replica->fsm.restore = fsm_restore;
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

static bool is_due(struct replica *replica)
{
    const struct io *io = &replica->io;
    if (witness_here(replica))
        return witness_cut_due(replica);
    return stands_still(replica) || io->log_bytes > LOG_BYTES_URGENT ||
           (io->log_bytes > LOG_BYTES && replica->turn_ns - replica->last_snapshot_ns > SEC_NS);
}

/* A snapshot is due by entries (libraft counts them), by bytes, or when nothing is appended any
 * more. libraft looks with everything it does, at the latest with the next heartbeat. */
void raft_fsm_watch_log(struct replica *replica)
{
    unsigned usual = witness_here(replica) ? UINT_MAX : replica->config.snapshot_threshold;
    unsigned threshold = is_due(replica) && !replica->io.snapshot_running ? 1 : usual;
    if (threshold != replica->threshold)
        raft_set_snapshot_threshold(&replica->raft, threshold);
    replica->threshold = threshold;
}
