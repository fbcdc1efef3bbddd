/* Whereabouts: which servers a shopper belongs to, as a load manager has signed it
 * (balance/home.h).
 *
 * A server serves whoever comes, so that it decides nothing by this. It passes the set on to the
 * cart's row with the next change of the cart, which is written anyway. So each server of the
 * cluster can tell where a cart's shopper belongs when the shopper has lost the cookie:
 *
 *   a load manager asks (Stoa-Home: ask)          whereabouts_tell: in Stoa-Home of the answer
 *   a browser that was sent here by a load
 *     manager in direct mode comes without it     whereabouts_keep: in the cookie, by which the
 *                                                 load manager finds home when this server is gone
 *   the operator                                  GET /api/v1/cluster/home
 *
 * Thread: the exchange's own, or for whereabouts_read a helper's.
 */
#ifndef STOA_WEB_WHEREABOUTS_H
#define STOA_WEB_WHEREABOUTS_H

#include "http/exchange.h"
#include "shop/model.h"

/* The set in Stoa-Home, or else in the cookie `home`; count 0: there is none that we believe. */
void whereabouts_read(struct exchange *x, struct server_set *set);

/* Answers a load manager that asks, by the row of X's cart; others get no word. Nor does it when
 * this copy is behind X: the next request asks again. */
void whereabouts_tell(struct exchange *x);
/* For a page in direct mode (wayback.h): gives a browser that has a cart and no good cookie `home`
 * that of the cart's row. */
void whereabouts_keep(struct exchange *x);

#endif
