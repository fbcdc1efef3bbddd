/* Watched: the parts of a server that its figures and its health are read from.
 *
 * main/ fills it in while it puts the server together and lends it to metrics.h and
 * health.h; the engine comes last, when requests may already ask, and so is atomic.
 */
#ifndef STOA_ADMIN_WATCHED_H
#define STOA_ADMIN_WATCHED_H

#include "engine/engine.h"
#include "outside/buy.h"
#include "outside/outbox.h"
#include "replica/order.h"
#include "web/web.h"

struct watched {
    const char *database; /* file */
    const char *data_dir; /* whose disk must have room */
    struct cache *cache;
    struct ordering *order;
    /* Appends why there is no primary. NULL: this server is alone. */
    void (*missing)(void *context, struct buf *reason);
    void *missing_context;
    struct buying *buying;
    struct bank *bank;
    struct outbox *outbox;
    struct web *web;
    const struct engine_kind *kind;
    struct engine *_Atomic engine; /* NULL: does not serve yet */
};

#endif
