#include "replica/copy_files.h"

#include "base/folder.h"
#include "replica/copy.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int copy_path(char out[COPY_PATH], const char *dir, const char *name, struct failure *failure)
{
    if (snprintf(out, COPY_PATH, "%s/copy/%s", dir, name) >= COPY_PATH)
        return fail(failure, ERR_INVALID, "%s: the path is too long", dir);
    return 0;
}

static int make_folder(const char *dir, struct failure *failure)
{
    char path[COPY_PATH];
    if (snprintf(path, sizeof path, "%s/copy", dir) >= (int)sizeof path)
        return fail(failure, ERR_INVALID, "%s: the path is too long", dir);
    bool good = mkdir(path, 0700) == 0 ? folder_sync_of(path) == 0 : errno == EEXIST;
    return good ? 0 : fail_errno(failure, ERR_IO, "%s: cannot be made", path);
}

static int write_text(const char *dir, const char *name, const char *text, struct failure *failure)
{
    char path[COPY_PATH];
    int err = make_folder(dir, failure);
    err = err != 0 ? err : copy_path(path, dir, name, failure);
    if (err != 0)
        return err;
    if (folder_put(path, str_of(text)) != 0)
        return fail_errno(failure, ERR_IO, "%s: cannot be written", path);
    return 0;
}

static bool read_text(const char *dir, const char *name, char *out, size_t size)
{
    char path[COPY_PATH];
    if (copy_path(path, dir, name, NULL) != 0)
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, out, size - 1);
    if (fd >= 0)
        close(fd);
    out[len < 0 ? 0 : len] = 0;
    return len >= 0;
}

int copy_record_write(const char *dir, const char *name, const struct copy_record *record,
                      struct failure *failure)
{
    char text[200];
    snprintf(text, sizeof text, "copy %llu server %llu size %llu index %llu time %lld\n",
             (unsigned long long)record->copy, (unsigned long long)record->server,
             (unsigned long long)record->size, (unsigned long long)record->index,
             (long long)record->time_ms);
    return write_text(dir, name, text, failure);
}

bool copy_record_read(const char *dir, const char *name, struct copy_record *record)
{
    char text[200];
    unsigned long long copy, server, size, index;
    long long time_ms;
    if (!read_text(dir, name, text, sizeof text) ||
        sscanf(text, "copy %llu server %llu size %llu index %llu time %lld", &copy, &server, &size,
               &index, &time_ms) != 5)
        return false;
    *record = (struct copy_record){copy, server, size, index, time_ms};
    return true;
}

void copy_remove(const char *dir, const char *name)
{
    char path[COPY_PATH];
    if (copy_path(path, dir, name, NULL) == 0)
        unlink(path);
}

int copy_open_part(const char *dir, struct failure *failure)
{
    char path[COPY_PATH];
    int err = make_folder(dir, failure);
    err = err != 0 ? err : copy_path(path, dir, "part", failure);
    if (err != 0)
        return -1;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0)
        fail_errno(failure, ERR_IO, "%s: cannot be written", path);
    return fd;
}

int copy_install(const char *dir, const char *database, const struct copy_record *record,
                 struct failure *failure)
{
    static const char *const beside[] = {"-wal", "-shm", "-journal"};
    char part[COPY_PATH], path[COPY_PATH];
    int err = copy_path(part, dir, "part", failure);
    err = err != 0 ? err : copy_record_write(dir, "copied", record, failure);
    if (err != 0)
        return err;
    for (size_t i = 0; i < sizeof beside / sizeof beside[0]; i++) {
        snprintf(path, sizeof path, "%s%s", database, beside[i]);
        if (unlink(path) != 0 && errno != ENOENT)
            return fail_errno(failure, ERR_IO, "%s: cannot be removed", path);
    }
    if (folder_sync_of(database) != 0 || rename(part, database) != 0 ||
        folder_sync_of(database) != 0)
        return fail_errno(failure, ERR_IO, "%s: the copy cannot be put in its place", database);
    copy_remove(dir, "wanted");
    copy_remove(dir, "state");
    return 0;
}

/* ---- What others ask ---- */

int copy_want(const char *dir, uint64_t least, struct failure *failure)
{
    char text[32];
    snprintf(text, sizeof text, "%llu\n", (unsigned long long)least);
    return write_text(dir, "wanted", text, failure);
}

bool copy_wanted(const char *dir, uint64_t *least)
{
    char text[32];
    unsigned long long number = 0;
    if (!read_text(dir, "wanted", text, sizeof text))
        return false;
    *least = sscanf(text, "%llu", &number) == 1 ? number : 0;
    return true;
}

void copy_give_up(const char *dir)
{
    copy_remove(dir, "wanted");
    copy_remove(dir, "state");
    copy_remove(dir, "part");
}

bool copy_is_ahead(const char *dir)
{
    struct copy_record record;
    return copy_record_read(dir, "copied", &record);
}

void copy_caught_up(const char *dir)
{
    copy_remove(dir, "copied");
}
