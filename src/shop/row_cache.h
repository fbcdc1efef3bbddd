/* Row cache: the rows that were written last, by id, so that the next command about one need not
 * look it up, and a row that many commands of a transaction change is written once. Who changes his
 * cart changes it again, and who holds goods then buys.
 *
 * For the one writer. A row that is put is in the database at the latest after
 * row_cache_write_back, which the transaction's end calls; whoever reads or removes rows by SQL
 * before that calls it first, and clears the cache after removing. It never decides anything: what
 * is not here is read from the database, and what comes out is the same however often it is
 * written.
 *
 *               row_cache_put                row_cache_write_back
 *   not here ─────────────────▶ changed ◀──────────────────────────▶ kept
 *       ▲                                     row_cache_put            │
 *       └──────────────── row_cache_clear, or all places are taken ────┘
 *
 * Bounded: when all places are taken, all are written and forgotten. Thread: the writer's alone.
 */
#ifndef STOA_SHOP_ROW_CACHE_H
#define STOA_SHOP_ROW_CACHE_H

#include "base/hash.h"
#include "base/id.h"
#include "store/db.h"

struct row {
    struct id id;
    struct str record;
    int64_t expires_ms;
    bool fresh; /* there is none in the table, or one that is past its time */
    bool moved; /* expires_ms is not what the table has */
    /* A checkout's: */
    struct id cart_id;
    int64_t status, hold_until_ms;
};

struct row_cache_config {
    unsigned count; /* of places, a power of two */
    unsigned room;  /* in each, bytes; longer records are written at once, and not kept */
    /* Writes ROW by SQL; the failure is the database's. */
    int (*write)(struct db *db, const struct row *row);
};

struct row_place;

struct row_cache {
    struct row_cache_config config;
    struct db *db;
    struct hash_key hash;
    char *places; /* NULL until the first is put; filled from the front */
    unsigned filled;
    uint32_t *slots;            /* by hash of the id: 0, or 1 + the place's number */
    struct row_place **changed; /* those to be written */
    unsigned changed_count;
};

void row_cache_init(struct row_cache *cache, struct db *db, const struct row_cache_config *config);
/* Forgets all and gives the memory back; it can be used again. What is changed has been written,
 * or its transaction is given up. */
void row_cache_clear(struct row_cache *cache);

/* Lent until the next row_cache_put. STR_NONE: not here. */
struct str row_cache_find(const struct row_cache *cache, struct id id);
/* ROW (copied) is the row of its id from now on. An error is the database's. */
int row_cache_put(struct row_cache *cache, const struct row *row);
/* All that was put is in the table, written in the order of ids. */
int row_cache_write_back(struct row_cache *cache);

#endif
