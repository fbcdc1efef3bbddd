/* Pass: on a reader, what it cannot answer itself goes to the writer, and its answer comes back.
 *
 * A reader is a server over a database that another process of this machine writes
 * (main/shared.h). It has no log and no order: it answers what only reads, from the same file, and
 * passes everything else on as it came. What is unsafe gets a stamp (once.h) unless it has one, so
 * that it may be sent again: while there is no writer, or the one that had it died, X waits for the
 * next one (web/carry.h), and is answered 503 after that.
 *
 * A request that has come from another server is not passed on again: it gets 503 with the header
 * Stoa-Reader, by which the other knows that nobody has looked at it.
 *
 * Thread: the exchange's own, where nothing else is said.
 */
#ifndef STOA_WEB_PASS_H
#define STOA_WEB_PASS_H

#include "engine/app.h"
#include "web/routes.h"
#include "web/web.h"

struct passes;
/* WRITER is lent until passes_free. */
int passes_new(const struct web_writer *writer, struct passes **passes, struct failure *failure);
/* Nobody waits for a writer any more; who is with one has GRACE_MS. Any thread. */
void passes_stop(struct passes *passes, uint32_t grace_ms);
/* After the engine has stopped. NULL is fine. */
void passes_free(struct passes *passes);

/* Whether this server is a reader. Any thread. */
bool pass_is_reader(const struct exchange *x);

/* Pure: whether a reader may answer ROUTE itself, IN_CLUSTER: of a member's copy; whether ROUTE is
 * about the very process. */
bool pass_reads(const struct route *route, bool in_cluster);
bool pass_is_own(const struct route *route);

/* X goes to the writer. */
enum app_verdict pass_on(struct exchange *x);

/* In accept, for a body that would come in pieces: it is taken whole, or X is answered. */
void pass_accept(struct exchange *x);

#endif
