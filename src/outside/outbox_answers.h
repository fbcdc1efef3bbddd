/* Outbox answers: what receivers said, gathered into OUTBOX_DONE commands of up to
 * OUTBOX_ANSWERS_MAX rows, one command on its way at a time: while it is, the next gathers.
 *
 * Thread: the outbox's, but for what order_submit calls.
 */
#ifndef STOA_OUTSIDE_OUTBOX_ANSWERS_H
#define STOA_OUTSIDE_OUTBOX_ANSWERS_H

#include "base/buf.h"
#include "outside/outbox_lane.h"
#include "shop/command.h"

struct outbox_answers {
    struct ordering *order;
    const struct log *log;
    struct crash_plan *crash;
    /* Any thread, once for each command that was submitted: answers_take is to be called. */
    void (*told)(void *context);
    void *context;

    struct list rows; /* ANSWERED, oldest first */
    unsigned count, in_command, most;
    bool submitted; /* and not answered, or answers_take was not called yet */
    uint64_t due_ns;
    unsigned tries;
    struct submission submission;
    struct buf command;
    /* Written by whoever answers the submission: */
    int err;      /* of the log */
    bool refused; /* by the shop; `text` says why */
    char text[LANE_TEXT];
};

void answers_open(struct outbox_answers *answers);
/* Nothing is submitted. */
void answers_close(struct outbox_answers *answers);

/* ROW is its own from now on. */
void answers_add(struct outbox_answers *answers, struct lane_row *row);
/* Submits what there is, unless something is on its way or it waits after a failure. */
void answers_submit(struct outbox_answers *answers, uint64_t now_ns, uint64_t *due_ns);
/* The command that was submitted has its answer. */
void answers_take(struct outbox_answers *answers, uint64_t now_ns);
/* The term is over: whoever leads now asks again. */
void answers_forget(struct outbox_answers *answers);

#endif
