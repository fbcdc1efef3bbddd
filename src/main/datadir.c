#include "main/datadir.h"

#include "base/random.h"
#include "base/str.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yyjson.h>

static int join(char out[DATADIR_PATH], const char *dir, const char *name, struct failure *failure)
{
    if (snprintf(out, DATADIR_PATH, "%s/%s", dir, name) >= DATADIR_PATH)
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

static int fail_file(struct failure *failure, const char *what, const char *path)
{
    int reason = errno;
    return fail(failure, ERR_IO, "cannot %s %s: %s; %s", what, path, strerror(reason),
                advice(reason));
}

static int make_dir(const char *path, mode_t mode, bool *made, struct failure *failure)
{
    if (mkdir(path, mode) == 0) {
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

static int take_lock(struct datadir *datadir, struct failure *failure)
{
    char path[DATADIR_PATH];
    int err = join(path, datadir->path, "lock", failure);
    if (err)
        return err;
    datadir->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (datadir->lock < 0)
        return fail_file(failure, "open", path);
    /* Of the open file, not of the process: it goes when the last descriptor does. */
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(datadir->lock, F_OFD_SETLK, &whole) == 0)
        return 0;
    bool taken = errno == EAGAIN || errno == EACCES;
    if (!taken)
        fail_file(failure, "lock", path);
    close(datadir->lock);
    datadir->lock = -1;
    if (!taken)
        return ERR_IO;
    return fail(failure, ERR_BUSY,
                "%s is in use by another stoa process; stop that one, or choose another --dir",
                datadir->path);
}

/* So that a rename in it survives a power cut. */
static int sync_dir(const char *path)
{
    char dir[DATADIR_PATH];
    const char *slash = strrchr(path, '/');
    str_copy(dir, sizeof dir, slash ? str_make(path, (size_t)(slash - path)) : STR("."));
    int fd = open(dir[0] ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -1;
    int result = fsync(fd);
    close(fd);
    return result;
}

/* Writes all LEN bytes and makes them durable. */
static int write_all(int fd, const char *bytes, size_t len)
{
    while (len) {
        ssize_t written = write(fd, bytes, len);
        if (written < 0 && errno != EINTR)
            return -1;
        if (written > 0) {
            bytes += written;
            len -= (size_t)written;
        }
    }
    return fsync(fd);
}

/* Writes LEN bytes to PATH so that it is there whole or not at all. */
static int write_whole(const char *path, const void *bytes, size_t len, struct failure *failure)
{
    char fresh[DATADIR_PATH + 8];
    snprintf(fresh, sizeof fresh, "%s.new", path);
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return fail_file(failure, "write", fresh);
    bool good = write_all(fd, bytes, len) == 0;
    int reason = errno;
    close(fd);
    errno = reason;
    if (good && rename(fresh, path) == 0 && sync_dir(path) == 0)
        return 0;
    int err = fail_file(failure, "write", path);
    unlink(fresh);
    return err;
}

/* Reads up to SIZE bytes of PATH; *LEN tells how many. */
static int read_whole(const char *path, void *bytes, size_t size, size_t *len,
                      struct failure *failure)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? ERR_NOTFOUND : fail_file(failure, "read", path);
    ssize_t got = read(fd, bytes, size);
    int err = got < 0 ? fail_file(failure, "read", path) : 0;
    close(fd);
    *len = got < 0 ? 0 : (size_t)got;
    return err;
}

/* LEN random bytes that are made once and kept in the file NAME. */
static int kept_random(const char *dir, const char *name, unsigned char *bytes, size_t len,
                       struct failure *failure)
{
    char path[DATADIR_PATH], text[2 * DATADIR_SECRET + 2];
    size_t got = 0;
    int err = join(path, dir, name, failure);
    if (err)
        return err;
    err = read_whole(path, text, sizeof text, &got, failure);
    if (err == ERR_NOTFOUND) {
        random_secret(bytes, len);
        hex_encode(bytes, len, text);
        text[2 * len] = '\n';
        return write_whole(path, text, 2 * len + 1, failure);
    }
    if (!err && hex_decode(str_trim(str_make(text, got)), bytes, len))
        return fail(failure, ERR_DAMAGED,
                    "%s must hold %zu hexadecimal digits and does not; bring it back from a "
                    "backup, or remove it and a new one is made",
                    path, 2 * len);
    return err;
}

/* What a server that was killed left behind would send commands to an address of old. */
static int forget_announcement(const struct datadir *datadir, struct failure *failure)
{
    char path[DATADIR_PATH];
    int err = join(path, datadir->path, "server.json", failure);
    if (!err && unlink(path) && errno != ENOENT)
        err = fail_file(failure, "remove", path);
    return err;
}

int datadir_open(const char *dir, struct datadir *datadir, struct failure *failure)
{
    char media[DATADIR_PATH];
    unsigned char token[DATADIR_SECRET];
    bool made = false;
    *datadir = (struct datadir){.lock = -1};
    if (strlen(dir) >= DATADIR_PATH - 32)
        return fail(failure, ERR_INVALID, "the path is too long: %s", dir);
    strcpy(datadir->path, dir);
    int err = make_dir(dir, 0700, &datadir->created, failure);
    err = err ? err : take_lock(datadir, failure);
    err = err ? err : forget_announcement(datadir, failure);
    err = err ? err : join(datadir->database, dir, "shop.db", failure);
    err = err ? err : join(datadir->raft, dir, "raft", failure);
    err = err ? err : join(media, dir, "media", failure);
    err = err ? err : make_dir(datadir->raft, 0700, &made, failure);
    err = err ? err : make_dir(media, 0755, &made, failure);
    err = err ? err : kept_random(dir, "secret", datadir->secret, DATADIR_SECRET, failure);
    err = err ? err : kept_random(dir, "operator.token", token, sizeof token, failure);
    if (err) {
        datadir_close(datadir);
        return err;
    }
    hex_encode(token, sizeof token, datadir->token);
    return 0;
}

void datadir_close(struct datadir *datadir)
{
    if (datadir->lock < 0)
        return;
    forget_announcement(datadir, NULL);
    close(datadir->lock);
    datadir->lock = -1;
}

int datadir_announce(const struct datadir *datadir, const char *url, struct failure *failure)
{
    char path[DATADIR_PATH], text[512];
    int err = join(path, datadir->path, "server.json", failure);
    if (err)
        return err;
    int len = snprintf(text, sizeof text, "{\"pid\":%d,\"url\":\"%s\"}\n", (int)getpid(), url);
    if (len >= (int)sizeof text)
        return fail(failure, ERR_INVALID, "the server's address is too long: %s", url);
    return write_whole(path, text, (size_t)len, failure);
}

/* True when a process holds the lock of DIR: server.json alone may be left behind by one
 * that was killed. */
static bool is_locked(const char *dir)
{
    char path[DATADIR_PATH];
    if (join(path, dir, "lock", NULL))
        return false;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    /* Only asks: a lock taken for a moment would turn away a server that starts just then. */
    struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    bool locked = fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
    close(fd);
    return locked;
}

static int read_announcement(const char *dir, char *url, size_t url_size, struct failure *failure)
{
    char path[DATADIR_PATH], text[512];
    size_t len = 0;
    int err = join(path, dir, "server.json", failure);
    err = err ? err : read_whole(path, text, sizeof text, &len, failure);
    if (err)
        return err;
    yyjson_doc *doc = yyjson_read(text, len, 0);
    const char *found = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "url"));
    if (found && strlen(found) < url_size)
        strcpy(url, found);
    else
        err = fail(failure, ERR_DAMAGED, "%s does not tell where the server is", path);
    yyjson_doc_free(doc);
    return err;
}

int datadir_find_server(const char *dir, char *url, size_t url_size, char token[DATADIR_TOKEN],
                        struct failure *failure)
{
    char path[DATADIR_PATH], text[DATADIR_TOKEN + 1];
    size_t len = 0;
    if (!is_locked(dir))
        return fail(failure, ERR_NOTFOUND, "no server runs on %s", dir);
    int err = read_announcement(dir, url, url_size, failure);
    err = err ? err : join(path, dir, "operator.token", failure);
    err = err ? err : read_whole(path, text, sizeof text, &len, failure);
    if (err == ERR_NOTFOUND)
        return fail(failure, err, "the process that uses %s does not serve (yet)", dir);
    if (!err)
        str_copy(token, DATADIR_TOKEN, str_trim(str_make(text, len)));
    return err;
}
