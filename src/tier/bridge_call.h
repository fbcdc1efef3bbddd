/* Bridge call: a request at one end of a bridge (bridge.h), as the link counts it: bytes go from a
 * slot's pipe to the other end as far as that has room for them, and it is told what room there is
 * here. Both ends do the same, one with the answer's pipe and one with the request's.
 *
 * Memory: the caller's. Thread: the link's.
 */
#ifndef STOA_TIER_BRIDGE_CALL_H
#define STOA_TIER_BRIDGE_CALL_H

#include "tier/bridge_link.h"

struct bridge_call {
    uint64_t id;     /* 0: none */
    uint64_t credit; /* bytes that may be sent */
    uint64_t told;   /* bytes of those that came, which the other end knows to be taken */
};

/* A frame of what OUT has, into MESSAGE: which call's, its bytes, and whether it is the end. ENDED:
 * what is there is all; asked before. False: neither bytes nor the end. */
bool bridge_call_piece(const struct bridge_call *call, const struct pipe *out, bool ended,
                       struct bridge_message *message);
/* MESSAGE is sent, and what it has of OUT is taken. */
void bridge_call_send(struct bridge_call *call, struct bridge_link *link, struct pipe *out,
                      const struct bridge_message *message);
/* How much of what came was taken from IN. Not each byte: the other end goes on as long as it has
 * any room. */
void bridge_call_tell_room(struct bridge_call *call, struct bridge_link *link,
                           const struct pipe *in);

#endif
