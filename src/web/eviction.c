#include "web/eviction.h"

#include "base/check.h"

/* The paper has a tenth, and ghosts for as long as all the room would take to fill anew. Measured
 * on eight loads (`stoa bench cache`) a twentieth and half as long find 1 % more: a crawler's
 * second round does not count as being asked for again. */
enum {
    FRESH_PART = 20,
    GHOSTS_PART = 2,
    PROMOTING = 2,         /* uses while fresh */
    WAYS = 4,              /* places for a ghost */
    ROOM_FOR_GHOST = 2048, /* bytes of room for each: pages are larger, their JSON as large */
    GONE_STEP = 256,       /* bytes: the ghosts' clock has 32 bits */
};

size_t eviction_ghost_count(size_t room)
{
    size_t sets = 1;
    while (sets * WAYS * ROOM_FOR_GHOST < room)
        sets *= 2;
    return sets * WAYS;
}

void eviction_init(struct eviction *eviction, size_t room, struct eviction_ghost *ghosts,
                   size_t ghost_count)
{
    *eviction = (struct eviction){.room = room, .ghosts = ghosts, .ghost_sets = ghost_count / WAYS};
    CHECK((eviction->ghost_sets & (eviction->ghost_sets - 1)) == 0);
    list_init(&eviction->fresh);
    list_init(&eviction->kept);
}

/* ---- Ghosts ---- */

static struct eviction_ghost *set_of(const struct eviction *eviction, uint64_t hash)
{
    return &eviction->ghosts[((hash >> 8) & (eviction->ghost_sets - 1)) * WAYS];
}

static uint32_t name_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

/* Never 0. Wraps after a terabyte: then a ghost may be taken for a younger one, which does no
 * harm. */
static uint32_t now_of(const struct eviction *eviction)
{
    return (uint32_t)(eviction->gone / GONE_STEP) | 1;
}

static bool is_alive(const struct eviction *eviction, const struct eviction_ghost *ghost)
{
    uint32_t age = now_of(eviction) - ghost->when;
    return ghost->when != 0 && age <= eviction->room / GHOSTS_PART / GONE_STEP;
}

/* The place for NAME: its own, an empty one, or that of the ghost that went first. */
static struct eviction_ghost *place_for(struct eviction_ghost *set, uint32_t name, uint32_t now)
{
    struct eviction_ghost *place = set;
    for (unsigned i = 0; i < WAYS; i++) {
        if (set[i].name == name)
            return &set[i];
        if (place->when != 0 && (set[i].when == 0 || now - set[i].when > now - place->when))
            place = &set[i];
    }
    return place;
}

static void remember(struct eviction *eviction, const struct eviction_entry *entry)
{
    if (!eviction->ghost_sets)
        return;
    uint32_t name = name_of(entry->hash), now = now_of(eviction);
    *place_for(set_of(eviction, entry->hash), name, now) = (struct eviction_ghost){name, now};
    eviction->gone += entry->bytes;
}

/* Whether there was a ghost of HASH, which is no more. */
static bool recall(struct eviction *eviction, uint64_t hash)
{
    if (!eviction->ghost_sets)
        return false;
    struct eviction_ghost *set = set_of(eviction, hash);
    for (unsigned i = 0; i < WAYS; i++)
        if (set[i].name == name_of(hash) && is_alive(eviction, &set[i])) {
            set[i] = (struct eviction_ghost){0};
            return true;
        }
    return false;
}

/* ---- Queues ---- */

static struct eviction_entry *oldest_of(struct list *queue)
{
    return CONTAINER_OF(queue->next, struct eviction_entry, place);
}

static void enter(struct eviction *eviction, struct eviction_entry *entry, bool kept)
{
    entry->kept = kept;
    entry->uses = 0;
    list_append(kept ? &eviction->kept : &eviction->fresh, &entry->place);
    *(kept ? &eviction->kept_bytes : &eviction->fresh_bytes) += entry->bytes;
    eviction->entries++;
}

static void leave(struct eviction *eviction, struct eviction_entry *entry)
{
    list_remove(&entry->place);
    *(entry->kept ? &eviction->kept_bytes : &eviction->fresh_bytes) -= entry->bytes;
    eviction->entries--;
}

bool eviction_add(struct eviction *eviction, struct eviction_entry *entry)
{
    bool ghost = recall(eviction, entry->hash);
    enter(eviction, entry, ghost);
    return ghost;
}

/* NULL: all that were old enough are kept now. */
static struct eviction_entry *choose_fresh(struct eviction *eviction)
{
    while (eviction->fresh_bytes > 0 &&
           (eviction->fresh_bytes > eviction->room / FRESH_PART || eviction->kept_bytes == 0)) {
        struct eviction_entry *entry = oldest_of(&eviction->fresh);
        leave(eviction, entry);
        if (entry->uses < PROMOTING) {
            remember(eviction, entry);
            return entry;
        }
        enter(eviction, entry, true);
    }
    return NULL;
}

/* Each round takes a use away, so that it comes to an end. */
static struct eviction_entry *choose_kept(struct eviction *eviction)
{
    while (!list_empty(&eviction->kept)) {
        struct eviction_entry *entry = oldest_of(&eviction->kept);
        if (entry->uses == 0) {
            leave(eviction, entry);
            return entry;
        }
        entry->uses--;
        list_remove(&entry->place);
        list_append(&eviction->kept, &entry->place);
    }
    return NULL;
}

struct eviction_entry *eviction_choose(struct eviction *eviction)
{
    struct eviction_entry *entry = choose_fresh(eviction);
    return entry ? entry : choose_kept(eviction);
}

void eviction_remove(struct eviction *eviction, struct eviction_entry *entry, bool worth_keeping)
{
    leave(eviction, entry);
    if (worth_keeping && (entry->kept || entry->uses > 0))
        remember(eviction, entry);
}
