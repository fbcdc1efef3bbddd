#include "shop/row_cache.h"

#include "base/check.h"

#include <stdlib.h>

enum { SLOTS_PER_PLACE = 2, NOT_KEPT = UINT32_MAX };

struct row_place {
    struct row row; /* but for its record */
    uint32_t len;   /* NOT_KEPT: the table alone has it */
    bool changed;
    char record[];
};

void row_cache_init(struct row_cache *cache, struct db *db, const struct row_cache_config *config)
{
    CHECK(config->count > 0 && (config->count & (config->count - 1)) == 0);
    CHECK(config->room % _Alignof(struct row_place) == 0);
    /* A seed of its own for each process: shoppers may choose ids. It decides nothing else. */
    uint64_t here = (uint64_t)(uintptr_t)cache;
    *cache = (struct row_cache){
        .config = *config, .db = db, .hash = {here, ~here * 0x9e3779b97f4a7c15u}};
}

void row_cache_clear(struct row_cache *cache)
{
    free(cache->places);
    free(cache->slots);
    free(cache->changed);
    struct row_cache_config config = cache->config;
    row_cache_init(cache, cache->db, &config);
}

static struct row_place *place_at(const struct row_cache *cache, unsigned number)
{
    size_t size = sizeof(struct row_place) + cache->config.room;
    return (struct row_place *)(void *)(cache->places + number * size);
}

/* The slot of ID, or the free one where it belongs: half of them are free. */
static uint32_t *slot_of(const struct row_cache *cache, struct id id)
{
    unsigned mask = SLOTS_PER_PLACE * cache->config.count - 1;
    unsigned slot = (unsigned)hash_fast(cache->hash, str_make(id.bytes, sizeof id.bytes)) & mask;
    while (cache->slots[slot] != 0 && !id_eq(place_at(cache, cache->slots[slot] - 1)->row.id, id))
        slot = (slot + 1) & mask;
    return &cache->slots[slot];
}

struct str row_cache_find(const struct row_cache *cache, struct id id)
{
    uint32_t number = cache->places ? *slot_of(cache, id) : 0;
    if (number == 0)
        return STR_NONE;
    const struct row_place *place = place_at(cache, number - 1);
    return place->len == NOT_KEPT ? STR_NONE : str_make(place->record, place->len);
}

/* ---- Writing ---- */

static int by_id(const void *a, const void *b)
{
    const struct row_place *const *one = a, *const *other = b;
    return memcmp((*one)->row.id.bytes, (*other)->row.id.bytes, sizeof(struct id));
}

/* In the order of ids, as rows whose ids are close are in one page. */
int row_cache_write_back(struct row_cache *cache)
{
    int err = 0;
    if (cache->changed_count > 1)
        qsort(cache->changed, cache->changed_count, sizeof cache->changed[0], by_id);
    for (unsigned i = 0; i < cache->changed_count && !err; i++) {
        struct row_place *place = cache->changed[i];
        place->changed = false;
        if (place->len == NOT_KEPT)
            continue;
        place->row.record = str_make(place->record, place->len);
        err = cache->config.write(cache->db, &place->row);
        place->row.fresh = place->row.moved = false;
    }
    cache->changed_count = 0;
    return err;
}

/* ---- Putting ---- */

static bool ready(struct row_cache *cache)
{
    if (cache->places)
        return true;
    size_t count = cache->config.count;
    cache->places = malloc(count * (sizeof(struct row_place) + cache->config.room));
    cache->slots = calloc(count * SLOTS_PER_PLACE, sizeof cache->slots[0]);
    cache->changed = malloc(count * sizeof(struct row_place *));
    if (cache->places && cache->slots && cache->changed)
        return true;
    row_cache_clear(cache);
    return false;
}

/* The place of ID, or a free one under that id. */
static int take_place(struct row_cache *cache, struct id id, struct row_place **taken)
{
    uint32_t *slot = slot_of(cache, id);
    if (*slot == 0 && cache->filled == cache->config.count) {
        int err = row_cache_write_back(cache);
        if (err)
            return err;
        memset(cache->slots, 0, cache->config.count * SLOTS_PER_PLACE * sizeof cache->slots[0]);
        cache->filled = 0;
        slot = slot_of(cache, id);
    }
    if (*slot == 0) {
        *place_at(cache, cache->filled) = (struct row_place){.row.id = id};
        *slot = ++cache->filled;
    }
    *taken = place_at(cache, *slot - 1);
    return 0;
}

/* What the table lacks of a row that was not written yet, it lacks of the one that follows. */
static struct row merged(const struct row_place *place, const struct row *row)
{
    struct row both = *row;
    both.fresh = row->fresh || (place->changed && place->row.fresh);
    both.moved = row->moved || (place->changed && place->row.moved);
    return both;
}

int row_cache_put(struct row_cache *cache, const struct row *row)
{
    struct row_place *place;
    if (!ready(cache)) /* then nothing is kept */
        return cache->config.write(cache->db, row);
    int err = take_place(cache, row->id, &place);
    if (err)
        return err;
    place->row = merged(place, row); /* whose record is lent for this call only */
    if (row->record.len > cache->config.room) {
        place->len = NOT_KEPT;
        err = cache->config.write(cache->db, &place->row);
        place->row.fresh = place->row.moved = false;
        return err;
    }
    place->len = (uint32_t)row->record.len;
    memcpy(place->record, row->record.at, row->record.len);
    if (!place->changed)
        cache->changed[cache->changed_count++] = place;
    place->changed = true;
    return 0;
}
