/* Relay: a request that this server cannot answer well goes to the primary, and its answer comes
 * back, as if the client had asked there.
 *
 * Used when this copy is too far behind for a shopper (gate.h), and by the operator's requests
 * that only the primary can do (api_cluster.c). A relayed request carries Stoa-Relayed: 1 and is
 * not relayed again. Headers that belong to one connection (RFC 9110 §7.6.1) stay here; the core
 * compresses the answer again where it gains.
 *
 * Thread: a helper's, where nothing else is said.
 */
#ifndef STOA_WEB_RELAY_H
#define STOA_WEB_RELAY_H

#include "base/err.h"
#include "http/exchange.h"

#include <stdbool.h>
#include <stdint.h>

#define RELAY_HEADER "Stoa-Relayed"

enum { RELAY_MS = 2000, RELAY_ANSWER_MAX = 8 << 20 };

/* X has been relayed to us, or no other server is known to be primary. Any thread. */
bool relay_is_refused(const struct exchange *x);
/* X came from another server. Any thread. */
bool relay_has_come(const struct exchange *x);

/* 0: answered as the primary did, within TIMEOUT_MS (RELAY_MS for a shopper). Else nothing is
 * written: ERR_NOPRIMARY, ERR_TIMEOUT (it may or may not have been done), ERR_IO, ERR_NOMEM. */
int relay_to_primary(struct exchange *x, unsigned timeout_ms, struct failure *failure);
/* Logs why X did not come to the primary, for who gives up. */
void relay_note(const struct exchange *x, const struct failure *failure);

/* X's headers for another server of ours, and MORE_COUNT others; it is to see the client's Host:
 * the shop's own addresses are made from it. In the arena; NULL: no memory. */
const struct http_header *relay_headers(struct exchange *x, const struct http_header *more,
                                        unsigned more_count, unsigned *count);
/* X is answered as FETCH was; compressed where the other server would have done so. */
struct fetch;
void relay_answer(struct exchange *x, const struct fetch *fetch);
/* Whether X's answer, of which all headers are there, is one that is compressed for who takes that:
 * it says so by Vary. */
bool relay_varies(const struct exchange *x);

/* Pure, for its test: whether the header NAME of a message with Connection: CONNECTION goes on to
 * the next server. */
bool relay_passes(struct str name, struct str connection);

#endif
