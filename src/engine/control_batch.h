/* Batch control: how many of its queue a thread of a stage takes at once. Pure.
 *
 * Taking many together spares locks and keeps code and data in the processor's caches; taking few
 * keeps each one's wait short. So the factor is made smaller for as long as throughput holds, and
 * larger when it falls (Welsh, Culler and Brewer, SEDA, SOSP 2001, 4.2). Throughput says something
 * of the factor only while the stage has more than it can do: an interval that ended with nothing
 * waiting makes it smaller and is compared with none.
 */
#ifndef STOA_ENGINE_CONTROL_BATCH_H
#define STOA_ENGINE_CONTROL_BATCH_H

#include <stdbool.h>
#include <stdint.h>

enum { CONTROL_BATCH_MOST = 64 };

struct control_batch {
    unsigned factor;
    double held; /* throughput that is to be held, a second; 0: not known */
};

void control_batch_init(struct control_batch *control);

/* At the end of an interval of NS, in which DONE were done and after which QUEUED wait. True: the
 * factor has changed. */
bool control_batch_step(struct control_batch *control, uint64_t done, uint64_t queued, uint64_t ns);

#endif
