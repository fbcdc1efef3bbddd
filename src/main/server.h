/* Server: everything of one shop server put together, in the order it hangs together.
 *
 *   data directory → [ member ] → shop (database) → replica (log) → settle, outgoing
 *                                                          → [ buying → web → engine ]
 *
 * `stoa serve` opens all of it; a command that changes a shop while no server runs on
 * it (import) opens all but the last three. A server that belongs to a cluster has a member
 * (main/member.h). Before it sells: main/opening.h. Thread: main.
 */
#ifndef STOA_MAIN_SERVER_H
#define STOA_MAIN_SERVER_H

#include "admin/health.h"
#include "admin/metrics.h"
#include "base/err.h"
#include "engine/engine.h"
#include "main/bank_choice.h"
#include "main/cluster.h"
#include "main/datadir.h"
#include "main/forked.h"
#include "main/member.h"
#include "main/outgoing.h"
#include "main/settings.h"
#include "main/shared_changes.h"
#include "outside/bank.h"
#include "outside/buy.h"
#include "outside/settle.h"
#include "replica/replica.h"
#include "shop/shop.h"
#include "web/change_ring.h"
#include "web/web.h"

struct server {
    const struct settings *settings;
    struct log log;
    struct datadir dir;
    struct cluster cluster;        /* if it is a member of one */
    struct member *member;         /* NULL: alone */
    struct shared_changes changes; /* if other processes read this database; the cache's */
    struct cache *cache;
    struct change_ring *told; /* late changes, for those who keep pages elsewhere */
    struct shop *shop;
    struct copy_tail *tail; /* of a copy that was fetched, until the replica has it */
    struct replica *replica;
    struct bank_choice choice;
    struct bank *bank; /* choice's */
    struct settle_view view;
    struct settle *settle;
    struct outgoing outgoing;
    struct buying *buying;
    char spool[DATADIR_PATH + 8]; /* uploads on their way */
    char name[24];                /* for Stoa-Server; empty: it is not told */
    struct watched watched;
    struct metrics *metrics;
    struct health *health;
    struct web *web;
    const struct engine_kind *kind;
    const struct engine *heir_of; /* set before server_listen; NULL: it opens the addresses anew */
    struct forked *forked;        /* set before server_listen, with the engine fork; owned */
    struct engine *engine;
    char url[OPTION_TEXT_SIZE];
};

/* Opens the data of SETTINGS (lent) and brings the shop up to its log. On failure nothing stays
 * open. */
int server_open(struct server *server, const struct settings *settings, struct failure *failure);

/* The same under LOCK, which holds DIR/lock and is handed over; -1: it is taken. */
int server_open_with(struct server *server, const struct settings *settings, int lock,
                     struct failure *failure);

/* Begins to serve. */
int server_listen(struct server *server, struct failure *failure);

/* Stops what runs, in the opposite order, and closes. */
void server_close(struct server *server);

#endif
