/* Bridge ping: what both ends of a link say some times a second, so that each knows that the other
 * is there, what its processes have done, and how long the way there and back is; and what follows
 * from that way: how many requests should be ahead of a worker. Pure.
 *
 *   one end   PING stamp ─────────▶   the other
 *             ◀── PING echo of the stamp, and for how long it was held
 *
 * The way is the least of the last seconds: what was longer stood in a queue. Clocks are never
 * compared.
 *
 * Memory: the caller's, begun zeroed. Thread: one for each.
 */
#ifndef STOA_TIER_BRIDGE_PING_H
#define STOA_TIER_BRIDGE_PING_H

#include "tier/bridge_frame.h"

struct bridge_ping {
    uint64_t stamp, heard_ns; /* the other end's last; when it came */
    uint64_t least_ns[2];     /* of this window, and of the one before; 0: none was measured */
    uint64_t window_ns;       /* when this one began */
};

/* The times of a PING that is to be sent. */
void bridge_ping_fill(const struct bridge_ping *ping, uint64_t now_ns,
                      struct bridge_message *message);
/* A PING has come. */
void bridge_ping_hear(struct bridge_ping *ping, uint64_t now_ns,
                      const struct bridge_message *message);
/* There and back; 0: not known yet. */
uint64_t bridge_ping_way_ns(const struct bridge_ping *ping);

struct bridge_rate {
    uint64_t done, begun_ns; /* answers since then */
    uint64_t before;         /* in a second, before that */
};
/* COUNT requests more were answered. */
void bridge_rate_count(struct bridge_rate *rate, uint64_t now_ns, uint32_t count);
/* How many are answered in a second: the most of this moment and the one before. */
uint64_t bridge_rate_now(const struct bridge_rate *rate);

/* How many requests should wait for workers that answer RATE in a second, so that they always find
 * one while the next are on their way of WAY_NS there and back: as many as they answer meanwhile
 * (Little's law) and while this machine comes to it, twice, so that it grows when the way is what
 * holds them up; LEAST and MOST bound it. */
uint32_t bridge_ahead(uint64_t rate, uint64_t way_ns, uint32_t least, uint32_t most);

#endif
