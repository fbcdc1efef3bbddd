/* Guest: commands of other servers, at the primary. The other side of forward.h.
 *
 * A frame of commands becomes submissions of our own, under the same bounds as those of our own
 * shoppers (the sender's patience is told); what applying gave, or why not, goes back in frames
 * of answers on the link on which it came.
 *
 * Thread: Raft's, but for the submissions' done (the applier's, or Raft's).
 */
#ifndef STOA_REPLICA_GUEST_H
#define STOA_REPLICA_GUEST_H

#include "replica/forward_frame.h"
#include "replica/ordering.h"

struct guests;

enum {
    GUEST_ANSWERS_FRAME = 128 * 1024,     /* bytes of answers, about, in one frame */
    GUEST_ANSWERS_MAX = 64 * 1024 * 1024, /* that a link has not taken: then it is given up */
};

struct guests_config {
    struct ordering *order;
    void *context;
    /* Answers are there: guests_answers is wanted. Applier's thread, or Raft's. */
    void (*wake)(void *context);
    /* ERR_FULL: later; ERR_CLOSED: that link is no more. */
    int (*answer)(void *context, uint64_t server, uint64_t link, uint8_t kind, struct str payload);
    /* LINK takes no answers: it is to be closed, so that SERVER asks again on another. */
    void (*cut)(void *context, uint64_t server, uint64_t link);
};

int guests_new(const struct guests_config *config, struct guests **guests);
/* All submissions are answered. NULL is fine. */
void guests_free(struct guests *guests);

/* FRAME_COMMANDS of SERVER on LINK (later ones have higher numbers). PRIMARY_TERM: our term if we
 * are the primary, else 0: commands for another term are answered NOT_PRIMARY. *SUBMITTED: a chain
 * for the proposer, oldest first. ERR_INVALID: the link should be cut. */
int guests_commands(struct guests *guests, uint64_t server, uint64_t link, struct str payload,
                    uint64_t primary_term, struct submission **submitted);
/* Whether SUBMISSION is a guest's: if leadership is lost, the guest is told and asks elsewhere. */
bool guest_owns(const struct submission *submission);
/* Sends the answers that have gathered. True: some are left, the link is full. */
bool guests_answers(struct guests *guests);
/* The link is gone: its answers are dropped. */
void guests_left(struct guests *guests, uint64_t server, uint64_t link);

#endif
