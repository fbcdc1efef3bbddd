/* Opening: from a server that runs to a shop that sells.
 *
 * A new shop gets its default rates, and the products of --catalogue when it has none. In a
 * cluster the primary does that, once, and says so in the registry ("shop/opened"); the others
 * wait for it. Blocks. Thread: main.
 */
#ifndef STOA_MAIN_OPENING_H
#define STOA_MAIN_OPENING_H

#include "main/server.h"

/* Opens the server of SETTINGS (lent), begins to serve, and waits as below. LOCK: server_open_with;
 * HEIR_OF, FORKED: struct server. On failure nothing stays open. */
int opening_begin(struct server *server, const struct settings *settings, int lock,
                  const struct engine *heir_of, struct forked *forked, struct failure *failure);

/* Returns when a purchase would go through here. Meanwhile the log says every few seconds what it
 * waits for. */
int opening_wait(struct server *server, struct failure *failure);

#endif
