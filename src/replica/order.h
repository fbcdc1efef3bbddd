/* Order: one order for all commands. The seam between the faces and replication.
 *
 * A face submits an opaque command; it is put into the log by the primary (whoever
 * that is), made durable on a majority, applied by each server, and the result of
 * applying it comes back. With one server the majority is that server.
 */
#ifndef STOA_REPLICA_ORDER_H
#define STOA_REPLICA_ORDER_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct ordering;

/* One command on its way. Embedded in the submitter's own object; it and the command's
 * bytes are lent until DONE is called. */
struct submission {
    struct str command;
    /* Called exactly once, on the applier's thread: must not block, and not render.
     *   err 0: applied and committed at INDEX; RESULT is lent for the call.
     *   ERR_UNKNOWN_FATE, ERR_TIMEOUT: may or may not happen; submit again under the
     *   same operation id. ERR_BUSY, ERR_CLOSED: did not and will not happen. */
    void (*done)(struct submission *submission, int err, uint64_t index, struct str result);
    /* Refused only at the last bound (waiting_max), however long the others wait: for what
     * ends something begun, such as a purchase whose money is authorised. */
    bool patient;
    struct submission *next; /* order's */
    uint64_t submitted_ns;   /* order's */
};

/* Any thread. 0: DONE will be called. ERR_BUSY: so much is waiting that the answer would take
 * more than a second (answer 503 with Retry-After; see admission.h), ERR_FULL: the command is too
 * long (ORDER_COMMAND_MAX), ERR_CLOSED: stopping; DONE is not called. */
int order_submit(struct ordering *order, struct submission *submission);

enum { ORDER_COMMAND_MAX = 240 * 1024 };

/* For tests and imports: submits and waits on the calling thread; RESULT is appended.
 * Patient; waits for room instead of returning ERR_BUSY. */
struct buf;
int order_submit_wait(struct ordering *order, struct str command, struct buf *result,
                      uint64_t *index);

/* Whether this server is the primary now; *LOG_TIME_MS is the time of the last entry that
 * was applied (the next one's is that or later). */
bool order_is_primary(struct ordering *order, int64_t *log_time_ms);

struct order_status_report {
    bool primary;
    uint64_t term, last_index, applied_index;
    int64_t applied_time_ms;
    uint64_t waiting;                      /* commands submitted and not answered */
    uint64_t waiting_limit;                /* how many may be, at the present rate */
    uint64_t refused;                      /* because more were, since start */
    uint64_t entries, commands, bytes;     /* since start */
    uint64_t loop_max_ns;                  /* longest turn of the Raft loop since the last report */
    uint64_t loop_cpu_max_ns;              /* the same, counting only when it had a processor */
    uint64_t append_ns_p50, append_ns_p99; /* durable log write, recent */
};
void order_report(struct ordering *order, struct order_status_report *report);

#endif
