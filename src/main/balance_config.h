/* Balance configuration: from the words of a load manager's settings to what it and its engine
 * take; every word that cannot be meant is refused here, with what to write instead.
 *
 * Reads files and, for --dir without --server, asks the servers there. Thread: main.
 */
#ifndef STOA_MAIN_BALANCE_CONFIG_H
#define STOA_MAIN_BALANCE_CONFIG_H

#include "balance/balance.h"
#include "main/balance_settings.h"

/* Replaces port 0 in the places to listen at by a free one, so that all else can name it. */
int balance_config_ports(struct balance_settings *settings, struct failure *failure);

/* After that. LOG is lent. */
int balance_config_make(const struct balance_settings *settings, const struct log *log,
                        struct balance_config *config, struct failure *failure);

/* Whether all of it can be meant, without a look at files or servers. */
int balance_config_check(const struct balance_settings *settings, struct failure *failure);

/* The engine in front. */
int balance_config_engine(const struct balance_settings *settings, const struct log *log,
                          struct engine_config *config, struct failure *failure);

/* Checks URL, "http://HOST[:PORT]" or "https://…" with or without a "/" at its end, and writes it
 * with the port and without the "/". WHAT is what the message calls it. */
int balance_config_url(const char *what, struct str url, char *out, size_t size,
                       struct failure *failure);

#endif
