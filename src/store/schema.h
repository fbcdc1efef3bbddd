/* Schema: the tables of the shop's database, and its version in the file.
 *
 * Tables and columns are documented where they are made (schema.c). The version is
 * SQLite's user_version, the application_id says that the file is ours.
 */
#ifndef STOA_STORE_SCHEMA_H
#define STOA_STORE_SCHEMA_H

#include "store/db.h"

enum { SCHEMA_VERSION = 5, SCHEMA_APPLICATION_ID = 0x53746f61 /* "Stoa" */ };

/* Makes the tables in an empty file, and what is missing in one of an older version.
 * ERR_UNSUPPORTED: a file of a newer Stoa, or not a file of ours. */
int schema_open(struct db *db, struct failure *failure);
/* For readers: only the check. A file of an older version is fine; it has no registry yet. */
int schema_check(struct db *db, struct failure *failure);

#endif
