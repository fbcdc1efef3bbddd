/* Bank events: what the bank tells of its own accord (Stripe's webhooks). An event decides nothing:
 * it may come twice, late, or in another order than it happened in, so the payment's own state is
 * asked for whenever something depends on it. An event has settling look at once, and that is all.
 *
 * Thread: the exchange's.
 */
#ifndef STOA_WEB_BANK_EVENTS_H
#define STOA_WEB_BANK_EVENTS_H

#include "engine/app.h"

enum app_verdict bank_events(struct exchange *x);

#endif
