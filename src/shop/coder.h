/* Coder: one description of a thing that both writes and reads it.
 *
 * A code_ function writes the thing when its coder has an `out`, else it reads it; so
 * what is written is what is read. For commands and for the rows of terms; carts,
 * checkouts and orders have their own records (shop/record.h). Reading never passes the
 * end and shows `in.bad` afterwards (base/wire.h). Strings read are lent from the
 * record, arrays come from the arena. Thread: any.
 */
#ifndef STOA_SHOP_CODER_H
#define STOA_SHOP_CODER_H

#include "base/arena.h"
#include "base/wire.h"
#include "shop/command.h"

struct coder {
    struct buf *out; /* writing; NULL: reading */
    struct wire in;
    struct arena *arena; /* reading */
    bool nomem;          /* reading: the arena was exhausted */
};

struct coder coder_writing(struct buf *out);
struct coder coder_reading(struct arena *arena, struct str record);
/* Reading is over: 0, ERR_INVALID (bad, or bytes are left), ERR_NOMEM. */
int coder_end(const struct coder *coder);

void code_u64(struct coder *coder, uint64_t *value);
void code_u32(struct coder *coder, uint32_t *value);
void code_i64(struct coder *coder, int64_t *value);
void code_bool(struct coder *coder, bool *value);
void code_str(struct coder *coder, struct str *value);
void code_id(struct coder *coder, struct id *value);
void code_raw(struct coder *coder, void *bytes, size_t len);
/* From 0 to MAX. */
void code_count(struct coder *coder, unsigned *value, unsigned max);
/* An array of *COUNT elements of SIZE; reading allocates it. false: nothing to code. */
bool code_array(struct coder *coder, void **array, unsigned *count, unsigned max, size_t size);

void code_product(struct coder *coder, struct product *product);
void code_settings(struct coder *coder, struct shop_settings *settings);
/* As their row has them: those that came later follow, where one is set. */
void code_settings_row(struct coder *coder, struct shop_settings *settings);
void code_discount(struct coder *coder, struct discount *discount);
void code_shipping_rate(struct coder *coder, struct shipping_rate *rate);
void code_tax_rate(struct coder *coder, struct tax_rate *rate);
void code_address(struct coder *coder, struct address *address);
void code_payment(struct coder *coder, struct payment *payment);
void code_basket_input(struct coder *coder, struct basket_input *basket);
/* Up to SHOP_LINES_MAX. */
void code_quantities(struct coder *coder, struct order_quantity **lines, unsigned *count);
/* Without what is read only. The row of a warehouse has the same (no epoch: see schema). */
void code_warehouse(struct coder *coder, struct warehouse *warehouse);

#endif
