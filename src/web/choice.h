/* Choice: which variant of a product is meant, by key or by chosen options, and what to
 * say of its stock. Pure; thread: any.
 */
#ifndef STOA_WEB_CHOICE_H
#define STOA_WEB_CHOICE_H

#include "shop/model.h"

enum { STOCK_LOW = 5 };

/* Whether a shopper can have one more of it. */
bool variant_sells(const struct variant *variant);

/* Index of the variant with KEY, or -1. */
int choice_by_key(const struct product *product, struct str key);

/* Index of the variant whose options are OPTIONS (of product.option_count), or -1. */
int choice_by_options(const struct product *product, const struct str options[SHOP_OPTIONS_MAX]);

/* The one to show first: the first that sells, else the first; -1 when there are none. */
int choice_default(const struct product *product);

/* Whether there is a variant that sells with VALUE in option AXIS and otherwise the options
 * of variant CHOSEN. */
bool choice_sells_with(const struct product *product, int chosen, unsigned axis, struct str value);

#endif
