#include "base/clock.h"
#include "base/cond.h"
#include "base/thread.h"
#include "engine/pool.h"

#include <time.h>
#include <unistd.h>

#define INTERVAL_NS (100 * MS_NS)

/* All that was counted since the engine's start. */
struct counted {
    uint64_t at_ns, turns, waited_ns, busy_ns, cpu_ns;
};

unsigned pool_cores(void)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (cores < 1)
        return 1;
    return cores < POOL_SIZE_MOST ? (unsigned)cores : POOL_SIZE_MOST;
}

static uint64_t read_counter(const _Atomic uint64_t *counter)
{
    return atomic_load_explicit(counter, memory_order_relaxed);
}

/* For how long WORKER, which runs, has had a processor. */
static uint64_t cpu_of(const struct pool_worker *worker)
{
    clockid_t clock;
    struct timespec spent;
    if (pthread_getcpuclockid(worker->thread, &clock) || clock_gettime(clock, &spent))
        return 0;
    return (uint64_t)spent.tv_sec * SEC_NS + (uint64_t)spent.tv_nsec;
}

/* Under the lock. */
static struct counted count(const struct pool_engine *engine, uint64_t now_ns)
{
    struct counted all = {.at_ns = now_ns, .cpu_ns = engine->ended_cpu_ns};
    for (unsigned i = 0; i < engine->most; i++) {
        const struct pool_worker *worker = &engine->workers[i];
        uint64_t since_ns = read_counter(&worker->since_ns);
        all.turns += read_counter(&worker->turns);
        all.waited_ns += read_counter(&worker->waited_ns);
        all.busy_ns += read_counter(&worker->busy_ns);
        if (since_ns > 0 && since_ns < now_ns)
            all.busy_ns += now_ns - since_ns;
        if (worker->place == POOL_RUNS)
            all.cpu_ns += cpu_of(worker);
    }
    return all;
}

/* Counters are read while they are written: a difference may come out below 0. */
static uint64_t since(uint64_t now, uint64_t then)
{
    return now > then ? now - then : 0;
}

static struct pool_sample sample_of(const struct pool_engine *engine, const struct counted *now,
                                    const struct counted *then)
{
    return (struct pool_sample){
        .length_ns = now->at_ns - then->at_ns,
        .turns = since(now->turns, then->turns),
        .waited_ns = since(now->waited_ns, then->waited_ns),
        .busy_ns = since(now->busy_ns, then->busy_ns),
        .cpu_ns = since(now->cpu_ns, then->cpu_ns),
        .busy_now = engine->running - engine->idle,
        .waiting = engine->queued,
    };
}

/* Trials are of interest to nobody but who doubts the outcome. */
static void log_decision(const struct log *log, const struct pool_decision *d,
                         const struct pool_sample *sample)
{
    if (d->why == POOL_STAYS && !d->settled)
        return;
    log_line(
        log, d->settled ? LOG_INFO : LOG_DEBUG, "pool",
        "%u workers, before %u (%s): %u did %.0f turns/s, which waited %.2f ms and took "
        "%.2f ms; %u did %.0f/s, %.2f ms and %.2f ms; %u connections wait, %u workers are busy",
        d->to, d->before, pool_why_text(d->why), d->with, d->turns_per_s, d->waited_ms, d->busy_ms,
        d->base_with, d->base_turns_per_s, d->base_waited_ms, d->base_busy_ms, sample->waiting,
        sample->busy_now);
}

/* An interval is over: under the lock, which is let go of to start threads, and to log. */
static void decide(struct pool_engine *engine, struct pool_size *size, struct counted *then)
{
    const struct log *log = engine->base.config.log;
    struct counted now = count(engine, clock_mono_ns());
    struct pool_sample sample = sample_of(engine, &now, then);
    struct pool_decision decision;
    pool_size_observe(size, &sample, &decision);
    *then = now;
    pthread_mutex_unlock(&engine->lock);
    bool good = pool_resize(engine, decision.to);
    log_decision(log, &decision, &sample);
    if (!good)
        log_line(log, LOG_WARN, "pool", "cannot start as many as %u threads", decision.to);
    pthread_mutex_lock(&engine->lock);
}

static void *sizer_main(void *argument)
{
    struct pool_engine *engine = argument;
    struct pool_size size;
    pool_size_init(&size, pool_cores());
    pthread_mutex_lock(&engine->lock);
    struct counted then = count(engine, clock_mono_ns());
    while (!engine->ends)
        if (!cond_wait_until(&engine->over, &engine->lock, then.at_ns + INTERVAL_NS))
            decide(engine, &size, &then);
    pthread_mutex_unlock(&engine->lock);
    return NULL;
}

int pool_sizer_start(struct pool_engine *engine, struct failure *failure)
{
    engine->has_sizer = thread_start(&engine->sizer, "stoa-pool-size", sizer_main, engine) == 0;
    return engine->has_sizer ? 0 : fail(failure, ERR_IO, "cannot start a thread");
}

void pool_sizer_join(struct pool_engine *engine)
{
    if (engine->has_sizer)
        pthread_join(engine->sizer, NULL);
}
