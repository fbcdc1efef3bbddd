/* Stamp: the name of a shopper's one intention, so that it can be sent twice and happen once.
 *
 * Each request that may change something (POST, PUT, PATCH, DELETE) gets an operation id on its
 * way to a server of the shop, in Stoa-Operation, the same for every attempt. The servers order
 * what it asks for under that id; a second one with the same id gets the first one's result. So a
 * load manager may send it again whatever happened to the first attempt.
 *
 * Ids are UUIDv7 (base/id.h), unguessable: their random bits come from the kernel, a batch at a
 * time. Names of requests (X-Request-Id) are made in the same way. Thread: one for each stamp.
 */
#ifndef STOA_BALANCE_STAMP_H
#define STOA_BALANCE_STAMP_H

#include "base/id.h"

enum { STAMP_BATCH = 4096 };

struct stamp {
    unsigned char bits[STAMP_BATCH];
    unsigned left; /* bytes of `bits`, at its end */
};

/* Begun zeroed. As text into OUT; returns OUT. */
char *stamp_new(struct stamp *stamp, int64_t wall_ms, char out[static ID_TEXT]);

#endif
