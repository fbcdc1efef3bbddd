#include "main/server_dirs.h"

#include "main/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int by_id(const void *a, const void *b)
{
    const struct server_dir *one = a, *other = b;
    return one->id < other->id ? -1 : one->id > other->id;
}

static bool is_directory(const char *path)
{
    struct stat about;
    return stat(path, &about) == 0 && S_ISDIR(about.st_mode);
}

int server_dirs_of_demo(const char *dir, struct server_dirs *dirs, struct failure *failure)
{
    *dirs = (struct server_dirs){.demo = true};
    DIR *entries = opendir(dir);
    if (!entries)
        return file_failed(failure, "read", dir);
    struct dirent *entry;
    int err = 0;
    while (!err && (entry = readdir(entries))) {
        struct str name = str_of(entry->d_name);
        struct server_dir *found = &dirs->at[dirs->count];
        uint64_t id;
        if (!str_starts(name, STR("server-")) || str_to_u64(str_from(name, 7), &id) || id == 0)
            continue;
        if (dirs->count == CLUSTER_SERVERS_MAX)
            err = fail(failure, ERR_FULL, "%s has more than %d servers", dir, CLUSTER_SERVERS_MAX);
        else
            err = file_join(found->path, dir, entry->d_name, failure);
        if (!err && is_directory(found->path)) {
            found->id = id;
            dirs->count++;
        }
    }
    closedir(entries);
    qsort(dirs->at, dirs->count, sizeof dirs->at[0], by_id);
    return err;
}

static bool has(const char *dir, const char *name)
{
    char path[FILE_PATH];
    return file_join(path, dir, name, NULL) == 0 && access(path, F_OK) == 0;
}

/* The id by the cluster's file; a server that runs alone is 1. */
static uint64_t id_of(const char *dir)
{
    struct cluster *cluster = malloc(sizeof *cluster);
    uint64_t id = cluster && cluster_read(dir, cluster, NULL) == 0 ? cluster->own : 1;
    free(cluster);
    return id;
}

int server_dirs_find(const char *dir, struct server_dirs *dirs, struct failure *failure)
{
    if (has(dir, "demo.json"))
        return server_dirs_of_demo(dir, dirs, failure);
    *dirs = (struct server_dirs){0};
    if (!has(dir, "shop.db") && !has(dir, "cluster") && !has(dir, "lock"))
        return fail(failure, ERR_NOTFOUND,
                    "%s is neither a server's data directory nor a demo's; give one by --dir", dir);
    if (strlen(dir) >= DATADIR_PATH)
        return fail(failure, ERR_INVALID, "the path is too long: %s", dir);
    strcpy(dirs->at[0].path, dir);
    dirs->at[0].id = id_of(dir);
    dirs->count = 1;
    return 0;
}
