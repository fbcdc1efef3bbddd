/* The bench of engines: its figures, its plan, its report. */
#include "bench/engines_figures.h"
#include "bench/engines_lines.h"
#include "bench/engines_run.h"
#include "engine/engine.h"
#include "folder_fixture.h"
#include "page_fixture.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static void assert_near(double value, double expected, double tolerance)
{
    assert_true(fabs(value - expected) <= tolerance);
}

/* ---- Figures ---- */

static void fairness_is_one_when_all_have_the_same(void **state)
{
    (void)state;
    double same[] = {7, 7, 7, 7}, one[] = {0, 12, 0, 0}, some[] = {1, 2, 3};
    assert_near(engines_jain(same, 4), 1, 1e-12);
    assert_near(engines_jain(one, 4), 0.25, 1e-12);
    assert_near(engines_jain(some, 3), 36.0 / (3 * 14), 1e-12);
    double nothing[] = {0, 0};
    assert_near(engines_jain(nothing, 2), 1, 1e-12);
    assert_near(engines_jain(NULL, 0), 1, 1e-12);
}

static void a_median_is_the_middle_whatever_the_order(void **state)
{
    (void)state;
    double odd[] = {9, 1, 5}, even[] = {4, 1, 3, 100}, lone[] = {2.5};
    assert_near(engines_median(odd, 3), 5, 0);
    assert_near(engines_median(even, 4), 3.5, 0);
    assert_near(engines_median(lone, 1), 2.5, 0);
    assert_near(engines_median(NULL, 0), 0, 0);
}

static struct histogram *histogram_of(unsigned count)
{
    struct histogram *histogram = malloc(sizeof *histogram);
    assert_non_null(histogram);
    histogram_clear(histogram);
    for (unsigned i = 1; i <= count; i++)
        histogram_add(histogram, i * 100000ull); /* 0.1, 0.2, … ms */
    return histogram;
}

static void a_cdf_rises_to_the_last_nine_that_is_known(void **state)
{
    (void)state;
    struct engines_cdf_point points[ENGINES_CDF_MAX];
    struct histogram *many = histogram_of(20000), *few = histogram_of(200), *none = histogram_of(0);
    unsigned count = engines_cdf(many, points);
    assert_in_range(count, 20, ENGINES_CDF_MAX);
    for (unsigned i = 1; i < count; i++) {
        assert_true(points[i].share > points[i - 1].share);
        assert_true(points[i].ms >= points[i - 1].ms);
    }
    assert_near(points[0].share, 0, 1e-12);
    assert_near(points[count - 1].share, 0.9999, 1e-9);
    assert_near(points[count - 1].ms, 1999.8, 1999.8 * 0.01);
    count = engines_cdf(few, points);
    assert_true(points[count - 1].share <= 0.995 + 1e-9); /* one of 200 is beyond */
    assert_true(points[count - 1].share >= 0.99);
    assert_int_equal(engines_cdf(none, points), 0);
    free(many);
    free(few);
    free(none);
}

static void what_was_in_time_is_counted(void **state)
{
    (void)state;
    struct histogram *histogram = histogram_of(1000);
    assert_int_equal(engines_within(histogram, 50000), 0);
    assert_in_range(engines_within(histogram, 50000000), 495, 500);
    assert_int_equal(engines_within(histogram, UINT64_MAX), 1000);
    free(histogram);
}

/* A server that does PER_S per connection, up to MOST, and then less with each more. */
static double server(unsigned connections, double per_s, double most, double loss)
{
    double could = per_s * connections;
    return could < most ? could : most - loss * connections;
}

static unsigned search(struct engines_search *search, double per_s, double most, double loss)
{
    unsigned steps = 0;
    while (engines_search_next(search)) {
        engines_search_found(search, server(search->connections, per_s, most, loss));
        steps++;
    }
    return steps;
}

static void the_search_ends_where_more_connections_bring_nothing(void **state)
{
    (void)state;
    struct engines_search lone = {.most = 64};
    assert_int_equal(search(&lone, 1000, 1000, 0), 3); /* 1, and 2 and 4 for nothing */
    assert_int_equal(lone.best_connections, 1);
    assert_near(lone.best, 1000, 0);
    struct engines_search wide = {.most = 64};
    search(&wide, 100, 1000, 1);
    assert_int_equal(wide.best_connections, 16);
    assert_near(wide.best, 984, 0);
    struct engines_search endless = {.most = 64};
    assert_int_equal(search(&endless, 100, 1e9, 0), 7);
    assert_int_equal(endless.best_connections, 64);
    struct engines_search dead = {.most = 64};
    assert_int_equal(search(&dead, 0, 1, 0), 7);
    assert_int_equal(dead.best_connections, 0);
}

/* ---- The plan ---- */

static struct engines_report *laid_out(const char *only, bool quick)
{
    struct engines_report *report = calloc(1, sizeof *report);
    struct engines_plan plan = {.only = only, .rounds = 2, .seconds = 1, .quick = quick};
    struct failure failure = {0};
    assert_non_null(report);
    assert_int_equal(engines_run_lay_out(&plan, report, &failure), 0);
    return report;
}

static void every_engine_takes_part(void **state)
{
    (void)state;
    struct engines_report *report = laid_out(NULL, false);
    unsigned kinds = 0;
    for (; engine_kinds[kinds]; kinds++)
        assert_string_equal(report->contestants[kinds].engine, engine_kinds[kinds]->name);
    for (unsigned i = kinds; i < report->contestant_count; i++) {
        const struct engines_contestant *who = &report->contestants[i];
        assert_true(who->admission_ms > 0);
        assert_string_equal(report->contestants[who->plain].engine, who->engine);
        assert_int_equal(report->contestants[who->plain].admission_ms, 0);
    }
    assert_true(engines_report_cell(report, ENGINES_CACHED, 10000, 0) >= 0);
    assert_true(engines_report_cell(report, ENGINES_OVERLOAD, 0, 2) >= 0);
    free(report);
}

static void engines_may_be_chosen(void **state)
{
    (void)state;
    struct engines_report *report = laid_out("thread, event", true);
    assert_int_equal(report->contestant_count, 3);
    assert_string_equal(report->contestants[0].name, "thread");
    assert_string_equal(report->contestants[1].name, "event");
    assert_string_equal(report->contestants[2].name, "event, admission");
    int capacity = engines_report_cell(report, ENGINES_COMPUTE, 0, 0);
    int twice = engines_report_cell(report, ENGINES_OVERLOAD, 0, 2);
    assert_true(capacity >= 0 && twice >= 0);
    assert_false(engines_report_wants(report, (unsigned)capacity, 2));
    assert_true(engines_report_wants(report, (unsigned)twice, 2));
    free(report);
    struct engines_plan plan = {.only = "event,evnet", .rounds = 1};
    struct failure failure = {0};
    struct engines_report *none = calloc(1, sizeof *none);
    assert_non_null(none);
    assert_int_equal(engines_run_lay_out(&plan, none, &failure), ERR_INVALID);
    assert_non_null(strstr(failure.text, "\"evnet\""));
    assert_non_null(strstr(failure.text, "thread"));
    free(none);
}

/* ---- The report ---- */

/* As if it had been run: two rounds, but one engine that could not be measured once. */
static struct engines_report *made_up(void)
{
    struct engines_report *report = laid_out(NULL, false);
    for (unsigned at = 0; at < report->cell_count; at++)
        for (unsigned i = 0; i < report->contestant_count; i++) {
            struct engines_result *result = &report->results[at][i];
            if (!engines_report_wants(report, at, i))
                continue;
            histogram_clear(&result->latency);
            for (unsigned n = 1; n <= 1000; n++)
                histogram_add(&result->latency, n * 1000 * (i + 1));
            for (result->rounds = 0; result->rounds < 2; result->rounds++)
                for (unsigned figure = 0; figure < ENGINES_FIGURES; figure++)
                    result->round[result->rounds][figure] =
                        1000 * at + 10 * i + figure + 2 * result->rounds;
        }
    report->results[0][0].rounds = 0;
    snprintf(report->results[0][0].why, sizeof report->results[0][0].why, "it died");
    engines_report_close(report);
    return report;
}

static void a_figure_is_the_median_of_its_rounds(void **state)
{
    (void)state;
    struct engines_report *report = made_up();
    assert_near(report->results[1][1].median[ENGINES_PER_S], 1000 + 10 + ENGINES_PER_S + 1, 1e-9);
    assert_near(report->results[0][0].median[ENGINES_PER_S], 0, 0);
    assert_near(engines_report_median(report, -1, 0, ENGINES_PER_S), 0, 0);
    free(report);
}

static void the_page_has_every_engine_and_keeps_what_is_by_hand(void **state)
{
    (void)state;
    char dir[FOLDER_PATH], file[FOLDER_PATH + 16], row[64];
    struct failure failure = {0};
    struct engines_report *report = made_up();
    report->results[1][1].median[ENGINES_PER_S] = 10999.7;
    report->results[1][2].median[ENGINES_PER_S] = 2034567.2;
    for (unsigned i = 0; i < report->contestant_count; i++)
        report->results[3][i].median[ENGINES_PER_S] = 0;
    folder_make(dir);
    snprintf(file, sizeof file, "%s/page.md", dir);
    page_write(file, "# Mine\n\nbefore\n\n" ENGINES_REPORT_BEGIN "\nold\n" ENGINES_REPORT_END
                     "\n\nafter\n");
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(engines_report_page(report, file, &failure), 0);
        const char *text = page_read(file);
        assert_ptr_equal(strstr(text, "# Mine\n\nbefore\n\n" ENGINES_REPORT_BEGIN "\n"), text);
        assert_non_null(strstr(text, "\n" ENGINES_REPORT_END "\n\nafter\n"));
        assert_null(strstr(text, "\nold\n"));
        assert_non_null(strstr(text, "(page-cdf.svg)"));
        assert_non_null(strstr(text, "it died"));
        assert_non_null(strstr(text, "| – |")); /* the slowest percent of no answers */
        assert_non_null(strstr(text, " | 11,000 | "));
        assert_non_null(strstr(text, " | 2,034,567 | "));
        for (unsigned n = 0; engine_kinds[n]; n++) {
            snprintf(row, sizeof row, "\n| **%s** |", engine_kinds[n]->name);
            assert_int_equal(page_count(text, row), 1);
        }
        for (unsigned at = 0; at < report->cell_count; at++)
            if (report->cells[at].work == ENGINES_OVERLOAD ||
                report->cells[at].work == ENGINES_CACHED)
                assert_non_null(strstr(text, report->cells[at].name));
    }
    folder_remove(dir);
    free(report);
}

static void a_page_without_its_two_lines_is_refused_before_anything_is_measured(void **state)
{
    (void)state;
    char dir[FOLDER_PATH], file[FOLDER_PATH + 16];
    struct failure failure = {0};
    folder_make(dir);
    snprintf(file, sizeof file, "%s/page.md", dir);
    assert_int_equal(engines_report_page_check(file, &failure), 0); /* it will be made */
    page_write(file, "# Mine\n\n" ENGINES_REPORT_BEGIN "\nand no end\n");
    assert_int_equal(engines_report_page_check(file, &failure), ERR_INVALID);
    assert_non_null(strstr(failure.text, ENGINES_REPORT_END));
    assert_string_equal(page_read(file), "# Mine\n\n" ENGINES_REPORT_BEGIN "\nand no end\n");
    folder_remove(dir);
}

static void the_pictures_have_a_line_for_each_engine(void **state)
{
    (void)state;
    char dir[FOLDER_PATH], page[FOLDER_PATH + 16], name[64], file[FOLDER_PATH + 80], label[64];
    struct failure failure = {0};
    struct engines_report *report = made_up();
    folder_make(dir);
    snprintf(page, sizeof page, "%s/page.md", dir);
    assert_int_equal(engines_report_pictures(report, page, &failure), 0);
    for (unsigned which = 0; which < ENGINES_PICTURES; which++) {
        engines_picture_name(page, which, name, sizeof name);
        snprintf(file, sizeof file, "%s/%s", dir, name);
        const char *text = page_read(file);
        assert_null(strstr(text, "nan"));
        for (unsigned n = 0; engine_kinds[n]; n++) {
            snprintf(label, sizeof label, ">%s</text>", engine_kinds[n]->name);
            assert_int_equal(page_count(text, label), 1);
        }
    }
    snprintf(page, sizeof page, "%s/none/page.md", dir);
    assert_int_equal(engines_report_pictures(report, page, &failure), ERR_IO);
    folder_remove(dir);
    free(report);
}

static void each_engine_has_its_lines_counted(void **state)
{
    (void)state;
    for (unsigned n = 0; engine_kinds[n]; n++) {
        const struct engines_lines *lines = engines_lines_of(engine_kinds[n]->name);
        assert_non_null(lines->name);
        assert_in_range(lines->own, 5, 5000);
        assert_in_range(lines->shared, 100, 20000);
    }
    assert_null(engines_lines_of("none")->name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fairness_is_one_when_all_have_the_same),
        cmocka_unit_test(a_median_is_the_middle_whatever_the_order),
        cmocka_unit_test(a_cdf_rises_to_the_last_nine_that_is_known),
        cmocka_unit_test(what_was_in_time_is_counted),
        cmocka_unit_test(the_search_ends_where_more_connections_bring_nothing),
        cmocka_unit_test(every_engine_takes_part),
        cmocka_unit_test(engines_may_be_chosen),
        cmocka_unit_test(a_figure_is_the_median_of_its_rounds),
        cmocka_unit_test(the_page_has_every_engine_and_keeps_what_is_by_hand),
        cmocka_unit_test(a_page_without_its_two_lines_is_refused_before_anything_is_measured),
        cmocka_unit_test(the_pictures_have_a_line_for_each_engine),
        cmocka_unit_test(each_engine_has_its_lines_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
