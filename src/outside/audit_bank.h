/* The bank's book as the audit reads it: what is reserved and taken for each checkout.
 *
 * In the order of checkouts, from the sandbox's ledger (bank.db), streaming; or from a bank that
 * speaks Stripe's API (https://…), by its lists of payments and refunds, which are read as a whole:
 * up to BANK_CHARGES_MAX. A running bank does not mind. Apart from the audit's other files because
 * the bank's states and the shop's have some names in common. One thread.
 */
#ifndef STOA_OUTSIDE_AUDIT_BANK_H
#define STOA_OUTSIDE_AUDIT_BANK_H

#include "base/err.h"
#include "base/id.h"

#include <stdbool.h>
#include <stdint.h>

enum charge_state {
    CHARGE_NONE,     /* nothing: begun, refused, or let go */
    CHARGE_RESERVED, /* authorised */
    CHARGE_TAKEN,
};

struct bank_charge {
    char reference[64];                /* pi_… */
    struct id checkout, attempt, shop; /* zero: it names none */
    enum charge_state state;
    int64_t amount, taken, given_back;
};

enum { BANK_CHARGES_MAX = 2000000 };

/* Where it is; texts are lent as long as the book is open. */
struct bank_place {
    const char *place; /* a file, or an address */
    /* Of an address: */
    const char *key;             /* sk_… */
    const char *pin, *authority; /* outside/transfer.h; NULL: none */
};

struct bank_book;

int bank_book_open(const struct bank_place *place, struct bank_book **book,
                   struct failure *failure);
/* NULL is fine. */
void bank_book_close(struct bank_book *book);

/* Begins a view of it, at the first charge; what fails shows at its end. */
void bank_book_begin(struct bank_book *book);
/* Lent until the next call; NULL: no more, or it could not be read (bank_book_end says). */
const struct bank_charge *bank_book_charge(struct bank_book *book);
void bank_book_next(struct bank_book *book);
int bank_book_end(struct bank_book *book, struct failure *failure);

/* All charges of the bank at an address, by checkout (audit_bank_remote.c). */
struct bank_charges {
    struct bank_charge *at;
    size_t count, room;
};
int bank_charges_fetch(const struct bank_place *place, struct bank_charges *charges,
                       struct failure *failure);

#endif
