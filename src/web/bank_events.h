/* Bank events: what the bank tells of its own accord (Stripe's webhooks).
 *
 * An event decides nothing about a payment: it may come twice, late, or in another order than it
 * happened in, so the payment's own state is asked for whenever something depends on it. An event
 * has settling look at once.
 *
 * One thing is known from nowhere else, and is final: that a refund which was made has failed, or
 * was canceled. The object in the event says so, with the order in its metadata, and the shop
 * writes it down once (ORDER_REFUND_FAILED). 503 while the order has a refund whose own answer the
 * shop does not have yet, however long that takes: the bank tells it again. Refunds that are not
 * the shop's (made by hand, or another shop's) are passed over.
 *
 * Thread: the exchange's.
 */
#ifndef STOA_WEB_BANK_EVENTS_H
#define STOA_WEB_BANK_EVENTS_H

#include "engine/app.h"

enum app_verdict bank_events(struct exchange *x);

#endif
