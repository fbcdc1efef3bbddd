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
     "order 1002: line 1: its row and its record differ"},
    {"UPDATE cart SET record = x'ff'", "cannot be read"},
    {"UPDATE checkout SET record = substr(record, 1, 40) WHERE status = 3", "cannot be read"},
    {"UPDATE orders SET record = x'' WHERE number = 1001", "order 1001 cannot be read"},
    {"UPDATE product SET price_min = price_min - 1 WHERE handle = 'pot'",
     "pot is listed with prices 1499 to 1500, but its variants cost 1500 to 1500"},
    {"DELETE FROM product_words WHERE product_id = (SELECT id FROM product WHERE handle = 'pot')",
     "pot is not in the search index"},
};

/* The same, and an order 1003 of 3 tulips, of which a warehouse has sent one, has been asked to
 * leave out another, and for which the bank is asked to take the money. */
static void trade_and_send(struct fixture *f)
{
    struct order_quantity one = {1, 1};
    trade(f);
    struct command put = {
        .type = COMMAND_WAREHOUSE_PUT,
        .warehouse = {.id = STR("main"), .url = STR("https://localhost:1"), .position = 1}};
    struct command ship = {.type = COMMAND_WAREHOUSE_REPORT,
                           .report = {.warehouse = STR("main"),
                                      .epoch = test_id(1),
                                      .sequence = 1,
                                      .kind = REPORT_SHIPPED,
                                      .change = {.id = test_id(20),
                                                 .lines = &one,
                                                 .line_count = 1,
                                                 .parcel.id = test_id(91)}}};
    struct command leave_out = {.type = COMMAND_ORDER_CANCEL,
                                .order = {.id = test_id(20), .lines = &one, .line_count = 1}};
    assert_int_equal(apply_command(f, &put), 0);
    put.warehouse.id = STR("south");
    put.warehouse.position = 2;
    assert_int_equal(apply_command(f, &put), 0);
    checkout_direct(f, test_id(20), "tulips", 3, "US");
    assert_int_equal(hold(f, test_id(20), -1), 0);
    assert_int_equal(confirm(f, test_id(20), 1), 0);
    assert_int_equal(apply_command(f, &ship), 0);
    assert_int_equal(apply_command(f, &leave_out), 0);
    expect_clean_audit(f);
}

static const struct damage damages_after_the_sale[] = {
    {"UPDATE orders SET status = 2 WHERE number = 1003",
     "order 1003: its status is recorded as 2, its events make it 1"},
    {"UPDATE orders SET payment = 1 WHERE number = 1003", "order 1003: its payment's state"},
    {"UPDATE orders SET captured = 5 WHERE number = 1003",
     "order 1003: what was taken is recorded as 5, its events make it 0"},
    {"UPDATE orders SET refunded = 5 WHERE number = 1003", "order 1003: what was given back"},
    {"UPDATE order_line SET shipped = 2 WHERE number = 1003",
     "order 1003: line 1 is recorded with 2 shipped, 0 canceled, 0 returned; its events make it "
     "1, 0, 0"},
    {"UPDATE order_line SET canceled = 1 WHERE number = 1003",
     "tulips: sold is recorded as 3, but the lines of orders add up to 2"},
    {"DELETE FROM order_event WHERE number = 1003 AND event = 4",
     "order 1003: row 3 of the outbox is of no open event"},
    {"DELETE FROM order_event WHERE number = 1003 AND event = 2", "order 1003 cannot be read"},
    {"INSERT INTO order_event VALUES (1009, 2, 1, 0, 0, x'')", "1 events of order 1009"},
    {"UPDATE allotment SET shipped = 2", "line 1 at warehouse main is recorded with 2 shipped"},
    {"UPDATE allotment SET quantity = 2", "order 1003: line 1: of 3 units warehouses were given 2"},
    {"UPDATE allotment SET warehouse = 'west'", "warehouse west, which there is not"},
    {"UPDATE allotment SET variant_id = 1", "which is of another item"},
    {"DELETE FROM allotment",
     "order 1003: event 2 (shipped) is of line 1 at warehouse main, which was not given it"},
    {"DELETE FROM parcel", "order 1003: 1 parcels were shipped, 0 are recorded"},
    {"UPDATE parcel SET warehouse = 'south'", "is not what its event 2 tells"},
    {"UPDATE parcel SET number = 1009", "a parcel of order 1009, which there is not"},
    {"UPDATE meta SET value = 9 WHERE key = 'outbox/bank'", "rows for bank, recorded are 9"},
    {"DELETE FROM outbox WHERE kind = 0",
     "order 1003: 2 of its events wait for an answer from outside, 1 are in the outbox"},
    {"DELETE FROM outbox WHERE kind = 4",
     "order 1003: 2 of its events wait for an answer from outside, 1 are in the outbox"},
    {"UPDATE outbox SET amount = amount + 1 WHERE kind = 0", "is of no open event"},
    {"UPDATE outbox SET effect = x'00112233445566778899aabbccddeeff' WHERE kind = 3",
     "is of no open event"},
    {"UPDATE outbox SET number = 1009 WHERE kind = 3",
     "a row of the outbox of order 1009, which there is not"},
    {"UPDATE warehouse SET position = 3 WHERE id = 'main'", "its row and its record differ"},
    {"UPDATE warehouse SET record = x'ff' WHERE id = 'main'", "a warehouse cannot be read"},
    {"INSERT INTO warehouse_stock VALUES (1, 'main', 3)",
     "main is the main warehouse, but has 1 rows of stock of its own"},
    {"INSERT INTO warehouse_stock VALUES (1, 'west', 3)",
     "variant 1 lies at warehouse west, which there is not"},
    {"INSERT INTO warehouse_stock VALUES (99, 'south', 3)",
     "variant 99, which there is not, lies at warehouse south"},
    {"UPDATE warehouse_report SET warehouse = 'west'", "reports of warehouse west"},
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

static void expect_named(void (*prepare)(struct fixture *f), const struct damage *damage)
{
    void *one;
    fixture_open(&one);
    struct fixture *f = one;
    prepare(f);
    run_sql(f, damage->sql);
    struct said said = {""};
    struct audit_report report;
    struct failure failure;
    assert_int_equal(audit_run(f->file, keep, &said, &report, &failure), 0);
    if (report.differences == 0)
        fail_msg("%s\nwas not noticed", damage->sql);
    if (!strstr(said.text, damage->said))
        fail_msg("%s\nwas to be named as: %s\nand was named as: %s", damage->sql, damage->said,
                 said.text);
    fixture_close(&one);
}

static void every_kind_of_damage_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(damages); i++)
        expect_named(trade, &damages[i]);
}

static void every_kind_of_damage_after_the_sale_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(damages_after_the_sale); i++)
        expect_named(trade_and_send, &damages_after_the_sale[i]);
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
    char name[FOLDER_PATH + 16];
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
        cmocka_unit_test(every_kind_of_damage_after_the_sale_is_named),
        TEST(sums_that_do_not_hold_are_named),
        TEST(what_is_no_database_is_refused),
        TEST(copies_of_one_history_have_one_digest),
        TEST(whatever_differs_changes_the_digest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
