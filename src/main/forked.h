/* Forked: how the shop is served by the engine fork (engine/fork.h).
 *
 *   stoa serve ──fork──▶ zygote ──fork──▶ a client's process: reads the database
 *       │  the server: log, order, bank, outbox        │
 *       └── inner door ◀──(what it cannot answer)──────┘
 *
 * The zygote is made before the server has a thread, waits until that one is open, and makes of
 * what it is told (struct forked_words, in memory that both have) the pages of a reader
 * (web/pass.h) whose writer is the server (web/inner.h). A client's process opens the database for
 * itself, as SQLite demands, and ends with its connection.
 *
 * Answered there: pages, products, search, files, carts, checkouts, orders; UCP's reads; the
 * operator's reads of these. By the server: what changes something, what is told of the server
 * itself (/livez, /healthz, /metrics, backup, export, cluster), and uploads, piece by piece. TLS
 * and HTTP/2 end in the client's process; the zygote reads the key.
 *
 * What cannot be, and why:
 *   - A response cache for all: each process has one of its own, empty at first, judged by the
 *     server's word of its changes (shared_changes.h). It helps within one connection.
 *   - --shared: a reader that becomes the writer has threads by then, and its zygote knows nothing
 *     of the new server.
 *   - A warm server of a cluster that sends its shoppers to the primary: a client's process does
 *     not see that it is one, and shows pages as old as the copy.
 *   - Load managers are believed what they say of https only as far as --trust and --url say: who
 *     has announced itself is known to the server alone.
 *
 * Each client's process counts its requests in memory that the server adds up for /metrics and
 * Stoa-Load.
 *
 * Thread: main.
 */
#ifndef STOA_MAIN_FORKED_H
#define STOA_MAIN_FORKED_H

#include "engine/engine.h"
#include "main/settings.h"
#include "web/web.h"

struct forked;

/* Makes the zygote. SETTINGS are lent. The process must have one thread. */
int forked_new(const struct settings *settings, struct forked **forked, struct failure *failure);

/* Of the server that is to serve so: WEB is what its pages are made with, and gets the inner door's
 * key. */
void forked_tell(struct forked *forked, struct web_settings *web);
/* Opens the inner door for APP. CONFIG is what the engine fork is started with next. */
int forked_open(struct forked *forked, struct engine_config *config, struct app *app,
                struct failure *failure);
/* Closes the inner door, after the engine fork was stopped. NULL is fine. */
void forked_close(struct forked *forked);
/* After web_free, which has counts of it. NULL is fine. */
void forked_free(struct forked *forked);

#endif
