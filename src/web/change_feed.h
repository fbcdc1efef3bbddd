/* Change feed: to whoever keeps pages of this server elsewhere, each committed change as it is told
 * (GET /api/v1/changes, by the operator's token): an answer without an end, of lines as
 * web/change_line.h has them.
 *
 *     the applier ──told──▶ change ring ──▶ the feed's thread ──wakes──▶ each listener's exchange
 *
 * A beat comes with what was told, and every CHANGE_FEED_BEAT_MS at the latest; but none while this
 * server does not know itself what is sold now (a cluster's, without a primary): whoever listens
 * is to go elsewhere then. A listener that does not take what it is told is cut off when the ring
 * has gone on without it; nobody waits for one. Without listeners the thread sleeps.
 *
 * Thread: any, where nothing else is said.
 */
#ifndef STOA_WEB_CHANGE_FEED_H
#define STOA_WEB_CHANGE_FEED_H

#include "engine/app.h"
#include "web/change_ring.h"

struct cache;

enum { CHANGE_FEED_BEAT_MS = 50, CHANGE_FEED_LISTENERS_MAX = 256 };

struct change_feed;

/* Lent until change_feed_free. */
struct change_feed_config {
    struct change_ring *ring;
    const struct cache *cache; /* whose round the beats tell */
    /* Whether a beat may be told now. Any thread; asked every CHANGE_FEED_BEAT_MS while somebody
     * listens, and must not wait. */
    bool (*may_beat)(void *context);
    void *context;
};
/* NULL: no memory. */
struct change_feed *change_feed_new(const struct change_feed_config *config);
/* All answers come to their ends. */
void change_feed_stop(struct change_feed *feed);
/* After the engine has stopped. NULL is fine. */
void change_feed_free(struct change_feed *feed);

/* X gets the changes after the entry SINCE, if NUMBER is the ring's and they are all there; else it
 * is told to forget. On X's thread or a helper's. 0, ERR_BUSY: too many listen; ERR_CLOSED,
 * ERR_NOMEM. */
int change_feed_answer(struct change_feed *feed, struct exchange *x, uint64_t number,
                       uint64_t since);

#endif
