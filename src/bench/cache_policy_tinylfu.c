/* W-TinyLFU (Einziger, Friedman and Manes, ACM Transactions on Storage, 2017): what is new goes
 * through a small LRU queue; what falls out of it is kept only if a sketch has counted it more
 * often than what it would push out. What is kept is in two LRU queues, of those used since and of
 * the others. With objects of different sizes the newcomer has to beat each of those that would
 * go. */
#include "base/check.h"
#include "base/list.h"
#include "bench/cache_contest.h"

#include <stdlib.h>

enum queue { WINDOW, PROBATION, PROTECTED, QUEUES, AWAY = QUEUES };

enum {
    WINDOW_PART = 100, /* of the room */
    ROWS = 4,
    COUNTERS = 1 << 16, /* in a row: more than objects in any room here */
    COUNTER_MAX = 15,
    SAMPLE = 10, /* times the objects that there is room for; then all counters are halved */
};

struct place {
    struct list queue;
    enum queue in;
};

struct tinylfu {
    const struct cache_trace *trace;
    size_t room, bytes[QUEUES];
    struct list queues[QUEUES]; /* what was used longest ago first */
    uint8_t counters[ROWS][COUNTERS];
    size_t counted, sample;
    struct place places[];
};

static void *tinylfu_new(size_t room, const struct cache_trace *trace)
{
    struct tinylfu *lfu = calloc(1, sizeof *lfu + trace->objects * sizeof(struct place));
    if (!lfu)
        return NULL;
    lfu->room = room;
    lfu->trace = trace;
    lfu->sample = SAMPLE * room / (trace->catalogue_bytes / CACHE_TRACE_OBJECTS);
    for (unsigned i = 0; i < QUEUES; i++)
        list_init(&lfu->queues[i]);
    for (uint32_t i = 0; i < trace->objects; i++)
        lfu->places[i].in = AWAY;
    return lfu;
}

/* ---- The sketch ---- */

static uint8_t *counter_of(struct tinylfu *lfu, unsigned row, uint32_t object)
{
    static const uint64_t factors[ROWS] = {0x9e3779b97f4a7c15, 0xbf58476d1ce4e5b9,
                                           0x94d049bb133111eb, 0xd6e8feb86659fd93};
    return &lfu->counters[row][((object + 1) * factors[row]) >> 48];
}

static void halve(struct tinylfu *lfu)
{
    for (unsigned row = 0; row < ROWS; row++)
        for (unsigned i = 0; i < COUNTERS; i++)
            lfu->counters[row][i] /= 2;
    lfu->counted /= 2;
}

static void count(struct tinylfu *lfu, uint32_t object)
{
    for (unsigned row = 0; row < ROWS; row++) {
        uint8_t *counter = counter_of(lfu, row, object);
        *counter = (uint8_t)(*counter + (*counter < COUNTER_MAX));
    }
    if (++lfu->counted >= lfu->sample)
        halve(lfu);
}

static unsigned counted(struct tinylfu *lfu, uint32_t object)
{
    unsigned least = COUNTER_MAX;
    for (unsigned row = 0; row < ROWS; row++)
        if (*counter_of(lfu, row, object) < least)
            least = *counter_of(lfu, row, object);
    return least;
}

/* ---- Queues ---- */

static void move(struct tinylfu *lfu, uint32_t object, enum queue to)
{
    struct place *place = &lfu->places[object];
    if (place->in != AWAY) {
        list_remove(&place->queue);
        lfu->bytes[place->in] -= lfu->trace->bytes[object];
    }
    place->in = to;
    if (to != AWAY) {
        list_append(&lfu->queues[to], &place->queue);
        lfu->bytes[to] += lfu->trace->bytes[object];
    }
}

static uint32_t oldest(struct tinylfu *lfu, enum queue queue)
{
    return (uint32_t)(CONTAINER_OF(lfu->queues[queue].next, struct place, queue) - lfu->places);
}

static size_t window_room(const struct tinylfu *lfu)
{
    return lfu->room / WINDOW_PART;
}

static bool tinylfu_get(void *state, uint32_t object)
{
    struct tinylfu *lfu = state;
    enum queue in = lfu->places[object].in;
    count(lfu, object);
    if (in == AWAY)
        return false;
    move(lfu, object, in == WINDOW ? WINDOW : PROTECTED);
    while (lfu->bytes[PROTECTED] > (lfu->room - window_room(lfu)) / 5 * 4)
        move(lfu, oldest(lfu, PROTECTED), PROBATION);
    return true;
}

/* What has fallen out of the window is kept, or goes. */
static void admit(struct tinylfu *lfu, uint32_t candidate)
{
    size_t room = lfu->room - window_room(lfu);
    unsigned often = counted(lfu, candidate);
    while (lfu->bytes[PROBATION] + lfu->bytes[PROTECTED] + lfu->trace->bytes[candidate] > room) {
        enum queue from = list_empty(&lfu->queues[PROBATION]) ? PROTECTED : PROBATION;
        if (list_empty(&lfu->queues[from]) || counted(lfu, oldest(lfu, from)) >= often) {
            move(lfu, candidate, AWAY);
            return;
        }
        move(lfu, oldest(lfu, from), AWAY);
    }
    move(lfu, candidate, PROBATION);
}

static void tinylfu_put(void *state, uint32_t object)
{
    struct tinylfu *lfu = state;
    move(lfu, object, WINDOW);
    while (lfu->bytes[WINDOW] > window_room(lfu))
        admit(lfu, oldest(lfu, WINDOW));
}

static void tinylfu_outdate(void *state, uint32_t object)
{
    move(state, object, AWAY);
}

const struct cache_policy cache_policy_tinylfu = {"W-TinyLFU", tinylfu_new, free,
                                                  tinylfu_get, tinylfu_put, tinylfu_outdate};
