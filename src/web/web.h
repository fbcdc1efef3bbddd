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

#include "base/err.h"
#include "base/log.h"
#include "engine/app.h"
#include "outside/buy.h"
#include "replica/order.h"
#include "shop/read.h"
#include "web/cache.h"

#include <stdbool.h>
#include <stddef.h>

enum { WEB_SECRET_BYTES = 32 };

struct web_settings {
    const char *database;  /* the shop's database file, for readers */
    const char *base_url;  /* "https://shop.example", no slash at its end; empty: made from each
                              request's scheme and Host */
    const char *media_dir; /* files served under /media/; empty: none */
    const char *operator_token; /* bearer token of the operator's API; empty: that API is off */
    unsigned char secret[WEB_SECRET_BYTES]; /* signs form tokens; the same on all servers */
    struct cache *cache;                    /* lent */
    struct ordering *order;                 /* lent */
    struct buying *buying;                  /* lent */
    const struct log *log;
};

struct web;

/* SETTINGS is copied; its strings and pointers are lent until web_free. Compiles the
 * page templates. */
int web_new(const struct web_settings *settings, struct web **web, struct failure *failure);
void web_free(struct web *web);
struct app *web_app(struct web *web);

/* What /metrics may ask. Thread: any. */
struct web_stats {
    uint64_t pages, commands, commands_failed;
};
void web_stats(const struct web *web, struct web_stats *stats);

#endif
