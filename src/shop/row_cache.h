/* Row cache: the records of rows that were written last, by id, so that the next command about one
 * need not look it up. Who changes his cart changes it again, and who holds goods then buys.
 *
 * For the one writer: every write of a row must put it here too; what removes rows clears all. It
 * never decides anything: what is not here is read from the database. Bounded: each id has one
 * place, which the next id with the same place takes over. Thread: the writer's alone.
 */
#ifndef STOA_SHOP_ROW_CACHE_H
#define STOA_SHOP_ROW_CACHE_H

#include "base/id.h"
#include "base/str.h"

struct row_cache {
    unsigned count; /* of places, a power of two */
    unsigned room;  /* in each, bytes; longer records are not kept */
    char *places;   /* NULL until the first is put */
};

void row_cache_init(struct row_cache *cache, unsigned count, unsigned room);
/* Forgets all and gives the memory back; it can be used again. */
void row_cache_clear(struct row_cache *cache);

/* Lent until the next row_cache_put. STR_NONE: not here. */
struct str row_cache_find(const struct row_cache *cache, struct id id);
void row_cache_put(struct row_cache *cache, struct id id, struct str record);

#endif
