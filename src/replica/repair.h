/* Repair: what an operator's command does to the log of a server that does not run. The files are
 * libraft's own; it reads and writes them here too.
 *
 * DIR is replica_config's dir. Blocks. Thread: main.
 */
#ifndef STOA_REPLICA_REPAIR_H
#define STOA_REPLICA_REPAIR_H

#include "base/err.h"

#include <stdint.h>

/* Makes the log of a server that is alone under ID, which begins after entry INDEX of TIME_MS: for
 * a database that has all up to there and comes from elsewhere. DIR exists and has no log. */
int repair_begin_log(const char *dir, uint64_t id, uint64_t index, int64_t time_ms,
                     struct failure *failure);

struct repair_found {
    uint64_t term, last_index; /* 0: there is nothing in it */
    uint64_t contained;        /* what its snapshot contains, and a database must have; 0: none */
};
/* What the log in DIR has. ERR_NOTFOUND: there is none. ERR_DAMAGED, … */
int repair_look(const char *dir, struct repair_found *found, struct failure *failure);

/* Makes the server ID the only one that its log knows of. All that is in the log counts from then
 * on, also what no majority may have had. */
int repair_make_alone(const char *dir, uint64_t id, struct failure *failure);

#endif
