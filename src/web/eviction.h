/* Eviction: which entry of a bounded store goes when there is no room. S3-FIFO (Yang, Zhang, Qiu,
 * Yue and Rashmi: FIFO queues are all you need for cache eviction, SOSP 2023), counted in bytes.
 *
 *     put ──► fresh ──(used twice)──► kept ◄─┐
 *               │                      │     │ (used since: one use less, another round)
 *               │ (not)                ├─────┘
 *               ▼                      ▼ (not)
 *             ghosts                  gone
 *
 * What is new waits in `fresh`, a twentieth of the room. What nobody asks for there again goes by
 * quickly, and takes nothing from what is kept: so a crawler that asks once for each page costs
 * that part. The name of what went stays for a while among the ghosts; when it is put again it
 * is kept at once. Being used costs one byte's change, no place in a queue: cheap, and nothing
 * that threads would have to agree upon.
 *
 * Pure: no lock, clock, random number or allocation; entries and the ghosts' memory are the
 * caller's (web/cache.c, one for each of its stripes, under its lock). The ghosts are a table of
 * fixed size with four places for each name; each says when it went, by the bytes that have gone
 * since, and counts until half of the room would have been filled anew.
 */
#ifndef STOA_WEB_EVICTION_H
#define STOA_WEB_EVICTION_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The paper has 3: with 7 what is popular outlasts a rush of newcomers a little better. */
enum { EVICTION_USES_MAX = 7 };

/* In an entry of the store. */
struct eviction_entry {
    struct list place; /* in its queue */
    uint64_t hash;     /* of its name; given by the caller, as is: */
    size_t bytes;      /* all that it costs; does not change while it is in */
    uint8_t uses;      /* at most EVICTION_USES_MAX */
    bool kept;         /* else fresh */
};

struct eviction_ghost {
    uint32_t name; /* half of the hash */
    uint32_t when; /* 0: none; else by the clock of `gone` */
};

struct eviction {
    struct list fresh, kept; /* the oldest first */
    size_t fresh_bytes, kept_bytes, entries;
    size_t room;   /* of all entries; held by the caller, who asks eviction_choose until it fits */
    uint64_t gone; /* bytes of all that became ghosts */
    struct eviction_ghost *ghosts;
    size_t ghost_sets; /* a power of two, or 0 */
};

/* How many ghosts are worth their memory for ROOM bytes: a multiple of four. */
size_t eviction_ghost_count(size_t room);

/* GHOSTS, all of it zero, are lent until nobody uses EVICTION any more. */
void eviction_init(struct eviction *eviction, size_t room, struct eviction_ghost *ghosts,
                   size_t ghost_count);

static inline void eviction_use(struct eviction_entry *entry)
{
    if (entry->uses < EVICTION_USES_MAX)
        entry->uses++;
}

/* Takes ENTRY in, whose hash and bytes are filled in. True: it was a ghost, and is kept at once. */
bool eviction_add(struct eviction *eviction, struct eviction_entry *entry);

/* The entry that is to go, taken out of its queue; NULL: there is none. */
struct eviction_entry *eviction_choose(struct eviction *eviction);

/* ENTRY goes for another reason. WORTH_KEEPING: its name is to come again, as when what it shows
 * has changed; if it was kept or used, it becomes a ghost. */
void eviction_remove(struct eviction *eviction, struct eviction_entry *entry, bool worth_keeping);

static inline size_t eviction_bytes(const struct eviction *eviction)
{
    return eviction->fresh_bytes + eviction->kept_bytes;
}

#endif
