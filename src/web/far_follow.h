/* Far follow: what a process that keeps a server's pages elsewhere (far.h) knows of that server's
 * changes, made from the lines of web/change_line.h, and how old that knowledge is.
 *
 *   asked ──(all, from)──▶ begun ──(beat)──▶ known up to an index, as of a time ──(beat)──▶ …
 *
 * How old. A beat names the server's clock as it was before it looked what is told. Clocks of two
 * machines have nothing to do with each other, and a beat may be on its way for long (a process
 * that was stopped finds old ones in its socket). But the server cannot have answered before it was
 * asked: if its clock said F with the first beat of an answer to a request of the time A here, then
 * its clock's B was here at A + (B − F) at the earliest. So a beat counts as made then: never as
 * younger than it is (a lease; Gray and Cheriton, SOSP 1989). How much two clocks differ in their
 * speed is bounded by asking anew after FAR_RENEW_MS; and nothing counts as made after it was
 * heard, should the server's clock jump. Times are of the clock that goes on while the machine
 * sleeps.
 *
 * Pure but for the cache. Threads: far_follow_ask, _line and _end the stream's; all else any.
 */
#ifndef STOA_WEB_FAR_FOLLOW_H
#define STOA_WEB_FAR_FOLLOW_H

#include "base/str.h"
#include "web/cache.h"

#include <stdatomic.h>

enum { FAR_RENEW_MS = 60000 };

struct far_follow {
    struct cache *cache;           /* lent; over these: */
    struct cache_changes *changes; /* lent */
    _Atomic uint64_t ring;         /* whose changes are known; 0: none */
    _Atomic uint64_t told;         /* all are, up to this entry */
    _Atomic uint64_t round;        /* of the server's cache */
    _Atomic uint64_t made_ns;      /* as of then; 0: not known */

    /* The stream's own: */
    uint64_t asked_ns, first_ns;
    bool begun, timed; /* its first line has come; its first beat */
};

void far_follow_init(struct far_follow *follow, struct cache *cache, struct cache_changes *changes);

/* At NOW_NS, by clock_boot_ns, a server is asked for its changes. */
void far_follow_ask(struct far_follow *follow, uint64_t now_ns);
/* A line of its answer, without its end, at NOW_NS by the same clock, and MONO_NS by clock_mono_ns.
 * ERR_INVALID: it makes no sense, and the answer is of no use any more. */
int far_follow_line(struct far_follow *follow, struct str text, uint64_t now_ns, uint64_t mono_ns);

/* The answer has ended: until there are beats again, nothing is known of the time since. */
void far_follow_end(struct far_follow *follow);

/* How old at NOW_NS what is known may be at most; UINT64_MAX: nothing is. */
uint64_t far_follow_age_ns(const struct far_follow *follow, uint64_t now_ns);
/* Whether an answer of the server with that RING, made in that ROUND (0: in any), is to be kept. */
bool far_follow_takes(const struct far_follow *follow, uint64_t ring, uint64_t round);

#endif
