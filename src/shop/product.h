/* Product rows: how a product is written into the tables. For catalogue.c, import.c and
 * stock.c; the applier's thread. */
#ifndef STOA_SHOP_PRODUCT_H
#define STOA_SHOP_PRODUCT_H

#include "shop/apply.h"

/* Checks PRODUCT and fills in what may be left out: the handle (from the title) and the
 * variants' keys. 0, or ERR_INVALID with a sentence in the result. Nothing is written. */
int product_check(struct apply *apply, struct product *product);

/* That of a product of which only the title is known. */
struct str product_handle(struct arena *arena, struct str title);

/* Finds the ids of a checked product's variants that are there already. ERR_EXISTS with a
 * sentence in the result when a key belongs to another product. Nothing is written. */
int product_match(struct apply *apply, struct product *product);

/* Creates or replaces a checked product: variants are matched by key, those that are no
 * longer named are retired. ERR_EXISTS, before anything is written, when a key belongs to
 * another product. */
int product_write(struct apply *apply, struct product *product);

/* As the tables have it, retired or not; its counts may be older than those in memory. All of it
 * is in ARENA. ERR_NOTFOUND. */
int product_load(struct db *db, struct arena *arena, struct str handle, struct product *product);

/* PRODUCT_PUT: checks and writes PRODUCT, and tells that the catalogue changed. */
int product_put(struct apply *apply, struct product *product);

/* Derives what lists show of a product (prices, available, popularity, …) from its
 * variants and their stock rows. By how many its variants have become more. */
int64_t product_refresh(struct db *db, uint64_t product_id);

/* A product is listed (1) or no more (-1): keeps the counts of all and of its category. */
void product_count_listed(struct apply *apply, uint64_t category_id, int difference);
/* The id of the category NAME, which is made if need be. 0 for an empty name. */
uint64_t product_category(struct apply *apply, struct str name);

/* Puts a product's words into the search index, in the place of those it had. */
void product_index_words(struct apply *apply, uint64_t product_id, const struct product *product);

#endif
