/* Admission control: at which rate requests are let in, so that nine of ten are answered in time.
 * Pure.
 *
 * Additive increase, multiplicative decrease of a rate by the 90th percentile of the response time
 * of those that were let in (Welsh and Culler, Adaptive Overload Control for Busy Internet Servers,
 * USITS 2003, figure 3). An interval ends with ADMISSION_LEAST answers, but is not shorter than the
 * target (at most a second), and not longer than a second. Where ours differs from theirs, and why:
 *
 *   - a change is judged by requests alone that began after it: the caller measures no others;
 *   - it is not lowered while more is answered than let in: the queue is getting shorter already,
 *     and what comes out of it is late for an old reason;
 *   - a decrease begins at the rate that was answered, which is what the server can do; what is
 *     taken off beyond a small part, the more the later they were, is for the queue to get shorter,
 *     and is given back when it has;
 *   - it falls so only when half of them took long, too, which is a queue. Nine of ten are late as
 *     well when the machine stood still for a moment: nobody would have been faster had fewer been
 *     let in, and only a small part is taken off. (Or the queue is one of some pages alone, and the
 *     others do not see it: then that part is taken off again and again.)
 *   - when in an interval none but older requests are answered, and fewer than half as many as are
 *     let in, it is lowered without a measure: the queue grows;
 *   - it is never halved twice for one look, and what was taken off for an interval in which hardly
 *     anything was answered is mostly given back when the next one is in time: it was a pause;
 *   - it is not lowered when the server holds but a few requests at a time (Little's law), which
 *     cannot wait for each other: they take that long by themselves, whatever the target says;
 *   - up to what the server has lately shown that it can do, it is up to doubled at each interval
 *     in time, the more the earlier they are. What it did before there was a limit does not count:
 *     those may have been other pages, which cost next to nothing;
 *   - beyond, an increase is a share of the best rate of late, as servers differ by a factor of a
 *     thousand, and a larger one when hardly anybody waits, which doubles at each such interval
 *     one after the other: what is known of the server may be wrong;
 *   - it steers for seven eighths of the target, as a rate that swings about a target is too late
 *     half of the time;
 *   - there is no limit until two intervals in a row were late (in the first of them the load may
 *     have begun, so that it does not tell what the server can do), and none again when nobody was
 *     refused for 10 s.
 *
 * One class only: each request counts the same, though a page that is ready costs less than a
 * search. What is measured is the mix that comes.
 */
#ifndef STOA_ENGINE_CONTROL_ADMISSION_H
#define STOA_ENGINE_CONTROL_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

enum { ADMISSION_LEAST = 100 };

/* What was seen in an interval. */
struct admission_seen {
    uint64_t ns;       /* its length */
    uint32_t answered; /* requests, in it */
    uint32_t measured; /* of these, begun after the last change: */
    uint64_t p50_ns;   /* the response time that half of them had at most; 0: none was measured */
    uint64_t p90_ns;   /* nine of ten */
    uint32_t refused;
};

enum admission_move {
    ADMISSION_HELD,
    ADMISSION_RAISED,
    ADMISSION_LOWERED,
    ADMISSION_LIFTED,
};

struct control_admission {
    uint64_t target_ns;
    double rate;       /* a second; 0: all are let in */
    double best;       /* answers a second, of late */
    double drained;    /* what the rate is to be once the queue is gone; 0: what it is */
    uint64_t quiet_ns; /* for how long nobody was refused */
    bool was_late;     /* in the last interval, without a limit */
    uint32_t easy;     /* intervals in a row in which hardly anybody waited */
};

void control_admission_init(struct control_admission *control, uint64_t target_ns);

/* Whether an interval is over that is NS long and in which MEASURED were. */
bool control_admission_is_due(const struct control_admission *control, uint64_t ns,
                              uint32_t measured);
/* At its end: sets control->rate. */
enum admission_move control_admission_step(struct control_admission *control,
                                           const struct admission_seen *seen);

#endif
