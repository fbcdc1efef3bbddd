#include "replica/propose.h"

#include "base/check.h"
#include "base/clock.h"
#include "replica/batch.h"

#include <stdio.h>
#include <stdlib.h>

enum { NO_ROOM_PATIENCE_MS = 1000 }; /* preparing the first segment takes some of it */

struct proposal {
    struct raft_apply request; /* first: raft's */
    struct proposer *proposer;
    struct proposal *next;
    uint64_t origin;
    uint64_t newest_ns;          /* when the last of its commands was submitted */
    struct applier_entry *entry; /* NULL once it is the applier's, or nobody waits any more */
};

void propose_init(struct proposer *proposer, struct raft *raft, struct ordering *order,
                  struct applier *applier, uint64_t origin)
{
    proposer->raft = raft;
    proposer->order = order;
    proposer->applier = applier;
    proposer->origin = origin;
    proposer->committed_time_ms = applier_applied_time(applier);
    log_clock_note(&proposer->clock, proposer->committed_time_ms);
    proposer->history_index = UINT64_MAX;
    proposer->ready_last = &proposer->ready;
    proposer->lost_last = &proposer->lost;
    proposer->flying_last = &proposer->flying;
}

static struct submission **append(struct submission **last, struct submission *first)
{
    *last = first;
    while (*last != NULL)
        last = &(*last)->next;
    return last;
}

void propose_add(struct proposer *proposer, struct submission *first)
{
    proposer->ready_last = append(proposer->ready_last, first);
}

/* Cuts the submissions from the front of what is ready that fit into one entry. */
static void cut_batch(struct proposer *proposer, struct applier_entry *entry)
{
    struct submission *s = proposer->ready, *last = NULL;
    size_t count = 0, sum = 0;
    while (s != NULL && (last == NULL || batch_size(count + 1, sum + s->command.len) <=
                                             proposer->batch_bytes_max)) {
        count++;
        sum += s->command.len;
        last = s;
        s = s->next;
    }
    entry->first = proposer->ready;
    entry->count = (uint32_t)count;
    entry->command_bytes = sum;
    proposer->ready = s;
    if (s == NULL)
        proposer->ready_last = &proposer->ready;
    last->next = NULL;
}

static void put_back(struct proposer *proposer, struct applier_entry *entry)
{
    struct submission *last = entry->first;
    while (last->next != NULL)
        last = last->next;
    last->next = proposer->ready;
    if (proposer->ready == NULL)
        proposer->ready_last = &last->next;
    proposer->ready = entry->first;
    free(entry);
}

static void unlink_proposal(struct proposer *proposer, struct proposal *proposal)
{
    struct proposal **at = &proposer->flying;
    while (*at != NULL && *at != proposal)
        at = &(*at)->next;
    if (*at == NULL)
        return; /* matched before */
    *at = proposal->next;
    if (proposer->flying_last == &proposal->next)
        proposer->flying_last = at;
}

/* libraft is done with a proposal: it was applied (and matched), or its fate is not
 * known: another primary may still commit it. */
static void proposal_done(struct raft_apply *request, int status, void *result)
{
    struct proposal *proposal = (struct proposal *)request;
    struct proposer *proposer = proposal->proposer;
    (void)result;
    unlink_proposal(proposer, proposal);
    if (proposal->entry != NULL) {
        CHECK(status != 0);
        for (struct submission *s = proposal->entry->first; s != NULL; s = s->next)
            s->sent = true;
        proposer->lost_last = append(proposer->lost_last, proposal->entry->first);
        free(proposal->entry);
    }
    free(proposal);
    proposer->in_flight--;
}

static void encode(struct proposer *proposer, struct proposal *proposal,
                   const struct raft_buffer *buffer)
{
    const struct applier_entry *entry = proposal->entry;
    struct batch_writer writer;
    int64_t stamp = log_clock_stamp(&proposer->clock, clock_wall_ms(), clock_boot_ns());
    batch_begin(&writer, buffer->base, buffer->len, entry->count, stamp, proposer->origin);
    for (const struct submission *s = entry->first; s != NULL; s = s->next) {
        batch_put(&writer, s->command);
        if (s->submitted_ns > proposal->newest_ns)
            proposal->newest_ns = s->submitted_ns;
    }
    batch_end(&writer);
}

/* What libraft says to a proposal it did not take. True: stop for now, try again. */
static bool refused(struct proposer *proposer, struct applier_entry *entry, int status)
{
    char reason[200];
    switch (status) {
    case RAFT_NOTLEADER: /* never appended; whoever is primary gets it */
    case RAFT_CANTCHANGE:
        put_back(proposer, entry);
        return true;
    case RAFT_NOSPACE:
        if (proposer->no_room_since_ns == 0)
            proposer->no_room_since_ns = clock_mono_ns();
        put_back(proposer, entry);
        if (clock_mono_ns() - proposer->no_room_since_ns > NO_ROOM_PATIENCE_MS * MS_NS)
            propose_refuse(proposer, ERR_BUSY);
        return true;
    default:
        snprintf(reason, sizeof reason, "the log cannot take an entry: %s",
                 raft_errmsg(proposer->raft));
        proposer->fatal(proposer->context, reason);
        return false;
    }
}

/* One entry from the front of what is ready. True: stop for now, try again. */
static bool propose_one(struct proposer *proposer)
{
    struct applier_entry *entry = applier_entry_new(STR_NONE);
    struct proposal *proposal = calloc(1, sizeof *proposal);
    if (entry == NULL || proposal == NULL) {
        free(entry);
        free(proposal);
        return true;
    }
    cut_batch(proposer, entry);
    struct raft_buffer buffer = {.len = batch_size(entry->count, entry->command_bytes)};
    buffer.base = raft_malloc(buffer.len);
    if (buffer.base == NULL) {
        free(proposal);
        put_back(proposer, entry);
        return true;
    }
    proposal->proposer = proposer;
    proposal->entry = entry;
    encode(proposer, proposal, &buffer);
    proposal->origin = proposer->origin++;
    /* Of several buffers libraft 0.22.1 takes the first and drops the others, without a word. */
    int status = raft_apply(proposer->raft, &proposal->request, &buffer, 1, proposal_done);
    if (status != 0) {
        raft_free(buffer.base);
        free(proposal);
        return refused(proposer, entry, status);
    }
    proposer->no_room_since_ns = 0;
    *proposer->flying_last = proposal;
    proposer->flying_last = &proposal->next;
    proposer->in_flight++;
    atomic_fetch_add_explicit(&proposer->order->entries, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&proposer->order->commands, entry->count, memory_order_relaxed);
    atomic_fetch_add_explicit(&proposer->order->bytes, buffer.len, memory_order_relaxed);
    return false;
}

bool propose_pump(struct proposer *proposer)
{
    if (proposer->stopped || proposer->held || raft_state(proposer->raft) != RAFT_LEADER ||
        raft_transferee(proposer->raft) != 0)
        return false;
    while (proposer->ready != NULL && proposer->in_flight < PROPOSE_IN_FLIGHT)
        if (propose_one(proposer))
            return true;
    return false;
}

void propose_note_time(struct proposer *proposer, int64_t time_ms)
{
    log_clock_note(&proposer->clock, time_ms);
    if (time_ms > proposer->committed_time_ms)
        proposer->committed_time_ms = time_ms;
}

struct applier_entry *propose_match(struct proposer *proposer, uint64_t index, struct str bytes)
{
    struct batch batch;
    if (batch_open(&batch, bytes) != 0)
        return NULL; /* the applier reads it again and says what is wrong */
    propose_note_time(proposer, batch.time_ms);
    struct proposal *proposal = proposer->flying;
    /* The origin too: an entry of another primary may stand at the index of ours that
     * was lost with the leadership. */
    if (proposal == NULL || proposal->request.index != index || proposal->origin != batch.origin) {
        if (index > proposer->history_index)
            log_clock_saw(&proposer->clock, batch.time_ms, clock_boot_ns());
        return NULL;
    }
    unlink_proposal(proposer, proposal);
    struct applier_entry *entry = proposal->entry;
    proposal->entry = NULL;
    if (entry == NULL)
        return NULL; /* nobody waits for it any more */
    entry->index = index;
    entry->time_ms = proposer->committed_time_ms;
    return entry;
}

/* ---- The end without being applied ---- */

static struct submission *take_ready(struct proposer *proposer)
{
    struct submission *ready = proposer->ready;
    proposer->ready = NULL;
    proposer->ready_last = &proposer->ready;
    return ready;
}

struct submission *propose_lost(struct proposer *proposer)
{
    proposer->lost_last = append(proposer->lost_last, take_ready(proposer));
    struct submission *lost = proposer->lost;
    proposer->lost = NULL;
    proposer->lost_last = &proposer->lost;
    return lost;
}

void propose_expire(struct proposer *proposer, uint64_t begun_ns)
{
    struct submission *late = NULL, **late_last = &late;
    for (struct proposal *at = proposer->flying; at != NULL; at = at->next) {
        if (at->entry == NULL)
            continue;
        if (at->newest_ns >= begun_ns) /* together they wait as long as the newest */
            break;
        for (struct submission *s = at->entry->first; s != NULL; s = s->next)
            s->sent = true;
        late_last = append(late_last, at->entry->first);
        free(at->entry);
        at->entry = NULL;
    }
    while (proposer->ready != NULL && proposer->ready->submitted_ns < begun_ns) {
        struct submission *s = proposer->ready;
        proposer->ready = s->next;
        s->next = NULL;
        late_last = append(late_last, s);
    }
    if (proposer->ready == NULL)
        proposer->ready_last = &proposer->ready;
    ordering_end(proposer->order, late, ERR_NOPRIMARY);
}

void propose_refuse(struct proposer *proposer, int err)
{
    ordering_end(proposer->order, take_ready(proposer), err);
}
