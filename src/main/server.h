/* Server: everything of one shop server put together, in the order it hangs together.
 *
 *   data directory → shop (database) → replica (log) → settle → [ buying → web → engine ]
 *
 * `stoa serve` opens all of it; a command that changes a shop while no server runs on
 * it (import) opens all but the last three. Thread: main.
 */
#ifndef STOA_MAIN_SERVER_H
#define STOA_MAIN_SERVER_H

#include "admin/health.h"
#include "admin/metrics.h"
#include "base/err.h"
#include "engine/engine.h"
#include "main/datadir.h"
#include "main/settings.h"
#include "outside/bank.h"
#include "outside/buy.h"
#include "outside/settle.h"
#include "replica/replica.h"
#include "shop/shop.h"
#include "web/web.h"

struct server {
    const struct settings *settings;
    struct log log;
    struct datadir dir;
    struct cache *cache;
    struct shop *shop;
    struct replica *replica;
    struct bank *bank;
    struct settle_view view;
    struct settle *settle;
    struct buying *buying;
    char spool[DATADIR_PATH + 8]; /* uploads on their way */
    struct watched watched;
    struct metrics *metrics;
    struct health *health;
    struct web *web;
    const struct engine_kind *kind;
    struct engine *engine;
    char url[OPTION_TEXT_SIZE];
};

/* Opens the data of SETTINGS (lent) and brings the shop up to its log. A new shop gets
 * its default rates. On failure nothing stays open. */
int server_open(struct server *server, const struct settings *settings, struct failure *failure);

/* Imports FILE ("demo": the one in the program) into a shop that has no products. */
int server_stock_up(struct server *server, const char *file, struct failure *failure);

/* Begins to serve. */
int server_listen(struct server *server, struct failure *failure);

/* Stops what runs, in the opposite order, and closes. */
void server_close(struct server *server);

#endif
