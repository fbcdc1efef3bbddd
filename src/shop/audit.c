#include "shop/audit.h"

#include "shop/auditing.h"
#include "store/schema.h"

#include <stdarg.h>
#include <stdio.h>

enum { RECORD_MEMORY = 16 << 20 };

void audit_say(struct auditing *audit, const char *format, ...)
{
    char sentence[600];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    audit->report->differences++;
    if (audit->say)
        audit->say(audit->context, sentence);
}

/* SQLite's own look at its trees and indexes. */
static void audit_file(struct auditing *audit)
{
    struct stmt *stmt = db_stmt(audit->db, "PRAGMA integrity_check(20)");
    while (stmt_next(stmt) == 0) {
        struct str line = stmt_str(stmt, 0);
        if (!str_eq(line, STR("ok")))
            audit_say(audit, "the database file is damaged: %.*s", STR_FMT(line));
    }
}

uint64_t audit_index(struct db *db)
{
    struct stmt *stmt = db_stmt(db, "SELECT value FROM meta WHERE key = 'applied_index'");
    if (stmt_next(stmt))
        return 0;
    uint64_t index = stmt_u64(stmt, 0);
    stmt_done(stmt);
    return index;
}

static int look(struct auditing *audit, const char *file, struct failure *failure)
{
    /* One view from here on: a running server may go on. */
    db_begin(audit->db);
    audit->report->index = audit_index(audit->db);
    audit_file(audit);
    audit_catalogue(audit);
    audit_stock(audit);
    audit_carts(audit);
    audit_checkouts(audit);
    audit_orders(audit);
    audit_warehouses(audit);
    audit_registry(audit);
    const struct failure *broken = db_failure(audit->db);
    if (broken->err == ERR_DAMAGED) {
        audit_say(audit, "%s", broken->text);
        return ERR_OK;
    }
    if (broken->err && failure)
        return fail(failure, broken->err, "%s: the audit was not finished: %s", file, broken->text);
    return broken->err;
}

int audit_run(const char *file, void (*say)(void *context, const char *sentence), void *context,
              struct audit_report *report, struct failure *failure)
{
    *report = (struct audit_report){0};
    struct auditing audit = {.say = say, .context = context, .report = report};
    int err = db_open(file, DB_READER, &audit.db, failure);
    if (err)
        return err;
    arena_init(&audit.arena, RECORD_MEMORY);
    err = schema_check(audit.db, failure);
    if (!err)
        err = look(&audit, file, failure);
    db_rollback(audit.db);
    db_close(audit.db);
    arena_close(&audit.arena);
    return err;
}
