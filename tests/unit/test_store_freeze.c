/* The database file held still for a copy, while writes go on. */
#include "base/clock.h"
#include "store/freeze.h"
#include "store_fixture.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* One transaction that changes about PAGES pages. */
static void write_some(struct db *db, int64_t number, int pages)
{
    assert_int_equal(db_checkpoint(db), 0);
    assert_int_equal(db_begin(db), 0);
    struct stmt *row = db_stmt(db, "INSERT OR REPLACE INTO import_chunk (import_id,"
                                   " sequence, products) VALUES (x'00', ?, zeroblob(?))");
    stmt_bind_i64(row, 1, number);
    stmt_bind_i64(row, 2, pages * 4096);
    assert_int_equal(stmt_run(row), 0);
    assert_int_equal(db_commit(db), 0);
}

static int64_t count_chunks(struct db *db)
{
    struct stmt *row = db_stmt(db, "SELECT count(*) FROM import_chunk");
    assert_int_equal(stmt_next(row), 0);
    int64_t count = stmt_i64(row, 0);
    stmt_done(row);
    return count;
}

static void *read_frozen(struct db *db, uint64_t size)
{
    struct failure failure = {0};
    char *bytes = malloc(size);
    for (uint64_t at = 0; at < size; at += 65536) {
        size_t len = size - at < 65536 ? (size_t)(size - at) : 65536;
        if (db_frozen_read(db, at, bytes + at, len, &failure))
            fail_msg("%s", failure.text);
    }
    return bytes;
}

static void the_file_stays_as_it_is_while_writes_go_on(void **state)
{
    struct store *f = *state;
    struct failure failure = {0};
    uint64_t size = 0, database, wal;
    for (int i = 0; i < 30; i++)
        write_some(f->db, i, 20);
    if (db_freeze(f->db, &size, &failure))
        fail_msg("%s", failure.text);
    char *before = read_frozen(f->db, size);
    for (int i = 0; i < 500; i++)
        write_some(f->db, 10 + i, 20); /* changes old rows too */
    assert_int_equal(count_chunks(f->db), 510);
    db_sizes(f->db, &database, &wal);
    assert_int_equal(database, size);
    assert_true(wal > 30u << 20); /* nothing was moved */
    char *after = read_frozen(f->db, size);
    assert_memory_equal(before, after, size);

    char file[STORE_PATH];
    snprintf(file, sizeof file, "%s/copy.db", f->folder);
    int fd = open(file, O_WRONLY | O_CREAT, 0600);
    assert_int_equal(write(fd, after, size), size);
    close(fd);
    struct db *copy;
    if (db_open(file, DB_READER, &copy, &failure))
        fail_msg("%s", failure.text);
    assert_int_equal(count_chunks(copy), 30);
    struct stmt *row = db_stmt(copy, "PRAGMA integrity_check");
    assert_int_equal(stmt_next(row), 0);
    assert_true(str_eq(stmt_str(row, 0), STR("ok")));
    stmt_done(row);
    db_close(copy);
    free(before);
    free(after);
}

static void after_it_the_wal_is_moved_again(void **state)
{
    struct store *f = *state;
    struct failure failure = {0};
    uint64_t size = 0, database = 0, wal = 0;
    if (db_freeze(f->db, &size, &failure))
        fail_msg("%s", failure.text);
    for (int i = 0; i < 400; i++)
        write_some(f->db, i, 50);
    db_sizes(f->db, &database, &wal);
    assert_int_equal(database, size);
    assert_true(wal > 70u << 20);
    db_thaw(f->db);
    /* How many writes it takes depends on how fast the disk is: the other thread moves it. */
    uint64_t deadline = clock_mono_ns() + 60 * SEC_NS;
    for (int i = 0; wal > 33u << 20 && clock_mono_ns() < deadline; i++) {
        write_some(f->db, i % 400, 1);
        db_sizes(f->db, &database, &wal);
    }
    assert_true(database > 60u << 20);
    assert_true(wal <= 33u << 20);
}

static void a_second_one_is_refused_and_a_later_one_is_not(void **state)
{
    struct store *f = *state;
    struct failure failure = {0};
    uint64_t size = 0, again = 0;
    assert_int_equal(db_freeze(f->db, &size, &failure), 0);
    assert_int_equal(db_freeze(f->db, &again, &failure), ERR_BUSY);
    assert_non_null(strstr(failure.text, "copied already"));
    db_thaw(f->db);
    write_some(f->db, 1, 10);
    assert_int_equal(db_freeze(f->db, &again, &failure), 0);
    assert_true(again > size);
    db_thaw(f->db);
    db_thaw(f->db); /* fine */
}

static void a_reader_of_older_pages_is_not_waited_for_long(void **state)
{
    struct store *f = *state;
    struct failure failure = {0};
    uint64_t size = 0;
    struct db *reader;
    assert_int_equal(db_open(f->file, DB_READER, &reader, &failure), 0);
    write_some(f->db, 1, 10);
    assert_int_equal(db_begin(reader), 0);
    assert_int_equal(count_chunks(reader), 1);
    write_some(f->db, 2, 10);
    assert_int_equal(db_freeze(f->db, &size, &failure), ERR_BUSY);
    assert_int_equal(db_failure(f->db)->err, 0);
    assert_int_equal(db_commit(reader), 0);
    assert_int_equal(db_freeze(f->db, &size, &failure), 0);
    /* One that begins now reads the WAL, and is no hindrance to either side. */
    write_some(f->db, 3, 10);
    assert_int_equal(db_begin(reader), 0);
    assert_int_equal(count_chunks(reader), 3);
    assert_int_equal(db_commit(reader), 0);
    db_thaw(f->db);
    db_close(reader);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, store_set_up, store_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_file_stays_as_it_is_while_writes_go_on),
        TEST(after_it_the_wal_is_moved_again),
        TEST(a_second_one_is_refused_and_a_later_one_is_not),
        TEST(a_reader_of_older_pages_is_not_waited_for_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
