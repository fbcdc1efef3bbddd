/* Auditing: what the files of the audit (shop/audit.h) share. Not for other folders. */
#ifndef STOA_SHOP_AUDITING_H
#define STOA_SHOP_AUDITING_H

#include "base/arena.h"
#include "shop/audit.h"
#include "store/db.h"

struct auditing {
    struct db *db;
    struct arena arena; /* one record's */
    void (*say)(void *context, const char *sentence);
    void *context;
    struct audit_report *report;
};

/* Says one difference, and counts it. */
void audit_say(struct auditing *audit, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* The last entry that was applied. */
uint64_t audit_index(struct db *db);

/* Whether lines, discounts, shipping and tax of WHOSE basket add up to its total. */
struct basket;
void audit_sums(struct auditing *audit, const char *whose, const struct basket *basket);

/* Each looks at its part and says what differs; failures stay with the database. */
void audit_stock(struct auditing *audit);
void audit_catalogue(struct auditing *audit);
void audit_carts(struct auditing *audit);
void audit_checkouts(struct auditing *audit);
void audit_orders(struct auditing *audit);
void audit_warehouses(struct auditing *audit);
void audit_registry(struct auditing *audit);

#endif
