#include "shop/changes.h"

enum { MEMORY_MAX = 32 << 20 };

struct change {
    uint64_t product_id, index;
    struct str handle;
    struct change *next_in_bucket, *next;
};

static void forget(struct changes *changes)
{
    memset(changes->products, 0, sizeof changes->products);
    changes->first = NULL;
    changes->last = &changes->first;
    changes->catalogue_index = changes->settings_index = changes->outbox_index = 0;
    changes->lost = false;
}

void changes_init(struct changes *changes)
{
    arena_init(&changes->memory, MEMORY_MAX);
    forget(changes);
}

void changes_close(struct changes *changes)
{
    arena_close(&changes->memory);
}

void changes_product(struct changes *changes, uint64_t product_id, struct str handle,
                     uint64_t index)
{
    struct change **bucket = &changes->products[product_id % CHANGE_BUCKETS];
    struct change *change = *bucket;
    while (change && change->product_id != product_id)
        change = change->next_in_bucket;
    if (change) {
        change->index = index;
        return;
    }
    change = ARENA_NEW(&changes->memory, struct change);
    struct str copy = change ? arena_str(&changes->memory, handle) : STR_NONE;
    if (!copy.at) {
        changes->lost = true;
        return;
    }
    *change = (struct change){product_id, index, copy, *bucket, NULL};
    *bucket = change;
    *changes->last = change;
    changes->last = &change->next;
}

static void tell(const struct changes *changes, const struct shop_listener *listener,
                 uint64_t index)
{
    uint64_t settings = changes->lost ? index : changes->settings_index;
    if (settings)
        listener->changed(listener->context, CHANGE_SETTINGS, 0, STR(""), settings);
    if (changes->catalogue_index)
        listener->changed(listener->context, CHANGE_CATALOGUE, 0, STR(""),
                          changes->catalogue_index);
    if (changes->outbox_index)
        listener->changed(listener->context, CHANGE_OUTBOX, 0, STR(""), changes->outbox_index);
    for (struct change *change = changes->first; change; change = change->next)
        listener->changed(listener->context, CHANGE_PRODUCT, change->product_id, change->handle,
                          change->index);
}

void changes_tell(struct changes *changes, const struct shop_listener *listener, uint64_t index)
{
    if (listener->changed)
        tell(changes, listener, index);
    if (listener->told)
        listener->told(listener->context, index);
    if (changes->first)
        arena_reset(&changes->memory);
    forget(changes);
}
