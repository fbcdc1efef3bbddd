/* Rule: how many workers the load asks for. The seam, and the list of rules.
 *
 * A rule is a pure function with a small memory of its own: it sees one sample after another and
 * says how many workers it wishes for, and why. It need not care for minimum and maximum, for
 * pauses between two changes, for whether those who stay can carry what those who leave do: the
 * scaler (scaler.h) does that for all of them. When the scaler has acted, the rule is told and
 * begins to count anew.
 *
 *   sample ──▶ judge ──▶ wish ──▶ (scaler: bounds, pauses, room) ──▶ changed? ──▶ acted
 *
 * Each rule is a file named for itself that says what paper or system it follows. The same code
 * runs in the master front, in `stoa replay-scale` and in the tests. Thread: one for each memory.
 */
#ifndef STOA_SCALE_RULE_H
#define STOA_SCALE_RULE_H

#include "scale/sample.h"
#include "scale/settings.h"

#include <stddef.h>
#include <stdint.h>

enum { SCALE_WHY = 128, SCALE_MEMORY = 512 };

struct scale_view {
    const struct scale_settings *settings;
    const struct scale_sample *sample;
    unsigned size;       /* workers that are wanted: those who are ready and those who start */
    double load;         /* workers that are busy, averaged over settings->memory_ms */
    uint64_t elapsed_ns; /* since the sample before, as far as the clock can be believed */
};

struct scale_wish {
    unsigned workers; /* comes in as `size` */
    char why[SCALE_WHY];
};

struct scale_rule {
    const char *name;  /* as people write it: "target" */
    const char *about; /* one line for the help */
    size_t memory;     /* bytes, begun zeroed; at most SCALE_MEMORY */
    void (*judge)(void *memory, const struct scale_view *view, struct scale_wish *wish);
    /* May be NULL. The tier was SIZE and is to be WANTED workers from now on. */
    void (*acted)(void *memory, const struct scale_view *view, unsigned wanted);
};

extern const struct scale_rule scale_rule_poll, scale_rule_target, scale_rule_busy,
    scale_rule_slope;

/* All of them, ended by NULL; the first is the default. */
extern const struct scale_rule *const scale_rules[];
/* NULL: no such rule. */
const struct scale_rule *scale_rule_find(const char *name);

/* COUNT rounded up to a number of workers, whatever it is: never above SCALE_TIER_MAX. What is not
 * a number is 0. */
unsigned scale_whole(double count);

/* How many workers carry a load of LOAD busy ones without much of a queue, MARGIN in thousandths:
 * R + β√R, the square-root rule of staffing (Halfin and Whitt, Operations Research 29(3), 1981). */
double scale_staff(double load, uint64_t margin);

/* Says in words why; appends nothing. */
void scale_say(struct scale_wish *wish, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
