/* Reports of warehouses: what the files that take them share. See shop/warehouse.h. Not for other
 * folders. */
#ifndef STOA_SHOP_WAREHOUSE_REPORT_H
#define STOA_SHOP_WAREHOUSE_REPORT_H

#include "shop/warehouse.h"

/* Each decides first and writes then; a refusal has changed nothing. */
int warehouse_take_shipped(struct apply *apply, const struct warehouse_report *report);
int warehouse_take_delivered(struct apply *apply, const struct warehouse_report *report);
int warehouse_take_returned(struct apply *apply, const struct warehouse_report *report);
int warehouse_take_short(struct apply *apply, const struct warehouse_report *report);
/* warehouse_goods.c */
int warehouse_take_arrived(struct apply *apply, const struct warehouse_report *report);
int warehouse_take_counted(struct apply *apply, const struct warehouse_report *report);
int warehouse_take_product(struct apply *apply, const struct warehouse_report *report);

#endif
