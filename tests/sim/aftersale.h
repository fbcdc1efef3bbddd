/* After the sale: the bank, two warehouses and an office, outside all servers.
 *
 * The courier does what the primary's outbox does, without knowing who is primary: it reads what is
 * to leave on any server, brings it to the bank, the warehouses, platforms and shoppers, and takes
 * the answers back; some get lost, and what it reads may be old, so that the same is brought again.
 * Bank and warehouses do each effect once, by its id, and remember what they did: at the end their
 * books must say the same as the shop's. A warehouse reports what it sends, and what arrives.
 *
 * The office cancels, sends by hand, takes back and refunds whatever order it comes across.
 */
#ifndef STOA_SIM_AFTERSALE_H
#define STOA_SIM_AFTERSALE_H

#include "shop/command.h"

#include <stdbool.h>
#include <stdint.h>

struct shopper;

/* Registers as many warehouses as this seed has. On the owner's fiber. */
void aftersale_open(struct shopper *owner);
/* What the two do, one thing after another. False: there is nothing left to be done. */
bool courier_works(struct shopper *courier, bool shop_is_quiet);
void office_works(struct shopper *office);

/* What COMMAND, which was not refused, did: called in the order of the log. AGAIN: its operation
 * was done before. ARRIVED: units of each item that there must be. */
void aftersale_applied(uint64_t index, const struct command *command, const struct result *result,
                       bool again, int64_t *arrived);

/* The copy in FILE, of SERVER, agrees with bank and warehouses. */
void aftersale_check(unsigned server, const char *file);

/* The bank does again what it has done before: to be noticed. */
void aftersale_break_bank(void);

#endif
