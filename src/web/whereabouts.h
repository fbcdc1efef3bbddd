/* Whereabouts: which servers a shopper belongs to, as a load manager has signed it
 * (balance/home.h).
 *
 * A server serves whoever comes, so that it decides nothing by this. It passes the set on to the
 * cart's row with the next change of the cart, which is written anyway: so the primary, and every
 * load manager through GET /api/v1/cluster/home, can tell where a cart's shopper belongs even
 * when the shopper has lost the cookie.
 *
 * Thread: the exchange's own or a helper's.
 */
#ifndef STOA_WEB_WHEREABOUTS_H
#define STOA_WEB_WHEREABOUTS_H

#include "http/exchange.h"
#include "shop/model.h"

/* The set in Stoa-Home, or else in the cookie `home`; count 0: there is none that we believe. */
void whereabouts_read(struct exchange *x, struct server_set *set);

#endif
