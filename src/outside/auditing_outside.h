/* What the files of the audit over several books share (outside/audit_outside.h). */
#ifndef STOA_OUTSIDE_AUDITING_OUTSIDE_H
#define STOA_OUTSIDE_AUDITING_OUTSIDE_H

#include "base/arena.h"
#include "outside/audit_bank.h"
#include "outside/audit_outside.h"
#include "shop/read.h"
#include "store/db.h"

/* Complaints of the first look, to be told when the second one has them too. */
struct complaints {
    uint64_t *hashes;
    unsigned count, room;
    bool overflow; /* there were more: all of the second look's are told */
};

struct outside_audit {
    const struct audit_places *places;
    void (*say)(void *context, const char *sentence);
    void *context;
    struct audit_outside_report *report;
    struct reader *reader;
    struct arena arena; /* one order's */
    struct id shop;     /* zero: it has none yet */
    bool second;        /* look */
    struct complaints first;
};

/* A difference. RULE and ABOUT say which, whatever the figures in the sentence are. */
void outside_say(struct outside_audit *audit, const char *rule, struct id about, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));
/* The same, if what is under way does not explain it. */
void outside_say_unless(struct outside_audit *audit, bool explained, const char *rule,
                        struct id about, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* ---- Charges (audit_charges.c) ---- */

/* Passes over the charges of checkouts below UNTIL: none of them has an order. */
void outside_orphans(struct outside_audit *audit, struct bank_book *bank, struct id until);
/* ORDER against its charges; passes over them. */
void outside_check_charges(struct outside_audit *audit, struct bank_book *bank,
                           const struct order *order);

/* ---- Warehouses (audit_house.c) ---- */

struct house;

/* PLACE: FILE or ID=FILE. */
int house_open(const char *place, struct house **house, struct failure *failure);
void house_close(struct house *house);
int house_begin(struct outside_audit *audit, struct house *house, struct failure *failure);
/* Passes over its orders below UNTIL: the shop has none of them. */
void house_orphans(struct outside_audit *audit, struct house *house, struct id until);
void house_check_order(struct outside_audit *audit, struct house *house, const struct order *order);
void house_check_stock(struct outside_audit *audit, struct house *house);
int house_end(struct house *house, struct failure *failure);

#endif
