/* Ordering: what is behind order.h: the way in for commands, and the published numbers.
 *
 * Submitters (any thread) push onto a lock-free stack (Treiber, 1986) and wake the Raft
 * loop when it was empty; the Raft thread takes the whole stack and turns it round. What
 * waits is bounded by count and bytes from the submission to its answer, so that nothing
 * behind it needs a bound of its own; and by the time it would wait (admission.h). That holds on
 * each server for its own shoppers, and on the primary for all servers' together.
 *
 *   open      order_submit accepts
 *   closing   ordering_close: refuses what is new; what is on its way is answered
 */
#ifndef STOA_REPLICA_ORDERING_H
#define STOA_REPLICA_ORDERING_H

#include "replica/admission.h"
#include "replica/await.h"
#include "replica/latency.h"
#include "replica/leading.h"
#include "replica/order.h"

#include <pthread.h>
#include <stdatomic.h>

struct ordering {
    _Atomic(struct submission *) newest;
    atomic_bool open;
    atomic_uint_fast32_t inside; /* threads between the door and the wake-up */
    atomic_uint_fast64_t waiting, waiting_bytes, refused;
    atomic_uint_fast64_t waiting_limit; /* for the impatient */
    uint64_t waiting_max, waiting_bytes_max;
    void (*wake)(void *context); /* any thread */
    void *wake_context;

    pthread_mutex_t mutex; /* held for a moment; guards what follows, up to the blank line */
    struct admission
        admission;       /* fed by the applier, and by the Raft thread with what others say */
    pthread_cond_t room; /* waiting has shrunk, and somebody wants to know */
    void (*hurry)(void *context);
    void *hurry_context;
    atomic_uint_fast32_t watchers;

    /* Published by the Raft thread (first part) and by the applier. */
    struct leading leading;
    atomic_uint_fast64_t primary_id; /* 0: nobody is known */
    atomic_bool ready;
    atomic_bool aside; /* order_is_aside */
    atomic_uint_fast64_t lag_entries, lag_ms;
    atomic_uint_fast64_t term, last_index, entries, commands, bytes;
    atomic_uint_fast64_t loop_max_ns, loop_cpu_max_ns;
    struct latency append;
    atomic_uint_fast64_t primaries;         /* how often a server became primary */
    atomic_uint_fast64_t forwarded, resent; /* commands, to the primary; again */
    atomic_uint_fast64_t sent_bytes;        /* of Raft's messages, to the others */
    struct latency staleness;               /* the applier's: from log time to being seen here */
    atomic_int_fast64_t applied_time_ms;
    struct awaits awaits; /* who waits for the copy, and what it has applied */
};

void ordering_init(struct ordering *order, uint64_t waiting_max, uint64_t waiting_bytes_max,
                   uint64_t wait_ms, void (*wake)(void *context), void *wake_context);
void ordering_destroy(struct ordering *order);

/* From now on commands are taken. */
void ordering_open(struct ordering *order);
/* Refuses what is new, and returns when nobody is inside order_submit any more. */
void ordering_close(struct ordering *order);
/* Waits until nothing waits; false when TIMEOUT_MS passed before. */
bool ordering_wait_empty(struct ordering *order, unsigned timeout_ms);

/* Raft thread: all that has arrived, oldest first. */
struct submission *ordering_take(struct ordering *order);

/* Raft thread: takes a command of another server under the same bounds as order_submit, but does
 * not queue it: it is the caller's, and ends with ordering_answered. ERR_BUSY, ERR_CLOSED. */
int ordering_admit(struct ordering *order, struct submission *submission);

/* Applier or Raft thread: COUNT submissions of BYTES together have been answered, APPLIED of them
 * after they were applied. */
void ordering_answered(struct ordering *order, uint64_t count, uint64_t applied, uint64_t bytes);
/* Answers the chain from FIRST on with ERR, which is told to none whose fate is unknown: those get
 * ERR_TIMEOUT. */
void ordering_end(struct ordering *order, struct submission *first, int err);

/* HURRY (NULL: nobody) is called, on any thread, when somebody waits for the copy. */
void ordering_set_hurry(struct ordering *order, void (*hurry)(void *context), void *context);

/* Applier, and before it starts: the copy has applied all up to INDEX. */
void ordering_applied(struct ordering *order, uint64_t index, int64_t time_ms);

#endif
