/* Cluster: what web/ may ask and have done of the cluster that this server belongs to.
 *
 * main/ fills it in. All zero: this server is alone, and there is nothing to ask. Callbacks are
 * called on helper threads and may block for ten seconds, but for status, which any thread may
 * call at any time.
 */
#ifndef STOA_WEB_CLUSTER_H
#define STOA_WEB_CLUSTER_H

#include "base/buf.h"
#include "base/err.h"
#include "replica/replica.h"

struct web_cluster {
    void *context;
    struct id id;
    uint64_t generation; /* with the id: whose session tokens are ours */
    const char *name;    /* lent */

    /* As this server sees it (replica_status). NULL: alone. */
    void (*status)(void *context, struct cluster_status *status);

    /* On the primary; ERR_STATE elsewhere, and then the request is relayed to it. */
    int (*handover)(void *context, uint64_t to, struct failure *failure); /* 0: the best one */
    int (*remove)(void *context, uint64_t id, struct failure *failure);

    /* On any server. */
    int (*prefer)(void *context, uint64_t id, struct failure *failure); /* 0: nobody */
    int (*ready)(void *context, const struct server_readiness *server, struct failure *failure);
    int (*failback)(void *context, enum failback failback, struct failure *failure);
    /* Appends a token that lets one new server, or witness, join within LIFETIME_S seconds. */
    int (*token)(void *context, uint64_t lifetime_s, bool witness, struct buf *text,
                 struct failure *failure);
    /* It is about to be taken out of the cluster as it wished itself (or not, after all). */
    void (*leaving)(void *context, bool leaving);
    /* This server is no member any more: its process ends soon. Returns at once. */
    void (*stop)(void *context);
};

#endif
