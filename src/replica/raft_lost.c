#include "replica/raft_lost.h"

#include "base/clock.h"
#include "replica/raft_copy.h"
#include "replica/raft_thread.h"

#include <stdio.h>

/* A primary that sends what is missing does it within a heartbeat or two. */
enum { LOST_MS = 5000 };

/* A copy of the database is meant to be ahead of its log. */
static bool is_lost(const struct replica *replica)
{
    return replica->links && replica->io.floor && !replica->copying->ahead &&
           !replica->copying->holding;
}

void raft_lost_say(const struct replica *replica)
{
    if (!is_lost(replica))
        return;
    log_line(replica->config.log, LOG_WARN, "replica",
             "%s: the log ends at entry %llu, but the database has applied entry %llu: the log has "
             "lost its end (it is damaged, or this server died while it wrote). It is filled up by "
             "the other servers; until then this one does not stand for primary",
             replica->log_dir, (unsigned long long)raft_last_index((struct raft *)&replica->raft),
             (unsigned long long)replica->io.floor);
}

void raft_lost_watch(struct replica *replica)
{
    raft_id primary = 0;
    const char *address = NULL;
    if (!is_lost(replica))
        return;
    uint64_t last = raft_last_index(&replica->raft), now = clock_mono_ns();
    raft_leader(&replica->raft, &primary, &address);
    bool hears = primary != 0 && primary != replica->config.id;
    if (!hears || last != replica->lost_last || !replica->lost_ns) {
        replica->lost_last = last;
        replica->lost_ns = now;
        return;
    }
    if (now - replica->lost_ns < LOST_MS * MS_NS)
        return;
    char reason[640];
    snprintf(
        reason, sizeof reason,
        "%s: the log has lost its end and is damaged: it ends at entry %llu, and had confirmed "
        "to server %llu, which is primary, what came after it. This server cannot be trusted "
        "with a vote any more: take it out (stoa remove %llu, on another server) and let a new "
        "one join in its place, in an empty directory (stoa token, stoa join)",
        replica->log_dir, (unsigned long long)last, (unsigned long long)primary,
        (unsigned long long)replica->config.id);
    raft_thread_fatal(replica, reason);
}
