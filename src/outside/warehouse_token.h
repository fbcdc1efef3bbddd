/* Warehouse token: with what the shop and a warehouse know each other, both ways, as a Bearer
 * (RFC 6750). It is not kept anywhere: it follows from the cluster's secret and the warehouse's
 * id, so that every server of the cluster knows it, and no other shop does. Pure; thread: any.
 */
#ifndef STOA_OUTSIDE_WAREHOUSE_TOKEN_H
#define STOA_OUTSIDE_WAREHOUSE_TOKEN_H

#include "base/str.h"

#include <stdbool.h>

enum { WAREHOUSE_SECRET = 32, WAREHOUSE_TOKEN_TEXT = 65 }; /* bytes; hex digits and a 0 */

/* HMAC-SHA256 of "warehouse/<id>" under the cluster's SECRET. */
void warehouse_token(const unsigned char secret[static WAREHOUSE_SECRET], struct str warehouse,
                     char out[static WAREHOUSE_TOKEN_TEXT]);
/* In constant time. */
bool warehouse_token_is(const unsigned char secret[static WAREHOUSE_SECRET], struct str warehouse,
                        struct str token);

#endif
