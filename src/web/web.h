/* Web: the shop on HTTP, as an app that any engine runs.
 *
 * main/ makes the cache first (the shop's change listener, cache.h), then the shop
 * and its order, then this, and hands web_app() to an engine. Handlers are found in
 * the one table of routes.h; each gets an exchange whose state is a struct call.
 *
 * Threads: web_new and web_free on main's thread, everything else on the engine's.
 * Each of those has a struct web_thread with its own reader of the database.
 *
 * How a request goes:
 *
 *   head --accept--> found in the cache --------------------------------> answered
 *          |-------> no such route, or not with this method ------------> 404, 405
 *          '-------> route found, struct call made --> body --> handle
 *                      handle: csrf rule, then the route's handler (ROUTE_WORK: on a
 *                      helper thread), which answers, or submits a command
 *                      (submit.h) and answers in a step after it
 */
#ifndef STOA_WEB_WEB_H
#define STOA_WEB_WEB_H

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "engine/app.h"
#include "net/network.h"
#include "outside/buy.h"
#include "replica/order.h"
#include "shop/read.h"
#include "web/cache.h"
#include "web/cluster.h"

#include <stdbool.h>
#include <stddef.h>

struct change_ring;
struct copies;
struct outbox;

enum { WEB_SECRET_BYTES = 32, WEB_TRUSTED_MAX = 16 };

/* What admin/, which stands above, answers. Thread: any; must not block for long. */
struct web_watch {
    void *context;
    /* Appends all figures in Prometheus' text format 0.0.4. */
    void (*metrics)(void *context, struct buf *out);
    /* Whether a purchase would go through; if not, REASON says why. */
    bool (*healthy)(void *context, struct buf *reason);
};

/* What the bank tells of its own accord (bank_events.h). */
struct web_bank {
    struct str secret; /* what it signs with; empty: it tells nothing */
    void (*told)(void *context);
    void *context;
};

/* On a reader: the process that writes the database which this one reads (pass.h). Any thread. */
struct web_writer {
    void *context;
    /* Where it is now, into URL; false: there is none. ANEW: what was said before did not hold.
     * NULL: this server is no reader. */
    bool (*find)(void *context, bool anew, char *url, size_t size);
    /* Whether the database that was opened is the one that is there. */
    bool (*same)(void *context);
    bool in_cluster; /* the copy may be behind, and session tokens tell how far */
    bool inner;      /* this is a client's process, and the writer its server (inner.h) */
};

struct web_settings {
    const char *database;    /* the shop's database file, for readers */
    const char *base_url;    /* "https://shop.example", no slash at its end; empty: made from each
                                request's scheme and Host */
    const char *server_name; /* told in Stoa-Server with each answer; empty: not */
    /* Of which all servers' hosts are parts; empty: one host's cookies. */
    const char *cookie_domain;
    /* Whose X-Forwarded-Proto is believed; load managers that have announced themselves are
     * trusted besides. */
    struct network trusted[WEB_TRUSTED_MAX];
    unsigned trusted_count;
    const char *media_dir;      /* files served under /media/; empty: none */
    const char *spool_dir;      /* where uploads wait until they are complete; on the data's disk */
    uint64_t upload_max;        /* bytes of one upload by the operator */
    const char *operator_token; /* bearer token of the operator's API; empty: that API is off */
    unsigned char secret[WEB_SECRET_BYTES]; /* signs tokens; the same on all servers */
    struct cache *cache;                    /* lent */
    struct change_ring *changes; /* what is told to the cache; NULL: to nobody else. Lent */
    struct ordering *order;      /* lent */
    struct buying *buying;       /* lent */
    struct outbox *outbox;       /* lent; NULL: none */
    struct copies *copies;       /* for backups; NULL: none. Lent */
    const struct log *log;
    struct web_bank bank;
    struct web_watch watch;     /* may be all zero: then there is neither */
    struct web_cluster cluster; /* may be all zero: alone; a reader's has no more than its names */
    const char *inner_key;      /* of the inner door, on both of its sides; NULL: none. Lent */
    struct traffic_thread *counts; /* with it: where the clients' processes count; one for each */
    unsigned counts_max;
    struct web_writer writer; /* all zero, or this is a reader: then order, buying, outbox and
                                 copies are NULL */
};

struct web;

/* SETTINGS is copied; its strings and pointers are lent until web_free. Compiles the
 * page templates. */
int web_new(const struct web_settings *settings, struct web **web, struct failure *failure);
/* Ends what runs long (an import, an export), and says in /healthz that it ends. Before the
 * engine is stopped, which waits for these. Any thread. */
void web_stop(struct web *web);
void web_free(struct web *web);
struct app *web_app(struct web *web);
/* In a client's process, before there are threads: it counts in the settings' counts[PLACE]. */
void web_count_at(struct web *web, unsigned place);

/* Requests of one kind: how many, how they ended, how long they took from the complete
 * head to the answer (for what the cache answers, to the page found). */
enum { WEB_LATENCY_BUCKETS = 14 };
extern const double web_latency_bounds[WEB_LATENCY_BUCKETS]; /* seconds; above: the last plus one */
enum web_class { WEB_CACHED, WEB_PAGES, WEB_UCP, WEB_OPERATOR, WEB_UNROUTED, WEB_CLASS_COUNT };
extern const char *const web_class_names[WEB_CLASS_COUNT];
struct web_traffic {
    uint64_t by_status[5]; /* 1xx to 5xx */
    uint64_t latency[WEB_LATENCY_BUCKETS + 1];
    uint64_t latency_sum_ns;
};

/* What /metrics may ask. Thread: any. */
struct web_stats {
    uint64_t pages, commands, commands_failed;
    uint64_t gate_waits, gate_barriers, relayed; /* gate.h */
    struct web_traffic traffic[WEB_CLASS_COUNT];
};
void web_stats(struct web *web, struct web_stats *stats);
/* The cluster as this server sees it; count 0: it is alone. */
void web_cluster_status(struct web *web, struct cluster_status *status);

#endif
