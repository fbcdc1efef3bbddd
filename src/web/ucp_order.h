/* Orders as UCP writes them (order.json of version 2026-04-08), for whoever has no exchange: the
 * bodies of webhooks. Pure; thread: any.
 */
#ifndef STOA_WEB_UCP_ORDER_H
#define STOA_WEB_UCP_ORDER_H

#include "base/arena.h"
#include "shop/model.h"

/* ORDER as JSON, in ARENA; at == NULL: no memory. BASE: the shop's address, without a slash at its
 * end. EVENT is the event that the text tells of: its id and time go with it. */
struct str ucp_order_text(struct arena *arena, struct str base, const struct order *order,
                          const struct order_event *event);

#endif
