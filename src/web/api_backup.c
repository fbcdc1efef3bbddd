#include "base/check.h"
#include "net/openssl.h" /* first, see there */
#include "replica/copies.h"
#include "web/api.h"
#include "web/backup_end.h"
#include "web/desk.h"

#include <stdlib.h>

enum { PIECE_BYTES = 128 * 1024 };

/* A backup on its way; freed by its job. */
struct backing_up {
    struct copies *copies;
    const struct log *log;
    char piece[PIECE_BYTES];
};

/* The database file as it is held still: 0, ERR_CLOSED (nobody listens), or FAILURE. */
static int send_file(struct desk *desk, struct backing_up *b, const struct machine_frozen *frozen,
                     unsigned char digest[BACKUP_DIGEST], struct failure *failure)
{
    EVP_MD_CTX *sha = EVP_MD_CTX_new();
    int err = 0;
    if (!sha || EVP_DigestInit_ex(sha, EVP_sha256(), NULL) != 1)
        err = fail(failure, ERR_NOMEM, "out of memory");
    for (uint64_t at = 0; !err && at < frozen->size;) {
        size_t len = frozen->size - at < PIECE_BYTES ? (size_t)(frozen->size - at) : PIECE_BYTES;
        err = copies_read(b->copies, at, b->piece, len, failure);
        if (!err && !desk_tell(desk, str_make(b->piece, len)))
            err = ERR_CLOSED;
        if (!err)
            EVP_DigestUpdate(sha, b->piece, len);
        at += len;
    }
    if (!err && EVP_DigestFinal_ex(sha, digest, NULL) != 1)
        err = fail(failure, ERR_INTERNAL, "no SHA-256");
    EVP_MD_CTX_free(sha);
    return err;
}

static void job(struct desk *desk, void *context)
{
    struct backing_up *b = context;
    struct machine_frozen frozen;
    struct backup_end end = {0};
    struct failure failure = {0};
    char line[BACKUP_END];
    int err = copies_begin(b->copies, &frozen, NULL, &failure);
    if (!err) {
        log_line(b->log, LOG_INFO, "backup", "a backup of %llu MB is sent, as of entry %llu",
                 (unsigned long long)(frozen.size / 1000000), (unsigned long long)frozen.index);
        err = send_file(desk, b, &frozen, end.digest, &failure);
        copies_end(b->copies);
    }
    if (err) {
        log_line(b->log, LOG_WARN, "backup", "the backup was broken off: %s",
                 failure.err ? failure.text : "nobody takes it any more");
        backup_end_put_failure(line, failure.err ? failure.text : err_sentence(err));
    } else {
        end.size = frozen.size;
        end.index = frozen.index;
        end.time_ms = frozen.time_ms;
        backup_end_put(line, &end);
    }
    desk_tell(desk, str_make(line, sizeof line));
    if (err)
        desk_broken(desk);
    free(b);
}

enum app_verdict api_backup(struct exchange *x)
{
    const struct web_settings *settings = &call_web(x)->settings;
    if (!settings->copies)
        return api_refuse(x, 404, "no_backups", STR("This server makes no backups."), STR(""));
    struct desk_claim *claim = desk_take(x, call_web(x)->api->backing_up);
    if (!claim)
        return api_refuse(x, 409, "backup_running", STR("A backup is running. Wait for its end."),
                          STR(""));
    struct backing_up *b = calloc(1, sizeof *b);
    if (!b)
        return api_failed(x, ERR_NOMEM, STR(""));
    b->copies = settings->copies;
    b->log = settings->log;
    call_security_headers(x, false);
    exchange_add_header(x, STR("Cache-Control"), STR("no-store"));
    exchange_add_header(x, STR("Content-Disposition"), STR("attachment; filename=\"shop.backup\""));
    if (desk_start(x, claim, job, b, STR("application/octet-stream"))) {
        free(b);
        return call_fail_err(x, ERR_NOMEM);
    }
    return APP_DONE;
}
