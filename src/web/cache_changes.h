/* Cache changes: which log entry changed what last, by which the response cache judges its entries
 * (web/cache.h); and how long what it gives out may be behind.
 *
 * All of it zero at first, and no pointers inside: processes that read one database map one of
 * these, each has entries of its own, and one process writes the database and tells here. One
 * thread of that process writes; any thread of any of them reads, without a lock.
 *
 * The last change of each product is kept in a table of fixed size by a hash of its id; two
 * products that share a slot outdate each other's pages, which costs a render and never shows
 * anything old.
 *
 *     committing ──► the database shows it to all ──► changed, for each thing ──► told
 *                    └────────── a page from before may still be given out ──────┘
 *
 * Nobody has been answered about the change in that time: it is told before any result is given.
 * How long it was is noted, to be seen.
 */
#ifndef STOA_WEB_CACHE_CHANGES_H
#define STOA_WEB_CACHE_CHANGES_H

#include "shop/shop.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

enum { CACHE_CHANGES_SLOT_BITS = 15, CACHE_CHANGES_SLOTS = 1 << CACHE_CHANGES_SLOT_BITS };

/* Programs of several versions may share one, as during an upgrade: what is new comes last. */
struct cache_changes {
    _Atomic uint64_t settings, catalogue;
    _Atomic uint64_t products[CACHE_CHANGES_SLOTS];
    _Atomic uint64_t told; /* index: all changes up to it are told; 0: who writes does not say */
    _Atomic uint64_t committing_ns; /* 0, or since when one may be seen that is not told */
    _Atomic uint64_t behind_max_ns; /* the longest such time since the one who writes began */
};

/* Processes share it: a step on it must not need a lock of one of them. */
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "changes are told without a lock");

size_t cache_changes_size(void);

/* The process that is to write has opened the database, which has INDEX: whoever wrote before may
 * have died between a commit and telling it. What was rendered from less is outdated. */
void cache_changes_begin(struct cache_changes *changes, uint64_t index);

/* A commit begins; NOW_NS by clock_mono_ns, which all processes of a machine have in common. */
void cache_changes_committing(struct cache_changes *changes, uint64_t now_ns);
/* Then each thing it changed, as shop/shop.h tells it. */
void cache_changes_changed(struct cache_changes *changes, enum change_kind kind,
                           uint64_t product_id, uint64_t index);
/* Then this: all is told up to INDEX. */
void cache_changes_told(struct cache_changes *changes, uint64_t index, uint64_t now_ns);

/* How long what is given out at NOW_NS may be behind the database; 0: it is not. */
uint64_t cache_changes_behind_ns(const struct cache_changes *changes, uint64_t now_ns);

static inline uint32_t cache_changes_slot(uint64_t product_id)
{
    /* Fibonacci hashing spreads ids that follow each other. */
    return (uint32_t)((product_id * 0x9e3779b97f4a7c15ull) >> (64 - CACHE_CHANGES_SLOT_BITS));
}

#endif
