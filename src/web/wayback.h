/* Way back: how a shopper who was sent to this server's own address (a load manager in direct
 * mode, balance/balance.h) finds another server when this one is gone.
 *
 * Pages of a cluster with such a load manager name it. Without scripts every link of theirs goes
 * to it (<base>), and it sends on to whoever is there; with scripts links lead to this server, and
 * are first asked after with a short request: when no answer comes, to the load manager
 * (pages/script.js). Changes that such a page asks for may come from any of the cluster's
 * addresses, so all of them count as ours (csrf.h), and the content security policy lets the
 * browser follow.
 *
 * The load managers say themselves that they are there (api_balance.c), and the pages that are
 * kept ready are made anew when something has changed. When the last one has been silent for
 * MANAGER_SILENT_MS there is no way back any more: links lead here again, scripts or not, and
 * changes come from here alone.
 *
 * Thread: any; a view belongs to one thread.
 */
#ifndef STOA_WEB_WAYBACK_H
#define STOA_WEB_WAYBACK_H

#include "base/str.h"
#include "replica/replica.h"
#include "web/announced.h"

#include <stdbool.h>
#include <stdint.h>

/* In a header of each page: beyond it, further load managers are left out. */
enum { WAYBACK_ORIGINS = 2048 };

/* What one thread knows. Begun zeroed. */
struct wayback_view {
    uint64_t version;
    char url[MANAGER_URL];         /* "http://shop.example:8080"; empty: there is none */
    char origins[WAYBACK_ORIGINS]; /* of load managers and servers, a space between two */
};

struct wayback;

struct wayback *wayback_new(void);          /* NULL: no memory */
void wayback_free(struct wayback *wayback); /* NULL is fine */

/* What is known now of load managers (COUNT, the longest known first) and servers. True: pages
 * made before are outdated. */
bool wayback_learn(struct wayback *wayback, const struct manager *managers, unsigned count,
                   const struct cluster_status *status);

/* Brings VIEW up to date. True: there is a way back. */
bool wayback_look(struct wayback *wayback, struct wayback_view *view);

/* True, once: none of the load managers has said anything for too long at NOW_NS, so that there is
 * no way back any more, and pages made before are outdated. */
bool wayback_lapses(struct wayback *wayback, uint64_t now_ns);

/* Whether ORIGIN ("http://10.0.0.2:8080") is one of VIEW's. */
bool wayback_has(const struct wayback_view *view, struct str origin);

/* Pure, for its test: whether URL is scheme, host and perhaps port, and nothing else. */
bool wayback_is_origin(struct str url);

#endif
