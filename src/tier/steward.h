/* Steward: what looks after the central queue in a front's process: every front has one, and one of
 * them leads (queue_lead): the master front. When that dies the next one leads within a period;
 * nothing is lost meanwhile, for the queue stands in memory that all have, and requests go on
 * through it.
 *
 *   FOLLOWING ──(queue_lead)──▶ LEADING: gives back what the dead had, STEWARD_MS at the latest
 * after their death; looks at the queue and tells who scales
 *
 * Who hangs (silence.h) is killed: the leader watches all others of this machine, those watch the
 * leader, so that one who hangs does not lead for ever.
 *
 * A second thread looks whether somebody was stopped with the queue's lock (queue_end_stopped), for
 * which the first would wait like all others; in each front, as the one that leads may be stopped.
 *
 * Threads: its own; begun and ended by main.
 */
#ifndef STOA_TIER_STEWARD_H
#define STOA_TIER_STEWARD_H

#include "base/err.h"
#include "base/log.h"
#include "tier/queue.h"

enum { STEWARD_MS = 20 };

struct steward_config {
    struct queue *queue; /* lent, as all here */
    const struct log *log;
    uint64_t silent_ns; /* who does nothing for so long is killed; 0: never */
};

struct steward;
int steward_new(const struct steward_config *config, struct steward **steward,
                struct failure *failure);
bool steward_leads(const struct steward *steward);
/* Looks soon: it is known that something has died. Any thread. */
void steward_rouse(struct steward *steward);
void steward_free(struct steward *steward); /* NULL is fine */

#endif
