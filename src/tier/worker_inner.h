/* Inside of the worker: what worker.c and worker_call.c share. */
#ifndef STOA_TIER_WORKER_INNER_H
#define STOA_TIER_WORKER_INNER_H

#include "base/list.h"
#include "engine/dispatcher.h"
#include "engine/offload.h"
#include "tier/bell.h"
#include "tier/poller.h"
#include "tier/worker.h"

enum { UNTOLD_MAX = 16 }; /* answers that fronts are told of together */

struct worker {
    struct engine base; /* without doors */
    struct queue *queue;
    unsigned seat, in_flight;
    struct loop *loop;
    struct dispatcher dispatcher;
    struct offload *offload;
    pthread_t thread;
    struct bell bell;
    struct timer tick;
    struct poller poller;
    struct post resumed_post, stop_post;
    struct soon own_soon, touched_soon, pull_soon, tell_soon;
    struct list calls, touched;
    unsigned open, stalled; /* stalled: those of them that wait for their clients alone */
    unsigned untold[UNTOLD_MAX], untold_count; /* slots that are done */
    uint64_t untold_ns;                        /* since when the first of them is */
    uint64_t usual_ns;                         /* mean work of an answer, lately */
    void (*count)(void *context, uint64_t counts[static QUEUE_COUNTS]);
    void *context; /* of count */
    void (*deserted)(void);
    uint64_t led_ns;  /* when a front led last */
    uint64_t stop_ns; /* when what is left is given back; 0: it does not stop */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    enum { STARTING, RUNNING, FAILED } state; /* under the lock */
    uint64_t helper_ns;                       /* that helpers have worked, of what they gave back */
    _Atomic uint64_t handled, given_back, abandoned, busy_ns;
    _Atomic unsigned open_seen;
    struct worker_call *of[]; /* by slot */
};

struct worker_call {
    struct list node, touched;
    struct worker *worker;
    struct http_conn *http;
    unsigned slot;
    bool stalled;                   /* its answer has no room in the pipe */
    uint64_t work_ns, offloaded_ns; /* offloaded_ns: since when a helper has it; 0: none does */
};

/* worker_call.c: one request, from its slot's pipe and back into it. On the worker's thread. */

/* What there is to read and to write, as far as both ends can; CALL may be over, and freed. */
void worker_call_turn(struct worker_call *call);
/* What was written is all of the answer; cut off, it ends where it is, and the front sees that. */
void worker_call_end(struct worker_call *call);
/* Frees it; its slot stays. */
void worker_call_forget(struct worker_call *call);

/* SLOT is done after WORK_NS: its front is told, soon or with others. */
void worker_tell_soon(struct worker *worker, unsigned slot, uint64_t work_ns);
void worker_tell_fronts(struct worker *worker);
void worker_tell_now(struct soon *soon);

void worker_count(_Atomic uint64_t *counter, uint64_t add);

#endif
