/* Forward: where the commands submitted on this server go: into its own log when it is the
 * primary, else to the primary, in frames.
 *
 *            ┌──────────────(primary changed, link broke, NOT_PRIMARY)─────────────┐
 *            ▼                                                                      │
 *   pending ──(we are the primary)──▶ the proposer's ──(leadership lost)──▶ pending │
 *      │                                   └──▶ applied: done                       │
 *      ├─────(the primary is linked)──▶ sent ──(FRAME_ANSWERS)──▶ done              │
 *      │                                  └─────────────────────────────────────────┘
 *      └─────(deadline)──▶ done with ERR_NOPRIMARY (never sent) or ERR_TIMEOUT (fate unknown)
 *
 * A command of unknown fate is sent again as it is: it carries its operation id, and the shop
 * applies an id once (RIFL: Lee et al., SOSP 2015). Order is kept among the commands of one server
 * while the primary stays.
 *
 * FRAME_COMMANDS: u64 number of the first, u32 count, then each: u8 flags (1: patient), u32 length,
 *   bytes. Numbers count up by one within a link.
 * FRAME_ANSWERS: u32 count, then each: u64 number, u8 verdict (enum answer_verdict), u64 index,
 *   u32 length, result. Answers may come in any order.
 *
 * No I/O and no clock of its own: the simulator runs it as it is. Thread: Raft's.
 */
#ifndef STOA_REPLICA_FORWARD_H
#define STOA_REPLICA_FORWARD_H

#include "base/str.h"
#include "replica/ordering.h"

#include <stdbool.h>
#include <stdint.h>

enum answer_verdict {
    ANSWER_APPLIED = 0,
    ANSWER_BUSY,        /* refused: did not and will not happen */
    ANSWER_NOT_PRIMARY, /* did not happen here, or its fate is unknown: ask the new primary */
    ANSWER_CLOSED,      /* stopping */
};

enum {
    FORWARD_FRAME_MAX = 256 * 1024,      /* bytes of commands in one frame */
    FORWARD_IN_FLIGHT = 4 * 1024 * 1024, /* bytes sent and not answered */
    FORWARD_DEADLINE_MS = 10000,         /* of a command, from its submission */
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
void forward_free(struct forward *forward);

/* Who is primary: 0 nobody, OWN ourselves (then forward_take feeds the proposer), else SERVER, to
 * which LINK goes (0: not linked). Called whenever one of these changed. */
void forward_primary(struct forward *forward, uint64_t server, uint64_t link, bool own);
/* Takes what was submitted and sends what may go. */
void forward_pump(struct forward *forward, uint64_t now_ns);
/* While we are the primary: all that is pending, oldest first. */
struct submission *forward_take(struct forward *forward);
/* Submissions that the proposer could not bring through (leadership lost): back, in front. */
void forward_give_back(struct forward *forward, struct submission *first, bool fate_unknown);
/* FRAME_ANSWERS came from SERVER on LINK. ERR_INVALID: not to be read; the link should be cut. */
int forward_answers(struct forward *forward, uint64_t server, uint64_t link, struct str payload);
/* Ends what is past its deadline. */
void forward_expire(struct forward *forward, uint64_t now_ns);
/* Everything that is here ends with ERR. */
void forward_refuse(struct forward *forward, int err);

#endif
