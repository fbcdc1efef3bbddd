#include "base/check.h"
#include "main/backup_file.h"
#include "main/program.h"
#include "main/remote.h"
#include "main/server.h"
#include "main/server_dirs.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <unistd.h>

struct backup_flags {
    char dir[OPTION_TEXT_SIZE];
    bool json;
};

#define AT(field) offsetof(struct backup_flags, field)
static const struct option_row rows[] = {
    {"dir", OPTION_TEXT, AT(dir), "data", 0, 0, NULL, "DIR",
     "the data directory of one of the servers, or a demo's"},
    {"json", OPTION_SWITCH, AT(json), NULL, 0, 0, NULL, NULL, "print one JSON document"},
};
static const struct option_table table = {rows, COUNT_OF(rows)};

enum { PIECE_BYTES = 1 << 20 };

/* ---- Of a server that runs ---- */

static int from_server(const struct remote *remote, struct backup_file *file,
                       struct failure *failure)
{
    int err = remote_download(remote, "/api/v1/backup", file->out, failure);
    if (!err || err == ERR_IO) { /* when it breaks off, the last line may say why */
        struct failure why = {0};
        int verified = backup_file_verify(file, &why);
        if (!err || verified == ERR_STATE)
            *failure = why;
        err = err && verified != ERR_STATE ? err : verified;
    }
    return err;
}

/* ---- Without one ---- */

static int write_frozen(struct shop *shop, FILE *out, struct failure *failure)
{
    uint64_t size = 0, index = 0;
    int64_t time_ms = 0;
    char *piece = malloc(PIECE_BYTES);
    int err = piece ? shop_freeze(shop, &size, &index, &time_ms, failure)
                    : fail(failure, ERR_NOMEM, "out of memory");
    for (uint64_t at = 0; !err && at < size;) {
        size_t len = size - at < PIECE_BYTES ? (size_t)(size - at) : PIECE_BYTES;
        err = shop_frozen_read(shop, at, piece, len, failure);
        if (!err && fwrite(piece, 1, len, out) != len)
            err = fail_errno(failure, ERR_IO, "cannot write the backup");
        at += len;
    }
    if (piece)
        shop_thaw(shop);
    free(piece);
    return err;
}

static int from_database(const char *dir, struct backup_file *file, struct failure *failure)
{
    struct datadir datadir;
    struct shop *shop = NULL;
    int err = cluster_refuse_witness(dir, failure);
    err = err ? err : datadir_open(dir, &datadir, failure);
    if (err)
        return err;
    err = access(datadir.database, F_OK) ? fail(failure, ERR_NOTFOUND, "%s has no database", dir)
                                         : shop_open(datadir.database, NULL, NULL, &shop, failure);
    err = err ? err : write_frozen(shop, file->out, failure);
    shop_close(shop);
    datadir_close(&datadir);
    return err;
}

/* What the log of a server that is alone has more than its database is brought into it. */
static int bring_up(const char *dir, struct failure *failure)
{
    struct server server;
    struct settings *settings = calloc(1, sizeof *settings);
    if (!settings)
        return fail(failure, ERR_NOMEM, "out of memory");
    option_defaults(&settings_table, settings);
    str_copy(settings->dir, sizeof settings->dir, str_of(dir));
    str_copy(settings->log_level, sizeof settings->log_level, STR("warn"));
    int err = server_open(&server, settings, failure);
    if (!err)
        server_close(&server);
    free(settings);
    return err;
}

/* One of a cluster cannot know what of its log counts. */
static int from_directory(const char *dir, struct backup_file *file, struct failure *failure)
{
    struct cluster *cluster = malloc(sizeof *cluster);
    if (!cluster)
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = cluster_read(dir, cluster, failure);
    free(cluster);
    if (!err)
        fprintf(stderr,
                "stoa backup: no server runs; this is what %s has, and the others of its cluster "
                "may have more\n",
                dir);
    if (err == ERR_NOTFOUND)
        err = bring_up(dir, failure);
    return err ? err : from_database(dir, file, failure);
}

/* The one of DIRS whose database has most. */
static int pick(const struct server_dirs *dirs, const char **path, struct failure *failure)
{
    uint64_t most = 0;
    *path = NULL;
    for (unsigned i = 0; i < dirs->count; i++) {
        struct backup_facts facts;
        char file[DATADIR_PATH + 16];
        snprintf(file, sizeof file, "%s/shop.db", dirs->at[i].path);
        if (access(file, F_OK) || backup_file_check(file, false, &facts, failure))
            continue;
        if (!*path || facts.index > most) {
            *path = dirs->at[i].path;
            most = facts.index;
        }
    }
    return *path ? 0 : fail(failure, ERR_NOTFOUND, "there is no shop in it");
}

static int from_files(const char *dir, struct backup_file *file, struct failure *failure)
{
    const char *path;
    struct server_dirs *dirs = malloc(sizeof *dirs);
    int err =
        dirs ? server_dirs_find(dir, dirs, failure) : fail(failure, ERR_NOMEM, "out of memory");
    err = err ? err : pick(dirs, &path, failure);
    err = err ? err : from_directory(path, file, failure);
    free(dirs);
    return err;
}

/* ---- Either ---- */

static int back_up(const struct backup_flags *flags, const char *path, struct backup_facts *facts,
                   struct failure *failure)
{
    struct remote remote;
    struct backup_file file;
    int found = remote_find(flags->dir, &remote, failure);
    if (found && found != ERR_NOTFOUND)
        return found;
    int err = backup_file_open(&file, path, failure);
    if (!err)
        err = found ? from_files(flags->dir, &file, failure) : from_server(&remote, &file, failure);
    if (!err && fflush(file.out))
        err = fail_errno(failure, ERR_IO, "cannot write %s", path);
    err = err ? err : backup_file_check(file.aside, true, facts, failure);
    err = err ? err : backup_file_keep(&file, failure);
    backup_file_close(&file);
    return err;
}

static int run_backup(const struct program_command *self, int count, char **words)
{
    struct backup_flags flags = {0};
    struct backup_facts facts = {0};
    struct failure failure = {0};
    const char *operands[1];
    unsigned operand_count;
    option_defaults(&table, &flags);
    if (option_parse(&table, &flags, count, words, operands, 1, &operand_count, &failure))
        return command_usage_error(self, failure.text);
    if (operand_count != 1)
        return command_usage_error(self, "into which file?");
    curl_global_init(CURL_GLOBAL_DEFAULT);
    if (back_up(&flags, operands[0], &facts, &failure))
        return command_failed(self, failure.text);
    if (flags.json)
        printf("{\"bytes\":%llu,\"index\":%llu,\"time_ms\":%lld}\n", (unsigned long long)facts.size,
               (unsigned long long)facts.index, (long long)facts.time_ms);
    else
        printf("%s: %.1f MB, as of entry %llu; every page was checked\n", operands[0],
               (double)facts.size / 1e6, (unsigned long long)facts.index);
    return EXIT_DONE;
}

const struct program_command command_backup = {
    "backup",
    "[--dir DIR] FILE",
    "write a shop's whole database into one file",
    "Consistent as of one moment, while the shop goes on selling; or from the directory when no\n"
    "server runs on it. FILE is an SQLite database; it is written aside, compared with the\n"
    "SHA-256 of what was sent, every page is checked, and then it gets its name. The files of\n"
    "the media folder are not in it: copy that folder too. `stoa restore` makes a shop of FILE.",
    &table,
    run_backup,
};
