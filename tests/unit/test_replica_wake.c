#include "base/check.h"
#include "replica/wake.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

/* A cluster in one line, "1P+ 2V- 4k-": id, role (P primary, V voter, s standby, W witness, C cold
 * voter, k cold standby), + up or - down. Server 1 is the one that looks, or `own`. */
struct story {
    struct wake wake;
    struct rest rest;
    struct wake_config config;
    struct cluster_status status;
    uint64_t now_ms;
    char log[1000]; /* "+4" is woken, "?4" has to be started by somebody */
    char why[WAKE_WHY];
};

static void set(struct story *story, const char *cluster)
{
    struct cluster_status *status = &story->status;
    status->count = 0;
    status->primary = 0;
    for (const char *at = cluster; *at;) {
        char *end;
        struct server_status *server = &status->servers[status->count++];
        *server = (struct server_status){.place.id = strtoul(at, &end, 10)};
        bool cold = end[0] == 'C' || end[0] == 'k';
        server->role = end[0] == 'W'   ? SERVER_WITNESS
                       : end[0] == 'P' ? SERVER_PRIMARY
                                       : SERVER_SECONDARY;
        server->vote = end[0] != 's' && end[0] != 'k';
        server->ready = cold ? READINESS_COLD : READINESS_HOT;
        server->every_ms = cold ? 3600000 : 0;
        server->state = end[1] == '+' ? SERVER_UP : SERVER_DOWN;
        server->index = server->last_index = 5000;
        if (end[0] == 'P')
            status->primary = server->place.id;
        at = end + 2;
        while (*at == ' ')
            at++;
    }
}

static struct story begin(const char *cluster)
{
    struct story story = {
        .now_ms = 1000000,
        .status.own = 1,
        .config = {.after_ms = WAKE_AFTER_MS, .commands = {4, 5}, .command_count = 2}};
    set(&story, cluster);
    return story;
}

static void pass(struct story *story, unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        struct wake_call calls[CLUSTER_SERVERS_MAX];
        story->now_ms += 1000;
        unsigned count =
            wake_decide(&story->wake, &story->config, &story->status, story->now_ms, calls);
        for (unsigned k = 0; k < count; k++) {
            size_t len = strlen(story->log);
            snprintf(story->log + len, sizeof story->log - len, "%s%s%u", len ? " " : "",
                     calls[k].run ? "+" : "?", (unsigned)calls[k].id);
            memcpy(story->why, calls[k].why, sizeof story->why);
        }
    }
}

#define EXPECT(story, expected) assert_string_equal((story).log, expected)

static void who_sleeps_is_left_to_sleep(void **state)
{
    (void)state;
    struct story story = begin("1P+ 2V+ 3V+ 4k-");
    pass(&story, 3000);
    EXPECT(story, "");
}

static void a_missing_server_is_stood_in_for(void **state)
{
    (void)state;
    struct story story = begin("1P+ 2V- 3V+ 4k- 5k-");
    pass(&story, 10);
    EXPECT(story, "");
    pass(&story, 1);
    EXPECT(story, "+4");
    assert_string_equal(story.why, "server 2 has been down for 10 s");
    pass(&story, 10);
    set(&story, "1P+ 2V- 3V+ 4k+ 5k-");
    pass(&story, 1000); /* one for one */
    EXPECT(story, "+4");
    set(&story, "1P+ 2V- 3V- 4k+ 5k-");
    pass(&story, 11);
    EXPECT(story, "+4 +5");
}

static void one_that_is_back_in_time_is_not_missed(void **state)
{
    (void)state;
    struct story story = begin("1P+ 2V- 3V+ 4k-");
    pass(&story, 9);
    set(&story, "1P+ 2V+ 3V+ 4k-");
    pass(&story, 2);
    set(&story, "1P+ 2V- 3V+ 4k-");
    pass(&story, 9);
    EXPECT(story, "");
}

static void who_does_not_come_is_called_again_after_longer_and_longer(void **state)
{
    (void)state;
    struct story story = begin("1P+ 2V- 3V+ 4k-");
    pass(&story, 11 + 29);
    EXPECT(story, "+4");
    pass(&story, 1);
    EXPECT(story, "+4 +4");
    pass(&story, 59);
    EXPECT(story, "+4 +4");
    pass(&story, 1);
    EXPECT(story, "+4 +4 +4");
    pass(&story, 120 + 240 + 480 + 600);
    EXPECT(story, "+4 +4 +4 +4 +4 +4 +4");
    /* Coming and dying again makes it no faster. */
    set(&story, "1P+ 2V- 3V+ 4k+");
    pass(&story, 5);
    set(&story, "1P+ 2V- 3V+ 4k-");
    pass(&story, 500);
    EXPECT(story, "+4 +4 +4 +4 +4 +4 +4");
}

static void if_not_the_one_then_the_other(void **state)
{
    (void)state;
    struct story story = begin("1P+ 2V- 3V+ 4k- 5k-");
    pass(&story, 11 + 30);
    EXPECT(story, "+4 +5");
    pass(&story, 30);
    EXPECT(story, "+4 +5 +4");
}

static void without_a_command_it_is_said_once(void **state)
{
    (void)state;
    struct story story = begin("1P+ 2V- 3V+ 6k-");
    pass(&story, 1000);
    EXPECT(story, "?6");
    set(&story, "1P+ 2V- 3V+ 6k+");
    pass(&story, 10);
    set(&story, "1P+ 2V- 3V+ 6k-");
    pass(&story, 10);
    EXPECT(story, "?6 ?6");
    struct story able = begin("1P+ 2V- 3V+ 4k- 6k-"); /* who can be woken is asked first */
    pass(&able, 11);
    EXPECT(able, "+4");
}

static void only_the_primary_finds_somebody_missing(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2P+ 3V- 4k-");
    pass(&story, 3000);
    EXPECT(story, "");
}

static void without_a_primary_everybody_calls(void **state)
{
    (void)state;
    struct story story = begin("1W+ 2V- 4C-");
    story.config.after_ms = WAKE_WITNESS_AFTER_MS;
    pass(&story, 1);
    EXPECT(story, "");
    pass(&story, 1);
    EXPECT(story, "+4");
    assert_string_equal(story.why, "there has been no primary for 1000 ms");
    struct story again = begin("1V+ 2V- 4C-");
    pass(&again, 10);
    set(&again, "1P+ 2V+ 4C-");
    pass(&again, 10);
    EXPECT(again, "");
}

/* A witness that was started after the primary's death has been told of nobody's readiness. */
static void who_has_a_command_is_called_when_nobody_leads(void **state)
{
    (void)state;
    struct story story = begin("1W+ 2V- 4V-");
    pass(&story, 11);
    EXPECT(story, "+4");
}

static void a_sleeper_catches_up_every_so_often(void **state)
{
    (void)state;
    struct story story = begin("1P+ 2V+ 3V+ 4k- 6k-");
    pass(&story, 3600);
    EXPECT(story, "");
    pass(&story, 1);
    EXPECT(story, "+4");
    set(&story, "1P+ 2V+ 3V+ 4k+ 6k-");
    pass(&story, 100);
    set(&story, "1P+ 2V+ 3V+ 4k- 6k-");
    pass(&story, 3601);
    EXPECT(story, "+4 +4");
}

/* It came, did what it was called for, and ended: who is missed after that is stood in for as ever.
 */
static void who_has_just_caught_up_is_called_when_it_is_needed(void **state)
{
    (void)state;
    struct story story = begin("1P+ 2V+ 4C-");
    for (unsigned i = 1; i <= 6; i++) {
        pass(&story, 3601);
        set(&story, "1P+ 2V+ 4C+");
        pass(&story, 6);
        set(&story, "1P+ 2V+ 4C-");
    }
    EXPECT(story, "+4 +4 +4 +4 +4 +4");
    set(&story, "1V+ 2V- 4C-");
    pass(&story, 12);
    EXPECT(story, "+4 +4 +4 +4 +4 +4 +4");
    pass(&story, 20); /* and then as long as it takes to come */
    EXPECT(story, "+4 +4 +4 +4 +4 +4 +4");
}

/* The primary dies, comes back, and dies again. */
static void who_has_stood_in_is_called_at_once_when_nobody_leads_again(void **state)
{
    (void)state;
    struct story story = begin("1W+ 2P+ 4C-");
    story.config.after_ms = WAKE_WITNESS_AFTER_MS;
    for (unsigned i = 0; i < 6; i++) {
        set(&story, "1W+ 2V- 4C-");
        pass(&story, 2);
        set(&story, "1W+ 2V- 4P+");
        pass(&story, 4);
        set(&story, "1W+ 2P+ 4C-");
        pass(&story, 4);
    }
    EXPECT(story, "+4 +4 +4 +4 +4 +4");
    for (unsigned i = 0; i < 6; i++) { /* one that dies as soon as it is there */
        set(&story, "1W+ 2V- 4C-");
        pass(&story, 2);
        set(&story, "1W+ 2V- 4C+");
        pass(&story, 1);
    }
    EXPECT(story, "+4 +4 +4 +4 +4 +4 +4");
}

static void a_witness_that_keeps_much_calls(void **state)
{
    (void)state;
    struct story story = begin("1W+ 2P+ 4C-");
    pass(&story, 100);
    EXPECT(story, "");
    story.status.servers[2].overdue = true;
    pass(&story, 1);
    EXPECT(story, "+4");
}

static void a_sleeper_that_is_to_be_hot_is_called_once(void **state)
{
    (void)state;
    struct story story = begin("1P+ 2V+ 3V+ 4k-");
    pass(&story, 10);
    set(&story, "1P+ 2V+ 3V+ 4s-");
    pass(&story, 1);
    EXPECT(story, "+4");
    assert_string_equal(story.why, "it is to be hot from now on");
    pass(&story, 1000);
    EXPECT(story, "+4");
}

/* ---- The way back ---- */

/* Whether server 4 may end within so many SECONDS. */
static bool rests(struct story *story, unsigned seconds)
{
    story->status.own = 4;
    for (unsigned i = 0; i < seconds; i++) {
        story->now_ms += 1000;
        if (rest_due(&story->rest, &story->status, story->now_ms, story->why))
            return true;
    }
    return false;
}

static void it_rests_when_all_is_well_for_a_while(void **state)
{
    (void)state;
    struct story story = begin("1P+ 2V+ 3V+ 4k+");
    assert_false(rests(&story, 5));
    set(&story, "1P+ 2V- 3V+ 4k+");
    assert_false(rests(&story, 1));
    set(&story, "1P+ 2V+ 3V+ 4k+");
    assert_false(rests(&story, 5));
    assert_true(rests(&story, 1));
    assert_string_equal(story.why,
                        "server 4 is cold, has all up to entry 5000, and is not needed: all hot "
                        "and warm servers are up, server 1 is primary");
}

static void it_stays_while_it_is_needed(void **state)
{
    (void)state;
    static const char *const clusters[] = {
        "1P+ 2V- 3V+ 4k+", /* somebody is missing */
        "1V+ 2V+ 3V+ 4k+", /* nobody leads */
        "1P+ 2V+ 3s+ 4C+", /* it still votes in another's place */
        "1P+ 4C+ 5W-",     /* without it there is no majority */
        "1P+ 2V+ 3V+ 4s+", /* it is not cold */
    };
    for (size_t i = 0; i < COUNT_OF(clusters); i++) {
        struct story story = begin(clusters[i]);
        assert_false(rests(&story, 100));
    }
    struct story behind = begin("1P+ 2V+ 3V+ 4k+"), other = behind, primary = behind;
    behind.status.servers[3].index = 10;
    assert_false(rests(&behind, 100));
    other.status.servers[1].last_index = 10;
    assert_false(rests(&other, 100));
    primary.status.primary = 4;
    assert_false(rests(&primary, 100));
}

static void its_own_vote_needs_nobody(void **state)
{
    (void)state;
    struct story witness = begin("1P+ 4C+ 5W+"), two = begin("1P+ 2V+ 4C+");
    assert_true(rests(&witness, 6));
    assert_true(rests(&two, 6));
}

static void a_vote_that_is_given_back_is_all_it_waits_for(void **state)
{
    (void)state;
    struct story story = begin("1P+ 2V+ 3s+ 4C+");
    assert_false(rests(&story, 60));
    set(&story, "1P+ 2V+ 3V+ 4k+");
    assert_true(rests(&story, 1));
}

static void idle_waits_for_a_quiet_log(void **state)
{
    (void)state;
    struct story story = begin("1P+ 2V+ 3V+ 4k+");
    story.status.failback = FAILBACK_IDLE;
    for (unsigned i = 0; i < 60; i++) {
        story.status.servers[3].index += 2;
        assert_false(rests(&story, 1));
    }
    assert_true(rests(&story, 10));
}

static void never_keeps_what_has_stood_in(void **state)
{
    (void)state;
    struct story story = begin("1P+ 2V+ 3V+ 4k+"), stood_in = begin("1V+ 2V+ 4C+ 5W+");
    story.status.failback = stood_in.status.failback = FAILBACK_NEVER;
    assert_true(rests(&story, 10)); /* it has only caught up */
    stood_in.status.primary = 4;
    assert_false(rests(&stood_in, 10));
    set(&stood_in, "1P+ 4C+ 5W+");
    assert_false(rests(&stood_in, 100));
    stood_in.status.failback = FAILBACK_AT_ONCE;
    assert_true(rests(&stood_in, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_sleeps_is_left_to_sleep),
        cmocka_unit_test(a_missing_server_is_stood_in_for),
        cmocka_unit_test(one_that_is_back_in_time_is_not_missed),
        cmocka_unit_test(who_does_not_come_is_called_again_after_longer_and_longer),
        cmocka_unit_test(if_not_the_one_then_the_other),
        cmocka_unit_test(without_a_command_it_is_said_once),
        cmocka_unit_test(only_the_primary_finds_somebody_missing),
        cmocka_unit_test(without_a_primary_everybody_calls),
        cmocka_unit_test(who_has_a_command_is_called_when_nobody_leads),
        cmocka_unit_test(a_sleeper_catches_up_every_so_often),
        cmocka_unit_test(who_has_just_caught_up_is_called_when_it_is_needed),
        cmocka_unit_test(who_has_stood_in_is_called_at_once_when_nobody_leads_again),
        cmocka_unit_test(a_witness_that_keeps_much_calls),
        cmocka_unit_test(a_sleeper_that_is_to_be_hot_is_called_once),
        cmocka_unit_test(it_rests_when_all_is_well_for_a_while),
        cmocka_unit_test(it_stays_while_it_is_needed),
        cmocka_unit_test(its_own_vote_needs_nobody),
        cmocka_unit_test(a_vote_that_is_given_back_is_all_it_waits_for),
        cmocka_unit_test(idle_waits_for_a_quiet_log),
        cmocka_unit_test(never_keeps_what_has_stood_in),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
