/* How members of tiers are started, by what was typed. */
#include "base/check.h"
#include "base/clock.h"
#include "main/fleet_choice.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h> /* last: it has a macro named fail */

enum { DEADLINE_S = 20 };

/* Members are this program again; it waits to be ended when it is called so. */
static const char *const words[] = {"stoa", "member", "{index}", NULL};
static const struct fleet_choice_tier both[FLEET_TIERS] = {{4, words, "ready "},
                                                           {2, words, "ready "}};
static const unsigned both_most[FLEET_TIERS] = {4, 2}, workers[FLEET_TIERS] = {4, 0};

static const struct option_row rows[] = {FLEET_ROWS(0)};

/* FLAGS ends in NULL. */
static int read_settings(const char *const *flags, struct fleet_settings *settings,
                         struct failure *failure)
{
    const struct option_table table = {rows, COUNT_OF(rows), NULL};
    char *typed[16];
    int count = 0;
    unsigned operands = 0;
    for (; flags[count]; count++)
        typed[count] = (char *)flags[count];
    memset(settings, 0, sizeof *settings);
    option_defaults(&table, settings);
    return option_parse(&table, settings, count, typed, NULL, 0, &operands, failure);
}

static void assert_check(const char *const *flags, const unsigned *most, const char *why)
{
    struct fleet_settings settings;
    struct failure failure = {0};
    assert_int_equal(read_settings(flags, &settings, &failure), 0);
    assert_int_equal(fleet_choice_check(&settings, most, &failure), why ? ERR_INVALID : 0);
    if (why && !strstr(failure.text, why))
        fail_msg("\"%s\" is not in \"%s\"", why, failure.text);
}

#define FLAGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void what_goes_together_is_taken(void **state)
{
    (void)state;
    assert_check((const char *const[]){NULL}, both_most, NULL);
    assert_check(FLAGS("--member-memory=256M", "--member-cpu=150%"), both_most, NULL);
    assert_check(FLAGS("--scale-up=up {tier} {index}", "--scale-down=down {tier} {index}"),
                 both_most, NULL);
    assert_check(FLAGS("--scale-up=up {index}", "--scale-down=down {index}"), workers, NULL);
    assert_check(FLAGS("--scale-up=on {machine} {index}", "--scale-down=off {machine} {index}",
                       "--scale-machine=a=1", "--scale-machine=b=3"),
                 workers, NULL);
    assert_check(FLAGS("--scale-up=scale {tier} {count}"), both_most, NULL);
}

static void what_does_not_is_refused_and_says_why(void **state)
{
    (void)state;
    assert_check(FLAGS("--scale-up=up {index}"), workers, "--scale-down is missing");
    assert_check(FLAGS("--scale-down=down {index}"), workers, "--scale-up is missing");
    assert_check(FLAGS("--scale-up=up {index}", "--scale-down=down {index} {tier}"), both_most,
                 "--scale-up does not say which tier");
    assert_check(FLAGS("--scale-up=scale {count}"), both_most,
                 "--scale-up does not say which tier");
    assert_check(FLAGS("--scale-up=scale {count}", "--scale-down=down {index}"), workers,
                 "does both");
    assert_check(FLAGS("--scale-machine=a=1"), workers, "without --scale-up");
    assert_check(FLAGS("--scale-up=scale {count}", "--scale-machine=a=1"), workers,
                 "not which member");
    assert_check(FLAGS("--scale-up=up {machine} {index}", "--scale-down=down {machine} {index}",
                       "--scale-machine=a=3"),
                 workers, "room for 3 members of a tier, but there may be 4 workers");
    assert_check(FLAGS("--scale-up=up {index}", "--scale-down=down {index}", "--scale-machine=a"),
                 workers, "like web1=4");
    assert_check(FLAGS("--scale-up=scale {count}", "--member-cpu=50%"), workers,
                 "let what starts the members limit them");
}

static void turn_until_empty(struct fleet *fleet)
{
    uint64_t until_ns = clock_mono_ns() + DEADLINE_S * SEC_NS;
    fleet_want(fleet, 0, 0);
    do {
        struct pollfd fd = {fleet_fd(fleet), POLLIN, 0};
        assert_true(clock_mono_ns() < until_ns);
        fleet_turn(fleet, clock_mono_ns());
        poll(&fd, 1, fleet_wait_ms(fleet, clock_mono_ns()));
    } while (!fleet_is_empty(fleet));
}

static void open_fleet(struct fleet_choice *choice, struct fleet_settings *settings,
                       const char *const *flags)
{
    assert_int_equal(read_settings(flags, settings, NULL), 0);
    assert_int_equal(fleet_choice_check(settings, both_most, NULL), 0);
    assert_int_equal(fleet_choice_open(choice, settings, both, NULL, NULL), 0);
}

static void nothing_typed_means_processes_of_this_machine(void **state)
{
    (void)state;
    struct fleet_choice choice;
    struct fleet_settings settings;
    struct fleet_tier_view view;
    open_fleet(&choice, &settings, (const char *const[]){NULL});
    assert_true(choice.is_here);
    fleet_want(choice.fleet, 1, 1);
    fleet_turn(choice.fleet, clock_mono_ns());
    for (unsigned i = 0; i < FLEET_TIERS; i++) {
        fleet_view(choice.fleet, (enum fleet_tier)i, &view);
        assert_int_equal(view.count, 1);
        assert_true(view.members[0].pid > 0);
    }
    turn_until_empty(choice.fleet);
    fleet_choice_close(&choice);
}

static void a_command_with_a_count_is_told_counts(void **state)
{
    (void)state;
    struct fleet_choice choice;
    struct fleet_settings settings;
    struct fleet_tier_view view;
    open_fleet(&choice, &settings, FLAGS("--scale-up=true {tier} {count}"));
    assert_false(choice.is_here);
    fleet_want(choice.fleet, 9, 1);
    fleet_view(choice.fleet, FLEET_WORKER, &view);
    assert_true(view.counted);
    assert_int_equal(view.wanted, 4);
    fleet_choice_close(&choice);
}

static void commands_for_members_are_run_for_each(void **state)
{
    (void)state;
    struct fleet_choice choice;
    struct fleet_settings settings;
    struct fleet_tier_view view;
    open_fleet(&choice, &settings,
               FLAGS("--scale-up=true {tier} {index}", "--scale-down=true {tier} {index}"));
    fleet_want(choice.fleet, 2, 0);
    fleet_turn(choice.fleet, clock_mono_ns());
    fleet_view(choice.fleet, FLEET_WORKER, &view);
    assert_false(view.counted);
    assert_int_equal(view.sizes.starting, 2);
    turn_until_empty(choice.fleet);
    fleet_choice_close(&choice);
}

int main(int count, char **typed)
{
    while (count > 1 && strcmp(typed[1], "member") == 0)
        pause();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_goes_together_is_taken),
        cmocka_unit_test(what_does_not_is_refused_and_says_why),
        cmocka_unit_test(nothing_typed_means_processes_of_this_machine),
        cmocka_unit_test(a_command_with_a_count_is_told_counts),
        cmocka_unit_test(commands_for_members_are_run_for_each),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
