/* Load: how many requests come when, and how much work each is, out of a file.
 *
 * Two kinds of file, told apart by their first character:
 *
 * - a table (load_csv.c): seconds,requests_per_s[,service_ms]. Each row holds until the next, the
 *   last for as long as the one before it. A first row of names and lines with # are passed over;
 * - a log of decisions (decision.h, load_log.c) with every sample: requests as they came.
 *
 * Thread: any. Memory: ours, until scale_load_close.
 */
#ifndef STOA_SCALE_LOAD_H
#define STOA_SCALE_LOAD_H

#include "scale/decision.h"

enum { LOAD_POINTS_MAX = 1 << 20 };

struct load_point {
    double at_s, seconds;
    double rate;       /* requests a second */
    double service_ms; /* 0: not known */
};

struct scale_load {
    struct load_point *points; /* one after the other, without gaps, the first at 0 */
    unsigned count, room;
    double seconds;  /* of all */
    bool as_counted; /* in each point exactly rate × seconds requests came */
};

/* A failure's text begins with NAME:LINE:COLUMN. */
int scale_load_read(struct scale_load *load, const char *name, struct str text,
                    struct failure *failure);
void scale_load_close(struct scale_load *load);

/* The place of the point that holds at AT_S; of what comes after the last: the last. */
unsigned scale_load_find(const struct scale_load *load, double at_s);
/* Requests that are expected from FROM_S to TO_S. */
double scale_load_between(const struct scale_load *load, double from_s, double to_s);

/* The moment of the steepest rise: where what comes in the next two seconds is most above what came
 * in the two before, and at least double. False: there is none. */
bool scale_load_step(const struct scale_load *load, double *at_s);

/* For the readers. */
bool scale_load_add(struct scale_load *load, struct load_point point);
int scale_load_read_csv(struct scale_load *load, struct str text, struct scale_place *place,
                        struct failure *failure);
int scale_load_read_log(struct scale_load *load, struct str text, struct scale_place *place,
                        struct failure *failure);
/* Whether TEXT is a log of decisions. */
bool scale_load_is_log(struct str text);

#endif
