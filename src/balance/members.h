/* Members: which servers there are. It runs the watcher thread, on which they are found and
 * checked, and publishes what comes of it.
 *
 *   fixed upstreams   the list in the configuration; it never changes
 *   a cluster         the servers say who belongs to it, and are told of this load manager
 *
 * With a cluster, one request a second goes to each server that is known, one server after the
 * other, and at once when a check says that something is wrong. The freshest answer counts (the
 * highest term, then index); while nobody answers, those who are known stay known. The seeds of
 * the configuration are only where it begins: a server that joins is met here, a server that
 * leaves is drained and then forgotten. The token goes to seeds and to servers that such an
 * answer has named, to nobody else.
 *
 * The request, which every server answers from memory on its engine loop:
 *
 *   POST /api/v1/cluster/managers            Authorization: Bearer OPERATOR'S-TOKEN
 *   {"id": "6f1c2e…", "pid": 4711, "url": "http://127.0.0.1:8080", "policy": "two-choices",
 *    "started_at": "2026-11-22T11:40:00.000Z", "status": "http://127.0.0.1:8079",
 *    "mode": "direct"}
 *
 *     id          16 hexadecimal digits, chosen at random at each start: two load managers on one
 *                 machine, or one that came back, are told apart by it
 *     url         where shoppers reach it; empty when it does not know
 *     mode        "proxy" or "direct": in direct mode the servers' pages know the way back to url
 *     status      its status door (status_url), where `stoa top` finds it; missing: none
 *   The server keeps it for 5 s (at most 64 of them, the longest silent one makes room) and shows
 *   those that it has in GET /api/v1/cluster as "load_managers": [{"id", "pid", "url", "policy",
 *   "started_at", "status", "seen_ms" (ago)}].
 *
 *   200, Content-Type: application/json
 *   {"cluster": "…", "own": 1, "term": 7, "index": 1234, "primary": 1,
 *    "key": "64 hexadecimal digits",
 *    "servers": [{"id": 1, "url": "http://127.0.0.1:8081", "role": "primary", "state": "up",
 *                 "weight": 100}, …]}
 *
 *     cluster     the cluster's id as text; an answer of another cluster is not believed
 *     own         who answers; while its own state is "joining" or "copying" it does not know who
 *                 belongs to the cluster, and is not believed
 *     term, index of the answering server's last applied entry: what makes an answer fresher
 *     primary     0: none is known
 *     key         home_key of the cluster's secret
 *     servers     all that belong to it; role and state are the words of GET /api/v1/cluster.
 *                 "up", "down": used as the checks say; "joining", "copying": known, not used yet;
 *                 "leaving": drained. url "": not used (nobody knows where it is). A witness has
 *                 no shop and is passed over. "weight" may be missing: 100. "drain": true has the
 *                 same effect as "leaving" (a server that is about to be stopped). "aside": true
 *                 is a backup: used when no other takes requests.
 *   404 with code "alone": the server is not in a cluster; the seeds themselves are the servers,
 *   without homes. 401, 403: the token is wrong, which is told and tried again.
 *
 * Load managers know nothing of each other: each asks and checks for itself.
 *
 * Thread: any, unless said otherwise. The watcher thread ends in members_free.
 */
#ifndef STOA_BALANCE_MEMBERS_H
#define STOA_BALANCE_MEMBERS_H

#include "balance/backend.h"
#include "base/err.h"
#include "net/loop.h"

struct balance_config;
struct events;
struct members;

/* A loop that wants to know: CHANGED is called on LOOP's thread, soon after another set of
 * servers was published, or the state of one of them is another (several changes may be told as
 * one). */
struct member_news {
    void (*changed)(struct member_news *news);
    /* For members.c. */
    struct member_post *post;
};

/* CONFIG, with its log, and EVENTS (may be NULL) are lent until members_free. Begins the watcher
 * thread, and returns when the first set of servers is known, or after 500 ms without one. */
int members_new(const struct balance_config *config, struct events *events,
                struct members **members, struct failure *failure);
/* After all loops have ended, and when nobody holds a set any more. NULL is fine. */
void members_free(struct members *members);

/* The present set, held for the caller (backend_set_drop). Never NULL, but maybe empty. */
struct backend_set *members_set(struct members *members);

/* LOOP's thread, in which NEWS lives until members_unlisten, on the same thread. ERR_NOMEM. */
int members_listen(struct members *members, struct loop *loop, struct member_news *news);
void members_unlisten(struct members *members, struct member_news *news);

/* The operator: nothing new goes to server ID from now on; or again. ERR_NOTFOUND. */
int members_drain(struct members *members, uint64_t id, bool drain);

#endif
