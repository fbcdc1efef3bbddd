/* What a front's status door says of the tiers, from made-up looks. */
#include "admin/tiers.h"
#include "admin/tiers_table.h"
#include "base/check.h"
#include "base/clock.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include <cmocka.h>

enum { MASTER = 100, FOLLOWER = 101, FIRST = 200, SECOND = 201, STARTS = 202 };

#define NOW (1000 * SEC_NS)

struct tiers {
    struct tiers_memory memory;
    struct tiers_view view;
};

static struct queue_seat_view seat_of(enum queue_role role, unsigned seat, uint32_t pid,
                                      uint64_t now_ns)
{
    return (struct queue_seat_view){
        .role = role,
        .seat = seat,
        .pid = pid,
        .report = {.beat_ns = now_ns - 10 * MS_NS, .helpers = role == QUEUE_WORKER},
    };
}

/* Two fronts, the master of two threads, and two workers. */
static void look_at(struct tiers_view *view, uint64_t now_ns)
{
    struct scale_look *look = &view->look;
    memset(view, 0, sizeof *view);
    look->now_ns = now_ns;
    look->stats.slots = 64;
    look->stats.workers = 2;
    look->seats[0] = seat_of(QUEUE_FRONT, 0, MASTER, now_ns);
    look->seats[1] = seat_of(QUEUE_WORKER, 1, FIRST, now_ns);
    look->seats[2] = seat_of(QUEUE_FRONT, 2, MASTER, now_ns);
    look->seats[3] = seat_of(QUEUE_WORKER, 3, SECOND, now_ns);
    look->seats[4] = seat_of(QUEUE_FRONT, 4, FOLLOWER, now_ns);
    look->seats[4].number = 1;
    look->seat_count = 5;
    view->started_ns = NOW - 10 * SEC_NS;
    view->wall_ms = 1700000000000;
    view->self.pid = FOLLOWER;
    view->master.pid = MASTER;
}

static void add_work(struct tiers_view *view)
{
    struct scale_look *look = &view->look;
    look->stats.entered[SHARE_BUYS] = 300;
    look->stats.taken[SHARE_BUYS] = 250;
    look->stats.done[SHARE_BUYS] = 240;
    look->stats.work_ns[SHARE_BUYS] = 240 * 5 * MS_NS;
    look->stats.dropped[SHARE_PAGES] = 20;
    look->stats.refused[SHARE_PAGES] = 10;
    look->stats.waiting[SHARE_BUYS] = 40;
    look->stats.held[SHARE_BUYS] = 50;
    look->stats.weight[SHARE_BUYS] = 4;
    look->stats.oldest_wait_ns = 80 * MS_NS;
    look->stats.waits[80] = 250;
    look->stats.waited_ns = 3 * SEC_NS;
    look->stats.given_back = 3;
    look->seats[1].handled = 150;
    look->seats[1].empty_polls = 7;
    look->seats[1].report.open = 6;
    look->seats[1].report.helper_ns = 1500 * MS_NS;
    look->seats[0].report.open = 20;
    look->seats[2].report.open = 10;
    look->seats[0].report.counts[0] = look->seats[2].report.counts[0] = 1234;
    look->seats[0].report.counts[1] = look->seats[2].report.counts[1] = 10;
}

/* The master has decided to have three workers, of which one is still starting. */
static void add_board(struct tiers_view *view)
{
    struct scale_board *board = &view->board;
    struct fleet_tier_view *workers = &board->tiers[FLEET_WORKER];
    struct scale_event event = {
        .wall_ms = 1699999999000,
        .decision = {.workers_before = 1,
                     .workers = 3,
                     .fronts_before = 2,
                     .fronts = 2,
                     .wish = 3,
                     .load = 980,
                     .reason = "the \"queue\" was too long"},
        .sample = {.queued = 9, .busy = 990, .workers = {.ready = 1}},
    };
    view->scaled = true;
    board->master.pid = MASTER;
    board->told_ns = view->look.now_ns - 50 * MS_NS;
    strcpy(board->rule, "poll");
    board->workers_wanted = 3;
    board->fronts_wanted = 2;
    workers->wanted = 3;
    workers->starts = 4;
    workers->crashes = 1;
    workers->count = 3;
    workers->members[0] = (struct fleet_member_view){1, FLEET_READY, FIRST, 0, 0};
    workers->members[1] = (struct fleet_member_view){2, FLEET_DRAINING, SECOND, 0, 0};
    workers->members[2] = (struct fleet_member_view){3, FLEET_STARTING, STARTS, 2, 0};
    scale_board_add(board, &event);
}

/* A second ago nothing had been done yet. */
static int make(void **state)
{
    struct tiers *tiers = calloc(1, sizeof *tiers);
    look_at(&tiers->view, NOW - 2 * SEC_NS);
    tiers_remember(&tiers->memory, &tiers->view);
    look_at(&tiers->view, NOW);
    add_work(&tiers->view);
    add_board(&tiers->view);
    *state = tiers;
    return 0;
}

static int drop(void **state)
{
    free(*state);
    return 0;
}

static const struct tiers_member *member_of(const struct tiers_view *view, uint32_t pid)
{
    for (unsigned i = 0; i < view->count; i++)
        if (view->members[i].pid == pid)
            return &view->members[i];
    fail_msg("process %u is not shown", pid);
    return NULL;
}

/* ---- Figures ---- */

static void rates_are_of_the_time_between_two_looks(void **state)
{
    struct tiers *tiers = *state;
    struct tiers_view *view = &tiers->view;
    tiers_figure(&tiers->memory, view);
    assert_float_equal(view->arrived_per_s, 150, 0.01);
    assert_float_equal(view->answered_per_s, 120, 0.01);
    assert_float_equal(view->dropped_per_s, 10, 0.01);
    assert_float_equal(view->refused_per_s, 5, 0.01);
    assert_float_equal(view->classes[SHARE_BUYS].arrived_per_s, 150, 0.01);
    assert_float_equal(view->classes[SHARE_PAGES].arrived_per_s, 0, 0.01);
    assert_int_equal(view->length, 40);
    assert_int_equal(view->held, 50);
    assert_int_equal(view->wait_p99_ns, queue_wait_bound(80));
}

/* Rates of a few milliseconds would jump about. */
static void a_look_of_just_now_is_not_compared_with(void **state)
{
    struct tiers *tiers = *state;
    struct tiers_view *view = &tiers->view;
    tiers_remember(&tiers->memory, view);
    view->look.now_ns += MS_NS;
    view->look.stats.entered[SHARE_BUYS]++;
    tiers_figure(&tiers->memory, view);
    assert_float_equal(view->arrived_per_s, 150, 1);
}

static void at_the_first_look_nothing_is_known_of_rates(void **state)
{
    struct tiers *tiers = *state;
    tiers->memory.count = 0;
    tiers_figure(&tiers->memory, &tiers->view);
    assert_float_equal(tiers->view.arrived_per_s, 0, 0);
    assert_int_equal(tiers->view.wait_p99_ns, 0);
    assert_int_equal(tiers->view.length, 40);
}

static void looks_of_the_last_seconds_are_remembered(void **state)
{
    struct tiers *tiers = *state;
    for (unsigned i = 0; i < 2 * TIERS_LOOKS; i++) {
        tiers->view.look.now_ns += SEC_NS;
        tiers_remember(&tiers->memory, &tiers->view);
    }
    assert_int_equal(tiers->memory.count, TIERS_LOOKS);
    assert_int_equal(tiers->memory.looks[TIERS_LOOKS - 1].now_ns, tiers->view.look.now_ns);
    tiers->view.look.now_ns += SEC_NS;
    tiers_figure(&tiers->memory, &tiers->view);
    assert_int_equal(tiers->view.wait_p99_ns, 0); /* nobody was taken since */
}

static void a_process_is_shown_once_with_all_its_threads(void **state)
{
    struct tiers *tiers = *state;
    struct tiers_view *view = &tiers->view;
    tiers_figure(&tiers->memory, view);
    assert_int_equal(view->count, 5);
    const struct tiers_member *master = member_of(view, MASTER), *first = member_of(view, FIRST);
    assert_true(master->master);
    assert_int_equal(master->threads, 2);
    assert_int_equal(master->open, 30);
    assert_int_equal(master->front.requests, 1234);
    assert_int_equal(master->front.refused, 10);
    assert_float_equal(master->requests_per_s, 617, 0.01);
    assert_false(member_of(view, FOLLOWER)->master);
    assert_int_equal(member_of(view, FOLLOWER)->number, 1);
    assert_int_equal(first->handled, 150);
    assert_float_equal(first->requests_per_s, 75, 0.01);
    assert_int_equal(first->busy, 750);
}

static void states_are_what_queue_and_fleet_know(void **state)
{
    struct tiers *tiers = *state;
    struct tiers_view *view = &tiers->view;
    view->look.seats[4].report.beat_ns = NOW - 5 * SEC_NS;
    tiers_figure(&tiers->memory, view);
    assert_int_equal(member_of(view, FIRST)->state, TIERS_READY);
    assert_int_equal(member_of(view, SECOND)->state, TIERS_DRAINING);
    assert_int_equal(member_of(view, STARTS)->state, TIERS_STARTING);
    assert_int_equal(member_of(view, STARTS)->failures, 2);
    assert_int_equal(member_of(view, FOLLOWER)->state, TIERS_SILENT);
    assert_int_equal(view->sizes[FLEET_WORKER].in[TIERS_READY], 1);
    assert_int_equal(view->sizes[FLEET_WORKER].in[TIERS_DRAINING], 1);
    assert_int_equal(view->sizes[FLEET_WORKER].in[TIERS_STARTING], 1);
    assert_int_equal(view->sizes[FLEET_WORKER].busy, 750); /* of the one that is ready */
    assert_int_equal(view->sizes[FLEET_FRONT].in[TIERS_SILENT], 1);
}

/* What a master has told that is no longer there says nothing of now, but its decisions stay. */
static void a_board_of_another_master_is_history(void **state)
{
    struct tiers *tiers = *state;
    struct tiers_view *view = &tiers->view;
    tiers_figure(&tiers->memory, view);
    assert_true(view->fresh);
    view->master.pid = FOLLOWER;
    tiers_figure(&tiers->memory, view);
    assert_false(view->fresh);
    assert_int_equal(view->sizes[FLEET_WORKER].in[TIERS_STARTING], 0);
    view->master.pid = MASTER;
    view->board.told_ns = NOW - 3 * SEC_NS;
    tiers_figure(&tiers->memory, view);
    assert_false(view->fresh);
    assert_int_equal(view->board.count, 1);
}

/* In containers of their own all have the same process id. */
static void processes_of_other_containers_are_others(void **state)
{
    struct tiers *tiers = *state;
    struct tiers_view *view = &tiers->view;
    for (unsigned i = 0; i < view->look.seat_count; i++) {
        view->look.seats[i].pid = 1;
        view->look.seats[i].space = i == 2 ? 10 : 10 + i; /* the master has seats 0 and 2 */
    }
    view->master = (struct queue_process){1, 10};
    tiers_figure(&tiers->memory, view);
    assert_int_equal(view->count, 4);
    assert_int_equal(view->members[0].threads, 2);
    assert_true(view->members[0].master);
    assert_false(view->members[1].master);
    assert_int_equal(view->sizes[FLEET_WORKER].in[TIERS_READY], 2);
}

/* ---- Caches ---- */

static void tell_cache(struct scale_look *look, unsigned seat, uint64_t hits, uint64_t misses)
{
    struct cache_stats stats = {.hits = hits,
                                .misses = misses,
                                .evicted = 12,
                                .bytes = 7 << 20,
                                .limit = 8 << 20,
                                .told = 95,
                                .behind_ns = 2 * MS_NS};
    worker_cache_tell(&stats, 98, look->seats[seat].report.counts);
}

static void what_caches_find_is_of_the_last_seconds(void **state)
{
    struct tiers *tiers = *state;
    struct tiers_view *view = &tiers->view;
    tell_cache(&tiers->memory.looks[0], 1, 1000, 1000);
    tell_cache(&view->look, 1, 1090, 1010);
    tiers_figure(&tiers->memory, view);
    assert_float_equal(member_of(view, FIRST)->hit_ratio, 0.9, 1e-9);
    assert_int_equal(member_of(view, FIRST)->cache.lag, 3);
    assert_true(isnan(member_of(view, SECOND)->hit_ratio)); /* it has none */
    assert_float_equal(view->hit_ratio, 0.9, 1e-9);
    tell_cache(&view->look, 3, 0, 100); /* it was not there before */
    tiers_figure(&tiers->memory, view);
    assert_float_equal(member_of(view, SECOND)->hit_ratio, 0, 0);
    assert_float_equal(view->hit_ratio, 0.45, 1e-9);
}

static void who_told_too_little_for_a_lag_has_none(void **state)
{
    struct cache_stats stats = {.told = 0};
    (void)state;
    assert_int_equal(cache_lag(&stats, 98), 0);
    stats.told = 99;
    assert_int_equal(cache_lag(&stats, 98), 0);
    assert_int_equal(cache_lag(&stats, 0), 0);
    assert_int_equal(cache_lag(&stats, 101), 2);
}

/* ---- Written ---- */

static yyjson_val *follow(yyjson_val *value, const char *path)
{
    yyjson_val *found = yyjson_ptr_get(value, path);
    if (!found)
        fail_msg("there is no %s", path);
    return found;
}

static double number_at(yyjson_val *root, const char *path)
{
    return yyjson_get_num(follow(root, path));
}

static void text_is(yyjson_val *root, const char *path, const char *text)
{
    assert_string_equal(yyjson_get_str(follow(root, path)), text);
}

static yyjson_doc *json_of(const struct tiers_view *view)
{
    struct buf out;
    buf_init(&out, TIERS_TEXT_MAX);
    tiers_write_json(&out, view);
    assert_false(out.failed);
    yyjson_doc *doc = yyjson_read(out.at, out.len, 0);
    if (!doc)
        fail_msg("no JSON: %.*s", (int)out.len, out.at);
    buf_close(&out);
    return doc;
}

static void json_has_queue_tiers_and_decisions(void **state)
{
    struct tiers *tiers = *state;
    tell_cache(&tiers->view.look, 1, 75, 25);
    tiers_figure(&tiers->memory, &tiers->view);
    yyjson_doc *doc = json_of(&tiers->view);
    yyjson_val *root = yyjson_doc_get_root(doc);
    assert_float_equal(number_at(root, "/uptime_s"), 10, 0.001);
    assert_float_equal(number_at(root, "/master"), MASTER, 0);
    assert_float_equal(number_at(root, "/queue/length"), 40, 0);
    assert_float_equal(number_at(root, "/queue/oldest_wait_ms"), 80, 0.001);
    assert_float_equal(number_at(root, "/queue/arrived_per_s"), 150, 0.01);
    text_is(root, "/queue/classes/1/class", "buys");
    assert_float_equal(number_at(root, "/queue/classes/1/share"), 4, 0);
    assert_float_equal(number_at(root, "/queue/classes/1/work_ms"), 5, 0.001);
    assert_float_equal(number_at(root, "/sizes/workers/draining"), 1, 0);
    assert_float_equal(number_at(root, "/fronts/0/requests"), 1234, 0);
    assert_true(yyjson_get_bool(follow(root, "/fronts/0/master")));
    assert_float_equal(number_at(root, "/workers/0/empty_polls"), 7, 0);
    assert_float_equal(number_at(root, "/workers/0/cache/hit_ratio"), 0.75, 0.001);
    assert_float_equal(number_at(root, "/workers/0/cache/lag_entries"), 3, 0);
    assert_float_equal(number_at(root, "/workers/0/cache/behind_ms"), 2, 0.001);
    assert_true(yyjson_is_null(follow(root, "/workers/1/cache")));
    assert_float_equal(number_at(root, "/queue/hit_ratio"), 0.75, 0.001);
    text_is(root, "/workers/2/state", "starting");
    text_is(root, "/scale/rule", "poll");
    assert_true(yyjson_get_bool(follow(root, "/scale/live")));
    assert_float_equal(number_at(root, "/scale/workers_wanted"), 3, 0);
    assert_float_equal(number_at(root, "/scale/fleet/0/crashes"), 1, 0);
    text_is(root, "/scale/events/0/reason", "the \"queue\" was too long");
    text_is(root, "/scale/events/0/time", "2023-11-14T22:13:19.000Z");
    assert_float_equal(number_at(root, "/scale/events/0/workers/1"), 3, 0);
    yyjson_doc_free(doc);
}

static void without_a_scaler_json_says_so(void **state)
{
    struct tiers *tiers = *state;
    tiers->view.scaled = false;
    tiers_figure(&tiers->memory, &tiers->view);
    yyjson_doc *doc = json_of(&tiers->view);
    assert_true(yyjson_is_null(follow(yyjson_doc_get_root(doc), "/scale")));
    yyjson_doc_free(doc);
}

/* As many of everything as there can be. */
static void the_most_members_have_room(void **state)
{
    struct tiers *tiers = *state;
    struct tiers_view *view = &tiers->view;
    for (unsigned i = 0; i < QUEUE_SEATS; i++) {
        view->look.seats[i] = seat_of(i % 2 ? QUEUE_WORKER : QUEUE_FRONT, i, 1000 + i, NOW);
        tell_cache(&view->look, i, UINT64_MAX / 2, UINT64_MAX / 2);
    }
    view->look.seat_count = QUEUE_SEATS;
    for (unsigned tier = 0; tier < FLEET_TIERS; tier++) {
        view->board.tiers[tier].count = FLEET_SLOTS;
        for (unsigned i = 0; i < FLEET_SLOTS; i++)
            view->board.tiers[tier].members[i] =
                (struct fleet_member_view){i + 1, FLEET_CRASHED, 0, 9, 0};
    }
    tiers_figure(&tiers->memory, view);
    assert_int_equal(view->count, TIERS_MEMBERS);
    yyjson_doc_free(json_of(view));
    struct buf out;
    buf_init(&out, TIERS_TEXT_MAX);
    tiers_write_metrics(&out, view);
    assert_false(out.failed);
    buf_close(&out);
}

static void has(struct str text, const char *part)
{
    if (str_find(text, str_of(part)) < 0)
        fail_msg("\"%s\" is not in\n%.*s", part, STR_FMT(text));
}

static void metrics_have_what_an_autoscaler_needs(void **state)
{
    static const char *const lines[] = {
        "\nstoa_queue_length{class=\"buys\"} 40\n",
        "\nstoa_queue_entered_total{class=\"buys\"} 300\n",
        "\nstoa_queue_refused_total{class=\"pages\"} 10\n",
        "\nstoa_queue_oldest_wait_seconds 0.08\n",
        "\nstoa_queue_given_back_total 3\n",
        "\nstoa_queue_wait_seconds_bucket{le=\"0.002097152\"} 250\n",
        "\nstoa_queue_wait_seconds_bucket{le=\"+Inf\"} 250\n",
        "\nstoa_queue_wait_seconds_sum 3\n",
        "\nstoa_queue_wait_seconds_count 250\n",
        "\nstoa_tier_workers{state=\"ready\"} 1\n",
        "\nstoa_tier_workers{state=\"starting\"} 1\n",
        "\nstoa_tier_fronts{state=\"ready\"} 2\n",
        "\nstoa_worker_busy_ratio 0.75\n",
        "\nstoa_tier_workers_wanted 3\n",
        "\nstoa_tier_fronts_wanted 2\n",
        "\nstoa_scale_decisions_total 1\n",
        "\nstoa_fleet_crashes_total{tier=\"worker\"} 1\n",
        "\nstoa_front_requests_total{front=\"0\",pid=\"100\"} 1234\n",
        "\nstoa_front_master{front=\"0\",pid=\"100\"} 1\n",
        "\nstoa_worker_cache_hits_total{worker=\"0\",pid=\"200\"} 75\n",
        "\nstoa_worker_cache_bytes{worker=\"0\",pid=\"200\"} 7340032\n",
        "\nstoa_worker_cache_behind_seconds{worker=\"0\",pid=\"200\"} 0.002\n",
        "\nstoa_front_master{front=\"1\",pid=\"101\",host=\"192.0.2.1:40000\"} 0\n",
    };
    struct tiers *tiers = *state;
    struct buf out;
    buf_init(&out, TIERS_TEXT_MAX);
    tell_cache(&tiers->view.look, 1, 75, 25);
    strcpy(tiers->view.look.seats[4].host, "192.0.2.1:40000");
    tiers_figure(&tiers->memory, &tiers->view);
    tiers_write_metrics(&out, &tiers->view);
    for (unsigned i = 0; i < COUNT_OF(lines); i++)
        has(buf_text(&out), lines[i]);
    buf_close(&out);
}

/* Nobody is to scale by what a master wanted that is no longer there. */
static void without_a_master_metrics_want_nothing(void **state)
{
    struct tiers *tiers = *state;
    struct buf out;
    buf_init(&out, TIERS_TEXT_MAX);
    tiers->view.master.pid = 0;
    tiers_figure(&tiers->memory, &tiers->view);
    tiers_write_metrics(&out, &tiers->view);
    assert_true(str_find(buf_text(&out), STR("stoa_tier_workers_wanted")) < 0);
    has(buf_text(&out), "\nstoa_queue_length{class=\"buys\"} 40\n");
    buf_close(&out);
}

/* docs/tiers-status.md lists each metric with its type. */
static void the_reference_lists_every_metric(void **state)
{
    static const struct metric_row *const tables[] = {tiers_rows_whole,  tiers_rows_class,
                                                      tiers_rows_front,  tiers_rows_cache,
                                                      tiers_rows_wanted, tiers_rows_fleet};
    static const char *const labels[] = {"", "{class}", "{front,pid}", "{worker,pid}",
                                         "", "{tier}"};
    char path[512], line[512];
    const char *root = getenv("STOA_ROOT");
    (void)state;
    snprintf(path, sizeof path, "%s/docs/tiers-status.md", root ? root : ".");
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char *text = calloc(1, 1 << 20);
    size_t len = fread(text, 1, (1 << 20) - 1, file);
    fclose(file);
    for (unsigned i = 0; i < COUNT_OF(tables); i++)
        for (const struct metric_row *row = tables[i]; row->key || row->metric; row++) {
            if (!row->metric)
                continue;
            snprintf(line, sizeof line, "| `stoa_%s%s` | %s | %s |", row->metric, labels[i],
                     row->type, row->help);
            has(str_make(text, len), line);
        }
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, make, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(rates_are_of_the_time_between_two_looks),
        TEST(a_look_of_just_now_is_not_compared_with),
        TEST(at_the_first_look_nothing_is_known_of_rates),
        TEST(looks_of_the_last_seconds_are_remembered),
        TEST(a_process_is_shown_once_with_all_its_threads),
        TEST(states_are_what_queue_and_fleet_know),
        TEST(a_board_of_another_master_is_history),
        TEST(what_caches_find_is_of_the_last_seconds),
        TEST(who_told_too_little_for_a_lag_has_none),
        TEST(processes_of_other_containers_are_others),
        TEST(json_has_queue_tiers_and_decisions),
        TEST(without_a_scaler_json_says_so),
        TEST(the_most_members_have_room),
        TEST(metrics_have_what_an_autoscaler_needs),
        TEST(without_a_master_metrics_want_nothing),
        cmocka_unit_test(the_reference_lists_every_metric),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
