/* Freeze: holds the database file still while it is copied, and lets writes go on.
 *
 * A WAL that has been moved wholly into the file leaves the file complete. A read transaction
 * that begins then needs nothing but the file, and SQLite (its lock WAL_READ_LOCK(0)) moves no
 * page into the file while that transaction lasts: what is written stays in the WAL, which grows
 * meanwhile.
 *
 * The file is read through SQLite's own descriptor: on Linux closing any descriptor of a file
 * drops all of the process's locks on it, and with them SQLite's.
 *
 * Thread: the writer's, but for freeze_read.
 */
#ifndef STOA_STORE_FREEZE_H
#define STOA_STORE_FREEZE_H

#include "store/db.h"

/* Outside a transaction. *SIZE: of the file. ERR_BUSY: it is frozen already, or a reader needs
 * pages of the WAL (waited for FREEZE_WAIT_MS): try again. Other errors are not the database's
 * (db_failure), which goes on. */
enum { FREEZE_WAIT_MS = 50 };
int db_freeze(struct db *db, uint64_t *size, struct failure *failure);
/* Fine when it is not frozen. What is in the WAL is moved by and by. */
void db_thaw(struct db *db);
/* LEN bytes at OFFSET, all of them within the size. Any thread, one at a time, between db_freeze
 * and db_thaw. */
int db_frozen_read(struct db *db, uint64_t offset, void *out, size_t len, struct failure *failure);

#endif
