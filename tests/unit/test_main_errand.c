#include "base/clock.h"
#include "base/str.h"
#include "main/errand.h"
#include "main/waker.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h> /* last: it has a macro named fail */

/* A log that can be read again. */
struct story {
    struct errand errand;
    struct log log;
    char said[65536];
};

static void setup(struct story *story)
{
    char name[] = "/tmp/stoa-errand-XXXXXX";
    memset(story, 0, sizeof *story);
    story->log = (struct log){.fd = mkstemp(name), .least = LOG_DEBUG};
    assert_true(story->log.fd >= 0);
    unlink(name);
}

static void begin(struct story *story, const char *command, uint32_t limit_ms)
{
    const struct errand_task task = {"waking server 4", "wake",   command,
                                     "STOA_SERVER=4",   limit_ms, &story->log};
    assert_int_equal(errand_begin(&story->errand, &task, NULL), 0);
}

/* Looks until it has ended, then reads what the log has. */
static const char *finish(struct story *story)
{
    while (errand_runs(&story->errand)) {
        struct pollfd fd = {story->errand.out, POLLIN, 0};
        poll(&fd, 1, 5);
        errand_look(&story->errand, clock_mono_ns());
    }
    ssize_t len = pread(story->log.fd, story->said, sizeof story->said - 1, 0);
    assert_true(len >= 0);
    story->said[len] = '\0';
    close(story->log.fd);
    return story->said;
}

/* Also while nobody has asked how it ended. */
static bool is_dead(pid_t pid)
{
    char path[64], state = 'Z';
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return true;
    int got = fscanf(file, "%*d %*s %c", &state);
    fclose(file);
    return got != 1 || state == 'Z' || state == 'X';
}

static void what_it_prints_is_in_the_log_line_by_line(void **state)
{
    (void)state;
    struct story *story = malloc(sizeof *story);
    setup(story);
    begin(story, "echo server $STOA_SERVER; printf 'no\\tend' >&2", ERRAND_MS);
    const char *said = finish(story);
    assert_non_null(strstr(said, "waking server 4: server 4\n"));
    assert_non_null(strstr(said, "waking server 4: no?end\n"));
    assert_non_null(strstr(said, "waking server 4: the command is done\n"));
    assert_false(story->errand.failed);
    free(story);
}

static void a_failure_is_told_with_its_status(void **state)
{
    (void)state;
    struct story *story = malloc(sizeof *story);
    setup(story);
    begin(story, "exit 7", ERRAND_MS);
    assert_non_null(strstr(finish(story), "the command failed with status 7"));
    assert_true(story->errand.failed);
    free(story);
}

static void one_that_takes_too_long_is_killed_with_its_children(void **state)
{
    (void)state;
    struct story *story = malloc(sizeof *story);
    setup(story);
    uint64_t begun = clock_mono_ns();
    begin(story, "tail -f /dev/null & echo $!; exec >&- 2>&-; wait", 2000); /* time for the echo */
    const char *said = finish(story);
    assert_true(clock_mono_ns() - begun >= 2000 * MS_NS);
    assert_non_null(strstr(said, "takes too long and is killed"));
    const char *number = strstr(said, "waking server 4: ");
    assert_non_null(number);
    pid_t child = (pid_t)atoi(number + strlen("waking server 4: "));
    assert_true(child > 1);
    for (unsigned i = 0; i < 1000 && !is_dead(child); i++)
        poll(NULL, 0, 10);
    assert_true(is_dead(child));
    free(story);
}

static void one_that_prints_without_end_does_not_fill_the_log(void **state)
{
    (void)state;
    struct story *story = malloc(sizeof *story);
    setup(story);
    begin(story, "yes | head -c 100000", ERRAND_MS);
    const char *said = finish(story);
    unsigned lines = 0;
    for (const char *at = said; (at = strstr(at, ": y\n")); at++)
        lines++;
    assert_int_equal(lines, ERRAND_LINES);
    assert_non_null(strstr(said, "the command is done"));
    free(story);
}

/* A server that it has started in the background is not its own any more. */
static void what_is_left_behind_lives_on(void **state)
{
    (void)state;
    struct story *story = malloc(sizeof *story);
    setup(story);
    begin(story, "setsid tail -f /dev/null >/dev/null 2>&1 & echo $!", ERRAND_MS);
    const char *said = finish(story);
    const char *number = strstr(said, "waking server 4: ");
    assert_non_null(number);
    pid_t child = (pid_t)atoi(number + strlen("waking server 4: "));
    assert_true(child > 1);
    assert_false(is_dead(child));
    kill(child, SIGKILL);
    free(story);
}

static int check(const char *way, struct failure *failure)
{
    struct option_list list = {.count = 1};
    str_copy(list.items[0], sizeof list.items[0], str_of(way));
    *failure = (struct failure){0};
    return waker_check(&list, failure);
}

static void a_way_is_a_number_and_a_command(void **state)
{
    (void)state;
    struct failure failure;
    assert_int_equal(check("4=ssh cold1 FLAG=1 start", &failure), 0);
    static const char *const bad[] = {"4", "4=", "=start", "x=start", "0=start", ""};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(check(bad[i], &failure), ERR_INVALID);
        assert_non_null(strstr(failure.text, "a server's number and a command"));
    }
    struct option_list twice = {.count = 2, .items = {"4=a", "4=b"}};
    assert_int_equal(waker_check(&twice, &failure), ERR_INVALID);
    assert_non_null(strstr(failure.text, "two commands for server 4"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_it_prints_is_in_the_log_line_by_line),
        cmocka_unit_test(a_failure_is_told_with_its_status),
        cmocka_unit_test(one_that_takes_too_long_is_killed_with_its_children),
        cmocka_unit_test(one_that_prints_without_end_does_not_fill_the_log),
        cmocka_unit_test(what_is_left_behind_lives_on),
        cmocka_unit_test(a_way_is_a_number_and_a_command),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
