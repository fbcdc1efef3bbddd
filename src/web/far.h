/* Far: the shop's app for a process that has neither its database nor a copy: on another machine
 * than any of its servers. It keeps ready what servers say may be kept (far_tags.h), hears of their
 * changes (far_stream.h), and passes everything else on to them (carry.h).
 *
 *   GET ──(fresh, not behind the shopper, kept)──▶ answered out of the cache
 *    └──▶ a server ──▶ its answer; kept, if it has the tags of the server that is followed
 *
 * Never stale. A ready-made page is given out only while what is known of the server's changes is
 * younger than late_ms (far_follow.h), and knows all that the request's session token has seen. So
 * nobody is shown less than they have seen or done themselves, whichever way they did it; and who
 * has no token is shown a state of at most late_ms ago, usually of a moment ago. While the changes
 * are not heard, all goes to the servers, which do as ever (gate.h).
 *
 * The token is not verified, as the secret is the servers': one that was made up has its request
 * go to a server.
 *
 * Threads: far_new and far_free main's, far_stop any, the app's its engine's.
 */
#ifndef STOA_WEB_FAR_H
#define STOA_WEB_FAR_H

#include "base/buf.h"
#include "base/err.h"
#include "base/log.h"
#include "engine/app.h"
#include "web/cache.h"

struct far_config {
    const char *const *servers; /* "http://10.0.0.1:8080", of one shop. Lent, as all here */
    unsigned count;
    const char *token;     /* the operator's */
    const char *authority; /* PEM of who certifies the servers; NULL: the system's */
    size_t cache_bytes;
    uint64_t late_ms;
    const struct log *log;
    /* Appends what /metrics says. Any thread. */
    void (*metrics)(void *context, struct buf *out);
    void *context;
};

struct far;
int far_new(const struct far_config *config, struct far **far, struct failure *failure);
struct app *far_app(struct far *far);
/* Who waits for a server waits no more. */
void far_stop(struct far *far);
void far_free(struct far *far); /* after its app has come to its end. NULL is fine */

struct far_stats {
    struct cache_stats cache;
    uint64_t passed;  /* requests that went to a server */
    uint64_t unheard; /* of these: as the changes were not heard */
    uint64_t ahead;   /* requests of shoppers who had seen more than was known */
    uint64_t age_ns;  /* how old what is known may be; UINT64_MAX: nothing is */
    uint64_t begun;   /* how often a server's changes were listened to anew */
    bool fresh;
};
void far_look(struct far *far, struct far_stats *stats);

#endif
