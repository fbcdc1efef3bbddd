/* Events: what has happened to the load manager and its servers, kept for people.
 *
 * A ring of the last EVENTS_KEPT, each with a number that grows by one, its wall time, its kind,
 * the server that it is about and one sentence. Each also goes to the log. Kinds that can come in
 * floods are rate-limited each for itself, so that they do not push out what matters; the next
 * one of the kind that is let through says how many were left out.
 *
 * Thread: any, under a short lock.
 */
#ifndef STOA_BALANCE_EVENTS_H
#define STOA_BALANCE_EVENTS_H

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"

#include <stdint.h>

enum { EVENTS_KEPT = 512, EVENT_NAME = 64, EVENT_TEXT = 240 };

/* X(id, name, level of the log, most at once, and how many more a minute after that). */
#define EVENT_LIST(X)                                   \
    X(STARTED, "started", LOG_INFO, 16, 60)             \
    X(JOINED, "joined", LOG_INFO, 128, 120)             \
    X(GONE, "gone", LOG_INFO, 128, 120)                 \
    X(UP, "up", LOG_INFO, 128, 60)                      \
    X(SUSPECT, "suspect", LOG_WARN, 64, 12)             \
    X(TRUSTED, "trusted", LOG_INFO, 64, 12)             \
    X(OUT, "out", LOG_WARN, 128, 60)                    \
    X(BACK, "back", LOG_INFO, 128, 60)                  \
    X(SLOW, "slow", LOG_WARN, 32, 12)                   \
    X(DRAINING, "draining", LOG_INFO, 128, 60)          \
    X(PANIC, "panic", LOG_ERROR, 16, 12)                \
    X(CALM, "calm", LOG_INFO, 16, 12)                   \
    X(PRIMARY, "primary", LOG_INFO, 32, 60)             \
    X(NO_RETRIES, "retry budget empty", LOG_WARN, 2, 6) \
    X(NO_HEDGES, "hedging paused", LOG_INFO, 2, 6)      \
    X(SHEDDING, "shedding", LOG_WARN, 2, 6)             \
    X(RUBBISH, "rubbish", LOG_WARN, 4, 6)               \
    X(MEMBERS, "members", LOG_WARN, 4, 12)              \
    X(NOTE, "note", LOG_INFO, 16, 12)

enum event_kind {
#define X(id, name, level, burst, minute) EVENT_##id,
    EVENT_LIST(X)
#undef X
        EVENT_KINDS
};

struct event {
    uint64_t number; /* 1, 2, … */
    int64_t wall_ms;
    enum event_kind kind;
    uint64_t backend;      /* its id; 0: of none */
    char name[EVENT_NAME]; /* the backend's; empty: of none */
    char text[EVENT_TEXT]; /* one sentence */
};

struct events;

/* LOG (lent) may be NULL. */
int events_new(const struct log *log, struct events **events, struct failure *failure);
void events_free(struct events *events); /* NULL is fine */

/* Any thread: it happened now. A NULL `events` drops it; NAME may be NULL. */
void events_add(struct events *events, enum event_kind kind, uint64_t backend, const char *name,
                const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The number of the last one; 0: none yet. */
uint64_t events_last(struct events *events);

/* Copies those with numbers above AFTER, oldest first, at most ROOM; returns how many. *MISSED
 * (may be NULL) becomes how many of them are no longer kept. */
unsigned events_read(struct events *events, uint64_t after, struct event *out, unsigned room,
                     uint64_t *missed);

const char *event_kind_name(enum event_kind kind);
/* One as a JSON object. */
void event_write_json(struct buf *out, const struct event *event);

#endif
