/* Pool size: how many workers a pool should have, found by climbing: try some more, and keep them
 * if more gets done.
 *
 * A window of measurements at the present size is compared with one at another size, tried right
 * after it. The larger of the two sizes is worth having when it brings at least a fifth of what as
 * many more workers would bring if they never stood in each other's way, and more than chance
 * would; or, with the same throughput, a quarter off the response time (in the queue and in a
 * worker's hands: waiting for a processor instead of for a worker is no gain). Otherwise the
 * smaller one is kept.
 *
 *      +--------------- pause, the longer the less changes ---------------+
 *      v                                                                  |
 *   SETTLED --all busy--> UP --worth it--> UP, twice as many --not--> SETTLED
 *      |   |                +--not--> DOWN                                ^
 *      |   +-some idle---------------> +--as good--> DOWN, half as many --+-- not as good
 *      +--half of them idle for some windows: fewer
 *      +--all blocked, the queue stands still: more, at once (from any state)
 *
 * Hellerstein, Morrison, Eilebrecht, Applying Control Theory in the Real World: Experience with
 * Building a Controller for the .NET Thread Pool (FeBID 2009); the guard against starvation is
 * .NET's as well; that a pool is sized by what it is observed to do is Welsh's (SEDA, SOSP 2001).
 *
 * Pure. Thread: one at a time.
 */
#ifndef STOA_ENGINE_POOL_SIZE_H
#define STOA_ENGINE_POOL_SIZE_H

#include <stdbool.h>
#include <stdint.h>

enum { POOL_SIZE_MOST = 256 };

/* What was observed in an interval, a tenth of a second or so. */
struct pool_sample {
    uint64_t length_ns;
    uint64_t turns;             /* ended in it */
    uint64_t waited_ns;         /* these, in the queue, all together */
    uint64_t busy_ns;           /* workers in turns, all together */
    uint64_t cpu_ns;            /* workers on a processor, all together */
    unsigned busy_now, waiting; /* at its end: workers in turns; the queue */
};

enum pool_why {
    POOL_STAYS,
    POOL_TRIES_MORE,
    POOL_TRIES_FEWER,
    POOL_NOT_WORTH, /* back to what it was before the trial */
    POOL_IDLE,
    POOL_STARVES,
};

/* Observed in a window, at one size. */
struct pool_window {
    unsigned intervals;
    uint64_t length_ns, turns, waited_ns, busy_ns;
    double sum, squares; /* of the intervals' turns/s */
};

enum pool_state { POOL_SETTLED, POOL_UP, POOL_DOWN };

struct pool_size {
    unsigned cores;
    unsigned workers; /* wanted */
    /* What follows is the controller's own. */
    enum pool_state state;
    unsigned kept;            /* the size to go back to */
    unsigned last;            /* settled at before */
    unsigned floor;           /* of what is tried */
    bool climbed, moved;      /* since SETTLED was left: up; at all */
    bool skips;               /* the next interval, which began with another size */
    unsigned pause, left;     /* windows */
    unsigned idle, different; /* windows one after the other */
    struct pool_window now, base, settled;
};

struct pool_decision {
    enum pool_why why;
    bool settled;        /* no trial: there are to be so many from now on */
    unsigned to, before; /* workers; before: when it was settled last, or the trial began */
    /* What it rests on: the last window, with so many workers, and the one that it was compared
     * with (0: none). */
    unsigned with, base_with;
    double turns_per_s, waited_ms, busy_ms, base_turns_per_s, base_waited_ms, base_busy_ms;
};

void pool_size_init(struct pool_size *size, unsigned cores);

/* An interval is over. *DECISION: what is to be from now on. */
void pool_size_observe(struct pool_size *size, const struct pool_sample *sample,
                       struct pool_decision *decision);

/* "tries more", for a line of the log. */
const char *pool_why_text(enum pool_why why);

#endif
