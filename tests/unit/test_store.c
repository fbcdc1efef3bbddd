#include "base/check.h"
#include "store_fixture.h"

#include <string.h>

static int put_meta(struct db *db, const char *key, int64_t value)
{
    struct stmt *row = db_stmt(db, "INSERT INTO meta (key, value) VALUES (?, ?)");
    stmt_bind_str(row, 1, str_of(key));
    stmt_bind_i64(row, 2, value);
    return stmt_run(row);
}

static int64_t count_meta(struct db *db)
{
    struct stmt *row = db_stmt(db, "SELECT count(*) FROM meta");
    assert_int_equal(stmt_next(row), 0);
    int64_t count = stmt_i64(row, 0);
    stmt_done(row);
    return count;
}

static void values_come_back_as_they_went_in(void **state)
{
    struct store *f = *state;
    struct id id = {{0, 1, 2, 3}};
    struct stmt *row = db_stmt(f->db, "SELECT ?1, ?2, ?3, ?4, ?5, ?6");
    stmt_bind_i64(row, 1, INT64_MIN);
    stmt_bind_str(row, 2, STR("a\0b"));
    stmt_bind_blob(row, 3, STR_NONE);
    stmt_bind_id(row, 4, id);
    stmt_bind_id(row, 5, (struct id){{0}});
    stmt_bind_real(row, 6, 0.5);
    assert_int_equal(stmt_next(row), 0);
    assert_true(stmt_i64(row, 0) == INT64_MIN);
    assert_true(str_eq(stmt_str(row, 1), STR("a\0b")));
    assert_int_equal(stmt_blob(row, 2).len, 0);
    assert_true(id_eq(stmt_id(row, 3), id));
    assert_true(id_is_zero(stmt_id(row, 4)));
    assert_true(stmt_real(row, 5) == 0.5);
    assert_int_equal(stmt_next(row), ERR_NOTFOUND);
}

static void the_only_number_is_read_or_the_other_one_taken(void **state)
{
    static const char sql[] = "SELECT value FROM meta WHERE key = 'a'";
    struct store *f = *state;
    assert_int_equal(stmt_only_u64(db_stmt(f->db, sql), 7), 7);
    assert_int_equal(put_meta(f->db, "a", 5), 0);
    assert_int_equal(stmt_only_u64(db_stmt(f->db, sql), 7), 5);
    assert_int_equal(put_meta(f->db, "b", 6), 0); /* it has ended */
    assert_int_equal(stmt_only_u64(db_stmt(f->db, sql), 7), 5);
}

static void a_loop_over_rows_ends_well_or_with_the_failure(void **state)
{
    struct store *f = *state;
    uint64_t sum = 0;
    int err = ERR_FULL;
    assert_int_equal(put_meta(f->db, "a", 5), 0);
    assert_int_equal(put_meta(f->db, "b", 6), 0);
    struct stmt *row = db_stmt(f->db, "SELECT value FROM meta WHERE key IN ('a', 'b')");
    while (stmt_more(row, &err))
        sum += stmt_u64(row, 0);
    assert_int_equal(sum, 11);
    assert_int_equal(err, 0);
    assert_false(stmt_more(db_stmt(f->db, "SELECT value FROM nowhere"), &err));
    assert_true(err != 0 && err != ERR_NOTFOUND);
    assert_int_equal(db_failure(f->db)->err, err);
}

static void a_reader_sees_only_what_is_committed(void **state)
{
    struct store *f = *state;
    struct failure failure = {0};
    struct db *reader;
    assert_int_equal(db_open(f->file, DB_READER, &reader, &failure), 0);
    assert_int_equal(schema_check(reader, &failure), 0);
    assert_int_equal(db_begin(f->db), 0);
    assert_int_equal(put_meta(f->db, "a", 1), 0);
    assert_int_equal(count_meta(reader), 0);
    assert_int_equal(db_commit(f->db), 0);
    assert_int_equal(count_meta(reader), 1);
    assert_int_not_equal(db_exec(reader, "DELETE FROM meta"), 0);
    db_close(reader);
}

static void the_first_failure_is_kept_and_stops_what_follows(void **state)
{
    struct store *f = *state;
    assert_int_equal(put_meta(f->db, "a", 1), 0);
    int err = put_meta(f->db, "a", 2);
    assert_int_equal(err, ERR_INTERNAL);
    assert_int_equal(put_meta(f->db, "b", 2), err);
    assert_non_null(strstr(db_failure(f->db)->text, f->file));
    assert_non_null(strstr(db_failure(f->db)->text, "UNIQUE"));
    db_forget_failure(f->db);
    assert_int_equal(count_meta(f->db), 1);
    assert_int_equal(stmt_run(db_stmt(f->db, "SELECT nothing FROM nowhere")), ERR_INTERNAL);
}

static void a_full_disk_is_said_so_and_nothing_is_committed(void **state)
{
    struct store *f = *state;
    assert_int_equal(put_meta(f->db, "a", 1), 0);
    assert_int_equal(db_exec(f->db, "PRAGMA max_page_count = 1"), 0);
    assert_int_equal(db_begin(f->db), 0);
    int err = 0;
    for (int i = 0; i < 10000 && !err; i++) {
        struct stmt *row = db_stmt(f->db, "INSERT INTO import_chunk (import_id, sequence,"
                                          " products) VALUES (x'00', ?, zeroblob(10000))");
        stmt_bind_i64(row, 1, i);
        err = stmt_run(row);
    }
    assert_int_equal(err, ERR_FULL);
    assert_non_null(strstr(db_failure(f->db)->text, "disk is full"));
    assert_int_equal(db_commit(f->db), ERR_FULL);
    db_rollback(f->db);
    db_forget_failure(f->db);
    assert_int_equal(count_meta(f->db), 1);
}

static void a_damaged_file_is_said_so(void **state)
{
    struct store *f = *state;
    struct failure failure = {0};
    char name[STORE_PATH + 8];
    snprintf(name, sizeof name, "%s-other", f->file);
    FILE *other = fopen(name, "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is no database", other);
    fclose(other);
    struct db *db;
    assert_int_equal(db_open(name, DB_WRITER, &db, &failure), ERR_DAMAGED);
    assert_null(db);
    assert_non_null(strstr(failure.text, name));
}

static void a_missing_folder_is_said_so(void **state)
{
    (void)state;
    struct failure failure = {0};
    struct db *db;
    assert_int_equal(db_open("/nowhere/shop.db", DB_WRITER, &db, &failure), ERR_IO);
    assert_non_null(strstr(failure.text, "/nowhere/shop.db: it cannot be opened"));
}

static void a_file_of_another_version_is_left_alone(void **state)
{
    struct store *f = *state;
    struct failure failure = {0};
    assert_int_equal(schema_open(f->db, &failure), 0);
    assert_int_equal(db_exec(f->db, "PRAGMA user_version = 99"), 0);
    assert_int_equal(schema_open(f->db, &failure), ERR_UNSUPPORTED);
    assert_non_null(strstr(failure.text, "version 99"));
    assert_int_equal(db_exec(f->db, "PRAGMA application_id = 5"), 0);
    assert_int_equal(schema_check(f->db, &failure), ERR_UNSUPPORTED);
}

static const char *const added_by_version_5[] = {
    "ALTER TABLE orders DROP COLUMN payment",
    "ALTER TABLE orders DROP COLUMN captured",
    "ALTER TABLE orders DROP COLUMN refunding",
    "ALTER TABLE orders DROP COLUMN refunded",
    "ALTER TABLE order_line DROP COLUMN shipped",
    "ALTER TABLE order_line DROP COLUMN canceled",
    "ALTER TABLE order_line DROP COLUMN returned",
    "DROP TABLE order_event",
    "DROP TABLE allotment",
    "DROP TABLE parcel",
    "DROP TABLE warehouse",
    "DROP TABLE warehouse_stock",
    "DROP TABLE warehouse_report",
    "DROP TABLE outbox",
    "INSERT INTO orders (number, id, status, placed_ms, total, email, record)"
    " VALUES (1001, x'01', 0, 5, 100, '', x'00')",
};

static void an_older_file_is_brought_up_to_date(void **state)
{
    struct store *f = *state;
    struct failure failure = {0};
    assert_int_equal(schema_open(f->db, &failure), 0);
    assert_int_equal(db_exec(f->db, "DROP TABLE registry; DROP TABLE idempotency_key;"
                                    "INSERT INTO idempotency (seq, key, body, time_ms, result)"
                                    " VALUES (5, x'bb', x'01', 1, x'02'), (7, x'aa', x'', 2, x'');"
                                    "PRAGMA user_version = 1"),
                     0);
    for (size_t i = 0; i < COUNT_OF(added_by_version_5); i++)
        assert_int_equal(db_exec(f->db, added_by_version_5[i]), 0);
    assert_int_equal(schema_check(f->db, &failure), 0);
    assert_int_equal(schema_open(f->db, &failure), 0);
    assert_int_equal(db_exec(f->db, "INSERT INTO registry (key, value) VALUES ('a', x'00')"), 0);
    assert_int_equal(schema_open(f->db, &failure), 0);
    struct stmt *row = db_stmt(f->db, "SELECT user_version FROM pragma_user_version");
    assert_int_equal(stmt_next(row), 0);
    assert_int_equal(stmt_i64(row, 0), SCHEMA_VERSION);
    stmt_done(row);
    /* Orders of before have nothing that the bank could be asked for. */
    row = db_stmt(f->db, "SELECT payment, captured FROM orders WHERE number = 1001");
    assert_int_equal(stmt_next(row), 0);
    assert_int_equal(stmt_i64(row, 0), 0);
    stmt_done(row);
    /* Keys of before are found, and the next row's number follows theirs. */
    row = db_stmt(f->db, "SELECT group_concat(hex(key) || seq, ' ') FROM"
                         " (SELECT * FROM idempotency_key ORDER BY key)");
    assert_int_equal(stmt_next(row), 0);
    assert_true(str_eq(stmt_str(row, 0), STR("7 AA7 BB5")));
    stmt_done(row);
    row = db_stmt(f->db, "SELECT max(seq), count(*) FROM idempotency WHERE typeof(key) = 'blob'");
    assert_int_equal(stmt_next(row), 0);
    assert_int_equal(stmt_i64(row, 0), 7);
    assert_int_equal(stmt_i64(row, 1), 2);
    stmt_done(row);
}

static void the_wal_stays_bounded(void **state)
{
    struct store *f = *state;
    uint64_t database, wal, most = 0;
    for (int i = 0; i < 400; i++) {
        assert_int_equal(db_checkpoint(f->db), 0);
        assert_int_equal(db_begin(f->db), 0);
        struct stmt *row = db_stmt(f->db, "INSERT OR REPLACE INTO import_chunk (import_id,"
                                          " sequence, products) VALUES (x'00', ?, zeroblob(?))");
        stmt_bind_i64(row, 1, i % 3);
        stmt_bind_i64(row, 2, 200000);
        assert_int_equal(stmt_run(row), 0);
        assert_int_equal(db_commit(f->db), 0);
        db_sizes(f->db, &database, &wal);
        most = wal > most ? wal : most;
    }
    assert_true(most < 20u << 20);
    assert_true(database < 20u << 20);
    assert_int_equal(db_make_durable(f->db), 0);
}

static void a_wide_cache_is_given_back_by_a_rest(void **state)
{
    static const char sql[] = "PRAGMA cache_size";
    struct store *f = *state;
    struct stmt *row = db_stmt(f->db, sql);
    assert_int_equal(stmt_next(row), 0);
    int64_t usual = stmt_i64(row, 0); /* in KiB, less than nought */
    stmt_done(row);
    db_begin(f->db);
    db_set_cache(f->db, true);
    put_meta(f->db, "a", 5);
    db_commit(f->db);
    row = db_stmt(f->db, sql);
    assert_int_equal(stmt_next(row), 0);
    assert_true(stmt_i64(row, 0) < usual);
    stmt_done(row);
    db_rest(f->db);
    row = db_stmt(f->db, sql);
    assert_int_equal(stmt_next(row), 0);
    assert_int_equal(stmt_i64(row, 0), usual);
    stmt_done(row);
    assert_int_equal(count_meta(f->db), 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, store_set_up, store_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(values_come_back_as_they_went_in),
        TEST(the_only_number_is_read_or_the_other_one_taken),
        TEST(a_loop_over_rows_ends_well_or_with_the_failure),
        TEST(a_reader_sees_only_what_is_committed),
        TEST(the_first_failure_is_kept_and_stops_what_follows),
        TEST(a_full_disk_is_said_so_and_nothing_is_committed),
        TEST(a_damaged_file_is_said_so),
        TEST(a_missing_folder_is_said_so),
        TEST(a_file_of_another_version_is_left_alone),
        TEST(an_older_file_is_brought_up_to_date),
        TEST(the_wal_stays_bounded),
        TEST(a_wide_cache_is_given_back_by_a_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
