/* Shared changes: what the process that writes a directory's database tells of its changes to the
 * readers' response caches: DIR/changes, mapped by all of them (web/cache.h, struct cache_changes).
 *
 * Made by the first server with --shared; once it is there, whoever opens the shop to write tells
 * in it, so that no reader can miss a writer. Thread: main.
 */
#ifndef STOA_MAIN_SHARED_CHANGES_H
#define STOA_MAIN_SHARED_CHANGES_H

#include "base/err.h"
#include "web/cache.h"

#include <stdbool.h>
#include <stdint.h>

struct shared_changes {
    void *map;
    struct cache_changes *changes; /* in MAP; NULL: not open */
};

/* MAKE: unless it is there. ERR_NOTFOUND (without a text): it is not. */
int shared_changes_open(const char *dir, bool make, struct shared_changes *shared,
                        struct failure *failure);
void shared_changes_close(struct shared_changes *shared); /* harmless when it is not open */

/* This process writes from now on, and its database has INDEX. */
void shared_changes_begin(const struct shared_changes *shared, uint64_t index);
/* Whether the process PID tells its changes there. */
bool shared_changes_told_by(const struct shared_changes *shared, uint64_t pid);

#endif
