/* Keeper: ships without people, for benches and the demo: an order that has been here for
 * auto_ship_ms is packed into one parcel and sent; one that was sent auto_deliver_ms ago is
 * delivered. A thread of its own; what people do beside it is fine.
 */
#ifndef STOA_OUTSIDE_WAREHOUSE_KEEPER_H
#define STOA_OUTSIDE_WAREHOUSE_KEEPER_H

#include "outside/warehouse_reporter.h"

struct warehouse_keeper;

/* *KEEPER stays NULL when CONFIG asks for none. */
int warehouse_keeper_start(const struct warehouse_config *config, struct writer *writer,
                           struct warehouse_reporter *reporter, struct warehouse_keeper **keeper,
                           struct failure *failure);
void warehouse_keeper_stop(struct warehouse_keeper *keeper); /* NULL is fine */
/* Any thread: orders have come. */
void warehouse_keeper_wake(struct warehouse_keeper *keeper);

#endif
