#include "web/cache.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/random.h"
#include "http/exchange.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum {
    STRIPES = 32,
    SLOTS = 1 << 15,           /* of products' last changes: 256 KiB */
    ENTRY_SHARE = 4,           /* an entry is at most this part of its stripe */
    BUCKETS_PER_STRIPE = 1024, /* a chain of four at 128k entries is still short */
};

struct entry {
    struct entry *chain;       /* in its bucket */
    struct entry *next, *prev; /* in its stripe's ring */
    uint64_t hash;
    struct http_page *page;
    size_t bytes;
    uint64_t index, round, until_ns;
    bool catalogue;
    bool used; /* since the hand came by */
    unsigned slot_count;
    uint32_t *slots;
    struct str key;
    /* slots and key's bytes follow */
};

struct stripe {
    pthread_mutex_t lock;
    struct entry *buckets[BUCKETS_PER_STRIPE];
    struct entry *hand;
    size_t bytes, entries;
    uint64_t hits, misses, outdated, evicted, refused;
} __attribute__((aligned(64)));

/* Processes share it: a step on it must not need a lock of one of them. */
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2, "changes are told without a lock");

struct cache_changes {
    _Atomic uint64_t settings, catalogue;
    _Atomic uint64_t products[SLOTS];
};

struct cache {
    struct hash_key key;
    size_t stripe_bytes;
    _Atomic uint64_t renewed;
    struct cache_changes *changes;
    bool lent; /* the changes are others', too */
    struct stripe stripes[STRIPES];
};

size_t cache_changes_size(void)
{
    return sizeof(struct cache_changes);
}

static void lower_to(_Atomic uint64_t *last, uint64_t index)
{
    if (atomic_load(last) > index)
        atomic_store(last, index);
}

void cache_changes_begin(struct cache_changes *changes, uint64_t index)
{
    atomic_store(&changes->settings, index);
    lower_to(&changes->catalogue, index);
    for (unsigned i = 0; i < SLOTS; i++)
        lower_to(&changes->products[i], index);
}

struct cache *cache_new_over(size_t bytes, struct cache_changes *changes)
{
    struct cache *cache = NULL;
    if (posix_memalign((void **)&cache, 64, sizeof *cache) != 0)
        return NULL;
    memset(cache, 0, sizeof *cache);
    random_secret(&cache->key, sizeof cache->key);
    cache->stripe_bytes = bytes / STRIPES;
    cache->changes = changes;
    cache->lent = true;
    for (unsigned i = 0; i < STRIPES; i++)
        pthread_mutex_init(&cache->stripes[i].lock, NULL);
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
    return &cache->stripes[hash % STRIPES];
}

static struct entry **bucket_of(struct stripe *stripe, uint64_t hash)
{
    return &stripe->buckets[(hash / STRIPES) % BUCKETS_PER_STRIPE];
}

static uint32_t slot_of(uint64_t product_id)
{
    /* Fibonacci hashing spreads ids that follow each other. */
    return (uint32_t)((product_id * 0x9e3779b97f4a7c15ull) >> 49);
}

/* Takes ENTRY out of its stripe, whose lock is held. */
static void drop(struct stripe *stripe, struct entry *entry)
{
    struct entry **at = bucket_of(stripe, entry->hash);
    while (*at != entry)
        at = &(*at)->chain;
    *at = entry->chain;
    if (entry->next == entry) {
        stripe->hand = NULL;
    } else {
        entry->prev->next = entry->next;
        entry->next->prev = entry->prev;
        if (stripe->hand == entry)
            stripe->hand = entry->next;
    }
    stripe->bytes -= entry->bytes;
    stripe->entries--;
    http_page_drop(entry->page);
    free(entry);
}

void cache_free(struct cache *cache)
{
    if (!cache)
        return;
    for (unsigned i = 0; i < STRIPES; i++) {
        while (cache->stripes[i].hand)
            drop(&cache->stripes[i], cache->stripes[i].hand);
        pthread_mutex_destroy(&cache->stripes[i].lock);
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
    for (unsigned i = 0; i < entry->slot_count; i++)
        if (entry->index < atomic_load(&changes->products[entry->slots[i]]))
            return false;
    return entry->until_ns == 0 || clock_mono_ns() < entry->until_ns;
}

static struct entry *find(struct stripe *stripe, uint64_t hash, struct str key)
{
    struct entry *entry = *bucket_of(stripe, hash);
    while (entry && (entry->hash != hash || !str_eq(entry->key, key)))
        entry = entry->chain;
    return entry;
}

struct http_page *cache_get(struct cache *cache, struct str key)
{
    uint64_t hash = hash_fast(cache->key, key);
    struct stripe *stripe = stripe_of(cache, hash);
    struct http_page *page = NULL;
    pthread_mutex_lock(&stripe->lock);
    struct entry *entry = find(stripe, hash, key);
    if (entry && !is_current(cache, entry)) {
        drop(stripe, entry);
        stripe->outdated++;
        entry = NULL;
    }
    if (entry) {
        entry->used = true;
        page = http_page_hold(entry->page);
        stripe->hits++;
    } else {
        stripe->misses++;
    }
    pthread_mutex_unlock(&stripe->lock);
    return page;
}

/* CLOCK: the hand goes round; what was used since its last visit gets another one. */
static void make_room(struct cache *cache, struct stripe *stripe, size_t bytes)
{
    while (stripe->hand && stripe->bytes + bytes > cache->stripe_bytes) {
        struct entry *entry = stripe->hand;
        if (entry->used) {
            entry->used = false;
            stripe->hand = entry->next;
        } else {
            drop(stripe, entry);
            stripe->evicted++;
        }
    }
}

static void insert(struct stripe *stripe, struct entry *entry)
{
    struct entry **bucket = bucket_of(stripe, entry->hash);
    entry->chain = *bucket;
    *bucket = entry;
    if (stripe->hand) { /* behind the hand: it is visited last */
        entry->next = stripe->hand;
        entry->prev = stripe->hand->prev;
        entry->prev->next = entry;
        entry->next->prev = entry;
    } else {
        stripe->hand = entry->next = entry->prev = entry;
    }
    stripe->bytes += entry->bytes;
    stripe->entries++;
}

static struct entry *entry_new(struct str key, struct http_page *page,
                               const struct cache_tags *tags)
{
    size_t slots = tags->product_count * sizeof(uint32_t);
    size_t size = sizeof(struct entry) + slots + key.len;
    struct entry *entry = calloc(1, size);
    if (!entry)
        return NULL;
    entry->slots = (uint32_t *)(entry + 1);
    entry->slot_count = tags->product_count;
    for (unsigned i = 0; i < tags->product_count; i++)
        entry->slots[i] = slot_of(tags->products[i]);
    char *text = (char *)(entry + 1) + slots;
    memcpy(text, key.at, key.len);
    entry->key = str_make(text, key.len);
    entry->page = page;
    entry->bytes = size + http_page_size(page);
    entry->index = tags->index;
    entry->round = tags->round;
    entry->until_ns = tags->until_ns;
    entry->catalogue = tags->catalogue;
    return entry;
}

bool cache_put(struct cache *cache, struct str key, struct http_page *page,
               const struct cache_tags *tags)
{
    if (tags->product_count > CACHE_PRODUCTS_MAX)
        return false;
    struct entry *entry = entry_new(key, page, tags);
    if (!entry)
        return false;
    entry->hash = hash_fast(cache->key, key);
    struct stripe *stripe = stripe_of(cache, entry->hash);

    pthread_mutex_lock(&stripe->lock);
    if (entry->bytes > cache->stripe_bytes / ENTRY_SHARE || !is_current(cache, entry)) {
        stripe->refused++;
        pthread_mutex_unlock(&stripe->lock);
        free(entry);
        return false;
    }
    struct entry *old = find(stripe, entry->hash, entry->key);
    if (old && old->index > entry->index) { /* another thread rendered a newer state */
        pthread_mutex_unlock(&stripe->lock);
        free(entry);
        return false;
    }
    if (old)
        drop(stripe, old);
    make_room(cache, stripe, entry->bytes);
    http_page_hold(page);
    insert(stripe, entry);
    pthread_mutex_unlock(&stripe->lock);
    return true;
}

void cache_tag_product(struct cache_tags *tags, uint64_t product_id)
{
    if (tags->product_count < CACHE_PRODUCTS_MAX)
        tags->products[tags->product_count] = product_id;
    if (tags->product_count <= CACHE_PRODUCTS_MAX)
        tags->product_count++;
}

/* Only the applier's thread writes, so that load and store need not be one step. */
static void raise_to(_Atomic uint64_t *last, uint64_t index)
{
    if (atomic_load(last) < index)
        atomic_store(last, index);
}

void cache_changed(void *context, enum change_kind kind, uint64_t product_id, struct str handle,
                   uint64_t index)
{
    (void)handle;
    struct cache_changes *changes = ((struct cache *)context)->changes;
    switch (kind) {
    case CHANGE_PRODUCT:
        raise_to(&changes->products[slot_of(product_id)], index);
        break;
    case CHANGE_CATALOGUE:
        raise_to(&changes->catalogue, index);
        break;
    case CHANGE_SETTINGS:
        raise_to(&changes->settings, index);
        break;
    case CHANGE_OUTBOX:
        break;
    }
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

void cache_read_stats(struct cache *cache, struct cache_stats *stats)
{
    *stats = (struct cache_stats){0};
    for (unsigned i = 0; i < STRIPES; i++) {
        struct stripe *stripe = &cache->stripes[i];
        pthread_mutex_lock(&stripe->lock);
        stats->hits += stripe->hits;
        stats->misses += stripe->misses;
        stats->outdated += stripe->outdated;
        stats->evicted += stripe->evicted;
        stats->refused += stripe->refused;
        stats->bytes += stripe->bytes;
        stats->entries += stripe->entries;
        pthread_mutex_unlock(&stripe->lock);
    }
}
