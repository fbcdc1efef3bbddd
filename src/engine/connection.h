/* Connection: moves bytes between a socket and its connection core (http/conn.h): PROXY header,
 * TLS, sending of files, deadlines, and the polite end. Used by every engine.
 *
 * It knows nothing of how anyone waits: the engine says what the socket can do (connection_ready),
 * gives it a turn, and looks at what it wants then. A turn reads once and sends a bounded share,
 * and never blocks, unless the app does.
 *
 *   opened --plain TCP--> OPEN --http_conn_finished--> LINGERING --> over
 *    |    |                ^ ^                             (deadline, end, too much)
 *    |    +--> HANDSHAKE --+ |
 *    |            ^          |
 *    +--> PROXY --+----------+
 *
 * Thread: who has the turn of its dispatcher.
 */
#ifndef STOA_ENGINE_CONNECTION_H
#define STOA_ENGINE_CONNECTION_H

#include "engine/dispatcher.h"

enum {
    CONNECTION_READ = 16 * 1024,      /* read at a turn: what a flood of small requests may have */
    CONNECTION_READ_BULK = 64 * 1024, /* the same for a body that streams in */
    CONNECTION_SEND = 128 * 1024,     /* sent at a turn */
};

/* What a turn needs besides: of the thread, not of the connection. */
struct connection_buffers {
    char input[CONNECTION_READ_BULK]; /* for reading, and for gathering before TLS */
    char plain[CONNECTION_READ];      /* deciphered */
    /* For an engine that lends it to the host whose turn it is (rota.c), so that connections at
     * rest keep no memory for reuse. NULL at the start. */
    struct http_spare *spare;
};

enum connection_state {
    CONNECTION_PROXY,
    CONNECTION_HANDSHAKE,
    CONNECTION_OPEN,
    CONNECTION_LINGERING
};

struct connection {
    int fd;
    struct dispatcher *dispatcher;
    struct connection_buffers *buffers; /* of who has the turn; set by the engine */
    struct http_conn *http;             /* NULL: in the handshake, or lingering */
    struct tls *tls;                    /* NULL: plain TCP */
    uint64_t heard_ns;                  /* last time that bytes arrived */
    uint64_t deadline_ns;               /* of any state but OPEN, whose deadline is the core's */
    size_t plain_unsent;                /* encrypted, but not yet reported by http_conn_sent */
    uint32_t lingered;                  /* bytes thrown away while lingering */
    enum connection_state state;
    /* What the socket was last known to be able to do. */
    bool readable, writable;
    bool hung_up;   /* the end is in sight: read until it comes */
    bool eof;       /* it came */
    bool bulk;      /* the last read brought nothing but a piece of a large body */
    bool sending;   /* in the middle of a large answer */
    bool again;     /* it wants another turn although nothing happens: its share was used up */
    bool broken;    /* to be closed */
    bool reset;     /* and by a reset */
    bool wants_tls; /* after the PROXY header */
    bool submitted; /* `submit` has taken something: nothing is done to it until connection_sent */
    bool proxied;   /* peer and here are what it said */
    bool in_pieces; /* it did not come at once: the socket tells of more of it alone */
    struct endpoint peer, here;
    /* NULL, or of an engine that sends by itself: takes bytes, which stay as they are until
     * connection_sent. False: they are sent here. */
    bool (*submit)(struct connection *c, const void *at, size_t len);
};

/* Frees what is spare. */
void connection_buffers_close(struct connection_buffers *buffers);

/* Takes FD over, which was accepted at LISTEN from PEER and does not block. C is zeroed by it.
 * False: it is to be closed at once. */
bool connection_open(struct connection *c, struct dispatcher *dispatcher,
                     struct connection_buffers *buffers, const struct engine_listen *listen, int fd,
                     const struct endpoint *peer, uint64_t now_ns);

/* EVENTS of epoll or poll: EPOLLIN, EPOLLOUT, EPOLLRDHUP. False: EPOLLERR or EPOLLHUP; it is to be
 * closed. */
bool connection_ready(struct connection *c, uint32_t events);

/* Receives, sends: one turn. False: it is over, and to be closed. */
bool connection_turn(struct connection *c, uint64_t now_ns);
/* Its two halves. What was wrong with what came is known after the second, which may still tell the
 * client. */
void connection_receive(struct connection *c, uint64_t now_ns);
bool connection_send(struct connection *c, uint64_t now_ns);

/* For an engine that receives by itself, instead of connection_receive: N bytes have come; 0: the
 * end; less: -errno. To be followed by connection_send. */
void connection_take(struct connection *c, const char *at, ssize_t n, bool full, uint64_t now_ns);
bool connection_wants_input(const struct connection *c);
/* N bytes of what was submitted have been sent, or -errno. To be followed by connection_send. */
void connection_sent(struct connection *c, ssize_t n, uint64_t now_ns);

/* What it waits for besides its deadline: EPOLLIN, EPOLLOUT, both, or none (the app has it). */
uint32_t connection_wants(const struct connection *c);

/* Monotonic ns; UINT64_MAX: none. */
uint64_t connection_deadline(const struct connection *c);
/* To be called when it has come (or may have): sends what is said of it, and reads nothing. False:
 * it is over. */
bool connection_expire(struct connection *c, uint64_t now_ns);

/* Graceful stop: answers what has arrived, and nothing more. False: it is over. */
bool connection_drain(struct connection *c, uint64_t now_ns);

/* Closes the socket, with a reset when it is c->reset. What the app still has of it is orphaned. */
void connection_close(struct connection *c);

/* For dispatcher_kind: OWNER is a struct connection. */
bool connection_addresses(void *owner, struct endpoint *client, struct endpoint *here);

/* connection_proxy.c: looks for the header at the beginning of what has come. True: it is there
 * and has been taken; else it is to be waited for, or C is broken. */
bool connection_proxy_read(struct connection *c);

#endif
