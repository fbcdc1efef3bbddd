/* A fleet with real processes: this test's own program, which is a worker when it is told so. */
#include "base/check.h"
#include "base/clock.h"
#include "main/launcher_here.h"
#include "scale/fleet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h> /* last: it has a macro named fail */

enum { DEADLINE_S = 20 };

/* ---- A worker ---- */

static void say(const char *text)
{
    ssize_t written = write(STDOUT_FILENO, text, strlen(text));
    (void)written;
}

/* Until SIGTERM; at SIGUSR1 it says that it is there. */
static int obey(void)
{
    sigset_t set;
    int number;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    say("stoa: worker ready\n");
    while (sigwait(&set, &number) == 0 && number == SIGUSR1)
        say("still here\n");
    say("draining\n");
    return 0;
}

static int be_worker(const char *kind)
{
    if (strcmp(kind, "obedient") == 0)
        return obey();
    if (strcmp(kind, "broken") == 0)
        return 1;
    if (strcmp(kind, "misused") == 0)
        return 2;
    if (strcmp(kind, "chatty") == 0)
        for (say("stoa: worker ready\n");;)
            say("and another thing\n");
    if (strcmp(kind, "stubborn") == 0)
        signal(SIGTERM, SIG_IGN);
    if (strcmp(kind, "mute") != 0)
        say("stoa: worker ready\n");
    for (;;)
        pause();
}

/* ---- Its fleet ---- */

struct bed {
    struct log log;
    int log_file, output, errors; /* errors: standard error, set aside */
    const char *words[4];
    struct cgroup *cgroup; /* NULL: no limits */
    struct launcher_here *here;
    struct fleet *fleet;
    struct fleet_tier_view view;
    char text[256 << 10];
};

static int temporary(void)
{
    char name[] = "/tmp/stoa-fleet-XXXXXX";
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    unlink(name);
    return fd;
}

static int set_up(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    assert_non_null(bed);
    bed->log_file = temporary();
    bed->output = temporary();
    bed->log = (struct log){.fd = bed->log_file, .least = LOG_DEBUG};
    bed->errors = dup(STDERR_FILENO);
    dup2(bed->output, STDERR_FILENO);
    *state = bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    dup2(bed->errors, STDERR_FILENO);
    for (unsigned i = 0; bed->fleet && i < FLEET_SLOTS; i++)
        if (launcher_here.pid(bed->here, i))
            launcher_here.kill(bed->here, i);
    fleet_free(bed->fleet);
    launcher_here_free(bed->here);
    close(bed->errors);
    close(bed->log_file);
    close(bed->output);
    free(bed);
    return 0;
}

static struct fleet_rules quick_rules(void)
{
    struct fleet_rules rules = fleet_rules_usual(4);
    rules.ready_ns = 10 * SEC_NS;
    return rules;
}

static void begin(struct bed *bed, const char *kind, struct fleet_rules rules)
{
    bed->words[0] = "stoa";
    bed->words[1] = "worker";
    bed->words[2] = kind;
    const struct launcher_here_config here = {
        .tier = "worker",
        .words = bed->words,
        .ready = "stoa: worker ready",
        .cgroup = bed->cgroup,
    };
    assert_int_equal(launcher_here_new(&here, &bed->here, NULL), 0);
    const struct fleet_config config = {
        .tiers = {[FLEET_WORKER] = {&launcher_here, bed->here, rules}},
        .log = &bed->log,
    };
    assert_int_equal(fleet_new(&config, &bed->fleet, NULL), 0);
}

static const char *read_all(struct bed *bed, int fd)
{
    ssize_t len = pread(fd, bed->text, sizeof bed->text - 1, 0);
    assert_true(len >= 0);
    bed->text[len] = '\0';
    return bed->text;
}

static bool has_logged(struct bed *bed, const char *text)
{
    return strstr(read_all(bed, bed->log_file), text) != NULL;
}

static bool has_passed_on(struct bed *bed, const char *text)
{
    return strstr(read_all(bed, bed->output), text) != NULL;
}

static void turn(struct bed *bed)
{
    struct pollfd fd = {fleet_fd(bed->fleet), POLLIN, 0};
    poll(&fd, 1, fleet_wait_ms(bed->fleet, clock_mono_ns()));
    fleet_turn(bed->fleet, clock_mono_ns());
    fleet_view(bed->fleet, FLEET_WORKER, &bed->view);
}

/* Turns until CONDITION holds, of the view and what was said. */
#define UNTIL(bed, condition)                                                        \
    for (uint64_t until_ns = clock_mono_ns() + DEADLINE_S * SEC_NS; !(condition);) { \
        assert_true(clock_mono_ns() < until_ns);                                     \
        turn(bed);                                                                   \
    }

static void want(struct bed *bed, unsigned count)
{
    fleet_want(bed->fleet, count, 0);
    fleet_turn(bed->fleet, clock_mono_ns());
    fleet_view(bed->fleet, FLEET_WORKER, &bed->view);
}

static void as_many_as_wanted_are_started_and_drained(void **state)
{
    struct bed *bed = *state;
    begin(bed, "obedient", quick_rules());
    want(bed, 3);
    UNTIL(bed, bed->view.sizes.ready == 3);
    UNTIL(bed, has_passed_on(bed, "worker 2: stoa: worker ready\n"));
    want(bed, 1);
    UNTIL(bed, bed->view.count == 1);
    assert_int_equal(bed->view.members[0].number, 1);
    want(bed, 0);
    UNTIL(bed, fleet_is_empty(bed->fleet));
    assert_true(has_passed_on(bed, "worker 1: draining\n"));
    assert_true(has_logged(bed, "worker 1 ended with status 0, as it was to"));
    assert_int_equal(bed->view.crashes, 0);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no zombie is left */
    assert_int_equal(errno, ECHILD);
}

static void one_that_is_killed_is_replaced_after_growing_pauses(void **state)
{
    struct bed *bed = *state;
    begin(bed, "obedient", quick_rules());
    want(bed, 1);
    for (unsigned i = 0; i < 3; i++) {
        UNTIL(bed, bed->view.sizes.ready == 1);
        kill(bed->view.members[0].pid, SIGKILL);
        UNTIL(bed, bed->view.crashes == i + 1);
        assert_int_equal(bed->view.members[0].failures, i + 1);
    }
    UNTIL(bed, bed->view.sizes.ready == 1);
    assert_true(has_logged(bed, "worker 1 died (signal 9); it starts again in 0.2 s"));
    assert_true(has_logged(bed, "it starts again in 0.4 s"));
    assert_true(has_logged(bed, "it starts again in 0.8 s"));
    want(bed, 0);
    UNTIL(bed, fleet_is_empty(bed->fleet));
}

static void one_that_does_not_drain_is_killed_after_the_grace(void **state)
{
    struct bed *bed = *state;
    struct fleet_rules rules = quick_rules();
    rules.grace_ns = 300 * MS_NS;
    begin(bed, "stubborn", rules);
    want(bed, 1);
    UNTIL(bed, bed->view.sizes.ready == 1);
    want(bed, 0);
    UNTIL(bed, fleet_is_empty(bed->fleet));
    assert_int_equal(bed->view.kills, 1);
    assert_true(has_logged(bed, "worker 1 is killed: it did not end in time"));
}

static void one_that_does_not_get_ready_is_killed_and_tried_again(void **state)
{
    struct bed *bed = *state;
    struct fleet_rules rules = quick_rules();
    rules.ready_ns = 200 * MS_NS;
    begin(bed, "mute", rules);
    want(bed, 1);
    UNTIL(bed, bed->view.slow_starts == 2);
    assert_true(has_logged(bed, "worker 1 is killed: it did not get ready in time"));
    want(bed, 0);
    UNTIL(bed, fleet_is_empty(bed->fleet));
}

static void one_that_others_know_to_be_ready_is(void **state)
{
    struct bed *bed = *state;
    begin(bed, "mute", quick_rules());
    want(bed, 2);
    fleet_ready(bed->fleet, FLEET_WORKER, 2, clock_mono_ns());
    fleet_ready(bed->fleet, FLEET_WORKER, 77, clock_mono_ns());
    fleet_ready(bed->fleet, FLEET_FRONT, 1, clock_mono_ns());
    UNTIL(bed, bed->view.sizes.ready == 1);
    assert_int_equal(bed->view.sizes.starting, 1);
    fleet_leave(bed->fleet, FLEET_WORKER, 2, clock_mono_ns());
    want(bed, 0);
    UNTIL(bed, fleet_is_empty(bed->fleet));
}

static void one_that_cannot_work_is_tried_less_and_less_and_that_is_told(void **state)
{
    struct bed *bed = *state;
    struct fleet_rules rules = quick_rules();
    rules.pause_ns = 10 * MS_NS;
    rules.pause_max_ns = 50 * MS_NS;
    begin(bed, "broken", rules);
    want(bed, 1);
    UNTIL(bed, bed->view.sizes.looping == 1);
    UNTIL(bed, has_logged(bed, "worker 1 has ended 5 times in a row"));
    want(bed, 0);
    UNTIL(bed, fleet_is_empty(bed->fleet));
}

static void one_that_is_called_wrongly_is_tried_seldom(void **state)
{
    struct bed *bed = *state;
    begin(bed, "misused", quick_rules());
    want(bed, 1);
    UNTIL(bed, bed->view.crashes == 1);
    assert_true(has_logged(bed, "worker 1 ended with status 2; it starts again in 10.0 s"));
    want(bed, 0);
    assert_true(fleet_is_empty(bed->fleet));
}

static void a_program_that_is_not_there_is_told(void **state)
{
    struct bed *bed = *state;
    bed->words[0] = "stoa";
    const struct launcher_here_config here = {
        .tier = "worker", .program = "/nowhere/stoa", .words = bed->words};
    assert_int_equal(launcher_here_new(&here, &bed->here, NULL), 0);
    const struct fleet_config config = {
        .tiers = {[FLEET_WORKER] = {&launcher_here, bed->here, quick_rules()}}, .log = &bed->log};
    assert_int_equal(fleet_new(&config, &bed->fleet, NULL), 0);
    want(bed, 1);
    UNTIL(bed, bed->view.crashes == 1);
    assert_true(has_logged(bed, "worker 1 could not be executed"));
}

static void one_that_prints_without_end_holds_nobody_up(void **state)
{
    struct bed *bed = *state;
    begin(bed, "chatty", quick_rules());
    want(bed, 1);
    UNTIL(bed, bed->view.sizes.ready == 1);
    want(bed, 0);
    UNTIL(bed, fleet_is_empty(bed->fleet));
}

/* ---- Another master ---- */

/* In a process of its own: a master with two workers, until it is killed. Tells their numbers and
 * processes on OUT. */
static void be_master(struct bed *bed, int out)
{
    struct fleet_member_view *members = bed->view.members;
    alarm(DEADLINE_S);
    begin(bed, "obedient", quick_rules());
    want(bed, 2);
    while (bed->view.sizes.ready < 2)
        turn(bed);
    pid_t pids[2] = {members[0].pid, members[1].pid};
    assert_int_equal(write(out, pids, sizeof pids), sizeof pids);
    for (;;)
        pause();
}

static void begin_orphans(struct bed *bed, pid_t pids[2])
{
    int ends[2], status = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t master = fork();
    assert_true(master >= 0);
    if (master == 0) {
        be_master(bed, ends[1]);
        _exit(1);
    }
    close(ends[1]);
    assert_int_equal(read(ends[0], pids, 2 * sizeof *pids), 2 * sizeof *pids);
    close(ends[0]);
    kill(master, SIGKILL);
    assert_int_equal(waitpid(master, &status, 0), master);
    assert_true(WIFSIGNALED(status));
}

static void members_outlive_their_master_and_serve_the_next_one(void **state)
{
    struct bed *bed = *state;
    pid_t pids[2];
    begin_orphans(bed, pids);
    begin(bed, "obedient", quick_rules());
    kill(pids[0], SIGUSR1); /* nobody reads what it says */
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(
            fleet_adopt(bed->fleet, FLEET_WORKER, i + 1, pids[i], clock_mono_ns(), NULL), 0);
    want(bed, 2);
    assert_int_equal(bed->view.sizes.ready, 2);
    assert_int_equal(bed->view.starts, 0);
    kill(pids[1], SIGUSR1);
    UNTIL(bed, has_passed_on(bed, "worker 2: still here\n"));
    fleet_leave(bed->fleet, FLEET_WORKER, 2, clock_mono_ns()); /* that it could go is no reason */
    kill(pids[1], SIGKILL);
    UNTIL(bed, bed->view.crashes == 1);
    UNTIL(bed, bed->view.starts == 1 && bed->view.sizes.ready == 2);
    assert_true(has_logged(bed, "worker 2 has ended; it starts again"));
    want(bed, 0);
    UNTIL(bed, fleet_is_empty(bed->fleet));
    assert_int_equal(bed->view.kills, 0);
}

/* A folder of plain files stands in for the control groups. */
static void put(const char *folder, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void what_the_kernel_killed_for_its_memory_is_said_of_one_taken_over_too(void **state)
{
    struct bed *bed = *state;
    char folder[] = "/tmp/stoa-fleet-XXXXXX", path[128];
    const struct cgroup_limits limits = {.memory_bytes = 1 << 20};
    pid_t pids[2];
    assert_non_null(mkdtemp(folder));
    put(folder, "cgroup.controllers", "memory\n");
    put(folder, "cgroup.subtree_control", "memory\n");
    snprintf(path, sizeof path, "%s/stoa-worker-2", folder);
    assert_int_equal(mkdir(path, 0755), 0);
    put(path, "memory.events", "max 9\noom 1\noom_kill 1\n");
    bed->cgroup = cgroup_open_at(folder, &limits, &bed->log);
    begin_orphans(bed, pids);
    begin(bed, "obedient", quick_rules());
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(
            fleet_adopt(bed->fleet, FLEET_WORKER, i + 1, pids[i], clock_mono_ns(), NULL), 0);
    want(bed, 2);
    kill(pids[1], SIGKILL);
    UNTIL(bed, has_logged(bed, "worker 2 was killed: it needed more memory than it may; it "
                               "starts again in 0.2 s"));
    want(bed, 0);
    UNTIL(bed, fleet_is_empty(bed->fleet));
    cgroup_close(bed->cgroup);
    snprintf(path, sizeof path, "rm -rf %s", folder);
    assert_int_equal(system(path), 0);
}

static void what_is_no_member_is_not_adopted(void **state)
{
    struct bed *bed = *state;
    struct failure failure = {0};
    begin(bed, "obedient", quick_rules());
    assert_int_equal(fleet_adopt(bed->fleet, FLEET_WORKER, 1, getpid(), clock_mono_ns(), &failure),
                     ERR_INVALID);
    assert_non_null(strstr(failure.text, "is no worker of Stoa"));
    pid_t gone = fork();
    if (gone == 0)
        _exit(0);
    waitpid(gone, NULL, 0);
    assert_int_equal(fleet_adopt(bed->fleet, FLEET_WORKER, 1, gone, clock_mono_ns(), &failure),
                     ERR_NOTFOUND);
    assert_true(fleet_is_empty(bed->fleet));
}

int main(int count, char **words)
{
    if (count > 2 && strcmp(words[1], "worker") == 0)
        return be_worker(words[2]);
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(as_many_as_wanted_are_started_and_drained),
        TEST(one_that_is_killed_is_replaced_after_growing_pauses),
        TEST(one_that_does_not_drain_is_killed_after_the_grace),
        TEST(one_that_does_not_get_ready_is_killed_and_tried_again),
        TEST(one_that_others_know_to_be_ready_is),
        TEST(one_that_cannot_work_is_tried_less_and_less_and_that_is_told),
        TEST(one_that_is_called_wrongly_is_tried_seldom),
        TEST(a_program_that_is_not_there_is_told),
        TEST(one_that_prints_without_end_holds_nobody_up),
        TEST(members_outlive_their_master_and_serve_the_next_one),
        TEST(what_the_kernel_killed_for_its_memory_is_said_of_one_taken_over_too),
        TEST(what_is_no_member_is_not_adopted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
