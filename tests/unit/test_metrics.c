#include "admin/health.h"
#include "admin/metrics.h"
#include "base/clock.h"
#include "web/traffic.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

/* Each sample line stands under its own HELP and TYPE, and is a name, labels and a number. */
static void check_line(struct str line, char *name)
{
    if (str_starts(line, STR("# HELP "))) {
        struct str rest = str_from(line, 7);
        str_copy(name, 128, str_sub(rest, 0, (size_t)str_find_byte(rest, ' ')));
    } else if (str_starts(line, STR("# TYPE "))) {
        assert_true(str_starts(str_from(line, 7), str_of(name)));
    } else {
        assert_true(str_starts(line, str_of(name)));
        ptrdiff_t space = str_find_byte(line, ' ');
        assert_true(space > 0);
        char number[64], *rest;
        str_copy(number, sizeof number, str_from(line, (size_t)space + 1));
        strtod(number, &rest);
        assert_int_equal(*rest, 0);
    }
}

static void the_text_is_in_the_format(void **state)
{
    (void)state;
    struct figures *figures = calloc(1, sizeof *figures);
    struct buf out;
    char name[128] = "";
    unsigned lines = 0;
    figures->web.traffic[WEB_UCP].by_status[1] = 7;
    figures->engine.admission = (struct engine_admission){.target_ns = 50000000, .rate = 812.5};
    figures->engine.stages[0] = (struct engine_stage){.name = "parse", .queued = 17, .threads = 2};
    figures->engine.stage_count = 1;
    figures->cluster.count = 2;
    figures->cluster.servers[1] = (struct server_status){
        .place.id = 2, .state = SERVER_COPYING, .copy_bytes = 5000000000, .lag_ms = 1500};
    figures->cache = (struct cache_stats){
        .hits = 32, .limit = 8388608, .told = 41, .behind_max_ns = 250000, .ages = {1, 0, 1}};
    figures->shop.applied_index = 44;
    buf_init(&out, 1 << 20);
    metrics_format(&out, figures);
    assert_false(out.failed);
    struct str rest = buf_text(&out), line;
    while (str_cut(&rest, '\n', &line) && line.len) {
        check_line(line, name);
        lines++;
    }
    assert_true(lines > 100);
    assert_true(str_find(buf_text(&out),
                         STR("stoa_http_requests_total{class=\"ucp\",status=\"2xx\"} 7\n")) > 0);
    assert_true(str_find(buf_text(&out), STR("stoa_server_lag_seconds{server=\"2\"} 1.5\n")) > 0);
    assert_true(
        str_find(buf_text(&out), STR("stoa_server_copying_bytes{server=\"2\"} 5000000000\n")) > 0);
    assert_true(str_find(buf_text(&out), STR("stoa_stage_queue{stage=\"parse\"} 17\n")) > 0);
    assert_true(str_find(buf_text(&out), STR("stoa_admission_rate 812.5\n")) > 0);
    assert_true(str_find(buf_text(&out), STR("stoa_cache_limit_bytes 8388608\n")) > 0);
    assert_true(str_find(buf_text(&out), STR("stoa_cache_lag_entries 3\n")) > 0);
    assert_true(str_find(buf_text(&out), STR("stoa_cache_behind_max_seconds 0.00025\n")) > 0);
    assert_true(str_find(buf_text(&out), STR("stoa_cache_age_seconds_bucket{le=\"60\"} 2\n")) > 0);
    assert_true(str_find(buf_text(&out), STR("stoa_cache_age_seconds_count 2\n")) > 0);
    buf_close(&out);
    free(figures);
}

static void threads_are_added_up(void **state)
{
    (void)state;
    struct traffic traffic;
    struct web_traffic sums[WEB_CLASS_COUNT];
    traffic_init(&traffic);
    struct traffic_thread *a = traffic_thread_new(&traffic), *b = traffic_thread_new(&traffic);
    traffic_count(a, WEB_PAGES, 200, 0, 60 * 1000);
    traffic_count(b, WEB_PAGES, 404, 0, 20 * SEC_NS);
    traffic_read(&traffic, sums);
    assert_int_equal(sums[WEB_PAGES].by_status[1], 1);
    assert_int_equal(sums[WEB_PAGES].by_status[3], 1);
    assert_int_equal(sums[WEB_PAGES].latency[1], 1);
    assert_int_equal(sums[WEB_PAGES].latency[WEB_LATENCY_BUCKETS], 1);
    assert_int_equal(sums[WEB_PAGES].latency_sum_ns, 60 * 1000 + 20 * SEC_NS);
    traffic_close(&traffic);
}

/* As on engines whose threads take turns. */
static void what_ends_on_another_thread_is_not_in_flight(void **state)
{
    (void)state;
    struct traffic traffic;
    struct traffic_now now;
    traffic_init(&traffic);
    struct traffic_thread *a = traffic_thread_new(&traffic), *b = traffic_thread_new(&traffic);
    for (int i = 0; i < 3; i++)
        traffic_begin(a);
    traffic_end(b);
    traffic_end(b);
    traffic_now(&traffic, 0, &now);
    assert_int_equal(now.in_flight, 1);
    traffic_end(b);
    traffic_now(&traffic, 0, &now);
    assert_int_equal(now.in_flight, 0);
    traffic_close(&traffic);
}

static bool judge(struct health_view view, struct health_memory *memory)
{
    struct buf reason;
    buf_init(&reason, 1000);
    bool healthy = health_judge(&view, memory, &reason);
    assert_int_equal(healthy, reason.len == 0);
    buf_close(&reason);
    return healthy;
}

static void health_sees_a_log_that_stands_still(void **state)
{
    (void)state;
    struct health_memory memory = {0};
    struct health_view view = {
        .primary = true, .ready = true, .disk_free = 1ull << 40, .now_ns = SEC_NS};
    assert_true(judge(view, &memory));
    view.now_ns = 100 * SEC_NS; /* idle for long is no fault */
    assert_true(judge(view, &memory));
    view.waiting = 3;
    assert_true(judge(view, &memory));
    view.now_ns += 6 * SEC_NS;
    assert_false(judge(view, &memory));
    view.applied_index = 1;
    assert_true(judge(view, &memory));
}

static void health_sees_a_full_disk_a_lost_directory_and_a_lost_primary(void **state)
{
    (void)state;
    struct health_memory memory = {0};
    struct health_view view = {
        .primary = true, .ready = true, .disk_free = 1 << 20, .now_ns = SEC_NS};
    assert_false(judge(view, &memory));
    view.disk_free = 1ull << 40;
    view.dir_gone = true;
    assert_false(judge(view, &memory));
    view.dir_gone = false;
    view.primary = false;
    assert_false(judge(view, &memory));
}

static void health_sees_a_copy_that_is_behind(void **state)
{
    (void)state;
    struct health_memory memory = {0};
    struct health_view view = {.primary = true, .disk_free = 1ull << 40, .now_ns = SEC_NS};
    assert_false(judge(view, &memory));
    view.ready = true;
    assert_true(judge(view, &memory));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_is_in_the_format),
        cmocka_unit_test(threads_are_added_up),
        cmocka_unit_test(what_ends_on_another_thread_is_not_in_flight),
        cmocka_unit_test(health_sees_a_log_that_stands_still),
        cmocka_unit_test(health_sees_a_copy_that_is_behind),
        cmocka_unit_test(health_sees_a_full_disk_a_lost_directory_and_a_lost_primary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
