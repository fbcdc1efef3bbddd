#include "web/cache.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/random.h"
#include "http/exchange.h"
#include "web/eviction.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    STRIPES_MAX = 32,
    STRIPE_LEAST = 1 << 18, /* bytes: among fewer pages it would be chance which one goes */
    ENTRY_SHARE = 4,        /* an entry is at most this part of its stripe */
    ROOM_FOR_BUCKET = 2048, /* bytes of room for each: the entries there are few then */
    SWEPT = 4,              /* buckets looked through for what is outdated before another goes */
    AGE_EVERY = 64,         /* hits: a look at the clock costs as much as all the rest of one */
    BLOCK_COST = 16,        /* that malloc adds to a block, of which an entry has two */
};

const uint64_t cache_age_bounds_s[CACHE_AGES] = {1, 10, 60, 600, 3600, 21600, 86400, 604800};

struct entry {
    struct entry *chain; /* in its bucket */
    struct eviction_entry place;
    struct http_page *page;
    uint64_t index, round, until_ns, made_ns;
    uint32_t key_len, product_count;
    bool catalogue;
    uint64_t products[]; /* and the key's bytes follow */
};

/* What a hit needs comes first, in one line of the processor's cache. */
struct stripe {
    pthread_mutex_t lock;
    struct entry **buckets;
    uint64_t bucket_mask;
    uint64_t hits, misses, outdated, evicted, refused, ghosts;
    struct eviction eviction;
    /* What is outdated is looked for: the next bucket, how many are left, and which changes that
     * is about (sweep). */
    size_t swept, unswept;
    uint64_t told, round;
    uint64_t ages[CACHE_AGES + 1], ages_sum_ns;
} __attribute__((aligned(64)));

struct cache {
    struct hash_key key;
    size_t limit, fixed;   /* bytes: of all; of what is not entries */
    unsigned stripe_count; /* a power of two */
    _Atomic uint64_t renewed;
    struct cache_changes *changes;
    bool lent; /* the changes are others', too */
    struct stripe stripes[];
};

/* ---- Making ---- */

/* How the memory is cut: this struct, then the stripes' ghosts, then their buckets. */
struct plan {
    unsigned stripes;
    size_t buckets, ghosts; /* of a stripe */
    size_t bytes;
};

static struct plan plan_for(size_t bytes)
{
    struct plan plan = {.stripes = 1, .buckets = 1};
    while (plan.stripes < STRIPES_MAX && bytes / STRIPE_LEAST >= 2 * (size_t)plan.stripes)
        plan.stripes *= 2;
    size_t room = bytes / plan.stripes;
    while (plan.buckets * ROOM_FOR_BUCKET < room)
        plan.buckets *= 2;
    plan.ghosts = eviction_ghost_count(room);
    plan.bytes =
        sizeof(struct cache) +
        plan.stripes * (sizeof(struct stripe) + plan.ghosts * sizeof(struct eviction_ghost) +
                        plan.buckets * sizeof(struct entry *));
    return plan;
}

struct cache *cache_new_over(size_t bytes, struct cache_changes *changes)
{
    struct plan plan = plan_for(bytes);
    struct cache *cache = NULL;
    if (posix_memalign((void **)&cache, 64, plan.bytes) != 0)
        return NULL;
    memset(cache, 0, plan.bytes);
    random_secret(&cache->key, sizeof cache->key);
    cache->limit = bytes;
    cache->fixed = plan.bytes;
    cache->stripe_count = plan.stripes;
    cache->changes = changes;
    cache->lent = true;
    struct eviction_ghost *ghosts = (void *)&cache->stripes[plan.stripes];
    struct entry **buckets = (void *)(ghosts + plan.stripes * plan.ghosts);
    size_t room = bytes > plan.bytes ? (bytes - plan.bytes) / plan.stripes : 0;
    for (unsigned i = 0; i < plan.stripes; i++) {
        struct stripe *stripe = &cache->stripes[i];
        pthread_mutex_init(&stripe->lock, NULL);
        eviction_init(&stripe->eviction, room, ghosts + i * plan.ghosts, plan.ghosts);
        stripe->buckets = buckets + i * plan.buckets;
        stripe->bucket_mask = plan.buckets - 1;
    }
    return cache;
}

struct cache *cache_new(size_t bytes)
{
    struct cache_changes *changes = calloc(1, sizeof *changes);
    struct cache *cache = changes ? cache_new_over(bytes, changes) : NULL;
    if (cache)
        cache->lent = false;
    else
        free(changes);
    return cache;
}

static struct stripe *stripe_of(struct cache *cache, uint64_t hash)
{
    return &cache->stripes[hash & (cache->stripe_count - 1)];
}

static struct entry **bucket_of(struct stripe *stripe, uint64_t hash)
{
    return &stripe->buckets[(hash / STRIPES_MAX) & stripe->bucket_mask];
}

static struct str key_of(const struct entry *entry)
{
    return str_make((const char *)(entry->products + entry->product_count), entry->key_len);
}

/* ---- Entries; their stripe's lock is held ---- */

/* ENTRY is in no queue any more. */
static void forget(struct stripe *stripe, struct entry *entry)
{
    struct entry **at = bucket_of(stripe, entry->place.hash);
    while (*at != entry)
        at = &(*at)->chain;
    *at = entry->chain;
    http_page_drop(entry->page);
    free(entry);
}

/* Another one is to come in its place. */
static void replace(struct stripe *stripe, struct entry *entry)
{
    eviction_remove(&stripe->eviction, &entry->place, true);
    forget(stripe, entry);
}

void cache_free(struct cache *cache)
{
    if (!cache)
        return;
    for (unsigned i = 0; i < cache->stripe_count; i++) {
        struct stripe *stripe = &cache->stripes[i];
        struct eviction_entry *entry;
        while ((entry = eviction_choose(&stripe->eviction)))
            forget(stripe, CONTAINER_OF(entry, struct entry, place));
        pthread_mutex_destroy(&stripe->lock);
    }
    if (!cache->lent)
        free(cache->changes);
    free(cache);
}

static bool is_current(struct cache *cache, const struct entry *entry)
{
    const struct cache_changes *changes = cache->changes;
    if (entry->index < atomic_load(&changes->settings))
        return false;
    if (entry->round && entry->round != cache_round(cache))
        return false;
    if (entry->catalogue && entry->index < atomic_load(&changes->catalogue))
        return false;
    for (unsigned i = 0; i < entry->product_count; i++)
        if (entry->index < atomic_load(&changes->products[cache_changes_slot(entry->products[i])]))
            return false;
    return entry->until_ns == 0 || clock_mono_ns() < entry->until_ns;
}

static struct entry *find(struct stripe *stripe, uint64_t hash, struct str key)
{
    struct entry *entry = *bucket_of(stripe, hash);
    while (entry && (entry->place.hash != hash || !str_eq(key_of(entry), key)))
        entry = entry->chain;
    return entry;
}

/* ---- Looking up ---- */

static void note_age(struct stripe *stripe, const struct entry *entry)
{
    uint64_t age_ns = clock_coarse_ns() - entry->made_ns;
    unsigned bucket = 0;
    while (bucket < CACHE_AGES && age_ns > cache_age_bounds_s[bucket] * SEC_NS)
        bucket++;
    stripe->ages[bucket]++;
    stripe->ages_sum_ns += age_ns;
}

/* ENTRY was found current after all changes up to TOLD were known. */
static void list_tags(const struct entry *entry, uint64_t told, struct cache_tags *tags)
{
    *tags = (struct cache_tags){
        .index = entry->index > told ? entry->index : told,
        .catalogue = entry->catalogue,
        .round = entry->round,
        .until_ns = entry->until_ns,
        .product_count = entry->product_count,
    };
    memcpy(tags->products, entry->products, entry->product_count * sizeof *entry->products);
}

struct http_page *cache_get(struct cache *cache, struct str key)
{
    return cache_get_tagged(cache, key, NULL);
}

struct http_page *cache_get_tagged(struct cache *cache, struct str key, struct cache_tags *tags)
{
    uint64_t hash = hash_fast(cache->key, key);
    struct stripe *stripe = stripe_of(cache, hash);
    struct http_page *page = NULL;
    uint64_t told = atomic_load(&cache->changes->told);
    pthread_mutex_lock(&stripe->lock);
    struct entry *entry = find(stripe, hash, key);
    if (entry && !is_current(cache, entry)) {
        replace(stripe, entry);
        stripe->outdated++;
        entry = NULL;
    }
    if (entry) {
        eviction_use(&entry->place);
        page = http_page_hold(entry->page);
        if (tags)
            list_tags(entry, told, tags);
        if (stripe->hits++ % AGE_EVERY == 0)
            note_age(stripe, entry);
    } else {
        stripe->misses++;
    }
    pthread_mutex_unlock(&stripe->lock);
    return page;
}

/* ---- Keeping ---- */

/* Whether there are buckets that nobody has looked through since the last change: it is told after
 * it is noted, and what is put after that is not outdated by it. Who tells no index (a program
 * before 0.6) may have changed something at any time. */
static bool is_to_be_swept(struct cache *cache, struct stripe *stripe)
{
    uint64_t told = atomic_load(&cache->changes->told), round = cache_round(cache);
    if (told == 0 || told != stripe->told || round != stripe->round) {
        stripe->told = told;
        stripe->round = round;
        stripe->unswept = stripe->bucket_mask + 1;
    }
    return stripe->unswept > 0;
}

/* Gives up what is outdated in the next few buckets. What is outdated by time alone is not worth
 * looking for: it goes when it is asked for, or when its turn comes. */
static void sweep(struct cache *cache, struct stripe *stripe)
{
    for (unsigned i = 0; i < SWEPT && is_to_be_swept(cache, stripe); i++) {
        struct entry *entry = stripe->buckets[stripe->swept], *next;
        for (; entry; entry = next) {
            next = entry->chain;
            if (!is_current(cache, entry)) {
                replace(stripe, entry);
                stripe->outdated++;
            }
        }
        stripe->swept = (stripe->swept + 1) & stripe->bucket_mask;
        stripe->unswept--;
    }
}

static bool is_full(const struct stripe *stripe, size_t bytes)
{
    return eviction_bytes(&stripe->eviction) + bytes > stripe->eviction.room;
}

static void make_room(struct cache *cache, struct stripe *stripe, size_t bytes)
{
    while (is_full(stripe, bytes)) {
        sweep(cache, stripe);
        if (!is_full(stripe, bytes))
            break;
        struct eviction_entry *chosen = eviction_choose(&stripe->eviction);
        CHECK(chosen); /* an entry is a part of the room only */
        struct entry *entry = CONTAINER_OF(chosen, struct entry, place);
        if (is_current(cache, entry))
            stripe->evicted++;
        else
            stripe->outdated++;
        forget(stripe, entry);
    }
}

static void insert(struct cache *cache, struct stripe *stripe, struct entry *entry)
{
    struct entry **bucket = bucket_of(stripe, entry->place.hash);
    make_room(cache, stripe, entry->place.bytes);
    entry->chain = *bucket;
    *bucket = entry;
    stripe->ghosts += eviction_add(&stripe->eviction, &entry->place);
}

static struct entry *entry_new(struct cache *cache, struct str key, struct http_page *page,
                               const struct cache_tags *tags)
{
    size_t products = tags->product_count * sizeof *tags->products;
    size_t size = sizeof(struct entry) + products + key.len;
    struct entry *entry = calloc(1, size);
    if (!entry)
        return NULL;
    entry->product_count = tags->product_count;
    memcpy(entry->products, tags->products, products);
    memcpy(entry->products + entry->product_count, key.at, key.len);
    entry->key_len = (uint32_t)key.len;
    entry->page = page;
    entry->place.hash = hash_fast(cache->key, key);
    entry->place.bytes = size + http_page_size(page) + 2 * BLOCK_COST;
    entry->index = tags->index;
    entry->round = tags->round;
    entry->until_ns = tags->until_ns;
    entry->made_ns = clock_coarse_ns();
    entry->catalogue = tags->catalogue;
    return entry;
}

/* Whether ENTRY was taken in; else it is still the caller's. */
static bool take(struct cache *cache, struct stripe *stripe, struct entry *entry)
{
    if (entry->place.bytes > stripe->eviction.room / ENTRY_SHARE || !is_current(cache, entry)) {
        stripe->refused++;
        return false;
    }
    struct entry *old = find(stripe, entry->place.hash, key_of(entry));
    if (old && old->index > entry->index) /* another thread rendered a newer state */
        return false;
    if (old)
        replace(stripe, old);
    insert(cache, stripe, entry);
    http_page_hold(entry->page);
    return true;
}

bool cache_put(struct cache *cache, struct str key, struct http_page *page,
               const struct cache_tags *tags)
{
    if (tags->product_count > CACHE_PRODUCTS_MAX)
        return false;
    struct entry *entry = entry_new(cache, key, page, tags);
    if (!entry)
        return false;
    struct stripe *stripe = stripe_of(cache, entry->place.hash);
    pthread_mutex_lock(&stripe->lock);
    bool taken = take(cache, stripe, entry);
    pthread_mutex_unlock(&stripe->lock);
    if (!taken)
        free(entry);
    return taken;
}

void cache_tag_product(struct cache_tags *tags, uint64_t product_id)
{
    if (tags->product_count < CACHE_PRODUCTS_MAX)
        tags->products[tags->product_count] = product_id;
    if (tags->product_count <= CACHE_PRODUCTS_MAX)
        tags->product_count++;
}

/* ---- Changes ---- */

void cache_changed(void *context, enum change_kind kind, uint64_t product_id, struct str handle,
                   uint64_t index)
{
    (void)handle;
    cache_changes_changed(((struct cache *)context)->changes, kind, product_id, index);
}

void cache_committing(void *context)
{
    cache_changes_committing(((struct cache *)context)->changes, clock_mono_ns());
}

void cache_told(void *context, uint64_t index)
{
    cache_changes_told(((struct cache *)context)->changes, index, clock_mono_ns());
}

uint64_t cache_settings_index(const struct cache *cache)
{
    return atomic_load(&cache->changes->settings);
}

uint64_t cache_round(const struct cache *cache)
{
    return 1 + atomic_load(&cache->renewed);
}

void cache_renew(struct cache *cache)
{
    atomic_fetch_add(&cache->renewed, 1);
}

/* ---- Figures ---- */

static void add_stripe(struct cache_stats *stats, const struct stripe *stripe)
{
    stats->hits += stripe->hits;
    stats->misses += stripe->misses;
    stats->outdated += stripe->outdated;
    stats->evicted += stripe->evicted;
    stats->refused += stripe->refused;
    stats->ghosts += stripe->ghosts;
    stats->bytes += eviction_bytes(&stripe->eviction);
    stats->entries += stripe->eviction.entries;
    stats->ages_sum_ns += stripe->ages_sum_ns;
    for (unsigned i = 0; i <= CACHE_AGES; i++)
        stats->ages[i] += stripe->ages[i];
}

void cache_read_stats(struct cache *cache, struct cache_stats *stats)
{
    const struct cache_changes *changes = cache->changes;
    *stats = (struct cache_stats){
        .bytes = cache->fixed,
        .limit = cache->limit,
        .told = atomic_load(&changes->told),
        .behind_ns = cache_changes_behind_ns(changes, clock_mono_ns()),
        .behind_max_ns = atomic_load(&changes->behind_max_ns),
    };
    for (unsigned i = 0; i < cache->stripe_count; i++) {
        struct stripe *stripe = &cache->stripes[i];
        pthread_mutex_lock(&stripe->lock);
        add_stripe(stats, stripe);
        pthread_mutex_unlock(&stripe->lock);
    }
}

/* A program before 0.6 that writes does not say what it has told. */
uint64_t cache_lag(const struct cache_stats *stats, uint64_t database_index)
{
    return stats->told && database_index > stats->told ? database_index - stats->told : 0;
}
