#include "main/machine.h"

#include <malloc.h>

static uint64_t machine_applied(void *shop)
{
    return shop_applied_index(shop);
}

static int64_t machine_applied_time(void *shop)
{
    return shop_applied_time(shop);
}

static int machine_begin(void *shop, struct failure *failure)
{
    return shop_begin(shop, failure);
}

static int machine_apply(void *shop, uint64_t index, int64_t time_ms, struct str command,
                         struct buf *result, struct failure *failure)
{
    return shop_apply(shop, index, time_ms, command, result, failure);
}

static int machine_commit(void *shop, uint64_t index, int64_t time_ms, struct failure *failure)
{
    return shop_commit(shop, index, time_ms, failure);
}

static int machine_make_durable(void *shop, uint64_t *index, struct failure *failure)
{
    return shop_make_durable(shop, index, failure);
}

static int machine_freeze(void *shop, struct machine_frozen *frozen, struct failure *failure)
{
    return shop_freeze(shop, &frozen->size, &frozen->index, &frozen->time_ms, failure);
}

static void machine_thaw(void *shop)
{
    shop_thaw(shop);
}

static int machine_frozen_read(void *shop, uint64_t offset, void *out, size_t len,
                               struct failure *failure)
{
    return shop_frozen_read(shop, offset, out, len, failure);
}

/* After a burst most of the heap is free, but in pieces that free() does not give back. Takes
 * some milliseconds, in which other threads wait for memory: there are no commands now. */
static void machine_rest(void *shop)
{
    shop_rest(shop);
    malloc_trim(0);
}

struct machine machine_of(struct shop *shop)
{
    return (struct machine){
        .context = shop,
        .applied = machine_applied,
        .applied_time = machine_applied_time,
        .begin = machine_begin,
        .apply = machine_apply,
        .commit = machine_commit,
        .make_durable = machine_make_durable,
        .freeze = machine_freeze,
        .thaw = machine_thaw,
        .frozen_read = machine_frozen_read,
        .rest = machine_rest,
    };
}
