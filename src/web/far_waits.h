/* Far waits: requests of shoppers who have seen more than is known here of the shop's changes
 * (far.h), until it is known, for FAR_WAIT_MS at most. That is a matter of the way from the server
 * to here, and hardly ever happens: whoever has seen more was answered before by a server whose
 * changes were on their way.
 *
 * Thread: any.
 */
#ifndef STOA_WEB_FAR_WAITS_H
#define STOA_WEB_FAR_WAITS_H

#include "http/exchange.h"

#include <stdbool.h>

enum { FAR_WAIT_MS = 100, FAR_WAITS_MAX = 1024 };

struct far_waits;
struct far_waits *far_waits_new(void);        /* NULL: no memory */
void far_waits_free(struct far_waits *waits); /* nobody waits. NULL is fine */

/* On X's thread: THEN is called there when INDEX is told, or it waits too long from NOW_NS on.
 * False: too many wait. */
bool far_waits_add(struct far_waits *waits, struct exchange *x, uint64_t index, uint64_t now_ns,
                   void (*then)(struct exchange *x));
/* All is told up to TOLD, and it is NOW_NS: whoever waits no more goes on. */
void far_waits_look(struct far_waits *waits, uint64_t told, uint64_t now_ns);

#endif
