/* Replay: a load through a rule, or through a tier of fixed size, on simulated time; what came of
 * it, in figures. And a recorded log through the rule that made it, which must decide the same
 * again.
 *
 * Called by `stoa replay-scale` and by tests. Thread: any; each run has its own memory.
 */
#ifndef STOA_SCALE_REPLAY_H
#define STOA_SCALE_REPLAY_H

#include "scale/sim_queue.h"

struct scale_replay {
    const struct scale_load *load;
    const struct scale_rule *rule; /* NULL: `fixed` workers all the time */
    unsigned fixed;
    struct scale_settings settings; /* start at workers-min */
    struct sim_queue_config sim;
    uint64_t interval_ns; /* between two samples */
    /* May be NULL. Told of each sample; DECISION is NULL without a rule. */
    void (*decided)(void *context, const struct scale_sample *sample,
                    const struct scale_decision *decision);
    void *context;
};

struct scale_replayed {
    struct sim_queue_totals totals;
    unsigned ups, downs, reversals; /* changes of workers; those in another direction than before */
    unsigned reversals_in_minute;   /* most of them in any minute */
    unsigned most, last;            /* workers wanted */
    double seconds;
    bool stepped;   /* whether the load has a step (scale_load_step) … */
    double step_s;  /* … when, … */
    bool came_back; /* … whether p99 of waiting came back under the limit afterwards, … */
    double back_s;  /* … and how long after it that was for good: the next 5 s are all under */
};

enum { REPLAY_SAMPLES_MAX = 1 << 22 };

int scale_replay(const struct scale_replay *replay, struct scale_replayed *result,
                 struct failure *failure);

/* A log of decisions through the rule and the settings that are in it. */
struct scale_checked {
    uint64_t samples, decisions; /* all; those that change something */
    uint64_t others;             /* decided otherwise this time */
    uint64_t first_line;         /* of those, the first */
};

/* TEXT, as in scale_load_read. ERR_UNSUPPORTED: it has no head, or of a rule that is not known. */
int scale_replay_check(const char *name, struct str text, struct scale_checked *checked,
                       struct failure *failure);

#endif
