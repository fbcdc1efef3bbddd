/* Several processes over one directory: when a silent writer is killed, who is listed as a reader,
 * and the lock that is given away at its holder's end. */
#include "base/clock.h"
#include "main/service.h"
#include "main/shared_changes.h"
#include "main/shared_lock.h"
#include "main/shared_pulse.h"
#include "main/shared_readers.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* ---- The pulse ---- */

static bool look(struct shared_pulse *pulse, uint64_t pid, enum shared_sign sign, uint64_t ms)
{
    return shared_pulse_look(pulse, pid, sign, ms * MS_NS, (ms + 1000) * MS_NS, 5000);
}

static void who_is_silent_long_enough_is_killed_once(void **state)
{
    (void)state;
    struct shared_pulse pulse = {0};
    for (uint64_t ms = 10000; ms < 14000; ms += 1250)
        assert_false(look(&pulse, 7, SHARED_SIGN_SILENCE, ms));
    assert_true(look(&pulse, 7, SHARED_SIGN_SILENCE, 15000));
    assert_false(look(&pulse, 7, SHARED_SIGN_SILENCE, 16250));
}

static void an_answer_a_refusal_or_another_process_begins_anew(void **state)
{
    (void)state;
    static const enum shared_sign signs[] = {SHARED_SIGN_ANSWER, SHARED_SIGN_NONE};
    for (unsigned i = 0; i < 3; i++) {
        struct shared_pulse pulse = {0};
        for (uint64_t ms = 10000; ms < 14000; ms += 1250)
            assert_false(look(&pulse, 7, SHARED_SIGN_SILENCE, ms));
        uint64_t pid = i == 2 ? 8 : 7;
        assert_false(look(&pulse, pid, i == 2 ? SHARED_SIGN_SILENCE : signs[i], 15000));
        assert_false(look(&pulse, pid, SHARED_SIGN_SILENCE, 16250));
        assert_false(look(&pulse, pid, SHARED_SIGN_SILENCE, 17500));
    }
}

static void nobody_is_killed_for_the_time_in_which_the_machine_stood_still(void **state)
{
    (void)state;
    struct shared_pulse pulse = {0};
    assert_false(look(&pulse, 7, SHARED_SIGN_SILENCE, 10000));
    assert_false(look(&pulse, 7, SHARED_SIGN_SILENCE, 11250));
    assert_false(look(&pulse, 7, SHARED_SIGN_SILENCE, 900000));
    assert_false(look(&pulse, 7, SHARED_SIGN_SILENCE, 901250));
}

static void without_a_time_nobody_is_killed(void **state)
{
    (void)state;
    struct shared_pulse pulse = {0};
    for (uint64_t ms = 10000; ms < 100000; ms += 1250)
        assert_false(
            shared_pulse_look(&pulse, 7, SHARED_SIGN_SILENCE, ms * MS_NS, (ms + 1000) * MS_NS, 0));
}

/* ---- The directory ---- */

struct bed {
    char dir[64];
};

static int set_up(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    strcpy(bed->dir, "/tmp/stoa-shared-XXXXXX");
    *state = bed;
    return mkdtemp(bed->dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(file_remove_tree(bed->dir, NULL), 0);
    free(bed);
    return 0;
}

static void a_reader_is_listed_while_it_reads(void **state)
{
    struct bed *bed = *state;
    struct shared_reader list[4];
    int held;
    assert_int_equal(shared_readers_list(bed->dir, list, 4), 0);
    assert_int_equal(shared_readers_enter(bed->dir, "http://127.0.0.1:1", &held, NULL), 0);
    assert_int_equal(shared_readers_list(bed->dir, list, 4), 1);
    assert_int_equal(list[0].pid, getpid());
    assert_string_equal(list[0].url, "http://127.0.0.1:1");
    shared_readers_leave(bed->dir, &held);
    shared_readers_leave(bed->dir, &held); /* harmless */
    assert_int_equal(shared_readers_list(bed->dir, list, 4), 0);
}

static void what_a_dead_reader_left_is_nobodys_and_is_removed(void **state)
{
    struct bed *bed = *state;
    struct shared_reader list[4];
    char path[128];
    int held;
    assert_int_equal(shared_readers_enter(bed->dir, "http://127.0.0.1:1", &held, NULL), 0);
    snprintf(path, sizeof path, "%s/readers/4194999.json", bed->dir);
    assert_int_equal(file_write(path, STR("{\"pid\":4194999,\"url\":\"http://a\"}"), NULL), 0);
    assert_int_equal(shared_readers_list(bed->dir, list, 4), 1);
    shared_readers_leave(bed->dir, &held);
    assert_int_equal(shared_readers_enter(bed->dir, "http://127.0.0.1:1", &held, NULL), 0);
    assert_int_not_equal(access(path, F_OK), 0);
    shared_readers_leave(bed->dir, &held);
}

static void changes_are_found_by_whoever_maps_them(void **state)
{
    struct bed *bed = *state;
    struct shared_changes one, other;
    assert_int_equal(shared_changes_open(bed->dir, false, &one, NULL), ERR_NOTFOUND);
    assert_int_equal(shared_changes_open(bed->dir, true, &one, NULL), 0);
    assert_int_equal(shared_changes_open(bed->dir, false, &other, NULL), 0);
    assert_false(shared_changes_told_by(&other, (uint64_t)getpid()));
    shared_changes_begin(&one, 5);
    assert_true(shared_changes_told_by(&other, (uint64_t)getpid()));
    assert_false(shared_changes_told_by(&other, 1));
    struct cache *cache = cache_new_over(1 << 20, other.changes);
    assert_int_equal(cache_settings_index(cache), 5);
    cache_free(cache);
    shared_changes_close(&one);
    shared_changes_close(&other);
    shared_changes_close(&other); /* harmless */
}

/* ---- The lock ---- */

struct waiter {
    const char *dir;
    atomic_bool stopping;
    int err, lock;
    pthread_t thread;
};

static void *wait_for_lock(void *argument)
{
    struct waiter *waiter = argument;
    waiter->err = shared_lock_wait(waiter->dir, &waiter->stopping, &waiter->lock, NULL);
    return NULL;
}

/* The lock, which WAITER waits for on a thread of its own. */
static int hold_lock(struct bed *bed, struct waiter *waiter)
{
    int lock;
    *waiter = (struct waiter){.dir = bed->dir};
    shared_lock_prepare();
    assert_int_equal(service_lock(bed->dir, &lock, NULL), 0);
    assert_int_equal(pthread_create(&waiter->thread, NULL, wait_for_lock, waiter), 0);
    return lock;
}

static void who_waits_has_the_lock_when_its_holder_lets_go(void **state)
{
    struct bed *bed = *state;
    struct waiter waiter;
    int lock = hold_lock(bed, &waiter);
    close(lock);
    pthread_join(waiter.thread, NULL);
    assert_int_equal(waiter.err, 0);
    assert_int_equal(service_lock(bed->dir, &lock, NULL), ERR_BUSY);
    close(waiter.lock);
}

static void a_stop_ends_the_wait(void **state)
{
    struct bed *bed = *state;
    struct waiter waiter;
    int lock = hold_lock(bed, &waiter);
    atomic_store(&waiter.stopping, true);
    shared_lock_rouse(waiter.thread);
    assert_int_equal(waiter.err, ERR_CLOSED);
    close(lock);
}

/* A child that has the lock file open until it is killed, and one that has not. */
static pid_t start_child(const char *dir, bool holds)
{
    int ready[2];
    char byte;
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        int lock;
        bool good = !holds || service_lock(dir, &lock, NULL) == 0;
        if (good && write(ready[1], "", 1) == 1)
            for (;;)
                pause();
        _exit(1);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    close(ready[1]);
    return child;
}

static void only_who_has_the_lock_open_is_killed(void **state)
{
    struct bed *bed = *state;
    int status;
    pid_t other = start_child(bed->dir, false), holder = start_child(bed->dir, true);
    assert_int_equal(shared_lock_kill(bed->dir, (uint64_t)other, NULL), ERR_NOTFOUND);
    assert_int_equal(shared_lock_kill(bed->dir, (uint64_t)holder, NULL), 0);
    assert_int_equal(waitpid(holder, &status, 0), holder);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    assert_int_equal(shared_lock_kill(bed->dir, (uint64_t)holder, NULL), ERR_NOTFOUND);
    kill(other, SIGKILL);
    assert_int_equal(waitpid(other, &status, 0), other);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_is_silent_long_enough_is_killed_once),
        cmocka_unit_test(an_answer_a_refusal_or_another_process_begins_anew),
        cmocka_unit_test(nobody_is_killed_for_the_time_in_which_the_machine_stood_still),
        cmocka_unit_test(without_a_time_nobody_is_killed),
        cmocka_unit_test_setup_teardown(a_reader_is_listed_while_it_reads, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_dead_reader_left_is_nobodys_and_is_removed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(changes_are_found_by_whoever_maps_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(who_waits_has_the_lock_when_its_holder_lets_go, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_stop_ends_the_wait, set_up, tear_down),
        cmocka_unit_test_setup_teardown(only_who_has_the_lock_open_is_killed, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
