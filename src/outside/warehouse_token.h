/* Warehouse token: with what the shop and a warehouse know each other, both ways, as a Bearer
 * (RFC 6750). It is not kept anywhere: it follows from the cluster's secret, the warehouse's id and
 * how often it was renewed, so that every server of the cluster knows it, and no other shop does;
 * one that got into wrong hands is renewed without touching those of other warehouses. Pure;
 * thread: any.
 */
#ifndef STOA_OUTSIDE_WAREHOUSE_TOKEN_H
#define STOA_OUTSIDE_WAREHOUSE_TOKEN_H

#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { WAREHOUSE_SECRET = 32, WAREHOUSE_TOKEN_TEXT = 65 }; /* bytes; hex digits and a 0 */

/* HMAC-SHA256 of "warehouse/<id>", or "warehouse/<id>/<renewed>" once it was RENEWED, under the
 * cluster's SECRET. */
void warehouse_token(const unsigned char secret[static WAREHOUSE_SECRET], struct str warehouse,
                     uint32_t renewed, char out[static WAREHOUSE_TOKEN_TEXT]);
/* In constant time. */
bool warehouse_token_is(const unsigned char secret[static WAREHOUSE_SECRET], struct str warehouse,
                        uint32_t renewed, struct str token);

#endif
