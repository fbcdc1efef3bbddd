/* Decision log: each decision of the scaler as one line of JSON with all that it was made from, so
 * that a recorded load can be replayed through any rule (`stoa replay-scale`), and a decision that
 * was made at night be understood the next morning.
 *
 * The first line says by what rule and settings (times in milliseconds, shares in thousandths);
 * another such line may follow wherever they change. Then one for each decision, or for each sample
 * if asked for, which is what a replay needs:
 *
 *   {"stoa_scale":1,"rule":"poll","settings":{"workers-min":1,"workers-max":8, … }}
 *   {"workers":[1,3],"fronts":[1,1],"wish":3,"held":"nothing","load":980,"reason":"…",
 *    "sample":{"now_ns":5100000000,"interval_ns":100000000,"queued":9, … }}
 *
 * workers and fronts: wanted until now, wanted from now on. wish: what the rule asked for; held:
 * what kept it from getting (all of) that. load: busy workers, averaged, in thousandths. The
 * sample's names are those of sample.h, tiers as workers_ready and so on. Members that are not
 * known are passed over; one that is missing is an error. All numbers are whole.
 *
 * Thread: any; nothing is kept between calls.
 */
#ifndef STOA_SCALE_DECISION_H
#define STOA_SCALE_DECISION_H

#include "base/buf.h"
#include "base/err.h"
#include "scale/scaler.h"

enum { DECISION_LINE_MAX = 8192, DECISION_LOG_VERSION = 1 };

/* Both append one line with its line break. */
void decision_put_head(struct buf *out, const struct scale_rule *rule,
                       const struct scale_settings *settings);
void decision_put(struct buf *out, const struct scale_sample *sample,
                  const struct scale_decision *decision);

/* Where in a text something is wrong; both from 1. */
struct scale_place {
    uint64_t line, column;
};

enum decision_line { DECISION_END, DECISION_HEAD, DECISION_SAMPLE };

/* A log that is read line by line. Begun by decision_log_init; TEXT is lent. */
struct decision_log {
    struct str rest;
    uint64_t line;
    const struct scale_rule *rule; /* NULL until the first head; or of a rule we have not */
    struct scale_settings settings;
    struct scale_sample sample;
    struct scale_decision decision;
};

void decision_log_init(struct decision_log *log, struct str text);

/* The next line that is not empty; *KIND says what it was. A failure's text is without the place,
 * which is in *PLACE. */
int decision_log_next(struct decision_log *log, enum decision_line *kind, struct scale_place *place,
                      struct failure *failure);

#endif
