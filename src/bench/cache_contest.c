#include "bench/cache_contest.h"

#include "base/check.h"
#include "base/clock.h"

const struct cache_policy *const cache_policies[] = {
    &cache_policy_lru,
    &cache_policy_clock,
    &cache_policy_sieve,
    &cache_policy_tinylfu,
    &cache_policy_s3fifo,
    &cache_policy_whole,
    NULL,
};

enum { POLICIES = COUNT_OF(cache_policies) - 1 };

enum { FILLING = 5 }; /* one part of so many */

int cache_contest_run(const struct cache_policy *policy, size_t room,
                      const struct cache_trace *trace, uint64_t *hits, uint64_t *asked,
                      struct failure *failure)
{
    void *state = policy->new (room, trace);
    size_t counted = trace->count / FILLING;
    if (!state)
        return fail(failure, ERR_NOMEM, "no memory for the policy %s", policy->name);
    *hits = 0;
    *asked = trace->count - counted;
    for (size_t i = 0; i < trace->count; i++) {
        uint32_t object = trace->requests[i] & ~CACHE_TRACE_CHANGED;
        if (trace->requests[i] & CACHE_TRACE_CHANGED)
            policy->outdate(state, object);
        bool found = policy->get(state, object);
        if (!found)
            policy->put(state, object);
        *hits += found && i >= counted;
    }
    policy->free(state);
    return 0;
}

/* Of the default setting, and a quarter of it, four and eight times as much. */
static const size_t rooms[] = {2 << 20, 8 << 20, 32 << 20, 64 << 20};

/* Of all that was printed. */
struct cost {
    uint64_t ns[POLICIES], requests;
};

static int print_row(const struct cache_trace *trace, const char *name, size_t room,
                     struct cost *cost, FILE *out, struct failure *failure)
{
    fprintf(out, "| %s | %zu MiB, %.0f %% |", name, room >> 20,
            100 * (double)room / (double)trace->catalogue_bytes);
    for (unsigned i = 0; i < POLICIES; i++) {
        uint64_t hits, asked, began = clock_thread_ns();
        int err = cache_contest_run(cache_policies[i], room, trace, &hits, &asked, failure);
        if (err)
            return err;
        cost->ns[i] += clock_thread_ns() - began;
        fprintf(out, " %.1f |", 100 * (double)hits / (double)asked);
        fflush(out);
    }
    cost->requests += trace->count;
    fputc('\n', out);
    return 0;
}

static void print_head(FILE *out)
{
    for (unsigned i = 0; i < cache_trace_kind_count; i++)
        fprintf(out, "- %s: %s\n", cache_trace_kinds[i].name, cache_trace_kinds[i].about);
    fputs("\n| requests | room |", out);
    for (unsigned i = 0; i < POLICIES; i++)
        fprintf(out, " %s |", cache_policies[i]->name);
    fputs("\n| --- | --- |", out);
    for (unsigned i = 0; i < POLICIES; i++)
        fputs(" --- |", out);
    fputc('\n', out);
}

static void print_cost(const struct cost *cost, FILE *out)
{
    fputs("| ns of processor a request | |", out);
    for (unsigned i = 0; i < POLICIES; i++)
        fprintf(out, " %.0f |", (double)cost->ns[i] / (double)cost->requests);
    fputc('\n', out);
}

int cache_contest_print(size_t requests, uint64_t seed, FILE *out, struct failure *failure)
{
    struct cost cost = {0};
    int err = 0;
    print_head(out);
    for (unsigned i = 0; i < cache_trace_kind_count && !err; i++) {
        struct cache_trace trace;
        const struct cache_trace_kind *kind = &cache_trace_kinds[i];
        err = cache_trace_make(kind, requests, seed, &trace, failure);
        if (err)
            return err;
        for (unsigned k = 0; k < COUNT_OF(rooms) && !err; k++)
            err = print_row(&trace, k ? "" : kind->name, rooms[k], &cost, out, failure);
        cache_trace_free(&trace);
    }
    if (!err)
        print_cost(&cost, out);
    return err;
}
