/* Pace: how long the applier lets gather what nobody waits for. Pure.
 *
 * A hot server gathers for some milliseconds after a transaction began, so that a page which many
 * entries change is written once; not after its end: a copy that is slow would fall behind further.
 * A warm one (readiness.h) lets gather for seconds, then applies all that is queued at that moment,
 * and lets gather again. Whatever is urgent ends either:
 *
 *   GATHERING ──(time is up, much is queued, or somebody waits: pace_until)──▶ APPLYING up to the
 *       ▲                                                                      newest queued entry
 *       └──────────────────────(that is applied: pace_until)───────────────────────────┘
 */
#ifndef STOA_REPLICA_PACE_H
#define STOA_REPLICA_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum {
    PACE_GATHER_MS = 10,
    PACE_GATHER_BYTES = 256 * 1024,
    /* Of a warm server. Below what makes it take no more entries (raft_start.c), and mostly not
     * reached: the log is cut off before, which needs a database that has it. */
    PACE_WARM_BYTES = 32 * 1024 * 1024,
};

struct pace {
    uint32_t every_ms;  /* of a warm server; 0: hot */
    uint64_t began_ns;  /* the last transaction */
    uint64_t rested_ns; /* warm: since when it lets gather */
    uint64_t apply_to;  /* warm: it applies up to this entry now; 0: it lets gather */
};

struct pace_queue {
    bool any, urgent;
    uint64_t bytes;           /* of copied entries */
    uint64_t newest, applied; /* entries: the last one queued; the last one applied */
};

/* EVERY_MS from now on; 0: hot. */
void pace_set(struct pace *pace, uint32_t every_ms, uint64_t now_ns);

/* Until when what is queued is left for more to come; 0: no longer. */
uint64_t pace_until(struct pace *pace, const struct pace_queue *queue, uint64_t now_ns);

/* From how many bytes on that is 0. */
uint64_t pace_bytes(const struct pace *pace);

#endif
