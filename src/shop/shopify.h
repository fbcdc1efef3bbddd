/* Shopify's product CSV: rows to products, and products to rows.
 *
 * Both generations of headers are read ("URL handle", "SKU", …; and the older
 * "Handle", "Variant SKU", …), in any order, other columns being left aside. Rows that
 * share a handle follow each other and are one product: its first row has the title,
 * each row with option values or a price is a variant, each with a picture address adds
 * that picture.
 *
 * A quantity counts, whatever the tracker column says: a shop that writes down how many
 * there are means it. Only where both are empty is a variant sold without counting.
 *
 * Pure: bytes in, products out, in constant memory (one product at a time; and 8 bytes
 * for each handle seen, to notice one that comes back). Not thread-safe.
 */
#ifndef STOA_SHOP_SHOPIFY_H
#define STOA_SHOP_SHOPIFY_H

#include "base/arena.h"
#include "base/buf.h"
#include "shop/csv.h"
#include "shop/model.h"

struct shopify;

struct shopify_listener {
    /* A complete product, lent for the call. ERR_FULL: it is too large and counts as a bad row;
     * another error stops the reading. */
    int (*product)(void *context, const struct product *product);
    /* Row at LINE is bad: REASON says what is wrong and what to do. The product it
     * belongs to is left out. */
    void (*bad)(void *context, uint64_t line, const char *reason);
    void *context;
};

/* CURRENCY_DIGITS: how many digits after the point its prices have (USD 2, JPY 0). */
int shopify_new(const struct shopify_listener *listener, unsigned currency_digits,
                struct shopify **shopify);
void shopify_free(struct shopify *shopify);

/* Takes the next piece of the file; LEN 0 at its end. Errors: what listener.product
 * gave; ERR_INVALID when the header is not of this format (told through bad); ERR_NOMEM. */
int shopify_feed(struct shopify *shopify, struct str bytes);

/* So far. */
struct shopify_counts {
    uint64_t rows, products, variants, bad_rows;
};
struct shopify_counts shopify_counts(const struct shopify *shopify);

/* Export in the newer generation. */
void shopify_put_header(struct buf *out);
void shopify_put_product(struct buf *out, const struct product *product, unsigned currency_digits);

#endif
