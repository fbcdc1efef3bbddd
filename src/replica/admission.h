/* Admission: how many commands may wait before new ones are refused. Pure.
 *
 * A shopper who would have to wait longer than some bound (1 s) is better told at once to come
 * back (503 with Retry-After) than kept: whoever waits longer presses the button again, and
 * those who come later would wait as long, for as long as the overload lasts. So the bound is
 * what is answered within that time, from the rate measured lately (Little, 1961).
 *
 * The rate is what the log and the database can do only while there is always something to do:
 * it is measured over windows in which never fewer than ADMISSION_BUSY commands waited. With
 * less load the last measurement stays; before the first a cautious guess is made.
 *
 * Thread: the applier's.
 */
#ifndef STOA_REPLICA_ADMISSION_H
#define STOA_REPLICA_ADMISSION_H

#include <stdint.h>

enum {
    ADMISSION_WAIT_MS = 1000, /* when nothing else is set */
    ADMISSION_WINDOW_MS = 200,
    ADMISSION_BUSY = 128,
    ADMISSION_LEAST = 512,  /* more than BUSY, so that a machine that recovers is seen to */
    ADMISSION_GUESS = 4096, /* a second, before anything is measured */
};

struct admission {
    uint64_t wait_ms;    /* how long a command may wait */
    uint64_t begun_ns;   /* the window's begin; 0: none */
    uint64_t answered;   /* in it */
    uint64_t per_second; /* as measured; 0: not yet */
};

/* All zero but wait_ms is the begin.
 *
 * COUNT commands were applied and answered at NOW_NS; WAITING still do. */
void admission_answered(struct admission *admission, uint64_t now_ns, uint64_t count,
                        uint64_t waiting);

/* How many may wait. */
uint64_t admission_limit(const struct admission *admission);

#endif
