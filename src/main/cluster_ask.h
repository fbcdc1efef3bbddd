/* Cluster ask: what the operator's commands about a cluster share: whom DIR speaks for, and the
 * operator's API there. Blocks. Thread: main.
 */
#ifndef STOA_MAIN_CLUSTER_ASK_H
#define STOA_MAIN_CLUSTER_ASK_H

#include "main/cluster_view.h"

enum { CLUSTER_ASK_MS = 30000 }; /* a change waits for a primary, and then for the log */

/* An id: "3", or a demo's "server-3". ERR_INVALID. */
int cluster_ask_id(const char *text, uint64_t *id);

/* The view of the cluster of which a server runs on DIR; one of its servers has told it. *VIEW is
 * the caller's to free, also after an error (or NULL). */
int cluster_ask_view(const char *dir, struct cluster_view **view, struct failure *failure);

/* NULL: there is none with that id. */
const struct view_server *cluster_ask_find(const struct cluster_view *view, uint64_t id);

/* POSTs BODY to /api/v1/cluster/WHAT; of the answer only whether it is one of success counts. */
int cluster_ask_post(const struct remote *remote, const char *what, const char *body,
                     struct failure *failure);

#endif
