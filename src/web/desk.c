#include "web/desk.h"

#include "base/check.h"
#include "base/thread.h"

#include <pthread.h>
#include <stdlib.h>

enum { UNREAD_MAX = 256 * 1024, PIECE_MAX = 512 * 1024 };

struct desk {
    pthread_mutex_t lock;
    pthread_cond_t read; /* something was read, or nobody reads any more */
    _Atomic bool stop;
    bool taken;    /* by an exchange that prepares, or by the thread */
    bool threaded; /* there is a thread to be joined */
    pthread_t thread;

    /* Of the job that runs. */
    struct exchange *x; /* who listens; NULL: nobody */
    bool waiting;       /* its source has said SOURCE_WAIT, so that it lives until it is woken */
    bool done, broken;
    struct buf unread;
    desk_job *job;
    void *context;
};

struct desk_claim {
    struct desk *desk;
    struct exchange *x;
    bool started;
};

int desk_new(struct desk **desk, struct failure *failure)
{
    struct desk *made = calloc(1, sizeof *made);
    if (!made)
        return fail(failure, ERR_NOMEM, "no memory for long requests");
    pthread_mutex_init(&made->lock, NULL);
    pthread_cond_init(&made->read, NULL);
    buf_init(&made->unread, UNREAD_MAX + PIECE_MAX);
    *desk = made;
    return 0;
}

void desk_stop(struct desk *desk)
{
    desk->stop = true;
    pthread_mutex_lock(&desk->lock);
    pthread_cond_broadcast(&desk->read);
    pthread_mutex_unlock(&desk->lock);
}

void desk_free(struct desk *desk)
{
    if (!desk)
        return;
    desk_stop(desk);
    if (desk->threaded)
        pthread_join(desk->thread, NULL);
    buf_close(&desk->unread);
    pthread_cond_destroy(&desk->read);
    pthread_mutex_destroy(&desk->lock);
    free(desk);
}

const _Atomic bool *desk_stopping(const struct desk *desk)
{
    return &desk->stop;
}

/* ---- The job's thread ---- */

static void wake(struct desk *desk)
{
    if (!desk->waiting)
        return;
    desk->waiting = false;
    exchange_wake(desk->x);
}

bool desk_tell(struct desk *desk, struct str bytes)
{
    CHECK(bytes.len <= PIECE_MAX);
    pthread_mutex_lock(&desk->lock);
    while (desk->x && desk->unread.len > UNREAD_MAX && !desk->stop)
        pthread_cond_wait(&desk->read, &desk->lock);
    if (desk->x && desk->unread.len <= UNREAD_MAX)
        buf_str(&desk->unread, bytes);
    bool heard = desk->x && !desk->stop;
    wake(desk);
    pthread_mutex_unlock(&desk->lock);
    return heard;
}

void desk_broken(struct desk *desk)
{
    pthread_mutex_lock(&desk->lock);
    desk->broken = true;
    pthread_mutex_unlock(&desk->lock);
}

static void *run(void *argument)
{
    struct desk *desk = argument;
    desk->job(desk, desk->context);
    pthread_mutex_lock(&desk->lock);
    desk->done = true;
    desk->taken = false;
    wake(desk);
    pthread_mutex_unlock(&desk->lock);
    return NULL;
}

/* ---- The exchange ---- */

/* It ends: nobody listens any more, or nothing was begun. */
static void leave(void *argument)
{
    struct desk_claim *claim = argument;
    struct desk *desk = claim->desk;
    pthread_mutex_lock(&desk->lock);
    if (!claim->started)
        desk->taken = false;
    else if (desk->x == claim->x)
        desk->x = NULL;
    pthread_cond_broadcast(&desk->read);
    pthread_mutex_unlock(&desk->lock);
}

/* The source's seam gives the exchange alone: the desk is found among its cleanups. */
static struct desk *desk_of(struct exchange *x)
{
    struct exchange_cleanup *entry = x->cleanups;
    while (entry && entry->run != leave)
        entry = entry->next;
    CHECK(entry);
    return ((struct desk_claim *)entry->argument)->desk;
}

static enum source_verdict read_unread(struct exchange *x, char *out, size_t room, size_t *len)
{
    struct desk *desk = desk_of(x);
    enum source_verdict verdict = SOURCE_MORE;
    pthread_mutex_lock(&desk->lock);
    *len = desk->unread.len < room ? desk->unread.len : room;
    if (*len) {
        memcpy(out, desk->unread.at, *len);
        buf_drain(&desk->unread, *len);
        pthread_cond_broadcast(&desk->read);
    } else if (desk->done) {
        /* It is not asked again. Whoever has read the end may begin the next job. */
        verdict = desk->broken ? SOURCE_FAIL : SOURCE_END;
        desk->x = NULL;
    } else {
        desk->waiting = true;
        verdict = SOURCE_WAIT;
    }
    pthread_mutex_unlock(&desk->lock);
    return verdict;
}

static const struct body_source source = {read_unread};

struct desk_claim *desk_take(struct exchange *x, struct desk *desk)
{
    struct desk_claim *claim = ARENA_NEW(&x->arena, struct desk_claim);
    if (!claim)
        return NULL;
    claim->desk = desk;
    claim->x = x;
    pthread_mutex_lock(&desk->lock);
    /* A listener of the job before may still be reading its bytes. */
    bool free = !desk->taken && !desk->x && !desk->stop;
    desk->taken |= free;
    pthread_mutex_unlock(&desk->lock);
    if (!free)
        return NULL;
    if (exchange_at_end(x, leave, claim)) {
        leave(claim);
        return NULL;
    }
    return claim;
}

int desk_start(struct exchange *x, struct desk_claim *claim, desk_job *job, void *context,
               struct str type)
{
    struct desk *desk = claim->desk;
    if (desk->threaded)
        pthread_join(desk->thread, NULL);
    buf_clear(&desk->unread);
    desk->done = desk->broken = desk->waiting = false;
    desk->x = x;
    desk->job = job;
    desk->context = context;
    claim->started = true;
    desk->threaded = thread_start(&desk->thread, "stoa-desk", run, desk) == 0;
    if (!desk->threaded) {
        claim->started = false;
        desk->x = NULL;
        return ERR_NOMEM;
    }
    exchange_reply_source(x, 200, type, &source, UINT64_MAX);
    return 0;
}
