/* Round robin, least connections, two choices, failover. */
#include "policy_fixture.h"

static void smooth_turns_spread_a_heavy_server_over_the_round(void **state)
{
    (void)state;
    static const unsigned weights[] = {5, 1, 1};
    struct choice c;
    choice_begin(&c, &policy_round_robin, 3);
    for (unsigned i = 0; i < 3; i++)
        c.servers[i].weight = weights[i];
    choice_changed(&c);
    for (unsigned round = 0; round < 3; round++)
        for (const char *turn = "aabacaa"; *turn; turn++)
            assert_int_equal(choice_pick(&c, 0, 0), *turn - 'a');
    choice_end(&c);
}

static void over_a_round_each_has_exactly_its_weight(void **state)
{
    (void)state;
    static const unsigned weights[] = {7, 3, 11, 2, 1};
    unsigned counts[5] = {0};
    struct choice c;
    choice_begin(&c, &policy_round_robin, 5);
    for (unsigned i = 0; i < 5; i++)
        c.servers[i].weight = weights[i];
    choice_changed(&c);
    for (unsigned i = 0; i < 24 * 10; i++)
        counts[choice_pick(&c, 0, 0)]++;
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(counts[i], weights[i] * 10);
    choice_end(&c);
}

static void credit_goes_along_when_places_change(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_round_robin, 3);
    assert_int_equal(choice_pick(&c, 0, 0), 0);
    c.servers[0] = c.servers[2];
    c.servers[2] = (struct policy_server){1, POLICY_WEIGHT, 1000, 0, true, 0};
    choice_changed(&c);
    /* Number 1 has had its turn; the others come first, wherever they are. */
    assert_int_equal(choice_pick(&c, 0, 0), 0);
    assert_int_equal(choice_pick(&c, 0, 0), 1);
    choice_end(&c);
}

static void who_was_away_does_not_come_back_to_a_pile(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_round_robin, 3);
    c.servers[0].usable = false;
    choice_changed(&c);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_not_equal(choice_pick(&c, 0, 0), 0);
    c.servers[0].usable = true;
    choice_changed(&c);
    unsigned counts[3] = {0};
    for (unsigned i = 0; i < 30; i++)
        counts[choice_pick(&c, 0, 0)]++;
    assert_in_range(counts[0], 9, 11);
    choice_end(&c);
}

/* A home and two away servers for each shopper, of three. */
static void away_servers_do_not_take_turns(void **state)
{
    (void)state;
    static const struct policy *const by_turns[] = {&policy_round_robin, &policy_least_connections};
    for (unsigned p = 0; p < 2; p++) {
        struct choice c;
        unsigned homes[3] = {0}, aways[3] = {0};
        choice_begin(&c, by_turns[p], 3);
        for (unsigned i = 0; i < 3000; i++) {
            int home = choice_pick(&c, i, 0), away = choice_pick(&c, i, 1ull << home);
            int last = choice_pick(&c, i, 1ull << home | 1ull << away);
            assert_int_equal(home + away + last, 3);
            homes[home]++;
            aways[away]++;
        }
        for (unsigned i = 0; i < 3; i++) {
            assert_int_equal(homes[i], 1000);
            assert_in_range(aways[i], 850, 1150);
        }
        choice_end(&c);
    }
}

static void the_fewest_in_flight_by_weight_gets_it(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_least_connections, 3);
    c.servers[0].in_flight = 5;
    c.servers[1].in_flight = 4;
    c.servers[2].in_flight = 7;
    assert_int_equal(choice_pick(&c, 0, 0), 1);
    c.servers[2].weight = 2 * POLICY_WEIGHT;
    choice_changed(&c);
    assert_int_equal(choice_pick(&c, 0, 0), 2);
    c.servers[2].in_flight = 9;
    assert_int_equal(choice_pick(&c, 0, 0), 1);
    choice_end(&c);
}

static void among_equals_the_one_with_the_fewest_lately(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_least_connections, 3);
    c.servers[1].in_flight = c.servers[2].in_flight = 1;
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(choice_pick(&c, 0, 0), 0);
    c.servers[2].in_flight = 0;
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(choice_pick(&c, 0, 0), 2);
    /* Ten each; those of the first are older, and count less. */
    c.now_ns += SECOND;
    c.servers[0].in_flight = 1;
    assert_int_equal(choice_pick(&c, 0, 0), 2);
    c.servers[0].in_flight = 0;
    assert_int_equal(choice_pick(&c, 0, 0), 0);
    choice_end(&c);
}

static void of_two_drawn_the_less_loaded_is_taken(void **state)
{
    (void)state;
    struct choice c;
    unsigned counts[3] = {0};
    choice_begin(&c, &policy_two_choices, 3);
    c.servers[0].in_flight = 9;
    c.servers[1].in_flight = 5;
    c.servers[2].in_flight = 1;
    for (unsigned i = 0; i < 3000; i++)
        counts[choice_pick(&c, 0, 0)]++;
    /* The worst is never taken, the best whenever it was drawn. */
    assert_int_equal(counts[0], 0);
    assert_in_range(counts[2], 1850, 2150);
    choice_end(&c);
}

static unsigned most_on_one(struct choice *c, bool by_chance)
{
    unsigned most = 0;
    for (unsigned i = 0; i < c->view.count; i++)
        c->servers[i].in_flight = 0;
    for (unsigned i = 0; i < c->view.count; i++) {
        int at = by_chance ? (int)random_below(&c->random, c->view.count) : choice_pick(c, 0, 0);
        c->servers[at].in_flight++;
        most = c->servers[at].in_flight > most ? c->servers[at].in_flight : most;
    }
    return most;
}

/* 64 requests on 64 servers: by chance about 4 to 5 on the fullest, with two choices 2 to 3. */
static void two_choices_keep_the_fullest_low(void **state)
{
    (void)state;
    enum { ROUNDS = 300 };
    struct choice c;
    unsigned chance = 0, choices = 0;
    choice_begin(&c, &policy_two_choices, 64);
    for (unsigned i = 0; i < ROUNDS; i++) {
        unsigned most = most_on_one(&c, false);
        assert_in_range(most, 1, 4);
        choices += most;
        chance += most_on_one(&c, true);
    }
    assert_true(choices < ROUNDS * 27 / 10);
    assert_true(chance > ROUNDS * 38 / 10);
    choice_end(&c);
}

static void the_chain_is_followed_in_its_order(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_failover, 3);
    c.servers[0].in_flight = 1000;
    assert_int_equal(choice_pick(&c, 1, 0), 0);
    assert_int_equal(choice_pick(&c, 2, 1), 1);
    assert_int_equal(choice_pick(&c, 2, 3), 2);
    assert_int_equal(choice_pick(&c, 2, 7), 0);
    c.servers[0].usable = false;
    choice_changed(&c);
    assert_int_equal(choice_pick(&c, 3, 0), 1);
    c.servers[1].usable = false;
    choice_changed(&c);
    assert_int_equal(choice_pick(&c, 4, 0), 2);
    choice_end(&c);
}

static void the_first_of_the_chain_warms_up_before_it_has_all(void **state)
{
    (void)state;
    struct choice c;
    unsigned counts[3] = {0};
    choice_begin(&c, &policy_failover, 3);
    c.servers[0].share = 250;
    for (unsigned i = 0; i < 4000; i++)
        counts[choice_pick(&c, i, 0)]++;
    assert_in_range(counts[0], 850, 1150);
    assert_int_equal(counts[2], 0);
    choice_end(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(smooth_turns_spread_a_heavy_server_over_the_round),
        cmocka_unit_test(over_a_round_each_has_exactly_its_weight),
        cmocka_unit_test(credit_goes_along_when_places_change),
        cmocka_unit_test(who_was_away_does_not_come_back_to_a_pile),
        cmocka_unit_test(away_servers_do_not_take_turns),
        cmocka_unit_test(the_fewest_in_flight_by_weight_gets_it),
        cmocka_unit_test(among_equals_the_one_with_the_fewest_lately),
        cmocka_unit_test(of_two_drawn_the_less_loaded_is_taken),
        cmocka_unit_test(two_choices_keep_the_fullest_low),
        cmocka_unit_test(the_chain_is_followed_in_its_order),
        cmocka_unit_test(the_first_of_the_chain_warms_up_before_it_has_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
