/* Members of a tier by the operator's commands: one for each member, or one that is told how many.
 */
#include "base/clock.h"
#include "main/errand.h"
#include "main/launcher_command.h"
#include "main/launcher_count.h"
#include "scale/fleet.h"
#include "scale/fleet_count.h"
#include "scale/placeholder.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h> /* last: it has a macro named fail */

enum { DEADLINE_S = 20 };

struct bed {
    struct log log;
    char folder[64], up[256], down[256], text[64 << 10];
    struct fleet_machines machines;
    struct launcher_command *command;
    struct launcher_count *count;
    struct fleet *fleet;
    struct fleet_tier_view view;
};

static int set_up(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    assert_non_null(bed);
    strcpy(bed->folder, "/tmp/stoa-command-XXXXXX");
    assert_non_null(mkdtemp(bed->folder));
    char name[] = "/tmp/stoa-fleet-XXXXXX";
    bed->log = (struct log){.fd = mkstemp(name), .least = LOG_DEBUG};
    assert_true(bed->log.fd >= 0);
    unlink(name);
    *state = bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    char command[128];
    fleet_free(bed->fleet);
    launcher_command_free(bed->command);
    launcher_count_free(bed->count);
    snprintf(command, sizeof command, "rm -rf %s", bed->folder);
    assert_int_equal(system(command), 0);
    close(bed->log.fd);
    free(bed);
    return 0;
}

static void begin_fleet(struct bed *bed, const struct launcher *launcher, void *context,
                        struct fleet_rules rules)
{
    const struct fleet_config config = {.tiers = {[FLEET_FRONT] = {launcher, context, rules}},
                                        .log = &bed->log};
    assert_int_equal(fleet_new(&config, &bed->fleet, NULL), 0);
}

/* UP and DOWN run in the bed's folder. */
static void begin(struct bed *bed, const char *up, const char *down, struct fleet_rules rules)
{
    snprintf(bed->up, sizeof bed->up, "cd %s; %s", bed->folder, up);
    snprintf(bed->down, sizeof bed->down, "cd %s; %s", bed->folder, down);
    assert_int_equal(launcher_command_check(bed->up, bed->down, &bed->machines, NULL), 0);
    const struct launcher_command_config config = {"front",        bed->up,   bed->down,
                                                   &bed->machines, ERRAND_MS, &bed->log};
    assert_int_equal(launcher_command_new(&config, &bed->command, NULL), 0);
    begin_fleet(bed, &launcher_command, bed->command, rules);
}

static void begin_count(struct bed *bed, const char *command)
{
    snprintf(bed->up, sizeof bed->up, "cd %s; %s", bed->folder, command);
    assert_int_equal(launcher_count_check(bed->up, NULL), 0);
    const struct launcher_count_config config = {"front", bed->up, ERRAND_MS, &bed->log};
    assert_int_equal(launcher_count_new(&config, &bed->count, NULL), 0);
    begin_fleet(bed, &launcher_count, bed->count, fleet_rules_usual(9));
}

static bool is_there(const struct bed *bed, const char *name)
{
    char path[128];
    struct stat status;
    snprintf(path, sizeof path, "%s/%s", bed->folder, name);
    return stat(path, &status) == 0;
}

static bool has_logged(struct bed *bed, const char *text)
{
    ssize_t len = pread(bed->log.fd, bed->text, sizeof bed->text - 1, 0);
    assert_true(len >= 0);
    bed->text[len] = '\0';
    return strstr(bed->text, text) != NULL;
}

static void turn(struct bed *bed)
{
    struct pollfd fd = {fleet_fd(bed->fleet), POLLIN, 0};
    fleet_turn(bed->fleet, clock_mono_ns());
    poll(&fd, 1, fleet_wait_ms(bed->fleet, clock_mono_ns()));
    fleet_view(bed->fleet, FLEET_FRONT, &bed->view);
}

/* Turns until CONDITION holds, of the view and of what the commands have left. */
#define UNTIL(bed, condition)                                                        \
    for (uint64_t until_ns = clock_mono_ns() + DEADLINE_S * SEC_NS; !(condition);) { \
        assert_true(clock_mono_ns() < until_ns);                                     \
        turn(bed);                                                                   \
    }

static void want(struct bed *bed, unsigned count)
{
    fleet_want(bed->fleet, 0, count);
}

static void ready(struct bed *bed, unsigned number)
{
    fleet_ready(bed->fleet, FLEET_FRONT, number, clock_mono_ns());
}

static void each_member_is_started_and_stopped_by_its_number(void **state)
{
    struct bed *bed = *state;
    begin(bed, "touch {tier}-{index}", "rm {tier}-{index} && touch stopped-$STOA_INDEX",
          fleet_rules_usual(4));
    want(bed, 2);
    UNTIL(bed, is_there(bed, "front-1") && is_there(bed, "front-2"));
    assert_int_equal(bed->view.sizes.starting, 2);
    ready(bed, 1);
    ready(bed, 2);
    UNTIL(bed, bed->view.sizes.ready == 2);
    want(bed, 1);
    UNTIL(bed, bed->view.count == 1);
    assert_true(is_there(bed, "front-1") && !is_there(bed, "front-2"));
    want(bed, 0);
    UNTIL(bed, fleet_is_empty(bed->fleet));
    assert_true(is_there(bed, "stopped-1") && is_there(bed, "stopped-2"));
    assert_int_equal(bed->view.crashes, 0);
}

static void one_that_cannot_be_started_is_tried_again(void **state)
{
    struct bed *bed = *state;
    struct fleet_rules rules = fleet_rules_usual(4);
    rules.pause_ns = 10 * MS_NS;
    begin(bed, "mkdir first-{index} && exit 3; touch up-{index}", "touch down-{index}", rules);
    want(bed, 1);
    UNTIL(bed, is_there(bed, "up-1"));
    assert_int_equal(bed->view.crashes, 1);
    assert_true(has_logged(bed, "starting front 1: the command failed with status 3"));
    assert_true(has_logged(bed, "front 1 could not be started: the command failed; it starts"));
}

static void one_that_is_no_longer_wanted_is_stopped_after_its_start(void **state)
{
    struct bed *bed = *state;
    begin(bed, "touch begun-{index}; until [ -e go ]; do :; done; touch up-{index}",
          "[ -e up-{index} ] && touch down-{index}", fleet_rules_usual(4));
    want(bed, 1);
    UNTIL(bed, is_there(bed, "begun-1"));
    want(bed, 0);
    UNTIL(bed, bed->view.sizes.draining == 1);
    assert_false(is_there(bed, "down-1"));
    char go[128];
    snprintf(go, sizeof go, "%s/go", bed->folder);
    assert_int_equal(mkdir(go, 0700), 0);
    UNTIL(bed, fleet_is_empty(bed->fleet));
    assert_true(is_there(bed, "down-1"));
}

static void one_that_could_not_be_stopped_is_stopped_again_after_the_grace(void **state)
{
    struct bed *bed = *state;
    struct fleet_rules rules = fleet_rules_usual(4);
    rules.grace_ns = 100 * MS_NS;
    begin(bed, "touch up-{index}", "mkdir first-{index} && exit 1; touch down-{index}", rules);
    want(bed, 1);
    UNTIL(bed, is_there(bed, "up-1"));
    ready(bed, 1);
    want(bed, 0);
    UNTIL(bed, fleet_is_empty(bed->fleet));
    assert_true(is_there(bed, "down-1"));
    assert_true(has_logged(bed, "stopping front 1: the command failed with status 1"));
}

static void one_that_is_gone_is_started_again_unless_it_comes_back(void **state)
{
    struct bed *bed = *state;
    begin(bed, "touch up-{index}; mkdir first-{index} || touch again-{index}", "rm up-{index}",
          fleet_rules_usual(4));
    want(bed, 2);
    UNTIL(bed, is_there(bed, "first-1") && is_there(bed, "first-2"));
    ready(bed, 1);
    ready(bed, 2);
    fleet_gone(bed->fleet, FLEET_FRONT, 1, clock_mono_ns());
    fleet_gone(bed->fleet, FLEET_FRONT, 2, clock_mono_ns());
    ready(bed, 2); /* whoever supervises it was quicker */
    UNTIL(bed, is_there(bed, "again-1"));
    assert_false(is_there(bed, "again-2"));
    assert_int_equal(bed->view.sizes.ready, 1);
}

static void members_of_an_earlier_master_are_taken_over_when_they_are_heard(void **state)
{
    struct bed *bed = *state;
    begin(bed, "touch up-{index}", "touch down-{index}", fleet_rules_usual(4));
    ready(bed, 3);
    ready(bed, 1);
    want(bed, 1);
    UNTIL(bed, is_there(bed, "down-1")); /* the younger one */
    UNTIL(bed, bed->view.count == 1);
    assert_int_equal(bed->view.members[0].number, 3);
    assert_int_equal(bed->view.starts, 0);
}

static void members_are_spread_over_machines_by_their_size(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(fleet_machines_add(&bed->machines, "web1=1", NULL), 0);
    assert_int_equal(fleet_machines_add(&bed->machines, "stoa@10.0.0.4=2", NULL), 0);
    assert_int_equal(fleet_machines_most(&bed->machines), 3);
    begin(bed, "touch {machine}-{index}", "rm {machine}-{index}", fleet_rules_usual(3));
    want(bed, 3);
    UNTIL(bed, is_there(bed, "web1-1") && is_there(bed, "stoa@10.0.0.4-2") &&
                   is_there(bed, "stoa@10.0.0.4-3"));
}

static void many_commands_run_a_few_at_a_time(void **state)
{
    struct bed *bed = *state;
    begin(bed,
          "mkdir one-{index}; set -- one-*; [ $# -le 8 ] || touch many; rmdir one-{index}; "
          "touch up-{index}",
          "true {index}", fleet_rules_usual(40));
    want(bed, 40);
    UNTIL(bed, is_there(bed, "up-40") && is_there(bed, "up-9"));
    assert_false(is_there(bed, "many"));
}

static void a_count_is_told_when_it_changes_and_until_it_is_taken(void **state)
{
    struct bed *bed = *state;
    begin_count(bed, "mkdir first || touch {tier}s-{count}-$STOA_COUNT; [ -e fronts-5-5 ]");
    want(bed, 4);
    want(bed, 5);
    UNTIL(bed, is_there(bed, "fronts-5-5")); /* a second later, as the first was a failure */
    assert_false(is_there(bed, "fronts-4-4"));
    want(bed, 100);
    UNTIL(bed, is_there(bed, "fronts-9-9"));
    assert_true(bed->view.counted);
    assert_int_equal(bed->view.wanted, 9);
    assert_true(has_logged(bed, "5 of tier front: the command failed with status 1"));
}

static void a_failed_count_is_told_again_ever_more_seldom(void **state)
{
    (void)state;
    struct fleet_count count = {0};
    unsigned number = 0;
    uint64_t now_ns = 0;
    assert_false(fleet_count_turn(&count, now_ns, &number));
    fleet_count_want(&count, 0);
    for (unsigned pause_s = 1, i = 0; i < 8; i++, pause_s = pause_s < 32 ? pause_s * 2 : 60) {
        assert_true(fleet_count_turn(&count, now_ns, &number));
        assert_false(fleet_count_turn(&count, now_ns, &number));
        fleet_count_done(&count, true, now_ns);
        assert_true(fleet_count_due(&count) == now_ns + pause_s * SEC_NS);
        assert_false(fleet_count_turn(&count, now_ns + pause_s * SEC_NS - 1, &number));
        now_ns += pause_s * SEC_NS;
    }
    fleet_count_want(&count, 3);
    assert_true(fleet_count_turn(&count, now_ns, &number));
    fleet_count_want(&count, 4);
    fleet_count_done(&count, false, now_ns);
    assert_int_equal(number, 3);
    assert_true(fleet_count_turn(&count, now_ns, &number));
    assert_int_equal(number, 4);
    fleet_count_done(&count, false, now_ns);
    assert_false(fleet_count_turn(&count, now_ns, &number));
    assert_true(fleet_count_due(&count) == UINT64_MAX);
}

/* ---- What is typed ---- */

static void assert_refused(const char *up, const char *down, const struct fleet_machines *machines,
                           const char *why)
{
    struct failure failure = {0};
    assert_int_equal(launcher_command_check(up, down, machines, &failure), ERR_INVALID);
    assert_non_null(strstr(failure.text, why));
}

static void commands_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct fleet_machines machines = {0};
    assert_refused("", "stop {index}", NULL, "--scale-up is missing");
    assert_refused("start {index}", "", NULL, "--scale-down is missing");
    assert_refused("start it", "stop {index}", NULL, "--scale-up does not say which member");
    assert_refused("start {index} {machine}", "stop {index}", NULL, "no machine is given");
    assert_int_equal(fleet_machines_add(&machines, "web1=2", NULL), 0);
    assert_refused("start {index}", "stop {index}", &machines, "--scale-up does not say on which");
    assert_int_equal(launcher_count_check("scale {count} {index}", &failure), ERR_INVALID);
    assert_non_null(strstr(failure.text, "not both"));
    assert_true(launcher_count_is("scale {count}"));
    assert_false(launcher_count_is("scale {index}"));
}

static void machines_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"web1",        "web1=",  "web1=0",    "web1=257", "=3",
                                        "web 1=3",     "we$b=3", "-oProxy=3", "web1=3x",  "a=b=3",
                                        "$(reboot)=3", "web;=1", "'web'=1",   ""};
    struct fleet_machines machines = {0};
    struct failure failure = {0};
    for (unsigned i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(fleet_machines_add(&machines, wrong[i], &failure), ERR_INVALID);
    assert_non_null(strstr(failure.text, "like web1=4"));
    assert_int_equal(fleet_machines_add(&machines, "web1=4", NULL), 0);
    assert_int_equal(fleet_machines_add(&machines, "web1=4", NULL), ERR_EXISTS);
    assert_int_equal(fleet_machines_add(&machines, "web2=8", NULL), 0);
    static const char names[] = "1221221";
    for (unsigned i = 0; i < 7; i++)
        assert_int_equal(fleet_place_of(&machines, i + 1)->name[3], names[i]);
}

static void placeholders_are_filled_and_other_braces_left(void **state)
{
    (void)state;
    char out[32];
    const struct placeholder values[] = {{"index", "12"}, {"tier", "worker"}};
    assert_int_equal(placeholder_fill("{tier}@{index} ${HOME} {x", values, 2, out, 32, NULL), 0);
    assert_string_equal(out, "worker@12 ${HOME} {x");
    assert_int_equal(placeholder_fill("{tier}", values, 2, out, 7, NULL), 0);
    assert_int_equal(placeholder_fill("{tier}", values, 2, out, 6, NULL), ERR_FULL);
    assert_true(placeholder_is_in("a {b} {index}", "index"));
    assert_false(placeholder_is_in("a {b} {inde}", "index"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(each_member_is_started_and_stopped_by_its_number),
        TEST(one_that_cannot_be_started_is_tried_again),
        TEST(one_that_is_no_longer_wanted_is_stopped_after_its_start),
        TEST(one_that_could_not_be_stopped_is_stopped_again_after_the_grace),
        TEST(one_that_is_gone_is_started_again_unless_it_comes_back),
        TEST(members_of_an_earlier_master_are_taken_over_when_they_are_heard),
        TEST(members_are_spread_over_machines_by_their_size),
        TEST(many_commands_run_a_few_at_a_time),
        TEST(a_count_is_told_when_it_changes_and_until_it_is_taken),
        cmocka_unit_test(a_failed_count_is_told_again_ever_more_seldom),
        cmocka_unit_test(commands_that_make_no_sense_are_refused),
        cmocka_unit_test(machines_that_make_no_sense_are_refused),
        cmocka_unit_test(placeholders_are_filled_and_other_braces_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
