/* Gate: nobody is shown anything older than what they have seen, whichever server they come to.
 *
 * In front of every handler that reads what belongs to one shopper, and in front of the operator's
 * reads (the rule is a column of routes.c). With a session token (token.h) this copy has to have
 * applied its index; without one it has to have all that was acknowledged before the request
 * came, which a barrier through the log tells (an empty command: replica/order.h), so that such a
 * read is linearizable.
 *
 *   token ─────────────────────────────┐
 *   none: barrier ──(its index)────────┴─▶ order_await ──(applied)──▶ handler, in one view
 *            └─(no majority, busy)─▶ 503        └─(1 s)─▶ relayed to the primary ──▶ its answer
 *                                                             └─(none, or relayed before)─▶ 503
 *
 * On a server that serves no shoppers (gate_is_aside) all that they may ask for is relayed.
 *
 * The handler reads in one consistent view, whose index goes into the answer's token when it is
 * higher than what the request brought; so does the index of a command. Ready-made pages of the
 * catalogue pass no gate and carry no token: they may be a moment old. A server that is alone has
 * nobody to be behind: there is neither gate nor token. When its pages are kept elsewhere (far.h)
 * there is a token, for the process there.
 *
 * A reader (pass.h) has no order to wait for. Alone it reads what the writer has committed, from
 * the same file, and nobody is told of a change before that: there is no gate. In a cluster it
 * answers whoever has a token that its view reaches, and passes on all others.
 *
 * Thread: the exchange's own, where nothing else is said.
 */
#ifndef STOA_WEB_GATE_H
#define STOA_WEB_GATE_H

#include "engine/app.h"

#include <stdint.h>

enum { GATE_WAIT_MS = 1000 };

typedef enum app_verdict gate_then(struct exchange *x);

/* app->handle: X's route's handler, once its gate is open. */
enum app_verdict gate_handle(struct exchange *x);
/* app->work: the handler itself. Helper's thread. */
enum app_verdict gate_work(struct exchange *x);

/* For a THEN that reads after X's own command, which was applied at INDEX: runs THEN when this
 * copy has it too, or LATE (NULL: answers 503) when it has not in time. */
enum app_verdict gate_after(struct exchange *x, uint64_t index, gate_then *then, gate_then *late);
/* For a handler without a gate that comes to a read after all: as gate_handle, then THEN. */
enum app_verdict gate_read(struct exchange *x, gate_then *then);

/* Whether this server serves no shoppers (order_is_aside): what they ask for goes to the primary,
 * if there is one, and nothing ready-made is given out. X need not have a struct call yet. */
bool gate_is_aside(const struct exchange *x);

/* Whether this copy has all that X says it has seen, without waiting for it. For who can do
 * without an answer; X need not have a struct call yet. */
bool gate_is_open(struct exchange *x);

/* X is shown the state of INDEX. */
void gate_saw(struct exchange *x, uint64_t index);
/* What a step ends with: a complete answer gets its token and leaves. */
void gate_finish(struct exchange *x, enum app_verdict verdict);

#endif
