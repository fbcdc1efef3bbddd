#include "balance/maglev.h"

#include "base/hash.h"

#include <string.h>

enum { NOBODY = 0xff };

/* Anything will do, as long as it is the same in every load manager of every version. */
static const struct hash_key OFFSET = {0x53746f6120686f6d, 1}, SKIP = {0x53746f6120686f6d, 2},
                             SLOT = {0x53746f6120686f6d, 3}, WARM = {0x53746f6120686f6d, 4};

static uint64_t hash(struct hash_key key, uint64_t value)
{
    unsigned char bytes[8];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(value >> 8 * i);
    return hash_fast(key, str_make(bytes, sizeof bytes));
}

struct claimant {
    uint64_t id;
    uint32_t next, skip; /* slots */
    uint64_t credit;
    uint32_t weight;
    uint8_t place;
};

/* By id, so that the turns do not depend on the order in which servers are listed. */
static unsigned line_up(const struct policy_view *view, struct claimant *claimants,
                        uint32_t *heaviest)
{
    unsigned count = 0;
    *heaviest = 0;
    for (unsigned i = 0; i < view->count; i++) {
        const struct policy_server *server = &view->servers[i];
        unsigned at = count;
        if (!server->weight)
            continue;
        for (; at > 0 && claimants[at - 1].id > server->id; at--)
            claimants[at] = claimants[at - 1];
        claimants[at] = (struct claimant){
            .id = server->id,
            .next = (uint32_t)(hash(OFFSET, server->id) % MAGLEV_SLOTS),
            .skip = (uint32_t)(hash(SKIP, server->id) % (MAGLEV_SLOTS - 1) + 1),
            .weight = server->weight,
            .place = (uint8_t)i,
        };
        *heaviest = server->weight > *heaviest ? server->weight : *heaviest;
        count++;
    }
    return count;
}

static void claim(uint8_t *places, struct claimant *claimant)
{
    uint32_t slot = claimant->next;
    while (places[slot] != NOBODY) {
        slot += claimant->skip;
        if (slot >= MAGLEV_SLOTS)
            slot -= MAGLEV_SLOTS;
    }
    places[slot] = claimant->place;
    claimant->next = slot;
}

static void fill(struct maglev *maglev, const struct policy_view *view)
{
    struct claimant claimants[POLICY_SERVERS_MAX];
    uint32_t heaviest;
    unsigned count = line_up(view, claimants, &heaviest), claimed = 0;
    memset(maglev->places, NOBODY, sizeof maglev->places);
    if (!count)
        return;
    for (unsigned turn = 0; claimed < MAGLEV_SLOTS; turn = turn + 1 < count ? turn + 1 : 0) {
        struct claimant *claimant = &claimants[turn];
        claimant->credit += claimant->weight;
        if (claimant->credit < heaviest)
            continue;
        claimant->credit -= heaviest;
        claim(maglev->places, claimant);
        claimed++;
    }
}

void maglev_prepare(struct maglev *maglev, const struct policy_view *view)
{
    bool same = maglev->count == view->count && view->count > 0;
    for (unsigned i = 0; same && i < view->count; i++)
        same =
            maglev->ids[i] == view->servers[i].id && maglev->weights[i] == view->servers[i].weight;
    if (same)
        return;
    maglev->count = view->count;
    for (unsigned i = 0; i < view->count; i++) {
        maglev->ids[i] = view->servers[i].id;
        maglev->weights[i] = view->servers[i].weight;
    }
    fill(maglev, view);
}

unsigned maglev_slot(uint64_t key)
{
    return (unsigned)(hash(SLOT, key) % MAGLEV_SLOTS);
}

int maglev_find(const struct maglev *maglev, const struct policy_view *view, uint64_t key,
                uint64_t places)
{
    unsigned slot = maglev_slot(key);
    uint64_t cold = 0;
    int fallback = -1;
    if (!places)
        return -1;
    for (unsigned step = 0; step < MAGLEV_SLOTS; step++) {
        unsigned at = maglev->places[slot];
        slot = slot + 1 < MAGLEV_SLOTS ? slot + 1 : 0;
        if (at == NOBODY || !(places >> at & 1) || cold >> at & 1)
            continue;
        const struct policy_server *server = &view->servers[at];
        if (server->share >= PLACE_SHARE_FULL ||
            hash(WARM, key ^ server->id) % PLACE_SHARE_FULL < server->share)
            return (int)at;
        cold |= 1ull << at;
        if (fallback < 0)
            fallback = (int)at;
        if (cold == places)
            break;
    }
    return fallback;
}
