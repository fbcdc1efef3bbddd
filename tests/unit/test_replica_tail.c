/* What is kept for a server that gets a copy: in order, from where it is asked for, given back. */
#include "base/check.h"
#include "base/clock.h"
#include "replica/tail.h"

#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static struct tail *make(void)
{
    struct tail *tail;
    struct failure failure;
    CHECK(tail_new("/tmp", &tail, &failure) == 0);
    return tail;
}

/* One transaction of the entries FROM to TO, each SIZE bytes of its number. */
static void put(struct tail *tail, uint64_t from, uint64_t to, size_t size)
{
    const struct applier_tap *tap = tail_tap(tail);
    static char bytes[1 << 20];
    for (uint64_t index = from; index <= to; index++) {
        memset(bytes, (int)(index & 0x7f), size);
        tap->add(tap->context, index, str_make(bytes, size));
    }
    tap->flush(tap->context);
}

/* Asks once; how many came, all of them in order after AFTER. */
static uint64_t take(struct tail *tail, uint64_t taken, uint64_t after, size_t room, size_t size)
{
    struct buf out;
    struct failure failure = {0};
    struct str batch;
    uint64_t index, count = 0;
    bool damaged = false;
    buf_init(&out, 8 << 20);
    if (tail_read(tail, taken, after, room, clock_mono_ns() + 10 * MS_NS, &out, &failure) != 0)
        fail_msg("%s", failure.text);
    struct str bytes = buf_text(&out);
    while (tail_next(&bytes, &index, &batch, &damaged)) {
        assert_int_equal(index, after + ++count);
        assert_int_equal(batch.len, size);
        assert_int_equal(batch.at[size - 1], (int)(index & 0x7f));
    }
    assert_false(damaged);
    assert_int_equal(bytes.len, 0);
    buf_close(&out);
    return count;
}

static void entries_come_in_order_and_once(void **state)
{
    (void)state;
    struct tail *tail = make();
    assert_int_equal(take(tail, 100, 100, 1000, 50), 0); /* none yet */
    put(tail, 101, 110, 50);
    assert_int_equal(take(tail, 100, 100, 100000, 50), 10);
    put(tail, 111, 120, 50);
    assert_int_equal(take(tail, 100, 110, 100000, 50), 10);
    assert_int_equal(take(tail, 105, 120, 100000, 50), 0);
    tail_free(tail);
}

static void what_was_not_applied_comes_again(void **state)
{
    (void)state;
    struct tail *tail = make();
    struct failure failure = {0};
    struct buf out;
    put(tail, 101, 120, 50);
    assert_int_equal(take(tail, 100, 100, 100000, 50), 20);
    assert_int_equal(take(tail, 110, 120, 100000, 50), 0);
    assert_int_equal(take(tail, 110, 110, 100000, 50), 10); /* its process was killed */
    buf_init(&out, 1000);
    assert_int_equal(tail_read(tail, 109, 109, 100, 0, &out, &failure), ERR_STATE);
    buf_close(&out);
    tail_free(tail);
}

static void an_answer_is_bounded_and_has_whole_entries(void **state)
{
    (void)state;
    struct tail *tail = make();
    put(tail, 1, 40, 1000);
    put(tail, 41, 41, 900000); /* longer than the room: alone */
    uint64_t after = 0, asked = 0;
    while (after < 40) {
        uint64_t count = take(tail, 0, after, 5000, 1000);
        assert_true(count >= 1 && count <= 5);
        after += count;
        asked++;
    }
    assert_true(asked >= 8);
    assert_int_equal(take(tail, 40, 40, 5000, 900000), 1);
    tail_free(tail);
}

static void what_was_taken_is_given_back_to_the_disk(void **state)
{
    (void)state;
    struct tail *tail = make();
    struct stat before, after;
    int found = -1; /* the tail's own descriptor: the newest without a name */
    for (int fd = 3; fd < 64; fd++) {
        struct stat about;
        if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode) && about.st_nlink == 0)
            found = fd;
    }
    assert_true(found >= 0);
    put(tail, 1, 400, 100000);
    assert_int_equal(fstat(found, &before), 0);
    uint64_t at = 0;
    while (at < 400)
        at += take(tail, at, at, 500000, 100000);
    take(tail, 400, 400, 1000, 1);
    assert_int_equal(fstat(found, &after), 0);
    assert_true(before.st_blocks * 512 > 39000000);
    assert_true(after.st_blocks * 512 < 20000000);
    tail_free(tail);
}

static void a_tail_that_cannot_be_written_says_so(void **state)
{
    (void)state;
    struct tail *tail = make();
    struct failure failure = {0};
    struct rlimit limit, least;
    struct buf out;
    buf_init(&out, 1 << 20);
    CHECK(getrlimit(RLIMIT_FSIZE, &limit) == 0);
    least = limit;
    least.rlim_cur = 4096;
    signal(SIGXFSZ, SIG_IGN);
    put(tail, 1, 10, 100);
    CHECK(setrlimit(RLIMIT_FSIZE, &least) == 0);
    put(tail, 11, 100, 1000);
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    put(tail, 101, 101, 100); /* a gap would be worse */
    assert_int_equal(take(tail, 0, 0, 100000, 100), 10);
    assert_int_equal(tail_read(tail, 10, 10, 1000, clock_mono_ns() + SEC_NS, &out, &failure),
                     ERR_IO);
    assert_non_null(strstr(failure.text, "cannot be kept"));
    buf_close(&out);
    tail_free(tail);
}

static void *put_later(void *tail)
{
    usleep(20000); /* no wait: it comes while the other one waits */
    put(tail, 1, 1, 10);
    return NULL;
}

static void who_asks_waits_for_the_next_entry(void **state)
{
    (void)state;
    struct tail *tail = make();
    struct failure failure = {0};
    struct buf out;
    pthread_t thread;
    buf_init(&out, 1000);
    CHECK(pthread_create(&thread, NULL, put_later, tail) == 0);
    uint64_t begun = clock_mono_ns();
    assert_int_equal(tail_read(tail, 0, 0, 1000, begun + 10 * SEC_NS, &out, &failure), 0);
    assert_true(out.len > 0 && clock_mono_ns() - begun < 5 * SEC_NS);
    pthread_join(thread, NULL);
    buf_close(&out);
    tail_free(tail);
}

static void bytes_that_are_no_records_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "x", "\xff\xff\xff\xff........",
                                      "\x05\0\0\0\1\0\0\0\0\0\0\0four"};
    static const size_t sizes[] = {0, 1, 12, 16};
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct str bytes = str_make(bad[i], sizes[i]), batch;
        uint64_t index;
        bool damaged = false;
        assert_false(tail_next(&bytes, &index, &batch, &damaged));
        assert_int_equal(damaged, i > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_come_in_order_and_once),
        cmocka_unit_test(what_was_not_applied_comes_again),
        cmocka_unit_test(an_answer_is_bounded_and_has_whole_entries),
        cmocka_unit_test(what_was_taken_is_given_back_to_the_disk),
        cmocka_unit_test(a_tail_that_cannot_be_written_says_so),
        cmocka_unit_test(who_asks_waits_for_the_next_entry),
        cmocka_unit_test(bytes_that_are_no_records_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
