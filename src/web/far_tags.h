/* Far tags: what an answer shows, told to a process elsewhere that may keep it (web/far.h), and how
 * such a process is known.
 *
 *   Stoa-Far: KEY SCHEME ADDRESS      with the request: for the client at ADDRESS. KEY is made from
 *                                     the operator's token. Who has another one, or none, is of
 *                                     another shop, or cannot tell changes: it looks at nothing and
 *                                     answers 421 (RFC 9110, section 15.5.20), marked with
 *                                     CARRY_MISDIRECTED
 *   Stoa-Tags: ring=HEX; index=N; round=N; left=MS; catalogue; products=N,N
 *                                     with the answer, if a response cache may keep it
 *                                     (web/cache.h)
 *
 * RING is the number of the server's change ring, to whose changes alone INDEX compares; ROUND and
 * LEFT only where they matter.
 *
 * Thread: any.
 */
#ifndef STOA_WEB_FAR_TAGS_H
#define STOA_WEB_FAR_TAGS_H

#include "base/buf.h"
#include "http/exchange.h"
#include "web/cache.h"

#define FAR_HEADER      "Stoa-Far"
#define FAR_TAGS_HEADER "Stoa-Tags"

enum { FAR_KEY = 33, FAR_TAGS_MAX = 1400 };

/* The key of who has TOKEN. Into OUT; returns OUT. */
char *far_key(const char *token, char out[static FAR_KEY]);

/* Pure: appends TAGS as the header's value, as of NOW_NS. False: they are of no use elsewhere. */
bool far_tags_write(struct buf *out, uint64_t ring, const struct cache_tags *tags, uint64_t now_ns);
/* Pure: 0 or ERR_INVALID. What is left counts from NOW_NS. */
int far_tags_read(struct str text, uint64_t now_ns, uint64_t *ring, struct cache_tags *tags);

/* FAR_THEIRS: X is from a process elsewhere, and has become its client's. FAR_MISDIRECTED: it is
 * from one that means another shop, and is answered so. */
enum far_origin { FAR_NONE, FAR_THEIRS, FAR_MISDIRECTED };
/* At the server, in accept, before anything of X is looked at. */
enum far_origin far_tags_take(struct exchange *x);
/* For such an X: its answer is ready, may be kept under its path, and shows TAGS. */
void far_tags_tell(struct exchange *x, const struct cache_tags *tags);

#endif
