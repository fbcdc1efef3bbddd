#include "main/service.h"

#include "base/random.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SECRET_MAX = 64, ANNOUNCEMENT_MAX = 512 };

int service_lock(const char *dir, int *lock, struct failure *failure)
{
    char path[FILE_PATH];
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

/* True when a process holds the lock of DIR: server.json alone may be left behind by one
 * that was killed. */
bool service_is_locked(const char *dir)
{
    char path[FILE_PATH];
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

/* What a process that was killed left behind would send others to an address of old. */
static int forget_announcement(const struct service *service, struct failure *failure)
{
    char path[FILE_PATH];
    int err = file_join(path, service->dir, "server.json", failure);
    if (!err && unlink(path) && errno != ENOENT)
        err = file_failed(failure, "remove", path);
    return err;
}

int service_open(const char *dir, struct service *service, struct failure *failure)
{
    return service_open_with(dir, -1, service, failure);
}

int service_open_with(const char *dir, int lock, struct service *service, struct failure *failure)
{
    *service = (struct service){.lock = lock};
    if (strlen(dir) >= FILE_PATH - 32) {
        service_close(service);
        return fail(failure, ERR_INVALID, "the path is too long: %s", dir);
    }
    strcpy(service->dir, dir);
    int err = file_make_dir(dir, 0700, &service->created, failure);
    if (!err && lock < 0)
        err = service_lock(dir, &service->lock, failure);
    err = err ? err : forget_announcement(service, failure);
    if (err)
        service_close(service);
    return err;
}

void service_close(struct service *service)
{
    if (service->lock < 0)
        return;
    forget_announcement(service, NULL);
    close(service->lock);
    service->lock = -1;
}

int service_secret(const struct service *service, const char *name, unsigned char *bytes,
                   size_t len, bool *made, struct failure *failure)
{
    char path[FILE_PATH], text[2 * SECRET_MAX + 2];
    size_t got = 0;
    if (made)
        *made = false;
    int err = file_join(path, service->dir, name, failure);
    err = err ? err : file_read(path, text, sizeof text, &got, failure);
    if (err == ERR_NOTFOUND) {
        random_secret(bytes, len);
        hex_encode(bytes, len, text);
        text[2 * len] = '\n';
        if (made)
            *made = true;
        return file_write(path, str_make(text, 2 * len + 1), failure);
    }
    if (!err && hex_decode(str_trim(str_make(text, got)), bytes, len))
        return fail(failure, ERR_DAMAGED,
                    "%s must hold %zu hexadecimal digits and does not; bring it back from a "
                    "backup, or remove it and a new one is made",
                    path, 2 * len);
    return err;
}

int service_announce(const struct service *service, const char *url, const char *pin,
                     struct failure *failure)
{
    char path[FILE_PATH], text[ANNOUNCEMENT_MAX];
    int err = 0;
    if (pin[0]) {
        snprintf(text, sizeof text, "%s\n", pin);
        err = file_join(path, service->dir, "pin", failure);
        err = err ? err : file_write(path, str_of(text), failure);
    }
    err = err ? err : file_join(path, service->dir, "server.json", failure);
    if (err)
        return err;
    int len = snprintf(text, sizeof text, "{\"pid\":%d,\"url\":\"%s\"%s%s%s}\n", (int)getpid(), url,
                       pin[0] ? ",\"pin\":\"" : "", pin, pin[0] ? "\"" : "");
    if (len >= (int)sizeof text)
        return fail(failure, ERR_INVALID, "the server's address is too long: %s", url);
    return file_write(path, str_make(text, (size_t)len), failure);
}
