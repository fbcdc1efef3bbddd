/* Hello: what two servers say to each other first, and the kinds of all frames between them.
 *
 *   A connects to B, TLS both ways
 *   A  HELLO (what for: a link, a copy, a join; who it is, where it serves)
 *   B  HELLO (who it is), or REFUSED with a code and a sentence, and closes
 *   then, for a link, A's Raft messages and commands go to B, and B's answers back; each pair of
 *   servers has one connection in each direction
 *
 * Pure: the encoding; replica/door.h carries it.
 */
#ifndef STOA_REPLICA_HELLO_H
#define STOA_REPLICA_HELLO_H

#include "base/buf.h"
#include "base/err.h"
#include "base/id.h"
#include "base/wire.h"

#include <stdbool.h>
#include <stdint.h>

/* So many servers at the most. */
enum { CLUSTER_SERVERS_MAX = 16 };
enum { HELLO_VERSION = 1, SERVER_ADDRESS = 280, SERVER_URL = 256, SERVER_NAME = 32 };
enum { HELLO_MAX = 1024, REFUSAL_TEXT = 320 }; /* the longest payload of either is HELLO_MAX */

enum frame_kind {
    FRAME_HELLO = 1,
    FRAME_REFUSED,
    /* On a link, from the one who connected: */
    FRAME_RAFT = 16, /* replica/message.h */
    FRAME_COMMANDS,  /* replica/forward.h */
    FRAME_NEWS,      /* how it goes; replica/news.h */
    /* On a link, back: */
    FRAME_ANSWERS = 32,
    /* On a connection for a copy: replica/copy.h */
    FRAME_COPY_FIRST = 48,
    FRAME_COPY_LAST = 63,
    /* For a join: main/join.h */
    FRAME_JOIN_FIRST = 64,
    FRAME_JOIN_LAST = 79,
};

enum hello_purpose { HELLO_LINK = 1, HELLO_COPY, HELLO_JOIN };

/* Where a server is. Servers tell each other what they know (replica/book.h). */
struct server_place {
    uint64_t id;
    int64_t since_ms; /* wall clock of its start: of two, the later is believed */
    uint64_t pid;
    char address[SERVER_ADDRESS]; /* "HOST:PORT" for the other servers */
    char url[SERVER_URL];         /* for shoppers */
};

/* "server-3": what the certificate of server 3 must call it. Returns OUT. */
char *server_name(uint64_t id, char out[SERVER_NAME]);
/* How a place is written, here and in news. */
void server_place_put(struct buf *out, const struct server_place *place);
void server_place_get(struct wire *in, struct server_place *place);

struct hello {
    enum hello_purpose purpose;
    struct id cluster;
    uint64_t generation;       /* counts `stoa recover`: servers of different ones don't speak.
                                * HELLO_JOIN: not looked at */
    struct server_place place; /* HELLO_JOIN: id 0 */
};

enum refusal {
    REFUSED_CLUSTER = 1, /* another cluster or generation */
    REFUSED_NAME,        /* the certificate is of another server, or missing */
    REFUSED_REMOVED,     /* not (any more) one of the cluster's servers */
    REFUSED_VERSION,
    REFUSED_BUSY,
};

/* The answer carries the answering server's place, and else repeats the question. */
void hello_encode(struct buf *out, const struct hello *hello);
int hello_decode(struct hello *hello, struct str payload); /* ERR_INVALID, ERR_UNSUPPORTED */
void refusal_encode(struct buf *out, enum refusal code, const char *sentence);
/* SENTENCE is printable whatever came. */
int refusal_decode(struct str payload, enum refusal *code, char *sentence, size_t size);

#endif
