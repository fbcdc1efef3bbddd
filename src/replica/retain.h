/* Retain: which entries of the log a witness keeps. Pure.
 *
 * A witness is of use as long as it has what a whole server lacks: then the primary may die, and
 * that server gets from the witness what it must have to be the next. So it keeps all that comes
 * after what each of the voting whole servers has for certain, within a bound of bytes. Of whom it
 * has heard nothing (after its own start) it keeps everything.
 *
 * For certain: entry N is committed, and that server's log agrees with the primary's up to N; it
 * never loses N any more (Raft's log matching and leader completeness).
 */
#ifndef STOA_REPLICA_RETAIN_H
#define STOA_REPLICA_RETAIN_H

#include "replica/hello.h"

#include <stdbool.h>
#include <stdint.h>

enum { RETAIN_MARKS = 256 };

struct retain {
    uint64_t bytes_max;
    uint64_t fine; /* so many bytes from mark to mark, as long as there is room for the marks */
    struct retained {
        uint64_t server, certain;
        bool given_up; /* more lacks than is kept: it needs a copy, or what is lost with others */
    } servers[CLUSTER_SERVERS_MAX];
    unsigned count;
    struct { /* how many bytes had come up to an entry; rising in both */
        uint64_t index, bytes;
    } marks[RETAIN_MARKS];
    unsigned mark_count;
    uint64_t step; /* from mark to mark now; 0: as fine */
};

/* The voting whole servers but us: those that are not among them are forgotten. */
void retain_voters(struct retain *retain, const uint64_t *servers, unsigned count);
/* SERVER has all up to CERTAIN for certain; a lower one than was told before changes nothing. */
void retain_certain(struct retain *retain, uint64_t server, uint64_t certain);
/* 0: nothing is known, or it is none of the voters. */
uint64_t retain_certain_of(const struct retain *retain, uint64_t server);
/* SERVER, having been given up, can be given what it lacks after all. */
void retain_take_up(struct retain *retain, uint64_t server);

/* BYTES have come into the log since its begin was counted, up to entry INDEX. */
void retain_weigh(struct retain *retain, uint64_t index, uint64_t bytes);
/* The bytes of the entries after FROM up to TO, about, and rather too many. */
uint64_t retain_bytes(const struct retain *retain, uint64_t from, uint64_t to);

/* The entry after which all is to be kept of a log of which FIRST to COMMITTED can be cut off; its
 * last entry is LAST. Gives up on whom that leaves behind: those are new in GIVEN_UP, whose number
 * is returned as *COUNT. */
uint64_t retain_cut(struct retain *retain, uint64_t first, uint64_t committed, uint64_t last,
                    uint64_t given_up[CLUSTER_SERVERS_MAX], unsigned *count);

#endif
