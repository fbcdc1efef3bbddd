/* The bench of the tiers: its figures, its loads, its plan, its report. */
#include "base/clock.h"
#include "bench/load_pace.h"
#include "bench/tiers_record.h"
#include "bench/tiers_run.h"
#include "folder_fixture.h"
#include "page_fixture.h"
#include "scale/decision.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_near(double value, double expected, double tolerance)
{
    assert_true(fabs(value - expected) <= tolerance);
}

/* ---- Figures ---- */

static void an_interval_is_that_of_student(void **state)
{
    (void)state;
    double values[] = {10, NAN, 12, 14}, lone[] = {3}, none[] = {NAN};
    struct tiers_mean mean = tiers_mean_of(values, 4);
    assert_int_equal(mean.count, 3);
    assert_near(mean.mean, 12, 1e-12);
    assert_near(mean.half, 4.303 * 2 / sqrt(3), 1e-9); /* t of 2 degrees, s = 2 */
    assert_near(tiers_mean_of(lone, 1).mean, 3, 0);
    assert_true(isnan(tiers_mean_of(lone, 1).half));
    assert_true(isnan(tiers_mean_of(none, 1).mean));
    assert_int_equal(tiers_mean_of(NULL, 0).count, 0);
}

static void what_falls_on_both_drops_out_of_a_difference(void **state)
{
    (void)state;
    double with[] = {105, 205, 55}, without[] = {100, 200, 50};
    struct tiers_mean mean = tiers_mean_difference(with, without, 3);
    assert_near(mean.mean, 5, 1e-12);
    assert_near(mean.half, 0, 1e-9);
}

static void waiting_is_back_when_it_stays_under_the_limit(void **state)
{
    (void)state;
    const bool once[] = {0, 0, 1, 1, 0, 0, 0, 0}, again[] = {0, 1, 0, 1, 0, 0, 0, 1};
    const bool never[] = {0, 0, 1, 1, 1}, late[] = {0, 1, 1, 0};
    bool back;
    assert_int_equal(tiers_settle(once, 8, 2, 3, &back), 2);
    assert_true(back);
    assert_int_equal(tiers_settle(once, 8, 4, 3, &back), 0);
    assert_int_equal(tiers_settle(again, 8, 1, 3, &back), 3);
    assert_true(back);
    assert_int_equal(tiers_settle(never, 5, 2, 3, &back), 3);
    assert_false(back);
    assert_int_equal(tiers_settle(late, 4, 1, 3, &back), 2); /* good for as long as is known */
    assert_true(back);
}

static void the_knee_is_farthest_below_the_line(void **state)
{
    (void)state;
    const double x[] = {0, 1, 2, 3, 4}, knee[] = {1, 1.1, 1.2, 2, 10}, line[] = {0, 1, 2, 3, 4};
    assert_int_equal(tiers_knee(x, knee, 5), 3);
    assert_int_equal(tiers_knee(x, line, 5), 5);
    assert_int_equal(tiers_knee(x, knee, 2), 2);
}

static void a_limit_is_crossed_between_points(void **state)
{
    (void)state;
    const double x[] = {0.5, 0.7, 0.9}, y[] = {10, 100, 10000};
    assert_near(tiers_crossing(x, y, 3, 1000), 0.8, 1e-9);
    assert_near(tiers_crossing(x, y, 3, 1e6), 0.9, 1e-9);
    assert_true(isnan(tiers_crossing(x, y, 3, 5)));
    assert_true(isnan(tiers_crossing(x, y, 0, 5)));
}

/* ---- Loads ---- */

static void every_load_is_whole_and_of_its_size(void **state)
{
    (void)state;
    struct failure failure;
    struct scale_load trace = {0};
    assert_true(scale_load_add(&trace, (struct load_point){0, 100, 10, 0}));
    assert_true(scale_load_add(&trace, (struct load_point){100, 100, 700, 0}));
    for (unsigned quick = 0; quick < 2; quick++)
        for (enum tiers_shape shape = TIERS_STEP; shape < TIERS_SHAPES; shape++) {
            struct tiers_load made;
            assert_int_equal(tiers_shape_make(shape, quick, 7, &trace, &made, &failure), 0);
            double most = 0, at_s = 0;
            for (unsigned i = 0; i < made.load.count; i++) {
                assert_near(made.load.points[i].at_s, at_s, 1e-9);
                assert_true(made.load.points[i].rate > 0);
                most = fmax(most, made.load.points[i].rate);
                at_s += made.load.points[i].seconds;
            }
            assert_near(made.load.seconds, at_s, 1e-9);
            assert_true(at_s * 1000 <= TIERS_WINDOWS_MAX * TIERS_WINDOW_MS);
            assert_true(most >= 1.5 && most <= 8);
            assert_true(!quick || at_s <= 6);
            assert_true(isnan(made.rise_s) || (made.rise_s > 0 && made.rise_s < at_s));
            assert_int_equal(shape == TIERS_STEP || shape == TIERS_SPIKE ||
                                 (shape == TIERS_TRACE && !quick),
                             !isnan(made.rise_s));
            scale_load_close(&made.load);
        }
    scale_load_close(&trace);
}

static void gaps_follow_the_rate(void **state)
{
    (void)state;
    struct scale_load load = {0};
    assert_true(scale_load_add(&load, (struct load_point){0, 1, 10, 0}));
    assert_true(scale_load_add(&load, (struct load_point){1, 1, 0, 0}));
    assert_true(scale_load_add(&load, (struct load_point){2, 1, 40, 0}));
    const uint64_t begun = 5 * SEC_NS;
    unsigned in[3] = {0};
    for (uint64_t at = begun; (at = load_pace_next(&load, 1, begun, at, 1)) != UINT64_MAX;) {
        assert_in_range(at, begun, begun + 3 * SEC_NS);
        in[(at - begun) / SEC_NS]++;
    }
    assert_in_range(in[0], 9, 10);
    assert_int_equal(in[1], 0);
    assert_in_range(in[2], 39, 41);
    /* Half of the load: every other one. */
    assert_near((double)load_pace_next(&load, 0.5, begun, begun, 1), 5.2e9, 1e3);
    scale_load_close(&load);
}

static void an_operation_counts_where_it_was_due(void **state)
{
    (void)state;
    struct load_window windows[2] = {0};
    struct load_timeline timeline = {
        .window_ns = SEC_NS, .begun_ns = SEC_NS, .count = 2, .windows = windows};
    load_timeline_note(&timeline, 3 * SEC_NS / 2, 4 * SEC_NS, true);
    load_timeline_note(&timeline, 9 * SEC_NS, 9 * SEC_NS, false);
    load_timeline_note(NULL, 0, 0, true);
    assert_int_equal(windows[0].done, 1);
    assert_near((double)scale_waits_quantile(&windows[0].waits, 1), 2.5e9, 2.5e9 / 16);
    assert_int_equal(windows[1].lost, 1); /* beyond the end: in the last */
}

/* ---- The master's record ---- */

static void put_sample(struct buf *out, double at_s, unsigned workers, unsigned before,
                       unsigned after)
{
    struct scale_sample sample = {
        .now_ns = (uint64_t)(at_s * 1e9),
        .interval_ns = SEC_NS / 2,
        .busy = 500,
        .dropped = 2,
        .workers = {.ready = workers},
        .fronts = {.ready = 1},
    };
    struct scale_decision decision = {
        .workers_before = before, .workers = after, .fronts_before = 1, .fronts = 1};
    decision_put(out, &sample, &decision);
}

static void a_record_says_what_a_run_cost(void **state)
{
    (void)state;
    double figures[TIERS_FIGURES];
    struct tiers_series series = {.count = 8};
    struct tiers_sizes sizes;
    struct failure failure;
    struct scale_settings settings;
    struct buf text;
    scale_settings_defaults(&settings);
    buf_init(&text, 1 << 20);
    assert_false(tiers_record_last(buf_text(&text), &sizes));
    decision_put_head(&text, scale_rules[0], &settings);
    assert_false(tiers_record_last(buf_text(&text), &sizes));
    put_sample(&text, 0.5, 9, 9, 9); /* before */
    put_sample(&text, 1.0, 1, 1, 3);
    put_sample(&text, 1.5, 3, 3, 4);
    put_sample(&text, 2.0, 4, 4, 2);
    put_sample(&text, 2.5, 2, 2, 3);
    put_sample(&text, 3.0, 3, 3, 3);
    put_sample(&text, 4.0, 2, 3, 2); /* after */
    put_sample(&text, 4.5, 1, 2, 1);
    assert_int_equal(
        tiers_record_read(buf_text(&text), SEC_NS, 3 * SEC_NS, 1, figures, &series, &failure), 0);
    assert_near(figures[TIERS_WORKER_S], (1 + 3 + 4 + 2 + 3) * 0.5, 1e-9);
    assert_near(figures[TIERS_MOST], 4, 0);
    assert_near(figures[TIERS_DECISIONS], 4, 0);
    assert_near(figures[TIERS_REVERSALS], 2 * 30, 1e-9); /* two in two seconds */
    assert_near(figures[TIERS_DROPPED], 10, 0);
    assert_near(figures[TIERS_BUSY], 0.5, 1e-9);
    assert_near(figures[TIERS_MINIMUM], 1.5, 1e-9);
    assert_near((double)series.workers[1], 1, 0);
    assert_near((double)series.workers[2], 3, 0);
    assert_near((double)series.workers[7], 2, 0);
    buf_puts(&text, "{\"workers\":[1,"); /* a line that is still written */
    assert_true(tiers_record_last(buf_text(&text), &sizes));
    assert_int_equal(sizes.workers, 1);
    assert_int_equal(sizes.fronts, 1);
    assert_int_equal(sizes.changing, 0);
    assert_int_not_equal(
        tiers_record_read(buf_text(&text), 0, SEC_NS, 1, figures, &series, &failure), 0);
    assert_non_null(strstr(failure.text, "line 10"));
    buf_close(&text);
}

/* ---- The plan ---- */

static unsigned lay_out(const char *only, bool quick, const struct scale_load *trace,
                        struct tiers_report *report)
{
    struct failure failure = {0};
    const struct tiers_plan plan = {
        .only = only, .rounds = 2, .seconds = 1, .limit_ms = 250, .quick = quick, .trace = trace};
    memset(report, 0, sizeof *report);
    return tiers_run_lay_out(&plan, report, &failure) ? 0 : report->cell_count;
}

static void only_what_is_named_is_measured(void **state)
{
    (void)state;
    struct tiers_report *report = calloc(1, sizeof *report);
    const struct scale_load trace = {0};
    assert_non_null(report);
    unsigned all = lay_out("", false, NULL, report);
    assert_true(all > 40);
    for (unsigned i = 0; i < TIERS_PARTS; i++)
        assert_true(tiers_report_has(report, (enum tiers_part)i));
    assert_true(lay_out("", false, &trace, report) > all);
    assert_true(lay_out("", true, NULL, report) < all / 2);
    assert_int_equal(lay_out("step", false, NULL, report), 5); /* four rules, and sizes that stay */
    assert_int_equal(report->cells[0].shape, TIERS_STEP);
    assert_true(lay_out("hop, step", false, NULL, report) > 5);
    assert_true(tiers_report_has(report, TIERS_HOP));
    assert_false(tiers_report_has(report, TIERS_SIZES));
    assert_int_equal(lay_out("hops", false, NULL, report), 0);
    assert_int_equal(lay_out("trace", false, NULL, report), 0); /* of what? */
    free(report);
}

/* ---- The report ---- */

/* Numbers that say nothing, but all of them. */
static void make_up(struct tiers_report *report)
{
    assert_true(lay_out("", false, NULL, report) > 0);
    report->capacity_per_s = 97;
    for (unsigned at = 0; at < report->cell_count; at++) {
        struct tiers_result *result = &report->results[at];
        result->rounds = 2;
        for (unsigned i = 0; i < TIERS_FIGURES; i++) {
            result->round[0][i] = 10 + at + i;
            result->round[1][i] = 11 + at + i;
        }
        if (report->cells[at].loop != TIERS_PACED)
            continue;
        result->series.count = 4;
        for (unsigned i = 0; i < 4; i++)
            result->series.p99_ms[i] = i == 2 ? INFINITY : 20;
    }
}

static void what_is_kept_under_too_much_is_told_round_by_round(void **state)
{
    (void)state;
    struct tiers_report *report = calloc(1, sizeof *report);
    assert_non_null(report);
    assert_int_equal(lay_out("overload", false, NULL, report), 3);
    for (unsigned at = 0; at < 3; at++)
        report->results[at].rounds = 2;
    report->results[0].round[0][TIERS_PER_S] = 100;
    report->results[0].round[1][TIERS_PER_S] = 200;
    report->results[2].round[0][TIERS_PER_S] = 90;
    report->results[2].round[1][TIERS_PER_S] = 220;
    assert_true(fabs(tiers_report_kept(report, 2).mean - 1) < 1e-9);
    assert_int_equal(tiers_report_kept(report, 0).count, 0); /* it is what is kept */
    report->results[0].round[0][TIERS_PER_S] = 0;
    assert_int_equal(tiers_report_kept(report, 2).count, 1);
    free(report);
}

static char *printed_json(const struct tiers_report *report)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    assert_non_null(out);
    tiers_print_json(report, out);
    fclose(out);
    return text;
}

static void a_report_has_every_part_and_no_number_that_is_none(void **state)
{
    (void)state;
    char dir[FOLDER_PATH];
    struct tiers_report *report = calloc(1, sizeof *report);
    struct failure failure;
    char page[600], name[80], picture[700];
    assert_non_null(report);
    folder_make(dir);
    make_up(report);
    report->results[0].round[0][TIERS_P99] = NAN;
    report->results[1].rounds = 0;
    snprintf(report->results[1].why, sizeof report->results[1].why, "it died");
    snprintf(page, sizeof page, "%s/scale.md", dir);
    assert_int_equal(tiers_report_pictures(report, page, &failure), 0);
    assert_int_equal(tiers_report_page(report, page, &failure), 0);
    const char *text = page_read(page);
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    assert_non_null(strstr(text, "it died"));
    assert_int_equal(page_count(text, "\n### "), TIERS_PARTS + 1);
    assert_int_equal(page_count(text, "]("), TIERS_PICTURES);
    for (unsigned i = 0; i < TIERS_PICTURES; i++) {
        assert_true(tiers_picture_wanted(report, i));
        tiers_picture_name(page, i, name, sizeof name);
        snprintf(picture, sizeof picture, "%s/%s", dir, name);
        const char *drawn = page_read(picture);
        assert_non_null(strstr(drawn, "</svg>"));
        assert_null(strstr(drawn, "nan"));
        assert_null(strstr(drawn, "inf"));
    }
    char *json = printed_json(report);
    assert_null(strstr(json, "nan"));
    assert_null(strstr(json, "inf,"));
    free(json);
    folder_remove(dir);
    free(report);
}

static void a_page_keeps_what_was_written_by_hand(void **state)
{
    (void)state;
    char dir[FOLDER_PATH];
    struct tiers_report *report = calloc(1, sizeof *report);
    struct failure failure;
    char page[600];
    assert_non_null(report);
    folder_make(dir);
    make_up(report);
    snprintf(page, sizeof page, "%s/scale.md", dir);
    page_write(page,
               "# Ours\n\nBefore.\n" TIERS_REPORT_BEGIN "\nold\n" TIERS_REPORT_END "\nAfter.\n");
    assert_int_equal(tiers_report_page(report, page, &failure), 0);
    const char *text = page_read(page);
    assert_non_null(strstr(text, "# Ours\n\nBefore.\n"));
    assert_non_null(strstr(text, "\nAfter.\n"));
    assert_null(strstr(text, "\nold\n"));
    page_write(page, "without the lines\n");
    assert_int_equal(tiers_report_page_check(page, &failure), ERR_INVALID);
    folder_remove(dir);
    free(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_interval_is_that_of_student),
        cmocka_unit_test(what_falls_on_both_drops_out_of_a_difference),
        cmocka_unit_test(waiting_is_back_when_it_stays_under_the_limit),
        cmocka_unit_test(the_knee_is_farthest_below_the_line),
        cmocka_unit_test(a_limit_is_crossed_between_points),
        cmocka_unit_test(every_load_is_whole_and_of_its_size),
        cmocka_unit_test(gaps_follow_the_rate),
        cmocka_unit_test(an_operation_counts_where_it_was_due),
        cmocka_unit_test(a_record_says_what_a_run_cost),
        cmocka_unit_test(only_what_is_named_is_measured),
        cmocka_unit_test(what_is_kept_under_too_much_is_told_round_by_round),
        cmocka_unit_test(a_report_has_every_part_and_no_number_that_is_none),
        cmocka_unit_test(a_page_keeps_what_was_written_by_hand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
