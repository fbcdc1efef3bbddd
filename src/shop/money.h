/* Money as text: decimal amounts to minor units and back. Pure. */
#ifndef STOA_SHOP_MONEY_H
#define STOA_SHOP_MONEY_H

#include "base/buf.h"

#include <stdint.h>

/* Digits after the point of a currency's amounts, by ISO 4217: USD 2, JPY 0, KWD 3. */
unsigned money_digits(struct str currency);

/* "12.5" as 1250 where DIGITS is 2; 0, or ERR_INVALID for what is no decimal number, has
 * more digits than the currency (other than zeros), or is beyond SHOP_MONEY_MAX. */
int money_read(struct str text, unsigned digits, int64_t *amount);

/* 1250 as "12.50". */
void money_put(struct buf *out, int64_t amount, unsigned digits);

#endif
