/* A load out of a log of decisions (load.h): each sample says how many came in its interval, and
 * how much work they were. It must have every sample; requests that came in a gap would be missing.
 */
#include "scale/load.h"

static const double NS = 1e9;

/* Whether what LOG has read goes on where the sample before ended, give or take half of it: the
 * interval is measured, and a busy master looks late. */
static bool goes_on(const struct scale_sample *before, const struct scale_sample *sample)
{
    uint64_t begin = sample->now_ns - sample->interval_ns;
    uint64_t slack = sample->interval_ns / 2 > before->interval_ns / 2 ? sample->interval_ns / 2
                                                                       : before->interval_ns / 2;
    return begin + slack >= before->now_ns && begin <= before->now_ns + slack;
}

static int check_sample(const struct scale_sample *before, const struct scale_sample *sample,
                        bool first, struct failure *failure)
{
    if (sample->interval_ns > sample->now_ns)
        return fail(failure, ERR_INVALID, "the sample's interval is longer than its clock has run");
    if (first)
        return 0;
    if (sample->now_ns <= before->now_ns)
        return fail(failure, ERR_INVALID, "the sample is not after the one before");
    if (!goes_on(before, sample))
        return fail(failure, ERR_INVALID,
                    "samples are missing before this one (%.3f s): have each of them written, "
                    "not only those that change something",
                    (double)(sample->now_ns - before->now_ns) / NS);
    return 0;
}

/* From the end of the sample before to the end of this one. */
static struct load_point point_of(const struct scale_load *load, uint64_t before_ns,
                                  const struct scale_sample *sample)
{
    const struct load_point *last = load->count ? &load->points[load->count - 1] : NULL;
    double count = (double)sample->arrived + (double)sample->refused;
    struct load_point point = {.at_s = load->seconds};
    point.seconds = (double)(sample->now_ns - before_ns) / NS;
    point.rate = point.seconds > 0 ? count / point.seconds : 0;
    point.service_ms = (double)sample->service_ns / 1e6;
    if (sample->service_ns == 0 && last)
        point.service_ms = last->service_ms;
    return point;
}

int scale_load_read_log(struct scale_load *load, struct str text, struct scale_place *place,
                        struct failure *failure)
{
    struct decision_log log;
    struct scale_sample before = {0};
    enum decision_line kind;
    int err;
    decision_log_init(&log, text);
    load->as_counted = true;
    while (!(err = decision_log_next(&log, &kind, place, failure)) && kind != DECISION_END) {
        if (kind != DECISION_SAMPLE)
            continue;
        *place = (struct scale_place){log.line, 1};
        bool first = load->count == 0;
        err = check_sample(&before, &log.sample, first, failure);
        if (err)
            return err;
        uint64_t from_ns = first ? log.sample.now_ns - log.sample.interval_ns : before.now_ns;
        if (log.sample.now_ns > from_ns &&
            !scale_load_add(load, point_of(load, from_ns, &log.sample)))
            return fail(failure, ERR_FULL, "more than %d samples, or out of memory",
                        LOAD_POINTS_MAX);
        before = log.sample;
    }
    if (!err && load->count == 0)
        err = fail(failure, ERR_INVALID, "there is no sample in this log");
    return err;
}
