/* The head of a result record, for whoever has its object as bytes already.
 * Used by shop.c; faces use result_encode and result_decode (shop/command.h). */
#ifndef STOA_SHOP_RESULT_H
#define STOA_SHOP_RESULT_H

#include "shop/command.h"

/* Appends RESULT, with OBJECT (a record of shop/record.h) in place of its own object. */
void result_encode_with(struct buf *out, const struct result *result, struct str object);

/* Marks the result record of LEN bytes at RECORD as a replayed one, in place. */
void result_mark_replayed(char *record, size_t len);

#endif
