/* Operations: the ids of commands that were applied, so that none is applied twice; rows of the
 * table `operation`.
 *
 * Nearly every id that is asked about is new, and ids are in the order of time but for some
 * milliseconds. So the youngest are kept in memory: what is neither there nor before the last id
 * that was forgotten is new, and the table need not be asked. Rows without a result, which are
 * most, wait in memory until the transaction's end, and are written many at a time in the order of
 * ids.
 *
 *   operations_add ──▶ waits ──(operations_write_back)──▶ in the table, its id in memory
 *                                                              │ all places are taken,
 *                                                              ▼ operations_forget
 *                                                         in the table
 *
 * What is in memory decides nothing: the answers are those that the table would give. Whoever reads
 * or removes rows by SQL writes back first, and forgets after removing.
 *
 * For the one writer, within a transaction. Bounded: 1.5 MiB, from the first operation on.
 */
#ifndef STOA_SHOP_OPERATIONS_H
#define STOA_SHOP_OPERATIONS_H

#include "base/buf.h"
#include "base/hash.h"
#include "base/id.h"
#include "store/db.h"

struct operation;

struct operations {
    struct db *db;
    struct hash_key hash;
    struct operation *young;   /* in the order of arrival; NULL until the first */
    struct operation **sorted; /* for writing */
    uint16_t *slots;           /* by hash of the id: 0, or 1 + its place */
    unsigned count, written;   /* places that are taken; those before WRITTEN do not wait */
    struct id last;            /* beyond it the table has no id that is not in memory */
};

void operations_init(struct operations *operations, struct db *db);
/* What waits is written, or its transaction is given up. It can be used again. */
void operations_clear(struct operations *operations);

enum operation_known {
    OPERATION_NEW,   /* there is none (or the database failed) */
    OPERATION_OLD,   /* it was applied at OLDEST_MS or before */
    OPERATION_KNOWN, /* its result was appended to OUT: nothing, when none is kept */
};
enum operation_known operations_find(struct operations *operations, struct id id, int64_t oldest_ms,
                                     struct buf *out);
/* ID, which is new, was applied at TIME_MS, without a result. Errors are the database's. */
int operations_add(struct operations *operations, struct id id, int64_t time_ms);
/* The row of ID, which there may be already, is this from now on. */
int operations_put(struct operations *operations, struct id id, int64_t time_ms, struct str result);
int operations_write_back(struct operations *operations);
/* Rows were removed by SQL. */
void operations_forget(struct operations *operations);

#endif
