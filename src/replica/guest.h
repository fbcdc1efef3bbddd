/* Guest: commands of other servers, at the primary. The other side of forward.h.
 *
 * A frame of commands becomes submissions of our own, under the same bounds as those of our own
 * shoppers (the sender's patience is told); what applying gave, or why not, goes back in frames
 * of answers on the link on which it came.
 *
 * Thread: guest_commands, guest_answers, guest_left: Raft's. The submissions' done: the applier's.
 */
#ifndef STOA_REPLICA_GUEST_H
#define STOA_REPLICA_GUEST_H

#include "replica/forward.h"

struct guests;

struct guests_config {
    struct ordering *order;
    void *context;
    void (*wake)(void *context); /* answers are there: guests_answers is wanted. Applier's thread */
    int (*answer)(void *context, uint64_t server, uint64_t link, uint8_t kind, struct str payload);
};

int guests_new(const struct guests_config *config, struct guests **guests);
void guests_free(struct guests *guests);

/* FRAME_COMMANDS of SERVER on LINK. With PRIMARY false all of it is answered NOT_PRIMARY.
 * *SUBMITTED: a chain for the proposer. ERR_INVALID: the link should be cut. */
int guests_commands(struct guests *guests, uint64_t server, uint64_t link, struct str payload,
                    bool primary, struct submission **submitted);
/* Whether SUBMISSION is a guest's: if leadership is lost, the guest is told and asks elsewhere. */
bool guest_owns(const struct submission *submission);
/* Sends the answers that have gathered. */
void guests_answers(struct guests *guests);
/* The link is gone: its answers are dropped. */
void guests_left(struct guests *guests, uint64_t server, uint64_t link);

#endif
