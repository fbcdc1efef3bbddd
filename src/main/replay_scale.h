/* Replay scale: what `stoa replay-scale` has found, written for people and for programs.
 *
 * Called by replay_scale.c alone. Thread: main.
 */
#ifndef STOA_MAIN_REPLAY_SCALE_H
#define STOA_MAIN_REPLAY_SCALE_H

#include "scale/replay.h"

#include <stdio.h>

/* A change of size, for the report. */
struct replay_change {
    double at_s;
    uint64_t queued;
    struct scale_decision decision;
};

/* One run of the load. */
struct replay_entry {
    char name[32]; /* of the rule, or "always 4" */
    struct scale_replayed result;
    struct replay_change *changes;
    uint64_t change_count, change_room;
    bool failed; /* out of memory */
};

struct replay_report {
    const char *file;
    const struct scale_load *load;
    uint64_t seed, limit_ms;
    bool is_log;
    int check_err; /* of the log through its own rule; then check_text says why */
    char check_text[480];
    struct scale_checked checked;
    struct replay_entry *entries;
    unsigned count;
};

void replay_report_print(const struct replay_report *report, FILE *out);
void replay_report_json(const struct replay_report *report, FILE *out);

#endif
