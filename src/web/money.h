/* Money as people read it, and as they type it. Minor units by ISO 4217.
 * Pure; thread: any.
 */
#ifndef STOA_WEB_MONEY_H
#define STOA_WEB_MONEY_H

#include "base/arena.h"

#include <stdint.h>

/* How many digits the minor unit has: 2 for EUR, 0 for JPY, 3 for KWD. */
unsigned money_digits(struct str currency);

/* "€1,234.50", "−$5.00", "CHF 20.00"; in ARENA. */
struct str money_text(struct arena *arena, int64_t amount, struct str currency);

/* "1234.50": for machines and for forms. */
struct str money_plain(struct arena *arena, int64_t amount, struct str currency);

/* Reads "12", "12.5", "12,50", "1234.50"; 0 or ERR_INVALID. */
int money_parse(struct str text, struct str currency, int64_t *amount);

#endif
