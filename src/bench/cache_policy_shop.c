/* The shop's own: its policy alone, and its cache as it is. */
#include "base/check.h"
#include "base/hash.h"
#include "bench/cache_contest.h"
#include "http/exchange.h"
#include "web/cache.h"
#include "web/eviction.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- The policy alone: one stripe for all the room ---- */

struct place {
    struct eviction_entry entry;
    bool here;
};

struct alone {
    const struct cache_trace *trace;
    struct eviction eviction;
    struct eviction_ghost *ghosts;
    struct place places[];
};

static void *alone_new(size_t room, const struct cache_trace *trace)
{
    struct alone *alone = calloc(1, sizeof *alone + trace->objects * sizeof(struct place));
    size_t ghosts = eviction_ghost_count(room);
    if (!alone)
        return NULL;
    alone->ghosts = calloc(ghosts, sizeof *alone->ghosts);
    if (!alone->ghosts) {
        free(alone);
        return NULL;
    }
    eviction_init(&alone->eviction, room - ghosts * sizeof *alone->ghosts, alone->ghosts, ghosts);
    alone->trace = trace;
    for (uint32_t i = 0; i < trace->objects; i++) {
        const struct str name = str_make((const char *)&i, sizeof i);
        alone->places[i].entry.hash = hash_fast((struct hash_key){1, 2}, name);
        alone->places[i].entry.bytes = trace->bytes[i];
    }
    return alone;
}

static void alone_free(void *state)
{
    struct alone *alone = state;
    if (alone)
        free(alone->ghosts);
    free(alone);
}

static bool alone_get(void *state, uint32_t object)
{
    struct place *place = &((struct alone *)state)->places[object];
    if (place->here)
        eviction_use(&place->entry);
    return place->here;
}

static void alone_put(void *state, uint32_t object)
{
    struct alone *alone = state;
    struct eviction *eviction = &alone->eviction;
    while (eviction_bytes(eviction) + alone->trace->bytes[object] > eviction->room) {
        struct eviction_entry *out = eviction_choose(eviction);
        if (!out)
            return;
        CONTAINER_OF(out, struct place, entry)->here = false;
    }
    eviction_add(eviction, &alone->places[object].entry);
    alone->places[object].here = true;
}

static void alone_outdate(void *state, uint32_t object)
{
    struct alone *alone = state;
    struct place *place = &alone->places[object];
    if (place->here)
        eviction_remove(&alone->eviction, &place->entry, true);
    place->here = false;
}

const struct cache_policy cache_policy_s3fifo = {"S3-FIFO", alone_new, alone_free,
                                                 alone_get, alone_put, alone_outdate};

/* ---- The cache as it is ---- */

/* ENTRY: about what the cache adds to a page. */
enum { STEP = 256, STEPS = 256, ENTRY = 200, KEY = 32 };

struct whole {
    const struct cache_trace *trace;
    struct cache *cache;
    uint64_t index;
    struct http_page *pages[STEPS]; /* by size; made when they are needed */
    char body[STEP * STEPS];
};

static void whole_free(void *state)
{
    struct whole *whole = state;
    if (!whole)
        return;
    cache_free(whole->cache);
    for (unsigned i = 0; i < STEPS; i++)
        http_page_drop(whole->pages[i]);
    free(whole);
}

static void *whole_new(size_t room, const struct cache_trace *trace)
{
    struct whole *whole = calloc(1, sizeof *whole);
    if (!whole)
        return NULL;
    whole->trace = trace;
    whole->index = 1;
    whole->cache = cache_new(room);
    if (whole->cache)
        return whole;
    free(whole);
    return NULL;
}

static struct str key_of(char buf[KEY], uint32_t object)
{
    return str_make(buf, (size_t)snprintf(buf, KEY, "/product/%u", object));
}

static bool whole_get(void *state, uint32_t object)
{
    struct whole *whole = state;
    char buf[KEY];
    struct http_page *page = cache_get(whole->cache, key_of(buf, object));
    http_page_drop(page);
    return page != NULL;
}

static struct http_page *page_with(const struct whole *whole, size_t body)
{
    return http_page_new(200, STR("text/html"), STR("no-cache"), str_make(whole->body, body),
                         false);
}

/* A page that takes as much as OBJECT is to, with its head and what the cache adds. */
static struct http_page *page_of(struct whole *whole, uint32_t object)
{
    uint32_t step = whole->trace->bytes[object] / STEP;
    CHECK(step < STEPS);
    struct http_page *page = whole->pages[step], *empty = page ? NULL : page_with(whole, 0);
    if (empty) {
        size_t others = http_page_size(empty) + ENTRY;
        page = whole->pages[step] = page_with(whole, step * STEP - others);
        http_page_drop(empty);
    }
    return page;
}

static void whole_put(void *state, uint32_t object)
{
    struct whole *whole = state;
    struct cache_tags tags = {.index = whole->index};
    char buf[KEY];
    struct http_page *page = page_of(whole, object);
    cache_tag_product(&tags, object);
    if (page)
        cache_put(whole->cache, key_of(buf, object), page, &tags);
}

static void whole_outdate(void *state, uint32_t object)
{
    struct whole *whole = state;
    cache_changed(whole->cache, CHANGE_PRODUCT, object, STR(""), ++whole->index);
}

const struct cache_policy cache_policy_whole = {"whole cache", whole_new, whole_free,
                                                whole_get,     whole_put, whole_outdate};
