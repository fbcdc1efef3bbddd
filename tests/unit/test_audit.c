#include "shop/record.h"
#include "shop_fixture.h"

#include <sqlite3.h>

/* What the audit has said, one sentence after the other. */
struct said {
    char text[4096];
};

static void keep(void *context, const char *sentence)
{
    struct said *said = context;
    size_t used = strlen(said->text);
    snprintf(said->text + used, sizeof said->text - used, "%s\n", sentence);
}

/* A shop with a bit of everything: carts, an order, a checkout being paid. */
static void trade(struct fixture *f)
{
    cart_add(f, test_id(1), "tulips", 1);
    checkout_direct(f, test_id(10), "roses", 2, "US");
    assert_int_equal(hold(f, test_id(10), -1), 0);
    assert_int_equal(confirm(f, test_id(10), 1), 0);
    checkout_direct(f, test_id(11), "pot", 3, "US");
    assert_int_equal(hold(f, test_id(11), -1), 0);
    checkout_direct(f, test_id(12), "roses", 1, "US");
    assert_int_equal(hold(f, test_id(12), -1), 0);
    assert_int_equal(confirm(f, test_id(12), 1), 0);
    struct command receive = {.type = COMMAND_STOCK_RECEIVE,
                              .item = {.key = STR("tulips"), .value = 4, .note = STR("truck")}};
    struct command adjust = {.type = COMMAND_STOCK_ADJUST,
                             .item = {.key = STR("tulips"), .value = -1, .note = STR("wilted")}};
    assert_int_equal(apply_command(f, &receive), 0);
    assert_int_equal(apply_command(f, &adjust), 0);
}

static void a_sound_shop_has_no_differences(void **state)
{
    struct fixture *f = *state;
    trade(f);
    struct audit_report report;
    assert_int_equal(audit_run(f->file, say_difference, NULL, &report, NULL), 0);
    assert_int_equal(report.differences, 0);
    assert_int_equal(report.variants, 4);
    assert_int_equal(report.orders, 2);
    assert_int_equal(report.carts, 1);
    assert_int_equal(report.checkouts, 3);
    assert_int_equal(report.holds, 1);
    assert_int_equal(report.index, f->index);
}

/* One damage, and what the audit has to say about it. */
struct damage {
    const char *sql, *said;
};

static const struct damage damages[] = {
    {"UPDATE stock SET available = available + 1 WHERE variant_id ="
     " (SELECT id FROM variant WHERE key = 'roses')",
     "roses: available + held + sold is recorded as 11, but received and adjusted add up to 10"},
    {"UPDATE stock SET held = held + 1, available = available - 1 WHERE variant_id ="
     " (SELECT id FROM variant WHERE key = 'pot')",
     "pot: held is recorded as 4, but open holds add up to 3"},
    {"UPDATE stock SET sold = sold - 1, available = available + 1 WHERE variant_id ="
     " (SELECT id FROM variant WHERE key = 'roses')",
     "roses: sold is recorded as 2, but the lines of orders add up to 3"},
    {"UPDATE stock SET received = received + 1, adjusted = adjusted - 1 WHERE variant_id ="
     " (SELECT id FROM variant WHERE key = 'tulips')",
     "tulips: adjusted is recorded as"},
    {"DELETE FROM stock WHERE variant_id = (SELECT id FROM variant WHERE key = 'pot')",
     "pot has no stock row"},
    {"DELETE FROM hold", "is being paid: 0 units are held, its lines have 3"},
    {"DELETE FROM checkout WHERE status = 3", "which there is not"},
    {"UPDATE checkout SET status = 0 WHERE status = 3", "its row and its record differ"},
    {"UPDATE hold SET quantity = 2", "2 of variant"},
    {"DELETE FROM orders WHERE number = 1001", "order 1002 follows order 1000"},
    {"DELETE FROM orders WHERE number = 1001", "1 line rows of order 1001"},
    {"DELETE FROM orders WHERE number = 1002",
     "the last order number given was 1002, the last order is 1001"},
    {"DELETE FROM orders WHERE number = 1002", "is completed, but there is no order of it"},
    {"UPDATE orders SET total = total + 1 WHERE number = 1001",
     "order 1001: its row and its record differ"},
    {"UPDATE order_line SET unit_price = 1 WHERE number = 1002",
     "order 1002: its record has 1 lines, of its 1 line rows 0 are the same"},
    {"UPDATE cart SET record = x'ff'", "cannot be read"},
    {"UPDATE checkout SET record = substr(record, 1, 40) WHERE status = 3", "cannot be read"},
    {"UPDATE orders SET record = x'' WHERE number = 1001", "order 1001 cannot be read"},
    {"UPDATE product SET price_min = price_min - 1 WHERE handle = 'pot'",
     "pot is listed with prices 1499 to 1500, but its variants cost 1500 to 1500"},
    {"DELETE FROM product_words WHERE product_id = (SELECT id FROM product WHERE handle = 'pot')",
     "pot is not in the search index"},
};

static void run_sql(struct fixture *f, const char *sql)
{
    sqlite3 *db;
    char *why = NULL;
    assert_int_equal(sqlite3_open(f->file, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
        fail_msg("%s: %s", sql, why);
    sqlite3_close(db);
}

static void every_kind_of_damage_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(damages); i++) {
        void *one;
        fixture_open(&one);
        struct fixture *f = one;
        trade(f);
        run_sql(f, damages[i].sql);
        struct said said = {""};
        struct audit_report report;
        struct failure failure;
        assert_int_equal(audit_run(f->file, keep, &said, &report, &failure), 0);
        assert_true(report.differences > 0);
        if (!strstr(said.text, damages[i].said))
            fail_msg("%s\nwas to be named as: %s\nand was named as: %s", damages[i].sql,
                     damages[i].said, said.text);
        fixture_close(&one);
    }
}

/* A record whose sums do not hold, as a fault of ours could write it. */
static void sums_that_do_not_hold_are_named(void **state)
{
    struct fixture *f = *state;
    trade(f);
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open(f->file, &db), SQLITE_OK);
    sqlite3_prepare_v2(db, "SELECT record FROM orders WHERE number = 1001", -1, &stmt, NULL);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    struct arena arena;
    struct order order;
    struct buf record;
    arena_init(&arena, 1 << 20);
    buf_init(&record, 1 << 20);
    struct str bytes = {sqlite3_column_blob(stmt, 0), (size_t)sqlite3_column_bytes(stmt, 0)};
    assert_int_equal(record_read_order(bytes, &arena, &order), 0);
    order.basket.totals[order.basket.total_count - 1].amount += 100;
    record_put_order(&record, &order);
    sqlite3_finalize(stmt);
    sqlite3_prepare_v2(db, "UPDATE orders SET record = ?, total = total + 100 WHERE number = 1001",
                       -1, &stmt, NULL);
    sqlite3_bind_blob(stmt, 1, record.at, (int)record.len, SQLITE_TRANSIENT);
    assert_int_equal(sqlite3_step(stmt), SQLITE_DONE);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    struct said said = {""};
    struct audit_report report;
    assert_int_equal(audit_run(f->file, keep, &said, &report, NULL), 0);
    assert_int_equal(report.differences, 1);
    assert_non_null(strstr(said.text, "order 1001: its parts add up to 7500, its total is 7600"));
    arena_close(&arena);
    buf_close(&record);
}

static void what_is_no_database_is_refused(void **state)
{
    struct fixture *f = *state;
    char name[112];
    struct audit_report report;
    struct failure failure = {0};
    snprintf(name, sizeof name, "%s/nothing.db", f->folder);
    assert_int_not_equal(audit_run(name, keep, NULL, &report, &failure), 0);
    assert_true(failure.text[0] != 0);
}

static void digest_of(struct fixture *f, unsigned char digest[DB_DIGEST])
{
    uint64_t index = 0;
    assert_int_equal(audit_digest(f->file, digest, &index, NULL), 0);
    assert_int_equal(index, f->index);
}

static void copies_of_one_history_have_one_digest(void **state)
{
    void *other;
    unsigned char first[DB_DIGEST], second[DB_DIGEST];
    fixture_open(&other);
    trade(*state);
    digest_of(*state, first);
    digest_of(other, second);
    assert_memory_not_equal(first, second, DB_DIGEST);
    trade(other);
    digest_of(other, second);
    assert_memory_equal(first, second, DB_DIGEST);
    fixture_close(&other);
}

/* Each changes one value, or a row, in another table. */
static void whatever_differs_changes_the_digest(void **state)
{
    static const char *const changes[] = {
        "UPDATE meta SET value = value + 1 WHERE key = 'next_move'",
        "UPDATE hold SET quantity = quantity + 1",
        "UPDATE cart SET record = record || x'00'",
        "DELETE FROM orders WHERE number = 1002",
        "UPDATE stock_move SET note = note || ' '",
        "UPDATE order_line SET quantity = 9 WHERE 0", /* nothing, for comparison */
        "INSERT INTO operation (id, time_ms, result) VALUES (x'00', 0, x'')",
    };
    struct fixture *f = *state;
    unsigned char before[DB_DIGEST], after[DB_DIGEST];
    trade(f);
    digest_of(f, before);
    for (size_t i = 0; i < COUNT_OF(changes); i++) {
        run_sql(f, changes[i]);
        digest_of(f, after);
        if (strstr(changes[i], "WHERE 0"))
            assert_memory_equal(before, after, DB_DIGEST);
        else
            assert_memory_not_equal(before, after, DB_DIGEST);
        memcpy(before, after, DB_DIGEST);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(a_sound_shop_has_no_differences),
        cmocka_unit_test(every_kind_of_damage_is_named),
        TEST(sums_that_do_not_hold_are_named),
        TEST(what_is_no_database_is_refused),
        TEST(copies_of_one_history_have_one_digest),
        TEST(whatever_differs_changes_the_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
