/* Writer: group commit for a small service with a database of its own (the bank's sandbox, a
 * warehouse): one thread runs jobs one after the other, many within one transaction, makes the
 * transaction durable, and only then tells who waits (DeWitt et al., 1984).
 *
 * A job that fails is undone alone (a savepoint), the others of its group stand. Durable: WAL with
 * synchronous=FULL, so that an answer that was given is true after a power cut.
 *
 * Thread: any may submit.
 */
#ifndef STOA_OUTSIDE_WRITER_H
#define STOA_OUTSIDE_WRITER_H

#include "base/err.h"
#include "base/log.h"
#include "store/db.h"

#include <stdint.h>

struct writer;

/* One change. Embedded in the submitter's own object, lent until `done` is called. */
struct writer_job {
    /* On the writer's thread, inside a transaction. 0: keep what was written; other: undo it. */
    int (*run)(struct writer_job *job, struct db *db);
    /* On the writer's thread, after the commit. ERR is what `run` gave (ERR_INTERNAL too when the
     * database refused a statement of it: a constraint); ERR_IO: the disk or the commit failed and
     * nothing of the group is kept. Must not block. */
    void (*done)(struct writer_job *job, int err);
    struct writer_job *next; /* writer's */
    int err;                 /* writer's */
};

/* Opens FILE with MAKE, which is called once with the writer's connection inside a transaction and
 * makes or upgrades the tables. LOG is lent. GROUP_MAX: jobs in one transaction; 0: 256. */
int writer_open(const char *file, int (*make)(struct db *db, struct failure *failure),
                unsigned group_max, const struct log *log, struct writer **writer,
                struct failure *failure);
/* Runs what waits, then closes. NULL is fine. */
void writer_close(struct writer *writer);

enum { WRITER_WAITING_MAX = 16384 };
/* 0, ERR_BUSY (too many wait), ERR_CLOSED: `done` is not called. */
int writer_submit(struct writer *writer, struct writer_job *job);
/* The same and waits on the calling thread, in place of `done`: what that would be told. */
int writer_run(struct writer *writer, struct writer_job *job);

#endif
