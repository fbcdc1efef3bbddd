/* Member: this server as one of its cluster's servers. Between the cluster's files (cluster.h),
 * replica/, which does the work, and those who ask: web/ for the operator, and new servers that
 * want to join (join.h).
 *
 *   member_new ──▶ member_replica ──▶ replica_start ──▶ member_begin ──▶ … ──▶ member_stop
 *
 * What the whole cluster must know beyond its log and its members is in the registry
 * (shop/registry.h):
 *     cluster/preferred   the id of the preferred primary
 *     cluster/ready/ID    how ready it is to be, like "warm 30000" (replica/readiness.h); or hot
 *     cluster/failback    "idle" or "never"; or at once
 *     cluster/next        the id that the next server gets
 *     token/HASH          a token that was not used yet, and until when it holds
 *
 * Thread: main, but for what web/ and replica/ call, which is any.
 */
#ifndef STOA_MAIN_MEMBER_H
#define STOA_MAIN_MEMBER_H

#include "main/cluster.h"
#include "main/settings.h"
#include "replica/replica.h"
#include "web/cluster.h"

struct member;

/* CLUSTER, DIR, SETTINGS and LOG are lent until member_stop. */
int member_new(const struct cluster *cluster, const struct datadir *dir,
               const struct settings *settings, const struct log *log, struct member **member,
               struct failure *failure);

/* Fills in with whom the replica is one cluster; lent from MEMBER. */
void member_replica(struct member *member, struct replica_cluster *out);

/* REPLICA runs: from here on questions are answered. */
int member_begin(struct member *member, struct replica *replica, struct failure *failure);

void member_web(struct member *member, struct web_cluster *out);

/* Appends what a server without a primary waits for; any thread. */
void member_missing(void *member, struct buf *reason);

/* The host by which the others reach this server; into OUT. */
void member_host(const struct member *member, char *out, size_t size);

/* Answers no more; before replica_stop, which waits for whoever asks. NULL is fine. */
void member_stop(struct member *member);
/* After replica_stop. NULL is fine. */
void member_free(struct member *member);

#endif
