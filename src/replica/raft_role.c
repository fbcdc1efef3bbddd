#include "base/check.h"
#include "base/clock.h"
#include "replica/peers.h"
#include "replica/raft_thread.h"
#include "replica/raft_witness.h"

enum {
    RETRY_MS = 1,
    NO_ROOM_SAID_MS = 200, /* the first segment is not there at once, that is normal */
};

/* ---- To the primary, and from it ---- */

static int send_commands(void *context, uint64_t server, uint64_t link, uint8_t kind,
                         struct str payload)
{
    struct replica *replica = context;
    if (peers_link(replica->peers, server) != link)
        return ERR_CLOSED;
    return peers_send(replica->peers, server, kind, payload);
}

static int send_answers(void *context, uint64_t server, uint64_t link, uint8_t kind,
                        struct str payload)
{
    struct replica *replica = context;
    return peers_answer(replica->peers, server, link, kind, payload);
}

static void cut_link(void *context, uint64_t server, uint64_t link)
{
    struct replica *replica = context;
    peers_cut(replica->peers, server, link, "it takes no answers");
}

int raft_role_start(struct replica *replica)
{
    int err = forward_new(&(struct forward_config){.order = &replica->order,
                                                   .context = replica,
                                                   .send = send_commands},
                          &replica->forward);
    if (err == 0)
        err = guests_new(&(struct guests_config){.order = &replica->order,
                                                 .context = replica,
                                                 .wake = raft_thread_wake,
                                                 .answer = send_answers,
                                                 .cut = cut_link},
                         &replica->guests);
    return err;
}

static bool is_primary(struct replica *replica)
{
    return raft_state(&replica->raft) == RAFT_LEADER && !witness_here(replica);
}

int raft_role_received(struct replica *replica, uint64_t server, uint64_t link, uint8_t kind,
                       struct str payload)
{
    if (kind == FRAME_ANSWERS)
        return forward_answers(replica->forward, server, link, payload);
    if (witness_has_id(&replica->raft.configuration, server))
        return ERR_INVALID; /* it has no shoppers: whoever has its machine shall have no more */
    uint64_t term = is_primary(replica) ? raft_current_term(&replica->raft) : 0;
    struct submission *submitted = NULL;
    int err = guests_commands(replica->guests, server, link, payload, term, &submitted);
    propose_add(&replica->proposer, submitted);
    return err;
}

/* ---- Who is primary ---- */

/* What the proposer could not bring through: our own shoppers wait for the new primary, other
 * servers ask it themselves. */
static void leave_primary(struct replica *replica)
{
    struct submission *lost = propose_lost(&replica->proposer);
    struct submission *own = NULL, **own_last = &own, *guests = NULL, **guests_last = &guests;
    while (lost != NULL) {
        struct submission ***last = guest_owns(lost) ? &guests_last : &own_last;
        **last = lost;
        *last = &lost->next;
        lost = lost->next;
    }
    *own_last = *guests_last = NULL;
    forward_give_back(replica->forward, own);
    ordering_end(&replica->order, guests, ERR_NOPRIMARY);
}

static void note_primary(struct ordering *order, uint64_t primary)
{
    uint64_t before = atomic_exchange(&order->primary_id, primary);
    /* Between two primaries there is nobody for a while, and it may be the same again. */
    if (primary != 0 && primary != before)
        atomic_fetch_add(&order->primaries, 1);
}

static void look_for_primary(struct replica *replica)
{
    uint64_t primary = witness_no_primary(&replica->raft);
    bool own = is_primary(replica);
    leading_turn(&replica->order.leading, clock_boot_ns(),
                 own ? raft_current_term(&replica->raft) : 0, replica->config.id,
                 &replica->raft.configuration);
    note_primary(&replica->order, primary);
    if (!own)
        leave_primary(replica);
    uint64_t link = replica->peers == NULL ? 0 : peers_link(replica->peers, primary);
    forward_primary(replica->forward, raft_current_term(&replica->raft), primary, link, own);
}

/* ---- Commands on their way ---- */

static void retry_now(uv_timer_t *timer)
{
    (void)timer; /* a turn comes, that is all */
}

static void say_room(struct replica *replica)
{
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

static void pump(struct replica *replica)
{
    look_for_primary(replica);
    forward_pump(replica->forward, clock_mono_ns());
    if (is_primary(replica)) {
        propose_add(&replica->proposer, forward_take(replica->forward));
        if (propose_pump(&replica->proposer))
            uv_timer_start(&replica->retry, retry_now, RETRY_MS, 0);
        say_room(replica);
    }
    guests_answers(replica->guests);
}

static void expire(struct replica *replica)
{
    uint64_t now = clock_mono_ns(), patience = FORWARD_DEADLINE_MS * MS_NS;
    awaits_expire(&replica->order.awaits, now);
    forward_expire(replica->forward, now);
    propose_expire(&replica->proposer, now > patience ? now - patience : 0);
}

/* Once, when the log that was there at the start is on its way to the applier. */
static void mark_caught_up(struct replica *replica)
{
    if (replica->mark_pushed)
        return;
    /* One of several starts without a majority too; it says itself when it has caught up. */
    if (replica->links == NULL && (!is_primary(replica) || raft_last_applied(&replica->raft) <
                                                               raft_last_index(&replica->raft)))
        return;
    struct applier_entry *mark = applier_entry_new(STR_NONE);
    if (mark == NULL)
        raft_thread_fatal(replica, "out of memory");
    mark->mark = true;
    replica->mark_pushed = true;
    applier_push(replica->applier, &mark, false);
    replica->turn_ns = 0; /* the start is not counted as a long turn */
}

void raft_role_watch(struct replica *replica)
{
    pump(replica);
    atomic_store(&replica->order.term, raft_current_term(&replica->raft));
    atomic_store(&replica->order.last_index, raft_last_index(&replica->raft));
    expire(replica);
    mark_caught_up(replica);
}

void raft_role_close(struct replica *replica)
{
    ordering_end(&replica->order, propose_lost(&replica->proposer), ERR_CLOSED);
    if (replica->forward != NULL)
        forward_refuse(replica->forward, ERR_CLOSED);
}
