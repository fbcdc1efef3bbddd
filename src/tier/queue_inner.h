/* Inside of the queue: what stands in the memory that all processes share, and who may touch it.
 * Included by queue*.c alone.
 */
#ifndef STOA_TIER_QUEUE_INNER_H
#define STOA_TIER_QUEUE_INNER_H

#include "tier/queue.h"

#include <pthread.h>
#include <stdatomic.h>

enum {
    QUEUE_VERSION = 3,
    QUEUE_PAGE = 4096,
    QUEUE_NEWS_WORDS = QUEUE_SLOTS_MAX / 64,
    QUEUE_SEAT_WORDS = QUEUE_SEATS / 64,
    QUEUE_PATH = 300,
};
#define QUEUE_MAGIC 0x5354554551414f54ull

/* A process's place, or one of its threads'. */
struct queue_seat {
    _Atomic uint32_t role; /* enum queue_role; set last when it is taken, cleared first */
    _Atomic uint32_t pid;
    _Atomic uint32_t parked;
    _Atomic uint64_t news[QUEUE_NEWS_WORDS];
    _Atomic uint64_t handled, empty_polls;
    /* Of struct queue_report. */
    _Atomic uint64_t beat_ns, loop_ns, helper_ns;
    _Atomic uint32_t helpers, open, draining;
    _Atomic uint64_t counts[QUEUE_COUNTS];
    _Atomic uint32_t number, wants_to_leave;
    _Atomic uint64_t space; /* its namespace of process ids */
    char host[QUEUE_PEER];  /* of queue_far; under the lock */
};

struct queue_slot {
    _Atomic uint32_t state; /* enum queue_state */
    _Atomic uint16_t front, worker;
    uint32_t next, before; /* in the list of its state; under the lock */
    uint32_t attempts;
    uint64_t turn; /* in what order it came */
    uint64_t taken_ns, work_ns;
    struct queue_facts facts;
    struct pipe_marks up, down;
};

struct queue_list {
    uint32_t first, last; /* QUEUE_NONE: empty */
};

struct queue_area {
    uint64_t magic, size;
    uint32_t version, slots, pipe_bytes, slots_at, bytes_at; /* offsets */
    _Atomic uint64_t deaths;
    _Atomic uint64_t length; /* of the queue; changed under the lock */
    _Atomic uint64_t more, fewer;
    _Atomic uint64_t poll_ns, queue_long, actions;
    _Atomic uint32_t leader; /* its process; holds only while somebody leads */
    _Atomic uint64_t leader_space;
    /* queue_board.c: odd while it is written. */
    _Atomic uint64_t board_turn, board_size, board[QUEUE_BOARD / 8];
    pthread_mutex_t lock;
    /* Under the lock: */
    struct share share;
    struct queue_list free, waiting[SHARE_CLASSES];
    uint64_t turns;
    uint64_t idle[QUEUE_SEAT_WORDS]; /* workers that wait for work */
    struct queue_stats counts;       /* its sums */
    struct queue_seat seats[QUEUE_SEATS];
};

struct queue {
    struct queue_area *area;
    struct queue_slot *slots;
    char *bytes;
    size_t size;
    int fd;                         /* of the file, for the locks */
    uint64_t space;                 /* as of a seat */
    _Atomic bool own[QUEUE_SEATS];  /* seats that were joined by this one; set under the lock */
    _Atomic int bells[QUEUE_SEATS]; /* opened when first needed; -1 */
    char path[QUEUE_PATH];          /* of the directory that all of it is in */
};

/* queue_lock.c. */
void queue_lock_init(struct queue *queue);
void queue_lock(struct queue *queue);
void queue_unlock(struct queue *queue);

/* For queue_end_stopped, pure: HOLDER has the lock, and is STOPPED. True: it is stuck. */
bool queue_is_stuck(struct queue_stuck *stuck, uint32_t holder, bool stopped);

/* queue_area.c. */
/* Whether who has SEAT lives; for certain only under the lock, as seats are taken and left there.
 */
bool queue_seat_lives(const struct queue *queue, unsigned seat);
/* Under the lock: locks the byte of SEAT. False: somebody has it. */
bool queue_seat_hold(struct queue *queue, unsigned seat);
void queue_seat_drop(struct queue *queue, unsigned seat);

/* queue_bell.c. Rings whether it is parked or not. */
void queue_ring(struct queue *queue, unsigned seat);
void queue_tell(struct queue *queue, unsigned seat, unsigned slot);
void queue_close_bells(struct queue *queue);
void queue_remove_bells(const struct queue *queue);

/* queue.c, under the lock: the lists, from the slots' states. */
void queue_rebuild(struct queue *queue);
/* A state says whose a slot is. So that who dies between any two stores leaves one that is
 * somebody's, an owner is set before the state that needs it, and cleared after. */
bool queue_change_state(struct queue *queue, unsigned slot, enum queue_state from,
                        enum queue_state to);
/* The front has nothing to do with SLOT any more. True: it is ABANDONED, and its worker is to be
 * told; else it is FREE. */
bool queue_part(struct queue *queue, unsigned slot);
/* SLOT is FREE from now on. */
void queue_free_slot(struct queue *queue, unsigned slot);
/* Taken out of the list of those that wait. */
void queue_take_out(struct queue *queue, unsigned slot);

static inline struct queue_slot *queue_slot(const struct queue *queue, unsigned slot)
{
    return &queue->slots[slot];
}

#endif
