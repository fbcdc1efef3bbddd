/* Bridge: the queue between machines. Workers and fronts on another machine have a queue of their
 * own, each process one, and a bridge between that and the central queue:
 *
 *                        far machine                            near: the master's
 *   far worker   worker ◀─ own queue ◀─ giver ◀══ TLS ══ taker ◀─ central queue
 *   far front    front ─▶ own queue ─▶ taker ══ TLS ══▶ giver ─▶ central queue
 *
 * A taker (bridge_take.h) stands in its queue as a worker, a giver (bridge_give.h) as a front: so
 * fronts and workers need not know of it, and a link that breaks is a worker or a front that died.
 * What they say is in bridge_frame.h.
 *
 *   far    CONNECTING ──(WELCOME)──▶ UP ──(broken, silent for BRIDGE_SILENT_MS)──▶ CONNECTING …
 *                     └─(DENIED: the key is not known)──▶ DENIED, and tried again later
 *   near   accepted ──(HELLO with a key that is known)──▶ UP
 *
 * The far side believes the near one by the authority of its certificate, the near one the far one
 * by the key. Each process of each kind has one thread for all its links.
 *
 * Threads: main's, but what is said otherwise.
 */
#ifndef STOA_TIER_BRIDGE_H
#define STOA_TIER_BRIDGE_H

#include "base/log.h"
#include "net/tls.h"
#include "tier/bridge_frame.h"
#include "tier/bridge_give.h"

enum { BRIDGE_SILENT_MS = 1000, BRIDGE_HANGS_MS = 5000, BRIDGE_LINKS_MAX = 96 };

struct bridge;

/* The near side; all is lent. */
struct bridge_door {
    struct queue *queue;
    struct tls_context *tls; /* of net/tls.h's tls_context_cluster */
    const char *address;     /* "ADDR:PORT"; several processes may have the same */
    /* On the bridge's thread, for each that connects, and some times a second for those that are
     * there: whether KEY is one of those that may. */
    bool (*knows)(void *context, const unsigned char key[static BRIDGE_KEY]);
    void *context;
    const struct log *log;
};
int bridge_listen(const struct bridge_door *door, struct bridge **bridge, struct failure *failure);
/* Where it listens: the port that it really got. */
unsigned bridge_port(const struct bridge *bridge);

/* The far side. */
struct bridge_dial {
    struct queue *queue;
    struct tls_context *tls; /* tls_context_pinned */
    const char *addresses;   /* "HOST:PORT", or several with commas: tried in turn */
    unsigned char key[BRIDGE_KEY];
    unsigned number;                 /* what the fleet calls this process; 0: it is not its */
    bool works;                      /* workers are here; else fronts */
    struct bridge_appetite appetite; /* with workers */
    /* Called once, on the bridge's thread, when there has been no link for WORKER_DESERTED_MS; or
     * NULL. */
    void (*deserted)(void);
    /* The same: a worker here has done nothing for BRIDGE_HANGS_MS. */
    void (*hangs)(void);
    const struct log *log;
};
/* The address at place AT of such a list; false: there are not so many. Pure. */
bool bridge_address(const char *addresses, unsigned at, struct str *address);
/* ERR_INVALID: one of such a list is no address that can be called. Pure. */
int bridge_check(const char *addresses, struct failure *failure);
/* ERR_INVALID, as bridge_check. */
int bridge_connect(const struct bridge_dial *dial, struct bridge **bridge, struct failure *failure);

enum bridge_state { BRIDGE_CONNECTING, BRIDGE_UP, BRIDGE_DENIED_THERE, BRIDGE_DRAINED };
/* Of the far side's link; of the near side only whether it is BRIDGE_DRAINED. Any thread. */
enum bridge_state bridge_state(const struct bridge *bridge);
/* Why, as the near side says; while it is BRIDGE_DENIED_THERE. */
const char *bridge_denied(const struct bridge *bridge);
/* The far side with workers: no more requests are to come, and those that are there are answered,
 * until it is BRIDGE_DRAINED and has no link any more. */
void bridge_drain(struct bridge *bridge);
/* The near side takes in nobody else, and far fronts end what they have asked; until it is
 * BRIDGE_DRAINED and none is linked. After that, by bridge_drain, far workers what they have
 * begun. */
void bridge_drain_fronts(struct bridge *bridge);

void bridge_free(struct bridge *bridge); /* NULL is fine */

#endif
