#include "web/change_feed.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/thread.h"
#include "web/cache.h"
#include "web/change_line.h"

#include <pthread.h>
#include <stdlib.h>

enum {
    NOTES_AT_ONCE = 16,
    UNREAD_MAX = (NOTES_AT_ONCE + 2) * CHANGE_LINE_MAX,
    IDLE_MS = 60000,
};

/* In its exchange's arena. */
struct listener {
    struct listener *next;
    struct change_feed *feed;
    struct exchange *x;
    bool waiting; /* its source has said SOURCE_WAIT, so that it lives until it is woken */
    bool due;     /* a beat is */
    uint64_t at, told;
    struct buf unread;
};

struct change_feed {
    struct change_feed_config config;
    pthread_mutex_t lock; /* guards what follows */
    pthread_t thread;
    bool threaded, stopping;
    bool may_beat;      /* as of then: */
    uint64_t looked_ns; /* by clock_mono_ns */
    unsigned count;
    struct listener *first;
};

struct change_feed *change_feed_new(const struct change_feed_config *config)
{
    struct change_feed *feed = calloc(1, sizeof *feed);
    if (!feed)
        return NULL;
    feed->config = *config;
    pthread_mutex_init(&feed->lock, NULL);
    return feed;
}

/* ---- The feed's thread ---- */

/* The lock is held. */
static void wake_all(struct change_feed *feed)
{
    for (struct listener *listener = feed->first; listener; listener = listener->next) {
        listener->due = true;
        if (listener->waiting)
            exchange_wake(listener->x);
        listener->waiting = false;
    }
}

/* While nobody listens it sleeps; the next one nudges it. */
static void *attend(void *argument)
{
    struct change_feed *feed = argument;
    uint64_t told = 0, wait_ms = CHANGE_FEED_BEAT_MS;
    bool last = false;
    while (!last) {
        change_ring_wait(feed->config.ring, &told, clock_mono_ns() + wait_ms * MS_NS);
        pthread_mutex_lock(&feed->lock);
        wake_all(feed);
        wait_ms = feed->first ? CHANGE_FEED_BEAT_MS : IDLE_MS;
        last = feed->stopping && !feed->first;
        pthread_mutex_unlock(&feed->lock);
    }
    return NULL;
}

void change_feed_stop(struct change_feed *feed)
{
    pthread_mutex_lock(&feed->lock);
    feed->stopping = true;
    pthread_mutex_unlock(&feed->lock);
    change_ring_nudge(feed->config.ring);
}

void change_feed_free(struct change_feed *feed)
{
    if (!feed)
        return;
    change_feed_stop(feed);
    if (feed->threaded)
        pthread_join(feed->thread, NULL);
    pthread_mutex_destroy(&feed->lock);
    free(feed);
}

/* ---- The exchange ---- */

static void leave(void *argument)
{
    struct listener *listener = argument;
    struct change_feed *feed = listener->feed;
    pthread_mutex_lock(&feed->lock);
    struct listener **at = &feed->first;
    while (*at && *at != listener)
        at = &(*at)->next;
    if (*at) {
        *at = listener->next;
        feed->count--;
        change_ring_listen(feed->config.ring, -1);
    }
    pthread_mutex_unlock(&feed->lock);
    buf_close(&listener->unread);
}

/* The source's seam gives the exchange alone: the listener is found among its cleanups. */
static struct listener *listener_of(struct exchange *x)
{
    struct exchange_cleanup *entry = x->cleanups;
    while (entry && entry->run != leave)
        entry = entry->next;
    CHECK(entry);
    return entry->argument;
}

static void put_note(struct buf *out, const struct change_note *note)
{
    const struct change_line line = {
        .kind = CHANGE_LINE_CHANGE,
        .index = note->index,
        .change = note->kind,
        .product_id = note->product_id,
        .handle = str_of(note->handle),
    };
    change_line_put(out, &line);
}

/* The time is read before the ring: what a beat says is not younger than it says. */
static void put_beat(struct listener *listener, uint64_t round, uint64_t time_ns)
{
    const struct change_line beat = {
        .kind = CHANGE_LINE_BEAT,
        .index = listener->told,
        .round = round,
        .time_ns = time_ns,
    };
    change_line_put(&listener->unread, &beat);
}

/* The lock is held. */
static bool may_beat(struct change_feed *feed)
{
    uint64_t now = clock_mono_ns();
    if (!feed->looked_ns || now - feed->looked_ns >= CHANGE_FEED_BEAT_MS * MS_NS) {
        feed->looked_ns = now;
        feed->may_beat = feed->config.may_beat(feed->config.context);
    }
    return feed->may_beat;
}

/* What there is to say now; false: the listener was too slow. The lock is held. */
static bool say(struct listener *listener)
{
    struct change_feed *feed = listener->feed;
    struct change_note notes[NOTES_AT_ONCE];
    bool beats = may_beat(feed); /* before the round is read, which it may renew */
    uint64_t told, time_ns = clock_boot_ns(), round = cache_round(feed->config.cache);
    buf_clear(&listener->unread);
    int count = change_ring_read(feed->config.ring, &listener->at, notes, NOTES_AT_ONCE, &told);
    for (int i = 0; i < count; i++)
        put_note(&listener->unread, &notes[i]);
    if (count < 0 || count == NOTES_AT_ONCE)
        return count > 0;
    if (beats && (listener->due || told != listener->told)) {
        listener->told = told;
        listener->due = false;
        put_beat(listener, round, time_ns);
    }
    return true;
}

static enum source_verdict read_unread(struct exchange *x, char *out, size_t room, size_t *len)
{
    struct listener *listener = listener_of(x);
    struct change_feed *feed = listener->feed;
    enum source_verdict verdict = SOURCE_MORE;
    pthread_mutex_lock(&feed->lock);
    *len = 0;
    if (feed->stopping)
        verdict = SOURCE_END;
    else if (listener->unread.len == 0 && !say(listener))
        verdict = SOURCE_FAIL;
    else if (listener->unread.len == 0)
        verdict = SOURCE_WAIT;
    listener->waiting = verdict == SOURCE_WAIT;
    if (verdict == SOURCE_MORE) {
        *len = listener->unread.len < room ? listener->unread.len : room;
        memcpy(out, listener->unread.at, *len);
        buf_drain(&listener->unread, *len);
    }
    pthread_mutex_unlock(&feed->lock);
    return verdict;
}

static const struct body_source source = {read_unread};

/* The lock is held. */
static int enter(struct change_feed *feed, struct listener *listener)
{
    if (feed->stopping)
        return ERR_CLOSED;
    if (feed->count == CHANGE_FEED_LISTENERS_MAX)
        return ERR_BUSY;
    if (!feed->threaded)
        feed->threaded = thread_start(&feed->thread, "stoa-changes", attend, feed) == 0;
    if (!feed->threaded)
        return ERR_NOMEM;
    listener->next = feed->first;
    feed->first = listener;
    feed->count++;
    return 0;
}

/* From its first line on: all that is told after it comes. */
static void begin(struct listener *listener, uint64_t number, uint64_t since)
{
    struct change_ring *ring = listener->feed->config.ring;
    uint64_t told;
    bool here = change_ring_find(ring, since, &listener->at, &told);
    if (here && number != change_ring_number(ring)) {
        change_ring_find(ring, told, &listener->at, &told);
        here = false;
    }
    const struct change_line line = {
        .kind = here ? CHANGE_LINE_FROM : CHANGE_LINE_ALL,
        .ring = change_ring_number(ring),
        .index = here ? since : told,
    };
    change_line_put(&listener->unread, &line);
    listener->due = true;
}

int change_feed_answer(struct change_feed *feed, struct exchange *x, uint64_t number,
                       uint64_t since)
{
    struct listener *listener = ARENA_NEW(&x->arena, struct listener);
    if (!listener)
        return ERR_NOMEM;
    *listener = (struct listener){.feed = feed, .x = x};
    buf_init(&listener->unread, UNREAD_MAX);
    if (exchange_at_end(x, leave, listener))
        return ERR_NOMEM;
    change_ring_listen(feed->config.ring, 1); /* before it is found how far it is told */
    pthread_mutex_lock(&feed->lock);
    int err = enter(feed, listener);
    if (!err)
        begin(listener, number, since);
    pthread_mutex_unlock(&feed->lock);
    if (err)
        change_ring_listen(feed->config.ring, -1);
    else
        change_ring_nudge(feed->config.ring);
    if (!err)
        exchange_reply_source(x, 200, STR("text/plain; charset=utf-8"), &source, UINT64_MAX);
    return err;
}
