/* Pricing: what a basket costs. Pure: structs in, structs out.
 *
 * Called when a cart or checkout is changed or read. Thread: any.
 *
 * Rules, in the order in which they are applied:
 *  1. line.subtotal = unit_price × quantity.
 *  2. Discounts on goods: automatic ones in key order, then codes in the order given; each
 *     takes of what those before it have left, so that 10 % and 20 % leave 72 %. Percent and
 *     fixed amounts are taken of the lines that the rule names (of all when it names none);
 *     no line falls below zero. A minimum is compared with the subtotal before discounts.
 *  3. Shipping: per service level the rate that fits the destination best (region, else
 *     country, else "default"). Free shipping makes the standard level free, or the cheapest
 *     one where there is no such level.
 *  4. Tax, by the one best fitting tax rate, on what is left of the taxable lines and, if the
 *     rate says so, on shipping.
 *
 * Every amount is an integer. A fraction is rounded once, half away from zero, on the sum it
 * belongs to; its parts (a discount's share of each line, a line's share of the tax) are then
 * allotted by largest remainders, the earlier line first on a tie, so that the parts add up.
 * Nothing overflows for prices and quantities within the bounds of shop/model.h.
 */
#ifndef STOA_SHOP_PRICING_H
#define STOA_SHOP_PRICING_H

#include "base/arena.h"
#include "shop/model.h"

/* The shop's rules. DISCOUNTS must have all automatic ones, in key order, and those whose
 * codes the basket has; others do no harm. */
struct pricing_rules {
    const struct discount *discounts;
    const struct shipping_rate *rates;
    const struct tax_rate *taxes;
    unsigned discount_count, rate_count, tax_count;
};

/* Shipping of a basket that has a destination. */
struct pricing_shipping {
    struct str asked;            /* a rate's key, or empty: the cheapest */
    struct shipping_rate *rates; /* out: room for SHOP_RATES_MAX; cheapest first */
    unsigned rate_count;         /* out */
    int chosen;                  /* out: index in rates, -1 when there are none */
};

/* Prices BASKET, whose lines have unit_price, quantity, taxable, handle and item_key, as of
 * NOW_MS. COUNTRY and REGION are where it goes, or where it is thought to go; may be empty.
 * SHIPPING is NULL when nothing is to be shipped or it is not known where to. Sets the lines'
 * amounts, `applied` and `totals`, and adds to `messages` why a code did not count. 0 or
 * ERR_NOMEM. */
int pricing_basket(struct arena *arena, const struct pricing_rules *rules, int64_t now_ms,
                   struct str country, struct str region, struct pricing_shipping *shipping,
                   struct basket *basket);

/* AMOUNT × NUMERATOR / DENOMINATOR, half away from zero. DENOMINATOR > 0; the result must
 * fit. */
int64_t pricing_share(int64_t amount, int64_t numerator, int64_t denominator);

/* Splits AMOUNT (0 ≤ AMOUNT) over COUNT parts in proportion to WEIGHTS (each ≥ 0) by largest
 * remainders; all parts 0 when all weights are. */
void pricing_allot(int64_t amount, const int64_t *weights, unsigned count, int64_t *parts);

#endif
