/* Link: one connection between two servers on the Raft loop: TLS, frames in, frames out.
 *
 *   frames in   recv ─▶ TLS ─▶ whole frames ─▶ received()
 *   frames out  link_begin … link_end ─▶ output (bounded) ─▶ link_flush: TLS ─▶ send
 *
 * Nothing is sent before link_flush: what one turn of the loop has to say goes out in one piece.
 * Work is bounded on each call (LINK_TURN bytes), so that one busy link cannot hold up the loop.
 *
 * Thread: Raft's.
 */
#ifndef STOA_REPLICA_LINK_H
#define STOA_REPLICA_LINK_H

#include "base/buf.h"
#include "net/frame.h"
#include "net/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>

struct link;

enum { LINK_TURN = 512 * 1024 };

struct link_config {
    uv_loop_t *loop;
    size_t output_max; /* plain bytes that may wait */
    void *context;
    /* A frame; its payload is lent. May call link_close. */
    void (*received)(void *context, struct link *link, uint8_t kind, struct str payload);
    /* It is over: the other side closed, sent what is no frame, or the connection broke. Called at
     * most once, in link_flush or from the loop; the callee calls link_close. */
    void (*broken)(void *context, struct link *link, const char *why);
};

/* Takes FD (non-blocking, connected), *TLS (shaken hands) and *REST (plain text that came after
 * the hello) over, also when it fails: NULL without memory. */
struct link *link_open(const struct link_config *config, int fd, struct tls *tls, struct buf *rest);
/* Nothing is called any more; what was not sent is lost. Its memory goes in a later turn. */
void link_close(struct link *link);

/* Begins a frame: its payload is to be appended to what comes back, before anything else is done
 * with the link. link_end gives ERR_FULL when it did not fit; nothing of it is sent then. */
struct buf *link_begin(struct link *link, uint8_t kind);
int link_end(struct link *link);
int link_send(struct link *link, uint8_t kind, struct str payload);
/* Sends as much as goes now. */
void link_flush(struct link *link);

/* Bytes that wait to be sent. */
size_t link_waiting(const struct link *link);
/* When bytes last came, and when bytes last could be handed to the kernel or none waited. */
uint64_t link_heard_ns(const struct link *link);
uint64_t link_moved_ns(const struct link *link);

#endif
