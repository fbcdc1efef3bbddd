#include "main/shared_readers.h"

#include "base/json_text.h"
#include "base/str.h"
#include "main/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yyjson.h>

static int own_path(const char *dir, char out[FILE_PATH], struct failure *failure)
{
    char name[48];
    snprintf(name, sizeof name, "readers/%d.json", (int)getpid());
    return file_join(out, dir, name, failure);
}

static bool is_locked(int fd)
{
    struct flock whole = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    return fcntl(fd, F_OFD_GETLK, &whole) == 0 && whole.l_type != F_UNLCK;
}

/* Calls EACH for every file of DIR/readers, until it says false. */
static void walk(const char *dir, bool (*each)(void *context, int folder, const char *name),
                 void *context)
{
    char path[FILE_PATH];
    if (file_join(path, dir, "readers", NULL))
        return;
    DIR *folder = opendir(path);
    struct dirent *entry;
    bool more = true;
    while (folder && more && (entry = readdir(folder)))
        if (str_ends(str_of(entry->d_name), STR(".json")))
            more = each(context, dirfd(folder), entry->d_name);
    if (folder)
        closedir(folder);
}

/* ---- Entering and leaving ---- */

/* One that has no lock yet may be about to take it: only the dead leave something. */
static bool remove_if_left(void *context, int folder, const char *name)
{
    (void)context;
    uint64_t pid = 0;
    struct str number = str_of(name);
    bool good = str_to_u64(str_sub(number, 0, number.len - 5), &pid) == 0 && pid <= INT32_MAX;
    if (good && kill((pid_t)pid, 0) && errno == ESRCH)
        unlinkat(folder, name, 0);
    return true;
}

int shared_readers_enter(const char *dir, const char *url, int *held, struct failure *failure)
{
    char folder[FILE_PATH], path[FILE_PATH], text[SHARED_URL + 64];
    *held = -1;
    int err = file_join(folder, dir, "readers", failure);
    err = err ? err : file_make_dir(folder, 0700, NULL, failure);
    err = err ? err : own_path(dir, path, failure);
    if (err)
        return err;
    snprintf(text, sizeof text, "{\"pid\":%d,\"url\":\"%.*s\"}\n", (int)getpid(), SHARED_URL - 1,
             url);
    err = file_write(path, str_of(text), failure);
    if (err)
        return err;
    struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    *held = open(path, O_RDWR | O_CLOEXEC);
    if (*held < 0 || fcntl(*held, F_OFD_SETLK, &whole)) {
        err = file_failed(failure, "lock", path);
        shared_readers_leave(dir, held);
        return err;
    }
    walk(dir, remove_if_left, NULL);
    return 0;
}

void shared_readers_leave(const char *dir, int *held)
{
    char path[FILE_PATH];
    if (*held < 0)
        return;
    if (own_path(dir, path, NULL) == 0)
        unlink(path);
    close(*held);
    *held = -1;
}

/* ---- Listing ---- */

struct listing {
    struct shared_reader *list;
    unsigned count, max;
};

static bool read_one(int fd, struct shared_reader *reader)
{
    char text[SHARED_URL + 128];
    ssize_t len = is_locked(fd) ? read(fd, text, sizeof text) : 0;
    yyjson_doc *doc = len > 0 ? yyjson_read(text, (size_t)len, 0) : NULL;
    yyjson_val *root = yyjson_doc_get_root(doc);
    const char *url = yyjson_get_str(yyjson_obj_get(root, "url"));
    reader->pid = yyjson_get_uint(yyjson_obj_get(root, "pid"));
    if (url)
        str_copy(reader->url, sizeof reader->url, str_of(url));
    yyjson_doc_free(doc);
    return reader->pid && url;
}

static bool list_one(void *context, int folder, const char *name)
{
    struct listing *listing = context;
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && read_one(fd, &listing->list[listing->count]))
        listing->count++;
    if (fd >= 0)
        close(fd);
    return listing->count < listing->max;
}

static int by_pid(const void *a, const void *b)
{
    const struct shared_reader *one = a, *other = b;
    return one->pid < other->pid ? -1 : one->pid > other->pid;
}

unsigned shared_readers_list(const char *dir, struct shared_reader *list, unsigned max)
{
    struct listing listing = {list, 0, max};
    if (max)
        walk(dir, list_one, &listing);
    qsort(list, listing.count, sizeof *list, by_pid);
    return listing.count;
}

void shared_readers_json(const struct shared_reader *list, unsigned count, FILE *out)
{
    fputs(",\"readers\":[", out);
    for (unsigned i = 0; i < count; i++) {
        fprintf(out, "%s{\"pid\":%llu,\"url\":", i ? "," : "", (unsigned long long)list[i].pid);
        json_text_print(list[i].url, out);
        fputc('}', out);
    }
    fputc(']', out);
}

void shared_readers_print(const struct shared_reader *list, unsigned count, FILE *out)
{
    if (count)
        fprintf(out, "\n%-30s  %7s\n", "reader", "pid");
    for (unsigned i = 0; i < count; i++)
        fprintf(out, "%-30s  %7llu\n", list[i].url, (unsigned long long)list[i].pid);
}
