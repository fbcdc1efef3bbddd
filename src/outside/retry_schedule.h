/* Retry schedule: when something that must reach somebody outside is tried again: when it is 5 s,
 * 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h and 24 h older than at the try before (the schedule of
 * the Standard Webhooks), in all three days. It depends on age alone, so that nothing has to be
 * remembered about tries: the next primary goes on where the last one was. Pure; thread: any.
 */
#ifndef STOA_OUTSIDE_RETRY_SCHEDULE_H
#define STOA_OUTSIDE_RETRY_SCHEDULE_H

#include <stdint.h>

/* How long what is AGE_MS old waits for its next try; 0: it is given up. */
int64_t retry_schedule_wait_ms(int64_t age_ms);

#endif
