#include "replica/begun.h"

#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static bool file_of(const struct replica_config *config, char path[static PATH_MAX])
{
    return config->cluster != NULL && config->cluster->book != NULL &&
           snprintf(path, PATH_MAX, "%s.begun", config->cluster->book) < PATH_MAX;
}

int begun_refuse(const struct replica_config *config, struct failure *failure)
{
    char path[PATH_MAX];
    unsigned long long id = config->id;
    if (!file_of(config, path) || access(path, F_OK) != 0)
        return 0;
    return fail(failure, ERR_DAMAGED,
                "%s: the log of server %llu is gone, and with it how it has voted; it must not "
                "begin anew under its number. Take it out (stoa remove %llu, on another server) "
                "and let a new one join in its place, in an empty directory (stoa token, stoa "
                "join). If no other server is left, restore a backup",
                config->dir, id, id);
}

int begun_refuse_empty(const struct replica_config *config, uint64_t last_index,
                       struct failure *failure)
{
    /* A joiner has nothing in its log until the primary has sent it something. */
    bool founder = config->cluster != NULL && config->cluster->founder_count > 0;
    return founder && last_index == 0 ? begun_refuse(config, failure) : 0;
}

int begun_note(const struct replica_config *config, struct failure *failure)
{
    char path[PATH_MAX];
    if (!file_of(config, path) || access(path, F_OK) == 0)
        return 0;
    int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno(failure, ERR_IO, "%s: cannot be written", path);
    bool good = fsync(fd) == 0;
    close(fd);
    if (good && folder_sync_of(path) == 0)
        return 0;
    return fail_errno(failure, ERR_IO, "%s: cannot be written", path);
}
