/* Outbox: the rows of what is to leave the cluster. Not for other folders; they read it by
 * shop/read.h and answer it by OUTBOX_DONE.
 *
 * A row is written in the transaction of its cause and removed in that of its answer, so that an
 * effect which was decided is never forgotten, and one that was answered never begins anew. Its
 * number is never used twice, even when the table was empty meanwhile.
 */
#ifndef STOA_SHOP_OUTBOX_H
#define STOA_SHOP_OUTBOX_H

#include "shop/apply.h"

/* As outbox_read wants them. */
#define OUTBOX_COLUMNS \
    "seq, lane, kind, number, order_id, event, effect, amount, time_ms, log_index, record"

/* The row that STMT shows; its strings and lines are in ARENA. ERR_NOMEM, ERR_DAMAGED. */
int outbox_read(struct stmt *stmt, struct arena *arena, struct outbox_row *row);

/* Reads the row SEQ and removes it. ERR_NOTFOUND: it was answered before. For commands. */
int outbox_take(struct apply *apply, uint64_t seq, struct outbox_row *row);

#endif
