/* Repair: for how long a shop sells nothing when its primary is killed and one backup is left,
 * which is hot, warm or cold (replica/readiness.h).
 *
 * A point of the measurement is a kind of backup, a size of the database, and how many commands of
 * the log that backup has not applied when the primary dies. Each is measured in rounds: from
 * kill -9 to the answer of the first change that succeeds, tried all the time (selling.h).
 *
 * The report's parts are pure; measuring blocks. Thread: the caller's.
 */
#ifndef STOA_BENCH_REPAIR_H
#define STOA_BENCH_REPAIR_H

#include "bench/selling.h"

#include <stdio.h>

enum repair_kind { REPAIR_HOT, REPAIR_WARM, REPAIR_COLD };
enum { REPAIR_KINDS = 3, REPAIR_POINTS = 64, REPAIR_ROUNDS_MAX = 1000 };
extern const char *const repair_names[REPAIR_KINDS]; /* "hot", … */

struct repair_point {
    enum repair_kind kind;
    uint64_t database_bytes;
    uint64_t commands; /* not applied when the primary died: the median of the rounds */
    unsigned rounds;
    double median_ms, worst_ms;
    uint64_t refused; /* tries before the one that succeeded, in all rounds */
};

struct repair_report {
    struct repair_point points[REPAIR_POINTS];
    unsigned count;
};

/* ---- Measuring ---- */

/* The shop, of the bench's own. Each returns an error code. */
struct repair_shop {
    void *context;
    struct ask *shopper; /* at the backup */
    const char *item;
    /* Until the primary sells, the backup is what POINT says, and lacks about point->commands;
     * *LACKS: how many it really does. */
    int (*prepare)(void *context, const struct repair_point *point, uint64_t *lacks,
                   struct failure *failure);
    int (*kill)(void *context, struct failure *failure); /* the primary, -9 */
    void (*meanwhile)(void *context);                    /* until the shop sells again */
};

/* POINT has kind, commands wanted and rounds; its figures are filled in. */
int repair_measure(const struct repair_shop *shop, struct repair_point *point,
                   struct failure *failure);

/* ---- The report ---- */

/* What a backup of this kind should take at most, by the project's aims: hot 0.25 s; warm 2 s for
 * each 1,000,000 commands more; cold 10 s for each GB of the
 * database, and for the log as a warm one, after 2 s in which the witness waits before it wakes it,
 * a process starts and is elected. */
double repair_aim_ms(const struct repair_point *point);

void repair_print_head(FILE *out);
void repair_print_point(const struct repair_point *point, FILE *out);
void repair_print_json(const struct repair_report *report, FILE *out);
/* As SVG into FILE. */
int repair_picture(const struct repair_report *report, const char *file, struct failure *failure);

#endif
