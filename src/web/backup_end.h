/* Backup's end: what follows a database that is streamed (GET /api/v1/backup): whether it is
 * whole, and its SHA-256. One line of BACKUP_END bytes. Pure.
 */
#ifndef STOA_WEB_BACKUP_END_H
#define STOA_WEB_BACKUP_END_H

#include "base/err.h"

#include <stdint.h>

enum { BACKUP_END = 256, BACKUP_DIGEST = 32 };

struct backup_end {
    uint64_t size, index; /* bytes before the line; the last entry that is in them */
    int64_t time_ms;
    unsigned char digest[BACKUP_DIGEST];
};

void backup_end_put(char out[static BACKUP_END], const struct backup_end *end);
/* Instead: why it is not whole. */
void backup_end_put_failure(char out[static BACKUP_END], const char *why);
/* ERR_INVALID: it is no such line; ERR_STATE: it is not whole, FAILURE says why. */
int backup_end_get(struct backup_end *end, const char in[static BACKUP_END],
                   struct failure *failure);

#endif
