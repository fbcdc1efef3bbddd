/* Bridge frames: what the two ends of a bridge (bridge.h) say to each other, as the payloads of
 * frames (net/frame.h). Pure.
 *
 * Far is the machine that connects, near that of the master; who takes requests out of its queue
 * and sends them is the taker, who puts them into its own queue the giver:
 *
 *   far → near   HELLO, with the key                near → far   WELCOME, or DENIED and why
 *   giver → taker   PULL n: so many more may come; 0: none, what was granted is void
 *   taker → giver   PULL 0: understood, none comes after this
 *   taker → giver   REQUEST id, facts, first bytes; MORE id, bytes
 *   giver → taker   ANSWER id, bytes
 *   both            ROOM id, n: so many more bytes of it may come; GONE id, why; PING
 *
 * An id is the taker's slot and a number that tells its requests apart: see bridge_id.
 * Times are durations, for clocks differ.
 */
#ifndef STOA_TIER_BRIDGE_FRAME_H
#define STOA_TIER_BRIDGE_FRAME_H

#include "base/buf.h"
#include "base/err.h"
#include "tier/queue.h"

/* HELLO's beginning and DENIED are the same in all versions. */
enum {
    BRIDGE_VERSION = 1,
    BRIDGE_KEY = 32,
    BRIDGE_PIECE = 16 << 10, /* most bytes of a request or an answer in one frame */
    BRIDGE_PAYLOAD_MAX = BRIDGE_PIECE + 256,
    BRIDGE_WINDOW_MAX = 1 << 20,
    BRIDGE_PULL_MAX = QUEUE_SLOTS_MAX,
};

enum bridge_kind {
    BRIDGE_HELLO = 1,
    BRIDGE_WELCOME,
    BRIDGE_DENIED,
    BRIDGE_PULL,
    BRIDGE_REQUEST,
    BRIDGE_MORE,
    BRIDGE_ANSWER,
    BRIDGE_ROOM,
    BRIDGE_GONE,
    BRIDGE_PING,
    BRIDGE_KINDS
};

enum bridge_why {
    BRIDGE_UNWANTED, /* taker: nobody waits for it any more */
    BRIDGE_LOST,     /* giver: a worker died with it */
    BRIDGE_REFUSED,  /* giver: there was no room */
    BRIDGE_OVERDUE,  /* giver: no worker came in time */
    BRIDGE_WHYS
};

/* Each kind has some of these; the others are zero. */
struct bridge_message {
    enum bridge_kind kind;
    uint64_t version;
    unsigned char key[BRIDGE_KEY];
    /* HELLO: who it is, there; whether it is a worker, else a front; what the fleet calls it. */
    uint32_t pid, number;
    bool works;
    uint32_t window; /* HELLO, WELCOME: bytes that may come of each request before its first ROOM */
    uint64_t id;
    uint32_t count; /* PULL, ROOM */
    /* REQUEST. */
    enum share_class class;
    bool tls;
    uint64_t left_ns, age_ns; /* until its deadline; since it came */
    struct str peer;          /* lent, as BYTES */
    enum bridge_why why;      /* GONE */
    uint64_t work_ns;         /* ANSWER, with its end */
    /* PING, from far: what is there has done (beat, and open, are not sent); and bridge_ping.h. */
    struct queue_report report;
    uint64_t stamp, echo, held_ns;
    bool end;         /* REQUEST, MORE, ANSWER: no more bytes come */
    struct str bytes; /* these; DENIED: why */
};

static inline uint64_t bridge_id(uint64_t number, unsigned slot)
{
    return number * QUEUE_SLOTS_MAX + slot;
}
static inline unsigned bridge_slot(uint64_t id)
{
    return (unsigned)(id % QUEUE_SLOTS_MAX);
}

/* Appends the payload. */
void bridge_put(struct buf *out, const struct bridge_message *message);
/* ERR_INVALID: it is none of these. ERR_UNSUPPORTED: another version's HELLO or WELCOME, of which
 * nothing but the version is read. */
int bridge_read(uint8_t kind, struct str payload, struct bridge_message *message);

#endif
