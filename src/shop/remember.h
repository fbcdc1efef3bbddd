/* Remembering: results of before, by Idempotency-Key (24 h) and by operation id (1 h).
 *
 * In front of the commands: shop.c asks here first, and keeps what came out after it.
 */
#ifndef STOA_SHOP_REMEMBER_H
#define STOA_SHOP_REMEMBER_H

#include "shop/apply.h"

/* true: the command's key is known, and its answer was appended to OUT: the result of
 * before (marked as replayed), or ERR_CONFLICT when the body is another. */
bool recall_idempotent(struct apply *apply, struct buf *out);
void remember_idempotent(struct apply *apply, struct str record);

enum recalled {
    RECALL_NONE, /* the operation is new (or the database failed) */
    RECALL_DONE, /* its result was appended to OUT */
    RECALL_SHOW, /* it was applied; the answer is what it is about, as that is now */
};
/* Asks, and remembers that it was asked: whoever is told RECALL_NONE goes on with the command, and
 * its answer is what it is about unless remember_operation says otherwise. */
enum recalled recall_operation(struct apply *apply, struct buf *out);
/* RECORD empty: the answer is to be what it is about. */
void remember_operation(struct apply *apply, struct str record);

#endif
