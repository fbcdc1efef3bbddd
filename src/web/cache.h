/* Cache: ready-made answers, shared by all threads, exact to the log entry.
 *
 * Product pages, their JSON, home and categories. Nothing that contains a shopper's
 * own data is ever put here. An entry knows the log index that its reader saw
 * (reader_begin) and what it shows (tags). The applier tells each change with its
 * index, after the commit and before anyone gets the result; from then on an entry
 * made from an older state is not given out any more.
 *
 * The race of rendering and changing. A page rendered from state 7 may be put here
 * after change 8 was told. An entry is therefore judged when it is looked up, not when
 * a change comes: it counts only if its index is at least that of the last change of
 * each of its tags. There is no moment at which a change could be missed, whatever the
 * order of render, change and put. Putting an entry that is already outdated is refused,
 * only to save room.
 *
 * The last changes are apart from the entries (web/cache_changes.h), so that processes which read
 * one database can share them.
 *
 * Bounded in bytes, all that the entries and the cache itself take, but for the changes. It is cut
 * into stripes with a lock each; which of a stripe's entries goes when there is no room is decided
 * by S3-FIFO (web/eviction.h). What a change has outdated goes first: it is given up when it is
 * asked for, and looked for, some entries at a time, before anything else goes, until all entries
 * have been looked at once since the last change.
 *
 * Threads: cache_get and cache_put from any; cache_committing, _changed, _told from the applier's.
 */
#ifndef STOA_WEB_CACHE_H
#define STOA_WEB_CACHE_H

#include "base/str.h"
#include "web/cache_changes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cache;
struct http_page;

/* What an entry shows; every entry also depends on the settings. */
enum { CACHE_PRODUCTS_MAX = 48 };
struct cache_tags {
    uint64_t index;    /* of the state it was rendered from */
    bool catalogue;    /* the set of products, or of categories */
    uint64_t round;    /* 0, or cache_round as it was before rendering began */
    uint64_t until_ns; /* 0, or: by clock_mono_ns, when it is too old anyhow (rankings, which any
                          sale may change) */
    uint64_t products[CACHE_PRODUCTS_MAX];
    unsigned product_count;
};

/* Holds at most BYTES (0: caches nothing). NULL without memory. */
struct cache *cache_new(size_t bytes);

/* CHANGES is lent until cache_free. */
struct cache *cache_new_over(size_t bytes, struct cache_changes *changes);

void cache_free(struct cache *cache);

/* The page under KEY with a reference for the caller (http_page_drop), or NULL. */
struct http_page *cache_get(struct cache *cache, struct str key);

/* The same, and its TAGS (may be NULL). Their index is of the newest state that it is known to
 * show: that up to which all changes are told, if it was made from an older one. */
struct http_page *cache_get_tagged(struct cache *cache, struct str key, struct cache_tags *tags);

/* Keeps PAGE (takes a reference of its own) under KEY. False when it was not kept:
 * outdated already, too big, or no memory. */
bool cache_put(struct cache *cache, struct str key, struct http_page *page,
               const struct cache_tags *tags);

/* Adds a product to TAGS; more than fit make it depend on nothing less than everything:
 * such an entry is never kept. */
void cache_tag_product(struct cache_tags *tags, uint64_t product_id);

/* The shop's listener (shop/shop.h): context is the cache. */
void cache_changed(void *context, enum change_kind kind, uint64_t product_id, struct str handle,
                   uint64_t index);
void cache_committing(void *context);
void cache_told(void *context, uint64_t index);

/* The entry that changed the settings last, of those told here; 0: none. What was read after asking
 * is true as long as it is the same. */
uint64_t cache_settings_index(const struct cache *cache);

/* For what pages show besides the shop's own state: those with a round are outdated from
 * cache_renew on. Any thread. */
uint64_t cache_round(const struct cache *cache);
void cache_renew(struct cache *cache);

/* Of every 64th hit: how old the entry was, in the bucket of the first bound that is not less; the
 * last has the others. */
enum { CACHE_AGES = 8 };
extern const uint64_t cache_age_bounds_s[CACHE_AGES];

struct cache_stats {
    uint64_t hits, misses;
    uint64_t outdated; /* entries given up as a change had outdated them, asked for or not */
    uint64_t evicted;  /* those given up for room, though they were right */
    uint64_t refused;  /* not kept: outdated already, or too big */
    uint64_t ghosts;   /* kept at once, as their name was remembered */
    uint64_t bytes, limit, entries; /* bytes: what the cache itself takes included */
    uint64_t ages[CACHE_AGES + 1], ages_sum_ns;
    uint64_t told;          /* all changes up to this index are known */
    uint64_t behind_ns;     /* how long what is given out now may be behind the database */
    uint64_t behind_max_ns; /* the longest that was, since the one who writes began */
};
void cache_read_stats(struct cache *cache, struct cache_stats *stats);
/* How many log entries are in a database that has DATABASE_INDEX, read before STATS, and are not
 * told yet. 0, too, where that is not known: DATABASE_INDEX is 0, or who writes does not tell. */
uint64_t cache_lag(const struct cache_stats *stats, uint64_t database_index);

#endif
