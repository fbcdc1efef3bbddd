/* Order load: shoppers whose commands go straight into the order, without HTTP.
 *
 * What a server does between its faces and its answers: each of so many visitors submits a command
 * and, when it is answered, the next. One thread makes the commands and is told of the answers by
 * replica's threads, as a face's loop would be.
 *
 * Works:
 *   cart  a cart of one line is replaced whole (the visitor's own)
 *   buy   a checkout that is ready is bought: HOLD, then CONFIRM, under an Idempotency-Key.
 *         The checkouts are made before, untimed
 *
 * Beside it a thread looks how old the copy is: the primary's notes the moments at which it had
 * applied which entry, into memory shared by the servers' processes, and the others look up when
 * the primary had applied the first entry that they have not.
 */
#ifndef STOA_BENCH_ORDER_LOAD_H
#define STOA_BENCH_ORDER_LOAD_H

#include "base/err.h"
#include "bench/histogram.h"
#include "replica/order.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum order_work { ORDER_WORK_CART, ORDER_WORK_BUY };

enum { ORDER_MOMENTS = 1 << 16 };

/* Shared by the processes: written by the primary's, read by the others'. */
struct order_moments {
    atomic_uint_fast64_t count; /* of moments ever written */
    struct {
        atomic_uint_fast64_t index, at_ns;
    } ring[ORDER_MOMENTS];
};

struct order_load {
    struct ordering *order;
    struct order_moments *moments;
    enum order_work work;
    unsigned server; /* from 0; makes ids that no other server's visitors have */
    unsigned visitors;
    unsigned items; /* products order_load_items has made; 1: the hot one */
    unsigned ready; /* buy: checkouts for each visitor */
    uint64_t seed;
    double seconds, warm_up_seconds;
};

/* In memory shared by the processes. */
struct order_load_result {
    uint64_t operations, commands, failed, refused;
    double seconds;
    bool ran_out;             /* of ready checkouts, before time was up */
    struct histogram latency; /* of an operation */
    struct histogram age;     /* of the copy: 0 on the primary */
    struct failure failure;
};

/* Makes COUNT products of which there is always enough. On one server. Blocks. */
int order_load_items(struct ordering *order, unsigned count, struct failure *failure);
/* buy: makes the checkouts. Blocks. */
int order_load_ready(const struct order_load *load, struct failure *failure);
/* Runs it. Blocks. RESULT: written from scratch. */
int order_load_run(const struct order_load *load, struct order_load_result *result,
                   struct failure *failure);

#endif
