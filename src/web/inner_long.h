/* Inner, what is long: uploads to the server, and answers of any length from it, piece by piece
 * over a connection of their own, in constant memory (see inner.h).
 *
 *   accept ──(upload)──▶ head sent ──(100)──▶ body, as it comes ──▶ handle ─┐
 *                            └──(its answer)──▶ answered                    ▼
 *   handle ──(no upload)──────────────────────▶ head sent ─────────▶ answer's head, then its
 *                                                                    body, as the client takes it
 *
 * The server is asked before the client sends (Expect: 100-continue), so that it refuses what it
 * would refuse without it. All of it blocks: the other streams of an HTTP/2 connection wait while
 * the server has nothing to say.
 *
 * Thread: the exchange's own.
 */
#ifndef STOA_WEB_INNER_LONG_H
#define STOA_WEB_INNER_LONG_H

#include "http/exchange.h"

struct failure;

/* What the server is told besides what the client said; NULL: no memory. (inner.c) */
const struct http_header *inner_headers(struct exchange *x, unsigned *count);

/* In accept: X's body goes to the server as it comes. ERR_*: nothing was answered. 0: it does, or X
 * was answered. */
int inner_long_accept(struct exchange *x, struct failure *failure);
/* X is complete: 0, and it is answered. */
int inner_long_answer(struct exchange *x, struct failure *failure);

#endif
