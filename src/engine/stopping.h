/* Stopping: the stages of an engine's graceful stop, by the clock.
 *
 *   POLITE     connections that were heard of lately may send one more request, and are told by
 *              its answer that the connection closes; the others are drained at once
 *   DRAINING   all are: what has arrived is answered, then they are closed
 *   CUT_OFF    the grace is over: they are reset; helpers' queues are abandoned
 *   LEFT       the app was asked to let go of what it holds, and has had its time
 *
 * Pure: `now` is an argument.
 */
#ifndef STOA_ENGINE_STOPPING_H
#define STOA_ENGINE_STOPPING_H

#include <stdbool.h>
#include <stdint.h>

enum stopping_stage { STOPPING_POLITE, STOPPING_DRAINING, STOPPING_CUT_OFF, STOPPING_LEFT };

struct stopping {
    uint64_t asked_ns, grace_ns;
};

/* *UNTIL_NS: when the stage ends; UINT64_MAX: never. */
enum stopping_stage stopping_stage(const struct stopping *stopping, uint64_t now_ns,
                                   uint64_t *until_ns);

/* Whether a connection from which bytes came last at HEARD_NS is drained in STAGE. */
bool stopping_drains(const struct stopping *stopping, enum stopping_stage stage, uint64_t heard_ns);

#endif
