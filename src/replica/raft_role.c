#include "base/clock.h"
#include "replica/raft_thread.h"

enum {
    RETRY_MS = 1,
    NO_ROOM_SAID_MS = 200, /* the first segment is not there at once, that is normal */
};

static void retry_now(uv_timer_t *timer)
{
    raft_role_pump(timer->data);
}

void raft_role_pump(struct replica *replica)
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

void raft_role_watch(struct replica *replica)
{
    if (replica->proposer.no_room_since_ns != 0 && !uv_is_active((uv_handle_t *)&replica->retry))
        uv_timer_start(&replica->retry, retry_now, RETRY_MS, 0);
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
