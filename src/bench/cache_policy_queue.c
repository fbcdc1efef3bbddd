/* The policies of one queue: LRU; CLOCK (Corbató 1968), which is a queue that gives what was used
 * another round; SIEVE (Zhang, Yang, Yue, Vigfusson and Rashmi, NSDI 2024), the same with what was
 * used staying where it is. */
#include "base/check.h"
#include "base/list.h"
#include "bench/cache_contest.h"

#include <stdlib.h>

struct place {
    struct list queue;
    bool here, used;
};

struct shelf {
    const struct cache_trace *trace;
    size_t room, bytes;
    struct list queue; /* what came first, first */
    struct list *hand; /* SIEVE's */
    struct place places[];
};

static void *shelf_new(size_t room, const struct cache_trace *trace)
{
    struct shelf *shelf = calloc(1, sizeof *shelf + trace->objects * sizeof(struct place));
    if (!shelf)
        return NULL;
    shelf->room = room;
    shelf->trace = trace;
    list_init(&shelf->queue);
    shelf->hand = &shelf->queue;
    return shelf;
}

static void take_out(struct shelf *shelf, uint32_t object)
{
    struct place *place = &shelf->places[object];
    if (shelf->hand == &place->queue)
        shelf->hand = place->queue.next;
    list_remove(&place->queue);
    shelf->bytes -= shelf->trace->bytes[object];
    place->here = false;
}

static void outdate(void *state, uint32_t object)
{
    struct shelf *shelf = state;
    if (shelf->places[object].here)
        take_out(shelf, object);
}

static uint32_t object_at(const struct shelf *shelf, struct list *at)
{
    return (uint32_t)(CONTAINER_OF(at, struct place, queue) - shelf->places);
}

static void append(struct shelf *shelf, uint32_t object)
{
    struct place *place = &shelf->places[object];
    list_append(&shelf->queue, &place->queue);
    shelf->bytes += shelf->trace->bytes[object];
    place->here = true;
    place->used = false;
}

static bool too_full(const struct shelf *shelf, uint32_t object)
{
    return shelf->bytes + shelf->trace->bytes[object] > shelf->room && !list_empty(&shelf->queue);
}

static bool use(void *state, uint32_t object)
{
    struct place *place = &((struct shelf *)state)->places[object];
    place->used = place->here;
    return place->here;
}

/* ---- LRU ---- */

static bool lru_get(void *state, uint32_t object)
{
    struct shelf *shelf = state;
    struct place *place = &shelf->places[object];
    if (!place->here)
        return false;
    list_remove(&place->queue);
    list_append(&shelf->queue, &place->queue);
    return true;
}

static void lru_put(void *state, uint32_t object)
{
    struct shelf *shelf = state;
    while (too_full(shelf, object))
        take_out(shelf, object_at(shelf, shelf->queue.next));
    append(shelf, object);
}

const struct cache_policy cache_policy_lru = {"LRU", shelf_new, free, lru_get, lru_put, outdate};

/* ---- CLOCK ---- */

static void clock_put(void *state, uint32_t object)
{
    struct shelf *shelf = state;
    while (too_full(shelf, object)) {
        uint32_t oldest = object_at(shelf, shelf->queue.next);
        bool used = shelf->places[oldest].used;
        take_out(shelf, oldest);
        if (used)
            append(shelf, oldest);
    }
    append(shelf, object);
}

const struct cache_policy cache_policy_clock = {"CLOCK", shelf_new, free, use, clock_put, outdate};

/* ---- SIEVE ---- */

static void sieve_put(void *state, uint32_t object)
{
    struct shelf *shelf = state;
    while (too_full(shelf, object)) {
        if (shelf->hand == &shelf->queue)
            shelf->hand = shelf->queue.next;
        uint32_t at = object_at(shelf, shelf->hand);
        shelf->hand = shelf->hand->next;
        if (shelf->places[at].used)
            shelf->places[at].used = false;
        else
            take_out(shelf, at);
    }
    append(shelf, object);
}

const struct cache_policy cache_policy_sieve = {"SIEVE", shelf_new, free, use, sieve_put, outdate};
