#include "bench/crowd_faults.h"

#include "base/clock.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LAG_FEW = 64 /* entries that a server may lack while changes come all the time */ };

static const struct {
    const char *name, *what;
} kinds[CROWD_FAULT_KINDS] = {
    [CROWD_NO_FAULT] = {"none", "was left alone"},
    [CROWD_KILL] = {"kill", "was killed"},
    [CROWD_STOP] = {"stop", "was stopped"},
    [CROWD_SLOW] = {"slow", "was made slow"},
    [CROWD_RESTART] = {"restart", "was asked to end"},
};

const char *crowd_fault_name(enum crowd_fault_kind kind)
{
    return kinds[kind].name;
}

const char *crowd_fault_what(enum crowd_fault_kind kind)
{
    return kinds[kind].what;
}

enum crowd_fault_kind crowd_fault_find(const char *name)
{
    unsigned kind = 0;
    while (kind < CROWD_FAULT_KINDS && strcmp(kinds[kind].name, name) != 0)
        kind++;
    return (enum crowd_fault_kind)kind;
}

/* ---- The list ---- */

int crowd_faults_open(struct crowd_faults *faults, const struct crowd_plan *plan)
{
    unsigned room = plan->rounds * (plan->kind == CROWD_RESTART ? HEALTHY_SERVERS : 1);
    *faults = (struct crowd_faults){.room = room};
    pthread_mutex_init(&faults->lock, NULL);
    faults->at = calloc(room ? room : 1, sizeof *faults->at);
    return faults->at ? 0 : ERR_NOMEM;
}

void crowd_faults_close(struct crowd_faults *faults)
{
    free(faults->at);
    pthread_mutex_destroy(&faults->lock);
}

static void put(struct crowd_faults *faults, const struct crowd_fault *fault, bool is_new)
{
    pthread_mutex_lock(&faults->lock);
    if (is_new && faults->count < faults->room)
        faults->count++;
    if (faults->count)
        faults->at[faults->count - 1] = *fault;
    pthread_mutex_unlock(&faults->lock);
}

bool crowd_faults_last(struct crowd_faults *faults, uint64_t now_ns, struct crowd_fault *fault)
{
    pthread_mutex_lock(&faults->lock);
    unsigned i = faults->count;
    while (i && faults->at[i - 1].at_ns > now_ns)
        i--;
    if (i)
        *fault = faults->at[i - 1];
    pthread_mutex_unlock(&faults->lock);
    return i > 0;
}

/* ---- One thing ---- */

static void sleep_us(uint64_t us)
{
    nanosleep(&(struct timespec){(time_t)(us / 1000000), (long)(us % 1000000) * 1000}, NULL);
}

int crowd_faults_slow(const struct crowd_cluster *cluster, unsigned which, unsigned share,
                      unsigned period_ms, unsigned ms, const _Atomic bool *stop,
                      struct failure *failure)
{
    uint64_t period_us = (uint64_t)period_ms * 1000, runs_us = period_us * share / 1000;
    uint64_t end = clock_mono_ns() + ms * MS_NS;
    int err = 0;
    while (!err && clock_mono_ns() < end && !atomic_load(stop)) {
        err = cluster->hang(cluster->context, which, true, failure);
        sleep_us(period_us - runs_us);
        err = err ? err : cluster->hang(cluster->context, which, false, failure);
        sleep_us(runs_us);
    }
    return err;
}

static int do_it(const struct crowd_plan *plan, const struct crowd_cluster *cluster, unsigned which,
                 const _Atomic bool *stop, struct failure *failure)
{
    void *context = cluster->context;
    int err = 0;
    switch (plan->kind) {
    case CROWD_KILL:
        err = cluster->kill(context, which, failure);
        sleep_us(plan->down_ms * UINT64_C(1000));
        return err ? err : cluster->start(context, which, failure);
    case CROWD_STOP:
        err = cluster->hang(context, which, true, failure);
        sleep_us(plan->down_ms * UINT64_C(1000));
        return err ? err : cluster->hang(context, which, false, failure);
    case CROWD_SLOW:
        return crowd_faults_slow(cluster, which, plan->slow_share, plan->slow_ms, plan->down_ms,
                                 stop, failure);
    case CROWD_RESTART:
        err = cluster->end(context, which, failure);
        return err ? err : cluster->start(context, which, failure);
    default:
        sleep_us(plan->down_ms * UINT64_C(1000));
        return 0;
    }
}

struct director {
    struct crowd_faults *faults;
    const struct crowd_plan *plan;
    const struct crowd_cluster *cluster;
    const _Atomic bool *stop;
    struct ask *operators[HEALTHY_SERVERS];
};

/* WHICH: HEALTHY_SERVERS: the primary, or (in odd rounds) one of the others. */
static int one(struct director *d, unsigned round, unsigned which, struct failure *failure)
{
    struct crowd_fault fault = {0};
    unsigned primary;
    int err = healthy_wait(d->operators, LAG_FEW, &primary, failure);
    if (err)
        return err;
    sleep_us(d->plan->calm_ms * UINT64_C(1000));
    /* It may have moved meanwhile: to a server that is preferred. */
    err = healthy_wait(d->operators, LAG_FEW, &primary, failure);
    if (err)
        return err;
    if (which == HEALTHY_SERVERS)
        which = round % 2 ? (primary + 1 + round / 2 % 2) % HEALTHY_SERVERS : primary;
    fault.server = which;
    fault.primary = which == primary;
    fault.at_ns = clock_mono_ns();
    put(d->faults, &fault, true);
    err = do_it(d->plan, d->cluster, which, d->stop, failure);
    fault.back_ns = clock_mono_ns();
    put(d->faults, &fault, false);
    err = err ? err : healthy_wait(d->operators, LAG_FEW, &primary, failure);
    fault.whole_ns = clock_mono_ns();
    put(d->faults, &fault, false);
    return err;
}

int crowd_faults_run(struct crowd_faults *faults, const struct crowd_plan *plan,
                     const struct crowd_cluster *cluster, const _Atomic bool *stop,
                     struct failure *failure)
{
    struct director d = {faults, plan, cluster, stop, {NULL}};
    unsigned each = plan->kind == CROWD_RESTART ? HEALTHY_SERVERS : 1;
    int err = 0;
    for (unsigned i = 0; i < HEALTHY_SERVERS; i++) {
        d.operators[i] = ask_new(cluster->urls[i], cluster->token);
        if (!d.operators[i])
            err = fail(failure, ERR_NOMEM, "out of memory");
    }
    for (unsigned round = 0; !err && round < plan->rounds && !atomic_load(stop); round++)
        for (unsigned i = 0; !err && i < each; i++)
            err = one(&d, round, each == 1 ? HEALTHY_SERVERS : i, failure);
    if (!err)
        sleep_us(plan->calm_ms * UINT64_C(1000));
    for (unsigned i = 0; i < HEALTHY_SERVERS; i++)
        ask_free(d.operators[i]);
    return err;
}
