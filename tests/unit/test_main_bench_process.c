/* A bench's processes: this test is started once more, in a role that its first word names. */
#include "base/clock.h"
#include "main/bench_process.h"

#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { READY_MS = 20000, END_MS = 20000, SHORT_MS = 100 };

/* ---- The roles ---- */

/* Ends with STATUS when it is asked to. */
static int play_obedient(int status)
{
    sigset_t set;
    int number;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, NULL);
    printf("ready\n");
    fflush(stdout);
    return sigwait(&set, &number) ? 1 : status;
}

__attribute__((noreturn)) static void play_deaf(void)
{
    signal(SIGTERM, SIG_IGN);
    printf("ready\n");
    fflush(stdout);
    for (;;)
        pause();
}

/* ---- The tests ---- */

struct bed {
    struct bench_process process;
    struct failure failure;
};

static int set_up(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    bed->process.output = -1;
    *state = bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    bench_process_kill(&bed->process);
    free(bed);
    return 0;
}

static void *start(void *argument)
{
    struct bed *bed = argument;
    const char *words[] = {"obedient", NULL};
    if (bench_process_start(&bed->process, words, "/dev/null", &bed->failure))
        bed->process.pid = 0;
    return NULL;
}

static void start_as(struct bed *bed, const char *role)
{
    const char *words[] = {role, NULL};
    if (bench_process_start(&bed->process, words, "/dev/null", &bed->failure) ||
        bench_process_wait(&bed->process, "ready", READY_MS, role, &bed->failure))
        fail_msg("%s", bed->failure.text);
}

static bool ends_soon(int pidfd)
{
    struct pollfd ended = {.fd = pidfd, .events = POLLIN};
    return poll(&ended, 1, END_MS) == 1;
}

/* A bench of its own, which starts one that nobody asks to end, says who that is, and hangs. */
__attribute__((noreturn)) static void be_a_bench(int tell)
{
    struct bed bed = {.process = {.output = -1}};
    start_as(&bed, "deaf");
    if (write(tell, &bed.process.pid, sizeof bed.process.pid) != sizeof bed.process.pid)
        _exit(1);
    for (;;)
        pause();
}

static void it_dies_with_a_bench_that_is_killed(void **state)
{
    int pair[2];
    pid_t child = 0;
    (void)state;
    assert_int_equal(pipe(pair), 0);
    pid_t bench = fork();
    if (bench == 0)
        be_a_bench(pair[1]);
    close(pair[1]);
    assert_int_equal(read(pair[0], &child, sizeof child), sizeof child);
    int pidfd = pidfd_open(child, 0);
    assert_true(pidfd >= 0);
    kill(bench, SIGKILL);
    assert_int_equal(waitpid(bench, NULL, 0), bench);
    bool ended = ends_soon(pidfd);
    if (!ended)
        kill(child, SIGKILL);
    assert_true(ended);
    close(pidfd);
    close(pair[0]);
}

static void it_lives_on_after_the_thread_that_started_it(void **state)
{
    struct bed *bed = *state;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, start, bed), 0);
    pthread_join(thread, NULL);
    assert_true(bed->process.pid > 0);
    assert_int_equal(bench_process_wait(&bed->process, "ready", READY_MS, "it", &bed->failure), 0);
    assert_int_equal(bench_process_end(&bed->process, END_MS, "it", &bed->failure), 0);
    assert_int_equal(bed->process.pid, 0);
}

static void one_that_ends_badly_is_told_of(void **state)
{
    struct bed *bed = *state;
    start_as(bed, "failing");
    assert_int_equal(bench_process_end(&bed->process, END_MS, "it", &bed->failure), ERR_STATE);
    assert_non_null(strstr(bed->failure.text, "did not end well"));
    assert_int_equal(bench_process_end(&bed->process, END_MS, "it", &bed->failure), ERR_STATE);
    assert_non_null(strstr(bed->failure.text, "does not run"));
}

static void one_that_does_not_end_is_killed(void **state)
{
    struct bed *bed = *state;
    start_as(bed, "deaf");
    int pidfd = pidfd_open(bed->process.pid, 0);
    assert_int_equal(bench_process_end(&bed->process, SHORT_MS, "it", &bed->failure), ERR_TIMEOUT);
    assert_non_null(strstr(bed->failure.text, "it was killed"));
    assert_int_equal(bed->process.pid, 0);
    assert_true(ends_soon(pidfd));
    close(pidfd);
}

static void one_that_hangs_is_killed(void **state)
{
    struct bed *bed = *state;
    start_as(bed, "obedient");
    assert_int_equal(bench_process_hang(&bed->process, true, "it", &bed->failure), 0);
    assert_int_equal(bench_process_end(&bed->process, SHORT_MS, "it", &bed->failure), ERR_TIMEOUT);
    assert_int_equal(bed->process.pid, 0);
}

static void too_many_words_are_refused(void **state)
{
    struct bed *bed = *state;
    const char *words[BENCH_PROCESS_WORDS + 2] = {"obedient"};
    for (unsigned i = 1; i <= BENCH_PROCESS_WORDS; i++)
        words[i] = "more";
    assert_int_equal(bench_process_start(&bed->process, words, "/dev/null", &bed->failure),
                     ERR_FULL);
    assert_int_equal(bed->process.pid, 0);
}

#define PROCESS(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(int count, char **words)
{
    if (count > 1 && strcmp(words[1], "obedient") == 0)
        return play_obedient(0);
    if (count > 1 && strcmp(words[1], "failing") == 0)
        return play_obedient(3);
    if (count > 1 && strcmp(words[1], "deaf") == 0)
        play_deaf();
    const struct CMUnitTest tests[] = {
        PROCESS(it_dies_with_a_bench_that_is_killed), /* first: it forks before there are threads */
        PROCESS(it_lives_on_after_the_thread_that_started_it),
        PROCESS(one_that_ends_badly_is_told_of),
        PROCESS(one_that_does_not_end_is_killed),
        PROCESS(one_that_hangs_is_killed),
        PROCESS(too_many_words_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
