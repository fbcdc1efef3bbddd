/* Scaler: how large the tiers are to be. Pure: measurements in, wanted sizes out.
 *
 * Around any rule (rule.h) it puts what every rule needs:
 *
 * - Bounds: minimum and maximum of workers and of fronts, whatever the samples say.
 * - Counts: a worker that starts is capacity, one that drains is not. Sizes are of those who are
 *   ready or starting, and a rule's wish is compared with what was last asked for.
 * - Pauses: after a change none is added for `pause-up` and none leaves for `pause-down`; after an
 *   addition none leaves for `hold`. The rule's counters begin anew with each change.
 * - Calm: a change of direction downwards waits until `calm` after the one before; twice as long
 *   (at most CALM_MOST times) each time workers had to come back within REGRET_CALMS of it. One
 *   upwards waits for `calm` only while nobody suffers: as soon as requests wait longer than
 *   `urgent`, and than URGENT_SERVICES of them take, it is made. So on a steady load, noisy as it
 *   may be, directions change no more often than once a minute on average. A load that is gone is
 *   no noise: when less than one in GONE_PART workers is busy, they leave after `hold`, made longer
 *   in the same way.
 * - Room: nobody leaves whose work the others could not carry with a short queue: of R busy
 *   workers, averaged, R + room × √R stay.
 * - Fronts follow the workers by a ratio with a dead band (fronts.h).
 * - Reasons: each decision says in words why.
 *
 * Called by the master front for each sample, by `stoa replay-scale`, by tests. No clock, memory of
 * others, socket or thread; the struct is the caller's and may be copied.
 *
 * What a new worker count means is the fleet's (who is started, who drains); a worker whose wish to
 * leave was granted is the one to drain.
 */
#ifndef STOA_SCALE_SCALER_H
#define STOA_SCALE_SCALER_H

#include "scale/fronts.h"
#include "scale/rule.h"
#include "scale/sample.h"
#include "scale/settings.h"

#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>

enum { SCALE_REASON = 256, CALM_MOST = 8, REGRET_CALMS = 2, URGENT_SERVICES = 4, GONE_PART = 20 };

/* What kept the rule from getting its wish, or from getting all of it. */
#define SCALE_HELD_LIST(X) \
    X(NOTHING, "nothing")  \
    X(MINIMUM, "minimum")  \
    X(MAXIMUM, "maximum")  \
    X(PAUSE, "pause")      \
    X(HOLD, "hold")        \
    X(CALM, "calm")        \
    X(ROOM, "room")

enum scale_held {
#define X(name, word) SCALE_HELD_##name,
    SCALE_HELD_LIST(X)
#undef X
        SCALE_HELD_COUNT
};
const char *scale_held_word(enum scale_held held);

struct scale_decision {
    unsigned workers_before, workers; /* wanted until now; from now on */
    unsigned fronts_before, fronts;
    unsigned wish; /* the rule's, of workers */
    uint64_t load; /* busy workers, averaged, in thousandths */
    enum scale_held held;
    char reason[SCALE_REASON];
};

enum scale_direction { SCALE_NOWHERE, SCALE_UP, SCALE_DOWN };

struct scaler {
    const struct scale_rule *rule;
    struct scale_settings settings;
    bool begun;
    uint64_t now_ns;
    unsigned workers, fronts;     /* wanted */
    uint64_t actions;             /* changes so far: what poll_rule_heed (tier/) is told */
    double load_quick, load_slow; /* busy workers, averaged over a fifth of the memory, and all */
    struct scale_fronts_load fronts_load;     /* averaged */
    double service_ns;                        /* what a request takes, averaged over some hundred */
    enum scale_direction direction;           /* of the last change */
    uint64_t changed_ns, added_ns, turned_ns; /* when: last change, addition, change of direction */
    bool changed, added, turned;              /* whether ever */
    unsigned calm;                            /* how many times the set calm is waited for */
    uint64_t fronts_changed_ns;
    alignas(max_align_t) unsigned char memory[SCALE_MEMORY];
};

/* SETTINGS are copied; they must have passed scale_settings_check. */
void scaler_init(struct scaler *scaler, const struct scale_rule *rule,
                 const struct scale_settings *settings);

/* The first sample says how many there are; the tiers are at once brought within their bounds. */
void scaler_step(struct scaler *scaler, const struct scale_sample *sample,
                 struct scale_decision *decision);

/* Whether it asks for another size than before. */
bool scale_decision_acts(const struct scale_decision *decision);

#endif
