/* Pipe: what is taken is what was written, whoever is on its ends, and however it is cut. */
#include "base/random.h"
#include "base/thread.h"
#include "tier/pipe.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { SIZE = 256, TURNS = 200000, BIG_SIZE = 4096, STREAM = 8 << 20 };

struct bed {
    struct pipe_marks marks;
    char bytes[BIG_SIZE];
};

/* Byte N of a stream that does not repeat with the pipe's size. */
static char byte_at(uint64_t n)
{
    return (char)(n * 2654435761u >> 13);
}

static struct pipe pipe_in(struct bed *bed, size_t size)
{
    struct pipe pipe = {&bed->marks, bed->bytes, size};
    pipe_reset(&pipe);
    return pipe;
}

static size_t put_some(struct pipe *pipe, uint64_t from, size_t len)
{
    char bytes[BIG_SIZE];
    for (size_t i = 0; i < len; i++)
        bytes[i] = byte_at(from + i);
    return pipe_put(pipe, bytes, len);
}

/* Whether the first LEN bytes that are there are the stream's from FROM on. */
static bool is_stream(const struct pipe *pipe, uint64_t from, size_t len)
{
    struct iovec pieces[2];
    unsigned count = pipe_peek(pipe, pieces);
    for (unsigned p = 0; p < count; p++)
        for (size_t i = 0; i < pieces[p].iov_len && len > 0; i++, from++, len--)
            if (((const char *)pieces[p].iov_base)[i] != byte_at(from))
                return false;
    return len == 0;
}

static size_t there(const struct pipe *pipe)
{
    struct iovec pieces[2];
    size_t sum = 0;
    for (unsigned p = 0, count = pipe_peek(pipe, pieces); p < count; p++) {
        assert_true(pieces[p].iov_len > 0);
        sum += pieces[p].iov_len;
    }
    return sum;
}

static void it_is_what_a_plain_count_says(void **state)
{
    struct bed bed;
    struct pipe pipe = pipe_in(&bed, SIZE);
    struct random random;
    uint64_t written = 0, taken = 0;
    (void)state;
    random_seed(&random, 20261123);
    for (unsigned i = 0; i < TURNS; i++) {
        size_t len = random_below(&random, i % 2 ? SIZE / 4 : SIZE + 50);
        size_t room = SIZE - (size_t)(written - taken);
        if (random_below(&random, 2)) {
            assert_int_equal(pipe_room(&pipe), room);
            assert_int_equal(put_some(&pipe, written, len), len < room ? len : room);
            written += len < room ? len : room;
        } else {
            assert_int_equal(there(&pipe), written - taken);
            len = len < written - taken ? len : (size_t)(written - taken);
            assert_true(is_stream(&pipe, taken, len));
            pipe_take(&pipe, len);
            taken += len;
        }
    }
    assert_true(written > 100 * SIZE);
}

static void its_end_comes_after_what_was_written(void **state)
{
    struct bed bed;
    struct pipe pipe = pipe_in(&bed, SIZE);
    (void)state;
    assert_int_equal(put_some(&pipe, 0, 10), 10);
    assert_false(pipe_has_ended(&pipe));
    pipe_end(&pipe);
    assert_true(pipe_has_ended(&pipe));
    assert_false(pipe_is_over(&pipe));
    assert_true(is_stream(&pipe, 0, 10));
    pipe_take(&pipe, 10);
    assert_true(pipe_is_over(&pipe));
    pipe_reset(&pipe);
    assert_false(pipe_has_ended(&pipe) || pipe_is_over(&pipe));
    assert_int_equal(pipe_room(&pipe), SIZE);
}

/* STREAM bytes in pieces of all lengths, then its end. */
static void *write_stream(void *argument)
{
    struct pipe *pipe = argument;
    struct random random;
    random_seed(&random, 1);
    for (uint64_t at = 0; at < STREAM;) {
        size_t len = 1 + random_below(&random, BIG_SIZE);
        len = len < STREAM - at ? len : (size_t)(STREAM - at);
        size_t put = put_some(pipe, at, len);
        at += put;
        if (put == 0)
            sched_yield();
    }
    pipe_end(pipe);
    return NULL;
}

/* How much of it was as it should be. */
static uint64_t take_stream(struct pipe *pipe)
{
    uint64_t at = 0;
    while (!pipe_is_over(pipe)) {
        struct iovec pieces[2];
        if (pipe_peek(pipe, pieces) == 0) {
            sched_yield();
            continue;
        }
        size_t len = pieces[0].iov_len;
        if (!is_stream(pipe, at, len))
            break;
        pipe_take(pipe, len);
        at += len;
    }
    return at;
}

static void a_thread_takes_what_another_writes(void **state)
{
    struct bed bed;
    struct pipe pipe = pipe_in(&bed, BIG_SIZE);
    pthread_t writer;
    (void)state;
    assert_int_equal(thread_start(&writer, "writer", write_stream, &pipe), 0);
    assert_int_equal(take_stream(&pipe), STREAM);
    pthread_join(writer, NULL);
}

static void a_process_takes_what_another_writes(void **state)
{
    struct bed *bed =
        mmap(NULL, sizeof *bed, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    (void)state;
    assert_true(bed != MAP_FAILED);
    struct pipe pipe = pipe_in(bed, BIG_SIZE);
    pid_t writer = fork();
    if (writer == 0) {
        write_stream(&pipe);
        _exit(0);
    }
    assert_int_equal(take_stream(&pipe), STREAM);
    assert_int_equal(waitpid(writer, NULL, 0), writer);
    munmap(bed, sizeof *bed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_what_a_plain_count_says),
        cmocka_unit_test(its_end_comes_after_what_was_written),
        cmocka_unit_test(a_thread_takes_what_another_writes),
        cmocka_unit_test(a_process_takes_what_another_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
