/* What a server that needs a copy keeps on disk, in DIR/copy (see copy.h). Not for other folders.
 */
#ifndef STOA_REPLICA_COPY_FILES_H
#define STOA_REPLICA_COPY_FILES_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

enum { COPY_PATH = 512 };

/* Which copy it is. Kept as "state" while the file comes, as "copied" after it. */
struct copy_record {
    uint64_t copy, server, size, index;
    int64_t time_ms;
};

int copy_path(char out[COPY_PATH], const char *dir, const char *name, struct failure *failure);
int copy_record_write(const char *dir, const char *name, const struct copy_record *record,
                      struct failure *failure);
bool copy_record_read(const char *dir, const char *name, struct copy_record *record);
void copy_remove(const char *dir, const char *name);

/* Opens the part, making it and its folder if need be: its descriptor, or -1. */
int copy_open_part(const char *dir, struct failure *failure);
/* The part, whole and durable, takes the place of DATABASE. Killed at any moment in between, a copy
 * is still wanted, or the new database is there. */
int copy_install(const char *dir, const char *database, const struct copy_record *record,
                 struct failure *failure);

#endif
