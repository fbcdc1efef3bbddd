/* Batch: the format of one log entry: many commands under one time stamp.
 *
 *   offset  size  little-endian
 *        0     4  version, 1
 *        4     4  number of commands
 *        8     8  time: the primary's stamp, milliseconds since 1970
 *       16     8  origin: who proposed it (unique per proposal; see replica/propose.h)
 *       24        each command: 4 bytes length, then its bytes
 *                 zeros up to a multiple of 8, as libraft wants it
 *
 * Pure: no allocation, no clock. Commands read are lent from the entry.
 */
#ifndef STOA_REPLICA_BATCH_H
#define STOA_REPLICA_BATCH_H

#include "base/str.h"

#include <stdint.h>

enum { BATCH_HEADER = 24, BATCH_PER_COMMAND = 4 };

/* How long the entry will be whose commands have SUM bytes together. */
size_t batch_size(size_t count, size_t sum);

struct batch_writer {
    unsigned char *at, *end;
};

/* Begins an entry in ROOM of batch_size() bytes; then batch_put each of COUNT commands,
 * then batch_end, which fills up with zeros. */
void batch_begin(struct batch_writer *writer, void *room, size_t size, uint32_t count,
                 int64_t time_ms, uint64_t origin);
void batch_put(struct batch_writer *writer, struct str command);
void batch_end(struct batch_writer *writer);

struct batch {
    int64_t time_ms;
    uint64_t origin;
    uint32_t count;
    /* private: what is left to read */
    const unsigned char *at, *end;
    uint32_t left;
};

/* Opens ENTRY. ERR_INVALID: not an entry; ERR_UNSUPPORTED: of a newer version;
 * ERR_DAMAGED: its lengths do not add up. The whole entry is checked here. */
int batch_open(struct batch *batch, struct str entry);
/* The next command; false after the last. */
bool batch_next(struct batch *batch, struct str *command);

#endif
