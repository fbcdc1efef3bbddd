#include "store/digest.h"

#include "net/openssl.h"

#include <stdio.h>
#include <string.h>

enum { TABLES_MAX = 64, TABLE_NAME = 64 };

/* Tables whose rows are the shop's. Those of the search index (product_search and its shadows) are
 * SQLite's own: its segments depend on which commands shared a transaction. idempotency_key finds
 * rows that count themselves, and lags behind them as it is convenient (shop/key_index.h). */
static const char find_tables[] = "SELECT name FROM sqlite_schema WHERE type = 'table'"
                                  " AND name NOT LIKE 'sqlite_%'"
                                  " AND name NOT LIKE 'product_search%'"
                                  " AND name <> 'idempotency_key' ORDER BY name";

static void add_number(EVP_MD_CTX *hash, uint64_t number)
{
    unsigned char bytes[8];
    for (unsigned i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(number >> 8 * i);
    EVP_DigestUpdate(hash, bytes, sizeof bytes);
}

static void add_bytes(EVP_MD_CTX *hash, struct str bytes)
{
    add_number(hash, bytes.len);
    EVP_DigestUpdate(hash, bytes.at, bytes.len);
}

static void add_value(EVP_MD_CTX *hash, struct stmt *row, int column)
{
    enum stmt_kind kind = stmt_kind(row, column);
    double real;
    uint64_t bits;
    add_number(hash, kind);
    switch (kind) {
    case STMT_INTEGER:
        add_number(hash, stmt_u64(row, column));
        break;
    case STMT_REAL:
        real = stmt_real(row, column);
        memcpy(&bits, &real, sizeof bits);
        add_number(hash, bits);
        break;
    case STMT_TEXT:
        add_bytes(hash, stmt_str(row, column));
        break;
    case STMT_BLOB:
        add_bytes(hash, stmt_blob(row, column));
        break;
    case STMT_NULL:
        break;
    }
}

/* NOT INDEXED: the table's own tree is read from end to end, which is the order of its key. */
static void add_table(EVP_MD_CTX *hash, struct db *db, const char name[TABLE_NAME])
{
    char sql[TABLE_NAME + 40];
    snprintf(sql, sizeof sql, "SELECT * FROM \"%.63s\" NOT INDEXED", name);
    struct stmt *row = stmt_new(db, sql);
    add_bytes(hash, str_of(name));
    uint64_t rows = 0;
    for (; stmt_next(row) == 0; rows++)
        for (int i = 0; i < stmt_columns(row); i++)
            add_value(hash, row, i);
    add_number(hash, rows);
    stmt_free(row);
}

static unsigned list_tables(struct db *db, char names[TABLES_MAX][TABLE_NAME])
{
    struct stmt *row = db_stmt(db, find_tables);
    unsigned count = 0;
    while (stmt_next(row) == 0) {
        struct str name = stmt_str(row, 0);
        if (count == TABLES_MAX || name.len >= TABLE_NAME) {
            stmt_done(row);
            db_fail_damaged(db, "a table that is not the shop's");
            return 0;
        }
        snprintf(names[count++], TABLE_NAME, "%.*s", STR_FMT(name));
    }
    return count;
}

int db_digest(struct db *db, unsigned char digest[DB_DIGEST])
{
    char names[TABLES_MAX][TABLE_NAME];
    EVP_MD_CTX *hash = EVP_MD_CTX_new();
    if (!hash || EVP_DigestInit_ex(hash, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(hash);
        return db_fail_memory(db);
    }
    unsigned count = list_tables(db, names);
    for (unsigned i = 0; i < count; i++)
        add_table(hash, db, names[i]);
    EVP_DigestFinal_ex(hash, digest, NULL);
    EVP_MD_CTX_free(hash);
    return db_failure(db)->err;
}
