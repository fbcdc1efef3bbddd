#include "engine/residency.h"

#include "base/check.h"
#include "base/thread.h"
#include "http/conn.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

struct residency {
    unsigned started;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    /* Under the lock: */
    struct exchange *first, *last;
    bool stopping;
    /* Written under the lock, read without. */
    _Atomic uint64_t waiting, fetched;
    atomic_bool abandoned;
    pthread_t threads[];
};

/* The next exchange, waiting for it; NULL at the end. */
static struct exchange *take(struct residency *residency)
{
    pthread_mutex_lock(&residency->lock);
    while (!residency->first && !residency->stopping)
        pthread_cond_wait(&residency->changed, &residency->lock);
    struct exchange *x = residency->first;
    if (x) {
        residency->first = x->next;
        if (!residency->first)
            residency->last = NULL;
        atomic_fetch_sub_explicit(&residency->waiting, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&residency->lock);
    return x;
}

static bool is_wanted(const struct exchange *x, const atomic_bool *abandoned)
{
    return !(abandoned && atomic_load_explicit(abandoned, memory_order_relaxed)) &&
           !__atomic_load_n(&x->client_gone, __ATOMIC_RELAXED);
}

/* All is asked for at once, so that the disk gets one long request; then a byte of each page is
 * waited for, which copies nothing. What cannot be read is found out by the core, when it reads. */
void residency_read(const struct exchange *x, const atomic_bool *abandoned)
{
    static const off_t page =
        4096; /* the smallest there is: with larger ones some are asked twice */
    off_t from = (off_t)x->file_offset;
    off_t len = x->length < FETCH_BYTES ? (off_t)x->length : FETCH_BYTES;
    char byte;
    if (!is_wanted(x, abandoned))
        return;
    posix_fadvise(x->file, from, len, POSIX_FADV_WILLNEED);
    for (off_t at = from; at < from + len && is_wanted(x, abandoned); at += page - at % page) {
        ssize_t got;
        do {
            got = pread(x->file, &byte, 1, at);
        } while (got < 0 && errno == EINTR);
        if (got <= 0)
            return;
    }
}

static void *residency_main(void *argument)
{
    struct residency *residency = argument;
    for (struct exchange *x; (x = take(residency));) {
        x->next = NULL;
        residency_read(x, &residency->abandoned);
        exchange_wake(x);
    }
    return NULL;
}

struct residency *residency_new(unsigned threads, struct failure *failure)
{
    struct residency *residency =
        calloc(1, sizeof *residency + threads * sizeof residency->threads[0]);
    if (!residency) {
        fail(failure, ERR_NOMEM, "no memory for the threads that read files");
        return NULL;
    }
    pthread_mutex_init(&residency->lock, NULL);
    pthread_cond_init(&residency->changed, NULL);
    for (; residency->started < threads; residency->started++)
        if (thread_start(&residency->threads[residency->started], "stoa-disk", residency_main,
                         residency) != 0) {
            fail(failure, ERR_IO, "cannot start %u threads that read files", threads);
            residency_free(residency);
            return NULL;
        }
    return residency;
}

void residency_fetch(struct residency *residency, struct exchange *x)
{
    x->next = NULL;
    pthread_mutex_lock(&residency->lock);
    if (residency->last)
        residency->last->next = x;
    else
        residency->first = x;
    residency->last = x;
    atomic_fetch_add_explicit(&residency->waiting, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&residency->fetched, 1, memory_order_relaxed);
    pthread_cond_signal(&residency->changed);
    pthread_mutex_unlock(&residency->lock);
}

uint64_t residency_waiting(const struct residency *residency)
{
    return atomic_load_explicit(&residency->waiting, memory_order_relaxed);
}

uint64_t residency_fetched(const struct residency *residency)
{
    return atomic_load_explicit(&residency->fetched, memory_order_relaxed);
}

void residency_abandon(struct residency *residency)
{
    atomic_store_explicit(&residency->abandoned, true, memory_order_relaxed);
}

void residency_free(struct residency *residency)
{
    if (!residency)
        return;
    pthread_mutex_lock(&residency->lock);
    residency->stopping = true;
    pthread_cond_broadcast(&residency->changed);
    pthread_mutex_unlock(&residency->lock);
    for (unsigned i = 0; i < residency->started; i++)
        pthread_join(residency->threads[i], NULL);
    CHECK(!residency->first);
    pthread_cond_destroy(&residency->changed);
    pthread_mutex_destroy(&residency->lock);
    free(residency);
}
