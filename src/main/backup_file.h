/* Backup file: a shop's whole database in one file, which is nothing else than an SQLite database.
 * Written aside (FILE.part) and renamed when it is whole, checked and durable. Thread: main.
 */
#ifndef STOA_MAIN_BACKUP_FILE_H
#define STOA_MAIN_BACKUP_FILE_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { BACKUP_PATH = 512 };

struct backup_file {
    char path[BACKUP_PATH], aside[BACKUP_PATH + 8];
    FILE *out;
};

/* ERR_EXISTS: PATH is there already. */
int backup_file_open(struct backup_file *file, const char *path, struct failure *failure);
/* What was written ends with the line of web/backup_end.h: compares, and takes it off. */
int backup_file_verify(struct backup_file *file, struct failure *failure);
/* Makes it durable under its name. */
int backup_file_keep(struct backup_file *file, struct failure *failure);
/* Closes; what was not kept is removed. */
void backup_file_close(struct backup_file *file);

/* What a database file is. */
struct backup_facts {
    uint64_t size, index;
    int64_t time_ms;
};
/* Looks whether PATH is a shop's database and whole: SQLite's own check of every page (some seconds
 * for each GB), if THOROUGH. */
int backup_file_check(const char *path, bool thorough, struct backup_facts *facts,
                      struct failure *failure);
/* FROM into TO, which is made, durable; when it ends with a line of web/backup_end.h, as a program
 * other than ours would have stored it, that is compared and left out. */
int backup_file_copy(const char *from, const char *to, struct failure *failure);

#endif
