/* Snapshot: what stands in the log's place once it is cut off: not the database, but a
 * few bytes that say up to which entry the database is on disk, and on which server.
 * Raft sends a snapshot in one message on the stream of its heartbeats, so it stays tiny.
 * Pure.
 */
#ifndef STOA_REPLICA_SNAPSHOT_H
#define STOA_REPLICA_SNAPSHOT_H

#include "base/str.h"

#include <stdint.h>

struct snapshot {
    uint64_t index;  /* the last entry with commands that it contains */
    int64_t time_ms; /* of that entry or later */
    uint64_t server; /* whose database has it */
};

enum { SNAPSHOT_SIZE = 40 };

void snapshot_encode(unsigned char out[static SNAPSHOT_SIZE], const struct snapshot *snapshot);
/* ERR_INVALID, ERR_UNSUPPORTED (of a newer version). Longer ones of this version are read. */
int snapshot_decode(struct snapshot *snapshot, struct str bytes);

#endif
