#include "base/random.h"
#include "shop/row_cache.h"
#include "store_fixture.h"

enum { PLACES = 8, ROOM = 32, IDS = 40, LONG = 64 };

/* A table that is written through a cache, beside what must be in it. */
struct world {
    struct store store;
    struct row_cache cache;
    char records[IDS][LONG];
    int64_t expires_ms[IDS];
};

static unsigned written, moved_too; /* rows, as the cache has them written */

static int write_row(struct db *db, const struct row *row)
{
    struct stmt *stmt;
    written++;
    moved_too += row->fresh || row->moved;
    if (row->fresh)
        stmt = db_stmt(db, "INSERT INTO thing (id, record, expires_ms) VALUES (?, ?, ?)");
    else if (row->moved)
        stmt = db_stmt(db, "UPDATE thing SET record = ?2, expires_ms = ?3 WHERE id = ?1");
    else
        stmt = db_stmt(db, "UPDATE thing SET record = ?2 WHERE id = ?1");
    stmt_bind_id(stmt, 1, row->id);
    stmt_bind_str(stmt, 2, row->record);
    if (row->fresh || row->moved)
        stmt_bind_i64(stmt, 3, row->expires_ms);
    return stmt_run(stmt);
}

static int open_world(void **state)
{
    struct world *world = calloc(1, sizeof *world);
    store_open(&world->store);
    db_exec(world->store.db, "CREATE TABLE thing (id BLOB PRIMARY KEY, record TEXT NOT NULL,"
                             " expires_ms INTEGER NOT NULL) WITHOUT ROWID");
    row_cache_init(&world->cache, world->store.db,
                   &(struct row_cache_config){PLACES, ROOM, write_row});
    db_begin(world->store.db);
    written = moved_too = 0;
    *state = world;
    return 0;
}

static int close_world(void **state)
{
    struct world *world = *state;
    row_cache_clear(&world->cache);
    assert_int_equal(db_failure(world->store.db)->err, 0);
    db_commit(world->store.db);
    store_close(&world->store);
    free(world);
    return 0;
}

static struct id numbered(unsigned number)
{
    struct id id = {{1}};
    id.bytes[5] = (unsigned char)number; /* as ids of one moment: the rest is the same */
    return id;
}

static void put(struct world *world, unsigned number, const char *record, int64_t expires_ms)
{
    struct row row = {.id = numbered(number),
                      .record = str_of(record),
                      .expires_ms = expires_ms,
                      .fresh = world->records[number][0] == 0,
                      .moved = world->expires_ms[number] != expires_ms};
    assert_int_equal(row_cache_put(&world->cache, &row), 0);
    snprintf(world->records[number], LONG, "%s", record);
    world->expires_ms[number] = expires_ms;
}

static bool is_kept(struct world *world, unsigned number)
{
    struct str record = row_cache_find(&world->cache, numbered(number));
    if (record.at)
        assert_true(str_eq(record, str_of(world->records[number])));
    return record.at != NULL;
}

static void expect_table(struct world *world)
{
    struct stmt *row =
        db_stmt(world->store.db, "SELECT record, expires_ms FROM thing WHERE id = ?");
    for (unsigned i = 0; i < IDS; i++) {
        if (world->records[i][0] == 0)
            continue;
        stmt_bind_id(row, 1, numbered(i));
        assert_int_equal(stmt_next(row), 0);
        assert_true(str_eq(stmt_str(row, 0), str_of(world->records[i])));
        assert_int_equal(stmt_i64(row, 1), world->expires_ms[i]);
        stmt_done(row);
    }
}

static void what_was_put_last_is_found(void **state)
{
    struct world *world = *state;
    assert_false(is_kept(world, 1));
    put(world, 1, "one", 5);
    put(world, 1, "two", 5);
    assert_true(is_kept(world, 1));
    assert_false(is_kept(world, 2));
    assert_int_equal(row_cache_write_back(&world->cache), 0);
    assert_true(is_kept(world, 1));
    row_cache_clear(&world->cache);
    assert_false(is_kept(world, 1));
    expect_table(world);
}

static void a_row_that_many_change_is_written_once(void **state)
{
    struct world *world = *state;
    put(world, 1, "one", 5);
    put(world, 1, "two", 6);
    put(world, 2, "other", 5);
    put(world, 1, "three", 6);
    assert_int_equal(written, 0);
    row_cache_write_back(&world->cache);
    assert_int_equal(written, 2);
    expect_table(world);
    row_cache_write_back(&world->cache);
    assert_int_equal(written, 2);
}

/* Its index is left alone unless it must change. */
static void the_time_is_written_when_it_has_moved_since_the_last_writing(void **state)
{
    struct world *world = *state;
    put(world, 1, "one", 5);
    row_cache_write_back(&world->cache);
    put(world, 1, "two", 5);
    row_cache_write_back(&world->cache);
    assert_int_equal(moved_too, 1);
    put(world, 1, "three", 6);
    put(world, 1, "four", 6);
    row_cache_write_back(&world->cache);
    assert_int_equal(moved_too, 2);
    expect_table(world);
}

static void a_record_that_is_too_long_is_written_at_once_and_not_kept(void **state)
{
    struct world *world = *state;
    put(world, 1, "short", 5);
    put(world, 1, "a record that has more than 32 bytes", 5);
    assert_false(is_kept(world, 1));
    assert_int_equal(written, 1);
    expect_table(world);
    put(world, 1, "short again", 5);
    assert_true(is_kept(world, 1));
    row_cache_write_back(&world->cache);
    expect_table(world);
}

static void when_all_places_are_taken_all_are_written_and_forgotten(void **state)
{
    struct world *world = *state;
    for (unsigned i = 0; i < PLACES; i++)
        put(world, i, "row", 5);
    assert_int_equal(written, 0);
    put(world, PLACES, "one more", 5);
    assert_int_equal(written, PLACES);
    assert_false(is_kept(world, 0));
    assert_true(is_kept(world, PLACES));
    row_cache_write_back(&world->cache);
    expect_table(world);
}

static void any_history_ends_in_the_same_table(void **state)
{
    struct world *world = *state;
    struct random random;
    random_seed(&random, 7);
    for (unsigned i = 0; i < 20000; i++) {
        char record[LONG];
        unsigned number = (unsigned)random_below(&random, 100) < 70
                              ? (unsigned)random_below(&random, 4)
                              : (unsigned)random_below(&random, IDS);
        snprintf(record, sizeof record, "%u%s", i,
                 random_below(&random, 10) ? "" : " and as much again as does not fit");
        put(world, number, record, (int64_t)random_below(&random, 3));
        assert_true(is_kept(world, number) == (strlen(record) <= ROOM));
        if (random_below(&random, 20) == 0) {
            row_cache_write_back(&world->cache);
            expect_table(world);
        }
        if (random_below(&random, 500) == 0) {
            row_cache_write_back(&world->cache);
            row_cache_clear(&world->cache);
        }
    }
    row_cache_write_back(&world->cache);
    expect_table(world);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, open_world, close_world)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_was_put_last_is_found),
        TEST(a_row_that_many_change_is_written_once),
        TEST(the_time_is_written_when_it_has_moved_since_the_last_writing),
        TEST(a_record_that_is_too_long_is_written_at_once_and_not_kept),
        TEST(when_all_places_are_taken_all_are_written_and_forgotten),
        TEST(any_history_ends_in_the_same_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
