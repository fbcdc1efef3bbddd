#include "main/top_screen.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { COUNT = 3, MANY = 40 };

struct bed {
    struct buf json, events, screen;
    yyjson_doc *balance, *happened;
    struct cluster_view cluster;
    struct top_picture picture;
};

static void write_balance(struct bed *bed, unsigned servers)
{
    buf_puts(&bed->json, "{\"policy\":\"two-choices\",\"mode\":\"proxy\",\"url\":"
                         "\"http://127.0.0.1:8080\",\"totals\":{\"requests_per_s\":1234.5,"
                         "\"in_flight\":7,\"queue\":2,\"clients\":64,\"processor\":0.23,"
                         "\"p50_ms\":0.8,\"p95_ms\":2,\"p99_ms\":4.25,\"p999_ms\":120,"
                         "\"requests\":1234567,\"failed\":0,\"shed\":3,\"spread\":0.0421},"
                         "\"servers\":[");
    for (unsigned i = 1; i <= servers; i++)
        buf_printf(&bed->json,
                   "%s{\"id\":%u,\"name\":\"server %u\",\"url\":\"http://10.0.0.%u:8080\","
                   "\"state\":\"%s\",\"role\":\"%s\",\"share\":1,\"in_flight\":%u,"
                   "\"failures\":%u,\"requests_per_s\":411.5,\"p50_ms\":0.8,\"p99_ms\":12000,"
                   "\"homes\":120}",
                   i > 1 ? "," : "", i, i, i, i == 2 ? "out" : "up",
                   i == 1 ? "primary" : "secondary", i, i == 2 ? 9u : 0u);
    buf_puts(&bed->json, "]}");
    bed->balance = yyjson_read(bed->json.at, bed->json.len, 0);
    assert_non_null(bed->balance);
    bed->picture.balance = yyjson_doc_get_root(bed->balance);
}

static void write_events(struct bed *bed, unsigned count)
{
    buf_byte(&bed->events, '[');
    for (unsigned i = 1; i <= count; i++)
        buf_printf(&bed->events,
                   "%s{\"number\":%u,\"time\":\"2026-11-22T12:00:%02u.000Z\",\"kind\":\"out\","
                   "\"name\":\"server 2\",\"text\":\"event %u\"}",
                   i > 1 ? "," : "", i, i % 60, i);
    buf_byte(&bed->events, ']');
    bed->happened = yyjson_read(bed->events.at, bed->events.len, 0);
    assert_non_null(bed->happened);
    bed->picture.events = yyjson_doc_get_root(bed->happened);
}

static int set_up(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    buf_init(&bed->json, 1 << 20);
    buf_init(&bed->events, 1 << 20);
    buf_init(&bed->screen, 1 << 20);
    bed->picture = (struct top_picture){.door = "http://127.0.0.1:9080",
                                        .time = "12:00:00",
                                        .cluster = &bed->cluster,
                                        .columns = 80,
                                        .rows = 24};
    *state = bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    yyjson_doc_free(bed->balance);
    yyjson_doc_free(bed->happened);
    buf_close(&bed->json);
    buf_close(&bed->events);
    buf_close(&bed->screen);
    free(bed);
    return 0;
}

/* The screen as a string; its lines fit the window. */
static const char *paint(struct bed *bed)
{
    buf_clear(&bed->screen);
    top_screen(&bed->picture, &bed->screen);
    buf_byte(&bed->screen, 0);
    assert_false(bed->screen.failed);
    struct str rest = str_of(bed->screen.at), line;
    unsigned lines = 0;
    for (; str_cut(&rest, '\n', &line) && rest.at; lines++)
        if (!bed->picture.colours && !memchr(line.at, 0xe2, line.len))
            assert_true(line.len <= bed->picture.columns);
    assert_true(lines <= bed->picture.rows);
    return bed->screen.at;
}

static void it_shows_each_server_the_totals_and_the_events(void **state)
{
    struct bed *bed = *state;
    write_balance(bed, COUNT);
    write_events(bed, 2);
    const char *screen = paint(bed);
    const char *const parts[] = {
        "stoa top  http://127.0.0.1:8080  two-choices, proxy mode",
        "12:00:00\n",
        "requests/s 1.23k  in flight 7  waiting 2  clients 64  processor 23%\n",
        "p50 0.80  p95 2.00  p99 4.25  p99.9 120  spread 0.042\n",
        "requests 1.23M  failed 0  refused 3",
        "server 1       primary   up       100%    412    1  0.80    12s    0    0   120\n",
        "server 2       secondary out      100%",
        "events\n12:00:01 server 2: event 1\n12:00:02 server 2: event 2\n",
    };
    for (unsigned i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (!strstr(screen, parts[i]))
            fail_msg("\"%s\" is not in\n%s", parts[i], screen);
    assert_null(strchr(screen, '\033'));
}

static void what_does_not_fit_is_left_out_but_the_newest_events_stay(void **state)
{
    struct bed *bed = *state;
    write_balance(bed, MANY);
    write_events(bed, MANY);
    const char *screen = paint(bed);
    assert_non_null(strstr(screen, "… and 2"));
    assert_null(strstr(screen, "server 40 "));
    assert_non_null(strstr(screen, "event 40\n"));
    assert_null(strstr(screen, "event 1\n"));
    bed->picture.rows = 200;
    screen = paint(bed);
    assert_non_null(strstr(screen, "server 40 "));
    assert_non_null(strstr(screen, "event 1\n"));
    assert_null(strstr(screen, "… and"));
}

static void it_fits_any_window(void **state)
{
    struct bed *bed = *state;
    write_balance(bed, MANY);
    write_events(bed, MANY);
    for (unsigned columns = TOP_COLUMNS_LEAST; columns < 140; columns += 7)
        for (unsigned rows = TOP_ROWS_LEAST; rows < 70; rows += 3) {
            bed->picture.columns = columns;
            bed->picture.rows = rows;
            paint(bed);
        }
}

static void colours_are_for_terminals_and_bad_states(void **state)
{
    struct bed *bed = *state;
    write_balance(bed, COUNT);
    bed->picture.colours = true;
    const char *screen = paint(bed);
    assert_non_null(strstr(screen, "\033[31mout     \033[0m"));
    assert_non_null(strstr(screen, "\033[32mup      \033[0m"));
}

static void a_wide_window_shows_where_servers_are(void **state)
{
    struct bed *bed = *state;
    write_balance(bed, COUNT);
    assert_null(strstr(paint(bed), "http://10.0.0.3:8080"));
    bed->picture.columns = 120;
    assert_non_null(strstr(paint(bed), "http://10.0.0.3:8080"));
}

static void trouble_is_told_beside_what_was_known(void **state)
{
    struct bed *bed = *state;
    bed->picture.trouble = "the server at http://127.0.0.1:9080: refused";
    assert_non_null(strstr(paint(bed), "refused; asking again"));
    write_balance(bed, COUNT);
    assert_non_null(strstr(paint(bed), "refused; asking again"));
    assert_non_null(strstr(bed->screen.at, "server 3"));
}

static void several_load_managers_are_listed(void **state)
{
    struct bed *bed = *state;
    write_balance(bed, COUNT);
    bed->cluster.manager_count = 2;
    bed->cluster.managers[0] =
        (struct view_manager){.pid = 11, .url = "http://a:1", .status = "http://127.0.0.1:9080"};
    bed->cluster.managers[1] =
        (struct view_manager){.pid = 22, .url = "http://b:2", .status = "http://127.0.0.1:9090"};
    const char *screen = paint(bed);
    assert_non_null(strstr(screen, "pid 11"));
    assert_non_null(strstr(screen, "pid 22"));
    assert_non_null(strstr(screen, "(this one)"));
}

static void control_characters_in_names_do_nothing(void **state)
{
    struct bed *bed = *state;
    const char json[] =
        "{\"totals\":{},\"servers\":[{\"id\":1,\"name\":\"a\\u001b[2Jb\",\"state\":\"up\"}]}";
    bed->balance = yyjson_read(json, strlen(json), 0);
    bed->picture.balance = yyjson_doc_get_root(bed->balance);
    assert_non_null(strstr(paint(bed), "a?[2Jb"));
}

#define LOOKING(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LOOKING(it_shows_each_server_the_totals_and_the_events),
        LOOKING(what_does_not_fit_is_left_out_but_the_newest_events_stay),
        LOOKING(it_fits_any_window),
        LOOKING(colours_are_for_terminals_and_bad_states),
        LOOKING(a_wide_window_shows_where_servers_are),
        LOOKING(trouble_is_told_beside_what_was_known),
        LOOKING(several_load_managers_are_listed),
        LOOKING(control_characters_in_names_do_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
