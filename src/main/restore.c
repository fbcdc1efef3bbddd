#include "base/check.h"
#include "base/clock.h"
#include "main/backup_file.h"
#include "main/datadir.h"
#include "main/file.h"
#include "main/program.h"
#include "main/shop_epoch.h"
#include "replica/repair.h"
#include "store/db.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct restore_flags {
    char dir[OPTION_TEXT_SIZE];
};

#define AT(field) offsetof(struct restore_flags, field)
static const struct option_row rows[] = {
    {"dir", OPTION_TEXT, AT(dir), NULL, 0, 0, NULL, "DIR",
     "the new shop's data directory; it is made"},
};
static const struct option_table table = {rows, COUNT_OF(rows)};

/* A directory with anything in it is another shop's, or somebody's else. */
static int refuse_content(const char *path, struct failure *failure)
{
    DIR *dir = opendir(path);
    if (!dir)
        return errno == ENOENT ? 0 : file_failed(failure, "read", path);
    int err = 0;
    for (struct dirent *entry = readdir(dir); !err && entry; entry = readdir(dir))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            err = fail(failure, ERR_EXISTS,
                       "%s is not empty; a backup is restored into a new directory", path);
    closedir(dir);
    return err;
}

/* What the database remembers of the cluster that it came from. */
static int forget_cluster(const char *file, struct failure *failure)
{
    struct db *db;
    int err = db_open(file, DB_WRITER, &db, failure);
    if (err)
        return err;
    db_begin(db);
    db_exec(db, "DELETE FROM registry WHERE key LIKE 'token/%' OR key LIKE 'cluster/%'");
    db_commit(db);
    if (db_failure(db)->err) {
        *failure = *db_failure(db);
        err = failure->err;
    }
    db_close(db);
    return err;
}

static int restore_into(const struct datadir *datadir, const char *backup,
                        struct backup_facts *facts, struct failure *failure)
{
    char aside[DATADIR_PATH + 8];
    snprintf(aside, sizeof aside, "%s.new", datadir->database);
    int err = backup_file_copy(backup, aside, failure);
    err = err ? err : backup_file_check(aside, true, facts, failure);
    err = err ? err : forget_cluster(aside, failure);
    err = err ? err : shop_epoch_raise(aside, clock_wall_ms(), NULL, failure);
    /* The database gets its name last: a directory without it is no shop. */
    err = err ? err : repair_begin_log(datadir->raft, 1, facts->index, facts->time_ms, failure);
    err = err ? err : file_rename(aside, datadir->database, failure);
    if (err)
        unlink(aside);
    return err;
}

static int run_restore(const struct program_command *self, int count, char **words)
{
    struct restore_flags flags = {0};
    struct backup_facts facts = {0};
    struct failure failure = {0};
    struct datadir datadir;
    const char *operands[1];
    unsigned operand_count;
    option_defaults(&table, &flags);
    if (option_parse(&table, &flags, count, words, operands, 1, &operand_count, &failure))
        return command_usage_error(self, failure.text);
    if (operand_count != 1 || !flags.dir[0])
        return command_usage_error(self, "which FILE, and into which --dir DIR?");
    int err = refuse_content(flags.dir, &failure);
    err = err ? err : datadir_open(flags.dir, &datadir, &failure);
    if (!err) {
        err = restore_into(&datadir, operands[0], &facts, &failure);
        if (err) /* what this has made in a directory that was empty; the first failure counts */
            (void)file_remove_content(flags.dir, NULL);
        datadir_close(&datadir);
    }
    if (err)
        return command_failed(self, failure.text);
    printf(
        "%s holds the shop as of entry %llu. It is a new shop with secrets of its own: shoppers' "
        "sessions and tokens of the old one do not count here.\n"
        "`stoa serve --dir %s` runs it alone; `stoa demo --dir %s` makes a cluster of it. The "
        "media folder is not in a backup: copy it to %s/media.\n",
        flags.dir, (unsigned long long)facts.index, flags.dir, flags.dir, flags.dir);
    return EXIT_DONE;
}

const struct program_command command_restore = {
    "restore",
    "--dir DIR FILE",
    "make a new shop of a backup",
    "FILE is what `stoa backup` wrote. Every page of it is checked; DIR must be empty or not yet\n"
    "there. The new shop is one server with a new operator's token and new secrets; others can\n"
    "join it (`stoa init`). The backup's shop must not sell any more: the two would sell the\n"
    "same stock.",
    &table,
    run_restore,
};
