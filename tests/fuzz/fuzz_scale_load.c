/* Loads and logs of decisions: what is taken has no gaps, is in order and finite; a log that is
 * taken comes out the same when it is written again; and any rule can live with its samples.
 */
#include "base/check.h"
#include "scale/load.h"

#include <math.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_load(const struct scale_load *load)
{
    double at_s;
    CHECK(load->count > 0 && isfinite(load->seconds));
    for (unsigned i = 0; i < load->count; i++) {
        const struct load_point *point = &load->points[i];
        CHECK(isfinite(point->at_s) && point->seconds > 0 && point->rate >= 0);
        CHECK(isfinite(point->rate) && isfinite(point->service_ms));
    }
    CHECK(scale_load_between(load, 0, load->seconds) >= 0);
    scale_load_step(load, &at_s);
}

static void check_written(const struct decision_log *log, enum decision_line kind)
{
    struct buf out;
    struct decision_log again;
    struct scale_place place;
    buf_init(&out, DECISION_LINE_MAX);
    if (kind == DECISION_HEAD && log->rule)
        decision_put_head(&out, log->rule, &log->settings);
    else if (kind == DECISION_SAMPLE)
        decision_put(&out, &log->sample, &log->decision);
    CHECK(!out.failed);
    decision_log_init(&again, buf_text(&out));
    if (out.len)
        CHECK(decision_log_next(&again, &kind, &place, NULL) == 0);
    if (out.len && kind == DECISION_SAMPLE)
        CHECK(memcmp(&again.sample, &log->sample, sizeof again.sample) == 0);
    buf_close(&out);
}

static void check_log(struct str text)
{
    struct decision_log log;
    struct scale_place place;
    struct scaler scaler;
    struct scale_decision decision;
    enum decision_line kind;
    bool begun = false;
    decision_log_init(&log, text);
    while (decision_log_next(&log, &kind, &place, NULL) == 0 && kind != DECISION_END) {
        check_written(&log, kind);
        if (kind == DECISION_HEAD && log.rule) {
            scaler_init(&scaler, log.rule, &log.settings);
            begun = true;
        } else if (kind == DECISION_SAMPLE && begun) {
            scaler_step(&scaler, &log.sample, &decision);
            CHECK(decision.workers >= scaler.settings.workers_min);
            CHECK(decision.workers <= scaler.settings.workers_max);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct scale_load load;
    struct failure failure = {0};
    struct str text = str_make((const char *)bytes, len);
    if (scale_load_read(&load, "load", text, &failure) == 0) {
        check_load(&load);
        scale_load_close(&load);
    }
    check_log(text);
    return 0;
}
