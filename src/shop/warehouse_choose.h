/* Choosing: which warehouses ship what of an order. Pure; thread: any.
 *
 * One warehouse that has all of it, the first by position, as each parcel costs. If none has, as
 * few as possible, found greedily: always the one that has the most of what is left (a set cover;
 * Chvátal 1979: at most H(n) times as many as the fewest). What nobody has, and what is not
 * counted, goes to the one that ships the most anyway.
 */
#ifndef STOA_SHOP_WAREHOUSE_CHOOSE_H
#define STOA_SHOP_WAREHOUSE_CHOOSE_H

#include <stdbool.h>
#include <stdint.h>

struct warehouse_choice {
    unsigned warehouses, items, lines; /* each at least 1; warehouses by position */
    int64_t *free;                     /* [warehouse × items + item]; is used up */
    const bool *counted;               /* [item]; false: it never runs out anywhere */
    const unsigned *item;              /* [line] */
    const uint32_t *quantity;          /* [line] */
    uint32_t *take; /* [warehouse × lines + line]: the answer; all 0 when it is called */
};

/* All of each line's quantity is given to some warehouse. */
void warehouse_choose(const struct warehouse_choice *choice);

#endif
