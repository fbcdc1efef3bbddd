#include "outside/warehouse_reports.h"

#include "base/check.h"
#include "base/json_text.h"
#include "base/random.h"
#include "outside/warehouse_json.h"

#include <inttypes.h>
#include <stdio.h>

enum { DAY_MS = 86400 * 1000, FORGET_AT_ONCE = 100 };

/* ---- Adding ---- */

int warehouse_reports_add(struct book *book, const char *kind, struct id order, struct str body)
{
    CHECK(body.len > 2 && body.at[0] == '{');
    struct stmt *stmt =
        db_stmt(book->db, "INSERT INTO report (kind, order_id, body, made_ms, state)"
                          " VALUES (?, ?, ?, ?, 'waiting')");
    stmt_bind_str(stmt, 1, str_of(kind));
    stmt_bind_id(stmt, 2, order);
    stmt_bind_str(stmt, 3, body);
    stmt_bind_i64(stmt, 4, book->now_ms);
    return stmt_run(stmt);
}

int warehouse_reports_add_lines(struct book *book, const char *kind, struct id order,
                                const struct book_quantity *lines, unsigned count,
                                const bool *restock, struct str note)
{
    struct buf body;
    char text[ID_TEXT];
    buf_init(&body, REPORTS_BYTES_MAX);
    buf_printf(&body, "{\"kind\":\"%s\",\"order\":\"%s\",\"lines\":[", kind, id_text(order, text));
    for (unsigned i = 0; i < count; i++)
        buf_printf(&body, "%s{\"line\":%u,\"quantity\":%u}", i ? "," : "", lines[i].line,
                   lines[i].quantity);
    buf_puts(&body, "]");
    if (restock)
        buf_printf(&body, ",\"restock\":%s", *restock ? "true" : "false");
    buf_puts(&body, ",\"note\":");
    json_str_put(str_clip_utf8(note, BOOK_TEXT_MAX), &body);
    buf_puts(&body, "}");
    int err = body.failed ? fail(book->failure, ERR_NOMEM, "no memory for a report")
                          : warehouse_reports_add(book, kind, order, buf_text(&body));
    buf_close(&body);
    return err;
}

/* ---- Sending ---- */

int warehouse_reports_next(struct db *db, unsigned most, struct buf *out, uint64_t *first,
                           unsigned *count)
{
    char epoch[64];
    warehouse_book_fact(db, "epoch", epoch, sizeof epoch);
    *first = warehouse_book_count(db, "taken") + 1;
    *count = 0;
    struct stmt *stmt = db_stmt(db, "SELECT body, problem FROM report WHERE state = 'waiting'"
                                    " ORDER BY id LIMIT ?");
    stmt_bind_i64(stmt, 1, most);
    buf_printf(out, "{\"epoch\":\"%s\",\"reports\":[", epoch);
    int err;
    while (stmt_more(stmt, &err)) {
        struct str body = stmt_str(stmt, 0);
        bool refused = stmt_str(stmt, 1).len > 0;
        if (refused || (*count && out->len + body.len > REPORTS_BYTES_MAX)) {
            stmt_done(stmt);
            break;
        }
        buf_printf(out, "%s{\"sequence\":%" PRIu64 ",", *count ? "," : "", *first + *count);
        buf_str(out, str_from(body, 1));
        ++*count;
    }
    buf_puts(out, "]}");
    return !err && out->failed ? ERR_NOMEM : err;
}

/* What was taken long ago is wanted by nobody: a shop that was restored from a backup is younger.
 */
static int forget_old(struct book *book)
{
    struct stmt *stmt =
        db_stmt(book->db, "DELETE FROM report WHERE id IN (SELECT id FROM report WHERE"
                          " state = 'taken' AND taken_ms < ? ORDER BY id LIMIT ?)");
    stmt_bind_i64(stmt, 1, book->now_ms - (int64_t)REPORT_KEEP_DAYS * DAY_MS);
    stmt_bind_i64(stmt, 2, FORGET_AT_ONCE);
    return stmt_run(stmt);
}

/* The first of those that wait has been taken as SEQUENCE. */
static int take_first(struct book *book, uint64_t sequence)
{
    struct stmt *stmt =
        db_stmt(book->db, "UPDATE report SET state = 'taken', sequence = ?1, taken_ms = ?2,"
                          " problem = '' WHERE id = (SELECT id FROM report WHERE"
                          " state = 'waiting' ORDER BY id LIMIT 1)");
    stmt_bind_u64(stmt, 1, sequence);
    stmt_bind_i64(stmt, 2, book->now_ms);
    return stmt_run(stmt);
}

int warehouse_reports_taken(struct book *book, uint64_t sequence, uint64_t last)
{
    uint64_t taken = warehouse_book_count(book->db, "taken");
    int err = 0;
    if (sequence > last)
        return fail(book->failure, ERR_STATE,
                    "the shop has %" PRIu64 " reports of this warehouse, which itself knows of "
                    "%" PRIu64 ": was warehouse.db restored from a backup?",
                    sequence, last);
    if (sequence <= taken)
        return 0;
    while (!err && taken < sequence)
        err = take_first(book, ++taken);
    err = err ? err : warehouse_book_put_count(book->db, "taken", taken);
    return err ? err : forget_old(book);
}

int warehouse_reports_gap(struct book *book, uint64_t expected)
{
    uint64_t taken = warehouse_book_count(book->db, "taken");
    if (expected == taken + 1)
        return 0;
    struct stmt *has = db_stmt(book->db, "SELECT count(*) FROM report WHERE sequence = ?");
    stmt_bind_u64(has, 1, expected);
    if (expected < 1 || expected > taken || !stmt_only_u64(has, 0))
        return fail(book->failure, ERR_STATE,
                    "the shop expects report %" PRIu64 ", which this warehouse %s", expected,
                    expected > taken
                        ? "has not made yet: was warehouse.db restored from a backup?"
                        : "no longer keeps: was the shop restored from an old backup?");
    struct stmt *again = db_stmt(book->db, "UPDATE report SET state = 'waiting', sequence = NULL,"
                                           " taken_ms = NULL WHERE sequence >= ?");
    stmt_bind_u64(again, 1, expected);
    int err = stmt_run(again);
    return err ? err : warehouse_book_put_count(book->db, "taken", expected - 1);
}

static int mark_first(struct book *book, struct str problem)
{
    struct stmt *stmt = db_stmt(book->db, "UPDATE report SET problem = ?1 WHERE id ="
                                          " (SELECT id FROM report WHERE state = 'waiting'"
                                          " ORDER BY id LIMIT 1)");
    stmt_bind_str(stmt, 1, problem.len ? str_clip_utf8(problem, BOOK_TEXT_MAX) : STR("refused"));
    return stmt_run(stmt);
}

int warehouse_reports_refused(struct book *book, uint64_t sequence, struct str problem)
{
    uint64_t taken = warehouse_book_count(book->db, "taken");
    if (sequence <= taken)
        return 0;
    int err = warehouse_reports_taken(book, sequence - 1, sequence - 1);
    return err ? err : mark_first(book, problem);
}

/* ---- People's decisions ---- */

static int check_refused(struct book *book, uint64_t id)
{
    struct stmt *stmt = db_stmt(book->db, "SELECT count(*) FROM report WHERE id = ?"
                                          " AND state = 'waiting' AND problem <> ''");
    stmt_bind_u64(stmt, 1, id);
    return stmt_only_u64(stmt, 0) ? 0
                                  : fail(book->failure, ERR_STATE,
                                         "report %" PRIu64 " is not one that the shop refused", id);
}

int warehouse_reports_drop(struct book *book, uint64_t id)
{
    int err = check_refused(book, id);
    if (err)
        return err;
    struct stmt *stmt = db_stmt(book->db, "UPDATE report SET state = 'dropped' WHERE id = ?");
    stmt_bind_u64(stmt, 1, id);
    return stmt_run(stmt);
}

/* What each kind cannot be without; the shop looks at the rest. */
static const struct kind {
    const char *name, *needs[3];
} kinds[] = {
    {"shipped", {"order", "parcel", "lines"}},
    {"delivered", {"order", "parcel"}},
    {"returned", {"order", "lines"}},
    {"short", {"order", "lines"}},
    {"arrived", {"item", "quantity"}},
    {"counted", {"item", "on_hand"}},
    {"product", {"product"}},
};

static const struct kind *find_kind(struct warehouse_json *in)
{
    struct str name = warehouse_json_text(in, in->root, "", "kind", BOOK_KEY_MAX);
    for (unsigned i = 0; i < COUNT_OF(kinds); i++)
        if (str_eq(name, str_of(kinds[i].name)))
            return &kinds[i];
    return NULL;
}

/* ERR_INVALID: BODY is no report. A request that has it would be no request that the shop could
 * answer with the report's number, and nothing would come through any more. */
static int check_report(struct book *book, struct str body, const char **name)
{
    struct arena arena;
    struct warehouse_json in;
    int err = 0;
    arena_init(&arena, 4 << 20);
    warehouse_json_read(&in, &arena, body);
    const struct kind *kind = find_kind(&in);
    if (!kind)
        warehouse_json_wrong(&in, "\"kind\" must be shipped, delivered, returned, short, arrived, "
                                  "counted or product");
    for (unsigned i = 0; kind && i < COUNT_OF(kind->needs) && kind->needs[i]; i++)
        if (!yyjson_obj_get(in.root, kind->needs[i]))
            warehouse_json_wrong(&in, "\"%s\" is missing", kind->needs[i]);
    if (yyjson_obj_get(in.root, "sequence"))
        warehouse_json_wrong(&in, "the number is not yours to give: take \"sequence\" out");
    if (body.len > REPORTS_BYTES_MAX)
        warehouse_json_wrong(&in, "is too long");
    if (in.wrong.at)
        err = fail(book->failure, ERR_INVALID, "the report: %.*s", STR_FMT(in.wrong));
    *name = kind ? kind->name : "";
    arena_close(&arena);
    return err;
}

int warehouse_reports_mend(struct book *book, uint64_t id, struct str body)
{
    const char *kind = "";
    int err = check_refused(book, id);
    body = str_trim(body);
    if (!err && body.len)
        err = check_report(book, body, &kind);
    if (err)
        return err;
    struct stmt *stmt =
        db_stmt(book->db, "UPDATE report SET problem = '', kind = iif(?2 = '', kind, ?3),"
                          " body = iif(?2 = '', body, ?2) WHERE id = ?1");
    stmt_bind_u64(stmt, 1, id);
    stmt_bind_str(stmt, 2, body.len ? body : STR(""));
    stmt_bind_str(stmt, 3, str_of(kind));
    return stmt_run(stmt);
}

int warehouse_reports_renew(struct book *book)
{
    unsigned char bytes[16];
    char text[2 * sizeof bytes + 1];
    random_secret(bytes, sizeof bytes);
    hex_encode(bytes, sizeof bytes, text);
    int err = warehouse_book_put_fact(book->db, "epoch", str_of(text));
    err = err ? err : warehouse_book_put_count(book->db, "taken", 0);
    /* What was taken under another epoch is not to come back by a gap in this one. */
    return err ? err
               : stmt_run(db_stmt(book->db, "UPDATE report SET sequence = NULL WHERE"
                                            " state = 'taken' AND sequence IS NOT NULL"));
}
