/* Inside of the bridge: what bridge.c, bridge_door.c and bridge_dial.c share. */
#ifndef STOA_TIER_BRIDGE_INNER_H
#define STOA_TIER_BRIDGE_INNER_H

#include "base/random.h"
#include "net/resolver.h"
#include "tier/bridge.h"
#include "tier/bridge_ping.h"
#include "tier/bridge_take.h"
#include "tier/silence.h"

#include <pthread.h>
#include <stdatomic.h>

enum { ADDRESS_LIST = 512 };

/* One link, and the end of the bridge that it carries. */
struct bridge_end {
    struct list node;
    struct bridge *bridge;
    struct bridge_link *link;
    struct bridge_take *take; /* one of both, once it is greeted */
    struct bridge_give *give;
    bool greeted, sent_away;
    uint64_t begun_ns;
    unsigned char key[BRIDGE_KEY];
    char peer[ADDRESS_TEXT];
    struct bridge_ping ping;
};

struct bridge {
    struct queue *queue;
    struct tls_context *tls;
    const struct log *log;
    struct loop *loop;
    pthread_t thread;
    bool runs;
    struct timer tick;
    uint64_t ticked_ns, known_ns;
    struct list ends;
    unsigned end_count;
    /* What the first messages of END mean; false: they do not belong there. */
    bool (*greet)(struct bridge_end *end, const struct bridge_message *message);
    /* END is over, and freed after this. */
    void (*lost)(struct bridge_end *end, const char *why);

    /* Near. */
    struct bridge_door door;
    struct watch listener; /* fd -1: none */
    bool rests;            /* it does: there are no descriptors */
    unsigned port;
    uint64_t denied_ns; /* when that was logged last */

    /* Far. */
    struct bridge_dial dial;
    struct timer again;
    struct resolver *resolver;
    char address[ADDRESS_LIST]; /* the present one */
    unsigned place;             /* its, in the list */
    uint64_t wait_ns;           /* until the next round of tries */
    struct random random;
    bool said_lost;
    char denied[BRIDGE_TEXT]; /* why it was last */
    uint64_t linked_ns;       /* when it was last */
    struct silence silence;

    struct queue_report work;    /* of the processes here, for pings; far */
    bool draining, fronts_drain; /* near: both, one after the other */
    struct post drain_post, fronts_post;
    _Atomic int state; /* enum bridge_state */
};

struct bridge *bridge_new(struct queue *queue, struct tls_context *tls, const struct log *log,
                          struct failure *failure);
int bridge_start(struct bridge *bridge, struct failure *failure);

/* Takes FD over, also when it fails: NULL without memory. */
struct bridge_end *bridge_end_open(struct bridge *bridge, int fd, struct tls *tls,
                                   const char *peer);
/* From now on END carries requests: as a taker, or as a giver with APPETITE. WINDOW: the other
 * end's. FAR: as bridge_take.h and bridge_give.h say. */
int bridge_end_take(struct bridge_end *end, uint32_t window, const struct queue_far *far,
                    struct failure *failure);
int bridge_end_give(struct bridge_end *end, uint32_t window, const struct queue_far *far,
                    const struct bridge_appetite *appetite, struct failure *failure);
/* Of each request's pipes. */
uint32_t bridge_window(const struct bridge *bridge);

void bridge_set_state(struct bridge *bridge, enum bridge_state state);
void bridge_door_tick(struct bridge *bridge); /* bridge_door.c, and _dial.c */
void bridge_dial_tick(struct bridge *bridge);

#endif
