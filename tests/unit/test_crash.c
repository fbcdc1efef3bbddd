/* Named crash points: where a test has the process killed. */
#include "base/crash.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* How many times a child that has PLAN passes bank_before before it is dead, MAX if it is not. */
static unsigned passages(struct crash_plan *plan, unsigned max)
{
    int ends[2], status;
    char byte;
    unsigned count = 0;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (unsigned i = 0; i < max; i++) {
            crash_here(plan, CRASH_bank_after); /* has no rule */
            crash_here(plan, CRASH_bank_before);
            if (write(ends[1], "", 1) != 1)
                _exit(2);
        }
        _exit(0);
    }
    close(ends[1]);
    while (read(ends[0], &byte, 1) == 1)
        count++;
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    if (count == max)
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    else
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    return count;
}

static void without_a_plan_nothing_happens(void **state)
{
    (void)state;
    assert_int_equal(passages(NULL, 10), 10);
}

static void kills_at_the_first_the_nth_or_at_random(void **state)
{
    (void)state;
    static const struct {
        const char *rule;
        unsigned least, most;
    } rows[] = {
        {"bank_before", 0, 0},      {"bank_before:1", 0, 0},    {"bank_before:7", 6, 6},
        {"bank_before:100%", 0, 0}, {"bank_before:5%", 0, 999}, /* not at all: once in 10^22 runs */
        {"bank_hook", 1000, 1000}};
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct crash_plan *plan = NULL;
        assert_int_equal(crash_plan_add(&plan, str_of(rows[i].rule), NULL), 0);
        assert_in_range(passages(plan, 1000), rows[i].least, rows[i].most);
        crash_plan_free(plan);
    }
}

static void it_says_where_it_died(void **state)
{
    (void)state;
    struct crash_plan *plan = NULL;
    char said[100] = "";
    int ends[2], status;
    assert_int_equal(crash_plan_add(&plan, STR("bank_before"), NULL), 0);
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        crash_here(plan, CRASH_bank_before);
        _exit(1);
    }
    close(ends[1]);
    assert_true(read(ends[0], said, sizeof said - 1) > 0);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    assert_string_equal(said, "stoa: killed at crash point bank_before\n");
    crash_plan_free(plan);
}

static void a_wrong_rule_is_told_with_the_points(void **state)
{
    (void)state;
    static const char *const rules[] = {"",
                                        "bank",
                                        "bank_before:",
                                        "bank_before:0",
                                        "bank_before:x",
                                        "bank_before:101%",
                                        "bank_before:%",
                                        "bank_before:-1"};
    for (unsigned i = 0; i < sizeof rules / sizeof *rules; i++) {
        struct crash_plan *plan = NULL;
        struct failure failure = {0};
        assert_int_equal(crash_plan_add(&plan, str_of(rules[i]), &failure), ERR_INVALID);
        assert_null(plan);
        for (unsigned point = 0; point < CRASH_POINT_COUNT; point++)
            assert_non_null(strstr(failure.text, crash_point_name((enum crash_point)point)));
    }
    assert_non_null(strstr(crash_point_about(CRASH_buy_held), "home"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_plan_nothing_happens),
        cmocka_unit_test(kills_at_the_first_the_nth_or_at_random),
        cmocka_unit_test(it_says_where_it_died),
        cmocka_unit_test(a_wrong_rule_is_told_with_the_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
