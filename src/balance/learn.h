/* Learn: asks the servers of a cluster, one after the other, who belongs to it, and announces this
 * load manager to each of them by that (members.h has the request). Thread: the watcher's.
 *
 * Those whom the last answer named are asked; the seeds too while there is no answer, and again
 * when nobody has answered for 3 s.
 */
#ifndef STOA_BALANCE_LEARN_H
#define STOA_BALANCE_LEARN_H

#include "net/resolver.h"
#include "balance/roster.h"

struct learn;

struct learn_settings {
    struct loop *loop;
    struct resolver *resolver;
    struct tls_context *tls_context; /* for https */
    const char *token;               /* the operator's; lent */
    bool proxy_header;               /* connections begin with PROXY v2, LOCAL */
    struct str announcement;         /* JSON; lent */
    const char *seeds[16];           /* URLs; lent */
    unsigned seed_count;
    void *user;
    /* An answer that counts; lent. */
    void (*learnt)(void *user, const struct roster *roster);
    /* A seed is a server without a cluster. */
    void (*alone)(void *user);
    /* What is wrong, when that is not what was wrong before; empty: nothing is any more. */
    void (*trouble)(void *user, const char *text);
};

/* NULL without memory. The first one is asked at once. */
struct learn *learn_new(const struct learn_settings *settings);
void learn_free(struct learn *learn); /* NULL is fine */

/* Something is wrong with a server: all are asked now. */
void learn_hurry(struct learn *learn);

#endif
