/* Loads and logs of decisions out of files: what is read, and what is said of what cannot be. */
#include "base/clock.h"
#include "scale/load.h"
#include "scale/replay.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

static void assert_close(double found, double expected)
{
    if (fabs(found - expected) > 1e-6)
        fail_msg("%.9g is not %.9g", found, expected);
}

static void assert_refused(const char *text, const char *why)
{
    struct scale_load load;
    struct failure failure = {0};
    assert_int_not_equal(scale_load_read(&load, "load.csv", str_of(text), &failure), 0);
    if (!strstr(failure.text, why))
        fail_msg("\"%s\" is not in \"%s\"", why, failure.text);
}

/* ---- Tables ---- */

static void a_table_is_read(void **state)
{
    (void)state;
    struct scale_load load;
    const char *text = "# by hand\nseconds,requests_per_s,service_ms\r\n0, 10\n\n2.5,40.5,12\n3,0";
    assert_int_equal(scale_load_read(&load, "load.csv", str_of(text), NULL), 0);
    assert_int_equal(load.count, 3);
    assert_false(load.as_counted);
    assert_close(load.points[0].seconds, 2.5);
    assert_close(load.points[1].rate, 40.5);
    assert_close(load.points[1].service_ms, 12);
    assert_close(load.points[2].seconds, 0.5); /* as long as the one before */
    assert_close(load.seconds, 3.5);
    assert_close(scale_load_between(&load, 0, 10), 45.25);
    assert_close(scale_load_between(&load, 2, 2.6), 5 + 4.05);
    assert_int_equal(scale_load_find(&load, 2.49), 0);
    assert_int_equal(scale_load_find(&load, 2.5), 1);
    assert_int_equal(scale_load_find(&load, 99), 2);
    scale_load_close(&load);
}

static void a_table_that_cannot_be_read_is_told_where_and_why(void **state)
{
    (void)state;
    assert_refused("0,10\n1,x\n", "load.csv:2:3: requests_per_s \"x\" is not a number");
    assert_refused("0,10\n1,1e3\n", "load.csv:2:3: requests_per_s \"1e3\"");
    assert_refused("0,10\n-1,5\n", "load.csv:2:1: seconds \"-1\"");
    assert_refused("0;10\n1;5\n", "load.csv:1:1: separate the columns by commas");
    assert_refused("0\n", "load.csv:1:1: there are too few columns");
    assert_refused("0,1,2,3\n", "load.csv:1:7: one column too many");
    assert_refused("1,10\n2,10\n", "load.csv:1:1: the first row must be at 0 seconds");
    assert_refused("0,10\n5,10\n5,10\n", "load.csv:3:1: 5 seconds is not after");
    assert_refused("0,10\n", "there must be two rows at least");
    assert_refused("", "there must be two rows at least");
    assert_refused("0,10,0\n1,1\n", "load.csv:1:1: service_ms must be above 0");
    assert_refused("0,2000000\n", "more than a million");
    assert_refused("0,1\n99999999,1\n", "more than 31 days");
    assert_refused("0,1\nseconds,requests_per_s\n", "load.csv:2:1: seconds \"seconds\"");
    assert_refused("0,,5\n", "load.csv:1:3: requests_per_s \"\" is not a number");
}

static void a_step_is_where_it_rises_most(void **state)
{
    (void)state;
    struct scale_load load;
    double at_s = 0;
    const char *step = "0,5\n10,20\n20,150\n30,200\n40,0\n";
    assert_int_equal(scale_load_read(&load, "load.csv", str_of(step), NULL), 0);
    assert_true(scale_load_step(&load, &at_s));
    assert_close(at_s, 20);
    scale_load_close(&load);
    assert_int_equal(scale_load_read(&load, "load.csv", str_of("0,50\n9,80\n20,99\n"), NULL), 0);
    assert_false(scale_load_step(&load, &at_s));
    scale_load_close(&load);
}

/* ---- Logs ---- */

static struct scale_sample sample_at(uint64_t ms, uint64_t arrived)
{
    struct scale_sample sample = {.now_ns = (5000 + ms) * MS_NS, .interval_ns = 100 * MS_NS};
    sample.arrived = arrived;
    sample.refused = 1;
    sample.answered = arrived;
    sample.service_ns = arrived ? 20 * MS_NS : 0;
    sample.workers = (struct scale_tier){3, 2, 1};
    sample.fronts.ready = 1;
    return sample;
}

static void put_head(struct buf *out)
{
    struct scale_settings settings;
    scale_settings_defaults(&settings);
    settings.workers_max = 77;
    decision_put_head(out, &scale_rule_busy, &settings);
}

static void put(struct buf *out, uint64_t ms, uint64_t arrived)
{
    struct scale_sample sample = sample_at(ms, arrived);
    struct scale_decision decision = {.workers_before = 3,
                                      .workers = 5,
                                      .fronts_before = 1,
                                      .fronts = 2,
                                      .wish = 9,
                                      .load = 1234,
                                      .held = SCALE_HELD_ROOM,
                                      .reason = "said \"why\""};
    decision_put(out, &sample, &decision);
}

static void a_log_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct buf text;
    struct decision_log log;
    struct scale_place place;
    enum decision_line kind;
    struct scale_sample expected = sample_at(0, 7);
    buf_init(&text, 1 << 20);
    put_head(&text);
    put(&text, 0, 7);
    decision_log_init(&log, buf_text(&text));
    assert_int_equal(decision_log_next(&log, &kind, &place, NULL), 0);
    assert_int_equal(kind, DECISION_HEAD);
    assert_ptr_equal(log.rule, &scale_rule_busy);
    assert_int_equal(log.settings.workers_max, 77);
    assert_int_equal(decision_log_next(&log, &kind, &place, NULL), 0);
    assert_int_equal(kind, DECISION_SAMPLE);
    assert_int_equal(place.line, 2);
    assert_memory_equal(&log.sample, &expected, sizeof expected);
    assert_int_equal(log.decision.workers_before, 3);
    assert_int_equal(log.decision.workers, 5);
    assert_int_equal(log.decision.fronts, 2);
    assert_int_equal(log.decision.wish, 9);
    assert_int_equal(log.decision.load, 1234);
    assert_int_equal(log.decision.held, SCALE_HELD_ROOM);
    assert_string_equal(log.decision.reason, "said \"why\"");
    assert_int_equal(decision_log_next(&log, &kind, &place, NULL), 0);
    assert_int_equal(kind, DECISION_END);
    buf_close(&text);
}

static void each_line_fits_however_large_the_numbers(void **state)
{
    (void)state;
    struct buf text;
    struct scale_sample sample;
    struct scale_decision decision = {.load = UINT64_MAX};
    memset(&sample, 0xff, sizeof sample);
    memset(decision.reason, 1, sizeof decision.reason - 1); /* each byte becomes six */
    buf_init(&text, DECISION_LINE_MAX);
    decision_put(&text, &sample, &decision);
    assert_false(text.failed);
    buf_clear(&text);
    put_head(&text);
    assert_false(text.failed);
    buf_close(&text);
}

static void a_log_is_a_load(void **state)
{
    (void)state;
    struct buf text;
    struct scale_load load;
    buf_init(&text, 1 << 20);
    put_head(&text);
    put(&text, 0, 9);
    put(&text, 100, 0);
    put(&text, 240, 19); /* a little late: 0.14 s */
    assert_int_equal(scale_load_read(&load, "log", buf_text(&text), NULL), 0);
    assert_true(load.as_counted);
    assert_int_equal(load.count, 3);
    assert_close(load.points[0].rate, 100); /* refused ones came, too */
    assert_close(load.points[1].service_ms, 20);
    assert_close(load.points[2].seconds, 0.14);
    assert_close(load.points[2].rate * load.points[2].seconds, 20);
    scale_load_close(&load);
    buf_close(&text);
}

static void assert_log_refused(struct buf *text, const char *why)
{
    struct scale_load load;
    struct failure failure = {0};
    assert_int_not_equal(scale_load_read(&load, "log", buf_text(text), &failure), 0);
    if (!strstr(failure.text, why))
        fail_msg("\"%s\" is not in \"%s\"", why, failure.text);
    buf_clear(text);
}

static void a_log_that_cannot_be_read_is_told_where_and_why(void **state)
{
    (void)state;
    struct buf text;
    buf_init(&text, 1 << 20);
    put_head(&text);
    put(&text, 0, 9);
    put(&text, 1000, 9);
    assert_log_refused(&text, "log:3:1: samples are missing before this one (1.000 s)");
    put(&text, 100, 9);
    put(&text, 100, 9);
    assert_log_refused(&text, "log:2:1: the sample is not after the one before");
    put_head(&text);
    assert_log_refused(&text, "there is no sample");
    buf_puts(&text, "{\"workers\":[1,2],}\n");
    assert_log_refused(&text, "log:1:17: this is not JSON");
    buf_puts(&text, "{}\n[]\n");
    assert_log_refused(&text, "log:1:1: \"workers\" is missing: it must be two sizes");
    buf_puts(&text, "{\"workers\":[1,2000]}\n");
    assert_log_refused(&text, "log:1:2: \"workers\" must be two sizes");
    buf_puts(&text, "{\"stoa_scale\":2}\n");
    assert_log_refused(&text, "log:1:2: \"stoa_scale\" must be 1");
    buf_close(&text);
}

static void a_log_is_held_against_its_own_rule(void **state)
{
    (void)state;
    struct buf text;
    struct scale_checked checked;
    struct failure failure = {0};
    buf_init(&text, 1 << 20);
    put(&text, 0, 9);
    assert_int_equal(scale_replay_check("log", buf_text(&text), &checked, &failure),
                     ERR_UNSUPPORTED);
    buf_clear(&text);
    put_head(&text);
    put(&text, 0, 9); /* nothing is to be added here, whatever the log says */
    assert_int_equal(scale_replay_check("log", buf_text(&text), &checked, &failure), 0);
    assert_int_equal(checked.samples, 1);
    assert_int_equal(checked.decisions, 1);
    assert_int_equal(checked.others, 1);
    assert_int_equal(checked.first_line, 2);
    buf_close(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_is_read),
        cmocka_unit_test(a_table_that_cannot_be_read_is_told_where_and_why),
        cmocka_unit_test(a_step_is_where_it_rises_most),
        cmocka_unit_test(a_log_is_read_as_it_was_written),
        cmocka_unit_test(each_line_fits_however_large_the_numbers),
        cmocka_unit_test(a_log_is_a_load),
        cmocka_unit_test(a_log_that_cannot_be_read_is_told_where_and_why),
        cmocka_unit_test(a_log_is_held_against_its_own_rule),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
