/* Who votes. Who shall be primary: test_replica_leader.c. */
#include "membership_fixture.h"

static void so_many_servers_have_so_many_voters(void **state)
{
    (void)state;
    static const unsigned wanted[] = {0, 1, 2, 3, 3, 5, 5, 5};
    for (unsigned count = 1; count < COUNT_OF(wanted); count++) {
        assert_int_equal(membership_target(count, 0), wanted[count]);
        assert_int_equal(membership_target(count, 3), wanted[count] < 3 ? wanted[count] : 3);
        assert_int_equal(membership_target(count, 5), wanted[count]);
    }
    assert_int_equal(membership_target(16, 0), 5);
    assert_int_equal(membership_target(16, 9), 5);
}

static void a_healthy_cluster_is_left_alone(void **state)
{
    (void)state;
    static const char *const clusters[] = {"1V+",
                                           "1V+ 2V+",
                                           "1V+ 2V+ 3V+",
                                           "1V+ 2V+ 3V+ 4s+",
                                           "3V+ 1V+ 2V+ 4V+ 5V+",
                                           "1V+ 2V+ 3V+ 4V+ 5V+ 6s+ 7s+"};
    for (size_t i = 0; i < COUNT_OF(clusters); i++) {
        struct story story = begin(clusters[i]);
        pass(&story, 1000);
        EXPECT(story, "");
    }
}

static void who_joins_gets_the_log_and_then_a_vote(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2.~");
    pass(&story, 1);
    EXPECT(story, "s2");
    assert_non_null(strstr(story.why, "server 2 is there and gets the log"));
    set(&story, "1V+ 2sc"); /* it fetches a copy, however long that takes */
    pass(&story, 1000);
    EXPECT(story, "s2");
    set(&story, "1V+ 2s~");
    pass(&story, 100);
    EXPECT(story, "s2");
    set(&story, "1V+ 2s+");
    pass(&story, 5);
    EXPECT(story, "s2");
    pass(&story, 1);
    EXPECT(story, "s2 V2");
    assert_string_equal(story.why, "server 2 has caught up and gets a vote: one of 2");
    pass(&story, 100);
    EXPECT(story, "s2 V2");
}

static void a_spare_that_is_down_is_waited_for(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2V+ 3V+ 4.-");
    pass(&story, 1000);
    EXPECT(story, "");
}

static void one_grows_to_three_by_itself(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2s+ 3s+");
    pass(&story, 10);
    EXPECT(story, "V2 V3");
}

static void a_fourth_stands_by_and_a_fifth_makes_five(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2V+ 3V+ 4s+");
    pass(&story, 100);
    EXPECT(story, "");
    set(&story, "1V+ 2V+ 3V+ 4s+ 5s~");
    pass(&story, 100);
    EXPECT(story, ""); /* four would be no better than three */
    set(&story, "1V+ 2V+ 3V+ 4s+ 5s+");
    pass(&story, 20);
    EXPECT(story, "V4 V5");
}

static void more_servers_vote_only_as_many_as_configured(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2V+ 3V+ 4s+ 5s+ 6s+");
    story.view.voters_max = 3;
    pass(&story, 1000);
    EXPECT(story, "");
}

static void founders_of_four_and_six_give_up_a_vote(void **state)
{
    (void)state;
    struct story four = begin("2V+ 1V+ 3V+ 4V+"), six = begin("6V+ 1V+ 2V+ 3V+ 4V+ 5V+");
    pass(&four, 100);
    EXPECT(four, "s4");
    assert_string_equal(four.why, "server 4 gives up its vote: 3 of 4 servers vote");
    pass(&six, 100);
    EXPECT(six, "s5"); /* the primary keeps its own */
}

static void a_voter_down_for_long_is_replaced(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2V- 3V+ 4s+");
    pass(&story, 60);
    EXPECT(story, "");
    pass(&story, 1);
    EXPECT(story, "V4");
    assert_string_equal(story.why,
                        "server 4 gets a vote in place of server 2, which has been down for 60 s");
    pass(&story, 1);
    EXPECT(story, "V4 s2"); /* first a vote more, then one less */
    assert_string_equal(story.why, "server 2 has been down for 61 s and loses its vote");
    set(&story, "1V+ 2s+ 3V+ 4V+"); /* it comes back, as a standby */
    pass(&story, 1000);
    EXPECT(story, "V4 s2");
}

static void a_voter_down_without_a_standby_keeps_its_vote(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2V- 3V+");
    pass(&story, 1000);
    EXPECT(story, "");
    set(&story, "1V+ 2V- 3V+ 4s~"); /* one that is not ready is none */
    pass(&story, 1000);
    EXPECT(story, "");
    set(&story, "1V+ 2V- 3V+ 4s-");
    pass(&story, 1000);
    EXPECT(story, "");
}

static void two_of_five_are_replaced_one_after_the_other(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2V- 3V+ 4V- 5V+ 6s+ 7s+");
    pass(&story, 200);
    /* Both of them lose their votes, and a majority was up at each step. */
    EXPECT(story, "V6 s2 V7 s4");
}

static void a_voter_that_comes_and_goes_is_down(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2V- 3V+ 4s+");
    for (int i = 0; i < 6; i++) {
        set(&story, "1V+ 2V- 3V+ 4s+");
        pass(&story, 7);
        set(&story, "1V+ 2V+ 3V+ 4s+"); /* never for longer than this */
        pass(&story, 3);
    }
    EXPECT(story, "");
    set(&story, "1V+ 2V- 3V+ 4s+");
    pass(&story, 7);
    EXPECT(story, "V4 s2");
}

static void a_voter_that_is_back_for_good_begins_anew(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2V- 3V+ 4s+");
    pass(&story, 50);
    set(&story, "1V+ 2V+ 3V+ 4s+");
    pass(&story, 10);
    set(&story, "1V+ 2V- 3V+ 4s+");
    pass(&story, 59);
    EXPECT(story, "");
    pass(&story, 5);
    EXPECT(story, "V4 s2");
}

static void a_standby_that_comes_and_goes_gets_no_vote(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2V+ 3s+");
    for (int i = 0; i < 50; i++) {
        set(&story, "1V+ 2V+ 3s+");
        pass(&story, 4);
        set(&story, i % 2 ? "1V+ 2V+ 3s-" : "1V+ 2V+ 3s~");
        pass(&story, 1);
    }
    EXPECT(story, "");
}

static void two_voters_are_left_as_they_are_when_one_dies(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2V-");
    pass(&story, 1000);
    EXPECT(story, "");
    /* Without a majority nothing could be committed: nothing is tried. */
    set(&story, "1V+ 2V- 3V- 4s+");
    pass(&story, 1000);
    EXPECT(story, "");
}

static void a_removed_server_leaves_an_odd_number(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2V+ 3V+ 4V+ 5V+");
    pass(&story, 10);
    set(&story, "1V+ 2V+ 4V+ 5V+"); /* 3 was removed */
    pass(&story, 10);
    EXPECT(story, "s5");
}

static void one_of_four_that_is_lost_loses_its_vote(void **state)
{
    (void)state;
    /* On the way from three to five the fifth went away, and then the fourth. */
    struct story story = begin("1V+ 2V+ 3V+ 4V- 5s-");
    pass(&story, 200);
    EXPECT(story, "s4");
}

static void what_failed_is_tried_again_later(void **state)
{
    (void)state;
    struct story story = begin("2V+ 1V+ 3V+");
    story.view.preferred = 1;
    story.refusing = true;
    pass(&story, 6 + 14);
    EXPECT(story, "P1");
    pass(&story, 1);
    EXPECT(story, "P1 P1");
    struct story dead = begin("1V+ 2V- 3V+ 4s+ 5s+ 6s+");
    dead.view.voters_max = 3;
    dead.refusing = true;
    pass(&dead, 63);
    EXPECT(dead, "V4 V5 V6"); /* if not the one, then the next */
}

static void a_witness_makes_an_even_number_odd(void **state)
{
    (void)state;
    static const struct {
        unsigned whole, voters_max, wholes, witnesses;
    } cases[] = {{1, 0, 1, 0}, {2, 0, 2, 1}, {3, 0, 3, 0}, {4, 0, 4, 1}, {5, 0, 5, 0},
                 {8, 0, 5, 0}, {2, 3, 2, 1}, {4, 3, 3, 0}, {4, 5, 4, 1}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct membership_count there = {{cases[i].whole, 0, 1}};
        struct membership_count wanted = membership_wanted(&there, cases[i].voters_max);
        assert_int_equal(wanted.of[MEMBER_WHOLE], cases[i].wholes);
        assert_int_equal(wanted.of[MEMBER_WITNESS], cases[i].witnesses);
    }
    struct membership_count more = {{2, 0, 2}}, none = {{2, 0, 0}};
    assert_int_equal(membership_wanted(&more, 0).of[MEMBER_WITNESS], 1); /* never more than one */
    assert_int_equal(membership_wanted(&none, 0).of[MEMBER_WITNESS], 0);
}

/* It votes only where those that run are the majority without it. */
static void a_cold_server_votes_where_two_others_do(void **state)
{
    (void)state;
    static const struct {
        struct membership_count there, wanted;
    } cases[] = {{{{3, 1, 0}}, {{3, 0, 0}}}, {{{2, 1, 0}}, {{2, 1, 0}}}, {{{2, 2, 0}}, {{2, 1, 0}}},
                 {{{2, 1, 1}}, {{2, 0, 1}}}, {{{1, 1, 1}}, {{1, 1, 1}}}, {{{1, 2, 1}}, {{1, 1, 1}}},
                 {{{1, 1, 0}}, {{1, 0, 0}}}, {{{1, 2, 0}}, {{1, 0, 0}}}, {{{4, 1, 0}}, {{3, 0, 0}}},
                 {{{4, 1, 1}}, {{4, 0, 1}}}, {{{5, 1, 0}}, {{5, 0, 0}}}};
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct membership_count wanted = membership_wanted(&cases[i].there, 0);
        assert_memory_equal(&wanted, &cases[i].wanted, sizeof wanted);
    }
}

static void a_cold_server_that_sleeps_is_left_alone(void **state)
{
    (void)state;
    static const char *const clusters[] = {"1V+ 2V+ 3V+ 4k-", "1V+ 2V+ 3C-", "1V+ 2C- 3W+",
                                           "1V+ 2V+ 3W+ 4k-", "1V+ 2k-",     "1V+ 2k- 3w+"};
    for (size_t i = 0; i < COUNT_OF(clusters); i++) {
        struct story story = begin(clusters[i]);
        pass(&story, 1000);
        EXPECT(story, "");
    }
}

static void a_cold_server_stands_in_for_one_that_is_lost(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2V- 3V+ 4k+");
    pass(&story, 60);
    EXPECT(story, "");
    pass(&story, 2);
    EXPECT(story, "V4 s2");
    set(&story, "1V+ 2s~ 3V+ 4C+"); /* back, and behind */
    pass(&story, 100);
    EXPECT(story, "V4 s2");
    set(&story, "1V+ 2s+ 3V+ 4C+");
    pass(&story, 10);
    EXPECT(story, "V4 s2 V2 s4");
    assert_string_equal(story.why, "server 4 is cold and gives its vote back: 3 of 4 servers vote");
    set(&story, "1V+ 2V+ 3V+ 4k-");
    pass(&story, 100);
    EXPECT(story, "V4 s2 V2 s4");
}

static void a_stand_in_that_leads_hands_over_and_then_gives_its_vote_back(void **state)
{
    (void)state;
    struct story story = begin("4C+ 1V+ 2s+ 3V+");
    pass(&story, 30);
    EXPECT(story, "V2 P1 s4");
}

static void a_stand_in_that_dies_is_relieved_by_the_next(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2s- 3V+ 4C- 5k+");
    pass(&story, 100);
    EXPECT(story, "V5 s4");
}

static void what_stands_in_stays_where_nothing_goes_back(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2s+ 3V+ 4C+");
    story.view.failback = FAILBACK_NEVER;
    pass(&story, 100);
    EXPECT(story, "");
    set(&story, "1V+ 2s+ 3V+ 4C-"); /* somebody stops it */
    pass(&story, 10);
    EXPECT(story, "V2 s4");
}

static void a_warm_server_is_as_whole_as_a_hot_one(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2V- 3V+ 4s+");
    story.view.members[3].ready = READINESS_WARM;
    pass(&story, 100);
    EXPECT(story, "V4 s2");
}

static void a_voter_that_is_to_be_cold_gives_up_its_vote(void **state)
{
    (void)state;
    struct story four = begin("1V+ 2s+ 3V+ 4C+"), one = begin("1V+ 2C+"),
                 three = begin("1V+ 2V+ 3C+");
    pass(&four, 20);
    EXPECT(four, "V2 s4");
    pass(&one, 20); /* it would be one of two that both must be up */
    EXPECT(one, "s2");
    pass(&three, 20);
    EXPECT(three, "");
}

static void a_cold_server_with_a_witness_makes_three_of_one(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2k+ 3w+");
    pass(&story, 20);
    EXPECT(story, "V2 V3");
    struct story asleep = begin("1V+ 2k- 3w+");
    pass(&asleep, 100); /* of two, both would have to be up */
    EXPECT(asleep, "");
    struct story grown = begin("1V+ 2C- 3W+ 4s+"); /* a second whole server has come */
    pass(&grown, 20);
    EXPECT(grown, "V4 s2");
}

static void a_witness_beside_two_gets_a_vote(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2V+ 3w+");
    pass(&story, 10);
    EXPECT(story, "V3");
    struct story rest = begin("1V+ 2V+ 3W+ 4w+");
    pass(&rest, 200);
    EXPECT(rest, "");
}

static void a_witness_beside_three_has_no_vote(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2V+ 3V+ 4w+");
    pass(&story, 200);
    EXPECT(story, "");
    struct story lost = begin("1V+ 2V+ 3V- 4w+");
    pass(&lost, 200); /* it takes nobody's place */
    EXPECT(lost, "");
}

static void a_third_server_takes_the_vote_of_the_witness(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2V+ 3W+ 4s+");
    pass(&story, 20);
    EXPECT(story, "V4 s3");
}

static void a_witness_is_replaced_by_a_witness(void **state)
{
    (void)state;
    struct story story = begin("1V+ 2V+ 3W- 4w+");
    pass(&story, 100);
    EXPECT(story, "V4 s3");
}

/* Whatever happens to whom: each change leaves a majority that is up, and quiet brings rest. */
static void any_history_ends_in_rest(void **state)
{
    (void)state;
    srandom(7);
    for (int round = 0; round < 600; round++) {
        struct story story = begin("1V+");
        story.view.count = 1 + (unsigned)(random() % 8);
        story.view.replace_ms = 10000;
        story.view.preferred = (uint64_t)(random() % 9);
        for (unsigned i = 1; i < story.view.count; i++)
            story.view.members[i] =
                (struct member_view){.id = i + 1,
                                     .up = true,
                                     .able = true,
                                     .ready = round % 2 && random() % 3 == 0   ? READINESS_COLD
                                              : round % 3 && random() % 3 == 0 ? READINESS_WARM
                                                                               : READINESS_HOT};
        for (unsigned i = 0; i < story.view.count; i++) /* only a hot one is to be primary */
            if (story.view.members[i].ready != READINESS_HOT &&
                story.view.preferred == story.view.members[i].id)
                story.view.preferred = 0;
        for (int step = 0; step < 60; step++) {
            struct member_view *member = &story.view.members[random() % story.view.count];
            bool flips = member->id != story.view.primary && random() % 3 == 0;
            unsigned voters = 0, up = 0;
            for (unsigned i = 0; i < story.view.count; i++) {
                voters += story.view.members[i].role == MEMBER_VOTER;
                up += story.view.members[i].role == MEMBER_VOTER && story.view.members[i].up;
            }
            bool needed = member->role == MEMBER_VOTER && member->up && up - 1 <= voters / 2;
            if (flips && !needed)
                member->up = !member->up;
            story.log[0] = '\0';
            pass(&story, (unsigned)(random() % 20));
        }
        for (unsigned i = 0; i < story.view.count; i++)
            story.view.members[i].up = true;
        story.log[0] = '\0';
        pass(&story, 200);
        story.log[0] = '\0';
        pass(&story, 200);
        EXPECT(story, "");
        unsigned voters = 0;
        struct membership_count there = {0};
        for (unsigned i = 0; i < story.view.count; i++) {
            voters += story.view.members[i].role == MEMBER_VOTER;
            there.of[membership_kind(false, story.view.members[i].ready)]++;
        }
        struct membership_count wanted = membership_wanted(&there, 0);
        assert_int_equal(voters, wanted.of[MEMBER_WHOLE] + wanted.of[MEMBER_COLD]);
        for (unsigned i = 0; i < story.view.count; i++)
            if (story.view.members[i].id == story.view.primary)
                assert_int_equal(story.view.members[i].ready, READINESS_HOT);
        if (story.view.preferred != 0 && story.view.preferred <= story.view.count)
            assert_int_equal(story.view.primary, story.view.preferred);
    }
}

static void a_removal_is_believed_when_more_than_half_say_so(void **state)
{
    (void)state;
    assert_false(membership_believes_removal(1, 3, 3));
    assert_true(membership_believes_removal(2, 3, 3));
    assert_false(membership_believes_removal(2, 5, 5));
    assert_true(membership_believes_removal(1, 2, 2));
    assert_false(membership_believes_removal(0, 1, 1));
    /* Without a log: those in the book. */
    assert_false(membership_believes_removal(1, 0, 4));
    assert_true(membership_believes_removal(2, 0, 4));
    assert_true(membership_believes_removal(1, 0, 2)); /* it joined the only one there was */
    assert_false(membership_believes_removal(0, 0, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(so_many_servers_have_so_many_voters),
        cmocka_unit_test(a_healthy_cluster_is_left_alone),
        cmocka_unit_test(who_joins_gets_the_log_and_then_a_vote),
        cmocka_unit_test(a_spare_that_is_down_is_waited_for),
        cmocka_unit_test(one_grows_to_three_by_itself),
        cmocka_unit_test(a_fourth_stands_by_and_a_fifth_makes_five),
        cmocka_unit_test(more_servers_vote_only_as_many_as_configured),
        cmocka_unit_test(founders_of_four_and_six_give_up_a_vote),
        cmocka_unit_test(a_voter_down_for_long_is_replaced),
        cmocka_unit_test(a_voter_down_without_a_standby_keeps_its_vote),
        cmocka_unit_test(two_of_five_are_replaced_one_after_the_other),
        cmocka_unit_test(a_voter_that_comes_and_goes_is_down),
        cmocka_unit_test(a_voter_that_is_back_for_good_begins_anew),
        cmocka_unit_test(a_standby_that_comes_and_goes_gets_no_vote),
        cmocka_unit_test(two_voters_are_left_as_they_are_when_one_dies),
        cmocka_unit_test(a_removed_server_leaves_an_odd_number),
        cmocka_unit_test(one_of_four_that_is_lost_loses_its_vote),
        cmocka_unit_test(what_failed_is_tried_again_later),
        cmocka_unit_test(a_removal_is_believed_when_more_than_half_say_so),
        cmocka_unit_test(a_witness_makes_an_even_number_odd),
        cmocka_unit_test(a_cold_server_votes_where_two_others_do),
        cmocka_unit_test(a_cold_server_that_sleeps_is_left_alone),
        cmocka_unit_test(a_cold_server_stands_in_for_one_that_is_lost),
        cmocka_unit_test(a_stand_in_that_leads_hands_over_and_then_gives_its_vote_back),
        cmocka_unit_test(a_stand_in_that_dies_is_relieved_by_the_next),
        cmocka_unit_test(what_stands_in_stays_where_nothing_goes_back),
        cmocka_unit_test(a_warm_server_is_as_whole_as_a_hot_one),
        cmocka_unit_test(a_voter_that_is_to_be_cold_gives_up_its_vote),
        cmocka_unit_test(a_cold_server_with_a_witness_makes_three_of_one),
        cmocka_unit_test(a_witness_beside_two_gets_a_vote),
        cmocka_unit_test(a_witness_beside_three_has_no_vote),
        cmocka_unit_test(a_third_server_takes_the_vote_of_the_witness),
        cmocka_unit_test(a_witness_is_replaced_by_a_witness),
        cmocka_unit_test(any_history_ends_in_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
