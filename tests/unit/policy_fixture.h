/* Policy fixture: some servers and a policy that chooses among them. */
#ifndef STOA_TESTS_UNIT_POLICY_FIXTURE_H
#define STOA_TESTS_UNIT_POLICY_FIXTURE_H

#include "balance/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MS = 1000000 };
static const uint64_t SECOND = 1000000000;

struct choice {
    const struct policy *policy;
    void *memory;
    struct policy_server servers[POLICY_SERVERS_MAX];
    struct policy_view view;
    struct random random;
    uint64_t now_ns;
};

static inline void choice_changed(struct choice *c)
{
    c->view.version++;
    if (c->policy->prepare)
        c->policy->prepare(c->memory, &c->view, c->now_ns);
}

/* COUNT usual servers with the ids 1, 2 … */
static inline void choice_begin(struct choice *c, const struct policy *policy, unsigned count)
{
    *c = (struct choice){.policy = policy, .now_ns = SECOND};
    c->memory = calloc(1, policy->memory + 1);
    c->view = (struct policy_view){c->servers, count, 0, false};
    random_seed(&c->random, 7);
    for (unsigned i = 0; i < count; i++)
        c->servers[i] = (struct policy_server){i + 1, POLICY_WEIGHT, 1000, 0, true, 0};
    choice_changed(c);
}

static inline void choice_end(struct choice *c)
{
    free(c->memory);
}

static inline int choice_pick(struct choice *c, uint64_t key, uint64_t tried)
{
    return c->policy->pick(c->memory, &c->view, key, tried, c->now_ns, &c->random);
}

/* And it is in flight there. */
static inline int choice_send(struct choice *c, uint64_t key)
{
    int at = choice_pick(c, key, 0);
    if (at >= 0)
        c->servers[at].in_flight++;
    return at;
}

static inline void choice_done(struct choice *c, int at, uint64_t took_ns, bool failed)
{
    if (c->policy->done)
        c->policy->done(c->memory, (unsigned)at, took_ns, failed, c->now_ns);
}

static inline void choice_probe(struct choice *c, unsigned at, uint32_t in_flight, uint64_t ns)
{
    c->policy->probed(c->memory, &c->view, at, in_flight, ns, c->now_ns);
}

#endif
