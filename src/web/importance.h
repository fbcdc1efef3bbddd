/* Importance: which class of the central queue (tier/share.h) a request of the shop belongs to, by
 * its path alone. Pure; a front asks it, which knows nothing else of the shop.
 *
 *   operator   /admin…, warehouses, the bank's events, metrics and health
 *   buys       checkouts and orders, of people and of platforms
 *   carts      carts likewise
 *   pages      all else: the catalogue, searches, files
 */
#ifndef STOA_WEB_IMPORTANCE_H
#define STOA_WEB_IMPORTANCE_H

#include "http/exchange.h"
#include "tier/share.h"

enum share_class importance_of(const struct exchange *x);

#endif
