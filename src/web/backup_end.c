#include "web/backup_end.h"

#include "base/id.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

static const char whole[] = "stoa-backup 1 ", broken[] = "stoa-backup-failed ";

/* Blanks up to the end of the line. */
static void fill_up(char out[static BACKUP_END], int len)
{
    size_t used = len < 0 ? 0 : (size_t)len < BACKUP_END - 1 ? (size_t)len : BACKUP_END - 1;
    memset(out + used, ' ', BACKUP_END - used);
    out[BACKUP_END - 1] = '\n';
}

void backup_end_put(char out[static BACKUP_END], const struct backup_end *end)
{
    char hex[2 * BACKUP_DIGEST + 1];
    hex_encode(end->digest, BACKUP_DIGEST, hex);
    int len = snprintf(out, BACKUP_END, "%s%llu %llu %lld %s", whole, (unsigned long long)end->size,
                       (unsigned long long)end->index, (long long)end->time_ms, hex);
    fill_up(out, len);
}

void backup_end_put_failure(char out[static BACKUP_END], const char *why)
{
    fill_up(out, snprintf(out, BACKUP_END, "%s%s", broken, why));
}

int backup_end_get(struct backup_end *end, const char in[static BACKUP_END],
                   struct failure *failure)
{
    char line[BACKUP_END + 1], hex[2 * BACKUP_DIGEST + 1];
    unsigned long long size, index;
    long long time_ms;
    memcpy(line, in, BACKUP_END);
    line[BACKUP_END] = 0;
    struct str text = str_trim(str_make(in, BACKUP_END));
    if (str_starts(text, str_of(broken))) {
        text = str_from(text, sizeof broken - 1);
        return fail(failure, ERR_STATE, "the backup is not whole: %.*s", (int)text.len, text.at);
    }
    if (strncmp(line, whole, sizeof whole - 1) != 0 ||
        sscanf(line + sizeof whole - 1, "%llu %llu %lld %64s", &size, &index, &time_ms, hex) != 4 ||
        hex_decode(str_of(hex), end->digest, BACKUP_DIGEST) != 0)
        return fail(failure, ERR_INVALID, "the backup broke off");
    end->size = size;
    end->index = index;
    end->time_ms = time_ms;
    return 0;
}
