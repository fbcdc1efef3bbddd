/* Cluster: who this server is, in its data directory.
 *
 *     cluster/cluster.json     cluster id and name, generation, this server's id, founders,
 *                              listen addresses
 *     cluster/authority.pem, authority.key   the cluster's certificate authority
 *     cluster/server.pem, server.key         this server's certificate
 *     cluster/book             where the other servers were last (replica's)
 *
 * A witness (main/witness.c) has no key of the authority, no secret and no operator.token.
 *
 * The secret and operator.token beside them (main/datadir.h) are the same on all servers.
 * Each server has the authority's key, so that any of them can take in a new one; so whoever can
 * read a server's directory can join the cluster. cluster.json is written last: a directory
 * belongs to a cluster when it is there. Thread: main.
 */
#ifndef STOA_MAIN_CLUSTER_H
#define STOA_MAIN_CLUSTER_H

#include "base/err.h"
#include "base/id.h"
#include "main/datadir.h"
#include "replica/hello.h"

enum { CLUSTER_NAME = 64, CLUSTER_PEM_MAX = 64 << 10 };

struct cluster {
    char dir[DATADIR_PATH]; /* DATADIR/cluster */
    struct id id;
    char name[CLUSTER_NAME];
    uint64_t generation, own;                             /* own: this server's id */
    char listen[SERVER_ADDRESS], address[SERVER_ADDRESS]; /* for the other servers */
    struct server_place founders[CLUSTER_SERVERS_MAX];
    unsigned founder_count; /* 0: it joined later */
    bool witness;
    char certificate[DATADIR_PATH], key[DATADIR_PATH], authority[DATADIR_PATH],
        authority_key[DATADIR_PATH], book[DATADIR_PATH];
};

/* Where the cluster of DATADIR is kept: sets the paths alone. */
int cluster_paths(const char *datadir, struct cluster *cluster, struct failure *failure);

/* ERR_STATE: DATADIR is a witness's, which has no shop. 0: it is not, whatever it is. */
int cluster_refuse_witness(const char *datadir, struct failure *failure);

/* Reads the cluster of DATADIR. ERR_NOTFOUND: it belongs to none. */
int cluster_read(const char *datadir, struct cluster *cluster, struct failure *failure);

/* Writes cluster.json. */
int cluster_write(const struct cluster *cluster, struct failure *failure);

/* Founds a cluster of COUNT servers, whose data directories are DATADIRS (made if need be; the
 * first may be that of a shop which was alone until now, the others hold nothing). PLACES: ids
 * 1..COUNT, their addresses. ERR_EXISTS: the first belongs to a cluster already. */
int cluster_found(const char *name, const char *const *datadirs, const struct server_place *places,
                  unsigned count, struct failure *failure);

/* How the others reach a server that listens at LISTEN: GIVEN if there is one, else there; into
 * OUT. ERR_INVALID: LISTEN is every address of the machine, or neither is HOST:PORT. */
int cluster_reach(const char *listen, const char *given, char out[SERVER_ADDRESS],
                  struct failure *failure);

/* Whether NAME will do for a cluster: 1 to CLUSTER_NAME-1 letters, digits, blanks, '-', '_', '.'.
 */
int cluster_check_name(const char *name, struct failure *failure);

#endif
