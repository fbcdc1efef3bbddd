/* What the files that implement shop/read.h share. Not for other folders. */
#ifndef STOA_SHOP_READER_H
#define STOA_SHOP_READER_H

#include "shop/item.h"
#include "shop/read.h"
#include "shop/terms.h"
#include "store/db.h"

struct reader {
    struct db *db;
    struct items items; /* facts of this view's catalogue; counts by items_load_stock */
    struct arena terms_memory;
    struct terms terms;
    bool terms_known;
    uint64_t catalogue_index; /* what items and terms were read at */
    unsigned depth;           /* of reader_begin, so that queries can nest */
};

/* Each query runs between these two: one view, items and terms belong to it.
 * reader_leave gives ERR, or the connection's failure (which it forgets). */
int reader_enter(struct reader *reader);
int reader_leave(struct reader *reader, int err);
/* Settings and rates of this view; NULL: failed. */
const struct terms *reader_terms(struct reader *reader);
/* log time of this view: what "now" is for prices */
int64_t reader_applied_time(struct reader *reader);

#endif
