/* Defaults: what a new shop sells on: shipping rates, tax rates, discounts.
 *
 * main/ submits these commands to a shop that has never applied any; the operator changes
 * them as anything else. The rates are a sample to start from, not tax advice. Thread: any.
 */
#ifndef STOA_SHOP_DEFAULTS_H
#define STOA_SHOP_DEFAULTS_H

#include "shop/command.h"

unsigned defaults_count(void);
/* The command number AT, from 0; its strings are literals. */
void defaults_command(unsigned at, struct command *command);

#endif
