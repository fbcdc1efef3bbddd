/* Wishes: what the operator wants of the cluster's servers, as this server's copy of the registry
 * has it (main/member.h names the entries). Blocks. Thread: any.
 */
#ifndef STOA_MAIN_WISHES_H
#define STOA_MAIN_WISHES_H

#include "replica/replica.h"

struct wishes {
    uint64_t preferred; /* 0: nobody */
    struct readiness_table readiness;
};

/* An entry that cannot be read counts as not there: another version may have written it. */
int wishes_read(const char *database, struct wishes *wishes, struct failure *failure);

/* Whether SERVER may be as it says among the servers of STATUS: ERR_STATE for a witness, and for
 * the last that is hot by READINESS. ERR_NOTFOUND: there is no such server. Pure. */
int wishes_may_be(const struct cluster_status *status, const struct readiness_table *readiness,
                  const struct server_readiness *server, struct failure *failure);

/* "cluster/ready/3" into KEY; returns it. */
enum { WISH_KEY = 48 };
char *wishes_ready_key(uint64_t id, char key[WISH_KEY]);

#endif
