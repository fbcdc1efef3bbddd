#include "outside/mail_dir.h"

#include "base/folder.h"
#include "base/random.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 1024 };

static int make_one(const char *path, struct failure *failure)
{
    if (mkdir(path, 0700) == 0 || errno == EEXIST)
        return 0;
    return fail_errno(failure, ERR_IO, "cannot make the folder %.300s", path);
}

int mail_dir_make(const char *dir, struct failure *failure)
{
    static const char *const parts[] = {"tmp", "new", "cur"};
    char path[PATH_SIZE];
    int err = make_one(dir, failure);
    for (unsigned i = 0; i < sizeof parts / sizeof *parts && !err; i++) {
        if (snprintf(path, sizeof path, "%s/%s", dir, parts[i]) >= PATH_SIZE)
            return fail(failure, ERR_INVALID, "the maildir's path is too long");
        err = make_one(path, failure);
    }
    return err;
}

/* In cur a mail has its name with ":2," and flags behind it. */
static bool was_read(const char *dir, const char *name)
{
    char path[PATH_SIZE];
    bool found = false;
    snprintf(path, sizeof path, "%s/cur", dir);
    DIR *folder = opendir(path);
    if (!folder)
        return false;
    size_t len = strlen(name);
    for (struct dirent *entry; !found && (entry = readdir(folder)) != NULL;)
        found = strncmp(entry->d_name, name, len) == 0 &&
                (entry->d_name[len] == ':' || entry->d_name[len] == '\0');
    closedir(folder);
    return found;
}

static bool write_all(int fd, struct str bytes)
{
    while (bytes.len) {
        ssize_t count = write(fd, bytes.at, bytes.len);
        if (count < 0 && errno != EINTR)
            return false;
        if (count > 0)
            bytes = str_from(bytes, (size_t)count);
    }
    return fsync(fd) == 0;
}

static int write_file(const char *path, struct str message, struct failure *failure)
{
    int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_errno(failure, ERR_IO, "cannot make %.300s", path);
    bool written = write_all(fd, message);
    int err = written ? 0 : fail_errno(failure, ERR_IO, "cannot write %.300s", path);
    if (close(fd) < 0 && !err)
        err = fail_errno(failure, ERR_IO, "cannot write %.300s", path);
    if (err)
        unlink(path);
    return err;
}

int mail_dir_put(const char *dir, const char *name, struct str message, struct failure *failure)
{
    char temporary[PATH_SIZE], path[PATH_SIZE];
    uint64_t chance;
    random_secret(&chance, sizeof chance); /* one that was killed may have left its file */
    if (snprintf(temporary, sizeof temporary, "%s/tmp/%s.%016llx", dir, name,
                 (unsigned long long)chance) >= PATH_SIZE ||
        snprintf(path, sizeof path, "%s/new/%s", dir, name) >= PATH_SIZE)
        return fail(failure, ERR_INVALID, "the maildir's path is too long");
    if (was_read(dir, name))
        return 0;
    int err = write_file(temporary, message, failure);
    if (err)
        return err;
    bool linked = link(temporary, path) == 0, known = !linked && errno == EEXIST;
    if (!linked && !known)
        err = fail_errno(failure, ERR_IO, "cannot make %.300s", path);
    unlink(temporary);
    if (linked && folder_sync_of(path) < 0)
        err = fail_errno(failure, ERR_IO, "cannot make %.300s durable", path);
    return err;
}
