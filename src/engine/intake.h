/* Intake: lets requests in at the rate that control_admission.h finds, and measures how long those
 * that were let in take. One for an engine, shared by all its threads.
 *
 * Asking costs one comparison while there is no limit, and one compare-and-swap while there is one:
 * what is refused must be cheap, as it comes in masses. The rate is kept as the moment at which the
 * next request is due (the generic cell rate algorithm); who asks earlier is refused, but for a
 * quarter of the target in which what was not used before may be.
 *
 * Thread: any.
 */
#ifndef STOA_ENGINE_INTAKE_H
#define STOA_ENGINE_INTAKE_H

#include "engine/control_admission.h"
#include "engine/engine.h"

#include <stdatomic.h>

enum { INTAKE_SAMPLES = 1024 }; /* the latest of an interval */

struct intake {
    uint64_t target_ns; /* 0: all are let in, and nothing is measured */
    const struct log *log;
    _Atomic uint64_t period_ns;             /* between two requests; 0: no limit */
    _Atomic uint64_t next_ns;               /* when the next one is due */
    _Atomic uint64_t acted_ns;              /* when the limit was last changed */
    _Atomic uint64_t late, on_time, p90_ns; /* since the start; of the last interval */
    /* Of this interval: */
    _Atomic uint64_t begun_ns;
    _Atomic uint32_t answered, measured, refused;
    _Atomic uint32_t samples_us[INTAKE_SAMPLES];
    atomic_flag ending; /* whoever ends an interval has: */
    struct control_admission control;
};

void intake_init(struct intake *intake, uint64_t target_ns, const struct log *log, uint64_t now_ns);

/* A request has come. True: it is to be refused. */
bool intake_refuses(struct intake *intake, uint64_t now_ns);
/* One that was let in and came at CAME_NS is answered. */
void intake_answered(struct intake *intake, uint64_t came_ns, uint64_t now_ns);

void intake_look(const struct intake *intake, struct engine_admission *admission);

#endif
