/* Machine: what replica/ drives. The seam to the shop, which it knows nothing of.
 *
 * All calls come from the applier's one thread, in the order of the log. Errors mean
 * that this copy cannot go on (disk full, damaged): the process stops.
 */
#ifndef STOA_REPLICA_MACHINE_H
#define STOA_REPLICA_MACHINE_H

#include "base/buf.h"
#include "base/err.h"

#include <stdint.h>

struct machine_frozen {
    uint64_t size; /* bytes of the database file */
    uint64_t index;
    int64_t time_ms;
};

struct machine {
    void *context;
    /* The last entry the copy has recorded; entries at or below it are skipped. */
    uint64_t (*applied)(void *context);
    int64_t (*applied_time)(void *context);
    /* One transaction: begin, apply for every command of one or more entries, commit. RESULT
     * NULL: nobody waits for it here; the copy must come out the same. */
    int (*begin)(void *context, struct failure *failure);
    int (*apply)(void *context, uint64_t index, int64_t time_ms, struct str command,
                 struct buf *result, struct failure *failure);
    int (*commit)(void *context, uint64_t index, int64_t time_ms, struct failure *failure);
    /* Everything committed survives a power cut after this; *INDEX: up to where. The
     * log is cut off only below it. */
    int (*make_durable)(void *context, uint64_t *index, struct failure *failure);
    /* Holds the database file as it is now, complete and consistent at frozen->index, until thaw;
     * changes go on beside it (into SQLite's WAL). ERR_BUSY: it is frozen already, or a reader
     * needs what is beside the file: try again. All three may be NULL: no copies. */
    int (*freeze)(void *context, struct machine_frozen *frozen, struct failure *failure);
    void (*thaw)(void *context);
    /* Reads LEN bytes at OFFSET of the frozen file. Any thread, one at a time. */
    int (*frozen_read)(void *context, uint64_t offset, void *out, size_t len,
                       struct failure *failure);
    /* Nothing has been asked for a while: memory that only saves time may be given back.
     * May be NULL. */
    void (*rest)(void *context);
};

#endif
