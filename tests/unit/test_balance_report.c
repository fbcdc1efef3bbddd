/* The report of the simulator: what is by hand stays, and the picture has every panel. */
#include "bench/balance_report.h"
#include "folder_fixture.h"
#include "page_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* As if it had been run. */
static struct balance_report *made_up(void)
{
    struct balance_report *report = calloc(1, sizeof *report);
    assert_non_null(report);
    report->seed = 42;
    report->rows[report->row_count++] = &balance_ideal_split;
    report->rows[report->row_count++] = &balance_ideal_homes;
    for (unsigned i = 0; policies[i]; i++)
        report->rows[report->row_count++] = policies[i];
    for (; balance_scenarios[report->scenario_count].name; report->scenario_count++) {
        for (unsigned row = 0; row < report->row_count; row++)
            report->figures[report->scenario_count][row] =
                (struct balance_figures){.p50_ms = 2 + row,
                                         .p99_ms = 10 + row,
                                         .p999_ms = 30000,
                                         .load_spread = 0.1 * row,
                                         .utilisation_spread = 3,
                                         .requests = 1000,
                                         .shed = row == 3 ? 25 : 0};
    }
    return report;
}

static void what_is_written_by_hand_stays(void **state)
{
    (void)state;
    char dir[FOLDER_PATH], file[FOLDER_PATH + 16];
    struct failure failure = {0};
    struct balance_report *report = made_up();
    folder_make(dir);
    snprintf(file, sizeof file, "%s/page.md", dir);
    assert_int_equal(balance_report_page(report, file, NULL, &failure), 0);
    assert_null(strstr(page_read(file), "!["));
    page_write(file, "# Mine\n\nbefore\n\n" BALANCE_REPORT_BEGIN
                     "\nresults of last year\n" BALANCE_REPORT_END "\n\nafter\n");
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(balance_report_page(report, file, "picture.svg", &failure), 0);
        const char *text = page_read(file);
        assert_ptr_equal(strstr(text, "# Mine\n\nbefore\n\n" BALANCE_REPORT_BEGIN "\n"), text);
        assert_non_null(strstr(text, "\n" BALANCE_REPORT_END "\n\nafter\n"));
        assert_null(strstr(text, "last year"));
        assert_int_equal(page_count(text, "(picture.svg)"), 1);
        assert_int_equal(page_count(text, "### "), report->scenario_count + 1);
        assert_non_null(strstr(text, "Seed 42."));
    }
    folder_remove(dir);
    free(report);
}

static void a_page_of_another_kind_is_left_alone(void **state)
{
    (void)state;
    char dir[FOLDER_PATH], file[FOLDER_PATH + 16];
    struct failure failure = {0};
    struct balance_report *report = made_up();
    folder_make(dir);
    snprintf(file, sizeof file, "%s/page.md", dir);
    page_write(file, "a letter\n");
    assert_int_equal(balance_report_page(report, file, NULL, &failure), ERR_INVALID);
    assert_string_equal(page_read(file), "a letter\n");
    assert_non_null(strstr(failure.text, file));
    snprintf(file, sizeof file, "%s/none/page.md", dir);
    assert_int_equal(balance_report_page(report, file, NULL, &failure), ERR_IO);
    assert_int_equal(balance_report_picture(report, file, &failure), ERR_IO);
    folder_remove(dir);
    free(report);
}

static void the_picture_has_a_panel_for_each_scenario(void **state)
{
    (void)state;
    char dir[FOLDER_PATH], file[FOLDER_PATH + 16];
    struct failure failure = {0};
    struct balance_report *report = made_up();
    unsigned homes = 0, rows = 0;
    folder_make(dir);
    snprintf(file, sizeof file, "%s/picture.svg", dir);
    assert_int_equal(balance_report_picture(report, file, &failure), 0);
    const char *text = page_read(file);
    for (unsigned at = 0; at < report->scenario_count; at++) {
        assert_non_null(strstr(text, balance_scenarios[at].title));
        homes += balance_scenarios[at].clicks > 0;
        for (unsigned row = 0; row < report->row_count; row++)
            rows += balance_report_has(report, at, row);
    }
    assert_true(homes > 0 && homes < report->scenario_count);
    assert_int_equal(rows, report->scenario_count * (report->row_count - 1) + homes);
    assert_int_equal(page_count(text, "class=\"name\""), rows);
    assert_int_equal(page_count(text, "ideal homes"), homes);
    assert_int_equal(page_count(text, "<g"), page_count(text, "</g>"));
    assert_int_equal(page_count(text, "2.5 % shed"), report->scenario_count);
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf"));
    folder_remove(dir);
    free(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_by_hand_stays),
        cmocka_unit_test(a_page_of_another_kind_is_left_alone),
        cmocka_unit_test(the_picture_has_a_panel_for_each_scenario),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
