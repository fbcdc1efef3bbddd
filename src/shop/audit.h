/* Audit: every count derived again from what it is made of, and compared.
 *
 * For `stoa audit DIR` and for tests after a crash. Reads the database file alone
 * (a running server does not mind), streaming, in constant memory. Checks per
 * variant: received + adjusted = available + held + sold; held = open holds; sold =
 * lines of orders not canceled. Per order: lines, discounts, shipping and tax add up
 * to the total; one order per checkout; numbers without gaps or repeats. Per cart and
 * checkout: the record can be read. Search index and catalogue agree. SQLite's own
 * integrity check.
 */
#ifndef STOA_SHOP_AUDIT_H
#define STOA_SHOP_AUDIT_H

#include "base/err.h"
#include "store/digest.h"

#include <stdint.h>

struct audit_report {
    uint64_t variants, holds, orders, carts, checkouts; /* looked at */
    uint64_t differences;
    uint64_t index; /* the state's last entry */
};

/* Calls SAY(context, sentence) for each difference. ERR_OK when the audit could be
 * made, whatever it found. */
int audit_run(const char *file, void (*say)(void *context, const char *sentence), void *context,
              struct audit_report *report, struct failure *failure);

/* The digest (store/digest.h) of FILE's content. *INDEX: the last entry applied. */
int audit_digest(const char *file, unsigned char digest[DB_DIGEST], uint64_t *index,
                 struct failure *failure);

#endif
