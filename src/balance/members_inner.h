/* Inside of members: what its files share. All but what the lock guards belongs to the watcher
 * thread.
 */
#ifndef STOA_BALANCE_MEMBERS_INNER_H
#define STOA_BALANCE_MEMBERS_INNER_H

#include "balance/balance.h"
#include "balance/check.h"
#include "balance/events.h"
#include "balance/learn.h"
#include "balance/members.h"
#include "base/list.h"

/* A listening loop. It belongs to members until members_free, as a post that is under way cannot
 * be called back. */
struct member_post {
    struct list node; /* in members->posts */
    struct post post;
    struct loop *loop;        /* NULL: it listens no more */
    struct member_news *news; /* of LOOP's thread; NULL: it listens no more */
    atomic_bool under_way;
};

struct members {
    const struct balance_config *config;
    struct events *events;
    struct backend_watcher watcher;
    struct tls_context *tls_context; /* NULL: no server has TLS */
    struct loop *loop;
    pthread_t thread;
    bool started;
    struct post hurry; /* of any thread: something is wrong with a server */
    atomic_bool hurried;
    atomic_bool panic; /* as told last */

    /* Watcher thread. */
    struct checks *checks;
    struct resolver *resolver; /* of a cluster's servers, as the next three */
    struct learn *learn;
    struct buf announcement;
    struct roster roster; /* as learnt last */
    bool roster_known;

    /* Taken before `lock`: for what is wanted of a server (`held`, `leaving`) together with the
     * sign that tells it, or the later wish might be told first. */
    pthread_mutex_t drains;

    pthread_mutex_t lock;    /* for these */
    pthread_cond_t known;    /* the first set was published */
    struct backend_set *set; /* the present one; held */
    bool set_known;
    struct list posts;
};

/* Watcher thread: SET (handed over) is the present one from now on. */
void members_publish(struct members *members, struct backend_set *set);

/* Any thread, which has `drains`: BACKEND drains, or no longer, as the operator and the cluster
 * want it. */
void members_drain_now(struct backend *backend);

/* members_cluster.c: the servers of a cluster. Before the thread begins, and after it has ended. */
int members_cluster_begin(struct members *members, struct failure *failure);
void members_cluster_end(struct members *members);

/* members_events.c: what people are told. Any thread. */
void members_tell_state(struct members *members, const struct backend *backend,
                        enum health_state before, enum health_state now, enum health_sign sign);
/* NOW: what slowness leaves of its share, thousandths. */
void members_tell_slow(struct members *members, const struct backend *backend, uint32_t now);
/* Whether more servers are used than should be, when that is another than before. */
void members_tell_panic(struct members *members);

#endif
