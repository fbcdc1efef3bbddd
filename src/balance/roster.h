/* Roster: what a server answers about its cluster (members.h says what it looks like), read from
 * JSON, and which of two answers counts. Pure.
 */
#ifndef STOA_BALANCE_ROSTER_H
#define STOA_BALANCE_ROSTER_H

#include "balance/backend.h"
#include "base/err.h"

/* A host with its port fits into a URL. */
enum { ROSTER_CLUSTER = 64, ROSTER_HOST = BACKEND_URL - 8 };

struct roster_server {
    uint64_t id;
    char url[BACKEND_URL]; /* "http://HOST:PORT" or "https://HOST:PORT", no path */
    uint32_t weight;
    bool primary;
    bool unready; /* it is joining, or gets its copy */
    bool leaving;
    bool aside; /* a backup that serves shoppers only when nobody else does */
    bool drain; /* so it is, because it says itself that it is about to be stopped */
};

struct roster {
    char cluster[ROSTER_CLUSTER];
    uint64_t term, index;
    uint64_t own;  /* who answers; 0: it does not say */
    bool outsider; /* who answers joins, or gets its copy: it does not know who is in the cluster */
    bool keyed;
    unsigned char key[HOME_KEY];
    unsigned count;                             /* those with a shop and a URL */
    struct roster_server servers[BACKENDS_MAX]; /* by id */
};

/* ERR_INVALID, with what is wrong about it; ERR_NOMEM. */
int roster_read(struct str json, struct roster *roster, struct failure *failure);

/* Whether NOW, which has come just now, replaces KNOWN of AGE_NS ago: it is of the same cluster,
 * and not older; or what is known has not been confirmed for so long that the cluster may have
 * begun anew from a backup. */
bool roster_replaces(const struct roster *now, const struct roster *known, uint64_t age_ns);

/* Whether a server is about to be stopped, it alone knows, so that its last word about itself
 * holds. By NOW, of the same cluster, what KNOWN has of the server that answers; true: that was
 * another. Then what NOW has of all the others, by KNOWN. */
bool roster_hear_drain(const struct roster *now, struct roster *known);
void roster_keep_drains(struct roster *now, const struct roster *known);

/* Text as "http://10.0.0.2:8080" has it: whether that is TLS, and "10.0.0.2:8080". The port of the
 * scheme is added when there is none. ERR_INVALID: no such URL; it may end in '/', but have no
 * path. */
int roster_url(struct str url, bool *tls, char host[static ROSTER_HOST], struct failure *failure);

#endif
