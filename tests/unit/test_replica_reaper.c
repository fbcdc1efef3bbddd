/* The Raft loop does not wait for the kernel when a segment of the log is full.
 *
 * Counted at the system call, not timed: this program's syscall() stands before libc's, and
 * libraft and replica/ call io_destroy(2) by it.
 */
#include "replica_fixture.h"

#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>

#include <cmocka.h>

static atomic_uint ended_by_loop, ended_by_reaper, ended_by_others;

static void count_end(void)
{
    char name[16] = "";
    pthread_getname_np(pthread_self(), name, sizeof name);
    if (strcmp(name, "stoa-raft") == 0)
        atomic_fetch_add(&ended_by_loop, 1);
    else if (strcmp(name, "stoa-reaper") == 0)
        atomic_fetch_add(&ended_by_reaper, 1);
    else
        atomic_fetch_add(&ended_by_others, 1);
}

long syscall(long number, ...)
{
    long (*next)(long, ...) = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
    long a[6];
    va_list arguments;
    va_start(arguments, number);
    for (unsigned i = 0; i < 6; i++)
        a[i] = va_arg(arguments, long);
    va_end(arguments);
    if (number == SYS_io_destroy)
        count_end();
    return next(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}

static void fill_segments(struct one_server *server, unsigned bytes)
{
    static char command[200 * 1024];
    for (unsigned done = 0; done < bytes; done += sizeof command)
        CHECK(order_submit_wait(server->order, str_make(command, sizeof command), NULL, NULL) == 0);
}

static void full_segments_are_closed_off_the_loop(void **state)
{
    (void)state;
    struct one_server server;
    server_dir(&server);
    server_start(&server);
    atomic_store(&ended_by_loop, 0);
    fill_segments(&server, 26 * 1024 * 1024);
    uint64_t deadline = clock_mono_ns() + 20 * SEC_NS;
    while (atomic_load(&ended_by_reaper) < 3 && clock_mono_ns() < deadline)
        sched_yield();
    assert_true(atomic_load(&ended_by_reaper) >= 3);
    assert_int_equal(atomic_load(&ended_by_loop), 0);
    server_stop(&server);
    server_remove(&server);
}

/* What was handed over before the stop has ended when it is over, and so has the last one. */
static void a_stop_leaves_no_context_behind(void **state)
{
    (void)state;
    struct one_server server;
    server_dir(&server);
    server_start(&server);
    atomic_store(&ended_by_loop, 0);
    atomic_store(&ended_by_others, 0);
    unsigned before = atomic_load(&ended_by_reaper);
    fill_segments(&server, 9 * 1024 * 1024);
    server_stop(&server);
    assert_true(atomic_load(&ended_by_reaper) >= before + 2);
    assert_int_equal(atomic_load(&ended_by_loop), 0);
    assert_int_equal(atomic_load(&ended_by_others), 0);
    server_remove(&server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(full_segments_are_closed_off_the_loop),
        cmocka_unit_test(a_stop_leaves_no_context_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
