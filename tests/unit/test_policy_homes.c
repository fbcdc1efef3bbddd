/* Homes: what policies that look at load promise for shoppers who stay. */
#include "policy_fixture.h"

#include <string.h>

static const struct policy *const lookers[] = {&policy_response_time, &policy_least_connections,
                                               &policy_two_choices};
enum { LOOKERS = sizeof lookers / sizeof *lookers };

/* A shopper comes, and has a home. */
static unsigned settle(struct choice *c)
{
    c->view.settling = true;
    int at = choice_pick(c, random_u64(&c->random), 0);
    c->view.settling = false;
    assert_true(at >= 0);
    return (unsigned)at;
}

static void answered(struct choice *c, unsigned at, uint64_t took_ns)
{
    choice_done(c, (int)at, took_ns, false);
    if (c->policy->probed)
        choice_probe(c, at, c->servers[at].in_flight, took_ns);
}

/* In a quiet moment: each shopper's first three answers are there before the next one comes. */
static void come_one_by_one(struct choice *c, unsigned shoppers,
                            uint64_t (*time)(struct choice *, unsigned at))
{
    for (unsigned i = 0; i < shoppers; i++) {
        unsigned at = settle(c);
        c->servers[at].homes++;
        for (unsigned k = 0; k < 3; k++) {
            c->now_ns += 30 * MS;
            answered(c, at, time(c, at));
        }
    }
}

/* A third of a millisecond as a rule; while the caches are cold thirty times that. */
static uint64_t by_chance(struct choice *c, unsigned at)
{
    bool cold = random_below(&c->random, 3 + c->servers[at].homes) < 3;
    return MS / 3 + random_below(&c->random, cold ? 9 * MS : MS);
}

static void equal_servers_get_equal_homes_however_chance_falls(void **state)
{
    (void)state;
    for (unsigned p = 0; p < LOOKERS; p++) {
        for (uint64_t seed = 1; seed <= 5; seed++) {
            struct choice c;
            choice_begin(&c, lookers[p], 3);
            random_seed(&c.random, seed);
            come_one_by_one(&c, 60, by_chance);
            for (unsigned i = 0; i < 3; i++)
                assert_in_range(c.servers[i].homes, 15, 25);
            choice_end(&c);
        }
    }
}

static void before_anything_is_known_all_get_the_same(void **state)
{
    (void)state;
    for (unsigned p = 0; p < LOOKERS; p++) {
        struct choice c;
        choice_begin(&c, lookers[p], 3);
        for (unsigned i = 0; i < 30; i++)
            c.servers[settle(&c)].homes++;
        for (unsigned i = 0; i < 3; i++)
            assert_in_range(c.servers[i].homes, 9, 11);
        choice_end(&c);
    }
}

static void three_shoppers_live_at_three_servers(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_response_time, 3);
    come_one_by_one(&c, 3, by_chance);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(c.servers[i].homes, 1);
    choice_end(&c);
}

/* Their answers are not there yet: they are in flight, and nowhere at home. */
static void a_hundred_who_come_at_one_moment_are_spread(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_response_time, 3);
    answered(&c, 0, MS / 2);
    answered(&c, 1, 9 * MS);
    answered(&c, 2, 2 * MS);
    for (unsigned i = 0; i < 99; i++)
        c.servers[settle(&c)].in_flight++;
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(c.servers[i].in_flight, 28, 38);
    choice_end(&c);
}

static void who_has_few_shoppers_gets_the_next_ones_and_no_more_than_its_part(void **state)
{
    (void)state;
    for (unsigned p = 0; p < LOOKERS; p++) {
        struct choice c;
        choice_begin(&c, lookers[p], 3);
        for (unsigned i = 0; i < 3; i++) {
            c.servers[i].homes = i ? i : 40;
            for (unsigned k = 0; k < 50; k++)
                answered(&c, i, 2 * MS);
        }
        for (unsigned i = 0; i < 77; i++)
            c.servers[settle(&c)].homes++;
        for (unsigned i = 0; i < 3; i++)
            assert_in_range(c.servers[i].homes, 36, 45);
        choice_end(&c);
    }
}

/* The same key for all, as of an office behind one address. */
static void a_hash_with_a_bound_gives_nobody_a_quarter_more(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_bounded_load, 3);
    c.view.settling = true;
    for (unsigned i = 0; i < 300; i++) {
        int at = choice_pick(&c, 7, 0);
        assert_true(at >= 0);
        c.servers[at].homes++;
    }
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(c.servers[i].homes, 50, 126);
    choice_end(&c);
}

static uint64_t one_at_half_speed(struct choice *c, unsigned at)
{
    return (at ? 10u : 20u) * MS + random_below(&c->random, at ? 10u * MS : 20u * MS);
}

/* The ideal homes would give it a fifth: 120. */
static void a_server_at_half_speed_gets_half_as_many(void **state)
{
    (void)state;
    static const struct policy *const by_time[] = {&policy_response_time, &policy_prequal};
    for (unsigned p = 0; p < 2; p++) {
        struct choice c;
        choice_begin(&c, by_time[p], 3);
        come_one_by_one(&c, 600, one_at_half_speed);
        assert_in_range(c.servers[0].homes, 90, 150);
        choice_end(&c);
    }
}

static uint64_t alike(struct choice *c, unsigned at)
{
    (void)c;
    (void)at;
    return 5 * MS;
}

static void a_weight_of_two_brings_twice_as_many(void **state)
{
    (void)state;
    for (unsigned p = 0; p < LOOKERS; p++) {
        struct choice c;
        choice_begin(&c, lookers[p], 3);
        c.servers[1].weight = 2 * POLICY_WEIGHT;
        choice_changed(&c);
        come_one_by_one(&c, 400, alike);
        assert_in_range(c.servers[1].homes, 180, 220);
        choice_end(&c);
    }
}

/* Though its answers were as quick as all others' until now. */
static void a_busy_server_gets_no_homes_while_it_is(void **state)
{
    (void)state;
    struct choice c;
    choice_begin(&c, &policy_response_time, 3);
    come_one_by_one(&c, 90, alike);
    c.servers[2].in_flight = 20;
    for (unsigned i = 0; i < 60; i++)
        c.servers[settle(&c)].homes++;
    assert_in_range(c.servers[2].homes, 28, 32);
    choice_end(&c);
}

static void for_a_single_request_homes_count_for_nothing(void **state)
{
    (void)state;
    for (unsigned p = 0; policies[p]; p++) {
        struct choice one, other;
        choice_begin(&one, policies[p], 4);
        choice_begin(&other, policies[p], 4);
        for (unsigned i = 0; i < 2000; i++) {
            other.servers[i % 4].homes = i % 7 * 100;
            int at = choice_pick(&one, i, 0);
            assert_int_equal(choice_pick(&other, i, 0), at);
            one.now_ns = other.now_ns += MS;
            choice_done(&one, at, (i % 11 + 1) * MS, false);
            choice_done(&other, at, (i % 11 + 1) * MS, false);
        }
        choice_end(&one);
        choice_end(&other);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_servers_get_equal_homes_however_chance_falls),
        cmocka_unit_test(before_anything_is_known_all_get_the_same),
        cmocka_unit_test(three_shoppers_live_at_three_servers),
        cmocka_unit_test(a_hundred_who_come_at_one_moment_are_spread),
        cmocka_unit_test(who_has_few_shoppers_gets_the_next_ones_and_no_more_than_its_part),
        cmocka_unit_test(a_hash_with_a_bound_gives_nobody_a_quarter_more),
        cmocka_unit_test(a_server_at_half_speed_gets_half_as_many),
        cmocka_unit_test(a_weight_of_two_brings_twice_as_many),
        cmocka_unit_test(a_busy_server_gets_no_homes_while_it_is),
        cmocka_unit_test(for_a_single_request_homes_count_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
