#include "web/traffic.h"

#include "base/clock.h"

#include <stdatomic.h>
#include <stdlib.h>

const double web_latency_bounds[WEB_LATENCY_BUCKETS] = {
    0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 10,
};

const char *const web_class_names[WEB_CLASS_COUNT] = {
    [WEB_CACHED] = "cached",     [WEB_PAGES] = "pages",       [WEB_UCP] = "ucp",
    [WEB_OPERATOR] = "operator", [WEB_UNROUTED] = "unrouted",
};

void traffic_init(struct traffic *traffic)
{
    pthread_mutex_init(&traffic->lock, NULL);
    traffic->threads = traffic->lent = NULL;
    traffic->lent_count = 0;
}

static bool is_lent(const struct traffic *traffic, const struct traffic_thread *thread)
{
    return thread >= traffic->lent && thread < traffic->lent + traffic->lent_count;
}

void traffic_close(struct traffic *traffic)
{
    struct traffic_thread *thread;
    while ((thread = traffic->threads)) {
        traffic->threads = thread->next;
        if (!is_lent(traffic, thread))
            free(thread);
    }
    pthread_mutex_destroy(&traffic->lock);
}

struct traffic_thread *traffic_thread_new(struct traffic *traffic)
{
    struct traffic_thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return NULL;
    pthread_mutex_lock(&traffic->lock);
    thread->next = traffic->threads;
    traffic->threads = thread;
    pthread_mutex_unlock(&traffic->lock);
    return thread;
}

void traffic_lend(struct traffic *traffic, struct traffic_thread *threads, unsigned count)
{
    pthread_mutex_lock(&traffic->lock);
    traffic->lent = threads;
    traffic->lent_count = count;
    for (unsigned i = 0; i < count; i++) {
        threads[i].next = traffic->threads;
        traffic->threads = &threads[i];
    }
    pthread_mutex_unlock(&traffic->lock);
}

void traffic_inherit(struct traffic_thread *thread)
{
    atomic_store_explicit(&thread->ended,
                          atomic_load_explicit(&thread->begun, memory_order_relaxed),
                          memory_order_relaxed);
}

/* One writer: a load and a store are enough, and cheaper than an atomic addition. */
static void add(_Atomic uint64_t *count, uint64_t amount)
{
    atomic_store_explicit(count, atomic_load_explicit(count, memory_order_relaxed) + amount,
                          memory_order_relaxed);
}

void traffic_begin(struct traffic_thread *thread)
{
    add(&thread->begun, 1);
}

void traffic_end(struct traffic_thread *thread)
{
    add(&thread->ended, 1);
}

/* A moving mean over about the last 2^RECENT_SHIFT requests. */
enum { RECENT_SHIFT = 5 };

static void remember(struct traffic_thread *thread, uint64_t took, uint64_t now_ns)
{
    atomic_store_explicit(&thread->last_ns, now_ns, memory_order_relaxed);
    uint64_t mean = atomic_load_explicit(&thread->recent_ns, memory_order_relaxed);
    mean = mean ? mean - (mean >> RECENT_SHIFT) + (took >> RECENT_SHIFT) : took;
    atomic_store_explicit(&thread->recent_ns, mean, memory_order_relaxed);
}

static uint64_t recent_of(const struct traffic_thread *thread, uint64_t now_ns)
{
    uint64_t last = atomic_load_explicit(&thread->last_ns, memory_order_relaxed);
    uint64_t idle_s = now_ns > last ? (now_ns - last) / (1000 * MS_NS) : 0;
    uint64_t mean = atomic_load_explicit(&thread->recent_ns, memory_order_relaxed);
    return idle_s < 64 ? mean >> idle_s : 0;
}

void traffic_now(struct traffic *traffic, uint64_t now_ns, struct traffic_now *now)
{
    uint64_t busy = 0, sum = 0, all_begun = 0, all_ended = 0;
    *now = (struct traffic_now){0};
    pthread_mutex_lock(&traffic->lock);
    for (const struct traffic_thread *thread = traffic->threads; thread; thread = thread->next) {
        uint64_t recent = recent_of(thread, now_ns);
        all_ended += atomic_load_explicit(&thread->ended, memory_order_relaxed);
        all_begun += atomic_load_explicit(&thread->begun, memory_order_relaxed);
        busy += recent != 0;
        sum += recent;
    }
    pthread_mutex_unlock(&traffic->lock);
    now->in_flight = all_begun > all_ended ? all_begun - all_ended : 0;
    now->latency_ns = busy ? sum / busy : 0;
}

void traffic_count(struct traffic_thread *thread, enum web_class class, int status,
                   uint64_t started_ns, uint64_t now_ns)
{
    uint64_t took = now_ns > started_ns ? now_ns - started_ns : 0;
    double seconds = (double)took / 1e9;
    unsigned bucket = 0;
    while (bucket < WEB_LATENCY_BUCKETS && seconds > web_latency_bounds[bucket])
        bucket++;
    add(&thread->latency[class][bucket], 1);
    add(&thread->sum_ns[class], took);
    if (class != WEB_OPERATOR) /* whose imports and exports take as long as they are big */
        remember(thread, took, now_ns);
    if (status >= 100 && status < 600)
        add(&thread->by_status[class][status / 100 - 1], 1);
}

static void add_up(const struct traffic_thread *thread, unsigned class, struct web_traffic *out)
{
    for (unsigned i = 0; i < 5; i++)
        out->by_status[i] +=
            atomic_load_explicit(&thread->by_status[class][i], memory_order_relaxed);
    for (unsigned i = 0; i <= WEB_LATENCY_BUCKETS; i++)
        out->latency[i] += atomic_load_explicit(&thread->latency[class][i], memory_order_relaxed);
    out->latency_sum_ns += atomic_load_explicit(&thread->sum_ns[class], memory_order_relaxed);
}

void traffic_read(struct traffic *traffic, struct web_traffic out[static WEB_CLASS_COUNT])
{
    memset(out, 0, WEB_CLASS_COUNT * sizeof *out);
    pthread_mutex_lock(&traffic->lock);
    for (const struct traffic_thread *thread = traffic->threads; thread; thread = thread->next)
        for (unsigned class = 0; class < WEB_CLASS_COUNT; class ++)
            add_up(thread, class, &out[class]);
    pthread_mutex_unlock(&traffic->lock);
}
