/* A bridge's frames, pieces and pings, and how many requests are granted. */
#include "base/check.h"
#include "base/clock.h"
#include "tier/bridge.h"
#include "tier/bridge_call.h"
#include "tier/bridge_give.h"
#include "tier/bridge_ping.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

enum { ROOM = 64 << 10 };

/* Each kind has what it needs, and nothing else comes through. */
static const struct bridge_message samples[] = {
    {.kind = BRIDGE_HELLO,
     .version = BRIDGE_VERSION,
     .key = "secret",
     .pid = 7,
     .number = 3,
     .works = true,
     .window = 9},
    {.kind = BRIDGE_WELCOME, .version = BRIDGE_VERSION, .window = 32768},
    {.kind = BRIDGE_DENIED, .bytes = {"no", 2}},
    {.kind = BRIDGE_PULL, .count = 17},
    {.kind = BRIDGE_REQUEST,
     .id = 4096 * 7 + 3,
     .class = SHARE_BUYS,
     .tls = true,
     .left_ns = 2000000000,
     .age_ns = 1,
     .peer = {"192.0.2.1", 9},
     .end = true,
     .bytes = {"GET", 3}},
    {.kind = BRIDGE_MORE, .id = 5, .bytes = {"x", 1}},
    {.kind = BRIDGE_ANSWER, .id = 5, .work_ns = 77, .end = true, .bytes = {"HTTP", 4}},
    {.kind = BRIDGE_ROOM, .id = 5, .count = 8192},
    {.kind = BRIDGE_GONE, .id = 5, .why = BRIDGE_OVERDUE},
    {.kind = BRIDGE_PING,
     .report = {.loop_ns = 4, .helper_ns = 3, .helpers = 2, .draining = true, .counts = {9, 8}},
     .stamp = 11,
     .echo = 12,
     .held_ns = 13},
};

static void put(struct buf *out, const struct bridge_message *message)
{
    buf_clear(out);
    bridge_put(out, message);
    assert_false(out->failed);
}

static void check_same(const struct bridge_message *one, const struct bridge_message *other)
{
    assert_int_equal(one->kind, other->kind);
    assert_int_equal(one->version, other->version);
    assert_memory_equal(one->key, other->key, BRIDGE_KEY);
    assert_int_equal(one->works, other->works);
    assert_int_equal(one->window, other->window);
    assert_int_equal(one->id, other->id);
    assert_int_equal(one->count, other->count);
    assert_int_equal(one->class, other->class);
    assert_int_equal(one->tls, other->tls);
    assert_int_equal(one->left_ns, other->left_ns);
    assert_int_equal(one->age_ns, other->age_ns);
    assert_true(str_eq(one->peer, other->peer));
    assert_int_equal(one->why, other->why);
    assert_int_equal(one->work_ns, other->work_ns);
    assert_int_equal(one->pid, other->pid);
    assert_int_equal(one->number, other->number);
    assert_memory_equal(&one->report, &other->report, sizeof one->report);
    assert_int_equal(one->stamp, other->stamp);
    assert_int_equal(one->echo, other->echo);
    assert_int_equal(one->held_ns, other->held_ns);
    assert_int_equal(one->end, other->end);
    assert_true(str_eq(one->bytes, other->bytes));
}

static void what_is_said_is_heard(void **state)
{
    struct buf out;
    struct bridge_message heard;
    (void)state;
    buf_init(&out, ROOM);
    assert_int_equal(COUNT_OF(samples), BRIDGE_KINDS - 1);
    for (unsigned i = 0; i < COUNT_OF(samples); i++) {
        put(&out, &samples[i]);
        assert_int_equal(bridge_read((uint8_t)samples[i].kind, buf_text(&out), &heard), 0);
        check_same(&heard, &samples[i]);
    }
    buf_close(&out);
}

static void what_is_cut_off_or_too_long_is_no_frame(void **state)
{
    struct buf out;
    struct bridge_message heard;
    (void)state;
    buf_init(&out, ROOM);
    for (unsigned i = 0; i < COUNT_OF(samples); i++) {
        put(&out, &samples[i]);
        for (size_t len = 0; len < out.len; len++)
            assert_int_equal(bridge_read((uint8_t)samples[i].kind, str_make(out.at, len), &heard),
                             ERR_INVALID);
        buf_byte(&out, 0);
        assert_int_equal(bridge_read((uint8_t)samples[i].kind, buf_text(&out), &heard),
                         ERR_INVALID);
    }
    assert_int_equal(bridge_read(0, STR(""), &heard), ERR_INVALID);
    assert_int_equal(bridge_read(BRIDGE_KINDS, STR(""), &heard), ERR_INVALID);
    buf_close(&out);
}

static void bounds_are_kept(void **state)
{
    static char piece[BRIDGE_PIECE + 1], peer[QUEUE_PEER];
    struct buf out;
    struct bridge_message heard, more = {.kind = BRIDGE_MORE, .id = 1};
    struct bridge_message request = {.kind = BRIDGE_REQUEST, .id = 1};
    (void)state;
    buf_init(&out, ROOM);
    more.bytes = str_make(piece, BRIDGE_PIECE);
    put(&out, &more);
    assert_true(out.len <= BRIDGE_PAYLOAD_MAX);
    assert_int_equal(bridge_read(BRIDGE_MORE, buf_text(&out), &heard), 0);
    more.bytes = str_make(piece, sizeof piece);
    put(&out, &more);
    assert_int_equal(bridge_read(BRIDGE_MORE, buf_text(&out), &heard), ERR_INVALID);
    memset(peer, 'x', sizeof peer);
    request.peer = str_make(peer, sizeof peer - 1);
    put(&out, &request);
    assert_int_equal(bridge_read(BRIDGE_REQUEST, buf_text(&out), &heard), 0);
    request.peer = str_make(peer, sizeof peer);
    put(&out, &request);
    assert_int_equal(bridge_read(BRIDGE_REQUEST, buf_text(&out), &heard), ERR_INVALID);
    buf_close(&out);
}

static void another_version_is_told_from_nonsense(void **state)
{
    struct buf out;
    struct bridge_message heard, hello = {.kind = BRIDGE_HELLO, .version = BRIDGE_VERSION + 1};
    (void)state;
    buf_init(&out, ROOM);
    put(&out, &hello);
    assert_int_equal(bridge_read(BRIDGE_HELLO, buf_text(&out), &heard), ERR_UNSUPPORTED);
    buf_close(&out);
}

static void an_id_is_a_slot_and_a_number(void **state)
{
    (void)state;
    assert_int_equal(bridge_slot(bridge_id(1, 4095)), 4095);
    assert_int_not_equal(bridge_id(1, 7), bridge_id(2, 7));
    assert_int_not_equal(bridge_id(1, 0), 0);
}

/* ---- Pieces ---- */

/* Of LEN bytes in a pipe of 8: how many a call with CREDIT sends, and whether they are its end.
 * Those before, AT of them, have been taken. */
static bool is_piece(size_t at, size_t len, uint64_t credit, bool ended, size_t sent, bool end)
{
    struct pipe_marks marks;
    char bytes[8];
    struct pipe pipe = {&marks, bytes, sizeof bytes};
    struct bridge_call call = {.id = 5, .credit = credit};
    struct bridge_message message = {.kind = BRIDGE_MORE};
    pipe_reset(&pipe);
    pipe_put(&pipe, "........", at);
    pipe_take(&pipe, at);
    pipe_put(&pipe, "abcdefgh", len);
    bool some = bridge_call_piece(&call, &pipe, ended, &message);
    return some == (sent > 0 || end) && message.id == call.id && message.end == end &&
           str_eq(message.bytes, str_make("abcdefgh", sent));
}

static void a_piece_is_as_long_as_there_is_credit(void **state)
{
    (void)state;
    assert_true(is_piece(0, 6, 100, false, 6, false));
    assert_true(is_piece(0, 6, 4, false, 4, false));
    assert_true(is_piece(0, 6, 0, false, 0, false));
    assert_true(is_piece(5, 6, 100, false, 3, false)); /* the rest is at the pipe's beginning */
}

static void the_end_goes_with_the_last_byte_or_alone(void **state)
{
    (void)state;
    assert_true(is_piece(0, 6, 6, true, 6, true));
    assert_true(is_piece(0, 6, 5, true, 5, false));
    assert_true(is_piece(5, 6, 100, true, 3, false));
    assert_true(is_piece(0, 0, 0, true, 0, true));
    assert_true(is_piece(0, 6, 0, true, 0, false));
}

/* ---- Grants ---- */

static const struct bridge_appetite worker = {.work = 3, .ahead = 4, .most = 128};

static void a_worker_is_granted_what_keeps_it_busy(void **state)
{
    (void)state;
    assert_int_equal(bridge_grant(&worker, 0, 0, 0), 7);
    assert_int_equal(bridge_grant(&worker, 7, 0, 0), 0);
    assert_int_equal(bridge_grant(&worker, 3, 4, 4), 0); /* what waits is ahead enough */
    assert_int_equal(bridge_grant(&worker, 2, 4, 1), 1);
}

static void what_waits_for_others_does_not_count_as_work(void **state)
{
    (void)state;
    assert_int_equal(bridge_grant(&worker, 0, 60, 0), 4);
    assert_int_equal(bridge_grant(&worker, 4, 60, 0), 0);
    assert_int_equal(bridge_grant(&worker, 1, 60, 3), 0);
    assert_int_equal(bridge_grant(&worker, 0, 126, 0), 2);
    assert_int_equal(bridge_grant(&worker, 0, 200, 0), 0);
}

static void a_front_is_granted_a_part_of_the_queue(void **state)
{
    const struct bridge_appetite front = {.work = 256, .most = 256};
    (void)state;
    assert_int_equal(bridge_grant(&front, 0, 0, 500), 256);
    assert_int_equal(bridge_grant(&front, 100, 150, 500), 6);
    assert_int_equal(bridge_grant(&front, 100, 156, 0), 0);
}

/* ---- Addresses ---- */

static void addresses_are_a_list_with_commas(void **state)
{
    struct str address;
    (void)state;
    assert_true(bridge_address("a:1,[::1]:2", 0, &address));
    assert_true(str_eq(address, STR("a:1")));
    assert_true(bridge_address("a:1,[::1]:2", 1, &address));
    assert_true(str_eq(address, STR("[::1]:2")));
    assert_false(bridge_address("a:1,[::1]:2", 2, &address));
}

/* ---- Pings ---- */

/* One end hears at 1 ms what the other says at its 7000 s, and the other 3 ms later, having held it
 * for 2 ms. */
static void the_way_is_measured_without_comparing_clocks(void **state)
{
    struct bridge_ping here = {0}, there = {0};
    struct bridge_message message = {0};
    uint64_t far_ns = 7000 * SEC_NS;
    (void)state;
    assert_int_equal(bridge_ping_way_ns(&here), 0);
    bridge_ping_fill(&here, MS_NS, &message);
    bridge_ping_hear(&there, far_ns, &message);
    assert_int_equal(bridge_ping_way_ns(&there), 0); /* it has asked nothing yet */
    bridge_ping_fill(&there, far_ns + 2 * MS_NS, &message);
    bridge_ping_hear(&here, 6 * MS_NS, &message);
    assert_int_equal(bridge_ping_way_ns(&here), 3 * MS_NS);
}

static void hear_of(struct bridge_ping *ping, uint64_t now_ns, uint64_t way_ns)
{
    bridge_ping_hear(ping, now_ns, &(struct bridge_message){.stamp = 1, .echo = now_ns - way_ns});
}

static void the_way_is_the_least_of_the_last_seconds(void **state)
{
    struct bridge_ping ping = {0};
    (void)state;
    for (unsigned i = 0; i < 100; i++)
        hear_of(&ping, (100 + i) * 50 * MS_NS, (i % 7 == 3 ? 2 : 9) * MS_NS);
    assert_int_equal(bridge_ping_way_ns(&ping), 2 * MS_NS);
    for (unsigned i = 0; i < 300; i++)
        hear_of(&ping, (200 + i) * 50 * MS_NS, 9 * MS_NS);
    assert_int_equal(bridge_ping_way_ns(&ping), 9 * MS_NS);
    bridge_ping_hear(&ping, 30 * SEC_NS, &(struct bridge_message){.echo = 40 * SEC_NS});
    bridge_ping_hear(&ping, 30 * SEC_NS,
                     &(struct bridge_message){.echo = 29 * SEC_NS, .held_ns = 2 * SEC_NS});
    assert_int_equal(bridge_ping_way_ns(&ping), 9 * MS_NS);
}

static void the_rate_is_that_of_the_last_moment(void **state)
{
    struct bridge_rate rate = {0};
    uint64_t now_ns = 10 * SEC_NS;
    (void)state;
    for (unsigned i = 0; i < 1000; i++)
        bridge_rate_count(&rate, now_ns += MS_NS, 1);
    assert_in_range(bridge_rate_now(&rate), 990, 1010);
    bridge_rate_count(&rate, now_ns + 10 * SEC_NS, 0);
    assert_int_equal(bridge_rate_now(&rate), 0);
}

static void ahead_is_what_is_answered_on_the_way_twice(void **state)
{
    (void)state;
    assert_int_equal(bridge_ahead(0, 0, 4, 64), 4);
    assert_int_equal(bridge_ahead(1000, 100000, 4, 64), 4);
    assert_int_equal(bridge_ahead(1000, 20 * MS_NS, 4, 64), 41);
    assert_int_equal(bridge_ahead(100000, SEC_NS, 4, 64), 64);
    assert_int_equal(bridge_ahead(UINT64_MAX, UINT64_MAX, 4, 64), 64);
    assert_int_equal(bridge_ahead(1000, 20 * MS_NS, 4, 2), 2);
}

/* As when the way is what holds it up: so many in each round trip. */
static void ahead_grows_until_the_way_holds_nobody_up(void **state)
{
    enum { WAY_MS = 50, CAN = 900 };
    uint32_t ahead = 4;
    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        uint64_t rate = (3 + ahead) * 1000 / WAY_MS;
        ahead = bridge_ahead(rate < CAN ? rate : CAN, WAY_MS * MS_NS, 4, 1000);
    }
    assert_in_range(ahead, 2 * CAN * WAY_MS / 1000, 2 * CAN * (WAY_MS + 1) / 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_is_heard),
        cmocka_unit_test(what_is_cut_off_or_too_long_is_no_frame),
        cmocka_unit_test(bounds_are_kept),
        cmocka_unit_test(another_version_is_told_from_nonsense),
        cmocka_unit_test(an_id_is_a_slot_and_a_number),
        cmocka_unit_test(a_piece_is_as_long_as_there_is_credit),
        cmocka_unit_test(the_end_goes_with_the_last_byte_or_alone),
        cmocka_unit_test(a_worker_is_granted_what_keeps_it_busy),
        cmocka_unit_test(what_waits_for_others_does_not_count_as_work),
        cmocka_unit_test(a_front_is_granted_a_part_of_the_queue),
        cmocka_unit_test(addresses_are_a_list_with_commas),
        cmocka_unit_test(the_way_is_measured_without_comparing_clocks),
        cmocka_unit_test(the_way_is_the_least_of_the_last_seconds),
        cmocka_unit_test(the_rate_is_that_of_the_last_moment),
        cmocka_unit_test(ahead_is_what_is_answered_on_the_way_twice),
        cmocka_unit_test(ahead_grows_until_the_way_holds_nobody_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
