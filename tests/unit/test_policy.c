/* What every policy promises. */
#include "policy_fixture.h"

#include <string.h>

static void each_is_found_by_its_name(void **state)
{
    (void)state;
    unsigned count = 0;
    for (; policies[count]; count++) {
        assert_ptr_equal(policy_find(policies[count]->name), policies[count]);
        assert_true(policies[count]->memory <= 1 << 20);
        assert_true(strlen(policies[count]->about) > 0);
    }
    assert_int_equal(count, 8);
    assert_null(policy_find("roulette"));
}

static void nobody_is_picked_when_nobody_is_usable(void **state)
{
    (void)state;
    for (unsigned p = 0; policies[p]; p++) {
        struct choice c;
        choice_begin(&c, policies[p], 0);
        assert_int_equal(choice_pick(&c, 1, 0), -1);
        choice_end(&c);
        choice_begin(&c, policies[p], 3);
        for (unsigned i = 0; i < 3; i++)
            c.servers[i].usable = false;
        assert_int_equal(choice_pick(&c, 1, 0), -1);
        choice_changed(&c);
        assert_int_equal(choice_pick(&c, 1, 0), -1);
        choice_end(&c);
    }
}

/* A life with everything in it: servers die, warm up, change weight, leave, are reported. */
static void shake(struct choice *c)
{
    unsigned at = (unsigned)random_below(&c->random, c->view.count);
    struct policy_server *server = &c->servers[at];
    switch (random_below(&c->random, 8)) {
    case 0:
        server->usable = !server->usable;
        choice_changed(c);
        break;
    case 1:
        server->usable = true;
        break; /* told of later */
    case 2:
        server->share = (uint32_t)random_below(&c->random, 1001);
        break;
    case 3:
        server->weight = (uint32_t)random_below(&c->random, 4) * 50;
        choice_changed(c);
        break;
    case 4:
        if (c->view.count > 1 && random_below(&c->random, 8) == 0)
            *server = c->servers[--c->view.count];
        choice_changed(c);
        break;
    case 5:
        if (c->view.count < POLICY_SERVERS_MAX)
            c->servers[c->view.count++] =
                (struct policy_server){1000 + random_u64(&c->random) % 1000000, 100, 100, 0, true, 0};
        choice_changed(c);
        break;
    case 6:
        if (c->policy->probed)
            choice_probe(c, at, server->in_flight, random_below(&c->random, SECOND));
        break;
    default:
        choice_done(c, (int)at, random_below(&c->random, SECOND), server->in_flight % 7 == 6);
        server->in_flight = 0;
    }
    c->now_ns += random_below(&c->random, 300 * MS);
}

static void only_a_usable_one_is_picked_whatever_happens(void **state)
{
    (void)state;
    for (unsigned p = 0; policies[p]; p++) {
        struct choice c;
        unsigned picked = 0;
        choice_begin(&c, policies[p], 5);
        for (unsigned round = 0; round < 4000; round++) {
            bool any = false;
            shake(&c);
            for (unsigned i = 0; i < c.view.count; i++)
                any = any || (c.servers[i].usable && c.servers[i].weight);
            int at = choice_send(&c, random_u64(&c.random));
            assert_int_equal(at >= 0, any);
            if (at >= 0)
                assert_true((unsigned)at < c.view.count && c.servers[at].usable &&
                            c.servers[at].weight);
            picked += at >= 0;
        }
        assert_true(picked > 2000);
        choice_end(&c);
    }
}

static void those_that_were_tried_are_passed_over_while_others_are_left(void **state)
{
    (void)state;
    for (unsigned p = 0; policies[p]; p++) {
        struct choice c;
        choice_begin(&c, policies[p], 6);
        c.servers[4].usable = false;
        choice_changed(&c);
        for (uint64_t key = 0; key < 500; key++) {
            uint64_t tried = 0;
            for (unsigned i = 0; i < 5; i++) {
                int at = choice_pick(&c, key, tried);
                assert_true(at >= 0 && at != 4 && !(tried >> at & 1));
                tried |= 1ull << at;
            }
            int again = choice_pick(&c, key, tried);
            assert_true(again >= 0 && again != 4);
        }
        choice_end(&c);
    }
}

/* Requests that are over as soon as they are there, and equally fast everywhere. */
static void count_quick(struct choice *c, unsigned requests, unsigned *counts)
{
    memset(counts, 0, POLICY_SERVERS_MAX * sizeof *counts);
    for (unsigned i = 0; i < requests; i++) {
        int at = choice_pick(c, random_u64(&c->random), 0);
        assert_true(at >= 0);
        counts[at]++;
        c->now_ns += MS;
        choice_done(c, at, 10 * MS, false);
        if (c->policy->probed)
            choice_probe(c, i % c->view.count, 0, 10 * MS);
    }
}

static void without_load_all_get_about_the_same(void **state)
{
    (void)state;
    unsigned counts[POLICY_SERVERS_MAX];
    for (unsigned p = 0; policies[p]; p++) {
        struct choice c;
        if (policies[p] == &policy_failover)
            continue;
        choice_begin(&c, policies[p], 4);
        count_quick(&c, 8000, counts);
        for (unsigned i = 0; i < 4; i++)
            assert_in_range(counts[i], 1700, 2300);
        choice_end(&c);
    }
}

/* Requests of one length, as many at once as keep everybody busy: the time that one takes grows
 * with how many are there. */
static void count_busy(struct choice *c, unsigned requests, const unsigned *speeds,
                       unsigned *counts)
{
    enum { AT_ONCE = 60 };
    double work[POLICY_SERVERS_MAX] = {0};
    uint64_t begun[POLICY_SERVERS_MAX][AT_ONCE + 1];
    unsigned sent = 0, flying = 0;
    memset(counts, 0, POLICY_SERVERS_MAX * sizeof *counts);
    while (sent < requests) {
        for (; flying < AT_ONCE; flying++, sent++) {
            int at = choice_pick(c, random_u64(&c->random), 0);
            assert_true(at >= 0);
            begun[at][c->servers[at].in_flight++] = c->now_ns;
            counts[at]++;
        }
        c->now_ns += MS;
        for (unsigned i = 0; i < c->view.count; i++) {
            work[i] += speeds[i];
            for (; c->servers[i].in_flight && work[i] >= 20; work[i] -= 20, flying--) {
                uint64_t took = c->now_ns - begun[i][0];
                c->servers[i].in_flight--;
                memmove(begun[i], begun[i] + 1, c->servers[i].in_flight * sizeof **begun);
                choice_done(c, (int)i, took, false);
                if (c->policy->probed)
                    choice_probe(c, i, c->servers[i].in_flight, took);
            }
            if (!c->servers[i].in_flight)
                work[i] = 0;
        }
    }
}

static void a_weight_of_two_brings_twice_as_much(void **state)
{
    (void)state;
    static const unsigned speeds[] = {10, 10, 20};
    unsigned counts[POLICY_SERVERS_MAX];
    for (unsigned p = 0; policies[p]; p++) {
        struct choice c;
        if (policies[p] == &policy_failover)
            continue;
        choice_begin(&c, policies[p], 3);
        c.servers[2].weight = 2 * POLICY_WEIGHT;
        choice_changed(&c);
        count_busy(&c, 20000, speeds, counts);
        assert_in_range(counts[2], 9000, 11000);
        choice_end(&c);
    }
}

/* 10 % of its fair part of 25 %, of 20,000: 500. */
static void a_server_that_warms_up_gets_its_share_and_no_less(void **state)
{
    (void)state;
    unsigned counts[POLICY_SERVERS_MAX];
    for (unsigned p = 0; policies[p]; p++) {
        struct choice c;
        if (policies[p] == &policy_failover)
            continue;
        choice_begin(&c, policies[p], 4);
        c.servers[3].share = 100;
        count_quick(&c, 20000, counts);
        assert_in_range(counts[3], 100, 800);
        choice_end(&c);
    }
}

static void servers_that_all_warm_up_get_everything(void **state)
{
    (void)state;
    unsigned counts[POLICY_SERVERS_MAX];
    for (unsigned p = 0; policies[p]; p++) {
        struct choice c;
        if (policies[p] == &policy_failover)
            continue;
        choice_begin(&c, policies[p], 3);
        for (unsigned i = 0; i < 3; i++)
            c.servers[i].share = 100;
        count_quick(&c, 9000, counts);
        for (unsigned i = 0; i < 3; i++)
            assert_in_range(counts[i], 2400, 3600);
        choice_end(&c);
    }
}

static void sixty_four_servers_all_get_some(void **state)
{
    (void)state;
    unsigned counts[POLICY_SERVERS_MAX];
    for (unsigned p = 0; policies[p]; p++) {
        struct choice c;
        if (policies[p] == &policy_failover)
            continue;
        choice_begin(&c, policies[p], 64);
        count_quick(&c, 32000, counts);
        for (unsigned i = 0; i < 64; i++)
            assert_in_range(counts[i], 150, 1100);
        choice_end(&c);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_is_found_by_its_name),
        cmocka_unit_test(nobody_is_picked_when_nobody_is_usable),
        cmocka_unit_test(only_a_usable_one_is_picked_whatever_happens),
        cmocka_unit_test(those_that_were_tried_are_passed_over_while_others_are_left),
        cmocka_unit_test(without_load_all_get_about_the_same),
        cmocka_unit_test(a_weight_of_two_brings_twice_as_much),
        cmocka_unit_test(a_server_that_warms_up_gets_its_share_and_no_less),
        cmocka_unit_test(servers_that_all_warm_up_get_everything),
        cmocka_unit_test(sixty_four_servers_all_get_some),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
