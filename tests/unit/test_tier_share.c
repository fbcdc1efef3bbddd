/* Share: who is next by weight and cost, and who may come in. */
#include "base/random.h"
#include "tier/share.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { LIMIT = 64, TURNS = 20000 };

static const uint32_t weights[SHARE_CLASSES] = {1, 4, 3, 2};

struct served {
    uint64_t count[SHARE_CLASSES], work_ns[SHARE_CLASSES];
};

/* Each class of ASKS always has one that waits; TURNS are served, each for COST of its class. */
static struct served serve(struct share *share, const bool *asks, const uint64_t *cost,
                           unsigned turns)
{
    struct served served = {0};
    for (unsigned i = 0; i < SHARE_CLASSES; i++)
        if (asks[i] && share->waiting[i] == 0)
            share_wait(share, i);
    for (unsigned i = 0; i < turns; i++) {
        enum share_class next = share_next(share);
        assert_true(next < SHARE_CLASSES && asks[next]);
        share_measured(share, next, cost[next]);
        served.count[next]++;
        served.work_ns[next] += cost[next];
        share_wait(share, next);
    }
    return served;
}

/* Within three in a hundred of what its weight says, of the work of all. */
static void check_shares(const struct served *served, const bool *asks)
{
    uint64_t work = 0, weight = 0;
    for (unsigned i = 0; i < SHARE_CLASSES; i++) {
        work += served->work_ns[i];
        weight += asks[i] ? weights[i] : 0;
    }
    for (unsigned i = 0; i < SHARE_CLASSES; i++) {
        if (!asks[i])
            continue;
        double wanted = (double)weights[i] / (double)weight;
        double got = (double)served->work_ns[i] / (double)work;
        if (got < 0.97 * wanted || got > 1.03 * wanted)
            fail_msg("%s has %.3f of the work, %.3f are its share", share_names[i], got, wanted);
    }
}

static const bool all[SHARE_CLASSES] = {true, true, true, true};
static const uint64_t alike[SHARE_CLASSES] = {50000, 50000, 50000, 50000};
static const uint64_t unlike[SHARE_CLASSES] = {2000000, 300000, 90000, 40000};

static void when_all_ask_each_has_its_share_of_the_work(void **state)
{
    struct share share;
    (void)state;
    share_init(&share, LIMIT, weights);
    struct served served = serve(&share, all, alike, TURNS);
    check_shares(&served, all);
    share_init(&share, LIMIT, weights);
    serve(&share, all, unlike, TURNS); /* what each costs is learnt */
    served = serve(&share, all, unlike, TURNS);
    check_shares(&served, all);
}

static void what_one_leaves_is_the_others(void **state)
{
    static const bool two[SHARE_CLASSES] = {[SHARE_BUYS] = true, [SHARE_PAGES] = true};
    static const bool one[SHARE_CLASSES] = {[SHARE_OPERATOR] = true};
    struct share share;
    (void)state;
    share_init(&share, LIMIT, weights);
    struct served served = serve(&share, two, alike, TURNS);
    check_shares(&served, two);
    share_init(&share, LIMIT, weights);
    served = serve(&share, one, unlike, TURNS);
    assert_int_equal(served.count[SHARE_OPERATOR], TURNS);
}

/* How often of the next TURNS it is CLASS's. */
static unsigned count_turns(struct share *share, enum share_class class, unsigned turns)
{
    unsigned count = 0;
    for (unsigned i = 0; i < turns; i++) {
        enum share_class next = share_next(share);
        count += next == class;
        share_wait(share, next);
    }
    return count;
}

static void who_asked_for_nothing_has_saved_nothing_up(void **state)
{
    static const bool pages[SHARE_CLASSES] = {[SHARE_PAGES] = true};
    struct share share;
    (void)state;
    share_init(&share, LIMIT, weights);
    serve(&share, pages, alike, TURNS);
    share_wait(&share, SHARE_BUYS); /* weights 4 and 2: two of three, not all */
    for (unsigned i = 0; i < 10; i++) {
        unsigned buys = count_turns(&share, SHARE_BUYS, 30);
        assert_in_range(buys, 18, 22);
    }
}

static void one_that_took_long_is_charged_once(void **state)
{
    static const bool two[SHARE_CLASSES] = {[SHARE_BUYS] = true, [SHARE_PAGES] = true};
    static const uint64_t second = 1000000000;
    struct share share;
    uint64_t others_ns = 0;
    (void)state;
    share_init(&share, LIMIT, weights);
    share_wait(&share, SHARE_PAGES);
    assert_int_equal(share_next(&share), SHARE_PAGES);
    share_measured(&share, SHARE_PAGES, second); /* the very first, with nothing ready yet */
    /* Then all are cheap: until pages have had as many as a hundred, the others get what the long
     * one took, by their weights, and no multiple of it. */
    share_wait(&share, SHARE_PAGES);
    share_wait(&share, SHARE_BUYS);
    for (unsigned pages = 0; pages < 100;) {
        enum share_class next = share_next(&share);
        share_measured(&share, next, alike[next]);
        pages += next == SHARE_PAGES;
        others_ns += next == SHARE_BUYS ? alike[next] : 0;
        share_wait(&share, next);
        assert_true(others_ns < 3 * second);
    }
    (void)two;
}

static void years_of_work_starve_nobody(void **state)
{
    struct share share;
    (void)state;
    share_init(&share, LIMIT, weights);
    for (unsigned i = 0; i < SHARE_CLASSES; i++)
        share.pass[i] = UINT64_MAX - 1000000000; /* as after two days of a hundred processors */
    share.virtual_pass = share.pass[0];
    struct served served = serve(&share, all, alike, TURNS);
    check_shares(&served, all);
    /* One that rested while the others came around. */
    share.waiting[SHARE_CARTS] = 0;
    share.pass[SHARE_CARTS] = UINT64_MAX - 1000000000;
    served = serve(&share, all, alike, TURNS);
    check_shares(&served, all);
}

static void no_one_else_waits_no_turn_is_given(void **state)
{
    struct share share;
    (void)state;
    share_init(&share, LIMIT, weights);
    assert_int_equal(share_next(&share), SHARE_CLASSES);
    share_wait(&share, SHARE_CARTS);
    share_wait(&share, SHARE_CARTS);
    share_unwait(&share, SHARE_CARTS);
    assert_int_equal(share_next(&share), SHARE_CARTS);
    assert_int_equal(share_next(&share), SHARE_CLASSES);
}

static void each_class_always_has_its_reserve(void **state)
{
    struct share share;
    (void)state;
    for (enum share_class greedy = 0; greedy < SHARE_CLASSES; greedy++) {
        unsigned most = 0;
        share_init(&share, LIMIT, weights);
        while (share_enter(&share, greedy))
            most++;
        assert_int_equal(most, LIMIT - 3 * (LIMIT / 8));
        for (unsigned i = 0; i < SHARE_CLASSES; i++)
            for (unsigned k = 0; i != greedy && k < LIMIT / 8; k++)
                assert_true(share_enter(&share, i));
        for (unsigned i = 0; i < SHARE_CLASSES; i++)
            assert_false(share_enter(&share, i));
        share_leave(&share, greedy);
        assert_true(share_enter(&share, greedy));
    }
}

/* Whoever comes and goes: never above the limit, and a class below its reserve is let in. */
static void its_bounds_hold_in_any_order(void **state)
{
    struct share share;
    struct random random;
    (void)state;
    random_seed(&random, 7);
    share_init(&share, 8, weights); /* the least */
    for (unsigned i = 0; i < TURNS; i++) {
        enum share_class class = (enum share_class)random_below(&random, SHARE_CLASSES);
        uint32_t sum = 0;
        if (random_below(&random, 5) < 3) {
            bool below = share.held[class] < share.reserve[class];
            assert_true(share_enter(&share, class) || !below);
        } else if (share.held[class] > 0) {
            share_leave(&share, class);
        }
        for (unsigned k = 0; k < SHARE_CLASSES; k++)
            sum += share.held[k];
        assert_in_range(sum, 0, 8);
    }
}

static void costs_follow_what_was_measured(void **state)
{
    struct share share;
    (void)state;
    share_init(&share, LIMIT, weights);
    for (unsigned i = 0; i < 200; i++)
        share_measured(&share, SHARE_PAGES, 80000);
    assert_in_range(share.cost_ns[SHARE_PAGES], 76000, 84000);
    for (unsigned i = 0; i < 200; i++)
        share_measured(&share, SHARE_PAGES, 0);
    assert_in_range(share.cost_ns[SHARE_PAGES], 1, 100); /* known, and nearly nothing */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(when_all_ask_each_has_its_share_of_the_work),
        cmocka_unit_test(what_one_leaves_is_the_others),
        cmocka_unit_test(who_asked_for_nothing_has_saved_nothing_up),
        cmocka_unit_test(one_that_took_long_is_charged_once),
        cmocka_unit_test(years_of_work_starve_nobody),
        cmocka_unit_test(no_one_else_waits_no_turn_is_given),
        cmocka_unit_test(each_class_always_has_its_reserve),
        cmocka_unit_test(its_bounds_hold_in_any_order),
        cmocka_unit_test(costs_follow_what_was_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
