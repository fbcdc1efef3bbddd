#include "balance/view.h"
#include "balance/view_table.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct balance_view *example(void)
{
    struct balance_view *view = calloc(1, sizeof *view);
    assert_non_null(view);
    view->started_ns = SEC_NS;
    view->now_ns = 11 * SEC_NS;
    view->policy = "least-connections";
    view->cluster = true;
    view->primary = 2;
    view->loop_count = 2;
    view->count = 3;
    view->usable = 2;
    strcpy(view->url, "http://127.0.0.1:8080");
    for (unsigned i = 0; i < view->count; i++) {
        struct view_backend *server = &view->at[i];
        server->id = i + 1;
        snprintf(server->name, sizeof server->name, "server %u", i + 1);
        server->shop = true;
        server->primary = i == 1;
        server->weight = 100;
        server->share = 1000;
        server->state = i == 2 ? HEALTH_OUT : HEALTH_UP;
    }
    view->at[2].out_until_ns = 12 * SEC_NS;
    return view;
}

static void quantiles_are_within_a_sixteenth(void **state)
{
    (void)state;
    struct latency_counts *counts = calloc(1, sizeof *counts);
    struct latency_decay decay = {0};
    static const struct latency_look none;
    struct latency_look look = {0};
    for (uint64_t us = 1; us <= 100000; us++)
        latency_count(counts, us * 1000);
    latency_look(counts, &look);
    uint64_t total = 0;
    for (unsigned i = 0; i < LATENCY_CELLS; i++)
        total += look.cells[i];
    assert_int_equal(total, 100000);
    latency_fade(&decay, &none, &look, SEC_NS);
    const double shares[] = {0.01, 0.5, 0.95, 0.99, 0.999, 1};
    for (unsigned i = 0; i < sizeof shares / sizeof *shares; i++) {
        double wanted = shares[i] * 100000e3;
        double got = (double)latency_quantile(&decay, shares[i]);
        assert_true(got > wanted * 15 / 16 && got < wanted * 17 / 16);
    }
    free(counts);
}

static void each_time_falls_into_the_cell_that_ends_above_it(void **state)
{
    (void)state;
    for (uint64_t ns = 1; ns < 1ull << 62; ns += ns / 8 + 1) {
        unsigned cell = latency_cell(ns);
        assert_true(cell < LATENCY_CELLS);
        assert_true(ns < latency_cell_end(cell));
        if (cell)
            assert_true(ns >= latency_cell_end(cell - 1));
    }
    assert_int_equal(latency_cell(0), 0);
    assert_int_equal(latency_cell(UINT64_MAX), LATENCY_CELLS - 1);
}

static void what_is_old_fades(void **state)
{
    (void)state;
    struct latency_decay decay = {0};
    struct latency_look none = {0}, slow = {0}, fast;
    slow.cells[latency_cell(SEC_NS)] = 1000;
    latency_fade(&decay, &none, &slow, SEC_NS);
    assert_true(latency_quantile(&decay, 0.5) > SEC_NS / 2);
    fast = slow;
    fast.cells[latency_cell(MS_NS)] = 200;
    latency_fade(&decay, &slow, &fast, 10 * SEC_NS);
    assert_true(latency_quantile(&decay, 0.5) < 2 * MS_NS);
    latency_fade(&decay, &fast, &fast, 100 * SEC_NS);
    assert_int_equal(latency_quantile(&decay, 0.5), 0); /* nothing came for long */
}

static void rates_come_from_two_looks_and_follow_a_server_to_its_place(void **state)
{
    (void)state;
    struct view_memory *memory = calloc(1, sizeof *memory);
    struct balance_view *view = example();
    view_roll(memory, view);
    view->now_ns += 2 * SEC_NS;
    view->at[0].requests = 200;
    view->at[1].requests = 200;
    view->totals.requests = 400;
    view->at[1].latency.cells[latency_cell(8 * MS_NS)] = 100;
    view_roll(memory, view);
    assert_float_equal(view->totals.requests_per_s, 200, 0.01);
    assert_float_equal(view->at[1].requests_per_s, 100, 0.01);
    assert_float_equal(view->spread, 0, 0.001);
    assert_in_range(view->at[1].p99_ns, 7 * MS_NS, 9 * MS_NS);

    /* The first server has gone; the second, now at its place, keeps what is known of it. */
    view->now_ns += SEC_NS;
    view->at[0] = view->at[1];
    view->at[1] = view->at[2];
    view->count = 2;
    view->at[0].requests = 250;
    view_roll(memory, view);
    assert_float_equal(view->at[0].requests_per_s, 50, 0.01);
    assert_in_range(view->at[0].p99_ns, 7 * MS_NS, 9 * MS_NS);

    /* Too soon: the figures of before stand. */
    view->now_ns += 1;
    view->at[0].requests = 251;
    view->at[0].requests_per_s = 0;
    view_roll(memory, view);
    assert_float_equal(view->at[0].requests_per_s, 50, 0.01);
    free(memory);
    free(view);
}

static void spread_is_the_variation_of_load_by_weight(void **state)
{
    (void)state;
    struct view_memory *memory = calloc(1, sizeof *memory);
    struct balance_view *view = example();
    view_roll(memory, view);
    view->now_ns += SEC_NS;
    view->at[0].weight = 200;
    view->at[0].requests = 200;
    view->at[1].requests = 100;
    view->at[2].requests = 1; /* out: does not count */
    view_roll(memory, view);
    assert_float_equal(view->spread, 0, 0.001);
    view->now_ns += SEC_NS;
    view->at[0].requests += 600; /* 3 and 1 by weight: mean 2, deviation 1 */
    view->at[1].requests += 100;
    view_roll(memory, view);
    assert_float_equal(view->spread, 0.5, 0.001);
    free(memory);
    free(view);
}

/* ---- Prometheus' format ---- */

struct checker {
    char name[128], type[16]; /* of the family that is being read */
    char seen[256][128];      /* families so far: none may come twice */
    unsigned families, samples;
};

static bool is_name(struct str name)
{
    for (size_t i = 0; i < name.len; i++)
        if (!strchr("abcdefghijklmnopqrstuvwxyz_:0123456789", name.at[i]))
            return false;
    return name.len > 0 && (name.at[0] < '0' || name.at[0] > '9');
}

static void begin_family(struct checker *checker, struct str rest)
{
    ptrdiff_t space = str_find_byte(rest, ' ');
    assert_true(space > 0);
    struct str name = str_sub(rest, 0, (size_t)space);
    assert_true(is_name(name));
    str_copy(checker->name, sizeof checker->name, name);
    for (unsigned i = 0; i < checker->families; i++)
        assert_string_not_equal(checker->seen[i], checker->name);
    assert_true(checker->families < 256);
    strcpy(checker->seen[checker->families++], checker->name);
    assert_true(rest.len > (size_t)space + 2); /* some help */
}

/* {name="value",...}; returns the place after it. */
static const char *check_labels(const char *at)
{
    if (*at != '{')
        return at;
    do {
        const char *name = ++at;
        while (*at != '=')
            at++;
        assert_true(is_name(str_make(name, (size_t)(at - name))));
        assert_int_equal(*++at, '"');
        for (at++; *at != '"'; at++) {
            assert_true((unsigned char)*at >= ' ');
            if (*at == '\\')
                assert_non_null(strchr("\\\"n", *++at));
        }
        at++;
    } while (*at == ',');
    assert_int_equal(*at, '}');
    return at + 1;
}

static void check_sample(struct checker *checker, const char *line)
{
    size_t len = strlen(checker->name);
    assert_memory_equal(line, checker->name, len);
    const char *at = line + len;
    if (strcmp(checker->type, "histogram") == 0) {
        const char *ends[] = {"_bucket", "_sum", "_count"};
        unsigned end = 0;
        while (end < 3 && strncmp(at, ends[end], strlen(ends[end])) != 0)
            end++;
        assert_true(end < 3);
        at += strlen(ends[end]);
    } else if (strcmp(checker->type, "counter") == 0) {
        assert_true(str_ends(str_of(checker->name), STR("_total")));
    } else {
        assert_false(str_ends(str_of(checker->name), STR("_total")));
    }
    at = check_labels(at);
    assert_int_equal(*at, ' ');
    char *rest;
    strtod(at + 1, &rest);
    assert_ptr_not_equal(rest, at + 1);
    assert_int_equal(*rest, 0);
    checker->samples++;
}

static void check_format(struct checker *checker, struct str text)
{
    struct str rest = text, line;
    assert_int_equal(text.at[text.len - 1], '\n');
    while (str_cut(&rest, '\n', &line) && line.len) {
        if (str_starts(line, STR("# HELP "))) {
            begin_family(checker, str_from(line, 7));
        } else if (str_starts(line, STR("# TYPE "))) {
            char name[128];
            char copy[512];
            str_copy(copy, sizeof copy, str_from(line, 7));
            assert_int_equal(sscanf(copy, "%127s %15s", name, checker->type), 2);
            assert_string_equal(name, checker->name);
        } else {
            char copy[1024];
            assert_true(line.len < sizeof copy);
            check_sample(checker, str_copy(copy, sizeof copy, line));
        }
    }
}

static void has(struct str text, const char *line)
{
    if (str_find(text, str_of(line)) < 0)
        fail_msg("not there: %s", line);
}

static void metrics_are_in_prometheus_format(void **state)
{
    (void)state;
    struct checker *checker = calloc(1, sizeof *checker);
    struct balance_view *view = example();
    struct buf out;
    buf_init(&out, 1 << 20);
    view->totals.requests = 123456789012345;
    view->at[0].round_trip_ns = 1500000;
    view->at[0].latency.cells[0] = 2;
    view->at[0].latency.cells[LATENCY_CELLS - 1] = 1;
    strcpy(view->at[1].name, "a \"b\"\n\\c");
    view_write_metrics(&out, view);
    assert_false(out.failed);
    check_format(checker, buf_text(&out));
    assert_true(checker->families > 60);
    struct str text = buf_text(&out);
    has(text, "\nstoa_balance_requests_total 123456789012345\n");
    has(text, "\nstoa_balance_server_state{server=\"3\",name=\"server 3\",state=\"out\"} 1\n");
    has(text, "\nstoa_balance_server_state{server=\"3\",name=\"server 3\",state=\"up\"} 0\n");
    has(text, "{server=\"2\",name=\"a \\\"b\\\"\\n\\\\c\"} ");
    has(text, "server_round_trip_seconds{server=\"1\",name=\"server 1\"} 0.0015\n");
    has(text,
        "server_request_seconds_bucket{server=\"1\",name=\"server 1\",le=\"1.6384e-05\"} 2\n");
    has(text, "server_request_seconds_bucket{server=\"1\",name=\"server 1\",le=\"+Inf\"} 3\n");
    has(text, "server_request_seconds_count{server=\"1\",name=\"server 1\"} 3\n");
    has(text, "\nprocess_open_fds 0\n");
    buf_close(&out);
    free(view);
    free(checker);
}

static void the_most_servers_fit(void **state)
{
    (void)state;
    struct balance_view *view = example();
    struct buf out;
    view->count = BACKENDS_MAX;
    view->loop_count = VIEW_LOOPS_MAX;
    for (unsigned i = 0; i < view->count; i++) {
        view->at[i] = view->at[0];
        memset(view->at[i].name, '"', BACKEND_NAME - 1);
        memset(view->at[i].url, '\x01', BACKEND_URL - 1);
        for (unsigned cell = 0; cell < LATENCY_CELLS; cell++)
            view->at[i].latency.cells[cell] = UINT32_MAX;
    }
    buf_init(&out, VIEW_TEXT_MAX);
    view_write_metrics(&out, view);
    assert_false(out.failed);
    buf_clear(&out);
    view_write_json(&out, view);
    assert_false(out.failed);
    buf_close(&out);
    free(view);
}

/* ---- JSON ---- */

static void json_tells_servers_totals_and_loops(void **state)
{
    (void)state;
    struct balance_view *view = example();
    struct buf out;
    buf_init(&out, VIEW_TEXT_MAX);
    view->totals.p99_ns = 2500000;
    view->panic = true;
    strcpy(view->at[0].name, "a \"b\"\n");
    view_write_json(&out, view);
    struct str text = buf_text(&out);
    has(text, "\"policy\":\"least-connections\",\"mode\":\"proxy\"");
    has(text, "\"uptime_s\":10.000,\"cluster\":true,\"primary\":2,");
    has(text, "\"p99_ms\":2.500");
    has(text, "\"panic\":true");
    has(text, "{\"id\":1,\"name\":\"a \\\"b\\\"\\u000a\",\"url\":\"\",\"state\":\"up\",");
    has(text, "\"state\":\"up\",\"role\":\"primary\"");
    has(text, "\"state\":\"out\",\"role\":\"secondary\",\"out_for_ms\":1000,");
    has(text, "{\"loop\":1,\"requests\":0");
    assert_int_equal(text.at[text.len - 1], '}');
    buf_close(&out);
    free(view);
}

/* docs/balance.md lists each metric with its type. */
static void the_reference_lists_every_metric(void **state)
{
    (void)state;
    char path[512], line[256];
    const char *root = getenv("STOA_ROOT");
    snprintf(path, sizeof path, "%s/docs/balance.md", root ? root : ".");
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char *text = calloc(1, 1 << 20);
    size_t len = fread(text, 1, (1 << 20) - 1, file);
    fclose(file);
    const struct metric_row *const tables[] = {view_rows_whole, view_rows_server, view_rows_loop};
    for (unsigned i = 0; i < 3; i++) {
        for (const struct metric_row *row = tables[i]; row->key || row->metric; row++) {
            if (!row->metric)
                continue;
            bool process = strncmp(row->metric, "process_", 8) == 0;
            snprintf(line, sizeof line, "| `%s%s` | %s | %s |", process ? "" : "stoa_balance_",
                     row->metric, row->type, row->help);
            has(str_make(text, len), line);
        }
    }
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(quantiles_are_within_a_sixteenth),
        cmocka_unit_test(each_time_falls_into_the_cell_that_ends_above_it),
        cmocka_unit_test(what_is_old_fades),
        cmocka_unit_test(rates_come_from_two_looks_and_follow_a_server_to_its_place),
        cmocka_unit_test(spread_is_the_variation_of_load_by_weight),
        cmocka_unit_test(metrics_are_in_prometheus_format),
        cmocka_unit_test(the_most_servers_fit),
        cmocka_unit_test(json_tells_servers_totals_and_loops),
        cmocka_unit_test(the_reference_lists_every_metric),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
