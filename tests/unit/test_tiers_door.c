/* What the status door of a front answers, and to whom. */
#include "admin/tiers_door.h"
#include "base/check.h"
#include "base/clock.h"
#include "folder_fixture.h"
#include "scale/board.h"
#include "status_fixture.h"

#include <stdlib.h>

#define TOKEN "sesame"

struct door {
    struct status_door at; /* first: tests are given this as that */
    char folder[FOLDER_PATH];
    struct queue *queue;
    struct tiers_door *app;
    bool has_token;
};

static void read_token(void *context, char out[static TIERS_DOOR_TOKEN])
{
    const struct door *door = context;
    strcpy(out, door->has_token ? TOKEN : "");
}

static int open_door(void **state, bool loopback)
{
    struct door *door = calloc(1, sizeof *door);
    struct failure failure;
    struct queue_config queue = {.slots = 8, .pipe_bytes = 4096, .weight = {1, 4, 3, 2}};
    unsigned seat;
    folder_make(door->folder);
    door->has_token = true;
    assert_int_equal(queue_open(door->folder, &queue, &door->queue, &failure), 0);
    assert_int_equal(queue_join(door->queue, QUEUE_WORKER, &seat, &failure), 0);
    struct tiers_door_settings settings = {
        .queue = door->queue, .loopback = loopback, .token = read_token, .context = door};
    assert_int_equal(tiers_door_new(&settings, &door->app, &failure), 0);
    status_door_open(&door->at, tiers_door_app(door->app));
    *state = door;
    return 0;
}

static int open_here(void **state)
{
    return open_door(state, true);
}

static int open_for_others(void **state)
{
    return open_door(state, false);
}

static int close_door(void **state)
{
    struct door *door = *state;
    engine_event.stop(door->at.engine);
    tiers_door_free(door->app);
    queue_leave(door->queue, 0);
    queue_close(door->queue);
    folder_remove(door->folder);
    free(door);
    return 0;
}

static void everything_answers(void **state)
{
    answers(*state, "GET /", NULL, OK, "<h1 class=\"name\">Tiers</h1>");
    answers(*state, "GET /", NULL, OK, "default-src 'none'");
    answers(*state, "GET /tiers.json", NULL, OK, "\"workers\":[{\"pid\":");
    answers(*state, "HEAD /tiers.json", NULL, OK, "application/json");
    answers(*state, "GET /history.json", NULL, OK, "{\"points\":[");
    answers(*state, "GET /metrics", NULL, OK, "\nstoa_tier_workers{state=\"ready\"} 1\n");
    answers(*state, "GET /metrics", NULL, OK, "text/plain; version=0.0.4");
    answers(*state, "GET /livez", NULL, OK, "ok");
    answers(*state, "GET /tiers.js", NULL, OK, "/tiers.json");
    answers(*state, "GET /board.js", NULL, OK, "const board");
    answers(*state, "GET /board.css", NULL, OK, ".gauge");
    answers(*state, "GET /nothing", NULL, "HTTP/1.1 404 ", "status page is at /");
    answers(*state, "POST /", NULL, "HTTP/1.1 405 ", "Allow: GET, HEAD");
    answers(*state, "GET /", "Host: evil.example", "HTTP/1.1 421 ", "127.0.0.1");
}

/* What is asked for is of that moment; so no look of before may be in it. */
static void what_is_in_the_queue_is_shown_at_once(void **state)
{
    struct door *door = *state;
    struct failure failure;
    unsigned front;
    assert_int_equal(queue_join(door->queue, QUEUE_FRONT, &front, &failure), 0);
    unsigned slot = queue_enter(door->queue, front, SHARE_CARTS);
    assert_int_not_equal(slot, QUEUE_NONE);
    queue_facts(door->queue, slot)->deadline_ns = UINT64_MAX;
    queue_push(door->queue, &slot, 1);
    answers(*state, "GET /metrics", NULL, OK, "\nstoa_queue_length{class=\"carts\"} 1\n");
    answers(*state, "GET /tiers.json", NULL, OK,
            "{\"class\":\"carts\",\"waiting\":1,\"held\":1,\"share\":3,\"entered\":1,");
    answers(*state, "GET /", NULL, OK, "<title>1 waiting, 1 worker ");
    queue_release(door->queue, slot);
    answers(*state, "GET /metrics", NULL, OK, "\nstoa_queue_length{class=\"carts\"} 0\n");
    queue_leave(door->queue, front);
}

static void decisions_are_shown_by_whoever_answers(void **state)
{
    struct door *door = *state;
    struct scale_board *board = calloc(1, sizeof *board);
    struct scale_event event = {
        .decision = {.workers_before = 1, .workers = 3, .reason = "<too> long"}};
    answers(*state, "GET /", NULL, OK, "not scaled");
    assert_true(queue_lead(door->queue));
    strcpy(board->rule, "poll");
    board->master = queue_self(door->queue);
    board->told_ns = clock_mono_ns() + 3600 * SEC_NS; /* however slow this machine is */
    board->workers_wanted = 3;
    scale_board_add(board, &event);
    scale_board_write(door->queue, board);
    answers(*state, "GET /", NULL, OK, "scaled by rule poll");
    answers(*state, "GET /", NULL, OK,
            "workers 1 → 3</span> <span class=\"said\">&lt;too&gt; long");
    answers(*state, "GET /metrics", NULL, OK, "\nstoa_tier_workers_wanted 3\n");
    queue_follow(door->queue);
    answers(*state, "GET /", NULL, OK, "no master");
    free(board);
}

static void from_elsewhere_the_operators_token_is_needed(void **state)
{
    static const char *const paths[] = {"GET /",        "GET /tiers.json", "GET /history.json",
                                        "GET /metrics", "GET /board.js",   "GET /nothing"};
    for (unsigned i = 0; i < COUNT_OF(paths); i++)
        answers(*state, paths[i], "Host: front.example", "HTTP/1.1 401 ",
                "WWW-Authenticate: Basic");
    answers(*state, "GET /livez", "Host: front.example", OK, "ok");
    answers(*state, "GET /metrics", "Host: front.example\r\nAuthorization: Bearer sesamE",
            "HTTP/1.1 401 ", "");
    answers(*state, "GET /metrics", "Host: front.example\r\nAuthorization: Bearer " TOKEN, OK,
            "stoa_tier_workers");
    /* admin:sesame, admin:sesam, and what is no pair at all */
    answers(*state, "GET /metrics", "Host: x\r\nAuthorization: Basic YWRtaW46c2VzYW1l", OK,
            "stoa_tier_workers");
    answers(*state, "GET /metrics",
            "Host: x\r\nAuthorization: Basic YWRtaW46c2VzYW0=", "HTTP/1.1 401 ", "");
    answers(*state, "GET /metrics", "Host: x\r\nAuthorization: Basic c2VzYW1l", "HTTP/1.1 401 ",
            "");
    answers(*state, "GET /metrics", "Host: x\r\nAuthorization: Basic ***", "HTTP/1.1 401 ", "");
}

static void without_a_token_nobody_from_elsewhere_reads(void **state)
{
    struct door *door = *state;
    door->has_token = false;
    answers(*state, "GET /metrics", "Host: x\r\nAuthorization: Bearer ", "HTTP/1.1 401 ", "");
    answers(*state, "GET /metrics", "Host: x\r\nAuthorization: Basic YWRtaW46", "HTTP/1.1 401 ",
            "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(everything_answers, open_here, close_door),
        cmocka_unit_test_setup_teardown(what_is_in_the_queue_is_shown_at_once, open_here,
                                        close_door),
        cmocka_unit_test_setup_teardown(decisions_are_shown_by_whoever_answers, open_here,
                                        close_door),
        cmocka_unit_test_setup_teardown(from_elsewhere_the_operators_token_is_needed,
                                        open_for_others, close_door),
        cmocka_unit_test_setup_teardown(without_a_token_nobody_from_elsewhere_reads,
                                        open_for_others, close_door),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
