#include "copy_text.h"

#include "base/buf.h"
#include "base/check.h"

#include <stdio.h>
#include <string.h>

enum { TEXT_MAX = 64 << 20, SHOWN = 12 };

static void put_value(struct buf *out, struct stmt *row, int column)
{
    struct str bytes;
    switch (stmt_kind(row, column)) {
    case STMT_INTEGER:
        buf_i64(out, stmt_i64(row, column));
        return;
    case STMT_REAL:
        buf_printf(out, "%.17g", stmt_real(row, column));
        return;
    case STMT_TEXT:
        buf_str(out, stmt_str(row, column));
        return;
    case STMT_BLOB:
        bytes = stmt_blob(row, column);
        for (size_t i = 0; i < bytes.len; i++)
            buf_printf(out, "%02x", (unsigned char)bytes.at[i]);
        return;
    case STMT_NULL:
        buf_puts(out, "-");
    }
}

static void put_table(struct buf *out, struct db *db, const char *name)
{
    char sql[120];
    snprintf(sql, sizeof sql, "SELECT * FROM \"%.63s\" NOT INDEXED", name);
    struct stmt *row = stmt_new(db, sql);
    while (stmt_next(row) == 0) {
        buf_puts(out, name);
        for (int i = 0; i < stmt_columns(row); i++) {
            buf_byte(out, ' ');
            put_value(out, row, i);
        }
        buf_byte(out, '\n');
    }
    stmt_free(row);
}

char *copy_text(struct db *db)
{
    struct buf out;
    size_t len;
    char name[64];
    buf_init(&out, TEXT_MAX);
    struct stmt *row = stmt_new(db, "SELECT name FROM sqlite_schema WHERE type = 'table'"
                                    " AND name NOT LIKE 'sqlite_%'"
                                    " AND name NOT LIKE 'product_search%'"
                                    " AND name <> 'idempotency_key' ORDER BY name");
    while (stmt_next(row) == 0) {
        snprintf(name, sizeof name, "%.*s", STR_FMT(stmt_str(row, 0)));
        put_table(&out, db, name);
    }
    stmt_free(row);
    buf_byte(&out, 0);
    CHECK(!out.failed);
    return buf_take(&out, &len);
}

static const char *next_line(const char *line)
{
    line += strcspn(line, "\n");
    return *line == 0 ? line : line + 1;
}

static bool same_line(const char *a, const char *b)
{
    size_t len = strcspn(a, "\n");
    return len == strcspn(b, "\n") && memcmp(a, b, len) == 0;
}

/* Whether LINE comes soon in TEXT. */
static bool comes_soon(const char *text, const char *line)
{
    for (unsigned i = 0; i < SHOWN && *text != 0; i++, text = next_line(text))
        if (same_line(text, line))
            return true;
    return false;
}

void copy_text_compare(const char *one, const char *other)
{
    unsigned shown = 0;
    while ((*one != 0 || *other != 0) && shown < SHOWN) {
        if (same_line(one, other)) {
            one = next_line(one);
            other = next_line(other);
        } else if (*one != 0 && (*other == 0 || !comes_soon(other, one))) {
            printf("  one:   %.*s\n", (int)strcspn(one, "\n"), one);
            one = next_line(one);
            shown++;
        } else {
            printf("  other: %.*s\n", (int)strcspn(other, "\n"), other);
            other = next_line(other);
            shown++;
        }
    }
}
