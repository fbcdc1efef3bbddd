#include "replica/raft_thread.h"

#include "base/check.h"
#include "base/clock.h"
#include "replica/raft_copy.h"
#include "replica/raft_links.h"
#include "replica/raft_lost.h"
#include "replica/reaper.h"

#include <unistd.h>

enum { LONGEST_S = 60 };

void raft_thread_fatal(void *context, const char *reason)
{
    struct replica *replica = context;
    atomic_store(&replica->dead, true);
    log_line(replica->config.log, LOG_ERROR, "replica", "%s", reason);
    replica->config.fatal(replica->config.fatal_context, reason);
    for (;;) /* nothing may be done or answered any more; main ends the process */
        pause();
}

void raft_thread_wake(void *context)
{
    struct replica *replica = context;
    pthread_mutex_lock(&replica->mutex);
    if (replica->wakeable)
        uv_async_send(&replica->wake);
    pthread_mutex_unlock(&replica->mutex);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Of this minute and the one before, so that whoever looks takes nothing from who looks next. */
static void keep_longest(struct replica *replica, uint64_t wall_ns, uint64_t cpu_ns, uint64_t now)
{
    struct longest_turns *longest = &replica->longest;
    if (now - longest->since_ns > LONGEST_S * SEC_NS) {
        longest->since_ns = now;
        longest->wall_before_ns = longest->wall_ns;
        longest->cpu_before_ns = longest->cpu_ns;
        longest->wall_ns = longest->cpu_ns = 0;
    }
    longest->wall_ns = larger(longest->wall_ns, wall_ns);
    longest->cpu_ns = larger(longest->cpu_ns, cpu_ns);
    atomic_store_explicit(&replica->order.loop_max_ns,
                          larger(longest->wall_ns, longest->wall_before_ns), memory_order_relaxed);
    atomic_store_explicit(&replica->order.loop_cpu_max_ns,
                          larger(longest->cpu_ns, longest->cpu_before_ns), memory_order_relaxed);
}

static void measure_turn(struct replica *replica)
{
    uint64_t now = clock_mono_ns(), cpu = clock_thread_ns();
    uint64_t idle = uv_metrics_idle_time(&replica->loop);
    if (replica->turn_ns != 0) {
        uint64_t busy = now - replica->turn_ns, rested = idle - replica->turn_idle_ns;
        keep_longest(replica, busy > rested ? busy - rested : 0, cpu - replica->turn_cpu_ns, now);
    }
    replica->turn_ns = now;
    replica->turn_idle_ns = idle;
    replica->turn_cpu_ns = cpu;
}

static void begin_turn(uv_prepare_t *prepare)
{
    struct replica *replica = prepare->data;
    if (replica->closing)
        return;
    io_check(&replica->io);
    measure_turn(replica);
    raft_role_watch(replica);
    raft_fsm_watch_log(replica);
    raft_copy_watch(replica);
    raft_lost_watch(replica);
    links_turn(replica);
    io_settle(&replica->io, clock_mono_ns());
}

void raft_thread_close_handles(struct replica *replica)
{
    links_close(replica);
    pthread_mutex_lock(&replica->mutex);
    replica->wakeable = false;
    pthread_mutex_unlock(&replica->mutex);
    uv_close((uv_handle_t *)&replica->wake, NULL);
    uv_close((uv_handle_t *)&replica->retry, NULL);
    uv_close((uv_handle_t *)&replica->turn, NULL);
}

static void raft_closed(struct raft *raft)
{
    struct replica *replica = CONTAINER_OF(raft, struct replica, raft);
    raft_role_close(replica);
    raft_thread_close_handles(replica);
}

void raft_thread_begin_close(struct replica *replica)
{
    replica->closing = true;
    replica->proposer.stopped = true;
    links_close(replica);
    raft_role_close(replica);
    raft_close(&replica->raft, raft_closed);
}

static void woken(uv_async_t *async)
{
    struct replica *replica = async->data;
    if (replica->closing)
        return;
    links_woken(replica);
    if (atomic_exchange(&replica->durable_told, false))
        io_durable(&replica->io);
    if (atomic_load(&replica->stop_asked))
        raft_thread_begin_close(replica);
    /* What was submitted is taken with the next turn, which comes at once. */
}

static void make_handles(struct replica *replica)
{
    CHECK(uv_loop_init(&replica->loop) == 0);
    CHECK(uv_loop_configure(&replica->loop, UV_METRICS_IDLE_TIME) == 0);
    CHECK(uv_async_init(&replica->loop, &replica->wake, woken) == 0);
    CHECK(uv_timer_init(&replica->loop, &replica->retry) == 0);
    CHECK(uv_prepare_init(&replica->loop, &replica->turn) == 0);
    CHECK(uv_prepare_start(&replica->turn, begin_turn) == 0);
    replica->wake.data = replica->retry.data = replica->turn.data = replica;
    pthread_mutex_lock(&replica->mutex);
    replica->wakeable = true;
    pthread_mutex_unlock(&replica->mutex);
}

void *raft_thread_run(void *context)
{
    struct replica *replica = context;
    struct reaper *reaper = reaper_start();
    make_handles(replica);
    int err = raft_thread_start(replica);
    uv_run(&replica->loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&replica->loop) == 0);
    if (replica->io.raft.impl != NULL)
        raft_uv_close(&replica->io.raft);
    reaper_stop(reaper);
    vote_close(&replica->vote);
    if (err != 0) {
        pthread_mutex_lock(&replica->mutex);
        replica->state = REPLICA_FAILED;
        pthread_cond_signal(&replica->changed);
        pthread_mutex_unlock(&replica->mutex);
    }
    return NULL;
}
