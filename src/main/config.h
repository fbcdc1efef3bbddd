/* Configuration: a program's settings, from a file and from flags by one table. The file has the
 * flags' settings, one `name = value` a line.
 *
 *     # a shop for the office
 *     listen = {"127.0.0.1:8080", "[::1]:8080"}
 *     dir = /var/lib/stoa
 *     helpers = 4
 *     log-level = warn
 *
 * Names are the flags'; `_` counts as `-`. Read by libconfuse. Unknown and bad settings are refused
 * with file and line; so is `config`, which is a flag alone. Thread: main.
 */
#ifndef STOA_MAIN_CONFIG_H
#define STOA_MAIN_CONFIG_H

#include "main/option.h"

/* Reads FILE into VALUES by TABLE. A failure's text begins with "FILE:LINE: ". */
int config_load(const char *file, const struct option_table *table, void *values,
                struct failure *failure);

/* All of VALUES: defaults, then the file that the flag "config" of TABLE names (if any), then the
 * flags in WORDS. A list given by flags takes the place of the file's. */
int config_read(const struct option_table *table, void *values, int count, char **words,
                struct failure *failure);

#endif
