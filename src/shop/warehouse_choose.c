#include "shop/warehouse_choose.h"

#include "shop/model.h"

struct choosing {
    const struct warehouse_choice *choice;
    uint32_t left[SHOP_LINES_MAX]; /* of each line: nobody ships it yet */
    int64_t need[SHOP_LINES_MAX];  /* of each item: the same, over its lines */
};

static int64_t *free_of(const struct warehouse_choice *choice, unsigned warehouse, unsigned item)
{
    return &choice->free[(uint64_t)warehouse * choice->items + item];
}

/* Units of what is left that WAREHOUSE has. *ALL: it has all that is counted. */
static int64_t has(const struct choosing *choosing, unsigned warehouse, bool *all)
{
    const struct warehouse_choice *choice = choosing->choice;
    int64_t units = 0;
    *all = true;
    for (unsigned item = 0; item < choice->items; item++) {
        int64_t need = choosing->need[item], free = *free_of(choice, warehouse, item);
        if (!choice->counted[item])
            continue;
        if (free < need)
            *all = false;
        if (free > 0)
            units += free < need ? free : need;
    }
    return units;
}

/* The first that has all of what is left (*ALL), else the one that has most of it; -1: nobody has
 * any. */
static int best(const struct choosing *choosing, bool *all)
{
    int best = -1;
    int64_t most = 0;
    for (unsigned w = 0; w < choosing->choice->warehouses; w++) {
        int64_t units = has(choosing, w, all);
        if (*all)
            return (int)w;
        if (units > most) {
            most = units;
            best = (int)w;
        }
    }
    return best;
}

/* WAREHOUSE gets what is left: of what is counted only what it has, unless EVERYTHING. */
static void take(struct choosing *choosing, unsigned warehouse, bool everything)
{
    const struct warehouse_choice *choice = choosing->choice;
    for (unsigned line = 0; line < choice->lines; line++) {
        unsigned item = choice->item[line];
        int64_t *free = free_of(choice, warehouse, item), units = choosing->left[line];
        if (!everything && !choice->counted[item])
            continue;
        if (!everything && units > *free)
            units = *free > 0 ? *free : 0;
        choice->take[(uint64_t)warehouse * choice->lines + line] += (uint32_t)units;
        choosing->left[line] -= (uint32_t)units;
        choosing->need[item] -= units;
        *free -= units;
    }
}

static unsigned busiest(const struct warehouse_choice *choice)
{
    unsigned busiest = 0;
    uint64_t most = 0;
    for (unsigned w = 0; w < choice->warehouses; w++) {
        uint64_t units = 0;
        for (unsigned line = 0; line < choice->lines; line++)
            units += choice->take[(uint64_t)w * choice->lines + line];
        if (units > most) {
            most = units;
            busiest = w;
        }
    }
    return busiest;
}

void warehouse_choose(const struct warehouse_choice *choice)
{
    struct choosing choosing = {.choice = choice};
    for (unsigned line = 0; line < choice->lines; line++) {
        choosing.left[line] = choice->quantity[line];
        choosing.need[choice->item[line]] += choice->quantity[line];
    }
    bool all = false;
    /* Each round uses up what a warehouse has of the rest: none is chosen twice. */
    for (unsigned round = 0; round < choice->warehouses && !all; round++) {
        int next = best(&choosing, &all);
        if (next < 0)
            break;
        take(&choosing, (unsigned)next, all && round == 0);
    }
    take(&choosing, busiest(choice), true);
}
