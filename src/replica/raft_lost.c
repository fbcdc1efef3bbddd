#include "replica/raft_lost.h"

#include "base/clock.h"
#include "replica/raft_copy.h"
#include "replica/raft_links.h"
#include "replica/raft_thread.h"

#include <stdio.h>

/* A primary that sends what is missing does it within a heartbeat or two. */
enum { LOST_MS = 5000 };

/* How much of the log this server has confirmed to the primary in its term, as that one says. */
static uint64_t confirmed(struct replica *replica)
{
    raft_id primary = 0;
    const char *address = NULL;
    uint64_t heard;
    raft_leader(&replica->raft, &primary, &address);
    const struct news *news =
        primary == replica->config.id ? NULL : links_news_of(replica, primary, &heard);
    if (!news || news->leader != primary || news->term != raft_current_term(&replica->raft))
        return 0;
    for (unsigned i = 0; i < news->match_count; i++)
        if (news->matches[i].server == replica->config.id)
            return news->matches[i].index;
    return 0;
}

/* A copy of the database is meant to be ahead of its log. A log that ends before what this server
 * has confirmed was put back from an older copy, with its database, so that these two agree. */
static bool is_lost(struct replica *replica)
{
    return replica->links && !replica->copying->ahead && !replica->copying->holding &&
           (replica->io.floor || confirmed(replica) > raft_last_index(&replica->raft));
}

void raft_lost_say(struct replica *replica)
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
        "%s: the log has lost its end: it ends at entry %llu, and had confirmed to server %llu, "
        "which is primary, what came after it. It is damaged, or an older copy of this directory "
        "was put back. This server cannot be trusted with a vote any more: take it out (stoa "
        "remove %llu, on another server) and let a new one join in its place, in an empty "
        "directory (stoa token, stoa join)",
        replica->log_dir, (unsigned long long)last, (unsigned long long)primary,
        (unsigned long long)replica->config.id);
    raft_thread_fatal(replica, reason);
}
