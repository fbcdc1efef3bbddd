#include "main/file.h"

#include "base/folder.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int file_join(char out[FILE_PATH], const char *dir, const char *name, struct failure *failure)
{
    if (snprintf(out, FILE_PATH, "%s/%s", dir, name) >= FILE_PATH)
        return fail(failure, ERR_INVALID, "the path is too long: %s", dir);
    return 0;
}

/* What to do about it, for the reasons that people can remove. */
static const char *advice(int reason)
{
    if (reason == EACCES || reason == EPERM || reason == EROFS)
        return "give it to this user, or choose another --dir";
    if (reason == ENOSPC || reason == EDQUOT)
        return "make room on that disk, or choose another --dir";
    return "look at that disk, or choose another --dir";
}

int file_failed(struct failure *failure, const char *what, const char *path)
{
    int reason = errno;
    return fail(failure, ERR_IO, "cannot %s %s: %s; %s", what, path, strerror(reason),
                advice(reason));
}

int file_make_dir(const char *path, mode_t mode, bool *made, struct failure *failure)
{
    if (mkdir(path, mode) == 0) {
        (void)folder_sync_of(path); /* the one above may not be ours to open */
        if (made)
            *made = true;
        return 0;
    }
    struct stat about;
    if (errno == EEXIST && stat(path, &about) == 0 && S_ISDIR(about.st_mode))
        return 0;
    int reason = errno;
    if (reason == EEXIST)
        return fail(failure, ERR_INVALID, "%s is there and is no directory; choose another --dir",
                    path);
    if (reason == ENOENT)
        return fail(failure, ERR_NOTFOUND,
                    "cannot make the directory %s: the one above it is not there; make that first",
                    path);
    return fail(failure, ERR_IO, "cannot make the directory %s: %s; %s", path, strerror(reason),
                advice(reason));
}

/* From LEVEL on: 0 is PATH itself, 1 what is in it. */
static int remove_from(const char *path, int level, struct failure *failure)
{
    char *const paths[] = {(char *)path, NULL};
    /* Without a change of the working directory, which all threads share. */
    FTS *walk = fts_open(paths, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    if (!walk)
        return file_failed(failure, "read", path);
    int err = 0;
    for (FTSENT *at = fts_read(walk); at; at = fts_read(walk)) {
        if (at->fts_info == FTS_D || at->fts_level < level)
            continue; /* a folder comes once more, after its content */
        bool gone = remove(at->fts_accpath) == 0 || errno == ENOENT;
        if (!gone && !err)
            err = file_failed(failure, "remove", at->fts_path);
    }
    if (errno && !err)
        err = file_failed(failure, "read", path);
    fts_close(walk);
    return err;
}

int file_remove_tree(const char *path, struct failure *failure)
{
    return remove_from(path, 0, failure);
}

int file_remove_content(const char *path, struct failure *failure)
{
    return remove_from(path, 1, failure);
}

int file_rename(const char *from, const char *to, struct failure *failure)
{
    return rename(from, to) == 0 && folder_sync_of(to) == 0 ? 0 : file_failed(failure, "write", to);
}

int file_write(const char *path, struct str bytes, struct failure *failure)
{
    return folder_put(path, bytes) == 0 ? 0 : file_failed(failure, "write", path);
}

int file_read(const char *path, void *bytes, size_t size, size_t *len, struct failure *failure)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    *len = 0;
    if (fd < 0)
        return errno == ENOENT ? ERR_NOTFOUND : file_failed(failure, "read", path);
    ssize_t got = read(fd, bytes, size);
    int err = got < 0 ? file_failed(failure, "read", path) : 0;
    close(fd);
    *len = got < 0 ? 0 : (size_t)got;
    return err;
}

int file_read_all(const char *path, struct buf *out, struct failure *failure)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOTFOUND : file_failed(failure, "read", path);
    ssize_t got = 1;
    while (got > 0) {
        char *room = buf_room(out, 4096);
        if (!room)
            break;
        got = read(fd, room, 4096);
        out->len += got > 0 ? (size_t)got : 0;
    }
    int err = got < 0 ? file_failed(failure, "read", path) : 0;
    close(fd);
    if (out->failed)
        return fail(failure, ERR_FULL, "%s is longer than it may be", path);
    return err;
}
