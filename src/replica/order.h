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
    /* Idempotent: applied twice it has one effect and gives the first result again, for it may
     * be sent again when the primary changes. Empty: changes nothing; its index is a barrier:
     * whoever has applied it has all that was acknowledged before it was submitted. */
    struct str command;
    /* Called exactly once, on one of replica's threads: must not block, and not render.
     *   err 0: applied and committed at INDEX by the primary (this server's copy may be a moment
     *   behind: order_await); RESULT is lent for the call.
     *   ERR_TIMEOUT: may or may not happen; submit again under the same operation id.
     *   ERR_NOPRIMARY: no majority could be reached within the deadline; it did not happen.
     *   ERR_BUSY, ERR_CLOSED: did not and will not happen. */
    void (*done)(struct submission *submission, int err, uint64_t index, struct str result);
    /* Refused only at the last bound (waiting_max), however long the others wait: for what
     * ends something begun, such as a purchase whose money is authorised. */
    bool patient;
    uint32_t deadline_ms;    /* how long to try; 0: FORWARD_DEADLINE_MS. Barriers of reads: 1 s */
    struct submission *next; /* order's */
    uint64_t submitted_ns;   /* order's */
    bool sent;               /* order's: may have reached a log */
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

/* Whether this server is the primary now; *LOG_TIME_MS (may be NULL) is the time of the last entry
 * that was applied (the next one's is that or later). */
bool order_is_primary(struct ordering *order, int64_t *log_time_ms);
/* The term in which this server is the primary now, else 0, as one fact: what goes with everything
 * that it does to the world outside (replica/fence.h). 0 also after the process stood still, until
 * a majority was heard again (replica/leading.h); order_is_primary says no then, too. */
uint64_t order_leading_term(struct ordering *order);

/* Whether this server is a backup that serves no shoppers (warm or cold: replica/readiness.h), and
 * not primary: nobody should be shown its copy, which it may bring up to date only now and then. */
bool order_is_aside(struct ordering *order);

/* Whether this server shows its shoppers what the cluster sells now: it reaches a primary, or is
 * it, has once caught up, and is not aside. */
bool order_is_in_touch(struct ordering *order);

/* Waits until this server's own copy has applied INDEX. Embedded in the waiter's object, which is
 * lent until DONE is called. */
struct awaiting {
    uint64_t index, deadline_ns; /* monotonic */
    /* Called once, on one of replica's threads (or on the caller's, within order_await, when this
     * server is stopping): 0, ERR_TIMEOUT, ERR_CLOSED. Must not block. */
    void (*done)(struct awaiting *awaiting, int err);
    struct awaiting *next, *child; /* order's */
};
/* Any thread. True: it has already, DONE is not called. */
bool order_await(struct ordering *order, struct awaiting *awaiting);
/* The same on the calling thread, which must not be one of replica's: 0, ERR_TIMEOUT, ERR_CLOSED.
 */
int order_await_wait(struct ordering *order, uint64_t index, unsigned timeout_ms);
/* What this server's copy has applied. */
uint64_t order_applied(struct ordering *order);

struct order_status_report {
    bool primary;
    uint64_t primary_id; /* who is, as far as known; 0: nobody */
    bool ready;          /* a primary is reachable (or is us) and the copy has caught up with it */
    uint64_t lag_entries, lag_ms; /* behind the primary, as last told */
    uint64_t term, last_index, applied_index;
    int64_t applied_time_ms;
    uint64_t waiting;                  /* commands submitted and not answered */
    uint64_t waiting_limit;            /* how many may be, at the present rate */
    uint64_t refused;                  /* because more were, since start */
    uint64_t entries, commands, bytes; /* since start */
    uint64_t loop_max_ns;              /* longest turn of the Raft loop in the last minute or two */
    uint64_t loop_cpu_max_ns;          /* the same, counting only when it had a processor */
    uint64_t append_ns_p50, append_ns_p99; /* durable log write, recent */
    /* How old what was applied lately was when this copy had it: from the time that the primary
     * gave it, so that the difference of the two clocks is in it. */
    uint64_t staleness_ns_p50, staleness_ns_p99;
    /* Since start: how often a server became primary; commands sent to the primary, and sent
     * again; bytes of Raft's messages sent to the others. */
    uint64_t primaries, forwarded, resent, sent_bytes;
};
void order_report(struct ordering *order, struct order_status_report *report);

#endif
