#include "balance/maglev.h"

#include "base/hash.h"

#include <string.h>

enum { NOBODY = 0xff };

/* Anything will do, as long as it is the same in every load manager of every version. */
static const struct hash_key OFFSET = {0x53746f6120686f6d, 1}, SKIP = {0x53746f6120686f6d, 2},
                             SLOT = {0x53746f6120686f6d, 3}, STRIDE = {0x53746f6120686f6d, 4},
                             WARM = {0x53746f6120686f6d, 5};

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
    int64_t credit;
    uint32_t weight;
    uint8_t place;
};

/* By id, so that the turns do not depend on the order in which servers are listed. */
static unsigned line_up(const struct policy_view *view, struct claimant *claimants)
{
    unsigned count = 0;
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

/* The credit that a slot costs. The heaviest server claims one slot a turn; but several when most
 * of the weight is its own, as turns in which most servers only save up cost time too. */
static uint64_t price_of_slot(const struct claimant *claimants, unsigned count)
{
    uint64_t sum = 0, heaviest = 0;
    for (unsigned i = 0; i < count; i++) {
        sum += claimants[i].weight;
        heaviest = claimants[i].weight > heaviest ? claimants[i].weight : heaviest;
    }
    uint64_t in_a_turn = count * heaviest / (8 * sum);
    uint64_t price = in_a_turn > 1 ? heaviest / in_a_turn : heaviest;
    return price ? price : 1;
}

static void fill(struct maglev *maglev, const struct policy_view *view)
{
    struct claimant claimants[POLICY_SERVERS_MAX];
    unsigned count = line_up(view, claimants), claimed = 0;
    memset(maglev->places, NOBODY, sizeof maglev->places);
    if (!count)
        return;
    int64_t price = (int64_t)price_of_slot(claimants, count);
    /* A light one might never get its turn: everybody has one slot in advance, and owes for it. */
    for (; claimed < count; claimed++) {
        claim(maglev->places, &claimants[claimed]);
        claimants[claimed].credit = -price;
    }
    for (unsigned turn = 0; claimed < MAGLEV_SLOTS; turn = turn + 1 < count ? turn + 1 : 0) {
        struct claimant *claimant = &claimants[turn];
        claimant->credit += claimant->weight;
        for (; claimant->credit >= price && claimed < MAGLEV_SLOTS; claimed++) {
            claimant->credit -= price;
            claim(maglev->places, claimant);
        }
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

int maglev_find(const struct maglev *maglev, const struct policy_view *view, uint64_t key,
                uint64_t places)
{
    uint32_t slot = (uint32_t)(hash(SLOT, key) % MAGLEV_SLOTS), stride = 0;
    uint64_t cold = 0;
    int fallback = -1;
    if (!places)
        return -1;
    if ((places & (places - 1)) == 0) /* it may have one slot of all */
        return __builtin_ctzll(places);
    for (unsigned step = 0; step < MAGLEV_SLOTS; step++) {
        if (step == 1) /* the number of slots is a prime: any stride comes by all of them */
            stride = (uint32_t)(hash(STRIDE, key) % (MAGLEV_SLOTS - 1) + 1);
        slot = (slot + stride) % MAGLEV_SLOTS;
        unsigned at = maglev->places[slot];
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
