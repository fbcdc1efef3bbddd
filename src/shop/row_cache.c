#include "shop/row_cache.h"

#include "base/check.h"

#include <stdlib.h>

struct place {
    struct id id;
    uint32_t len; /* 0: empty */
    char record[];
};

void row_cache_init(struct row_cache *cache, unsigned count, unsigned room)
{
    CHECK(count > 0 && (count & (count - 1)) == 0 && room % sizeof(uint32_t) == 0);
    *cache = (struct row_cache){.count = count, .room = room};
}

void row_cache_clear(struct row_cache *cache)
{
    free(cache->places);
    cache->places = NULL;
}

static struct place *place_of(const struct row_cache *cache, struct id id)
{
    uint64_t halves[2];
    memcpy(halves, id.bytes, sizeof halves);
    /* A product's bits depend on those below them only: the upper ones, twice. */
    uint64_t mixed = halves[0] * 0x9e3779b97f4a7c15u ^ halves[1];
    mixed = (mixed ^ mixed >> 32) * 0xd6e8feb86659fd93u;
    size_t at = (size_t)(mixed >> 32) & (cache->count - 1);
    return (struct place *)(void *)(cache->places + at * (sizeof(struct place) + cache->room));
}

struct str row_cache_find(const struct row_cache *cache, struct id id)
{
    const struct place *place = cache->places ? place_of(cache, id) : NULL;
    return place && place->len > 0 && id_eq(place->id, id) ? str_make(place->record, place->len)
                                                           : STR_NONE;
}

void row_cache_put(struct row_cache *cache, struct id id, struct str record)
{
    if (!cache->places)
        cache->places = calloc(cache->count, sizeof(struct place) + cache->room);
    if (!cache->places)
        return; /* then it is read */
    struct place *place = place_of(cache, id);
    bool fits = record.len <= cache->room;
    if (!fits && !id_eq(place->id, id))
        return;
    place->id = id;
    place->len = fits ? (uint32_t)record.len : 0;
    if (fits)
        memcpy(place->record, record.at, record.len);
}
