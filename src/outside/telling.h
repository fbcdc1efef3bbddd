/* Telling: what the lanes "webhook" and "mail" of the outbox have in common. Both tell somebody of
 * one event of an order, once this server knows its own address, and try for three days.
 *
 * Thread: any; nothing is shared.
 */
#ifndef STOA_OUTSIDE_TELLING_H
#define STOA_OUTSIDE_TELLING_H

#include "outside/outbox.h"

/* Begins each row from FIRST on by itself. While READY is false (NULL: it never is) they are told
 * that nothing is sent from here yet. */
void telling_begin(struct outbox_send *first, const _Atomic bool *ready,
                   void (*begin_one)(void *context, struct outbox_send *send), void *context);

/* The event of ORDER that a row is about; NULL: there is no such one. */
const struct order_event *telling_event(const struct order *order, uint32_t number);

/* What a try that failed at NOW_MS means for ROW: LATER, by the schedule of
 * outside/retry_schedule.h and not before LEAST_MS, which the receiver has asked for; after three
 * days NEVER. The text is WHY, or, at the end, in WHOLE. */
struct outbox_said telling_failed(const struct outbox_row *row, int64_t now_ms, int64_t least_ms,
                                  const char *why, struct failure *whole);

#endif
