/* Doors: what simulated servers hear of each other beside links. */
#ifndef STOA_SIM_DOORS_H
#define STOA_SIM_DOORS_H

#include "network.h"

/* A connection for a copy has reached the server HOST over WIRE, whose far end is HOST's; false:
 * nobody opens. */
bool doors_visit(unsigned host, const struct wire *wire);

#endif
