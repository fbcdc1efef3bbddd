#include "main/backup_file.h"

#include "main/file.h"
#include "net/openssl.h" /* first, see there */
#include "store/db.h"
#include "store/schema.h"
#include "web/backup_end.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_BYTES = 1 << 20 };

int backup_file_open(struct backup_file *file, const char *path, struct failure *failure)
{
    *file = (struct backup_file){0};
    if (strlen(path) >= sizeof file->path)
        return fail(failure, ERR_INVALID, "the path is too long: %s", path);
    strcpy(file->path, path);
    snprintf(file->aside, sizeof file->aside, "%s.part", path);
    if (access(path, F_OK) == 0)
        return fail(failure, ERR_EXISTS, "%s is there already; give another name", path);
    int fd = open(file->aside, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    file->out = fd < 0 ? NULL : fdopen(fd, "w+");
    return file->out ? 0 : file_failed(failure, "write", file->aside);
}

/* ---- Reading it again ---- */

static int hash(int fd, uint64_t size, unsigned char digest[BACKUP_DIGEST])
{
    EVP_MD_CTX *sha = EVP_MD_CTX_new();
    char *bytes = malloc(READ_BYTES);
    bool good = sha && bytes && EVP_DigestInit_ex(sha, EVP_sha256(), NULL) == 1;
    for (uint64_t at = 0; good && at < size;) {
        size_t len = size - at < READ_BYTES ? (size_t)(size - at) : READ_BYTES;
        ssize_t got = pread(fd, bytes, len, (off_t)at);
        good = got > 0 && EVP_DigestUpdate(sha, bytes, (size_t)got) == 1;
        at += got > 0 ? (uint64_t)got : 0;
    }
    good = good && EVP_DigestFinal_ex(sha, digest, NULL) == 1;
    EVP_MD_CTX_free(sha);
    free(bytes);
    return good ? 0 : ERR_IO;
}

/* The line at the end of FD. ERR_INVALID: there is none. */
static int read_end(int fd, struct backup_end *end, struct failure *failure)
{
    struct stat about;
    char line[BACKUP_END];
    if (fstat(fd, &about) != 0 || about.st_size < BACKUP_END ||
        pread(fd, line, sizeof line, about.st_size - BACKUP_END) != BACKUP_END)
        return fail(failure, ERR_INVALID, "the backup broke off");
    int err = backup_end_get(end, line, failure);
    if (!err && end->size != (uint64_t)about.st_size - BACKUP_END)
        err = fail(failure, ERR_INVALID, "the backup has %llu bytes instead of %llu",
                   (unsigned long long)about.st_size - BACKUP_END, (unsigned long long)end->size);
    return err;
}

static int compare(int fd, const struct backup_end *end, const char *path, struct failure *failure)
{
    unsigned char digest[BACKUP_DIGEST];
    if (hash(fd, end->size, digest))
        return file_failed(failure, "read", path);
    if (memcmp(digest, end->digest, BACKUP_DIGEST) != 0)
        return fail(failure, ERR_DAMAGED, "%s is damaged: its SHA-256 is not what was sent", path);
    return 0;
}

int backup_file_verify(struct backup_file *file, struct failure *failure)
{
    struct backup_end end;
    int fd = fileno(file->out);
    if (fflush(file->out))
        return file_failed(failure, "write", file->aside);
    int err = read_end(fd, &end, failure);
    err = err ? err : compare(fd, &end, file->aside, failure);
    if (!err && ftruncate(fd, (off_t)end.size))
        err = file_failed(failure, "write", file->aside);
    return err;
}

/* ---- Keeping it ---- */

int backup_file_keep(struct backup_file *file, struct failure *failure)
{
    if (fflush(file->out) || fsync(fileno(file->out)))
        return file_failed(failure, "write", file->path);
    int err = file_rename(file->aside, file->path, failure);
    if (!err)
        file->aside[0] = 0;
    return err;
}

void backup_file_close(struct backup_file *file)
{
    if (file->out)
        fclose(file->out);
    if (file->out && file->aside[0])
        unlink(file->aside);
    *file = (struct backup_file){0};
}

/* ---- What is in it ---- */

static uint64_t read_meta(struct db *db, const char *sql)
{
    return stmt_only_u64(db_stmt(db, sql), 0);
}

static int check_pages(struct db *db, struct failure *failure)
{
    struct stmt *row = db_stmt(db, "PRAGMA integrity_check(1)");
    if (stmt_next(row))
        return fail(failure, ERR_DAMAGED, "%s cannot be checked", db_file(db));
    bool good = str_eq(stmt_str(row, 0), STR("ok"));
    if (!good)
        fail(failure, ERR_DAMAGED, "%s is damaged: %.*s", db_file(db), (int)stmt_str(row, 0).len,
             stmt_str(row, 0).at);
    stmt_done(row);
    return good ? 0 : ERR_DAMAGED;
}

int backup_file_check(const char *path, bool thorough, struct backup_facts *facts,
                      struct failure *failure)
{
    struct db *db;
    struct stat about;
    if (stat(path, &about))
        return file_failed(failure, "read", path);
    int err = db_open(path, DB_READER, &db, failure);
    if (err)
        return err;
    err = schema_check(db, failure);
    if (!err && thorough)
        err = check_pages(db, failure);
    if (!err) {
        facts->size = (uint64_t)about.st_size;
        facts->index = read_meta(db, "SELECT value FROM meta WHERE key = 'applied_index'");
        facts->time_ms =
            (int64_t)read_meta(db, "SELECT value FROM meta WHERE key = 'applied_time'");
    }
    if (!err && db_failure(db)->err) {
        *failure = *db_failure(db);
        err = failure->err;
    }
    db_close(db);
    return err;
}

/* ---- From one to another ---- */

static int copy_bytes(int in, int out, uint64_t size)
{
    for (uint64_t at = 0; at < size;) {
        ssize_t n = copy_file_range(in, NULL, out, NULL, (size_t)(size - at), 0);
        if (n <= 0 && at > 0)
            return -1;
        if (n <= 0)
            break;
        at += (uint64_t)n;
        if (at == size)
            return fsync(out);
    }
    char *bytes = malloc(READ_BYTES); /* two file systems that do not do it between them */
    bool good = bytes != NULL;
    for (uint64_t at = 0; good && at < size;) {
        size_t len = size - at < READ_BYTES ? (size_t)(size - at) : READ_BYTES;
        ssize_t got = pread(in, bytes, len, (off_t)at);
        good = got > 0 && pwrite(out, bytes, (size_t)got, (off_t)at) == got;
        at += got > 0 ? (uint64_t)got : 0;
    }
    free(bytes);
    return good ? fsync(out) : -1;
}

int backup_file_copy(const char *from, const char *to, struct failure *failure)
{
    struct backup_end end;
    struct stat about = {0};
    int in = open(from, O_RDONLY | O_CLOEXEC), err = 0;
    if (in < 0 || fstat(in, &about))
        err = file_failed(failure, "read", from);
    int out = err ? -1 : open(to, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (!err && out < 0)
        err = file_failed(failure, "write", to);
    if (!err) {
        uint64_t size = (uint64_t)about.st_size;
        int ends = read_end(in, &end, failure);
        if (!ends)
            size = end.size;
        if (!ends)
            err = compare(in, &end, from, failure);
        if (!err && copy_bytes(in, out, size))
            err = file_failed(failure, "write", to);
    }
    if (in >= 0)
        close(in);
    if (out >= 0)
        close(out);
    return err;
}
