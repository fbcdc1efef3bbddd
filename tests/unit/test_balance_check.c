#include "balance/check.h"
#include "balance/errand.h"
#include "base/check.h"
#include "small_server_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h> /* last: it has a macro named fail */

#define PATIENCE_NS (20 * SEC_NS)

/* ---- The clock ---- */

static void clock_stands_still_while_its_owner_does(void **state)
{
    (void)state;
    struct awake awake;
    awake_begin(&awake, 40 * MS_NS, SEC_NS);
    uint64_t begin = awake_look(&awake, SEC_NS);
    assert_true(begin > 0);
    assert_int_equal(awake_look(&awake, SEC_NS + 20 * MS_NS) - begin, 20 * MS_NS);
    assert_int_equal(awake_look(&awake, SEC_NS + 50 * MS_NS) - begin, 50 * MS_NS);
    /* For a minute nobody has looked. */
    assert_int_equal(awake_look(&awake, 61 * SEC_NS) - begin, 90 * MS_NS);
    assert_int_equal(awake_look(&awake, 61 * SEC_NS + 10 * MS_NS) - begin, 100 * MS_NS);
    assert_int_equal(awake_look(&awake, 60 * SEC_NS) - begin, 100 * MS_NS);
}

static void load_is_read_from_what_a_server_says(void **state)
{
    (void)state;
    uint32_t in_flight = 7;
    uint64_t latency_ns = 7;
    assert_true(check_read_load(STR("in-flight=12, latency-us=350"), &in_flight, &latency_ns));
    assert_int_equal(in_flight, 12);
    assert_int_equal(latency_ns, 350000);
    assert_true(check_read_load(STR("new=1,latency-us=2 ,x"), &in_flight, &latency_ns));
    assert_int_equal(in_flight, 12);
    assert_int_equal(latency_ns, 2000);
    assert_true(check_read_load(STR("in-flight=99999999999999"), &in_flight, &latency_ns));
    assert_int_equal(in_flight, UINT32_MAX);
    const char *const none[] = {"",           "in-flight",      "in-flight=-1", "in-flight=x",
                                "latency-us", "in-flight=1.5",  ",,,",          "=",
                                "latency=1",  "latency-us=1e9", "in-flight=1 2"};
    for (unsigned i = 0; i < COUNT_OF(none); i++)
        assert_false(check_read_load(str_of(none[i]), &in_flight, &latency_ns));
}

/* ---- Errands ---- */

struct trip {
    struct loop *loop;
    struct small_server server;
    struct errand_target target;
    struct errand errand;
    unsigned ends;
    enum errand_end end;
};

static void trip_ended(struct errand *errand, enum errand_end end)
{
    struct trip *trip = CONTAINER_OF(errand, struct trip, errand);
    trip->ends++;
    trip->end = end;
}

static int trip_open(void **state)
{
    static struct trip trip;
    trip = (struct trip){.loop = loop_new(NULL)};
    assert_non_null(trip.loop);
    small_open(&trip.server, 9001);
    trip.target = (struct errand_target){&trip.server.address, trip.server.host, NULL, false};
    errand_init(&trip.errand, trip.loop, &trip.target, trip_ended);
    *state = &trip;
    return 0;
}

static int trip_close(void **state)
{
    struct trip *trip = *state;
    errand_close(&trip->errand);
    small_close(&trip->server);
    loop_free(trip->loop);
    return 0;
}

static enum errand_end run(struct trip *trip)
{
    unsigned ends = trip->ends;
    uint64_t until = clock_mono_ns() + PATIENCE_NS;
    while (trip->ends == ends && clock_mono_ns() < until)
        loop_turn(trip->loop, 10);
    assert_int_equal(trip->ends, ends + 1);
    assert_false(trip->errand.open);
    return trip->end;
}

static enum errand_end go(struct trip *trip)
{
    errand_ask(&trip->errand, STR("/livez"), STR_NONE, STR_NONE);
    return run(trip);
}

static void answers_come_over_one_kept_connection(void **state)
{
    struct trip *trip = *state;
    char asked[SMALL_TEXT];
    small_say(&trip->server, 200, "Stoa-Load: in-flight=3\r\n", "hello");
    for (int i = 0; i < 5; i++) {
        assert_int_equal(go(trip), ERRAND_ANSWERED);
        assert_int_equal(trip->errand.status, 200);
        assert_string_equal(trip->errand.load, "in-flight=3");
        assert_true(str_eq(buf_text(&trip->errand.body), STR("hello")));
    }
    assert_int_equal(atomic_load(&trip->server.connections), 1);
    small_asked(&trip->server, asked);
    assert_non_null(strstr(asked, "GET /livez HTTP/1.1\r\nHost: 127."));
    small_say(&trip->server, 503, "", "");
    assert_int_equal(go(trip), ERRAND_ANSWERED);
    assert_int_equal(trip->errand.status, 503);
    assert_string_equal(trip->errand.load, "");
    assert_int_equal(trip->errand.body.len, 0);
}

static void request_can_have_a_body_and_a_token(void **state)
{
    struct trip *trip = *state;
    char asked[SMALL_TEXT];
    errand_ask(&trip->errand, STR("/x"), STR("Bearer secret"), STR("{\"a\":1}"));
    assert_int_equal(run(trip), ERRAND_ANSWERED);
    small_asked(&trip->server, asked);
    assert_non_null(strstr(asked, "POST /x HTTP/1.1\r\n"));
    assert_non_null(strstr(asked, "\r\nAuthorization: Bearer secret\r\n"));
    assert_non_null(strstr(asked, "\r\nContent-Length: 7\r\n\r\n{\"a\":1}"));
}

static void connection_that_the_server_closes_is_made_anew(void **state)
{
    struct trip *trip = *state;
    small_close_after(&trip->server, true);
    for (int i = 0; i < 5; i++)
        assert_int_equal(go(trip), ERRAND_ANSWERED);
    assert_int_equal(atomic_load(&trip->server.connections), 5);
    /* Also by a server that was started again meanwhile. */
    small_close_after(&trip->server, false);
    assert_int_equal(go(trip), ERRAND_ANSWERED);
    small_stop(&trip->server);
    small_start(&trip->server);
    assert_int_equal(go(trip), ERRAND_ANSWERED);
}

static void server_that_is_gone_refuses(void **state)
{
    struct trip *trip = *state;
    assert_int_equal(go(trip), ERRAND_ANSWERED);
    small_stop(&trip->server);
    assert_int_equal(go(trip), ERRAND_REFUSED);
    assert_string_not_equal(trip->errand.problem, "");
    errand_knock(&trip->errand);
    assert_int_equal(run(trip), ERRAND_REFUSED);
    small_start(&trip->server);
    errand_knock(&trip->errand);
    assert_int_equal(run(trip), ERRAND_CONNECTED);
    assert_int_equal(go(trip), ERRAND_ANSWERED);
}

static void rubbish_and_half_answers_are_told_apart(void **state)
{
    struct trip *trip = *state;
    small_say_raw(&trip->server, "SSH-2.0-OpenSSH_9.2\r\n");
    assert_int_equal(go(trip), ERRAND_RUBBISH);
    assert_string_not_equal(trip->errand.problem, "");
    small_close_after(&trip->server, true);
    small_say_raw(&trip->server, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    assert_int_equal(go(trip), ERRAND_LOST);
}

static void what_was_given_up_is_not_told(void **state)
{
    struct trip *trip = *state;
    small_hang(&trip->server, true);
    errand_ask(&trip->errand, STR("/livez"), STR_NONE, STR_NONE);
    for (int i = 0; i < 5; i++)
        loop_turn(trip->loop, 1);
    errand_give_up(&trip->errand);
    assert_false(trip->errand.open);
    small_hang(&trip->server, false);
    assert_int_equal(go(trip), ERRAND_ANSWERED);
    assert_int_equal(trip->ends, 1);
}

static void connections_begin_with_a_proxy_header_where_it_is_wanted(void **state)
{
    struct trip *trip = *state;
    char asked[SMALL_TEXT];
    errand_close(&trip->errand);
    trip->target.proxy_header = true;
    errand_init(&trip->errand, trip->loop, &trip->target, trip_ended);
    assert_int_equal(go(trip), ERRAND_ANSWERED);
    small_asked(&trip->server, asked);
    assert_memory_equal(asked, "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0GET /livez", 26);
    assert_int_equal(go(trip), ERRAND_ANSWERED);
    small_asked(&trip->server, asked);
    assert_memory_equal(asked, "GET /livez", 10);
}

/* ---- Checks ---- */

struct watched {
    struct loop *loop;
    struct small_server server;
    struct backend *backend;
    struct backend_set *set;
    struct checks *checks;
};

static int watch_open_with(void **state, const char *path)
{
    static struct watched watched;
    const struct check_settings settings = {20 * MS_NS, 400 * MS_NS, path, 1};
    watched = (struct watched){.loop = loop_new(NULL)};
    assert_non_null(watched.loop);
    small_open(&watched.server, 9001);
    const struct backend_plan plan = {
        .id = 1,
        .name = "one",
        .url = watched.server.url,
        .address = watched.server.address,
        .weight = POLICY_WEIGHT,
        .rules = {.suspect_ns = 300 * MS_NS},
    };
    watched.backend = backend_new(&plan, clock_mono_ns());
    watched.set = backend_set_new(1);
    watched.set->at[watched.set->count++] = watched.backend;
    watched.checks = checks_new(watched.loop, &settings);
    assert_int_equal(checks_set(watched.checks, watched.set), ERR_OK);
    *state = &watched;
    return 0;
}

static int watch_open(void **state)
{
    return watch_open_with(state, "/ok");
}

/* A connection is all that is made. */
static int watch_open_knocking(void **state)
{
    return watch_open_with(state, "");
}

static int watch_close(void **state)
{
    struct watched *watched = *state;
    checks_free(watched->checks);
    backend_set_drop(watched->set);
    small_close(&watched->server);
    loop_free(watched->loop);
    return 0;
}

static void await_state(struct watched *watched, enum health_state wanted)
{
    uint64_t until = clock_mono_ns() + PATIENCE_NS;
    while (backend_state(watched->backend) != wanted && clock_mono_ns() < until)
        loop_turn(watched->loop, 10);
    assert_string_equal(health_name(backend_state(watched->backend)), health_name(wanted));
}

static void await_requests(struct watched *watched, unsigned more)
{
    unsigned wanted = atomic_load(&watched->server.requests) + more;
    uint64_t until = clock_mono_ns() + PATIENCE_NS;
    while (atomic_load(&watched->server.requests) < wanted && clock_mono_ns() < until)
        loop_turn(watched->loop, 10);
    assert_true(atomic_load(&watched->server.requests) >= wanted);
}

static void server_that_answers_stays_up_and_is_measured(void **state)
{
    struct watched *watched = *state;
    small_say(&watched->server, 200, "Stoa-Load: in-flight=3, latency-us=5\r\n", "ok");
    await_requests(watched, 5);
    loop_turn(watched->loop, 10);
    await_requests(watched, 2);
    assert_int_equal(backend_state(watched->backend), HEALTH_UP);
    assert_int_equal(atomic_load(&watched->backend->reported_in_flight), 3);
    assert_int_equal(atomic_load(&watched->backend->reported_latency_ns), 5000);
    assert_true(atomic_load(&watched->backend->round_trip_ns) > 0);
    assert_string_equal(checks_problem(watched->checks, 1), "");
}

static void server_that_hangs_is_suspected_then_out_then_back(void **state)
{
    struct watched *watched = *state;
    await_requests(watched, 3);
    small_hang(&watched->server, true);
    await_state(watched, HEALTH_SUSPECT);
    assert_true(atomic_load(&watched->backend->suspect_ns) > 0);
    await_state(watched, HEALTH_OUT);
    small_hang(&watched->server, false);
    await_state(watched, HEALTH_WARMING);
    assert_true(atomic_load(&watched->backend->suspect_ns) == 0);
}

static void one_who_answers_others_is_not_suspected(void **state)
{
    struct watched *watched = *state;
    await_requests(watched, 3);
    small_hang(&watched->server, true);
    uint64_t until = clock_mono_ns() + 900 * MS_NS;
    while (clock_mono_ns() < until) {
        atomic_store(&watched->backend->heard_ns, clock_mono_ns());
        loop_turn(watched->loop, 5);
        assert_int_equal(backend_state(watched->backend), HEALTH_UP);
    }
    await_state(watched, HEALTH_SUSPECT);
}

static void watcher_that_stood_still_suspects_nobody(void **state)
{
    struct watched *watched = *state;
    await_requests(watched, 3);
    for (int i = 0; i < 3; i++) {
        small_hang(&watched->server, true);
        /* A check is open, and the server would answer, had this thread not stood still. */
        for (int turn = 0; turn < 10; turn++)
            loop_turn(watched->loop, 3);
        usleep(800 * 1000); /* no wait: it is this thread that stands still */
        small_hang(&watched->server, false);
        loop_turn(watched->loop, 0);
        assert_int_equal(backend_state(watched->backend), HEALTH_UP);
        await_requests(watched, 3);
    }
    assert_int_equal(backend_state(watched->backend), HEALTH_UP);
}

static void server_that_refuses_or_says_no_is_out_with_a_reason(void **state)
{
    struct watched *watched = *state;
    small_say(&watched->server, 503, "", "");
    await_state(watched, HEALTH_OUT);
    assert_non_null(strstr(checks_problem(watched->checks, 1), "503"));
    small_say(&watched->server, 200, "", "");
    await_state(watched, HEALTH_WARMING);
    small_say(&watched->server, 404, "", "");
    await_state(watched, HEALTH_OUT);
    assert_non_null(strstr(checks_problem(watched->checks, 1), "404"));
    small_say(&watched->server, 302, "", "");
    await_state(watched, HEALTH_WARMING);
    small_stop(&watched->server);
    await_state(watched, HEALTH_OUT);
    assert_non_null(strstr(checks_problem(watched->checks, 1), "refused"));
    small_start(&watched->server);
    await_state(watched, HEALTH_WARMING);
}

/* ---- Knocks and pings ---- */

/* COUNT requests wait for it, of such whose answers take LATENCY_NS. */
static void keep_waiting(struct watched *watched, unsigned count, uint64_t latency_ns)
{
    struct latency_counts *latency = &watched->backend->counters.latency;
    uint64_t until = clock_mono_ns() + 1200 * MS_NS; /* in which what was counted is looked at */
    latency_count(latency, latency_ns);
    while (clock_mono_ns() < until) {
        atomic_store(&watched->backend->heard_ns, clock_mono_ns());
        loop_turn(watched->loop, 5);
    }
    atomic_store(&watched->backend->in_flight, count);
}

static void stays_up(struct watched *watched, uint64_t for_ns)
{
    uint64_t until = clock_mono_ns() + for_ns;
    while (clock_mono_ns() < until) {
        loop_turn(watched->loop, 5);
        assert_int_equal(backend_state(watched->backend), HEALTH_UP);
    }
}

/* Its kernel goes on making connections. */
static void server_that_hangs_is_found_though_knocks_succeed(void **state)
{
    struct watched *watched = *state;
    keep_waiting(watched, 2, MS_NS);
    small_hang(&watched->server, true);
    uint64_t began_ns = clock_mono_ns();
    await_state(watched, HEALTH_SUSPECT);
    assert_true(clock_mono_ns() - began_ns >= 400 * MS_NS);
    atomic_store(&watched->backend->in_flight, 0); /* they went elsewhere */
    await_state(watched, HEALTH_OUT);
    small_hang(&watched->server, false);
    await_state(watched, HEALTH_WARMING);
}

static void server_that_answers_a_ping_is_only_slow(void **state)
{
    struct watched *watched = *state;
    char asked[SMALL_TEXT];
    small_say(&watched->server, 501, "", "");
    keep_waiting(watched, 2, MS_NS);
    await_requests(watched, 3);
    stays_up(watched, 600 * MS_NS);
    small_asked(&watched->server, asked);
    assert_non_null(strstr(asked, "OPTIONS * HTTP/1.1\r\nHost: 127."));
    small_say_raw(&watched->server, "what is this?\r\n"); /* also one that knows none of it */
    stays_up(watched, 600 * MS_NS);
}

/* One that does one thing after the other has one long thing to do. */
static void one_long_request_is_no_silence(void **state)
{
    struct watched *watched = *state;
    keep_waiting(watched, 1, MS_NS);
    small_hang(&watched->server, true);
    stays_up(watched, 900 * MS_NS);
}

static void silence_that_is_usual_is_none(void **state)
{
    struct watched *watched = *state;
    keep_waiting(watched, 9, 400 * MS_NS);
    small_hang(&watched->server, true);
    stays_up(watched, 900 * MS_NS);
    await_state(watched, HEALTH_SUSPECT);
}

static void what_the_cluster_says_makes_checks_bad(void **state)
{
    struct watched *watched = *state;
    checks_unready(watched->checks, 1, true);
    await_state(watched, HEALTH_OUT);
    assert_non_null(strstr(checks_problem(watched->checks, 1), "copy"));
    checks_unready(watched->checks, 1, false);
    await_state(watched, HEALTH_WARMING);
}

/* A request of this test's own is answered, and so is whatever was sent before. */
static void ask_server(struct watched *watched)
{
    struct trip trip = {.loop = watched->loop};
    trip.target = (struct errand_target){&watched->server.address, watched->server.host, NULL, false};
    errand_init(&trip.errand, trip.loop, &trip.target, trip_ended);
    assert_int_equal(go(&trip), ERRAND_ANSWERED);
    errand_close(&trip.errand);
}

static void server_that_has_left_is_checked_no_more(void **state)
{
    struct watched *watched = *state;
    await_requests(watched, 2);
    struct backend_set *empty = backend_set_new(2);
    assert_int_equal(checks_set(watched->checks, empty), ERR_OK);
    backend_set_drop(empty);
    ask_server(watched);
    unsigned before = atomic_load(&watched->server.requests);
    uint64_t until = clock_mono_ns() + 200 * MS_NS;
    while (clock_mono_ns() < until)
        loop_turn(watched->loop, 10);
    assert_int_equal(atomic_load(&watched->server.requests), before);
    assert_string_equal(checks_problem(watched->checks, 1), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(clock_stands_still_while_its_owner_does),
        cmocka_unit_test(load_is_read_from_what_a_server_says),
#define TRIP(name) cmocka_unit_test_setup_teardown(name, trip_open, trip_close)
        TRIP(answers_come_over_one_kept_connection),
        TRIP(request_can_have_a_body_and_a_token),
        TRIP(connection_that_the_server_closes_is_made_anew),
        TRIP(server_that_is_gone_refuses),
        TRIP(rubbish_and_half_answers_are_told_apart),
        TRIP(what_was_given_up_is_not_told),
        TRIP(connections_begin_with_a_proxy_header_where_it_is_wanted),
#define WATCH(name) cmocka_unit_test_setup_teardown(name, watch_open, watch_close)
        WATCH(server_that_answers_stays_up_and_is_measured),
        WATCH(server_that_hangs_is_suspected_then_out_then_back),
        WATCH(one_who_answers_others_is_not_suspected),
        WATCH(watcher_that_stood_still_suspects_nobody),
        WATCH(server_that_refuses_or_says_no_is_out_with_a_reason),
#define KNOCK(name) cmocka_unit_test_setup_teardown(name, watch_open_knocking, watch_close)
        KNOCK(server_that_hangs_is_found_though_knocks_succeed),
        KNOCK(server_that_answers_a_ping_is_only_slow),
        KNOCK(one_long_request_is_no_silence),
        KNOCK(silence_that_is_usual_is_none),
        WATCH(what_the_cluster_says_makes_checks_bad),
        WATCH(server_that_has_left_is_checked_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
