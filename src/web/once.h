/* Once: the same request sent twice has one effect and one answer, whichever servers it came to.
 *
 * A load manager stamps every unsafe request with the header Stoa-Operation, a UUID (version 7),
 * and may send it again under the same stamp when the first attempt broke off, or does not end.
 * Everything that the shop would else choose freshly is then made from the stamp, so that both
 * attempts choose the same: operation ids of commands (the log applies an id once, and gives the
 * first outcome again: shop/remember.h), ids of new carts and checkouts, and the key under which a
 * purchase's end is remembered for a request without an Idempotency-Key of its own.
 *
 * What is made from it, is made from the whole request: method, address, body, the cart in the
 * cookie, the operator's token, the platform, under the cluster's secret. So it does no harm when
 * a client stamps its requests itself: another request under a stamp is another operation, and
 * who repeats somebody's stamp learns nothing without repeating all of what they sent. Load
 * managers drop what clients send (balance/hop.h).
 *
 * A page's script stamps, too (pages/script.js, the field `operation` of a form): when no answer
 * came it sends the form in another way, maybe to another server or load manager.
 *
 * Not for requests whose body is taken by pieces (uploads), nor for what is done outside the log
 * (/api/v1/cluster): balance/route.h says which are not sent again.
 *
 * Thread: the exchange's own or a helper's.
 */
#ifndef STOA_WEB_ONCE_H
#define STOA_WEB_ONCE_H

#include "base/id.h"
#include "http/exchange.h"

#include <stdbool.h>

#define ONCE_HEADER "Stoa-Operation"
#define ONCE_FIELD  "operation"

enum { ONCE_KEY = 16 };

/* Whether X has a stamp that counts. */
bool once_is_stamped(struct exchange *x);

/* The id for PURPOSE (what it is for, apart from X's other ids): made from the stamp, or new. */
struct id once_id(struct exchange *x, struct str purpose);

/* False: X has no stamp. Else the hashes for a command's Idempotency-Key (shop/command.h). */
bool once_key(struct exchange *x, unsigned char key[static ONCE_KEY],
              unsigned char body[static ONCE_KEY]);

/* Pure, for its test: the time for an id made at NOW_MS from a stamp of STAMP_MS. Operations are
 * forgotten in the order of their ids, so that a clock that is far off, or a made-up stamp, must
 * not put them at either end; two attempts get the same nevertheless, but for one pair in
 * thousands. */
int64_t once_time(int64_t stamp_ms, int64_t now_ms);

#endif
