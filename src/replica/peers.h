/* Peers: the links to the other servers, on the Raft loop.
 *
 * What Raft, the forwarding of commands and the membership send and receive goes through here. A
 * link has two halves: the connection that we made (ours to send on, answers come back), and the
 * one that the other made. Each has bounds: what does not fit any more is not sent, and the
 * sender is told.
 *
 *   DOWN ──(door: linked)──▶ UP ──(broken, silent)──▶ DOWN: door_dial at once
 *                                                      └─(refused: the process is gone)─▶ gone()
 *
 * Thread: Raft's, but for peers_linked and peers_missed (the door's threads).
 */
#ifndef STOA_REPLICA_PEERS_H
#define STOA_REPLICA_PEERS_H

#include "base/str.h"
#include "replica/hello.h"

#include <stdbool.h>
#include <stdint.h>

struct peers;

enum { PEERS_MAX = 16, PEER_SEND_MAX = 16 * 1024 * 1024 };

struct peers_listener {
    void *context;
    /* FRAME_RAFT, FRAME_COMMANDS, FRAME_NEWS from SERVER, on the connection it made; FRAME_ANSWERS
     * on ours. The payload is lent. LINK counts SERVER's connections: an answer belongs to the
     * link on which its question came. */
    void (*received)(void *context, uint64_t server, uint64_t link, uint8_t kind,
                     struct str payload);
    /* Our connection to SERVER is there, or broke: what was sent on it and not answered has an
     * unknown fate. */
    void (*up)(void *context, uint64_t server, uint64_t link);
    void (*down)(void *context, uint64_t server, uint64_t link);
    /* The connection that SERVER made broke: answers to it need no longer be sent. */
    void (*left)(void *context, uint64_t server, uint64_t link);
    /* SERVER's process is gone: its connection broke and its port refuses. */
    void (*gone)(void *context, uint64_t server);
};

/* Sends on our connection to SERVER. ERR_CLOSED: there is none; ERR_FULL: PEER_SEND_MAX waits. */
int peers_send(struct peers *peers, uint64_t server, uint8_t kind, struct str payload);
/* Answers on the connection that SERVER made, if it is still that LINK. */
int peers_answer(struct peers *peers, uint64_t server, uint64_t link, uint8_t kind,
                 struct str payload);
/* The link that peers_send would use; 0: none. */
uint64_t peers_link(const struct peers *peers, uint64_t server);

#endif
