/* Who shall be primary, by the rules of membership.h. Who votes: test_replica_membership.c. */
#include "membership_fixture.h"

static void a_dead_primary_that_returns_is_just_a_voter(void **state)
{
    (void)state;
    struct story story = begin("2V+ 1V- 3V+");
    pass(&story, 30);
    set(&story, "2V+ 1V~ 3V+");
    pass(&story, 10);
    set(&story, "2V+ 1V+ 3V+");
    pass(&story, 100);
    EXPECT(story, "");
}

static void the_preferred_one_returns_when_it_is_healthy(void **state)
{
    (void)state;
    struct story story = begin("2V+ 1V- 3V+");
    story.view.preferred = 1;
    pass(&story, 30);
    set(&story, "2V+ 1V~ 3V+"); /* up, and behind */
    pass(&story, 100);
    EXPECT(story, "");
    set(&story, "2V+ 1V+ 3V+");
    pass(&story, 5);
    EXPECT(story, "");
    pass(&story, 1);
    EXPECT(story, "P1");
    assert_string_equal(story.why, "server 1 shall be primary, and has been healthy for 5 s");
    pass(&story, 100);
    EXPECT(story, "P1");
}

static void a_preferred_one_that_comes_and_goes_is_not_primary(void **state)
{
    (void)state;
    struct story story = begin("2V+ 1V+ 3V+");
    story.view.preferred = 1;
    for (int i = 0; i < 50; i++) {
        set(&story, "2V+ 1V+ 3V+");
        pass(&story, 4);
        set(&story, i % 2 ? "2V+ 1V- 3V+" : "2V+ 1Vc 3V+");
        pass(&story, 2);
    }
    EXPECT(story, "");
}

static void a_preferred_standby_gets_a_vote_first(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2V+ 3V+ 4s+");
    story.view.preferred = 4;
    pass(&story, 20);
    EXPECT(story, "V4 s3 P4");
}

static void a_preferred_one_that_is_no_member_changes_nothing(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2V+ 3V+ 4s+");
    story.view.preferred = 9;
    pass(&story, 100);
    EXPECT(story, "");
}

static void a_witness_is_never_primary(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2V+ 3W+");
    story.view.preferred = 3;
    pass(&story, 100);
    EXPECT(story, "");
}

static void hot_is_primary_rather_than_warm(void **state)
{
    (void)state;
    struct story story = begin("2L+ 1V- 3V~");
    pass(&story, 100);
    EXPECT(story, "");
    set(&story, "2L+ 1V- 3V+");
    pass(&story, 5);
    EXPECT(story, "");
    pass(&story, 1);
    EXPECT(story, "P3");
    assert_string_equal(story.why, "server 3 is hot and has been healthy for 5 s: it shall be "
                                   "primary rather than this one");
    struct story hot = begin("1V+ 2L+ 3V+");
    pass(&hot, 100);
    EXPECT(hot, "");
    struct story cold = begin("4C+ 3W+ 1V+");
    pass(&cold, 100);
    EXPECT(cold, "P1");
}

static void the_preferred_one_goes_before_others_that_are_hot(void **state)
{
    (void)state;
    struct story story = begin("2L+ 1V+ 3V+");
    story.view.preferred = 3;
    pass(&story, 100);
    EXPECT(story, "P3");
}

static void leadership_goes_to_no_warm_one_by_itself(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2L+ 3V+");
    story.view.preferred = 2;
    pass(&story, 100);
    EXPECT(story, "");
    struct story warm = begin("2L+ 1V+ 3V+"); /* nor stays with it, though it is preferred */
    warm.view.preferred = 2;
    pass(&warm, 100);
    EXPECT(warm, "P1");
}

static void a_hot_standby_gets_a_vote_where_no_voter_is_hot(void **state)
{
    (void)state;
    struct story story = begin("1L+ 2L+ 3L+ 4s+");
    pass(&story, 100);
    EXPECT(story, "V4 s3 P4");
    struct story one = begin("1L+ 2L+ 3V+ 4s+"); /* the one that is hot will do */
    pass(&one, 100);
    EXPECT(one, "P3");
}

static void where_nothing_goes_back_nothing_does(void **state)
{
    (void)state;
    struct story story = begin("2L+ 1V+ 3V+");
    story.view.preferred = 1;
    story.view.failback = FAILBACK_NEVER;
    pass(&story, 100);
    EXPECT(story, "");
}

static void idle_waits_for_a_quiet_log(void **state)
{
    (void)state;
    struct story story = begin("2V+ 1V+ 3V+");
    story.view.preferred = 1;
    story.view.failback = FAILBACK_IDLE;
    pass(&story, 100);
    EXPECT(story, "");
    story.view.quiet_ms = FAILBACK_QUIET_MS;
    pass(&story, 1);
    EXPECT(story, "P1");
}

static void who_lost_it_often_waits_longer(void **state)
{
    (void)state;
    struct story story = begin("2V+ 1V+ 3V+");
    story.view.preferred = 1;
    story.view.members[1].wait_ms = 40000;
    pass(&story, 40);
    EXPECT(story, "");
    pass(&story, 1);
    EXPECT(story, "P1");
    assert_string_equal(story.why, "server 1 shall be primary, and has been healthy for 40 s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dead_primary_that_returns_is_just_a_voter),
        cmocka_unit_test(the_preferred_one_returns_when_it_is_healthy),
        cmocka_unit_test(a_preferred_one_that_comes_and_goes_is_not_primary),
        cmocka_unit_test(a_preferred_standby_gets_a_vote_first),
        cmocka_unit_test(a_preferred_one_that_is_no_member_changes_nothing),
        cmocka_unit_test(a_witness_is_never_primary),
        cmocka_unit_test(hot_is_primary_rather_than_warm),
        cmocka_unit_test(the_preferred_one_goes_before_others_that_are_hot),
        cmocka_unit_test(leadership_goes_to_no_warm_one_by_itself),
        cmocka_unit_test(a_hot_standby_gets_a_vote_where_no_voter_is_hot),
        cmocka_unit_test(where_nothing_goes_back_nothing_does),
        cmocka_unit_test(idle_waits_for_a_quiet_log),
        cmocka_unit_test(who_lost_it_often_waits_longer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
