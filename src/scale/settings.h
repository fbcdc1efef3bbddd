/* Settings of the scaler and of its rules: one table with name, range, default and help.
 *
 * SCALE_SETTINGS makes the struct, its defaults, the names in a log of decisions, and in
 * main/scale_rows.h the flags of the commands that scale (--scale-workers-max 16 and so on).
 * Values are kept as main/option.h keeps them: counts, milliseconds, thousandths. In the table a
 * share stands in percent, a time in milliseconds.
 */
#ifndef STOA_SCALE_SETTINGS_H
#define STOA_SCALE_SETTINGS_H

#include "base/err.h"
#include "base/str.h"

#include <stdint.h>

/* How many processes a tier has at most: what fleet and queue are made for. */
enum { SCALE_TIER_MAX = 256 };

/* X(field, "name", kind, default, least, most, "WHAT", "help"); kind: COUNT, DURATION or SHARE. */
/* clang-format off */
#define SCALE_SETTINGS(X)                                                                          \
    /* Of every rule. */                                                                           \
    X(workers_min, "workers-min", COUNT, 1, 1, 256, "N", "fewest workers")                         \
    X(workers_max, "workers-max", COUNT, 8, 1, 256, "N", "most workers")                           \
    X(fronts_min, "fronts-min", COUNT, 1, 1, 256, "N", "fewest fronts, the master among them")     \
    X(fronts_max, "fronts-max", COUNT, 4, 1, 256, "N", "most fronts")                              \
    X(fronts_ratio, "fronts-ratio", SHARE, 25, 0, 10000, "SHARE", "fronts for each worker")        \
    X(fronts_band, "fronts-band", SHARE, 25, 0, 1000, "SHARE",                                     \
      "by how much of a front the ratio must be missed before their number changes")               \
    X(fronts_busy, "fronts-busy", SHARE, 70, 1, 100, "SHARE",                                      \
      "how busy fronts may be on average; more are kept or started whatever the ratio says")       \
    X(fronts_connections, "fronts-connections", COUNT, 10000, 1, 10000000, "N",                    \
      "how many clients' connections fronts may have on average; more are kept or started "        \
      "whatever the ratio says")                                                                   \
    X(pause_up_ms, "pause-up", DURATION, 300, 0, 3600000, "TIME",                                  \
      "after a change no worker is added for so long: those that start are to show first")         \
    X(pause_down_ms, "pause-down", DURATION, 100, 0, 3600000, "TIME",                              \
      "after one left, no other leaves for so long")                                               \
    X(hold_ms, "hold", DURATION, 5000, 0, 86400000, "TIME",                                        \
      "after workers were added, none leaves for so long")                                         \
    X(calm_ms, "calm", DURATION, 60000, 0, 86400000, "TIME",                                       \
      "after a change of direction, no other one downwards for so long; twice as long each time "  \
      "that the last was regretted")                                                               \
    X(urgent_ms, "urgent", DURATION, 200, 0, 3600000, "TIME",                                      \
      "within the calm after workers have begun to leave, none comes back before requests have "   \
      "waited that long")                                                                          \
    X(room, "room", SHARE, 150, 0, 1000, "SHARE",                                                  \
      "of R busy workers R + room x sqrt(R) stay at least, so that their queue stays short (0: any)")\
    X(memory_ms, "memory", DURATION, 5000, 100, 3600000, "TIME",                                   \
      "over about how long the load is averaged")                                                  \
    /* Rule "poll", in the workers. */                                                             \
    X(queue_long, "queue-long", COUNT, 4, 0, 1000000, "N",                                         \
      "poll, busy: more than this many waiting (for busy: per worker) is too long a queue")        \
    X(lease_ms, "lease", DURATION, 100, 1, 3600000, "TIME",                                        \
      "poll: one worker at most leaves in this time")                                              \
    /* Rule "target". */                                                                           \
    X(target_ms, "target", DURATION, 50, 1, 3600000, "TIME",                                       \
      "target: how long nine of ten requests may wait in the queue")                               \
    X(tolerance, "tolerance", SHARE, 10, 0, 100, "SHARE",                                          \
      "target: being so far off the target changes nothing")                                       \
    X(window_ms, "window", DURATION, 10000, 100, 86400000, "TIME",                                 \
      "target, slope: going down takes the largest wish of this time")                             \
    /* Rule "busy". */                                                                             \
    X(busy_high, "busy-high", SHARE, 50, 1, 100, "SHARE", "busy: above this workers are added")    \
    X(busy_low, "busy-low", SHARE, 25, 0, 99, "SHARE", "busy: below this one leaves, in time")     \
    X(busy_cycle_ms, "busy-cycle", DURATION, 500, 50, 3600000, "TIME",                             \
      "busy: how often it looks")                                                                  \
    X(busy_cycles, "busy-cycles", COUNT, 10, 1, 1000, "N",                                         \
      "busy: that many looks below in a row before one leaves, and more after a mistake")          \
    /* Rule "slope". */                                                                            \
    X(start_up_ms, "start-up", DURATION, 300, 0, 3600000, "TIME",                                  \
      "slope: how far it looks ahead: what a worker needs to start")                               \
    X(margin, "margin", SHARE, 100, 0, 1000, "SHARE",                                              \
      "slope: for a load of R workers R + margin x sqrt(R) are wanted")                            \
    X(drain_ms, "drain", DURATION, 500, 1, 3600000, "TIME",                                        \
      "slope: within what time a queue is to be worked off")
/* clang-format on */

struct scale_settings {
#define X(field, name, kind, standard, least, most, value, help) uint64_t field;
    SCALE_SETTINGS(X)
#undef X
};

/* From the table's numbers to those that are kept. */
#define SCALE_UNIT_COUNT    1
#define SCALE_UNIT_DURATION 1
#define SCALE_UNIT_SHARE    10

/* A row, for those who go through all. */
struct scale_setting {
    const char *name;
    uint32_t offset; /* in struct scale_settings, of an uint64_t */
    uint64_t standard, least, most;
};

extern const struct scale_setting scale_setting_rows[];
extern const unsigned scale_setting_count;

uint64_t *scale_settings_at(struct scale_settings *settings, const struct scale_setting *row);

void scale_settings_defaults(struct scale_settings *settings);

/* What makes sense only together (least above most), and what is out of its range. */
int scale_settings_check(const struct scale_settings *settings, struct failure *failure);

#endif
