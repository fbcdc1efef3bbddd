#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int folder_sync_of(const char *path)
{
    char folder[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');
    size_t len = slash == NULL || slash == path ? 1 : (size_t)(slash - path);
    if (len >= sizeof folder) {
        errno = ENAMETOOLONG;
        return -1;
    }
    if (slash != NULL)
        memcpy(folder, path, len); /* of "/file" the slash itself */
    folder[len] = 0;
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int result = fsync(fd), reason = errno;
    close(fd);
    errno = reason;
    return result;
}

static int write_durably(int fd, struct str bytes)
{
    while (bytes.len > 0) {
        ssize_t written = write(fd, bytes.at, bytes.len);
        if (written < 0 && errno != EINTR)
            return -1;
        if (written > 0)
            bytes = str_from(bytes, (size_t)written);
    }
    return fsync(fd);
}

int folder_put(const char *path, struct str bytes)
{
    char aside[PATH_MAX];
    if (snprintf(aside, sizeof aside, "%s.new", path) >= (int)sizeof aside) {
        errno = ENAMETOOLONG;
        return -1;
    }
    int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    bool good = write_durably(fd, bytes) == 0;
    int reason = errno;
    close(fd);
    if (good && rename(aside, path) == 0 && folder_sync_of(path) == 0)
        return 0;
    reason = good ? errno : reason;
    unlink(aside);
    errno = reason;
    return -1;
}
