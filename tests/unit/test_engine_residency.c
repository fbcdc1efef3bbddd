/* The threads that read files. The test plays the disk: pread is its own, and can be stopped. */
#include "base/check.h"
#include "engine/residency.h"
#include "http/conn.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h> /* last: it has a macro named fail */

enum { EXCHANGES = 5, FILE_BEGIN = 100 };

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool open;       /* else who reads waits */
    int error;       /* that reading gives; 0: all is well */
    off_t size;      /* of each file */
    unsigned reads;  /* in all */
    unsigned inside; /* now */
    int first[EXCHANGES];
    unsigned first_count; /* descriptors in the order of their first reading */
    off_t last;           /* offset */
    unsigned returned;
} disk = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

static void note_reading(int fd, off_t offset)
{
    if (offset == FILE_BEGIN)
        disk.first[disk.first_count++] = fd;
    else
        CHECK(offset % 4096 == 0 && offset > disk.last);
    disk.last = offset;
    disk.reads++;
}

ssize_t pread(int fd, void *out, size_t size, off_t offset)
{
    CHECK(size == 1);
    pthread_mutex_lock(&disk.lock);
    note_reading(fd, offset);
    disk.inside++;
    pthread_cond_broadcast(&disk.changed);
    while (!disk.open)
        pthread_cond_wait(&disk.changed, &disk.lock);
    disk.inside--;
    int error = disk.error;
    off_t end = disk.size;
    pthread_mutex_unlock(&disk.lock);
    if (error) {
        errno = error;
        return -1;
    }
    memset(out, 'x', size);
    return offset < end;
}

static void resume(struct exchange_runner *runner, struct exchange *x)
{
    (void)runner;
    CHECK(x->step); /* exchange_wake's */
    pthread_mutex_lock(&disk.lock);
    disk.returned++;
    pthread_cond_broadcast(&disk.changed);
    pthread_mutex_unlock(&disk.lock);
}

struct bench {
    struct residency *residency;
    struct exchange_runner runner;
    struct exchange x[EXCHANGES];
};

/* With files that have no descriptor: nothing but this test looks at them. */
static void open_bench(struct bench *bench, unsigned threads)
{
    *bench = (struct bench){.runner.resume = resume};
    for (int i = 0; i < EXCHANGES; i++)
        bench->x[i] = (struct exchange){.runner = &bench->runner,
                                        .file = 1000000 + i,
                                        .file_offset = FILE_BEGIN,
                                        .length = 1 << 30};
    disk.open = false;
    disk.error = 0;
    disk.size = 1 << 30;
    disk.reads = disk.inside = disk.first_count = disk.returned = 0;
    bench->residency = residency_new(threads, NULL);
    assert_non_null(bench->residency);
}

static void wait_for(const unsigned *count, unsigned wanted)
{
    pthread_mutex_lock(&disk.lock);
    while (*count < wanted)
        pthread_cond_wait(&disk.changed, &disk.lock);
    pthread_mutex_unlock(&disk.lock);
}

static void let_go(void)
{
    pthread_mutex_lock(&disk.lock);
    disk.open = true;
    pthread_cond_broadcast(&disk.changed);
    pthread_mutex_unlock(&disk.lock);
}

/* All, of so many bytes, are handed over; as many as there are threads are being read. */
static void fetch_all(struct bench *bench, unsigned threads, uint64_t bytes)
{
    open_bench(bench, threads);
    for (int i = 0; i < EXCHANGES; i++)
        bench->x[i].length = bytes;
    for (int i = 0; i < EXCHANGES; i++)
        residency_fetch(bench->residency, &bench->x[i]);
    wait_for(&disk.inside, threads);
    assert_int_equal(residency_waiting(bench->residency), EXCHANGES - threads);
}

/* Those that have been handed over come back. */
static void await_all(struct bench *bench, unsigned count)
{
    let_go();
    wait_for(&disk.returned, count);
    residency_free(bench->residency);
}

static void each_page_of_a_piece_is_read(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, 1);
    let_go();
    residency_fetch(bench.residency, &bench.x[0]);
    wait_for(&disk.returned, 1);
    assert_int_equal(disk.reads, FETCH_BYTES / 4096 + 1); /* it begins within a page */
    bench.x[1].length = 5000;
    residency_fetch(bench.residency, &bench.x[1]);
    wait_for(&disk.returned, 2);
    assert_int_equal(disk.reads, FETCH_BYTES / 4096 + 1 + 2);
    assert_int_equal(residency_fetched(bench.residency), 2);
    residency_free(bench.residency);
}

static void they_are_read_in_the_order_in_which_they_came(void **state)
{
    (void)state;
    struct bench bench;
    fetch_all(&bench, 1, FETCH_BYTES);
    let_go();
    wait_for(&disk.returned, EXCHANGES);
    for (int i = 0; i < EXCHANGES; i++)
        assert_int_equal(disk.first[i], bench.x[i].file);
    assert_int_equal(residency_waiting(bench.residency), 0);
    residency_free(bench.residency);
}

static void as_many_are_read_at_once_as_there_are_threads(void **state)
{
    (void)state;
    struct bench bench;
    fetch_all(&bench, 3, 1);
    await_all(&bench, EXCHANGES);
    assert_int_equal(disk.reads, EXCHANGES);
}

static void nothing_is_read_for_a_client_that_has_gone(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, 1);
    residency_fetch(bench.residency, &bench.x[0]);
    wait_for(&disk.inside, 1);
    residency_fetch(bench.residency, &bench.x[1]);
    __atomic_store_n(&bench.x[0].client_gone, true, __ATOMIC_RELAXED); /* in the middle */
    __atomic_store_n(&bench.x[1].client_gone, true, __ATOMIC_RELAXED);
    await_all(&bench, 2);
    assert_int_equal(disk.reads, 1);
}

static void what_is_abandoned_comes_back_unread(void **state)
{
    (void)state;
    struct bench bench;
    fetch_all(&bench, 1, FETCH_BYTES);
    residency_abandon(bench.residency);
    await_all(&bench, EXCHANGES);
    assert_int_equal(disk.reads, 1);
}

static void what_cannot_be_read_comes_back_too(void **state)
{
    (void)state;
    struct bench bench;
    open_bench(&bench, 1);
    disk.error = EIO;
    let_go();
    residency_fetch(bench.residency, &bench.x[0]);
    wait_for(&disk.returned, 1);
    assert_int_equal(disk.reads, 1);
    disk.error = 0;
    disk.size = 10000; /* shorter than was promised */
    residency_fetch(bench.residency, &bench.x[1]);
    wait_for(&disk.returned, 2);
    assert_int_equal(disk.reads, 1 + 4);
    residency_free(bench.residency);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_page_of_a_piece_is_read),
        cmocka_unit_test(they_are_read_in_the_order_in_which_they_came),
        cmocka_unit_test(as_many_are_read_at_once_as_there_are_threads),
        cmocka_unit_test(nothing_is_read_for_a_client_that_has_gone),
        cmocka_unit_test(what_is_abandoned_comes_back_unread),
        cmocka_unit_test(what_cannot_be_read_comes_back_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
