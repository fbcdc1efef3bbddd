/* Terms: settings, discounts, shipping and tax rates, all together in memory.
 *
 * Pricing a basket needs all of them and they are few: they are read whole, and again
 * after a command has changed one. Lent from the arena they were read into.
 */
#ifndef STOA_SHOP_TERMS_H
#define STOA_SHOP_TERMS_H

#include "base/arena.h"
#include "shop/model.h"
#include "store/db.h"

enum { TERMS_DISCOUNTS_MAX = 10000, TERMS_RATES_MAX = 5000 };

struct terms {
    struct shop_settings settings;
    struct discount *discounts; /* by key */
    unsigned discount_count;
    struct shipping_rate *rates; /* by key */
    unsigned rate_count;
    struct tax_rate *taxes; /* by country, region */
    unsigned tax_count;
};

int terms_load(struct db *db, struct arena *arena, struct terms *terms);
int terms_load_settings(struct db *db, struct arena *arena, struct shop_settings *settings);
int terms_load_discounts(struct db *db, struct arena *arena, struct discount **list,
                         unsigned *count);
int terms_load_rates(struct db *db, struct arena *arena, struct shipping_rate **list,
                     unsigned *count);
int terms_load_taxes(struct db *db, struct arena *arena, struct tax_rate **list, unsigned *count);

#endif
