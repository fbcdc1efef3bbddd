/* Peers: the links to the other servers, on the Raft loop.
 *
 * What Raft, the forwarding of commands and the membership send and receive goes through here. A
 * link has two halves: the connection that we made (ours to send on, answers come back), and the
 * one that the other made. Each has bounds: what does not fit any more is not sent, and the
 * sender is told.
 *
 *   DOWN ──(door: linked)──▶ UP ──(broken, stuck)──▶ DOWN: door_dial at once
 *                                                     └─(refused: the process is gone)─▶ gone()
 *
 * Each server says something on the connection it made a few times a second (replica/news.h): one
 * on which nothing comes is cut. Ours is cut when what waits does not move.
 *
 * Thread: Raft's, but for peers_linked and peers_missed (the door's threads).
 */
#ifndef STOA_REPLICA_PEERS_H
#define STOA_REPLICA_PEERS_H

#include "base/log.h"
#include "base/str.h"
#include "replica/hello.h"

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>

struct peers;
struct door;
struct tls;

enum { PEERS_MAX = CLUSTER_SERVERS_MAX, PEER_SEND_MAX = 16 * 1024 * 1024 };

struct peers_listener {
    void *context;
    /* FRAME_RAFT, FRAME_COMMANDS, FRAME_NEWS from SERVER, on the connection it made; FRAME_ANSWERS
     * on ours. The payload is lent. LINK counts SERVER's connections: an answer belongs to the
     * link on which its question came. Not 0: it cannot be read; the connection is cut. */
    int (*received)(void *context, uint64_t server, uint64_t link, uint8_t kind,
                    struct str payload);
    /* Our connection to SERVER is there, or broke: what was sent on it and not answered has an
     * unknown fate. */
    void (*up)(void *context, uint64_t server, uint64_t link);
    void (*down)(void *context, uint64_t server, uint64_t link);
    /* SERVER has connected to us. The connection that it made broke: answers to it need no longer
     * be sent. */
    void (*met)(void *context, const struct server_place *place);
    void (*left)(void *context, uint64_t server, uint64_t link);
    /* SERVER's process is gone: its connection broke and its port refuses. */
    void (*gone)(void *context, uint64_t server);
    /* SERVER says that we are not (any more) one of the cluster. */
    void (*removed)(void *context, uint64_t server);
};

struct peers_config {
    uv_loop_t *loop;
    const struct log *log;
    uint32_t silence_ms;         /* a connection is cut when nothing moves for so long */
    void (*wake)(void *context); /* any thread: peers_take is wanted */
    struct peers_listener listener;
};

/* NULL without memory. */
struct peers *peers_new(const struct peers_config *config);
/* Who dials from now on; NULL: nobody any more. */
void peers_use_door(struct peers *peers, struct door *door);
/* Ends all connections, without telling the listener. Their memory goes in later turns. */
void peers_close(struct peers *peers);
void peers_free(struct peers *peers);

/* SERVER is to be connected to, at ADDRESS; a new address replaces the former. ERR_FULL: PEERS_MAX
 * are already. */
int peers_want(struct peers *peers, uint64_t server, const char *address);
/* No longer: both connections end. */
void peers_unwant(struct peers *peers, uint64_t server);

/* The door's threads; see door.h. FD, TLS, REST are peers' from then on. */
void peers_linked(struct peers *peers, const struct server_place *other, bool connected, int fd,
                  struct tls *tls, struct buf *rest);
void peers_missed(struct peers *peers, uint64_t server, bool dead, bool removed, const char *why);

/* What the door has brought. */
void peers_take(struct peers *peers);
/* Each turn: sends what has gathered. */
void peers_flush(struct peers *peers);
/* A few times a second: cuts what is silent or stuck. */
void peers_check(struct peers *peers, uint64_t now_ns);

/* Sends on our connection to SERVER. ERR_CLOSED: there is none; ERR_FULL: PEER_SEND_MAX waits. */
int peers_send(struct peers *peers, uint64_t server, uint8_t kind, struct str payload);
/* The same, the payload being written by the caller straight into what comes back (NULL: there is
 * no connection), before anything else is done with peers. */
struct buf *peers_begin(struct peers *peers, uint64_t server, uint8_t kind);
int peers_end(struct peers *peers, uint64_t server);
/* Answers on the connection that SERVER made, if it is still that LINK. */
int peers_answer(struct peers *peers, uint64_t server, uint64_t link, uint8_t kind,
                 struct str payload);
/* Closes that connection, which SERVER has made or we have made to it, if it is still that LINK;
 * it is made again. */
void peers_cut(struct peers *peers, uint64_t server, uint64_t link, const char *why);
/* The link that peers_send would use; 0: none. */
uint64_t peers_link(const struct peers *peers, uint64_t server);
/* Whether SERVER has a connection to us. */
bool peers_hears(const struct peers *peers, uint64_t server);

#endif
