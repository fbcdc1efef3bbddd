/* Stage: a bounded queue, the threads that empty it, and a handler for what a thread takes at once.
 *
 * The threads are those of the stage: a handler that blocks holds up what waits for the same stage,
 * and nothing else. How many there are, and how many of the queue one takes at once, is decided by
 * controllers (control_threads.h, control_batch.h) at stage_control; each decision is logged with
 * what it was made of. A batch is never more than a thread's share of what waits. A thread sits on
 * a seat (seats.h) for as long as it lives, so that threads may come and go often.
 *
 * Thread: any, where nothing else is said.
 */
#ifndef STOA_ENGINE_STAGE_H
#define STOA_ENGINE_STAGE_H

#include "engine/seats.h"

/* How often stage_control is to be called. */
#define STAGE_CONTROL_NS (500 * MS_NS)

struct stage;

struct stage_config {
    const char *name, *thread; /* thread: the name of its threads */
    unsigned queue_max;
    unsigned least, most; /* threads */
    bool singly;          /* one at a time: each may block */
    /* COUNT of them, on a thread of the stage. */
    void (*handle)(void *context, struct seat *seat, void **items, unsigned count);
    void *context;
    struct seats *seats; /* NULL: its handler runs nothing of the app, and gets none */
    const struct log *log;
};

/* With its least threads running. */
int stage_new(const struct stage_config *config, struct stage **stage, struct failure *failure);
/* All of COUNT, or none: false, there is no room. */
bool stage_put(struct stage *stage, void *const *items, unsigned count);
/* One thread: the controllers' turn. */
void stage_control(struct stage *stage, uint64_t now_ns);
void stage_look(struct stage *stage, struct engine_stage *look);
/* When the queue is empty and nobody puts anything in any more: ends the threads. NULL is fine. */
void stage_end(struct stage *stage);
/* When the threads of all stages that put something in have ended, too. NULL is fine. */
void stage_free(struct stage *stage);

#endif
