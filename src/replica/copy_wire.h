/* Copy's frames: see copy.h. Pure. */
#ifndef STOA_REPLICA_COPY_WIRE_H
#define STOA_REPLICA_COPY_WIRE_H

#include "base/buf.h"
#include "base/err.h"
#include "replica/hello.h"

#include <stdbool.h>
#include <stdint.h>

enum copy_frame {
    COPY_ASK = FRAME_COPY_FIRST,
    COPY_REFUSED,
    COPY_BEGIN,
    COPY_PIECE_AT, /* u64 offset, the bytes */
    COPY_DIGEST,   /* 32 bytes */
    COPY_TAKEN,
    COPY_TAIL, /* u64 applied, u64 received: the last entry of each; u64 milliseconds to wait */
    COPY_ENTRIES,
    COPY_END, /* S: and why (a sentence) */
};

enum { COPY_VERSION = 1, COPY_DIGEST_SIZE = 32, COPY_OFFSET_SIZE = 8 };

struct copy_ask {
    uint64_t copy, offset; /* to be gone on with; copy 0: a new one */
    uint64_t least;        /* it must contain this entry */
    bool primary_too;      /* no other server gave one */
};
void copy_ask_put(struct buf *out, const struct copy_ask *ask);
int copy_ask_get(struct copy_ask *ask, struct str payload);

struct copy_begin {
    uint64_t copy, offset; /* from which the pieces come */
    uint64_t size, index;
    int64_t time_ms;
};
void copy_begin_put(struct buf *out, const struct copy_begin *begin);
int copy_begin_get(struct copy_begin *begin, struct str payload);

enum copy_refusal {
    COPY_BUSY = 1, /* another copy is being made, or the disk is full, or …: ask again later */
    COPY_PRIMARY,  /* ask the others first */
    COPY_BEHIND,   /* its own database has not what is needed */
    COPY_UNKNOWN,  /* that copy is no longer kept: begin a new one */
};
void copy_refused_put(struct buf *out, enum copy_refusal code, const char *sentence);
int copy_refused_get(enum copy_refusal *code, char *sentence, size_t size, struct str payload);

void copy_offset_put(unsigned char out[COPY_OFFSET_SIZE], uint64_t offset);
uint64_t copy_offset_get(const char *in);

#endif
