/* World: one seed's simulated time, tasks and randomness. The bottom of the simulator.
 *
 * What runs here is the program as it is: replica/, shop/, store/, libraft and SQLite. Only the
 * ground it stands on is exchanged when it is linked (tests/sim/meson.build, --wrap): threads
 * and condition variables (threads.c), clocks and secrets (clock.c), libuv's loop (loop.c),
 * raft_uv's disk (log_disk.c), SQLite's file system (database_disk.c), the links between servers
 * (links.c). libraft has a simulated cluster of its own (raft/fixture.h); it cannot lose what was
 * not yet on disk, forget a server's memory, cut a link in one direction while messages stay in
 * order, or run more than libraft, which is why this is not built on it.
 *
 * Everything happens on one real thread. A thread of the program is a fiber: it runs until it
 * waits (for a condition, a lock, its loop, time) and goes on when an event says so. The next
 * event is the earliest; of two at one time the one that was made first. So a seed is a history,
 * byte for byte, and its hash tells whether two runs were the same.
 *
 * A life is one run of one server, from its start to its crash. When it ends, its fibers are
 * never continued and its events never happen, at whatever point they were: nothing of the
 * program runs when its process is killed. Its memory stays; each seed has a process of its own.
 */
#ifndef STOA_SIM_WORLD_H
#define STOA_SIM_WORLD_H

#include "base/random.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct life {
    bool ended;
    uint64_t still_until_ns; /* until then nothing of it runs */
    unsigned server;         /* its place in the list of servers; shown in traces */
};

/* Ends LIFE: see above. If it is the running fiber's, that one goes on until fiber_abandon. */
void life_end(struct life *life);

struct fiber;

struct world {
    uint64_t now_ns;
    struct random random;
    uint64_t hash;          /* of the history so far */
    uint64_t events;        /* that have happened */
    bool trace;             /* say what happens */
    void (*describe)(void); /* notes how everybody is, when a promise is broken */
    struct event_heap {
        struct event *events;
        size_t count, cap;
        uint64_t made;
    } heap;
    struct fiber *current; /* NULL: the scheduler */
    struct fiber *fibers;  /* all that have not ended */
};

/* The one world of this process: what is linked in the place of pthread_cond_wait() is handed no
 * context of ours. */
extern struct world world;

void world_open(uint64_t seed, bool trace);
/* Lets the next event happen; false: there is none. */
bool world_step(void);

/* Calls RUN(ARGUMENT) on the scheduler in DELAY_NS, unless LIFE (may be NULL) has ended by then. */
void world_after(uint64_t delay_ns, struct life *life, void (*run)(void *argument), void *argument);

/* ---- Randomness: of the seed ---- */

uint64_t world_pick(uint64_t bound); /* [0, BOUND) */
bool world_one_in(uint64_t n);
/* Between LEAST and MOST, inclusive. */
uint64_t world_between(uint64_t least, uint64_t most);

/* ---- The history ---- */

/* One line of it: goes into the hash, and with TRACE to stdout. */
void world_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
void world_hash_bytes(const void *bytes, size_t len);
/* A promise is broken: says so with the last lines of the history, and ends the process. */
void world_fail(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* ---- Fibers ---- */

/* A fiber of LIFE that begins soon. */
struct fiber *fiber_start(struct life *life, void *(*run)(void *argument), void *argument);
/* The fiber that runs; NULL on the scheduler. */
struct fiber *fiber_current(void);
struct life *fiber_life(const struct fiber *fiber);
/* Waits until somebody wakes those who wait on OBJECT, or DEADLINE_NS (UINT64_MAX: never) has
 * come; false: it has. */
bool fiber_wait(const void *object, uint64_t deadline_ns);
/* Wakes those who wait on OBJECT: one of them, or all. */
void fiber_wake(const void *object, bool all);
bool fiber_ended(const struct fiber *fiber, void **result);
/* The running fiber stops here for good: its life has ended. */
void fiber_abandon(void) __attribute__((noreturn));

#endif
