/* Far stream: listens to the committed changes of one of several servers (GET /api/v1/changes), and
 * goes on to the next one when that falls silent.
 *
 *   ASKING ──(beats)──▶ FOLLOWING ──(FAR_RENEW_MS)──▶ ASKING the same, from where it was
 *     ▲  └──(none)──┐       │(silence, the end)
 *     └── the next ─┴───────┘
 *
 * Of another server nothing is known that was kept before: indexes tell how far a server's log is
 * applied, but pages depend on more than the log (the way back), and two servers of one cluster may
 * differ in it.
 *
 * Thread: one of its own; the functions any.
 */
#ifndef STOA_WEB_FAR_STREAM_H
#define STOA_WEB_FAR_STREAM_H

#include "base/err.h"
#include "base/log.h"
#include "web/far_follow.h"

struct far_stream_config {
    const char *const *servers; /* "http://10.0.0.1:8080". Lent, as all here */
    unsigned count;
    const char *token;     /* the operator's */
    const char *authority; /* PEM of who certifies the servers; NULL: the system's */
    uint64_t silent_ms;    /* so long without a word: it is tried elsewhere */
    struct far_follow *follow;
    /* On the stream's thread: something was told, or time has passed. */
    void (*look)(void *context);
    void *context;
    const struct log *log;
};

struct far_stream;
int far_stream_new(const struct far_stream_config *config, struct far_stream **stream,
                   struct failure *failure);
void far_stream_free(struct far_stream *stream); /* NULL is fine */

/* Which server it follows, or asks now. */
unsigned far_stream_place(const struct far_stream *stream);
/* How often it has begun. */
uint64_t far_stream_begun(const struct far_stream *stream);

#endif
