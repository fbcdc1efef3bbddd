/* Submit many: several commands of one request at once, in their order: they share a batch of the
 * log, and the request takes one round trip of it instead of one each.
 *
 *   begin, add × N, end ──▶ order … all applied … ──(exchange_continue)──▶ STEP on X's thread
 *
 * The log keeps their order, but each may be refused, or its fate stay unknown, by itself: so they
 * must be such that a later one without an earlier one does nothing (reports with numbers are).
 *
 * Thread: the exchange's own.
 */
#ifndef STOA_WEB_SUBMIT_MANY_H
#define STOA_WEB_SUBMIT_MANY_H

#include "web/submit.h"

struct submit_many;

/* For up to MOST commands; STEP looks at their outcomes and ends with gate_finish. NULL: no
 * memory. */
struct submit_many *submit_many_begin(struct exchange *x, unsigned most,
                                      void (*step)(struct exchange *x));
/* COMMAND (copied) goes to the order; what keeps it from that becomes its outcome. After one that
 * did not get there the rest does not either. */
void submit_many_add(struct submit_many *many, const struct command *command);
/* After all were added, none too: STEP is called once, later. */
enum app_verdict submit_many_end(struct submit_many *many);

/* In STEP: what came of the command that was added as number AT, from 0. Lent from the exchange. */
const struct outcome *submit_many_outcome(struct submit_many *many, unsigned at);

#endif
