/* Crowd faults: what happens to the servers while the crowd clicks: one thing after the other, each
 * once the three servers are up, caught up and left alone for a while. The primary's turn comes in
 * every other round, a secondary's in those between.
 *
 *   calm ──▶ at: it is killed | hangs | becomes slow | is asked to end
 *            back: it runs as before | its process is ready again
 *            whole: all three are up and caught up ──▶ calm
 *
 * Blocks. Thread: one of its own; the list is read by others under its lock.
 */
#ifndef STOA_BENCH_CROWD_FAULTS_H
#define STOA_BENCH_CROWD_FAULTS_H

#include "bench/healthy.h"

#include <pthread.h>
#include <stdbool.h>

enum crowd_fault_kind {
    CROWD_NO_FAULT,
    CROWD_KILL,    /* kill -9; it is started again after down_ms */
    CROWD_STOP,    /* SIGSTOP for down_ms */
    CROWD_SLOW,    /* for down_ms it gets a part of its time only, by SIGSTOP and SIGCONT */
    CROWD_RESTART, /* all, one after the other: SIGTERM, and started again */
    CROWD_FAULT_KINDS
};

struct crowd_cluster {
    void *context;
    const char *urls[HEALTHY_SERVERS]; /* the servers' own */
    const char *token;                 /* the operator's */
    int (*kill)(void *context, unsigned which, struct failure *failure);
    /* SIGTERM, and waits for its end. */
    int (*end)(void *context, unsigned which, struct failure *failure);
    /* And waits until it is ready. */
    int (*start)(void *context, unsigned which, struct failure *failure);
    int (*hang)(void *context, unsigned which, bool hangs, struct failure *failure);
    /* What its process has used so far. */
    uint64_t (*processor_ns)(void *context, unsigned which);
};

struct crowd_plan {
    enum crowd_fault_kind kind;
    unsigned rounds;
    unsigned down_ms, calm_ms;
    unsigned slow_share; /* thousandths of the time that a slow one gets */
    unsigned slow_ms;    /* the period in which it gets it */
};

struct crowd_fault {
    unsigned server; /* from 0 */
    bool primary;
    uint64_t at_ns, back_ns, whole_ns; /* 0: not yet */
};

struct crowd_faults {
    pthread_mutex_t lock;
    struct crowd_fault *at;
    unsigned count, room;
};

int crowd_faults_open(struct crowd_faults *faults, const struct crowd_plan *plan);
void crowd_faults_close(struct crowd_faults *faults);

/* Does what PLAN says. *STOP: set by anybody, ends it after the round under way. */
int crowd_faults_run(struct crowd_faults *faults, const struct crowd_plan *plan,
                     const struct crowd_cluster *cluster, const _Atomic bool *stop,
                     struct failure *failure);

/* The last one that has begun at NOW_NS or before; false: none has. */
bool crowd_faults_last(struct crowd_faults *faults, uint64_t now_ns, struct crowd_fault *fault);

/* Server WHICH gets SHARE thousandths of its time, in periods of PERIOD_MS, until MS have passed
 * or *STOP. */
int crowd_faults_slow(const struct crowd_cluster *cluster, unsigned which, unsigned share,
                      unsigned period_ms, unsigned ms, const _Atomic bool *stop,
                      struct failure *failure);

/* "kill" */
const char *crowd_fault_name(enum crowd_fault_kind kind);
/* CROWD_FAULT_KINDS: there is no such kind. */
enum crowd_fault_kind crowd_fault_find(const char *name);
/* "was killed" */
const char *crowd_fault_what(enum crowd_fault_kind kind);

#endif
