/* Load managers before a server: who is there, the way back to them, and ids made from a stamp. */
#include "base/clock.h"
#include "web/announced.h"
#include "web/once.h"
#include "web/traffic.h"
#include "web/wayback.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct manager manager_of(unsigned number, uint64_t seen_ns, bool direct)
{
    struct manager manager = {.pid = number, .seen_ns = seen_ns, .direct = direct};
    snprintf(manager.id, sizeof manager.id, "%016x", number);
    snprintf(manager.url, sizeof manager.url, "http://127.0.0.1:%u", 8000 + number);
    snprintf(manager.peer, sizeof manager.peer, "10.0.0.%u", number);
    return manager;
}

static void hear(struct managers *managers, unsigned number, uint64_t seen_ns)
{
    struct manager manager = manager_of(number, seen_ns, false);
    managers_hear(managers, &manager);
}

/* ---- Who is there ---- */

static void the_longest_known_comes_first_and_the_silent_are_forgotten(void **state)
{
    (void)state;
    static struct manager list[MANAGERS_MAX];
    struct managers *managers = managers_new();
    const uint64_t second = 1000 * MS_NS;
    hear(managers, 1, 10 * second);
    hear(managers, 2, 11 * second);
    hear(managers, 1, 12 * second); /* again */
    assert_int_equal(managers_list(managers, 13 * second, list), 2);
    assert_int_equal(list[0].pid, 1);
    assert_int_equal(list[1].pid, 2);
    assert_true(managers_come_from(managers, STR("10.0.0.2"), 16 * second));
    assert_false(managers_come_from(managers, STR("10.0.0.3"), 16 * second));
    /* Though nobody has asked for the list since. */
    assert_false(managers_come_from(managers, STR("10.0.0.2"), 16 * second + 1));
    assert_int_equal(managers_list(managers, 16 * second + 1, list), 1);
    assert_int_equal(list[0].pid, 1);
    assert_false(managers_come_from(managers, STR("10.0.0.2"), 16 * second + 1));
    assert_int_equal(managers_list(managers, 17 * second + 1, list), 0);
    managers_free(managers);
}

static void the_longest_silent_makes_room(void **state)
{
    (void)state;
    static struct manager list[MANAGERS_MAX];
    struct managers *managers = managers_new();
    for (unsigned i = 0; i < MANAGERS_MAX; i++)
        hear(managers, i, i == 5 ? 1 : 100 + i);
    hear(managers, 1000, 300);
    assert_int_equal(managers_list(managers, 300, list), MANAGERS_MAX);
    for (unsigned i = 0; i < MANAGERS_MAX; i++)
        assert_int_not_equal(list[i].pid, 5);
    assert_int_equal(list[MANAGERS_MAX - 1].pid, 1000);
    managers_free(managers);
}

/* ---- The way back ---- */

static struct cluster_status servers_of(unsigned count)
{
    struct cluster_status status = {.count = count};
    for (unsigned i = 0; i < count; i++)
        snprintf(status.servers[i].place.url, sizeof status.servers[i].place.url,
                 "http://127.0.0.1:%u", 9001 + i);
    return status;
}

static void the_way_back_is_the_first_load_manager_in_direct_mode(void **state)
{
    (void)state;
    struct wayback *wayback = wayback_new();
    struct wayback_view *view = calloc(1, sizeof *view);
    struct cluster_status status = servers_of(2);
    struct manager managers[] = {manager_of(1, 1, false), manager_of(2, 1, true),
                                 manager_of(3, 1, true)};
    assert_false(wayback_look(wayback, view));
    assert_false(wayback_learn(wayback, managers, 1, &status)); /* in proxy mode */
    assert_false(wayback_look(wayback, view));
    assert_false(wayback_has(view, STR("")));
    assert_true(wayback_learn(wayback, managers, 3, &status));
    assert_false(wayback_learn(wayback, managers, 3, &status)); /* no news */
    assert_true(wayback_look(wayback, view));
    assert_string_equal(view->url, "http://127.0.0.1:8002");
    assert_string_equal(view->origins, "http://127.0.0.1:8002 http://127.0.0.1:9001 "
                                       "http://127.0.0.1:9002 http://127.0.0.1:8003");
    assert_true(wayback_has(view, STR("http://127.0.0.1:9002")));
    assert_false(wayback_has(view, STR("http://127.0.0.1:900")));
    assert_false(wayback_has(view, STR("null")));
    assert_true(wayback_learn(wayback, managers, 1, &status)); /* the others are gone */
    assert_false(wayback_look(wayback, view));
    assert_false(wayback_has(view, STR("http://127.0.0.1:9002")));
    free(view);
    wayback_free(wayback);
}

static void the_way_back_ends_when_all_who_are_it_have_been_silent_for_long(void **state)
{
    (void)state;
    struct wayback *wayback = wayback_new();
    struct wayback_view *view = calloc(1, sizeof *view);
    struct cluster_status status = servers_of(2);
    const uint64_t second = 1000 * MS_NS;
    struct manager managers[] = {manager_of(1, 9 * second, true), manager_of(2, 10 * second, true)};
    assert_false(wayback_lapses(wayback, 100 * second)); /* there was none */
    assert_true(wayback_learn(wayback, managers, 2, &status));
    assert_false(wayback_lapses(wayback, 15 * second)); /* the second one was heard just now */
    assert_true(wayback_look(wayback, view));
    assert_true(wayback_lapses(wayback, 15 * second + 1));
    assert_false(wayback_lapses(wayback, 15 * second + 2)); /* told once */
    assert_false(wayback_look(wayback, view));
    assert_false(wayback_has(view, STR("http://127.0.0.1:9002")));
    managers[0].seen_ns = 20 * second; /* back again */
    assert_true(wayback_learn(wayback, managers, 1, &status));
    assert_true(wayback_look(wayback, view));
    assert_string_equal(view->url, "http://127.0.0.1:8001");
    free(view);
    wayback_free(wayback);
}

/* They go into headers and pages. */
static void an_address_that_is_more_than_an_origin_is_none(void **state)
{
    (void)state;
    static const char *const good[] = {"http://a", "https://shop.example:8443", "http://[::1]:80"};
    static const char *const bad[] = {
        "",          "http://",          "ftp://a",       "a:80",
        "http://a/", "http://a b",       "http://a;b",    "http://a,b",
        "http://a'", "http://a\r\nX: y", "http://u@a:80", "https://a?"};
    struct wayback *wayback = wayback_new();
    struct wayback_view *view = calloc(1, sizeof *view);
    struct cluster_status status = servers_of(1);
    for (unsigned i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(wayback_is_origin(str_of(good[i])));
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct manager manager = manager_of(1, 1, true);
        assert_false(wayback_is_origin(str_of(bad[i])));
        snprintf(manager.url, sizeof manager.url, "%s", bad[i]);
        assert_false(wayback_learn(wayback, &manager, 1, &status));
        assert_false(wayback_look(wayback, view));
    }
    free(view);
    wayback_free(wayback);
}

static void more_origins_than_there_is_room_for_are_left_out(void **state)
{
    (void)state;
    struct wayback *wayback = wayback_new();
    struct wayback_view *view = calloc(1, sizeof *view);
    struct manager *managers = calloc(MANAGERS_MAX, sizeof *managers);
    struct cluster_status status = servers_of(3);
    for (unsigned i = 0; i < MANAGERS_MAX; i++) {
        managers[i] = manager_of(i, 1, true);
        size_t len = strlen(managers[i].url);
        memset(managers[i].url + 7, 'a', sizeof managers[i].url - 8);
        managers[i].url[sizeof managers[i].url - 1] = '\0';
        managers[i].url[len] = (char)('A' + i % 26);
        managers[i].url[len + 1] = (char)('A' + i / 26);
    }
    assert_true(wayback_learn(wayback, managers, MANAGERS_MAX, &status));
    assert_true(wayback_look(wayback, view));
    assert_true(strlen(view->origins) < sizeof view->origins);
    assert_true(wayback_has(view, STR("http://127.0.0.1:9003"))); /* servers before others */
    assert_false(wayback_has(view, str_of(managers[MANAGERS_MAX - 1].url)));
    free(managers);
    free(view);
    wayback_free(wayback);
}

/* ---- How busy a server is ---- */

static void a_server_says_how_many_are_here_and_how_long_they_take(void **state)
{
    (void)state;
    const uint64_t second = 1000 * MS_NS;
    struct traffic traffic;
    struct traffic_now now;
    traffic_init(&traffic);
    struct traffic_thread *a = traffic_thread_new(&traffic), *b = traffic_thread_new(&traffic);
    traffic_now(&traffic, second, &now);
    assert_true(now.in_flight == 0 && now.latency_ns == 0);
    traffic_begin(a);
    traffic_begin(a);
    traffic_begin(b);
    traffic_now(&traffic, second, &now);
    assert_int_equal(now.in_flight, 3);
    traffic_end(a);
    traffic_count(a, WEB_PAGES, 200, second, second + 8 * MS_NS);
    traffic_count(a, WEB_OPERATOR, 200, 0, second + 9 * MS_NS); /* an import */
    traffic_now(&traffic, second + 10 * MS_NS, &now);
    assert_int_equal(now.in_flight, 2);
    assert_int_equal(now.latency_ns, 8 * MS_NS);
    traffic_count(b, WEB_CACHED, 200, second, second + 2 * MS_NS);
    traffic_now(&traffic, second + 10 * MS_NS, &now);
    assert_int_equal(now.latency_ns, 5 * MS_NS);
    /* Nobody came: it counts less and less. */
    traffic_now(&traffic, 3 * second + 10 * MS_NS, &now);
    assert_in_range(now.latency_ns, MS_NS, 2 * MS_NS);
    traffic_now(&traffic, 3000 * second, &now);
    assert_int_equal(now.latency_ns, 0);
    /* And follows what takes longer. */
    for (unsigned i = 0; i < 400; i++)
        traffic_count(a, WEB_UCP, 200, 0, 40 * MS_NS);
    traffic_now(&traffic, 50 * MS_NS, &now);
    assert_in_range(now.latency_ns, 20 * MS_NS, 22 * MS_NS); /* with b's 2 ms */
    traffic_close(&traffic);
}

/* ---- Times of ids ---- */

static void an_id_has_its_stamps_time_unless_that_is_far_off(void **state)
{
    (void)state;
    const int64_t now = 1795345678000, hour = 3600000;
    assert_true(once_time(now, now) == now);
    assert_true(once_time(now - hour, now) == now - hour);
    assert_true(once_time(now + hour, now) == now + hour);
    static const int64_t far[] = {0, 1795345678000 - 3700000, 1795345678000 + 3700000,
                                  (INT64_C(1) << 48) - 1};
    for (unsigned i = 0; i < sizeof far / sizeof *far; i++) {
        int64_t first = once_time(far[i], now), second = once_time(far[i], now + 50);
        assert_true(first == second);
        assert_true(first <= now && first > now - 5 * hour);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_known_comes_first_and_the_silent_are_forgotten),
        cmocka_unit_test(the_longest_silent_makes_room),
        cmocka_unit_test(the_way_back_is_the_first_load_manager_in_direct_mode),
        cmocka_unit_test(the_way_back_ends_when_all_who_are_it_have_been_silent_for_long),
        cmocka_unit_test(an_address_that_is_more_than_an_origin_is_none),
        cmocka_unit_test(more_origins_than_there_is_room_for_are_left_out),
        cmocka_unit_test(a_server_says_how_many_are_here_and_how_long_they_take),
        cmocka_unit_test(an_id_has_its_stamps_time_unless_that_is_far_off),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
