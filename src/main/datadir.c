#include "main/datadir.h"

#include "base/random.h"
#include "base/str.h"
#include "main/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <yyjson.h>

int datadir_lock(const char *dir, int *lock, struct failure *failure)
{
    char path[DATADIR_PATH];
    *lock = -1;
    int err = file_join(path, dir, "lock", failure);
    if (err)
        return err;
    *lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (*lock < 0)
        return file_failed(failure, "open", path);
    /* Of the open file, not of the process: it goes when the last descriptor does. */
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(*lock, F_OFD_SETLK, &whole) == 0)
        return 0;
    bool taken = errno == EAGAIN || errno == EACCES;
    if (!taken)
        file_failed(failure, "lock", path);
    close(*lock);
    *lock = -1;
    if (!taken)
        return ERR_IO;
    return fail(failure, ERR_BUSY,
                "%s is in use by another stoa process; stop that one, or choose another --dir",
                dir);
}

/* LEN random bytes that are made once and kept in the file NAME. */
static int kept_random(const char *dir, const char *name, unsigned char *bytes, size_t len,
                       struct failure *failure)
{
    char path[DATADIR_PATH], text[2 * DATADIR_SECRET + 2];
    size_t got = 0;
    int err = file_join(path, dir, name, failure);
    if (err)
        return err;
    err = file_read(path, text, sizeof text, &got, failure);
    if (err == ERR_NOTFOUND) {
        random_secret(bytes, len);
        hex_encode(bytes, len, text);
        text[2 * len] = '\n';
        return file_write(path, str_make(text, 2 * len + 1), failure);
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
    int err = file_join(path, datadir->path, "server.json", failure);
    if (!err && unlink(path) && errno != ENOENT)
        err = file_failed(failure, "remove", path);
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
    int err = file_make_dir(dir, 0700, &datadir->created, failure);
    err = err ? err : datadir_lock(dir, &datadir->lock, failure);
    err = err ? err : forget_announcement(datadir, failure);
    err = err ? err : file_join(datadir->database, dir, "shop.db", failure);
    err = err ? err : file_join(datadir->raft, dir, "raft", failure);
    err = err ? err : file_join(media, dir, "media", failure);
    err = err ? err : file_make_dir(datadir->raft, 0700, &made, failure);
    err = err ? err : file_make_dir(media, 0755, &made, failure);
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
    int err = file_join(path, datadir->path, "server.json", failure);
    if (err)
        return err;
    int len = snprintf(text, sizeof text, "{\"pid\":%d,\"url\":\"%s\"}\n", (int)getpid(), url);
    if (len >= (int)sizeof text)
        return fail(failure, ERR_INVALID, "the server's address is too long: %s", url);
    return file_write(path, str_make(text, (size_t)len), failure);
}

/* True when a process holds the lock of DIR: server.json alone may be left behind by one
 * that was killed. */
bool datadir_is_locked(const char *dir)
{
    char path[DATADIR_PATH];
    if (file_join(path, dir, "lock", NULL))
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

/* PID may be NULL. */
static int read_announcement(const char *dir, char *url, size_t url_size, uint64_t *pid,
                             struct failure *failure)
{
    char path[DATADIR_PATH], text[512];
    size_t len = 0;
    int err = file_join(path, dir, "server.json", failure);
    err = err ? err : file_read(path, text, sizeof text, &len, failure);
    if (err)
        return err;
    yyjson_doc *doc = yyjson_read(text, len, 0);
    yyjson_val *root = yyjson_doc_get_root(doc);
    const char *found = yyjson_get_str(yyjson_obj_get(root, "url"));
    if (found && strlen(found) < url_size)
        strcpy(url, found);
    else
        err = fail(failure, ERR_DAMAGED, "%s does not tell where the server is", path);
    if (pid)
        *pid = yyjson_get_uint(yyjson_obj_get(root, "pid"));
    yyjson_doc_free(doc);
    return err;
}

uint64_t datadir_pid(const char *dir)
{
    char url[DATADIR_PATH];
    uint64_t pid = 0;
    if (!datadir_is_locked(dir) || read_announcement(dir, url, sizeof url, &pid, NULL))
        return 0;
    return pid;
}

int datadir_find_server(const char *dir, char *url, size_t url_size, char token[DATADIR_TOKEN],
                        struct failure *failure)
{
    char path[DATADIR_PATH], text[DATADIR_TOKEN + 1];
    size_t len = 0;
    if (!datadir_is_locked(dir))
        return fail(failure, ERR_NOTFOUND, "no server runs on %s", dir);
    int err = read_announcement(dir, url, url_size, NULL, failure);
    err = err ? err : file_join(path, dir, "operator.token", failure);
    err = err ? err : file_read(path, text, sizeof text, &len, failure);
    if (err == ERR_NOTFOUND)
        return fail(failure, err, "the process that uses %s does not serve (yet)", dir);
    if (!err)
        str_copy(token, DATADIR_TOKEN, str_trim(str_make(text, len)));
    return err;
}
