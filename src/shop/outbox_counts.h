/* Outbox counts: how many rows of each lane are in the table, without counting them. Kept in memory
 * by who writes and removes rows; written to `meta` ("outbox/<lane>") with the commit, so that
 * readers look at a few rows however many wait. Not for other folders.
 */
#ifndef STOA_SHOP_OUTBOX_COUNTS_H
#define STOA_SHOP_OUTBOX_COUNTS_H

#include "shop/model.h"
#include "store/db.h"

enum {
    OUTBOX_COUNTS_MAX = SHOP_WAREHOUSES_MAX + 8,
    OUTBOX_COUNTS_LANE = SHOP_WAREHOUSE_ID_MAX + 16,
};

struct outbox_counts {
    struct outbox_lane_rows {
        char lane[OUTBOX_COUNTS_LANE];
        int64_t rows;
        bool changed; /* since it was saved */
    } lanes[OUTBOX_COUNTS_MAX];
    unsigned count;
};

/* Counts them, once: when the shop is opened. The failure is DB's. */
int outbox_counts_load(struct outbox_counts *counts, struct db *db);
/* LANE has so many rows more, or fewer. */
void outbox_counts_add(struct outbox_counts *counts, struct str lane, int64_t difference);
/* Before a commit: writes those that have changed. */
void outbox_counts_save(struct outbox_counts *counts, struct db *db);

#endif
