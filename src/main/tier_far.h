/* Far tier: what a worker or front has whose master is on another machine: a queue of its own, and
 * the bridge to the master's (tier/bridge.h).
 *
 * The queue's directory is one of a few under the folder for temporary files, which the next
 * process of this user has again: what one that was killed leaves does not pile up.
 *
 * Thread: main.
 */
#ifndef STOA_MAIN_TIER_FAR_H
#define STOA_MAIN_TIER_FAR_H

#include "tier/bridge.h"

struct tier_far_config {
    const char *addresses;  /* "HOST:PORT" of fronts with --link, with commas; lent, as all here */
    const char *token_file; /* with what `stoa token --tiers` printed */
    struct queue_config queue;
    unsigned number;                 /* the fleet's; 0: none */
    bool works;                      /* a worker's */
    struct bridge_appetite appetite; /* a worker's */
    void (*deserted)(void);          /* as in tier/bridge.h */
    void (*hangs)(void);             /* as in tier/bridge.h */
    const struct log *log;
};

/* Of a command line: whether PLACE, which OPTION gave, can be a queue: with a TOKEN_FILE (else
 * empty) that of another machine, without one a directory, which may be made later. */
int tier_far_check(const char *option, const char *place, const char *token_file,
                   struct failure *failure);

struct tier_far;
int tier_far_open(const struct tier_far_config *config, struct tier_far **far,
                  struct failure *failure);
struct queue *tier_far_queue(const struct tier_far *far);
/* Where the queue is. */
const char *tier_far_dir(const struct tier_far *far);
/* Connects, and waits until it is let in, however long that takes. ERR_DENIED: its token is not
 * known there. */
int tier_far_link(struct tier_far *far, struct failure *failure);
/* A worker's: lets no more come, and waits until what has come is answered, for GRACE_MS. */
void tier_far_drain(struct tier_far *far, uint64_t grace_ms);
/* After the worker or front. NULL is fine. */
void tier_far_close(struct tier_far *far);

#endif
