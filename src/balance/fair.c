#include "balance/fair.h"

#include "base/check.h"

#include <stdlib.h>

/* A client who has something waiting. */
struct fair_client {
    uint64_t key;
    struct fair_client *chain; /* of its slot in the table, or of the spare ones */
    struct list turns;         /* its items, oldest first */
    struct list ring;          /* in fair->ring */
    struct list size;          /* in fair->sizes[count] */
    unsigned count;
    uint32_t credit;
};

struct fair {
    struct fair_limits limits;
    uint64_t seed;
    unsigned count;
    unsigned reserved; /* with `count` at most limits.total */
    unsigned longest;  /* no client has more waiting than this */
    struct list ring;  /* clients, whose turn is next first */
    struct list ages;  /* items, oldest first */
    struct fair_client *clients, *spare;
    unsigned used; /* of `clients`: those beyond were never touched, a large queue costs nothing */
    struct fair_client **slots;
    uint64_t slot_mask;
    struct list *sizes; /* clients by how many items they have: 0 … total */
};

static struct fair_client *client_of(struct list *ring)
{
    return CONTAINER_OF(ring, struct fair_client, ring);
}

struct fair *fair_new(const struct fair_limits *limits, uint64_t seed)
{
    struct fair *fair = calloc(1, sizeof *fair);
    if (!fair)
        return NULL;
    fair->limits = *limits;
    fair->seed = seed;
    CHECK(limits->total >= 1 && limits->total <= FAIR_TOTAL_MAX);
    if (fair->limits.per_client > limits->total)
        fair->limits.per_client = limits->total;
    uint64_t slots = 16;
    while (slots < limits->total)
        slots *= 2;
    fair->slot_mask = slots - 1;
    list_init(&fair->ring);
    list_init(&fair->ages);
    fair->clients = calloc(limits->total, sizeof *fair->clients);
    fair->slots = calloc(slots, sizeof(struct fair_client *));
    fair->sizes = calloc((size_t)limits->total + 1, sizeof *fair->sizes);
    if (!fair->clients || !fair->slots || !fair->sizes) {
        fair_free(fair);
        return NULL;
    }
    for (unsigned i = 0; i <= limits->total; i++)
        list_init(&fair->sizes[i]);
    return fair;
}

void fair_free(struct fair *fair)
{
    if (!fair)
        return;
    free(fair->clients);
    free(fair->slots);
    free(fair->sizes);
    free(fair);
}

unsigned fair_count(const struct fair *fair)
{
    return fair->count;
}

/* ---- Clients ---- */

/* Where the table has KEY, or the end of its chain. */
static struct fair_client **find(struct fair *fair, uint64_t key)
{
    uint64_t mixed = (key ^ fair->seed) * 0x9e3779b97f4a7c15;
    struct fair_client **at = &fair->slots[(mixed >> 32) & fair->slot_mask];
    while (*at && (*at)->key != key)
        at = &(*at)->chain;
    return at;
}

/* A client has at least one item, so there are never more of them than items. */
static struct fair_client *enter(struct fair *fair, struct fair_client **at, uint64_t key)
{
    struct fair_client *client = fair->spare;
    if (client) {
        fair->spare = client->chain;
    } else {
        CHECK(fair->used < fair->limits.total);
        client = &fair->clients[fair->used++];
    }
    *client = (struct fair_client){.key = key};
    list_init(&client->turns);
    list_init(&client->size);
    list_append(&fair->ring, &client->ring);
    *at = client;
    return client;
}

static void leave(struct fair *fair, struct fair_client *client)
{
    struct fair_client **at = find(fair, client->key);
    *at = client->chain;
    list_remove(&client->ring);
    list_remove(&client->size);
    client->chain = fair->spare;
    fair->spare = client;
}

/* Its count has changed by one. */
static void note_size(struct fair *fair, struct fair_client *client)
{
    list_remove(&client->size);
    list_append(&fair->sizes[client->count], &client->size);
    if (client->count > fair->longest)
        fair->longest = client->count;
    while (fair->longest > 0 && list_empty(&fair->sizes[fair->longest]))
        fair->longest--;
}

/* ---- Items ---- */

void fair_remove(struct fair *fair, struct fair_item *item)
{
    struct fair_client *client = item->client;
    if (!client)
        return;
    item->client = NULL;
    list_remove(&item->turn);
    list_remove(&item->age);
    fair->count--;
    client->count--;
    note_size(fair, client);
    if (client->count == 0)
        leave(fair, client);
}

static void append(struct fair *fair, struct fair_client *client, struct fair_item *item)
{
    item->client = client;
    list_append(&client->turns, &item->turn);
    list_append(&fair->ages, &item->age);
    fair->count++;
    client->count++;
    note_size(fair, client);
}

/* The newest item of the client with the longest queue; NULL: one with COUNT items has more
 * than any other, or as much. */
static struct fair_item *find_shed(const struct fair *fair, unsigned count)
{
    if (fair->longest <= count)
        return NULL;
    struct list *first = fair->sizes[fair->longest].next;
    struct fair_client *client = CONTAINER_OF(first, struct fair_client, size);
    return CONTAINER_OF(client->turns.prev, struct fair_item, turn);
}

static unsigned room_of(const struct fair *fair)
{
    return fair->limits.total - fair->count - fair->reserved;
}

bool fair_reserve(struct fair *fair)
{
    if (room_of(fair) == 0)
        return false;
    fair->reserved++;
    return true;
}

void fair_release(struct fair *fair)
{
    CHECK(fair->reserved > 0);
    fair->reserved--;
}

struct fair_item *fair_add(struct fair *fair, struct fair_item *item, uint64_t key, uint32_t cost,
                           uint64_t now_ns)
{
    struct fair_client **at = find(fair, key), *client = *at;
    unsigned has = client ? client->count : 0, left = room_of(fair);
    struct fair_item *shed = NULL;
    CHECK(!item->client);
    if (has >= fair->limits.per_client && has >= left)
        return item;
    if (left == 0) {
        shed = find_shed(fair, has + 1);
        if (!shed)
            return item;
        fair_remove(fair, shed);
        /* A client that leaves changes the chains. */
        at = find(fair, key);
    }
    item->since_ns = now_ns;
    item->cost = cost < 1 ? 1 : cost > FAIR_COST_MAX ? FAIR_COST_MAX : cost;
    append(fair, client ? client : enter(fair, at, key), item);
    return shed;
}

struct fair_item *fair_next(struct fair *fair)
{
    /* Ends: each turn brings its client nearer to the cost of its first item. */
    while (!list_empty(&fair->ring)) {
        struct fair_client *client = client_of(fair->ring.next);
        struct fair_item *item = CONTAINER_OF(client->turns.next, struct fair_item, turn);
        list_remove(&client->ring);
        list_append(&fair->ring, &client->ring);
        if (++client->credit < item->cost)
            continue;
        client->credit -= item->cost;
        fair_remove(fair, item);
        return item;
    }
    return NULL;
}

struct fair_item *fair_expired(struct fair *fair, uint64_t now_ns)
{
    if (fair_due(fair) > now_ns)
        return NULL;
    struct fair_item *item = CONTAINER_OF(fair->ages.next, struct fair_item, age);
    fair_remove(fair, item);
    return item;
}

uint64_t fair_due(const struct fair *fair)
{
    if (list_empty(&fair->ages))
        return UINT64_MAX;
    const struct fair_item *oldest = CONTAINER_OF(fair->ages.next, struct fair_item, age);
    return oldest->since_ns + fair->limits.wait_ns;
}
