/* Tail: the entries that a server commits after its database was held still for a copy, in order,
 * in a file without a name, until the server that gets the copy has taken them (replica/copy.h).
 *
 * A record: u32 length of the batch, u64 index, the batch (replica/batch.h); little-endian. What
 * has been taken is given back to the disk.
 *
 * Thread: the tap is the applier's; the rest is the sending thread's.
 */
#ifndef STOA_REPLICA_TAIL_H
#define STOA_REPLICA_TAIL_H

#include "base/buf.h"
#include "base/err.h"
#include "replica/applier.h"

#include <stdbool.h>
#include <stdint.h>

struct tail;

enum { TAIL_HEADER = 12, TAIL_RECORD_MAX = 2 * 1024 * 1024 };

/* In the directory DIR. */
int tail_new(const char *dir, struct tail **tail, struct failure *failure);
void tail_free(struct tail *tail); /* NULL is fine; after the applier has let go of the tap */

const struct applier_tap *tail_tap(struct tail *tail);

/* What comes after entry AFTER, appended to OUT: whole records, about ROOM bytes at the most, at
 * least one when there is one. Waits until DEADLINE_NS for the first; 0 also when none has come.
 * What is at or below TAKEN is not needed any more, and cannot be asked for again (ERR_STATE).
 * ERR_FULL, ERR_IO: the tail could not be written (on). */
int tail_read(struct tail *tail, uint64_t taken, uint64_t after, size_t room, uint64_t deadline_ns,
              struct buf *out, struct failure *failure);

/* Takes the next record off *BYTES; false: none is left. *DAMAGED: what is left is none. */
bool tail_next(struct str *bytes, uint64_t *index, struct str *batch, bool *damaged);

#endif
