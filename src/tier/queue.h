/* Queue: the central queue of requests between fronts and workers of one machine, in memory that
 * all of them map. Nobody owns it: it lives as long as one of them does, whoever dies.
 *
 * A request is in a slot: a few facts, and a pipe each way (pipe.h): up goes the request, down the
 * answer, both as HTTP/1.1.
 *
 *   FREE ─(queue_enter)─▶ FILLING ─(queue_push)─▶ QUEUED ─(queue_pull)─▶ TAKEN ─(queue_done)─▶ DONE
 *    ▲                                              │ ▲                  │   │                  │
 *    │                       (deadline: queue_pull) │ │    (worker died) │   │ (front: queue_   │
 *    │                                              ▼ │    (queue_sweep) │   │  release)        │
 *    │                                        DROPPED └(queue_refill) LOST   ▼                  │
 *    └────────(queue_release, by the front; ABANDONED: by the worker)── ABANDONED ◀─────────────┘
 *
 * A slot has one owner at a time: the front in FILLING, DROPPED, LOST and DONE, the worker in TAKEN
 * and ABANDONED, the queue in FREE and QUEUED. So what dies leaves nothing half done: a worker's
 * requests become LOST and are pushed once more by the front, which has them still; a front's are
 * taken out, or abandoned.
 *
 * What is to be next, and what may come in, is share.h's. The lists and counts are changed under a
 * robust mutex, by a few stores. When its holder dies, the next one makes them anew from the slots'
 * states, which are the truth. A holder that is stopped is killed after a while (queue_lock.c).
 *
 * Everybody has a seat (queue_join): its life is a lock on one byte of the file, which the kernel
 * takes away with the process; news for it is a bit for each slot, and a bell (a FIFO that it can
 * wait for) that is rung when it is parked. Nothing of that can be left locked or lost by a death:
 * bits are set again, and all bells are rung, whenever somebody has died.
 *
 * Bounded: slots, pipes, seats. All memory is had when the file is made, in /dev/shm where there is
 * one, else beside the shop's data.
 *
 * Threads: a struct queue may be used by all threads of a process; a seat by one at a time.
 */
#ifndef STOA_TIER_QUEUE_H
#define STOA_TIER_QUEUE_H

#include "base/err.h"
#include "tier/pipe.h"
#include "tier/share.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    QUEUE_SEATS = 512,
    QUEUE_SLOTS_MAX = 4096,
    QUEUE_PEER = 56,
    QUEUE_NAME = 32,
    QUEUE_NONE = 0xffff, /* no slot, no seat */
    QUEUE_ATTEMPTS = 5,  /* a request that so many workers died with is not given to another */
    QUEUE_COUNTS = 12,
    QUEUE_BOARD = 48 << 10,
};

enum queue_state {
    QUEUE_FREE,
    QUEUE_FILLING,
    QUEUE_QUEUED,
    QUEUE_TAKEN,
    QUEUE_DONE,
    QUEUE_LOST,
    QUEUE_DROPPED,
    QUEUE_ABANDONED,
};

enum queue_role { QUEUE_NOBODY, QUEUE_FRONT, QUEUE_WORKER };

struct queue_config {
    uint32_t slots;      /* most requests at once; 8 to QUEUE_SLOTS_MAX */
    uint32_t pipe_bytes; /* of each of a slot's two; a power of two, at least a page */
    uint32_t weight[SHARE_CLASSES];
};

struct queue;

/* The queue of the shop in DIR: made as CONFIG says, or that which is there as long as somebody has
 * a seat at it. CONFIG NULL: ERR_NOTFOUND when nobody has. ERR_STATE: another version's. */
int queue_open(const char *dir, const struct queue_config *config, struct queue **queue,
               struct failure *failure);
/* Its seats have been left. NULL is fine. */
void queue_close(struct queue *queue);
uint32_t queue_slots(const struct queue *queue);

/* ---- Seats ---- */

/* ERR_FULL: all are taken. */
int queue_join(struct queue *queue, enum queue_role role, unsigned *seat, struct failure *failure);
/* A process of another machine, whose seat one of this machine has for it. */
struct queue_far {
    uint32_t pid;
    uint64_t space; /* a random number in place of queue_process's: there, pids are others */
    unsigned number;
    char host[QUEUE_PEER]; /* where it is, for people */
};
/* FAR NULL: as queue_join. */
int queue_join_far(struct queue *queue, enum queue_role role, const struct queue_far *far,
                   unsigned *seat, struct failure *failure);
/* As if it had died, but at once. */
void queue_leave(struct queue *queue, unsigned seat);

/* Readable when there is news; the seat's, until it is left. */
int queue_bell(struct queue *queue, unsigned seat);
/* When it has rung, or to be sure: silences it; from now on news does not ring it. */
void queue_wake(struct queue *queue, unsigned seat);
/* The first slot from FROM on that there is news of, which is news no more; QUEUE_NONE: of none.
 * Who begins at 0 and goes on behind each looks at all alike, however much news the first have. */
unsigned queue_news(struct queue *queue, unsigned seat, unsigned from);
/* How many have died so far. When it has grown, there may be news of any slot that nobody told:
 * who has slots looks at all of them. */
uint64_t queue_deaths(const struct queue *queue);
/* From now on news rings the bell. False: there is some already, and it does not. */
bool queue_park(struct queue *queue, unsigned seat);

/* The other end of SLOT's pipes, or whoever is to look at it, gets news of it. */
void queue_tell_front(struct queue *queue, unsigned slot);
void queue_tell_worker(struct queue *queue, unsigned slot);

/* ---- Slots ---- */

enum queue_state queue_state(const struct queue *queue, unsigned slot);
struct pipe queue_up(const struct queue *queue, unsigned slot);
struct pipe queue_down(const struct queue *queue, unsigned slot);

/* What the worker is told besides the request itself. */
struct queue_facts {
    char peer[QUEUE_PEER]; /* the client's address */
    bool tls;              /* it came by HTTPS */
    enum share_class class;
    uint64_t deadline_ns; /* monotonic: not to be begun after that */
    uint64_t entered_ns;
};
/* Written by the front while it is FILLING. */
struct queue_facts *queue_facts(const struct queue *queue, unsigned slot);

/* By a front. A slot whose pipes are empty, or QUEUE_NONE: no room for that class. */
unsigned queue_enter(struct queue *queue, unsigned seat, enum share_class class);
/* What a client is told then, or when no worker came in time; with 503. */
#define QUEUE_TOO_MANY "Too many are waiting at the moment. Please try again in a second.\n"
/* To whoever is free. COUNT of them at once cost hardly more than one: as many idle workers are
 * woken as their work is worth. */
void queue_push(struct queue *queue, const unsigned *slots, unsigned count);
/* Its worker died before it had written the answer to its end. One that it had counts, though it is
 * LOST. */
bool queue_is_lost(const struct queue *queue, unsigned slot);
/* A LOST one is FILLING again, its pipes empty, and keeps its place. False: it was tried
 * QUEUE_ATTEMPTS times. */
bool queue_refill(struct queue *queue, unsigned slot);
/* Takes it out, or abandons it; the slot is not the front's any more. */
void queue_release(struct queue *queue, unsigned slot);
/* It waits, and its deadline is over: it is DROPPED then, and true. */
bool queue_expire(struct queue *queue, unsigned slot, uint64_t now_ns);

/* By a worker. The next one; those whose deadline is over are dropped. QUEUE_NONE: there is none,
 * and SEAT counts as idle, until there is: then its bell rings. */
unsigned queue_pull(struct queue *queue, unsigned seat, uint64_t now_ns);
/* This worker leaves what waits to others for now: wakes one that is idle, if there is one. */
void queue_pass_on(struct queue *queue);
/* It wants none any more. */
void queue_busy(struct queue *queue, unsigned seat);
/* The answer is in the pipe, to its end; it took WORK_NS of a processor. The front is still to be
 * told (queue_tell_front). False: nobody waits for it any more. */
bool queue_done(struct queue *queue, unsigned slot, uint64_t work_ns);
/* As if this worker had died with it: it is LOST, and the front knows. False: nobody waits for it
 * any more, and it is done with. */
bool queue_give_back(struct queue *queue, unsigned slot);
/* Of one that is DONE: what queue_done was told. */
uint64_t queue_work_ns(const struct queue *queue, unsigned slot);

/* ---- Looking after it ---- */

/* Whether this process leads: the first to ask, until it ends or follows. It is the one that looks
 * after the queue, and scales. */
bool queue_lead(struct queue *queue);
/* Whether another process leads. */
bool queue_is_led(const struct queue *queue);
void queue_follow(struct queue *queue);

/* A process by its id, and by the namespace that this is of: in another container another process
 * may have it. */
struct queue_process {
    uint32_t pid;
    uint64_t space;
};
static inline bool queue_is_same(struct queue_process one, struct queue_process other)
{
    return one.pid == other.pid && one.space == other.space;
}
struct queue_process queue_self(const struct queue *queue);
/* Who leads; pid 0: nobody does. */
struct queue_process queue_leader(const struct queue *queue);

/* The board: what who leads has to say to all, and to the next one who leads; its meaning is
 * others'. At most QUEUE_BOARD bytes; by one thread of who leads alone. */
void queue_board_write(struct queue *queue, const void *at, size_t size);
/* Any process, any thread, at once. How many bytes there are, of which AT gets at most ROOM; 0:
 * none yet, or it is being written, or who wrote it died of it. */
size_t queue_board_read(const struct queue *queue, void *at, size_t room);

/* Gives back what the dead had; how many have died since the last time. By any process, a few
 * times a second, and when it is known that one has died. */
unsigned queue_sweep(struct queue *queue);

/* What who looks at the queue's lock has seen, a look each QUEUE_LOOK_MS: HOLDER, a thread, had it
 * and was stopped at so many LOOKS one after the other. Looks are counted, and not time: of those
 * who are all stopped together and go on together none has looked meanwhile. Begun zeroed. */
enum { QUEUE_LOOK_MS = 100 };
struct queue_stuck {
    uint32_t holder;
    unsigned looks;
};
/* Who is stopped (SIGSTOP, a debugger) within the microsecond in which it changes the queue stops
 * all others. One that was stopped so at twenty looks is killed; who is only slow is not. Its
 * process, or 0: there is none. Does not wait for the lock: by a thread that never does. */
uint32_t queue_end_stopped(const struct queue *queue, struct queue_stuck *stuck);

/* ---- What workers and the master tell each other, to scale (scale/scaler.h) ---- */

/* How long the queue is now: those that wait. Any thread, without the lock. */
uint64_t queue_length(const struct queue *queue);

/* What the fleet calls the process that has SEAT, from 1 on; 0: it is not the fleet's. */
void queue_set_number(struct queue *queue, unsigned seat, unsigned number);

/* What who has SEAT has done since it began; told every TICK or so, without the lock. */
struct queue_report {
    uint64_t beat_ns;   /* when, monotonic */
    uint64_t loop_ns;   /* its thread's time on a processor */
    uint64_t helper_ns; /* its helpers' at work, added up */
    uint32_t helpers;   /* how many it has; 0: a front */
    uint32_t open;      /* requests that it has now */
    bool draining;      /* it takes nothing new */
    /* Whatever the role counts, of the whole process: a front's are front.h's, a worker's its
     * app's. */
    uint64_t counts[QUEUE_COUNTS];
};
void queue_report(struct queue *queue, unsigned seat, const struct queue_report *report);

/* How workers are to poll. All zero until a master has said it. */
struct queue_polling {
    uint64_t poll_ns;    /* how long a poll waits for a request before it comes back empty */
    uint64_t queue_long; /* more than that is too long (poll_rule.h) */
    uint64_t actions;    /* how often the tier's size was changed */
};
void queue_set_polling(struct queue *queue, const struct queue_polling *polling);
void queue_polling(const struct queue *queue, struct queue_polling *polling);

/* By a worker: it asks for more workers, or to leave. */
void queue_wish(struct queue *queue, unsigned seat, bool more);
/* It has waited for poll_ns, and nothing came. */
void queue_polled_empty(struct queue *queue, unsigned seat);
/* By the master: that wish has been looked at. True: SEAT had asked to leave since the last time.
 */
bool queue_take_wish(struct queue *queue, unsigned seat);

enum { QUEUE_WAIT_STEPS = 8, QUEUE_WAIT_BUCKETS = 24 * QUEUE_WAIT_STEPS };
/* The upper bound of bucket B of waiting times, in ns: from 1 µs on in eighths of each doubling. */
uint64_t queue_wait_bound(unsigned b);

struct queue_stats {
    uint32_t slots;
    uint32_t weight[SHARE_CLASSES], waiting[SHARE_CLASSES], held[SHARE_CLASSES];
    uint64_t oldest_wait_ns; /* of those that wait, at NOW_NS */
    uint64_t entered[SHARE_CLASSES], refused[SHARE_CLASSES], taken[SHARE_CLASSES],
        dropped[SHARE_CLASSES], done[SHARE_CLASSES], given_back, given_up, died;
    uint64_t work_ns[SHARE_CLASSES];
    uint64_t waits[QUEUE_WAIT_BUCKETS]; /* of those that were taken */
    uint64_t waited_ns;                 /* these, added up */
    uint64_t more, fewer;               /* wishes of workers */
    unsigned fronts, workers, idle;     /* seats; workers that wait for work */
};
void queue_look(struct queue *queue, uint64_t now_ns, struct queue_stats *stats);

struct queue_seat_view {
    enum queue_role role;
    unsigned seat, number;
    uint32_t pid;
    uint64_t space;        /* of PID, as in queue_process */
    bool is_near;          /* PID means that process here, too, and not in another container */
    char host[QUEUE_PEER]; /* empty: this machine */
    uint64_t handled, empty_polls;
    struct queue_report report;
};
unsigned queue_seats(struct queue *queue, struct queue_seat_view *list, unsigned max);
static inline struct queue_process queue_process_of(const struct queue_seat_view *seat)
{
    return (struct queue_process){seat->pid, seat->space};
}

#endif
