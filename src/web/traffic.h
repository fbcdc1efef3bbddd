/* Traffic: counts requests and their latencies per class, for /metrics.
 *
 * Each thread counts for itself, without a lock or an atomic operation that costs
 * anything; a reader adds them up. Latencies go into fixed buckets, ten a decade about,
 * from 50 µs to 10 s.
 *
 * It also knows what is going on now, for those who spread shoppers over servers (watch.c): how
 * many requests are here, unanswered, and how long such a one took lately.
 */
#ifndef STOA_WEB_TRAFFIC_H
#define STOA_WEB_TRAFFIC_H

#include "http/exchange.h"
#include "web/web.h"

#include <pthread.h>

/* One thread's counts. Written by that thread alone, which may be another process's (lend). */
struct traffic_thread {
    struct traffic_thread *next;
    _Atomic uint64_t by_status[WEB_CLASS_COUNT][5];
    _Atomic uint64_t latency[WEB_CLASS_COUNT][WEB_LATENCY_BUCKETS + 1];
    _Atomic uint64_t sum_ns[WEB_CLASS_COUNT];
    _Atomic uint64_t begun, ended, recent_ns, last_ns;
};

struct traffic_now {
    uint64_t in_flight, latency_ns;
};

struct traffic {
    pthread_mutex_t lock;
    struct traffic_thread *threads;
    struct traffic_thread *lent;
    unsigned lent_count;
};

void traffic_init(struct traffic *traffic);
void traffic_close(struct traffic *traffic);

/* A new thread's counts; they stay when it ends. NULL without memory. */
struct traffic_thread *traffic_thread_new(struct traffic *traffic);

/* COUNT threads' more, in memory that other processes have, too, and write; once. */
void traffic_lend(struct traffic *traffic, struct traffic_thread *threads, unsigned count);
/* Own thread: these were another one's, which may have been cut off in the middle of a request. */
void traffic_inherit(struct traffic_thread *thread);

/* A request begins that will end by traffic_end, perhaps on another thread. Own thread. */
void traffic_begin(struct traffic_thread *thread);
void traffic_end(struct traffic_thread *thread);

/* Counts a request that ended now with STATUS. Own thread. */
void traffic_count(struct traffic_thread *thread, enum web_class class, int status,
                   uint64_t started_ns, uint64_t now_ns);

/* Any thread. The latency halves with each second in which nobody came: what was slow once, as
 * right after its start, is asked again. */
void traffic_now(struct traffic *traffic, uint64_t now_ns, struct traffic_now *now);

/* Adds up all threads. */
void traffic_read(struct traffic *traffic, struct web_traffic out[static WEB_CLASS_COUNT]);

#endif
