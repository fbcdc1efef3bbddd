/* Bridge link: one connection of a bridge (bridge.h): TLS, frames in, frames out, on a loop.
 *
 *   frames in    recv ─▶ TLS ─▶ whole frames ─▶ received()
 *   frames out   bridge_link_send ─▶ output ─(end of the turn)─▶ TLS ─▶ send
 *
 * Bounded: a frame has at most BRIDGE_PAYLOAD_MAX; who sends bytes asks bridge_link_has_room first,
 * and is told by drained() when there is room again. Nobody who sends nothing keeps it: who owns it
 * looks at bridge_link_heard_ns.
 *
 * Thread: the loop's.
 */
#ifndef STOA_TIER_BRIDGE_LINK_H
#define STOA_TIER_BRIDGE_LINK_H

#include "net/loop.h"
#include "net/tls.h"
#include "tier/bridge_frame.h"

enum { BRIDGE_TEXT = 160 };

struct bridge_link;

struct bridge_link_config {
    struct loop *loop;
    void *context;
    /* What is in MESSAGE is lent. The link stays until this has returned. Of another version's
     * HELLO there is nothing but the version. */
    void (*received)(void *context, const struct bridge_message *message);
    /* There is room again. */
    void (*drained)(void *context);
    /* It is over; at most once, and never within another call. The callee frees it. */
    void (*broken)(void *context, const char *why);
};

/* Takes FD (non-blocking; connected, or still connecting) and TLS over; NULL without memory, and
 * both are closed. */
struct bridge_link *bridge_link_open(const struct bridge_link_config *config, int fd,
                                     struct tls *tls);
/* Not within received() or drained(). What was not sent is lost. */
void bridge_link_free(struct bridge_link *link);

void bridge_link_send(struct bridge_link *link, const struct bridge_message *message);
/* For bytes: how much already waits is bounded by this. */
bool bridge_link_has_room(struct bridge_link *link);
/* broken() is called soon, with WHY. */
void bridge_link_fail(struct bridge_link *link, const char *why);
/* As that, after what waits was sent and the other side has closed, or could not be. What comes
 * meanwhile is not heard. */
void bridge_link_end(struct bridge_link *link, const char *why);
/* False: TLS failed before it was agreed on. */
bool bridge_link_is_safe(const struct bridge_link *link);
/* When bytes came last. */
uint64_t bridge_link_heard_ns(const struct bridge_link *link);

#endif
