/* Apply load: how fast a server's copy takes in commands that are in the log already, as one does
 * that was away, or a warm backup that becomes primary: no log, no network, nobody waits for the
 * results.
 *
 * Works:
 *   cart   carts of SHOPPERS shoppers, each replaced whole again and again
 *   buy    checkouts that are ready are bought, HOLD then CONFIRM; items at random
 *   hot    the same, all of one product
 *
 * The yardstick beside it: as many rows of the same size written into a table of SQLite under
 * time-ordered keys, the same number in a transaction. Thread: the caller's; blocks.
 */
#ifndef STOA_BENCH_APPLY_LOAD_H
#define STOA_BENCH_APPLY_LOAD_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum apply_work { APPLY_CART, APPLY_BUY, APPLY_HOT };

struct apply_load {
    const char *file; /* the shop's database; made */
    enum apply_work work;
    uint64_t commands; /* applied while timed */
    unsigned shoppers; /* cart */
    unsigned items;    /* products; hot: 1 is used */
    unsigned entry;    /* commands in an entry of the log */
    unsigned group;    /* entries in a transaction */
    uint64_t seed;
    bool no_yardstick; /* only the database is wanted */
};

struct apply_load_result {
    uint64_t commands;
    double seconds, cpu_seconds; /* of applying */
    double plain_seconds;        /* the yardstick's, for as many rows */
    uint64_t command_bytes;      /* as in the log */
};

int apply_load_run(const struct apply_load *load, struct apply_load_result *result,
                   struct failure *failure);

#endif
