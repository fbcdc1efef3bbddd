/* Keys among many: in memory, on their way into the tree, in it; and over restarts in between. The
 * table of rows is written here as shop/remember.c does. */
#include "base/random.h"
#include "shop/key_index.h"
#include "store_fixture.h"

struct fixture {
    struct store store;
    struct db *db; /* its */
    struct key_index index;
};

static int set_up(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    store_open(&f->store);
    f->db = f->store.db;
    key_index_init(&f->index, f->db);
    assert_int_equal(db_begin(f->db), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    key_index_close(&f->index);
    assert_int_equal(db_commit(f->db), 0);
    store_close(&f->store);
    free(f);
    return 0;
}

struct key {
    uint64_t halves[2];
};

/* The key with this number; in no order. */
static struct key key_of(uint64_t number)
{
    struct random random;
    random_seed(&random, number);
    return (struct key){{random_u64(&random), number}};
}

static struct str text_of(const struct key *key)
{
    return str_make(key, sizeof *key);
}

static uint64_t add(struct fixture *f, uint64_t number)
{
    struct key key = key_of(number);
    struct stmt *row = db_stmt(f->db, "INSERT INTO idempotency (key, body, time_ms, result)"
                                      " VALUES (?, x'00', 0, x'00')");
    stmt_bind_blob(row, 1, text_of(&key));
    assert_int_equal(stmt_run(row), 0);
    uint64_t seq = db_last_row(f->db);
    key_index_add(&f->index, text_of(&key), seq);
    return seq;
}

static void remove_rows(struct fixture *f, const char *sql, uint64_t seq)
{
    struct stmt *row = db_stmt(f->db, sql);
    stmt_bind_u64(row, 1, seq);
    assert_int_equal(stmt_run(row), 0);
}

static uint64_t find(struct fixture *f, uint64_t number)
{
    struct key key = key_of(number);
    return key_index_find(&f->index, text_of(&key));
}

static void expect_all(struct fixture *f, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i <= to; i++)
        assert_int_equal(find(f, i), i);
    assert_int_equal(find(f, to + 1), 0);
}

static uint64_t in_tree(struct fixture *f)
{
    struct stmt *row = db_stmt(f->db, "SELECT count(*) FROM idempotency_key WHERE key <> x''");
    assert_int_equal(stmt_next(row), 0);
    uint64_t count = stmt_u64(row, 0);
    stmt_done(row);
    return count;
}

static void restart(struct fixture *f)
{
    key_index_close(&f->index);
    key_index_init(&f->index, f->db);
}

static void every_key_is_found_wherever_it_is(void **state)
{
    struct fixture *f = *state;
    for (uint64_t i = 1; i <= 20000; i++) {
        assert_int_equal(add(f, i), i);
        assert_int_equal(find(f, 1 + i * 7919 % i), 1 + i * 7919 % i);
    }
    expect_all(f, 1, 20000);
    /* Most are in the tree: memory is bounded. */
    assert_in_range(in_tree(f), 20000 - 2 * 4096, 20000 - 1);
}

static void restarts_lose_no_key(void **state)
{
    struct fixture *f = *state;
    uint64_t number = 0;
    /* The last ones at once: more rows than memory takes wait for the tree. */
    static const unsigned steps[] = {1, 4095, 1, 1, 5000, 3000, 4096, 2500, 2500, 2500, 2500, 9000};
    for (unsigned i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        for (unsigned n = 0; n < steps[i]; n++)
            add(f, ++number);
        restart(f);
        expect_all(f, 1, number);
    }
    for (unsigned i = 0; i < 20; i++) {
        for (unsigned n = 0; n < 1000; n++)
            add(f, ++number);
        restart(f);
    }
    expect_all(f, 1, number);
}

static void a_key_that_gets_another_row_is_found_there(void **state)
{
    struct fixture *f = *state;
    static const uint64_t again[] = {1, 1, 2, 4096, 4097, 9000};
    for (uint64_t i = 1; i <= 9000; i++)
        add(f, i);
    for (unsigned i = 0; i < sizeof again / sizeof again[0]; i++) {
        uint64_t before = find(f, again[i]), seq = add(f, again[i]);
        remove_rows(f, "DELETE FROM idempotency WHERE seq = ?", before);
        assert_int_equal(find(f, again[i]), seq);
    }
    uint64_t first = find(f, 1), last = find(f, 9000);
    for (uint64_t i = 10001; i <= 20000; i++)
        add(f, i);
    assert_int_equal(find(f, 1), first);
    assert_int_equal(find(f, 9000), last);
    restart(f);
    assert_int_equal(find(f, 1), first);
    assert_int_equal(find(f, 9000), last);
}

static void swept_rows_leave_nothing_in_the_tree(void **state)
{
    struct fixture *f = *state;
    for (uint64_t i = 1; i <= 9000; i++)
        add(f, i);
    /* Into those that are only in memory yet. */
    key_index_sweep(&f->index, 8000);
    remove_rows(f, "DELETE FROM idempotency WHERE seq <= ?", 8000);
    for (uint64_t i = 9001; i <= 22000; i++)
        assert_int_equal(add(f, i), i);
    expect_all(f, 8001, 22000);
    assert_int_equal(find(f, 1), 0);
    assert_in_range(in_tree(f), 1, 22000 - 8000);
    key_index_sweep(&f->index, 22000);
    remove_rows(f, "DELETE FROM idempotency WHERE seq <= ?", 22000);
    key_index_empty(&f->index);
    assert_int_equal(in_tree(f), 0);
    assert_int_equal(add(f, 1), 1);
    restart(f);
    expect_all(f, 1, 1);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(every_key_is_found_wherever_it_is),
        TEST(restarts_lose_no_key),
        TEST(a_key_that_gets_another_row_is_found_there),
        TEST(swept_rows_leave_nothing_in_the_tree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
