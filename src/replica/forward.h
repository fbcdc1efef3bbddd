/* Forward: where the commands submitted on this server go: into its own log when it is the
 * primary, else to the primary, in frames.
 *
 *            ┌────────(another primary, term or link; NOT_PRIMARY, CLOSED)────────┐
 *            ▼                                                                    │
 *   pending ──(forward_take: we are the primary)──▶ the proposer's                │
 *      │ ▲                                              │                         │
 *      │ └──────────(forward_give_back)─────────────────┘                         │
 *      ├────(forward_pump: the primary is linked)──▶ sent ──(APPLIED, BUSY)──▶ done
 *      │                                              │
 *      └────(forward_expire)──▶ done with NOPRIMARY   └──(forward_expire)──▶ done with TIMEOUT
 *
 * Adaptive, as the proposer: with nothing on its way to the primary, what has arrived is sent at
 * once; while frames are on their way, what arrives gathers.
 *
 * A command of unknown fate is sent again as it is: it carries its operation id, and the shop
 * applies an id once (RIFL: Lee et al., SOSP 2015). Order is kept among the commands of one server
 * while the primary stays. A command that may have happened is never told that it did not: it ends
 * with ERR_TIMEOUT when there is no answer in time.
 *
 * No I/O and no clock of its own: the simulator runs it as it is. Thread: Raft's.
 */
#ifndef STOA_REPLICA_FORWARD_H
#define STOA_REPLICA_FORWARD_H

#include "base/str.h"
#include "replica/forward_frame.h"
#include "replica/ordering.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    FORWARD_FRAME_MAX = 256 * 1024,      /* bytes of commands in one frame */
    FORWARD_FRAMES = 4,                  /* on their way at once, as many as there are entries */
    FORWARD_IN_FLIGHT = 4 * 1024 * 1024, /* bytes sent and not answered */
    FORWARD_DEADLINE_MS = 10000,         /* of a command, from its submission */
    FORWARD_HOLD_MS = 20, /* before it is asked again who said that it is not the primary */
};

struct forward_config {
    struct ordering *order;
    void *context;
    /* Sends to SERVER on LINK: ERR_CLOSED, ERR_FULL. */
    int (*send)(void *context, uint64_t server, uint64_t link, uint8_t kind, struct str payload);
    uint32_t deadline_ms; /* 0: FORWARD_DEADLINE_MS */
};

struct forward;
int forward_new(const struct forward_config *config, struct forward **forward);
/* Nothing is pending or sent any more. NULL is fine. */
void forward_free(struct forward *forward);

/* Who is primary in TERM: 0 nobody, OWN ourselves (then forward_take feeds the proposer), else
 * SERVER, to which LINK goes (0: not linked). Cheap when nothing changed. */
void forward_primary(struct forward *forward, uint64_t term, uint64_t server, uint64_t link,
                     bool own);
/* Takes what was submitted and sends what may go. */
void forward_pump(struct forward *forward, uint64_t now_ns);
/* While we are the primary: all that is pending, oldest first. */
struct submission *forward_take(struct forward *forward);
/* A chain that the proposer could not bring through (leadership lost): back, in front. */
void forward_give_back(struct forward *forward, struct submission *first);
/* FRAME_ANSWERS came from SERVER on LINK; then there may be something for forward_pump to do.
 * ERR_INVALID: not to be read; the link should be cut. */
int forward_answers(struct forward *forward, uint64_t server, uint64_t link, struct str payload);
/* Ends what is past its deadline. */
void forward_expire(struct forward *forward, uint64_t now_ns);
/* Everything that is here ends with ERR. */
void forward_refuse(struct forward *forward, int err);

#endif
