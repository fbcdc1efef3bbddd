/* Door: where servers meet. Accepts connections of others and makes those to them, shakes hands
 * (TLS with both sides authenticated, then hello.h), and hands over who got through.
 *
 * Blocking threads, so that a handshake with a slow, dead or hostile other costs the Raft loop
 * nothing: one that accepts, a short-lived one for each handshake (at most DOOR_GUESTS at once,
 * DOOR_PATIENCE_MS each), and one for each other server that is to be dialled. When all places of
 * guests are taken, the host that has most of them loses its oldest: a flood from one machine is
 * its own rival. Copies and joins go on in their guest's thread, at most DOOR_VISITS at once, of
 * which DOOR_JOINS are joins: whoever joins is nobody yet, and must not keep members' copies out.
 *
 * What goes wrong is logged when it changes, not at each attempt; what strangers do wrong, once a
 * minute for each kind.
 */
#ifndef STOA_REPLICA_DOOR_H
#define STOA_REPLICA_DOOR_H

#include "base/err.h"
#include "base/log.h"
#include "net/channel.h"
#include "replica/hello.h"

struct door;

enum {
    DOOR_GUESTS = 32,
    DOOR_VISITS = 8,
    DOOR_JOINS = 4,
    DOOR_DIALS = 32,
    DOOR_PATIENCE_MS = 5000,
    /* From a failed attempt to the next, doubling, each time shortened at random by up to half. The
     * first ones come quickly: a process that is dying resets connections before it refuses them.
     */
    DOOR_RETRY_MS = 10,
    DOOR_RETRY_MAX_MS = 1000,
    /* TCP_USER_TIMEOUT of links: much longer than an election, and shorter than it takes TCP to
     * try again once a cut network is whole. */
    DOOR_LINK_PATIENCE_MS = 2000,
};

struct door_config {
    const char *listen; /* "HOST:PORT" */
    struct tls_context *tls;
    struct id cluster;
    uint64_t generation;
    uint32_t patience_ms, retry_ms, retry_max_ms; /* 0: as above */
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
    /* A connection for a copy or a join, greeted; may take its time (its calls end with ERR_CLOSED
     * when the door is stopped); CHANNEL is closed by the door after it. OTHER's certificate is
     * its own; at a join there is none. May be NULL (it is refused then). */
    void (*copy)(void *context, const struct server_place *other, struct channel *channel);
    void (*join)(void *context, struct channel *channel);
    /* An attempt to dial ID failed; there will be another. DEAD: the machine answered and nobody
     * listens (refused), which after a broken link means that the process is gone. REMOVED: it
     * says that we don't belong. */
    void (*missed)(void *context, uint64_t id, bool dead, bool removed, const char *why);
};

/* Listens; *PORT is the port in use. */
int door_start(const struct door_config *config, struct door **door, uint16_t *port,
               struct failure *failure);
/* Nothing is called any more when it returns. NULL is fine. */
void door_stop(struct door *door);

/* Any thread. Connects to ADDRESS until it has a link, which is handed to linked(); again after
 * door_dial is called again (when that link broke: the first attempt is at once). A new address
 * replaces the former. An attempt between two others is made at once when ID itself makes a link.
 * ERR_FULL: DOOR_DIALS others; ERR_IO: no thread; ERR_CLOSED: stopping.
 * door_forget ends it; an attempt that succeeds just then is still handed over. */
int door_dial(struct door *door, uint64_t id, const char *address);
void door_forget(struct door *door, uint64_t id);

#endif
