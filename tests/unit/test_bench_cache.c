/* What `stoa bench cache` says is the same each time, and the shop's policy holds what it promises
 * there: counts of hits on seeded requests, no times. */
#include "bench/cache_contest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { REQUESTS = 60000, ROOM = 2 << 20 };

static const struct cache_trace_kind *kind_named(const char *name)
{
    for (unsigned i = 0; i < cache_trace_kind_count; i++)
        if (strcmp(cache_trace_kinds[i].name, name) == 0)
            return &cache_trace_kinds[i];
    fail_msg("no requests of the kind %s", name);
    return NULL;
}

static uint64_t hits_on(const struct cache_policy *policy, const char *kind)
{
    struct cache_trace trace;
    struct failure failure;
    uint64_t hits, asked;
    assert_int_equal(cache_trace_make(kind_named(kind), REQUESTS, 1, &trace, &failure), 0);
    assert_int_equal(cache_contest_run(policy, ROOM, &trace, &hits, &asked, &failure), 0);
    assert_true(hits < asked && asked <= REQUESTS);
    cache_trace_free(&trace);
    return hits;
}

static void the_same_seed_gives_the_same_requests_and_hits(void **state)
{
    (void)state;
    struct cache_trace one, other, third;
    struct failure failure;
    const struct cache_trace_kind *kind = kind_named("all of it");
    assert_int_equal(cache_trace_make(kind, REQUESTS, 1, &one, &failure), 0);
    assert_int_equal(cache_trace_make(kind, REQUESTS, 1, &other, &failure), 0);
    assert_int_equal(cache_trace_make(kind, REQUESTS, 2, &third, &failure), 0);
    assert_int_equal(one.objects, other.objects);
    assert_memory_equal(one.requests, other.requests, REQUESTS * sizeof *one.requests);
    assert_memory_equal(one.bytes, other.bytes, one.objects * sizeof *one.bytes);
    assert_memory_not_equal(one.requests, third.requests, REQUESTS * sizeof *one.requests);
    cache_trace_free(&one);
    cache_trace_free(&other);
    cache_trace_free(&third);
    for (unsigned i = 0; cache_policies[i] != &cache_policy_whole; i++)
        assert_int_equal(hits_on(cache_policies[i], "all of it"),
                         hits_on(cache_policies[i], "all of it"));
}

/* Of what CLOCK finds without the crawler, or without what is asked for once. */
static void a_crawler_costs_little(void **state)
{
    (void)state;
    uint64_t clock = hits_on(&cache_policy_clock, "crawler");
    assert_true(hits_on(&cache_policy_s3fifo, "crawler") > clock + clock / 5);
    assert_true(hits_on(&cache_policy_whole, "crawler") > clock + clock / 6);
}

static void what_is_asked_for_once_costs_little(void **state)
{
    (void)state;
    uint64_t clock = hits_on(&cache_policy_clock, "once");
    assert_true(hits_on(&cache_policy_s3fifo, "once") > clock + clock / 5);
    assert_true(hits_on(&cache_policy_whole, "once") > clock + clock / 6);
}

static void what_sales_outdate_is_kept_again(void **state)
{
    (void)state;
    uint64_t sieve = hits_on(&cache_policy_sieve, "selling");
    assert_true(hits_on(&cache_policy_s3fifo, "selling") > sieve);
    assert_true(hits_on(&cache_policy_whole, "selling") > hits_on(&cache_policy_clock, "selling"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_gives_the_same_requests_and_hits),
        cmocka_unit_test(a_crawler_costs_little),
        cmocka_unit_test(what_is_asked_for_once_costs_little),
        cmocka_unit_test(what_sales_outdate_is_kept_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
