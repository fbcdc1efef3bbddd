/* Configuration file: the same settings as the flags, one `name = value` a line.
 *
 *     # a shop for the office
 *     listen = {"127.0.0.1:8080", "[::1]:8080"}
 *     dir = /var/lib/stoa
 *     helpers = 4
 *     log-level = warn
 *
 * Names are the flags'; `_` counts as `-`. Read by libconfuse. Unknown and bad settings are refused with file and line; so is
 * `config`, which is a flag alone.
 */
#ifndef STOA_MAIN_CONFIG_H
#define STOA_MAIN_CONFIG_H

#include "main/option.h"

/* Reads FILE into VALUES by TABLE. A failure's text begins with "FILE:LINE: ". */
int config_load(const char *file, const struct option_table *table, void *values,
                struct failure *failure);

#endif
