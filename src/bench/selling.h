/* Selling: when a shop whose primary has gone takes changes again, as a shopper finds out who tries
 * all the time. For benches. Blocks. Thread: the caller's.
 */
#ifndef STOA_BENCH_SELLING_H
#define STOA_BENCH_SELLING_H

#include "base/err.h"
#include "bench/ask.h"

#include <stdbool.h>
#include <stdint.h>

enum { SELLING_BODY = 160 };

struct selling {
    struct ask *shopper; /* at a server that is left, or comes */
    const char *body;    /* of a cart with one thing in it: selling_body */
    uint64_t begin_ns;   /* when the primary went */
    unsigned deadline_ms;
    void (*meanwhile)(void *context); /* between two tries; may be NULL */
    void *context;
};

/* One unit of ITEM in a cart. */
void selling_body(const char *item, char out[static SELLING_BODY]);

/* Whether it takes a change now. */
bool selling_now(const struct selling *selling);

/* The first change that succeeds: it is sent at once, and a millisecond after each refusal again,
 * under the same Idempotency-Key. *MS: from BEGIN to its answer; *REFUSED is counted up.
 * ERR_TIMEOUT: none succeeded by the deadline. */
int selling_again(const struct selling *selling, double *ms, uint64_t *refused,
                  struct failure *failure);

#endif
