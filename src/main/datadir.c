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

/* What belongs in the directory, found or made. */
static int open_content(struct datadir *datadir, struct failure *failure)
{
    const char *dir = datadir->service.dir;
    char media[DATADIR_PATH];
    unsigned char token[DATADIR_SECRET];
    int err = file_join(datadir->database, dir, "shop.db", failure);
    err = err ? err : file_join(datadir->raft, dir, "raft", failure);
    err = err ? err : file_join(media, dir, "media", failure);
    err = err ? err : file_make_dir(datadir->raft, 0700, NULL, failure);
    err = err ? err : file_make_dir(media, 0755, NULL, failure);
    err = err ? err
              : service_secret(&datadir->service, "secret", datadir->secret, DATADIR_SECRET, NULL,
                               failure);
    err = err ? err
              : service_secret(&datadir->service, "operator.token", token, sizeof token, NULL,
                               failure);
    if (!err)
        hex_encode(token, sizeof token, datadir->token);
    return err;
}

int datadir_open(const char *dir, struct datadir *datadir, struct failure *failure)
{
    return datadir_open_with(dir, -1, datadir, failure);
}

int datadir_open_with(const char *dir, int lock, struct datadir *datadir, struct failure *failure)
{
    *datadir = (struct datadir){0};
    int err = service_open_with(dir, lock, &datadir->service, failure);
    err = err ? err : open_content(datadir, failure);
    if (err)
        datadir_close(datadir);
    return err;
}

void datadir_close(struct datadir *datadir)
{
    service_close(&datadir->service);
}

int datadir_announce(const struct datadir *datadir, const char *url, struct failure *failure)
{
    return service_announce(&datadir->service, url, "", failure);
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
    if (!service_is_locked(dir) || read_announcement(dir, url, sizeof url, &pid, NULL))
        return 0;
    return pid;
}

int datadir_find_server(const char *dir, char *url, size_t url_size, char token[DATADIR_TOKEN],
                        struct failure *failure)
{
    char path[DATADIR_PATH], text[DATADIR_TOKEN + 1];
    size_t len = 0;
    if (!service_is_locked(dir))
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
