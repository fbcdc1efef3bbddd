/* Records: the model's things as bytes, for commands, results and rows.
 *
 * Each thing is described once, by a function that writes or reads it depending on the
 * coder it is handed; so what is written is what is read. A reader never passes its end
 * and shows `in.bad` afterwards (base/wire.h). Strings read are lent from the record,
 * arrays come from the arena. Thread: any.
 */
#ifndef STOA_SHOP_RECORD_H
#define STOA_SHOP_RECORD_H

#include "base/arena.h"
#include "base/wire.h"
#include "shop/model.h"

struct coder {
    struct buf *out; /* writing; NULL: reading */
    struct wire in;
    struct arena *arena; /* reading */
    bool nomem;          /* reading: the arena was exhausted */
};

struct coder coder_writing(struct buf *out);
struct coder coder_reading(struct arena *arena, struct str record);
/* Reading is over: 0, ERR_INVALID (bad, or bytes are left), ERR_NOMEM. */
int coder_end(struct coder *coder);

void code_u64(struct coder *coder, uint64_t *value);
void code_u32(struct coder *coder, uint32_t *value);
void code_i64(struct coder *coder, int64_t *value);
void code_bool(struct coder *coder, bool *value);
void code_str(struct coder *coder, struct str *value);
void code_id(struct coder *coder, struct id *value);
void code_raw(struct coder *coder, void *bytes, size_t len);
/* A number from 0 to MAX; for enums: code as uint64 through a local. */
void code_count(struct coder *coder, unsigned *value, unsigned max);

void code_product(struct coder *coder, struct product *product);
void code_settings(struct coder *coder, struct shop_settings *settings);
void code_discount(struct coder *coder, struct discount *discount);
void code_shipping_rate(struct coder *coder, struct shipping_rate *rate);
void code_tax_rate(struct coder *coder, struct tax_rate *rate);
void code_buyer(struct coder *coder, struct buyer *buyer);
void code_address(struct coder *coder, struct address *address);
void code_payment(struct coder *coder, struct payment *payment);
void code_basket(struct coder *coder, struct basket *basket);
void code_cart(struct coder *coder, struct cart *cart);
void code_checkout(struct coder *coder, struct checkout *checkout);
void code_order(struct coder *coder, struct order *order);

/* Whole records, as rows keep them and results carry them: a version, then the thing. */
void record_put_cart(struct buf *out, const struct cart *cart);
void record_put_checkout(struct buf *out, const struct checkout *checkout);
void record_put_order(struct buf *out, const struct order *order);
/* 0, ERR_INVALID (not a record of a known version), ERR_NOMEM. */
int record_get_cart(struct arena *arena, struct str record, struct cart *cart);
int record_get_checkout(struct arena *arena, struct str record, struct checkout *checkout);
int record_get_order(struct arena *arena, struct str record, struct order *order);

#endif
