/* Status app: what the status door of a load manager answers. An app for an engine of its own
 * (engine/app.h), apart from the door of the shoppers; main/ starts it.
 *
 *   GET /               the status page; without scripts it loads itself anew each 2 s
 *   GET /events         server-sent events: a frame each second, what happens as it happens
 *   GET /events.json    the last of them; `stoa top` reads it
 *   GET /balance.json   one look (view.h); `stoa top` reads it
 *   GET /history.json   the last three minutes, a point each second
 *   GET /metrics        Prometheus' text format
 *   GET /healthz        200 when a server can be used, else 503
 *   POST /drain?server=2, POST /undrain?server=2   with the operator's token alone
 *
 * Whoever reaches the door may read all this, so it is kept private, and a door on a loopback
 * address answers only when it is called by such a name: a page of another site cannot have its
 * own name resolve to here and read it (DNS rebinding).
 *
 * Each engine loop has a room of its own: its timer looks each second, and the followers of
 * /events, at most STATUS_FOLLOWERS_MAX, are written to from there. A follower that reads slowly
 * misses frames and no events, unless it is so slow that the ring has gone round: then it is told
 * how many. Threads: the engine's; `look` and `drain` are called on any of them.
 */
#ifndef STOA_BALANCE_STATUS_APP_H
#define STOA_BALANCE_STATUS_APP_H

#include "balance/view.h"
#include "engine/app.h"

enum { STATUS_FOLLOWERS_MAX = 64 };

struct status_settings {
    /* Fills VIEW: balance_look, and what it leaves out. Must not block. */
    void (*look)(void *context, struct balance_view *view);
    /* May be NULL. Server ID gets nothing new from here on, or does again. 0 or ERR_NOTFOUND. */
    int (*drain)(void *context, uint64_t id, bool drain);
    void *context;
    struct events *events;
    const char *token; /* the operator's, lent; NULL or empty: nothing can be changed here */
    bool loopback;     /* the door is on loopback addresses alone */
};

struct status_app;

/* Copies SETTINGS. */
int status_app_new(const struct status_settings *settings, struct status_app **status,
                   struct failure *failure);
struct app *status_app_app(struct status_app *status);
/* Any thread, before the door's engine is stopped: streams end, so that it need not wait. */
void status_app_stop(struct status_app *status);
/* The engine has stopped. NULL is fine. */
void status_app_free(struct status_app *status);

#endif
