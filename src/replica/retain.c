#include "replica/retain.h"

#include <string.h>

static struct retained *find(const struct retain *retain, uint64_t server)
{
    for (unsigned i = 0; i < retain->count; i++)
        if (retain->servers[i].server == server)
            return (struct retained *)&retain->servers[i];
    return NULL;
}

void retain_voters(struct retain *retain, const uint64_t *servers, unsigned count)
{
    struct retained now[CLUSTER_SERVERS_MAX];
    if (count > CLUSTER_SERVERS_MAX)
        count = CLUSTER_SERVERS_MAX;
    for (unsigned i = 0; i < count; i++) {
        const struct retained *known = find(retain, servers[i]);
        now[i] = known != NULL ? *known : (struct retained){.server = servers[i]};
    }
    memcpy(retain->servers, now, count * sizeof now[0]);
    retain->count = count;
}

void retain_certain(struct retain *retain, uint64_t server, uint64_t certain)
{
    struct retained *known = find(retain, server);
    if (known != NULL && certain > known->certain)
        known->certain = certain;
}

uint64_t retain_certain_of(const struct retain *retain, uint64_t server)
{
    const struct retained *known = find(retain, server);
    return known != NULL ? known->certain : 0;
}

void retain_take_up(struct retain *retain, uint64_t server)
{
    struct retained *known = find(retain, server);
    if (known != NULL)
        known->given_up = false;
}

/* ---- Bytes ---- */

/* Every second one is enough, then. */
static void thin_out(struct retain *retain)
{
    unsigned kept = 0;
    for (unsigned i = 0; i < retain->mark_count; i += 2)
        retain->marks[kept++] = retain->marks[i];
    retain->mark_count = kept;
    retain->step *= 2;
}

void retain_weigh(struct retain *retain, uint64_t index, uint64_t bytes)
{
    unsigned count = retain->mark_count;
    if (count < RETAIN_MARKS / 8 || retain->step == 0)
        retain->step = retain->fine;
    if (count > 0 && (index <= retain->marks[count - 1].index ||
                      bytes < retain->marks[count - 1].bytes + retain->step))
        return;
    if (count == RETAIN_MARKS)
        thin_out(retain);
    retain->marks[retain->mark_count].index = index;
    retain->marks[retain->mark_count++].bytes = bytes;
}

/* Only the last mark before the log's begin is of use. */
static void forget_marks(struct retain *retain, uint64_t before)
{
    unsigned gone = 0;
    while (gone + 1 < retain->mark_count && retain->marks[gone + 1].index <= before)
        gone++;
    retain->mark_count -= gone;
    memmove(retain->marks, retain->marks + gone, retain->mark_count * sizeof retain->marks[0]);
}

/* The bytes up to the last mark at INDEX or before. */
static uint64_t bytes_before(const struct retain *retain, uint64_t index)
{
    uint64_t bytes = 0;
    for (unsigned i = 0; i < retain->mark_count && retain->marks[i].index <= index; i++)
        bytes = retain->marks[i].bytes;
    return bytes;
}

/* Those up to the first mark at INDEX or after. */
static uint64_t bytes_after(const struct retain *retain, uint64_t index)
{
    for (unsigned i = 0; i < retain->mark_count; i++)
        if (retain->marks[i].index >= index)
            return retain->marks[i].bytes;
    return retain->mark_count == 0 ? 0 : retain->marks[retain->mark_count - 1].bytes;
}

uint64_t retain_bytes(const struct retain *retain, uint64_t from, uint64_t to)
{
    return to > from ? bytes_after(retain, to) - bytes_before(retain, from) : 0;
}

/* ---- Cutting ---- */

static uint64_t least_certain(const struct retain *retain, uint64_t committed)
{
    uint64_t least = committed;
    for (unsigned i = 0; i < retain->count; i++)
        if (!retain->servers[i].given_up && retain->servers[i].certain < least)
            least = retain->servers[i].certain;
    return least;
}

/* The first entry after which no more is kept than three quarters of the bound: so that the next
 * cut for want of room does not come with the next entry. */
static uint64_t fits_after(const struct retain *retain, uint64_t committed, uint64_t last)
{
    for (unsigned i = 0; i < retain->mark_count; i++)
        if (retain->marks[i].index <= committed &&
            retain_bytes(retain, retain->marks[i].index, last) <= retain->bytes_max / 4 * 3)
            return retain->marks[i].index;
    return committed;
}

uint64_t retain_cut(struct retain *retain, uint64_t first, uint64_t committed, uint64_t last,
                    uint64_t given_up[CLUSTER_SERVERS_MAX], unsigned *count)
{
    *count = 0;
    uint64_t keep_after = least_certain(retain, committed);
    uint64_t before = first > 0 ? first - 1 : 0;
    forget_marks(retain, before);
    if (keep_after < before)
        keep_after = before;
    if (retain_bytes(retain, keep_after, last) <= retain->bytes_max)
        return keep_after;
    uint64_t fits = fits_after(retain, committed, last);
    for (unsigned i = 0; i < retain->count; i++) {
        struct retained *known = &retain->servers[i];
        if (known->given_up || known->certain >= fits)
            continue;
        if (known->certain == 0)
            continue; /* it may have more than is known: as much is kept as fits */
        known->given_up = true;
        given_up[(*count)++] = known->server;
    }
    return fits > keep_after ? fits : keep_after;
}
