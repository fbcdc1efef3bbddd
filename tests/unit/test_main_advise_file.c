/* What stoa advise is told is taken as it is meant, or refused where it stands; and what it
 * measures fills what was left open. */
#include "folder_fixture.h"
#include "main/advise_measure.h"
#include "main/advise_value.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define assert_near(got, wanted) assert_true(fabs((got) - (wanted)) <= 1e-9)

static struct advise_file file;
static struct failure failure;
static char folder[FOLDER_PATH], path[FOLDER_PATH + 16];

static int begin(void **state)
{
    (void)state;
    folder_make(folder);
    snprintf(path, sizeof path, "%s/shop.conf", folder);
    return 0;
}

static int end(void **state)
{
    (void)state;
    folder_remove(folder);
    return 0;
}

static void write_file(const char *name, const char *text)
{
    FILE *out = fopen(name, "w");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static int load(const char *text)
{
    failure = (struct failure){0};
    write_file(path, text);
    int err = advise_file_read(path, &file, &failure);
    return err ? err : advise_file_finish(path, &file, &failure);
}

/* TEXT is refused with "FILE:LINE: " (LINE 0: "FILE: ") and something that contains WHY. */
static void assert_refused(const char *text, int line, const char *why)
{
    char place[FOLDER_PATH + 40];
    if (line)
        snprintf(place, sizeof place, "%s:%d: ", path, line);
    else
        snprintf(place, sizeof place, "%s: ", path);
    assert_true(load(text) != 0);
    if (strncmp(failure.text, place, strlen(place)) != 0 || !strstr(failure.text, why))
        fail_msg("got \"%s\", not %s%s", failure.text, place, why);
}

#define SHOP                                               \
    "read = 0.4ms\n"                                       \
    "site \"fra\" { cost = 0.42 ways = {\"iad 92ms\"} }\n" \
    "site \"iad\" { cost = 0.36 processors = 8 }\n"        \
    "region \"europe\" { reads = 420 ways = {\"fra 22ms 48ms\"} }\n"

static void what_stands_above_holds_for_those_below(void **state)
{
    (void)state;
    assert_int_equal(load("processors = 4\np99 = 250ms\n" SHOP
                          "p99 = 1s\nregion \"asia\" { reads = 1 ways = {\"iad 200ms\"} }\n"),
                     0);
    const struct advise_input *input = &file.input;
    assert_int_equal(input->site_count, 2);
    assert_int_equal(input->region_count, 2);
    assert_int_equal(input->sites[0].processors, 4);
    assert_int_equal(input->sites[1].processors, 8);
    assert_near(input->sites[1].work_s[ADVISE_READ], 0.0004);
    assert_near(input->regions[0].p99_s, 0.25);
    assert_near(input->regions[0].degraded_p99_s, 0.25);
    assert_near(input->regions[1].p99_s, 1);
    assert_int_equal(input->tolerate, ADVISE_TOLERATE_SERVER);
}

static void a_servers_capacity_stands_for_the_time(void **state)
{
    (void)state;
    assert_int_equal(load("write = 2000/s\nprocessors = 4\n" SHOP), 0);
    assert_near(file.input.sites[0].work_s[ADVISE_WRITE], 0.002);
    assert_near(file.input.sites[1].work_s[ADVISE_WRITE], 0.004);
    assert_refused("read = 0/s\n" SHOP, 1, "must be from");
    assert_refused("read = /s\n" SHOP, 1, "must be a number");
}

static void ways_go_both_ways_unless_said_otherwise(void **state)
{
    (void)state;
    assert_int_equal(load(SHOP), 0);
    const struct advise_input *input = &file.input;
    assert_near(input->sites[0].to[1].p50_s, 0.092);
    assert_near(input->sites[1].to[0].p50_s, 0.092);
    assert_near(input->sites[1].to[0].p99_s, 0.092);
    assert_near(input->sites[0].to[0].p50_s, 0);
    assert_near(input->regions[0].to[0].p99_s, 0.048);
    assert_true(isnan(input->regions[0].to[1].p50_s));
    assert_int_equal(file.alone, 2);
}

static void growth_comes_from_days_or_as_it_is_said(void **state)
{
    (void)state;
    assert_int_equal(load("growth = 10%\n" SHOP), 0);
    assert_near(pow(1 + file.input.growth_per_day, 30), 1.1);
    assert_int_equal(load("load = {\"2026-02-26 100\", \"2026-03-08 200\"}\n" SHOP), 0);
    assert_near(pow(1 + file.input.growth_per_day, 10), 2);
    assert_refused("load = {\"2026-02-26 100\"}\n" SHOP, 0, "one day only");
}

static void what_cannot_be_meant_is_refused_where_it_stands(void **state)
{
    (void)state;
    assert_refused("utilisation = 120%\n" SHOP, 1, "from 5% to 99%");
    assert_refused("\nutilisation = 70\n" SHOP, 2, "must be a share such as 70%");
    assert_refused("read = 4\n" SHOP, 1, "must be a time with its unit");
    assert_refused("tolerate = death\n" SHOP, 1, "none, server or site");
    assert_refused("colour = red\n" SHOP, 1, "no such option");
    assert_refused(SHOP "site \"oslo\" {\n cost = cheap\n}\n", 6, "must be a number");
    assert_refused(SHOP "site \"oslo\" {\n cost = 1\n most = 2.5\n}\n", 7, "whole number");
    assert_refused(SHOP "site \"europe\" { cost = 1 }\n", 5, "is there already");
    assert_refused(SHOP "site \"a b\" { cost = 1 }\n", 5, "is no name");
    assert_refused(SHOP "region \"asia\" {\n ways = {\"fra\"}\n}\n", 6, "\"fra 18ms\"");
    assert_refused(SHOP "region \"asia\" {\n ways = {\"fra 9ms 3ms\"}\n}\n", 6, "99th percentile");
    assert_refused(SHOP "region \"asia\" {\n ways = {\"oslo 9ms\"}\n}\n", 6, "no site \"oslo\"");
    assert_refused(SHOP "region \"asia\" {\n from = {\"balancer\"}\n}\n", 6, "is no URL");
    assert_refused("load = {\"2026-02-30 100\"}\n" SHOP, 1, "must be a day");
    assert_refused("load = {\"2026-02-03 0\"}\n" SHOP, 1, "no growth");
}

static void what_is_missing_is_named(void **state)
{
    (void)state;
    assert_refused("", 0, "there is no site");
    assert_refused("site \"fra\" { cost = 1 }\n", 0, "there is no region");
    assert_refused(SHOP "site \"oslo\" { }\n", 0, "no settings");
    assert_refused(SHOP "site \"oslo\" { most = 2 ways = {\"fra 1ms\", \"iad 2ms\"} }\n", 5,
                   "no cost");
    assert_refused(SHOP "site \"oslo\" { cost = 2 }\n", 2, "the way from site fra to site oslo");
    assert_refused("site \"fra\" { cost = 1 }\nregion \"a\" { reads = 1 ways = {\"fra 1ms\"} }\n",
                   1, "what processor time a request takes: write read");
    assert_refused("read = 1ms site \"fra\" { cost = 1 }\nregion \"a\" { reads = 1 }\n", 2,
                   "no way from region a");
    assert_refused("read = 1ms site \"fra\" { cost = 1 }\nregion \"a\" { ways = {\"fra 1ms\"} }\n",
                   0, "no region has any requests");
    assert_refused("most = 0\n" SHOP, 0, "every most is 0");
    assert_refused("least = 9\n" SHOP, 0, "at most 16");
    assert_refused("least = 9\nmost = 3\n" SHOP, 4, "least is 9, and most is 3");
}

/* ---- Ways by machine ---- */

static int load_ways(const char *text, char name[FOLDER_PATH + 16])
{
    assert_int_equal(load(SHOP), 0);
    snprintf(name, FOLDER_PATH + 16, "%s/ways.csv", folder);
    write_file(name, text);
    return advise_file_read_ways(name, &file, &failure);
}

static void a_machine_tells_ways_as_csv(void **state)
{
    (void)state;
    char name[FOLDER_PATH + 16], place[FOLDER_PATH + 40];
    assert_int_equal(load_ways("from,to,p50_ms,p99_ms\neurope,iad,98.5,130\nfra,iad,80,\n", name),
                     0);
    assert_int_equal(advise_file_finish(path, &file, &failure), 0);
    assert_near(file.input.regions[0].to[1].p99_s, 0.13);
    assert_near(file.input.sites[0].to[1].p50_s, 0.08);
    const struct {
        const char *text, *why;
        int line;
    } bad[] = {
        {"a,b\n", "must name the columns", 1},
        {"from,to,p50_ms\neurope,oslo,1\n", "no site \"oslo\"", 2},
        {"from,to,p50_ms\nfra,iad,1\nmars,fra,1\n", "no region or site \"mars\"", 3},
        {"from,to,p50_ms\neurope,fra,fast\n", "number of milliseconds", 2},
        {"from,to,p50_ms,p99_ms\neurope,fra,9,3\n", "less than p50_ms", 2},
        {"from,to,p50_ms\neurope,fra\n", "2 columns", 2},
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_true(load_ways(bad[i].text, name) != 0);
        snprintf(place, sizeof place, "%s:%d: ", name, bad[i].line);
        assert_int_equal(strncmp(failure.text, place, strlen(place)), 0);
        assert_non_null(strstr(failure.text, bad[i].why));
    }
}

/* ---- Measuring ---- */

static const char metrics[] =
    "# HELP process_cpu_seconds_total Processor time used, user and system.\n"
    "stoa_log_append_p50_seconds 0.0015\n"
    "stoa_log_append_p99_seconds 0.006\n"
    "stoa_commands_submitted_total 50\n"
    "stoa_http_requests_total{class=\"cached\",status=\"2xx\"} 800\n"
    "stoa_http_requests_total{class=\"pages\",status=\"2xx\"} 90\n"
    "stoa_http_requests_total{class=\"pages\",status=\"3xx\"} 50\n"
    "stoa_http_requests_total{class=\"ucp\",status=\"2xx\"} 10\n"
    "stoa_http_requests_total{class=\"operator\",status=\"2xx\"} 50\n"
    "process_cpu_seconds_total 2.5\n";

static void metrics_are_read_and_other_texts_are_not(void **state)
{
    (void)state;
    struct advise_figures figures;
    assert_true(advise_figures_read(str_of(metrics), &figures));
    assert_near(figures.all, 1000);
    assert_near(figures.cached, 800);
    assert_near(figures.worked, 150);
    assert_near(figures.changes, 50);
    assert_near(figures.processor_s, 2.5);
    assert_near(figures.durable.p99_s, 0.006);
    assert_false(advise_figures_read(STR("<html>"), &figures));
    assert_false(advise_figures_read(STR(""), &figures));
}

static void measurements_fill_what_was_left_open(void **state)
{
    (void)state;
    struct advise_figures before[2] = {{0}}, after[2] = {{0}};
    struct buf notes;
    buf_init(&notes, 4096);
    assert_int_equal(load("compute = 9ms\n" SHOP), 0);
    file.input.sites[0].work_s[ADVISE_READ] = 0;
    file.input.regions[0].rate[ADVISE_READ] = 0;
    assert_int_equal(advise_file_add_source(&file, "fra=http://127.0.0.1:1", &failure), 0);
    assert_int_equal(advise_file_add_source(&file, "europe=http://127.0.0.1:2", &failure), 0);
    assert_true(advise_file_add_source(&file, "oslo=http://127.0.0.1:2", &failure) != 0);
    assert_true(advise_file_add_source(&file, "http://127.0.0.1:2", &failure) != 0);
    assert_true(advise_figures_read(str_of(metrics), &after[0]));
    after[1] = (struct advise_figures){.door = true, .all = 1900};
    assert_int_equal(advise_measure_fill(&file, before, after, 10, &notes, &failure), 0);
    const struct advise_site *site = &file.input.sites[0];
    assert_near(site->work_s[ADVISE_READ], 0.0025);
    assert_near(site->work_s[ADVISE_WRITE], 0.0025);
    assert_near(site->work_s[ADVISE_COMPUTE], 0.009);
    assert_near(site->durable.p50_s, 0.0015);
    assert_int_equal(site->now, 1);
    /* 190/s, of which 800 in 950 come from the cache, and 50 change something. */
    assert_near(file.input.regions[0].rate[ADVISE_READ], 160);
    assert_near(file.input.regions[0].rate[ADVISE_WRITE], 10);
    assert_near(file.input.regions[0].rate[ADVISE_COMPUTE], 20);
    buf_close(&notes);
}

static void too_few_requests_measure_nothing(void **state)
{
    (void)state;
    struct advise_figures before[1] = {{0}}, after[1] = {{.all = 20, .processor_s = 1}};
    struct buf notes;
    buf_init(&notes, 4096);
    assert_int_equal(load(SHOP), 0);
    assert_int_equal(advise_file_add_source(&file, "fra=http://127.0.0.1:1", &failure), 0);
    assert_int_equal(advise_measure_fill(&file, before, after, 10, &notes, &failure), ERR_STATE);
    assert_non_null(strstr(failure.text, "too few"));
    buf_close(&notes);
}

static void days_are_written_as_they_are_read(void **state)
{
    (void)state;
    double day = 0;
    char text[16];
    assert_int_equal(advise_value_day("day", STR("2028-02-29"), &day, NULL), 0);
    advise_value_write_day(day + 1.5, text);
    assert_string_equal(text, "2028-03-01");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stands_above_holds_for_those_below),
        cmocka_unit_test(a_servers_capacity_stands_for_the_time),
        cmocka_unit_test(ways_go_both_ways_unless_said_otherwise),
        cmocka_unit_test(growth_comes_from_days_or_as_it_is_said),
        cmocka_unit_test(what_cannot_be_meant_is_refused_where_it_stands),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(a_machine_tells_ways_as_csv),
        cmocka_unit_test(metrics_are_read_and_other_texts_are_not),
        cmocka_unit_test(measurements_fill_what_was_left_open),
        cmocka_unit_test(too_few_requests_measure_nothing),
        cmocka_unit_test(days_are_written_as_they_are_read),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
