/* Audit over the shop, its bank and its warehouses: whether the three books tell the same story.
 *
 * Each book is audited by itself elsewhere (shop/audit.h, `stoa warehouse --check`); here every
 * order is held against the bank's charges and the warehouses' parcels:
 *
 *   an order          has one charge, of its attempt to pay, over its total; reserved, taken and
 *                     given back as its events say. Canceled as a whole: let go, or given back
 *   a charge          that reserves or took anything is of an order, or reserved for a checkout
 *                     whose goods are held
 *   an allotment      is at its warehouse, with the same units shipped, canceled and returned
 *   a parcel          that left is one of the order's, and each of the order's has left
 *   what lies there   of each item is what the warehouse's own stock book says
 *
 * What is under way (an open row of the outbox, a report that was not taken yet) may make the
 * books differ for a while. Unless AT_REST, what it explains is counted as under way and is no
 * difference, and what it does not explain is looked at a second time, two seconds later, because
 * the books are read one after the other: what is gone then was never wrong.
 *
 * Streams the books, orders by id; reads files alone, running processes do not mind. One thread.
 */
#ifndef STOA_OUTSIDE_AUDIT_OUTSIDE_H
#define STOA_OUTSIDE_AUDIT_OUTSIDE_H

#include "base/err.h"
#include "outside/audit_bank.h"

#include <stdbool.h>
#include <stdint.h>

enum { AUDIT_HOUSES_MAX = 64 };

struct audit_places {
    const char *shop;       /* shop.db */
    struct bank_place bank; /* place NULL: not looked at */
    /* warehouse.db, or ID=warehouse.db when the book does not say whose it is */
    const char *warehouses[AUDIT_HOUSES_MAX];
    unsigned warehouse_count;
    bool at_rest;
};

struct audit_outside_report {
    uint64_t orders, charges, parcels, items; /* looked at */
    uint64_t foreign;                         /* charges of other shops */
    uint64_t unpaired;  /* orders and items that cannot be compared: older than the bank's keys,
                           paid within a server, never counted in the main warehouse */
    uint64_t under_way; /* differences that are explained so */
    uint64_t differences;
};

int audit_outside_run(const struct audit_places *places,
                      void (*say)(void *context, const char *sentence), void *context,
                      struct audit_outside_report *report, struct failure *failure);

#endif
