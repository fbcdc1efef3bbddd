/* Advice: small cases computed by hand, and what must hold for any. */
#include "base/random.h"
#include "scale/advise.h"
#include "scale/advise_local.h"
#include "scale/advise_model.h"
#include "scale/advise_search.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* In double precision, which cmocka's own has not. */
#define assert_near(got, wanted, by) assert_true(fabs((got) - (wanted)) <= (by))

static struct advise_input input;
static struct advise_answer answer;

static struct advise_time ms(double p50_ms)
{
    return (struct advise_time){p50_ms / 1e3, p50_ms / 1e3};
}

/* Sites of one processor, 10 ms a read, which cost 1 and have all that is needed; no round trip
 * takes any time. */
static void begin(unsigned regions, unsigned sites)
{
    memset(&input, 0, sizeof input);
    input.region_count = regions;
    input.site_count = sites;
    input.utilisation = 0.95;
    input.budget = INFINITY;
    for (unsigned r = 0; r < regions; r++) {
        input.regions[r].peak = 1;
        input.regions[r].p50_s = INFINITY;
        input.regions[r].p99_s = input.regions[r].degraded_p99_s = 0.1;
    }
    for (unsigned s = 0; s < sites; s++) {
        struct advise_site *site = &input.sites[s];
        site->cost = 1;
        site->processors = 1;
        site->work_s[ADVISE_READ] = 0.01;
        site->most = 8;
    }
}

static void way(unsigned region, unsigned site, double p50_ms)
{
    input.regions[region].to[site] = ms(p50_ms);
}

static void between(unsigned a, unsigned b, double p50_ms)
{
    input.sites[a].to[b] = input.sites[b].to[a] = ms(p50_ms);
}

static unsigned servers(const struct advise_plan *plan)
{
    unsigned sum = 0;
    for (unsigned s = 0; s < input.site_count; s++)
        sum += plan->servers[s];
    return sum;
}

/* ---- By hand ---- */

/* M/M/1: 99 of 100 are answered within ln 100 / (100/s - 50/s) = 92 ms. */
static void one_server_is_enough_where_a_queue_of_one_is(void **state)
{
    (void)state;
    begin(1, 1);
    input.regions[0].rate[ADVISE_READ] = 50;
    advise_make(&input, &answer);
    assert_int_equal(answer.outcome, ADVISE_FOUND);
    assert_true(answer.exact);
    assert_int_equal(answer.view.plan.servers[0], 1);
    assert_near(answer.view.whole.regions[0].p99_s, log(100) / 50, 1e-9);
    assert_near(answer.view.whole.regions[0].p50_s, log(2) / 50, 1e-9);
    assert_near(answer.view.whole.mean_s, 0.02, 1e-9);
    /* Until 100 ms are reached: 100/s - ln 100 / 0.1 s = 53.9/s. */
    assert_near(answer.view.reach, (100 - log(100) / 0.1) / 50, 1e-5);
    assert_int_equal(answer.view.beyond.breach, ADVISE_P99);
}

static void a_second_server_comes_when_the_first_is_too_slow(void **state)
{
    (void)state;
    begin(1, 1);
    input.regions[0].rate[ADVISE_READ] = 60;
    advise_make(&input, &answer);
    assert_int_equal(answer.view.plan.servers[0], 2);
    assert_near(answer.view.whole.regions[0].p99_s, log(100) / 70, 1e-9);
    assert_true(answer.fewer[0].possible);
    assert_int_equal(answer.fewer[0].broken.breach, ADVISE_P99);
    assert_near(answer.fewer[0].broken.value, log(100) / 40, 1e-9);
    assert_near(answer.fewer[0].cost, -1, 1e-9);
    /* A third: 20/s each. */
    assert_near(answer.more[0].p99_s, log(100) / 80 - log(100) / 70, 1e-9);
}

static void a_peak_counts_and_not_the_mean(void **state)
{
    (void)state;
    begin(1, 1);
    input.regions[0].rate[ADVISE_READ] = 30;
    input.regions[0].peak = 2;
    advise_make(&input, &answer);
    assert_int_equal(answer.view.plan.servers[0], 2);
    assert_near(advise_peak_rate(&input), 60, 1e-9);
}

static void who_must_survive_a_server_has_three(void **state)
{
    (void)state;
    begin(1, 1);
    input.regions[0].rate[ADVISE_READ] = 10;
    input.tolerate = ADVISE_TOLERATE_SERVER;
    advise_make(&input, &answer);
    assert_int_equal(answer.view.plan.servers[0], 3);
    assert_int_equal(answer.fewer[0].broken.breach, ADVISE_NO_MAJORITY);
    assert_int_equal(answer.fewer[0].broken.when.gone, ADVISE_SERVER_GONE);
    assert_near(answer.fewer[0].broken.value, 1, 0);
    assert_near(answer.fewer[0].broken.limit, 2, 0);
}

static void who_must_survive_a_site_has_three_sites(void **state)
{
    (void)state;
    begin(1, 3);
    input.regions[0].rate[ADVISE_READ] = 10;
    input.tolerate = ADVISE_TOLERATE_SITE;
    for (unsigned s = 0; s < 3; s++)
        way(0, s, s);
    advise_make(&input, &answer);
    assert_int_equal(answer.outcome, ADVISE_FOUND);
    for (unsigned s = 0; s < 3; s++)
        assert_int_equal(answer.view.plan.servers[s], 1);
    /* Two sites have no third vote. */
    input.sites[2].most = 0;
    advise_make(&input, &answer);
    assert_int_equal(answer.outcome, ADVISE_IMPOSSIBLE);
    assert_true(answer.exact);
    /* But with a witness in a third place. */
    input.sites[2].witness = true;
    advise_make(&input, &answer);
    assert_int_equal(answer.outcome, ADVISE_FOUND);
    assert_int_equal(servers(&answer.view.plan), 2);
}

/* A change: to the primary, to the nearer of two others, back. */
static void a_change_waits_for_the_nearest_majority(void **state)
{
    (void)state;
    begin(1, 3);
    input.regions[0].rate[ADVISE_WRITE] = 1;
    for (unsigned s = 0; s < 3; s++) {
        input.sites[s].least = 1;
        input.sites[s].durable = ms(2);
    }
    way(0, 0, 1);
    way(0, 1, 30);
    way(0, 2, 30);
    between(0, 1, 10);
    between(0, 2, 20);
    between(1, 2, 5);
    advise_make(&input, &answer);
    assert_int_equal(answer.view.plan.primary, 0);
    assert_near(answer.view.whole.commit.p50_s, 0.012, 1e-9);
    assert_near(answer.view.whole.mean_s, 0.013, 1e-9);
    /* With the primary at 1 the log is confirmed by 2, which is nearer. */
    struct advise_state there;
    struct advise_plan plan = {.servers = {1, 1, 1}, .primary = 1};
    advise_look(&input, &plan, (struct advise_case){ADVISE_WHOLE, 0}, &there);
    assert_near(there.commit.p50_s, 0.007, 1e-9);
    assert_near(there.mean_s, 0.001 + 0.010 + 0.007, 1e-9);
    /* Without site 0 region and primary go to 1. */
    advise_look(&input, &plan, (struct advise_case){ADVISE_SITE_GONE, 0}, &there);
    assert_near(there.mean_s, 0.030 + 0.007, 1e-9);
    plan.primary = 0;
    advise_look(&input, &plan, (struct advise_case){ADVISE_SITE_GONE, 0}, &there);
    assert_int_equal(there.primary, 1);
}

/* 50/s written on one thread that takes 10 ms: half busy, on however many servers. */
static void more_servers_write_no_more(void **state)
{
    (void)state;
    begin(1, 1);
    input.regions[0].rate[ADVISE_WRITE] = 50;
    input.regions[0].p99_s = 1;
    input.sites[0].processors = 4;
    input.sites[0].write_s = 0.01;
    advise_make(&input, &answer);
    assert_int_equal(answer.outcome, ADVISE_FOUND);
    assert_near(answer.view.whole.sites[0].writer, 0.5, 1e-9);
    assert_int_equal(answer.more[0].broken.breach, ADVISE_KEPT);
    input.regions[0].rate[ADVISE_WRITE] = 98;
    input.regions[0].p99_s = INFINITY;
    advise_make(&input, &answer);
    assert_int_equal(answer.outcome, ADVISE_IMPOSSIBLE);
    assert_int_equal(answer.view.broken.breach, ADVISE_WRITER_FULL);
}

static void the_cheaper_site_is_taken_when_it_is_near_enough(void **state)
{
    (void)state;
    begin(1, 2);
    input.regions[0].rate[ADVISE_READ] = 10;
    way(0, 0, 5);
    way(0, 1, 40);
    input.sites[0].cost = 5;
    advise_make(&input, &answer);
    assert_int_equal(answer.view.plan.servers[0], 0);
    assert_int_equal(answer.view.plan.servers[1], 1);
    /* Two there, ln 100 / 95 and 40 ms, do as well. */
    input.regions[0].p99_s = 0.09;
    advise_make(&input, &answer);
    assert_int_equal(answer.view.plan.servers[1], 2);
    /* ln 100 / 100 = 46 ms of work alone leave less than 40 ms for the way. */
    input.regions[0].p99_s = 0.085;
    advise_make(&input, &answer);
    assert_int_equal(answer.view.plan.servers[0], 1);
    assert_int_equal(answer.view.plan.servers[1], 0);
}

static void what_finds_no_room_goes_on_to_the_next_nearest(void **state)
{
    (void)state;
    begin(1, 2);
    input.regions[0].rate[ADVISE_READ] = 100;
    input.regions[0].p99_s = 1;
    input.utilisation = 0.8;
    input.sites[0].least = input.sites[0].most = input.sites[1].most = 1;
    way(0, 1, 20);
    advise_make(&input, &answer);
    assert_int_equal(answer.outcome, ADVISE_FOUND);
    assert_near(answer.view.whole.regions[0].share[0], 0.8, 1e-9);
    assert_near(answer.view.whole.regions[0].share[1], 0.2, 1e-9);
    assert_near(answer.view.whole.sites[1].utilisation, 0.2, 1e-9);
}

static void too_far_is_told_and_how_far(void **state)
{
    (void)state;
    begin(1, 1);
    input.regions[0].rate[ADVISE_READ] = 1;
    way(0, 0, 200);
    advise_make(&input, &answer);
    assert_int_equal(answer.outcome, ADVISE_IMPOSSIBLE);
    assert_int_equal(answer.view.broken.breach, ADVISE_P99);
    assert_true(answer.view.broken.value > 0.2);
    assert_true(answer.judged < 1000 && answer.exact);
    /* 200 ms and ln 100 / 99 = 46.5 ms are wanted, and 100 ms allowed. */
    assert_in_range(answer.relaxed_by * 1000, 2465, 2465 * 21 / 20);
    assert_int_equal(answer.relaxed.plan.servers[0], 1);
    assert_int_equal(answer.relaxed.broken.breach, ADVISE_KEPT);
}

static void a_load_that_is_too_high_is_the_cause_that_is_told(void **state)
{
    (void)state;
    begin(1, 1);
    input.regions[0].rate[ADVISE_READ] = 2000;
    advise_make(&input, &answer);
    assert_int_equal(answer.outcome, ADVISE_IMPOSSIBLE);
    assert_int_equal(answer.view.broken.breach, ADVISE_FULL);
    assert_near(answer.relaxed_by, 0, 0);
}

static void a_budget_is_never_passed_silently(void **state)
{
    (void)state;
    begin(1, 1);
    input.regions[0].rate[ADVISE_READ] = 200;
    input.budget = 3;
    advise_make(&input, &answer);
    assert_int_equal(answer.outcome, ADVISE_TOO_DEAR);
    assert_int_equal(answer.view.plan.servers[0], 4);
    assert_int_equal(answer.within.plan.servers[0], 3);
    assert_near(answer.within.cost, 3, 1e-9);
    assert_int_equal(answer.within.broken.breach, ADVISE_P99);
    input.budget = 4;
    advise_make(&input, &answer);
    assert_int_equal(answer.outcome, ADVISE_FOUND);
}

static void what_is_there_now_is_compared(void **state)
{
    (void)state;
    begin(1, 2);
    input.regions[0].rate[ADVISE_READ] = 10;
    way(0, 0, 80);
    way(0, 1, 10);
    input.sites[0].now = 1;
    advise_make(&input, &answer);
    assert_true(answer.has_present);
    assert_int_equal(answer.present.broken.breach, ADVISE_P99);
    assert_near(answer.present.reach, 0, 0);
    assert_near(answer.present_more[1].p99_s, -0.07, 1e-9);
    assert_int_equal(answer.view.plan.servers[1], 1);
}

static void growth_is_fitted_and_leads_to_a_day(void **state)
{
    (void)state;
    double days[] = {0, 10, 20}, rates[] = {100, 200, 400}, growth = 0;
    assert_true(advise_growth(days, rates, 3, &growth));
    assert_near(growth, pow(2, 0.1) - 1, 1e-9);
    assert_near(advise_days(4, growth), 20, 1e-9);
    assert_near(advise_days(1, growth), 0, 0);
    assert_true(isinf(advise_days(2, 0)));
    assert_false(advise_growth(days, rates, 1, &growth));
}

/* ---- For any ---- */

/* Some shop of a few sites and regions. */
static void draw(struct random *random, unsigned sites)
{
    begin(1 + (unsigned)random_below(random, 4), sites);
    input.utilisation = 0.5 + 0.4 * random_unit(random);
    input.tolerate = (enum advise_tolerate)random_below(random, 3);
    for (unsigned s = 0; s < sites; s++) {
        struct advise_site *site = &input.sites[s];
        site->cost = 1 + (double)random_below(random, 4);
        site->processors = 1 + (unsigned)random_below(random, 4);
        site->work_s[ADVISE_READ] = 0.002;
        site->work_s[ADVISE_WRITE] = 0.003;
        site->work_s[ADVISE_COMPUTE] = 0.01;
        site->write_s = 0.0005;
        site->durable = ms(2);
        site->most = 4;
        for (unsigned t = 0; t < s; t++)
            between(s, t, 5 + 50 * random_unit(random));
    }
    for (unsigned r = 0; r < input.region_count; r++) {
        struct advise_region *region = &input.regions[r];
        region->rate[ADVISE_READ] = 400 * random_unit(random);
        region->rate[ADVISE_WRITE] = 40 * random_unit(random);
        region->rate[ADVISE_COMPUTE] = 40 * random_unit(random);
        region->p99_s = 0.1 + 0.2 * random_unit(random);
        region->degraded_p99_s = 1.5 * region->p99_s;
        for (unsigned s = 0; s < sites; s++)
            way(r, s, 1 + 100 * random_unit(random));
    }
}

/* The cheapest of all numbers of servers up to 4 at each of three sites. */
static double cheapest_of_all(void)
{
    double least = INFINITY;
    for (unsigned i = 1; i < 125; i++) {
        struct advise_plan plan = {.servers = {i % 5, i / 5 % 5, i / 25}};
        if (advise_judge(&input, plan.servers, ADVISE_SITES_MAX, true).penalty <= 0)
            least = fmin(least, advise_cost(&input, &plan));
    }
    return least;
}

enum { DRAWS = 60 };

static void nothing_that_holds_is_cheaper(void **state)
{
    (void)state;
    struct random random;
    unsigned found = 0;
    random_seed(&random, 7);
    for (unsigned i = 0; i < DRAWS; i++) {
        struct advise_search search;
        draw(&random, 3);
        advise_search(&input, SEARCH_JUDGED_MAX, &search);
        double least = cheapest_of_all();
        assert_true(search.exact || !search.found);
        assert_int_equal(search.found, isfinite(least));
        if (search.found)
            assert_near(advise_cost(&input, &search.plan), least, 1e-9);
        found += search.found;
    }
    assert_in_range(found, DRAWS / 4, DRAWS);
}

static bool keeps_limits(void *context, struct advise_case when)
{
    const struct advise_plan *plan = context;
    struct advise_state look;
    advise_look(&input, plan, when, &look);
    assert_true(look.serves);
    for (unsigned r = 0; r < input.region_count; r++) {
        const struct advise_region *region = &input.regions[r];
        double limit = when.gone ? region->degraded_p99_s : region->p99_s;
        assert_true(look.regions[r].p99_s <= limit * (1 + 1e-6));
        double sum = 0;
        for (unsigned s = 0; s < input.site_count; s++)
            sum += look.regions[r].share[s];
        assert_near(sum, 1, 1e-9);
    }
    for (unsigned s = 0; s < input.site_count; s++)
        assert_true(look.sites[s].utilisation <= input.utilisation * (1 + 1e-6));
    return true;
}

static void what_is_advised_keeps_its_limits_in_every_case(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 11);
    for (unsigned i = 0; i < DRAWS; i++) {
        draw(&random, 4);
        advise_make(&input, &answer);
        if (answer.outcome == ADVISE_IMPOSSIBLE)
            continue;
        advise_each_case(&input, answer.view.plan.servers, keeps_limits, &answer.view.plan);
        assert_int_equal(answer.view.broken.breach, ADVISE_KEPT);
        assert_true(answer.view.reach >= 1);
        for (unsigned s = 0; s < input.site_count; s++)
            assert_true(!answer.fewer[s].possible || answer.fewer[s].broken.breach != ADVISE_KEPT);
    }
}

static void more_load_never_costs_less(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 13);
    for (unsigned i = 0; i < DRAWS / 4; i++) {
        double before = 0;
        draw(&random, 3);
        for (unsigned turn = 0; turn < 6; turn++) {
            struct advise_search search;
            advise_search(&input, SEARCH_JUDGED_MAX, &search);
            double cost = search.found ? advise_cost(&input, &search.plan) : INFINITY;
            assert_true(cost >= before - 1e-9);
            before = cost;
            for (unsigned r = 0; r < input.region_count; r++)
                for (unsigned k = 0; k < ADVISE_KINDS; k++)
                    input.regions[r].rate[k] *= 1.3;
        }
    }
}

static void the_local_search_keeps_limits_and_is_seldom_dearer(void **state)
{
    (void)state;
    struct random random;
    unsigned found = 0, best = 0;
    random_seed(&random, 17);
    for (unsigned i = 0; i < DRAWS; i++) {
        struct advise_plan local;
        struct advise_search search;
        uint64_t judged = 0;
        draw(&random, 4);
        advise_search(&input, SEARCH_JUDGED_MAX, &search);
        bool holds = advise_local(&input, &local, &judged);
        assert_true(search.found || !holds);
        if (!holds)
            continue;
        assert_true(advise_judge(&input, local.servers, local.primary, true).penalty <= 0);
        double cost = advise_cost(&input, &local), least = advise_cost(&input, &search.plan);
        assert_true(cost >= least - 1e-9);
        found++;
        best += cost <= least + 1e-9;
    }
    assert_true(found > 0 && best >= found * 3 / 4);
}

static void many_sites_are_searched_locally_and_say_so(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 19);
    draw(&random, ADVISE_SITES_EXACT + 4);
    for (unsigned r = 0; r < input.region_count; r++)
        input.regions[r].p99_s = input.regions[r].degraded_p99_s = 0.4;
    advise_make(&input, &answer);
    assert_int_equal(answer.outcome, ADVISE_FOUND);
    assert_false(answer.exact);
}

static void the_same_input_gives_the_same_answer(void **state)
{
    (void)state;
    struct random random;
    struct advise_answer again;
    random_seed(&random, 23);
    draw(&random, 5);
    advise_make(&input, &answer);
    advise_make(&input, &again);
    assert_memory_equal(&answer.view.plan, &again.view.plan, sizeof answer.view.plan);
    assert_int_equal(answer.judged, again.judged);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_server_is_enough_where_a_queue_of_one_is),
        cmocka_unit_test(a_second_server_comes_when_the_first_is_too_slow),
        cmocka_unit_test(a_peak_counts_and_not_the_mean),
        cmocka_unit_test(who_must_survive_a_server_has_three),
        cmocka_unit_test(who_must_survive_a_site_has_three_sites),
        cmocka_unit_test(a_change_waits_for_the_nearest_majority),
        cmocka_unit_test(more_servers_write_no_more),
        cmocka_unit_test(the_cheaper_site_is_taken_when_it_is_near_enough),
        cmocka_unit_test(what_finds_no_room_goes_on_to_the_next_nearest),
        cmocka_unit_test(too_far_is_told_and_how_far),
        cmocka_unit_test(a_load_that_is_too_high_is_the_cause_that_is_told),
        cmocka_unit_test(a_budget_is_never_passed_silently),
        cmocka_unit_test(what_is_there_now_is_compared),
        cmocka_unit_test(growth_is_fitted_and_leads_to_a_day),
        cmocka_unit_test(nothing_that_holds_is_cheaper),
        cmocka_unit_test(what_is_advised_keeps_its_limits_in_every_case),
        cmocka_unit_test(more_load_never_costs_less),
        cmocka_unit_test(the_local_search_keeps_limits_and_is_seldom_dearer),
        cmocka_unit_test(many_sites_are_searched_locally_and_say_so),
        cmocka_unit_test(the_same_input_gives_the_same_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
