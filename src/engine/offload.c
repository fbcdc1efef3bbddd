#include "engine/offload.h"

#include "base/check.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct offload {
    struct app *app;
    unsigned queue_max, threads_started;
    pthread_mutex_t lock;
    pthread_cond_t changed; /* to helpers: there is work, or the end; to offload_new: started */
    /* Under the lock: */
    struct exchange *first, *last;
    unsigned ready, failed; /* threads whose thread_start returned well, or not */
    bool stopping;
    /* Written under the lock, read without. */
    atomic_uint waiting;
    atomic_bool abandoned;
    pthread_t threads[];
};

/* The next exchange, waiting for it; NULL at the end. */
static struct exchange *take(struct offload *offload)
{
    pthread_mutex_lock(&offload->lock);
    while (!offload->first && !offload->stopping)
        pthread_cond_wait(&offload->changed, &offload->lock);
    struct exchange *x = offload->first;
    if (x) {
        offload->first = x->next;
        if (!offload->first)
            offload->last = NULL;
        atomic_fetch_sub_explicit(&offload->waiting, 1, memory_order_relaxed);
    }
    pthread_mutex_unlock(&offload->lock);
    return x;
}

void offload_run(struct app *app, struct exchange *x, void *thread_state, bool abandoned)
{
    x->next = NULL;
    x->thread_state = thread_state;
    if (abandoned) {
        x->work = NULL;
        x->step = NULL;
    } else if (x->work) {
        void (*work)(struct exchange *) = x->work;
        x->work = NULL;
        work(x);
    } else {
        enum app_verdict verdict = app->work(app, x);
        CHECK(verdict != APP_WORK);
        if (verdict == APP_LATER)
            return; /* X may be gone already */
        x->step = NULL;
    }
    x->runner->resume(x->runner, x);
}

static void report(struct offload *offload, bool good)
{
    pthread_mutex_lock(&offload->lock);
    if (good)
        offload->ready++;
    else
        offload->failed++;
    pthread_cond_broadcast(&offload->changed);
    pthread_mutex_unlock(&offload->lock);
}

static void *helper_main(void *argument)
{
    struct offload *offload = argument;
    struct app *app = offload->app;
    void *state = app->thread_start ? app->thread_start(app, NULL) : NULL;
    bool good = !app->thread_start || state;
    report(offload, good);
    if (!good)
        return NULL;
    for (struct exchange *x; (x = take(offload));)
        offload_run(app, x, state, atomic_load_explicit(&offload->abandoned, memory_order_relaxed));
    if (app->thread_stop)
        app->thread_stop(app, state);
    return NULL;
}

/* Waits until all threads that run have reported. */
static bool all_ready(struct offload *offload)
{
    pthread_mutex_lock(&offload->lock);
    while (offload->ready + offload->failed < offload->threads_started)
        pthread_cond_wait(&offload->changed, &offload->lock);
    bool ready = offload->failed == 0;
    pthread_mutex_unlock(&offload->lock);
    return ready;
}

struct offload *offload_new(struct app *app, unsigned threads, unsigned queue_max,
                            struct failure *failure)
{
    struct offload *offload = calloc(1, sizeof *offload + threads * sizeof offload->threads[0]);
    if (!offload) {
        fail(failure, ERR_NOMEM, "no memory for the helper threads");
        return NULL;
    }
    offload->app = app;
    offload->queue_max = queue_max;
    pthread_mutex_init(&offload->lock, NULL);
    pthread_cond_init(&offload->changed, NULL);
    atomic_init(&offload->waiting, 0);
    atomic_init(&offload->abandoned, false);
    bool good = true;
    for (unsigned i = 0; good && i < threads; i++) {
        good = thread_start(&offload->threads[i], "stoa-helper", helper_main, offload) == 0;
        offload->threads_started += good;
    }
    if (!all_ready(offload))
        fail(failure, ERR_STATE, "%s: a helper thread could not be prepared", app->name);
    else if (!good)
        fail(failure, ERR_IO, "cannot start %u helper threads", threads);
    else
        return offload;
    offload_free(offload);
    return NULL;
}

bool offload_submit(struct offload *offload, struct exchange *x)
{
    x->next = NULL;
    pthread_mutex_lock(&offload->lock);
    bool room = atomic_load_explicit(&offload->waiting, memory_order_relaxed) < offload->queue_max;
    if (room) {
        if (offload->last)
            offload->last->next = x;
        else
            offload->first = x;
        offload->last = x;
        atomic_fetch_add_explicit(&offload->waiting, 1, memory_order_relaxed);
        pthread_cond_signal(&offload->changed);
    }
    pthread_mutex_unlock(&offload->lock);
    return room;
}

uint64_t offload_waiting(const struct offload *offload)
{
    return atomic_load_explicit(&offload->waiting, memory_order_relaxed);
}

void offload_abandon(struct offload *offload)
{
    atomic_store_explicit(&offload->abandoned, true, memory_order_relaxed);
}

void offload_free(struct offload *offload)
{
    if (!offload)
        return;
    pthread_mutex_lock(&offload->lock);
    offload->stopping = true;
    pthread_cond_broadcast(&offload->changed);
    pthread_mutex_unlock(&offload->lock);
    for (unsigned i = 0; i < offload->threads_started; i++)
        pthread_join(offload->threads[i], NULL);
    CHECK(!offload->first);
    pthread_cond_destroy(&offload->changed);
    pthread_mutex_destroy(&offload->lock);
    free(offload);
}
