/* Warehouses as the shop sees them: where its goods lie, who ships what, and what is reported. */
#include "shop_fixture.h"

static const struct id epoch_one = {{0xe1}}, epoch_two = {{0xe2}};

static int put_warehouse(struct fixture *f, const char *id, uint32_t position)
{
    struct command command = {.type = COMMAND_WAREHOUSE_PUT,
                              .warehouse = {.id = str_of(id),
                                            .name = str_of(id),
                                            .url = STR("https://localhost:1"),
                                            .position = position}};
    return apply_command(f, &command);
}

static int send_report(struct fixture *f, const char *warehouse, struct id epoch, uint64_t sequence,
                       struct warehouse_report report)
{
    struct command command = {.type = COMMAND_WAREHOUSE_REPORT, .report = report};
    command.report.warehouse = str_of(warehouse);
    command.report.epoch = epoch;
    command.report.sequence = sequence;
    return apply_command(f, &command);
}

static int arrived(struct fixture *f, const char *warehouse, uint64_t sequence, const char *item,
                   int64_t quantity)
{
    return send_report(f, warehouse, epoch_one, sequence,
                       (struct warehouse_report){
                           .kind = REPORT_ARRIVED, .item = str_of(item), .quantity = quantity});
}

static int counted(struct fixture *f, const char *warehouse, uint64_t sequence, const char *item,
                   int64_t quantity)
{
    return send_report(f, warehouse, epoch_one, sequence,
                       (struct warehouse_report){
                           .kind = REPORT_COUNTED, .item = str_of(item), .quantity = quantity});
}

/* Of QUANTITY units of line 1 of order ORDER. */
static int of_order(struct fixture *f, enum report_kind kind, const char *warehouse,
                    uint64_t sequence, unsigned order, uint32_t quantity, unsigned parcel)
{
    struct order_quantity line = {1, quantity};
    struct warehouse_report report = {
        .kind = kind,
        .change = {
            .id = test_id(order), .lines = &line, .line_count = quantity > 0, .restock = true}};
    if (parcel)
        report.change.parcel.id = test_id(parcel);
    return send_report(f, warehouse, epoch_one, sequence, report);
}

/* Buys QUANTITY of ITEM as order ORDER. */
static void buy(struct fixture *f, unsigned order, const char *item, uint32_t quantity)
{
    assert_int_equal(checkout_direct(f, test_id(order), item, quantity, "US"), 0);
    assert_int_equal(hold(f, test_id(order), -1), 0);
    assert_int_equal(confirm(f, test_id(order), 1), 0);
}

static struct reader *reader_of(struct fixture *f)
{
    struct reader *reader;
    struct failure failure = {0};
    if (reader_open(f->file, &reader, &failure))
        fail_msg("%s", failure.text);
    return reader;
}

/* What of ITEM is free and allotted at each warehouse, by position. */
static void expect_at(struct fixture *f, const char *item, unsigned count,
                      const int64_t expected[][2])
{
    struct reader *reader = reader_of(f);
    struct warehouse_stock *list;
    unsigned found;
    assert_int_equal(reader_warehouse_stock(reader, &f->arena, str_of(item), &list, &found), 0);
    assert_int_equal(found, count);
    for (unsigned i = 0; i < count; i++)
        if (list[i].free != expected[i][0] || list[i].allotted != expected[i][1])
            fail_msg("%s at %.*s: %lld free, %lld allotted", item, STR_FMT(list[i].warehouse),
                     (long long)list[i].free, (long long)list[i].allotted);
    reader_close(reader);
}
#define EXPECT_AT(f, item, ...)                                           \
    expect_at((f), (item), COUNT_OF(((const int64_t[][2]){__VA_ARGS__})), \
              (const int64_t[][2]){__VA_ARGS__})

static struct order read_order(struct fixture *f, unsigned id)
{
    struct reader *reader = reader_of(f);
    struct order order;
    assert_int_equal(reader_order(reader, &f->arena, test_id(id), &order), 0);
    reader_close(reader);
    return order;
}

static uint64_t rows_of(struct fixture *f, const char *sql)
{
    struct failure failure = {0};
    struct db *db;
    if (db_open(f->file, DB_READER, &db, &failure))
        fail_msg("%s", failure.text);
    struct stmt *row = stmt_new(db, sql);
    uint64_t count = stmt_only_u64(row, 0);
    stmt_free(row);
    db_close(db);
    return count;
}

/* ---- Where it lies ---- */

static void one_warehouse_has_it_all_and_keeps_no_rows(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_warehouse(f, "main", 1), 0);
    buy(f, 1, "tulips", 2);
    EXPECT_AT(f, "tulips", {3, 2});
    struct order order = read_order(f, 1);
    assert_int_equal(order.allotment_count, 1);
    expect_text(order.allotments[0].warehouse, "main");
    assert_int_equal(order.allotments[0].quantity, 2);
    assert_int_equal(rows_of(f, "SELECT count(*) FROM warehouse_stock"), 0);
    assert_int_equal(rows_of(f, "SELECT count(*) FROM outbox WHERE lane = 'warehouse/main'"), 1);
    expect_clean_audit(f);
}

static void without_a_warehouse_nothing_is_allotted(void **state)
{
    struct fixture *f = *state;
    buy(f, 1, "tulips", 2);
    assert_int_equal(read_order(f, 1).allotment_count, 0);
    assert_int_equal(put_warehouse(f, "main", 1), 0);
    EXPECT_AT(f, "tulips", {3, 0});
    expect_clean_audit(f);
}

static void goods_lie_where_they_arrived(void **state)
{
    struct fixture *f = *state;
    put_warehouse(f, "main", 1);
    put_warehouse(f, "south", 2);
    assert_int_equal(arrived(f, "south", 1, "tulips", 4), 0);
    assert_int_equal(arrived(f, "main", 1, "tulips", 1), 0);
    EXPECT_AT(f, "tulips", {6, 0}, {4, 0});
    expect_stock(f, "tulips", 10, 0, 0);
    expect_clean_audit(f);
}

static void another_main_warehouse_changes_nobodys_shelves(void **state)
{
    struct fixture *f = *state;
    put_warehouse(f, "main", 5);
    put_warehouse(f, "south", 6);
    arrived(f, "south", 1, "tulips", 4);
    assert_int_equal(put_warehouse(f, "new", 1), 0);
    EXPECT_AT(f, "tulips", {0, 0}, {5, 0}, {4, 0});
    EXPECT_AT(f, "roses", {0, 0}, {10, 0}, {0, 0});
    assert_int_equal(put_warehouse(f, "south", 0), 0);
    EXPECT_AT(f, "tulips", {4, 0}, {0, 0}, {5, 0});
    buy(f, 1, "tulips", 5);
    EXPECT_AT(f, "tulips", {4, 0}, {0, 0}, {0, 5});
    expect_clean_audit(f);
}

static void a_closed_warehouse_gets_nothing_new(void **state)
{
    struct fixture *f = *state;
    put_warehouse(f, "main", 1);
    put_warehouse(f, "south", 2);
    arrived(f, "south", 1, "tulips", 9);
    struct command close = {
        .type = COMMAND_WAREHOUSE_PUT,
        .warehouse = {
            .id = STR("main"), .url = STR("https://localhost:1"), .position = 1, .closed = true}};
    assert_int_equal(apply_command(f, &close), 0);
    buy(f, 1, "tulips", 3);
    EXPECT_AT(f, "tulips", {5, 0}, {6, 3});
    expect_clean_audit(f);
}

static void an_order_is_split_by_stock(void **state)
{
    struct fixture *f = *state;
    put_warehouse(f, "main", 1);
    put_warehouse(f, "south", 2);
    arrived(f, "south", 1, "tulips", 3);
    buy(f, 1, "tulips", 8);
    EXPECT_AT(f, "tulips", {0, 5}, {0, 3});
    assert_int_equal(rows_of(f, "SELECT count(*) FROM outbox WHERE lane LIKE 'warehouse/%'"), 2);
    expect_clean_audit(f);
}

static void what_is_no_warehouse_is_refused(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put_warehouse(f, "", 1), ERR_INVALID);
    assert_int_equal(put_warehouse(f, "Main", 1), ERR_INVALID);
    struct command plain = {
        .type = COMMAND_WAREHOUSE_PUT,
        .warehouse = {.id = STR("main"), .url = STR("http://localhost.example:1")}};
    assert_int_equal(apply_command(f, &plain), ERR_INVALID);
    plain.warehouse.url = STR("http://localhost:1");
    assert_int_equal(apply_command(f, &plain), 0);
    plain.warehouse.url = STR("https://localhost:1");
    plain.warehouse.pin = STR("md5//x");
    assert_int_equal(apply_command(f, &plain), ERR_INVALID);
}

static uint32_t renewals_of_main(struct fixture *f)
{
    struct warehouse *list;
    unsigned count;
    struct reader *reader = reader_of(f);
    assert_int_equal(reader_warehouses(reader, &f->arena, &list, &count), 0);
    reader_close(reader);
    return list[0].token;
}

/* Two operators at once: what one of them does not know of stays renewed. */
static void a_token_that_was_renewed_stays_so(void **state)
{
    struct fixture *f = *state;
    put_warehouse(f, "main", 1);
    struct command renew = {
        .type = COMMAND_WAREHOUSE_PUT,
        .warehouse = {.id = STR("main"), .url = STR("https://localhost:1"), .token = 2}};
    assert_int_equal(apply_command(f, &renew), 0);
    assert_int_equal(renewals_of_main(f), 2);
    put_warehouse(f, "main", 1);
    assert_int_equal(renewals_of_main(f), 2);
}

/* ---- Numbers of reports ---- */

static void a_report_counts_once(void **state)
{
    struct fixture *f = *state;
    put_warehouse(f, "main", 1);
    assert_int_equal(arrived(f, "main", 1, "tulips", 5), 0);
    assert_int_equal(f->result.number, 1);
    assert_int_equal(arrived(f, "main", 1, "tulips", 5), 0);
    assert_int_equal(f->result.number, 1);
    expect_stock(f, "tulips", 10, 0, 0);
    assert_int_equal(arrived(f, "main", 4, "tulips", 5), ERR_STATE);
    assert_int_equal(f->result.kind, RESULT_NUMBER);
    assert_int_equal(f->result.number, 2);
    expect_stock(f, "tulips", 10, 0, 0);
}

static void a_refused_report_leaves_its_number_to_another(void **state)
{
    struct fixture *f = *state;
    put_warehouse(f, "main", 1);
    assert_int_equal(arrived(f, "main", 1, "nothing", 5), ERR_NOTFOUND);
    assert_int_equal(f->result.kind, RESULT_NONE);
    assert_int_equal(arrived(f, "main", 1, "tulips", 0), ERR_INVALID);
    assert_int_equal(arrived(f, "main", 1, "tulips", 5), 0);
    assert_int_equal(arrived(f, "main", 2, "tulips", 5), 0);
    expect_stock(f, "tulips", 15, 0, 0);
}

static void another_database_reports_only_when_the_operator_says_so(void **state)
{
    struct fixture *f = *state;
    struct warehouse_report five = {.kind = REPORT_ARRIVED, .item = STR("tulips"), .quantity = 5};
    put_warehouse(f, "main", 1);
    assert_int_equal(send_report(f, "main", epoch_one, 1, five), 0);
    assert_int_equal(send_report(f, "main", epoch_two, 1, five), ERR_CONFLICT);
    struct command pair = {.type = COMMAND_WAREHOUSE_PUT,
                           .warehouse = {.id = STR("main"),
                                         .url = STR("https://localhost:1"),
                                         .position = 1,
                                         .epoch = epoch_two}};
    assert_int_equal(apply_command(f, &pair), 0);
    assert_int_equal(send_report(f, "main", epoch_one, 2, five), ERR_CONFLICT);
    assert_int_equal(send_report(f, "main", epoch_two, 1, five), 0);
    /* Put again, it goes on from where it is. */
    assert_int_equal(apply_command(f, &pair), 0);
    assert_int_equal(put_warehouse(f, "main", 1), 0);
    assert_int_equal(send_report(f, "main", epoch_two, 2, five), 0);
    expect_stock(f, "tulips", 20, 0, 0);
    struct warehouse *list;
    unsigned count;
    struct reader *reader = reader_of(f);
    assert_int_equal(reader_warehouses(reader, &f->arena, &list, &count), 0);
    assert_int_equal(count, 1);
    assert_true(id_eq(list[0].epoch, epoch_two));
    assert_int_equal(list[0].reported, 2);
    reader_close(reader);
    assert_int_equal(send_report(f, "elsewhere", epoch_one, 1, five), ERR_DENIED);
}

/* ---- Orders ---- */

static void parcels_leave_and_arrive(void **state)
{
    struct fixture *f = *state;
    put_warehouse(f, "main", 1);
    buy(f, 1, "tulips", 3);
    assert_int_equal(of_order(f, REPORT_SHIPPED, "main", 1, 1, 2, 91), 0);
    assert_int_equal(read_order(f, 1).status, ORDER_PARTLY_SHIPPED);
    EXPECT_AT(f, "tulips", {2, 1});
    assert_int_equal(of_order(f, REPORT_SHIPPED, "main", 2, 1, 2, 92), ERR_STATE);
    assert_int_equal(of_order(f, REPORT_DELIVERED, "main", 2, 1, 0, 92), ERR_NOTFOUND);
    assert_int_equal(of_order(f, REPORT_SHIPPED, "main", 2, 1, 1, 92), 0);
    assert_int_equal(of_order(f, REPORT_DELIVERED, "main", 3, 1, 0, 91), 0);
    struct order order = read_order(f, 1);
    assert_int_equal(order.status, ORDER_SHIPPED);
    assert_int_equal(order.basket.lines[0].fulfilled, 3);
    assert_int_equal(order.allotments[0].shipped, 3);
    EXPECT_AT(f, "tulips", {2, 0});
    expect_clean_audit(f);
}

/* A restored shop may be told again. */
static void a_parcel_counts_once(void **state)
{
    struct fixture *f = *state;
    put_warehouse(f, "main", 1);
    buy(f, 1, "tulips", 3);
    buy(f, 2, "tulips", 1);
    assert_int_equal(of_order(f, REPORT_SHIPPED, "main", 1, 1, 1, 91), 0);
    assert_int_equal(of_order(f, REPORT_SHIPPED, "main", 2, 1, 1, 91), 0);
    assert_int_equal(read_order(f, 1).basket.lines[0].fulfilled, 1);
    assert_int_equal(of_order(f, REPORT_SHIPPED, "main", 3, 2, 1, 91), ERR_CONFLICT);
    assert_int_equal(of_order(f, REPORT_DELIVERED, "main", 3, 1, 0, 91), 0);
    unsigned events = read_order(f, 1).event_count;
    assert_int_equal(of_order(f, REPORT_DELIVERED, "main", 4, 1, 0, 91), 0);
    assert_int_equal(read_order(f, 1).event_count, events);
    expect_clean_audit(f);
}

static void nobody_ships_what_another_has_to(void **state)
{
    struct fixture *f = *state;
    put_warehouse(f, "main", 1);
    put_warehouse(f, "south", 2);
    buy(f, 1, "tulips", 3);
    assert_int_equal(of_order(f, REPORT_SHIPPED, "south", 1, 1, 1, 91), ERR_STATE);
    assert_int_equal(of_order(f, REPORT_SHORT, "south", 1, 1, 1, 0), ERR_STATE);
    assert_int_equal(of_order(f, REPORT_SHIPPED, "main", 1, 9, 1, 91), ERR_NOTFOUND);
    expect_clean_audit(f);
}

static void what_comes_back_lies_where_it_came_back(void **state)
{
    struct fixture *f = *state;
    put_warehouse(f, "main", 1);
    put_warehouse(f, "south", 2);
    buy(f, 1, "tulips", 3);
    assert_int_equal(of_order(f, REPORT_RETURNED, "south", 1, 1, 1, 0), ERR_STATE);
    of_order(f, REPORT_SHIPPED, "main", 1, 1, 3, 91);
    assert_int_equal(of_order(f, REPORT_RETURNED, "south", 1, 1, 2, 0), 0);
    EXPECT_AT(f, "tulips", {2, 0}, {2, 0});
    expect_stock(f, "tulips", 4, 0, 1);
    assert_int_equal(of_order(f, REPORT_RETURNED, "south", 2, 1, 2, 0), ERR_STATE);
    struct order order = read_order(f, 1);
    assert_int_equal(order.basket.lines[0].returned, 2);
    assert_true(order.given_up > 0);
    expect_clean_audit(f);
}

static void what_is_short_is_canceled_and_counted_away(void **state)
{
    struct fixture *f = *state;
    put_warehouse(f, "main", 1);
    put_warehouse(f, "south", 2);
    arrived(f, "south", 1, "tulips", 9);
    buy(f, 1, "tulips", 8);
    EXPECT_AT(f, "tulips", {5, 0}, {1, 8});
    assert_int_equal(of_order(f, REPORT_SHORT, "south", 2, 1, 3, 0), 0);
    EXPECT_AT(f, "tulips", {5, 0}, {1, 5});
    expect_stock(f, "tulips", 6, 0, 5);
    struct order order = read_order(f, 1);
    assert_int_equal(order.basket.lines[0].canceled, 3);
    assert_int_equal(order.allotments[0].canceled, 3);
    assert_int_equal(of_order(f, REPORT_SHIPPED, "south", 3, 1, 6, 91), ERR_STATE);
    assert_int_equal(of_order(f, REPORT_SHIPPED, "south", 3, 1, 5, 91), 0);
    expect_clean_audit(f);
}

/* ---- Goods ---- */

static void a_count_is_of_what_is_on_the_shelves(void **state)
{
    struct fixture *f = *state;
    put_warehouse(f, "main", 1);
    put_warehouse(f, "south", 2);
    arrived(f, "south", 1, "tulips", 9);
    buy(f, 1, "tulips", 8);
    /* 1 free and 8 to be shipped are on hand there; two more are found. */
    assert_int_equal(counted(f, "south", 2, "tulips", 11), 0);
    EXPECT_AT(f, "tulips", {5, 0}, {3, 8});
    expect_stock(f, "tulips", 8, 0, 8);
    assert_int_equal(counted(f, "main", 1, "tulips", 5), 0);
    expect_stock(f, "tulips", 8, 0, 8);
    assert_int_equal(counted(f, "main", 2, "tulips", 4), 0);
    EXPECT_AT(f, "tulips", {4, 0}, {3, 8});
    assert_int_equal(counted(f, "main", 3, "tulips", -1), ERR_INVALID);
    expect_clean_audit(f);
}

static void a_count_may_show_that_too_much_was_sold(void **state)
{
    struct fixture *f = *state;
    put_warehouse(f, "main", 1);
    buy(f, 1, "tulips", 4);
    assert_int_equal(counted(f, "main", 1, "tulips", 2), 0);
    EXPECT_AT(f, "tulips", {-2, 4});
    expect_stock(f, "tulips", -2, 0, 4);
    checkout_direct(f, test_id(2), "tulips", 1, "US");
    assert_int_equal(hold(f, test_id(2), -1), ERR_SHORT);
    expect_clean_audit(f);
}

static void goods_may_be_taken_elsewhere(void **state)
{
    struct fixture *f = *state;
    put_warehouse(f, "main", 1);
    put_warehouse(f, "south", 2);
    assert_int_equal(counted(f, "main", 1, "tulips", 3), 0);
    assert_int_equal(arrived(f, "south", 1, "tulips", 2), 0);
    EXPECT_AT(f, "tulips", {3, 0}, {2, 0});
    expect_stock(f, "tulips", 5, 0, 0);
}

static int product(struct fixture *f, uint64_t sequence, const char *handle, const char *title,
                   int64_t price)
{
    struct variant variant = {
        .price = price, .tracked = true, .taxable = true, .needs_shipping = true, .picture = -1};
    return send_report(f, "main", epoch_one, sequence,
                       (struct warehouse_report){.kind = REPORT_PRODUCT,
                                                 .product = {.handle = str_of(handle),
                                                             .title = str_of(title),
                                                             .published = true,
                                                             .variants = &variant,
                                                             .variant_count = 1}});
}

static void a_new_product_is_for_sale_when_it_arrives(void **state)
{
    struct fixture *f = *state;
    put_warehouse(f, "main", 1);
    assert_int_equal(product(f, 1, "lilies", "Lilies", 900), 0);
    assert_int_equal(arrived(f, "main", 2, "lilies", 7), 0);
    expect_stock(f, "lilies", 7, 0, 0);
    buy(f, 1, "lilies", 2);
    expect_clean_audit(f);
}

static void the_price_of_what_is_sold_is_the_shops(void **state)
{
    struct fixture *f = *state;
    struct product known;
    put_warehouse(f, "main", 1);
    assert_int_equal(product(f, 1, "lilies", "Lilies", 900), 0);
    assert_int_equal(product(f, 2, "lilies", "White lilies", 1), 0);
    struct reader *reader = reader_of(f);
    assert_int_equal(reader_product(reader, &f->arena, STR("lilies"), false, &known), 0);
    expect_text(known.title, "White lilies");
    assert_int_equal(known.variants[0].price, 900);
    reader_close(reader);
    expect_clean_audit(f);
}

static void a_known_product_keeps_what_a_warehouse_does_not_know(void **state)
{
    struct fixture *f = *state;
    struct picture picture = {STR("/pictures/vase.svg"), STR("a vase")};
    struct variant variants[2] = {
        {.key = STR("vase~red"), .options = {STR("red")}, .price = 100, .picture = -1},
        {.key = STR("vase~blue"), .options = {STR("blue")}, .price = 200, .picture = -1}};
    struct command put = {.type = COMMAND_PRODUCT_PUT,
                          .product = {.handle = STR("vase"),
                                      .title = STR("A vase"),
                                      .vendor = STR("Glass & Sons"),
                                      .option_names = {STR("Colour")},
                                      .option_count = 1,
                                      .published = true,
                                      .tags = {STR("new")},
                                      .tag_count = 1,
                                      .pictures = &picture,
                                      .picture_count = 1,
                                      .variants = variants,
                                      .variant_count = 2}};
    assert_int_equal(apply_command(f, &put), 0);
    put_warehouse(f, "main", 1);
    struct variant news = {.key = STR("vase~red"), .sku = STR("V-1"), .price = 150, .picture = -1};
    struct warehouse_report report = {.kind = REPORT_PRODUCT,
                                      .product = {.handle = STR("vase"),
                                                  .title = STR("A fine vase"),
                                                  .variants = &news,
                                                  .variant_count = 1}};
    assert_int_equal(send_report(f, "main", epoch_one, 1, report), 0);
    struct product known;
    struct reader *reader = reader_of(f);
    assert_int_equal(reader_product(reader, &f->arena, STR("vase"), false, &known), 0);
    expect_text(known.title, "A fine vase");
    expect_text(known.vendor, "Glass & Sons");
    assert_int_equal(known.picture_count, 1);
    assert_int_equal(known.tag_count, 1);
    assert_int_equal(known.variant_count, 2);
    assert_int_equal(known.variants[0].price, 100);
    expect_text(known.variants[0].sku, "V-1");
    assert_int_equal(known.variants[1].price, 200);
    reader_close(reader);
    news.set_stock = true;
    assert_int_equal(send_report(f, "main", epoch_one, 2, report), ERR_INVALID);
    expect_clean_audit(f);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(one_warehouse_has_it_all_and_keeps_no_rows),
        TEST(without_a_warehouse_nothing_is_allotted),
        TEST(goods_lie_where_they_arrived),
        TEST(another_main_warehouse_changes_nobodys_shelves),
        TEST(a_closed_warehouse_gets_nothing_new),
        TEST(an_order_is_split_by_stock),
        TEST(what_is_no_warehouse_is_refused),
        TEST(a_token_that_was_renewed_stays_so),
        TEST(a_report_counts_once),
        TEST(a_refused_report_leaves_its_number_to_another),
        TEST(another_database_reports_only_when_the_operator_says_so),
        TEST(parcels_leave_and_arrive),
        TEST(a_parcel_counts_once),
        TEST(nobody_ships_what_another_has_to),
        TEST(what_comes_back_lies_where_it_came_back),
        TEST(what_is_short_is_canceled_and_counted_away),
        TEST(a_count_is_of_what_is_on_the_shelves),
        TEST(a_count_may_show_that_too_much_was_sold),
        TEST(goods_may_be_taken_elsewhere),
        TEST(a_new_product_is_for_sale_when_it_arrives),
        TEST(the_price_of_what_is_sold_is_the_shops),
        TEST(a_known_product_keeps_what_a_warehouse_does_not_know),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
