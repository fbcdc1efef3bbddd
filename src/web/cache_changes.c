#include "web/cache_changes.h"

#include "base/clock.h"

size_t cache_changes_size(void)
{
    return sizeof(struct cache_changes);
}

static void lower_to(_Atomic uint64_t *last, uint64_t index)
{
    if (atomic_load(last) > index)
        atomic_store(last, index);
}

/* Only the thread that tells writes, so that load and store need not be one step. */
static void raise_to(_Atomic uint64_t *last, uint64_t index)
{
    if (atomic_load(last) < index)
        atomic_store(last, index);
}

/* Time is over that began with a commit. It may have been before the machine's last start, whose
 * clock was another one. */
static void end_committing(struct cache_changes *changes, uint64_t now_ns)
{
    uint64_t behind = cache_changes_behind_ns(changes, now_ns);
    atomic_store(&changes->committing_ns, 0);
    raise_to(&changes->behind_max_ns, behind);
}

void cache_changes_begin(struct cache_changes *changes, uint64_t index)
{
    atomic_store(&changes->settings, index);
    lower_to(&changes->catalogue, index);
    for (unsigned i = 0; i < CACHE_CHANGES_SLOTS; i++)
        lower_to(&changes->products[i], index);
    atomic_store(&changes->told, index);
    atomic_store(&changes->behind_max_ns, 0);
    end_committing(changes, clock_mono_ns());
}

void cache_changes_committing(struct cache_changes *changes, uint64_t now_ns)
{
    atomic_store(&changes->committing_ns, now_ns);
}

void cache_changes_changed(struct cache_changes *changes, enum change_kind kind,
                           uint64_t product_id, uint64_t index)
{
    switch (kind) {
    case CHANGE_PRODUCT:
        raise_to(&changes->products[cache_changes_slot(product_id)], index);
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

void cache_changes_told(struct cache_changes *changes, uint64_t index, uint64_t now_ns)
{
    atomic_store(&changes->told, index);
    end_committing(changes, now_ns);
}

uint64_t cache_changes_behind_ns(const struct cache_changes *changes, uint64_t now_ns)
{
    uint64_t since = atomic_load(&changes->committing_ns);
    return since != 0 && now_ns > since ? now_ns - since : 0;
}
