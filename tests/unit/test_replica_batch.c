/* The log entry's format, the snapshot's, and the kept durations: pure parts of replica/. */
#include "base/err.h"
#include "replica/batch.h"
#include "replica/latency.h"
#include "replica/snapshot.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static size_t encode(unsigned char *room, const struct str *commands, uint32_t count)
{
    size_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += commands[i].len;
    size_t size = batch_size(count, sum);
    struct batch_writer writer;
    batch_begin(&writer, room, size, count, -5, 0x123456789abcdef0ull);
    for (uint32_t i = 0; i < count; i++)
        batch_put(&writer, commands[i]);
    batch_end(&writer);
    return size;
}

static void commands_come_back_as_they_were(void **state)
{
    (void)state;
    const struct str commands[] = {STR("one"), STR(""), STR("three"), STR("12345678")};
    unsigned char room[200];
    for (uint32_t count = 0; count <= 4; count++) {
        size_t size = encode(room, commands, count);
        assert_int_equal(size % 8, 0);
        struct batch batch;
        assert_int_equal(batch_open(&batch, str_make(room, size)), 0);
        assert_int_equal(batch.time_ms, -5);
        assert_true(batch.origin == 0x123456789abcdef0ull);
        assert_int_equal(batch.count, count);
        struct str command;
        for (uint32_t i = 0; i < count; i++) {
            assert_true(batch_next(&batch, &command));
            assert_true(str_eq(command, commands[i]));
        }
        assert_false(batch_next(&batch, &command));
    }
}

static void every_cut_and_every_wrong_length_is_refused(void **state)
{
    (void)state;
    const struct str commands[] = {STR("one"), STR("seventeen letters")};
    unsigned char room[200];
    size_t size = encode(room, commands, 2);
    struct batch batch;
    for (size_t len = 0; len < size; len++)
        assert_int_not_equal(batch_open(&batch, str_make(room, len)), 0);
    room[24] = 200; /* the first command's length */
    assert_int_equal(batch_open(&batch, str_make(room, size)), ERR_DAMAGED);
    encode(room, commands, 2);
    room[4] = 1; /* fewer commands than there are */
    assert_int_equal(batch_open(&batch, str_make(room, size)), ERR_DAMAGED);
    room[4] = 9;
    assert_int_equal(batch_open(&batch, str_make(room, size)), ERR_DAMAGED);
    encode(room, commands, 2);
    room[size - 1] = 1; /* not zeros at the end */
    assert_int_equal(batch_open(&batch, str_make(room, size)), ERR_DAMAGED);
}

static void a_newer_version_is_told_apart_from_garbage(void **state)
{
    (void)state;
    unsigned char room[200];
    size_t size = encode(room, NULL, 0);
    struct batch batch;
    room[0] = 2;
    assert_int_equal(batch_open(&batch, str_make(room, size)), ERR_UNSUPPORTED);
    room[0] = 0;
    assert_int_equal(batch_open(&batch, str_make(room, size)), ERR_INVALID);
    assert_int_equal(batch_open(&batch, STR_NONE), ERR_INVALID);
}

static void a_snapshot_comes_back_as_it_was(void **state)
{
    (void)state;
    unsigned char room[SNAPSHOT_SIZE];
    struct snapshot snapshot = {.index = 1ull << 40, .time_ms = -3, .server = 7}, back;
    snapshot_encode(room, &snapshot);
    assert_int_equal(snapshot_decode(&back, str_make(room, sizeof room)), 0);
    assert_true(back.index == snapshot.index && back.time_ms == -3 && back.server == 7);
    assert_int_equal(snapshot_decode(&back, str_make(room, sizeof room - 1)), ERR_INVALID);
    room[8] = 2;
    assert_int_equal(snapshot_decode(&back, str_make(room, sizeof room)), ERR_UNSUPPORTED);
    room[0] = 0;
    assert_int_equal(snapshot_decode(&back, str_make(room, sizeof room)), ERR_INVALID);
}

static void quantiles_are_of_the_last_1024(void **state)
{
    (void)state;
    struct latency *latency = calloc(1, sizeof *latency);
    uint64_t p50, p99;
    latency_quantiles(latency, &p50, &p99);
    assert_int_equal(p50, 0);
    assert_int_equal(p99, 0);
    latency_record(latency, 5000000);
    latency_quantiles(latency, &p50, &p99);
    assert_int_equal(p50, 5000000);
    assert_int_equal(p99, 5000000);
    for (unsigned i = 0; i < 1024; i++)
        latency_record(latency, (i < 1000 ? 1 : 9) * 1000000);
    latency_quantiles(latency, &p50, &p99);
    assert_int_equal(p50, 1000000);
    assert_int_equal(p99, 9000000);
    free(latency);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commands_come_back_as_they_were),
        cmocka_unit_test(every_cut_and_every_wrong_length_is_refused),
        cmocka_unit_test(a_newer_version_is_told_apart_from_garbage),
        cmocka_unit_test(a_snapshot_comes_back_as_it_was),
        cmocka_unit_test(quantiles_are_of_the_last_1024),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
