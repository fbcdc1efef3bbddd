/* Door: where servers meet. Accepts connections of others and makes those to them, shakes hands
 * (TLS with both sides authenticated, then hello.h), and hands over who got through.
 *
 * Blocking threads, so that a handshake with a slow, dead or hostile other costs the Raft loop
 * nothing: one that accepts, a short-lived one for each handshake (at most DOOR_GUESTS at once,
 * DOOR_PATIENCE_MS each), and one for each other server that is to be dialled.
 */
#ifndef STOA_REPLICA_DOOR_H
#define STOA_REPLICA_DOOR_H

#include "base/err.h"
#include "base/log.h"
#include "net/channel.h"
#include "replica/hello.h"

struct door;

enum { DOOR_GUESTS = 32, DOOR_PATIENCE_MS = 5000, DOOR_RETRY_MS = 100, DOOR_RETRY_MAX_MS = 1000 };

struct door_config {
    const char *listen; /* "HOST:PORT" */
    struct tls_context *tls;
    struct id cluster;
    uint64_t generation;
    const struct log *log;
    void *context;
    /* All on the door's threads. */
    /* Our own place, for the hello. */
    void (*place)(void *context, struct server_place *place);
    /* A link: FD (non-blocking), TLS and REST are the callee's now. CONNECTED: we dialled it. */
    void (*linked)(void *context, const struct server_place *other, bool connected, int fd,
                   struct tls *tls, struct buf *rest);
    /* Whether the server ID may have a link or a copy. */
    bool (*known)(void *context, uint64_t id);
    /* A connection for a copy or a join; may take its time; CHANNEL is closed by the door after
     * it. May be NULL (it is refused then). */
    void (*copy)(void *context, const struct server_place *other, struct channel *channel);
    void (*join)(void *context, struct channel *channel);
    /* Dialling ID failed. DEAD: the machine answered and nobody listens (refused), which after
     * a broken link means that the process is gone. REMOVED: it says that we don't belong. */
    void (*missed)(void *context, uint64_t id, bool dead, bool removed, const char *why);
};

/* Listens; *PORT is the port in use. */
int door_start(const struct door_config *config, struct door **door, uint16_t *port,
               struct failure *failure);
/* Nothing is called any more when it returns. NULL is fine. */
void door_stop(struct door *door);

/* Any thread. Connects to ADDRESS until it has a link, which is handed to linked(); again after
 * door_dial is called again (when that link broke: the first attempt is at once). A new address
 * replaces the former. door_forget ends it. */
int door_dial(struct door *door, uint64_t id, const char *address);
void door_forget(struct door *door, uint64_t id);

#endif
