/* A front on its engine, with a client on one side; on the other the test itself is the worker, and
 * answers well, badly, or not at all. */
#include "base/buf.h"
#include "base/id.h"
#include "base/log.h"
#include "queue_fixture.h"
#include "status_fixture.h"
#include "tier/front.h"

#define UNSAFE    "POST /things HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n"
#define OPERATION "Stoa-Operation"

enum { PATIENCE_MS = 20000, LOOK_MS = 20, WAIT_MS = 300, SLOTS = 16, TEXT_MAX = 1 << 20 };

struct bed {
    char dir[FOLDER_PATH];
    struct queue *queue;
    struct front *front;
    struct status_door door;
    unsigned worker;
    struct buf text; /* what came last */
};

static bool repeats(const struct exchange *x)
{
    return !str_eq(x->path, STR("/once"));
}

static enum share_class classify(const struct exchange *x)
{
    return str_eq(x->path, STR("/soon")) ? SHARE_CARTS : SHARE_PAGES;
}

static int set_up(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    struct failure failure;
    folder_make(bed->dir);
    bed->queue = queue_at(bed->dir, &queue_usual);
    struct front_config config = {.queue = bed->queue,
                                  .classify = classify,
                                  .operation_header = OPERATION,
                                  .repeats = repeats};
    for (unsigned i = 0; i < SHARE_CLASSES; i++)
        config.wait_ns[i] = PATIENCE_MS * MS_NS;
    config.wait_ns[SHARE_CARTS] = WAIT_MS * MS_NS;
    assert_int_equal(front_new(&config, &bed->front, &failure), 0);
    status_door_open(&bed->door, front_app(bed->front));
    bed->worker = queue_take_seat(bed->queue, QUEUE_WORKER);
    buf_init(&bed->text, TEXT_MAX);
    *state = bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    queue_leave(bed->queue, bed->worker);
    engine_event.stop(bed->door.engine);
    const char *fault = queue_find_fault(bed->queue);
    bool left = queue_count_state(bed->queue, QUEUE_FREE) != SLOTS;
    front_free(bed->front);
    queue_close(bed->queue);
    folder_remove(bed->dir);
    buf_close(&bed->text);
    free(bed);
    return fault || left ? -1 : 0;
}

/* ---- The worker ---- */

static void await_state(struct bed *bed, enum queue_state state, unsigned count)
{
    uint64_t until_ns = clock_mono_ns() + PATIENCE_MS * MS_NS;
    while (queue_count_state(bed->queue, state) != count) {
        assert_true(clock_mono_ns() < until_ns);
        poll(NULL, 0, 1);
    }
}

static unsigned pull(struct bed *bed)
{
    uint64_t until_ns = clock_mono_ns() + PATIENCE_MS * MS_NS;
    unsigned slot;
    while ((slot = queue_pull(bed->queue, bed->worker, clock_mono_ns())) == QUEUE_NONE) {
        assert_true(clock_mono_ns() < until_ns);
        queue_park(bed->queue, bed->worker);
        queue_hears(bed->queue, bed->worker, LOOK_MS);
        queue_wake(bed->queue, bed->worker);
    }
    return slot;
}

/* What the front has asked, into bed->text. */
static struct str asked(struct bed *bed, unsigned slot)
{
    struct pipe up = queue_up(bed->queue, slot);
    struct iovec pieces[2];
    buf_clear(&bed->text);
    while (pipe_peek(&up, pieces) > 0) {
        buf_str(&bed->text, str_make(pieces[0].iov_base, pieces[0].iov_len));
        pipe_take(&up, pieces[0].iov_len);
    }
    assert_true(pipe_is_over(&up));
    return buf_text(&bed->text);
}

static void answer(struct bed *bed, unsigned slot, const char *text)
{
    struct pipe down = queue_down(bed->queue, slot);
    pipe_put(&down, text, strlen(text));
    pipe_end(&down);
    queue_answer(bed->queue, slot, 1000);
}

/* With all that it has; another comes in its place. */
static void die(struct bed *bed)
{
    queue_leave(bed->queue, bed->worker);
    bed->worker = queue_take_seat(bed->queue, QUEUE_WORKER);
}

/* ---- The client ---- */

static struct str answer_to(struct bed *bed, int client)
{
    buf_clear(&bed->text);
    read_until(client, &bed->text, NULL);
    close(client);
    return buf_text(&bed->text);
}

static void gets(struct bed *bed, int client, const char *status, const char *part)
{
    struct str got = answer_to(bed, client);
    if (!str_starts(got, str_of(status)) || str_find(got, str_of(part)) < 0)
        fail_msg("not %s with %s, but %.*s", status, part, STR_FMT(got));
}

static int ask_unsafe(struct bed *bed, const char *more)
{
    char request[1024];
    snprintf(request, sizeof request, UNSAFE "%sConnection: close\r\n\r\n{}", more);
    return ask(&bed->door, request);
}

static int ask_safe(struct bed *bed)
{
    return ask(&bed->door, "GET /page HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
}

/* ---- Answers that are none ---- */

/* Nobody knows whether it was done; of what changes nothing that does not matter. */
static void what_is_no_answer_is_told_as_such(void **state)
{
    struct bed *bed = *state;
    static const char *const broken[] = {
        "",
        "nonsense\r\n\r\n",
        "HTTP/1.1 2x0 OK\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort",
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nfives",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\nContent-Le",
    };
    for (unsigned i = 0; i < COUNT_OF(broken); i++) {
        int client = ask_unsafe(bed, "");
        answer(bed, pull(bed), broken[i]);
        gets(bed, client, "HTTP/1.1 502 ", "not known whether this was done");
        client = ask_safe(bed);
        answer(bed, pull(bed), broken[i]);
        gets(bed, client, "HTTP/1.1 503 ", "Retry-After: 1");
    }
    struct front_stats stats;
    front_look(bed->front, &stats);
    assert_int_equal(stats.cut, 2 * COUNT_OF(broken));
}

/* ---- Workers that die ---- */

static void another_does_what_one_died_with_under_the_same_id(void **state)
{
    struct bed *bed = *state;
    int client = ask_unsafe(bed, "");
    unsigned slot = pull(bed);
    struct str first = asked(bed, slot);
    ptrdiff_t at = str_find(first, STR(OPERATION ": "));
    assert_true(at > 0);
    char line[80];
    snprintf(line, sizeof line, "%.*s", (int)(strlen(OPERATION ": ") + ID_TEXT - 1), first.at + at);
    die(bed);
    slot = pull(bed);
    assert_true(str_find(asked(bed, slot), str_of(line)) > 0);
    answer(bed, slot, "HTTP/1.1 201 Created\r\nContent-Length: 4\r\n\r\nwell");
    gets(bed, client, "HTTP/1.1 201 ", "well");
}

/* Where two attempts would be two effects (/api/v1/...). */
static void what_may_be_done_once_alone_is_not_pushed_again(void **state)
{
    struct bed *bed = *state;
    int client = ask(&bed->door, "POST /once HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n"
                                 "Connection: close\r\n\r\n");
    pull(bed);
    die(bed);
    gets(bed, client, "HTTP/1.1 502 ", "look before you try again");
    assert_int_equal(queue_pull(bed->queue, bed->worker, clock_mono_ns()), QUEUE_NONE);
}

static void what_kills_all_workers_is_given_up(void **state)
{
    struct bed *bed = *state;
    for (unsigned safe = 0; safe < 2; safe++) {
        int client = safe ? ask_safe(bed) : ask_unsafe(bed, "");
        for (unsigned i = 0; i < QUEUE_ATTEMPTS; i++) {
            pull(bed);
            die(bed);
        }
        gets(bed, client, safe ? "HTTP/1.1 503 " : "HTTP/1.1 502 ", "again");
    }
}

/* ---- Operation ids ---- */

static unsigned count_of(struct str text, const char *part)
{
    unsigned count = 0;
    for (ptrdiff_t at; (at = str_find(text, str_of(part))) >= 0; count++)
        text = str_make(text.at + at + 1, text.len - (size_t)at - 1);
    return count;
}

/* The one operation id of what was asked. */
static struct id id_of(struct str text)
{
    struct id id = {{0}};
    assert_int_equal(count_of(text, OPERATION ": "), 1);
    const char *at = text.at + str_find(text, STR(OPERATION ": ")) + strlen(OPERATION ": ");
    const char *end = memchr(at, '\r', (size_t)(text.at + text.len - at));
    assert_non_null(end);
    assert_int_equal(id_parse(str_make(at, (size_t)(end - at)), &id), 0);
    assert_false(id_is_zero(id));
    return id;
}

static struct id id_behind_front(struct bed *bed, const char *more)
{
    int client = ask_unsafe(bed, more);
    unsigned slot = pull(bed);
    struct id id = id_of(asked(bed, slot));
    answer(bed, slot, "HTTP/1.1 204 No Content\r\n\r\n");
    gets(bed, client, "HTTP/1.1 204 ", "");
    return id;
}

static void an_operation_id_that_is_none_is_replaced(void **state)
{
    struct bed *bed = *state;
    static const char *const bad[] = {
        OPERATION ": nonsense\r\n",
        OPERATION ":\r\n",
        OPERATION ": 00000000000000000000000000000000\r\n",
        "stoa-operation: 0192f000000070008000000000000abc0\r\n",
        OPERATION ": 0192f000000070008000000000000abg\r\n",
    };
    struct id wanted, before = {{0}};
    for (unsigned i = 0; i < COUNT_OF(bad); i++) {
        struct id id = id_behind_front(bed, bad[i]);
        assert_false(id_eq(id, before));
        before = id;
    }
    assert_int_equal(id_parse(STR("0192f000000070008000000000000abc"), &wanted), 0);
    struct id kept = id_behind_front(bed, OPERATION ": 0192f000000070008000000000000abc\r\n");
    assert_true(id_eq(kept, wanted));
}

/* ---- Limits ---- */

static void what_is_too_long_never_gets_to_a_worker(void **state)
{
    struct bed *bed = *state;
    struct buf request;
    buf_init(&request, TEXT_MAX);
    buf_puts(&request, "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Long: ");
    for (unsigned i = 0; i < 5000; i++) /* a pipe of this queue holds 4096 */
        buf_byte(&request, 'x');
    buf_puts(&request, "\r\n\r\n");
    buf_byte(&request, 0);
    gets(bed, ask(&bed->door, request.at), "HTTP/1.1 431 ", "too long");
    char text[200];
    snprintf(text, sizeof text,
             "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\nConnection: close\r\n\r\n",
             FRONT_BODY_MAX + 1);
    gets(bed, ask(&bed->door, text), "HTTP/1.1 413 ", "");
    assert_int_equal(queue_count_state(bed->queue, QUEUE_FREE), SLOTS);
    buf_close(&request);
}

/* ---- Clients that do not wait ---- */

/* As a browser does whose network has gone, or which has not read all. */
static void reset(int client)
{
    struct linger at_once = {.l_onoff = 1, .l_linger = 0};
    setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close(client);
}

static void who_goes_away_while_it_waits_is_dropped_unworked(void **state)
{
    struct bed *bed = *state;
    struct queue_stats stats;
    int first = ask_unsafe(bed, ""), second = ask_safe(bed), third = ask_safe(bed);
    await_state(bed, QUEUE_QUEUED, 3);
    close(first);
    close(second);
    reset(third);
    await_state(bed, QUEUE_FREE, SLOTS);
    assert_int_equal(queue_pull(bed->queue, bed->worker, clock_mono_ns()), QUEUE_NONE);
    queue_look(bed->queue, clock_mono_ns(), &stats);
    assert_int_equal(stats.taken[SHARE_PAGES], 0);
}

/* Whoever has only closed its own side is told. */
static void who_waits_half_closed_is_told_to_come_again(void **state)
{
    struct bed *bed = *state;
    int client = ask_safe(bed);
    await_state(bed, QUEUE_QUEUED, 1);
    shutdown(client, SHUT_WR);
    gets(bed, client, "HTTP/1.1 503 ", "Retry-After: 1");
    client = ask_safe(bed);
    unsigned slot = pull(bed);
    shutdown(client, SHUT_WR);
    answer(bed, slot, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nwell");
    gets(bed, client, "HTTP/1.1 200 ", "well");
}

static void what_has_waited_too_long_is_told_so_and_dropped_unworked(void **state)
{
    struct bed *bed = *state;
    struct queue_stats stats;
    gets(bed, ask(&bed->door, "GET /soon HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
         "HTTP/1.1 503 ", "Retry-After: 1");
    assert_int_equal(queue_pull(bed->queue, bed->worker, clock_mono_ns()), QUEUE_NONE);
    queue_look(bed->queue, clock_mono_ns(), &stats);
    assert_int_equal(stats.dropped[SHARE_CARTS], 1);
    assert_int_equal(stats.taken[SHARE_CARTS], 0);
}

static void what_finds_no_room_is_told_so_at_once(void **state)
{
    struct bed *bed = *state;
    int waiting[SLOTS];
    unsigned count = 0;
    for (;;) { /* until one class has all that it may have */
        unsigned slot = queue_enter_usual(bed->queue, bed->worker, SHARE_PAGES);
        if (slot == QUEUE_NONE)
            break;
        waiting[count++] = (int)slot;
    }
    gets(bed, ask_safe(bed), "HTTP/1.1 503 ", "Retry-After: 1");
    while (count > 0)
        queue_release(bed->queue, (unsigned)waiting[--count]);
}

static void who_goes_away_while_it_is_worked_on_is_abandoned(void **state)
{
    struct bed *bed = *state;
    int client = ask_safe(bed);
    unsigned slot = pull(bed);
    reset(client);
    await_state(bed, QUEUE_ABANDONED, 1);
    assert_false(queue_done(bed->queue, slot, 1000));
    await_state(bed, QUEUE_FREE, SLOTS);
}

int main(void)
{
#define FRONTED(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        FRONTED(what_is_no_answer_is_told_as_such),
        FRONTED(another_does_what_one_died_with_under_the_same_id),
        FRONTED(what_may_be_done_once_alone_is_not_pushed_again),
        FRONTED(what_kills_all_workers_is_given_up),
        FRONTED(an_operation_id_that_is_none_is_replaced),
        FRONTED(what_is_too_long_never_gets_to_a_worker),
        FRONTED(who_goes_away_while_it_waits_is_dropped_unworked),
        FRONTED(who_waits_half_closed_is_told_to_come_again),
        FRONTED(what_has_waited_too_long_is_told_so_and_dropped_unworked),
        FRONTED(what_finds_no_room_is_told_so_at_once),
        FRONTED(who_goes_away_while_it_is_worked_on_is_abandoned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
