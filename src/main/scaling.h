/* Scaling: the master front's part that makes the tiers grow and shrink: it measures the central
 * queue (scale/measure.h), asks the scaler (scale/scaler.h) and has the fleet (scale/fleet.h) start
 * and end processes. A front that follows has one, too, which does nothing until it is master; then
 * it takes over what runs.
 *
 *   every interval: queue_look, queue_seats ─▶ sample ─▶ scaler_step ─▶ log ─▶ fleet_want
 *                                                              └─▶ board (scale/board.h), for all
 *
 * At an orderly stop of the master the members that it has started on this machine are ended first.
 * When it is killed they go on, as those do at any time that were started by the operator's
 * commands: the next master takes them over; without any front, workers end by themselves.
 *
 * Thread: its own. Made and freed by main.
 */
#ifndef STOA_MAIN_SCALING_H
#define STOA_MAIN_SCALING_H

#include "base/log.h"
#include "main/fleet_choice.h"
#include "scale/decision.h"
#include "scale/fleet.h"
#include "tier/steward.h"

enum { SCALING_INTERVAL_MS = 100 };

struct scaling_config {
    struct queue *queue; /* lent, as all here */
    const struct steward *steward;
    const struct log *log;
    const struct scale_rule *rule;
    struct scale_settings settings;
    uint64_t poll_ms;                   /* how long workers' polls wait */
    uint64_t grace_ms;                  /* how long those who drain may take */
    const char *record;                 /* the file that decisions are logged in; empty: none */
    bool record_samples;                /* and all samples */
    const struct fleet_settings *fleet; /* how members are started; checked */
    /* On this machine: the words of their commands, from the program's name on. */
    const char *const *worker_words, *const *front_words;
    unsigned number; /* this front's in a fleet; 0: it is not the fleet's */
};

struct scaling;
int scaling_new(const struct scaling_config *config, struct scaling **scaling,
                struct failure *failure);
/* Ends the fleet's members, if this is the master, and waits until they have gone, their grace at
 * most. NULL is fine. */
void scaling_free(struct scaling *scaling);

#endif
