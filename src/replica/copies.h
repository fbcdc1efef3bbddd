/* Copies: the one place from which this server's database is copied at a time, for another server
 * (replica/copy.h) or for a backup.
 *
 *        copies_begin                  copies_thaw                copies_end
 *   FREE ------------> FROZEN --------------------------> THAWED ------------> FREE
 *                        file held still, WAL grows         (a tail goes on)
 *                        |                                                       ^
 *                        +------------------------- copies_end ------------------+
 *
 * What is read is limited in bytes a second, so that the server's own work goes on, and stops
 * when what gathers meanwhile leaves the disk too little room.
 *
 * Thread: copies_stop any; the others any that may block, one at a time between begin and end.
 */
#ifndef STOA_REPLICA_COPIES_H
#define STOA_REPLICA_COPIES_H

#include "replica/applier.h"
#include "replica/tail.h"

struct copies;

enum {
    COPY_RATE = 64 * 1024 * 1024,        /* bytes a second */
    COPY_ROOM_LEAST = 512 * 1024 * 1024, /* a disk that has less left than this, and less than a
                                            tenth of its size, is too full */
};

/* DIR: where a tail is kept, on the database's disk. RATE 0: COPY_RATE. */
int copies_new(struct applier *applier, const char *dir, uint64_t rate, struct copies **copies,
               struct failure *failure);
/* What is being copied ends soon: reads give ERR_CLOSED. */
void copies_stop(struct copies *copies);
bool copies_stopping(struct copies *copies);
void copies_free(struct copies *copies); /* after the last copies_end; NULL is fine */

/* Holds the file still; TAIL (may be NULL): gathers what is committed from then on. ERR_BUSY: a
 * copy is being made already, or no moment was found (tried for COPY_PATIENCE_MS). ERR_FULL: the
 * disk. ERR_UNSUPPORTED: the machine has no copies. */
enum { COPY_PATIENCE_MS = 10000 };
int copies_begin(struct copies *copies, struct machine_frozen *frozen, struct tail **tail,
                 struct failure *failure);
/* LEN bytes at OFFSET, when the rate allows it. ERR_CLOSED, ERR_FULL, ERR_IO. */
int copies_read(struct copies *copies, uint64_t offset, void *out, size_t len,
                struct failure *failure);
/* ERR_FULL: the disk has too little room left to go on. Looks once a second. */
int copies_check_room(struct copies *copies, struct failure *failure);
void copies_thaw(struct copies *copies);
void copies_end(struct copies *copies);

#endif
