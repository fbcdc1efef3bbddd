/* Outbox, lanes "warehouse/<id>": orders and cancels, in batches, to the warehouse's address in
 * the registered list (WAREHOUSE_PUT). The protocol is in docs/warehouse.md:
 *
 *   PUT {url}/v1/fence                 the fence alone, first of all in a term
 *   POST {url}/v1/orders               {"orders": […]} → {"results": [{"effect", "outcome"}]}
 *   POST {url}/v1/cancels              {"cancels": […]} → the same, with the lines canceled
 *   Authorization: Bearer TOKEN        outside/warehouse_token.h
 *   Stoa-Fence: <shop> <epoch>.<term>  replica/fence.h; 409 fence_too_old
 *
 * A batch is one transaction there: all of it is taken, or nothing is known of it.
 *
 * Thread: the outbox's; answers come on the transfers'.
 */
#ifndef STOA_OUTSIDE_OUTBOX_WAREHOUSE_H
#define STOA_OUTSIDE_OUTBOX_WAREHOUSE_H

#include "base/buf.h"
#include "outside/outbox.h"
#include "outside/transfer.h"

struct outbox_warehouse;

struct outbox_warehouse_config {
    struct transfers *transfers; /* lent, as all here, until outbox_warehouse_free */
    const struct outbox_view *view;
    const unsigned char *secret; /* the cluster's, WAREHOUSE_SECRET bytes */
    struct crash_plan *crash;    /* may be NULL */
    const char *authority_file;  /* for warehouses without a pin; NULL: the system's */
};

int outbox_warehouse_new(const struct outbox_warehouse_config *config,
                         struct outbox_warehouse **warehouse);
/* After outbox_free. NULL is fine. */
void outbox_warehouse_free(struct outbox_warehouse *warehouse);
const struct outbox_sender *outbox_warehouse_sender(const struct outbox_warehouse *warehouse);

/* ---- The texts, pure: outbox_warehouse_text.c ---- */

/* The member of "orders" or "cancels" for ROW of ORDER. */
void outbox_warehouse_put(struct buf *out, const struct outbox_row *row, const struct order *order);

/* What the warehouse's answer says of each row of the batch from FIRST on, whose `done` is called.
 * ERR: the transfer's, with WHY; else STATUS and BODY. */
struct outbox_warehouse_answer {
    int err, status;
    struct str why, body;
    int64_t retry_after_s; /* -1: none */
};
void outbox_warehouse_tell(struct outbox_send *first, const struct outbox_warehouse_answer *answer);

#endif
