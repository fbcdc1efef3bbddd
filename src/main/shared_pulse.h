/* Shared pulse: whether the process that writes hangs so long that it is to be killed. Pure.
 *
 * Only silence counts: a writer that refuses connections opens or stops, and lets the lock go by
 * itself. After a while in which nobody looked (this process was stopped as well, or the whole
 * machine was) the count begins anew, as the other had no chance to answer either.
 */
#ifndef STOA_MAIN_SHARED_PULSE_H
#define STOA_MAIN_SHARED_PULSE_H

#include <stdbool.h>
#include <stdint.h>

enum shared_sign {
    SHARED_SIGN_NONE, /* nobody to ask, or refused */
    SHARED_SIGN_ANSWER,
    SHARED_SIGN_SILENCE, /* connected, and no answer in time */
};

enum { SHARED_PULSE_MISSES = 3, SHARED_PULSE_GAP_MS = 4000 };

/* All zero at first. */
struct shared_pulse {
    uint64_t pid;
    uint64_t silent_ns, looked_ns; /* since when it is silent; the last look's end */
    unsigned misses;
};

/* A look at process PID that lasted from BEGUN_NS to NOW_NS brought SIGN. True: it has been silent
 * for KILL_MS (0: never) and SHARED_PULSE_MISSES looks at least; it counts anew then. */
bool shared_pulse_look(struct shared_pulse *pulse, uint64_t pid, enum shared_sign sign,
                       uint64_t begun_ns, uint64_t now_ns, uint64_t kill_ms);

#endif
