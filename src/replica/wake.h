/* Wake: which cold servers (readiness.h) are to be started, and when one that runs may end. Pure:
 * main/waker.c looks a few times a second, runs the commands and ends the process.
 *
 *   asleep ──(a server is missing; no primary; it has slept for long)──▶ called ──(it is up)──▶
 * awake ▲ │ └──────────────────(rest_due: all is well without it, and it has caught
 * up)─────────────────┘
 *
 * Who calls: the primary; without one every server and witness that is up, for nobody knows who
 * else is (a command to start a server is one that may come twice); and a witness for one whose
 * log it cannot keep for much longer. Who was called and does not come is called again, with pauses
 * that grow.
 */
#ifndef STOA_REPLICA_WAKE_H
#define STOA_REPLICA_WAKE_H

#include "replica/replica.h"

enum {
    WAKE_AFTER_MS = 10000,        /* usual, on servers */
    WAKE_WITNESS_AFTER_MS = 1000, /* usual, of a witness: nothing can be sold until then */
    WAKE_PAUSE_MS = 30000,
    WAKE_PAUSE_MAX_MS = 600000,
    WAKE_WHY = 200,
};

/* How this server can start others. */
struct wake_config {
    uint32_t after_ms;                      /* so long missing, before somebody is called */
    uint64_t commands[CLUSTER_SERVERS_MAX]; /* ids of the servers that there is a command for */
    unsigned command_count;
};

/* What was seen so far. Zeroed at first. */
struct wake {
    unsigned count;
    struct wake_history {
        uint64_t id;
        bool up, cold;      /* cold: it was so, and down, at the last look */
        uint64_t since_ms;  /* since when it is up, or down */
        bool told;          /* since it was up last, that somebody has to start it */
        uint64_t called_ms; /* 0: never */
        uint64_t pause_ms;  /* so long after that it is not called again */
        bool soon;          /* what it was called for is done soon after it is up */
    } servers[CLUSTER_SERVERS_MAX];
    uint64_t leaderless_ms; /* since when there is no primary; 0: there is one */
};

struct wake_call {
    uint64_t id;
    bool run; /* there is a command; else somebody has to be told */
    char why[WAKE_WHY];
};

/* At NOW_MS (monotonic) this server sees STATUS. Returns how many of CALLS are to be made. */
unsigned wake_decide(struct wake *wake, const struct wake_config *config,
                     const struct cluster_status *status, uint64_t now_ms,
                     struct wake_call calls[CLUSTER_SERVERS_MAX]);

enum { REST_STEADY_MS = 5000 }; /* so long all must be well */

/* Of a server, since its process began. Zeroed at first. */
struct rest {
    bool well;
    uint64_t well_ms; /* since when */
    uint64_t index;   /* as it was then, or when the log was last not quiet */
    uint64_t quiet_ms;
    bool stood_in; /* it has been primary, or voted in another's place */
};

/* Whether the server whose STATUS it is is cold and may end now, since nobody needs it: then WHY,
 * a sentence. */
bool rest_due(struct rest *rest, const struct cluster_status *status, uint64_t now_ms,
              char why[WAKE_WHY]);

#endif
