/* Inside of members: what its files share. All but what the lock guards belongs to the watcher
 * thread.
 */
#ifndef STOA_BALANCE_MEMBERS_INNER_H
#define STOA_BALANCE_MEMBERS_INNER_H

#include "balance/balance.h"
#include "balance/events.h"
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
    struct loop *loop;
    pthread_t thread;
    bool started;

    pthread_mutex_t lock;    /* for these */
    pthread_cond_t known;    /* the first set was published */
    struct backend_set *set; /* the present one; held */
    bool set_known;
    struct list posts;
};

/* Watcher thread: SET (handed over) is the present one from now on. */
void members_publish(struct members *members, struct backend_set *set);

#endif
