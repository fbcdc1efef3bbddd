#include "base/hash.h"
#include "base/random.h"
#include "shop/reader.h"
#include "shop_fixture.h"

#include <signal.h>
#include <sys/resource.h>

/* ---- Content ---- */

static uint64_t digest_of_table(struct db *db, struct str table)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    char sql[4096];
    struct stmt *row = stmt_new(db, "SELECT group_concat('quote(' || name || ')', ' || '),"
                                    " group_concat(CASE WHEN pk THEN name END)"
                                    " FROM pragma_table_info(?)");
    stmt_bind_str(row, 1, table);
    assert_int_equal(stmt_next(row), 0);
    struct str columns = arena_str(&arena, stmt_str(row, 0));
    struct str key = arena_str(&arena, stmt_str(row, 1));
    stmt_free(row);
    snprintf(sql, sizeof sql, "SELECT %s FROM %.*s ORDER BY %s", columns.at, STR_FMT(table),
             key.at);
    row = stmt_new(db, sql);
    uint64_t digest = 1;
    while (stmt_next(row) == 0)
        digest = hash_fast((struct hash_key){digest, 2}, stmt_str(row, 0));
    assert_int_equal(db_failure(db)->err, 0);
    stmt_free(row);
    arena_close(&arena);
    return digest;
}

/* Of every row of every table; the search index's own tables depend on when it was merged,
 * so its words stand for it; when keys move into their index depends on restarts. */
static uint64_t digest_of(struct fixture *f)
{
    struct db *db;
    struct failure failure = {0};
    assert_int_equal(db_open(f->file, DB_READER, &db, &failure), 0);
    struct stmt *row = stmt_new(db, "SELECT name FROM sqlite_schema WHERE type = 'table'"
                                    " AND name NOT LIKE 'product_search%'"
                                    " AND name <> 'idempotency_key'"
                                    " AND name NOT LIKE 'sqlite_%' ORDER BY name");
    uint64_t digest = 0;
    unsigned tables = 0;
    while (stmt_next(row) == 0) {
        digest = digest * 31 + digest_of_table(db, stmt_str(row, 0));
        tables++;
    }
    assert_true(tables > 15);
    stmt_free(row);
    db_close(db);
    return digest;
}

/* ---- A long mixed history ---- */

static const char *const items[] = {"roses", "tulips", "pot", "gardenias", "nothing"};

static struct id pick_id(struct random *random)
{
    return test_id(1 + (unsigned)random_below(random, 40));
}

static void cart_command(struct random *random, struct command *command, struct command_line *line)
{
    static const enum command_type types[] = {COMMAND_CART_ADD, COMMAND_CART_ADD,
                                              COMMAND_CART_SET, COMMAND_CART_PUT,
                                              COMMAND_CART_PUT, COMMAND_CART_CANCEL};
    struct id cart = pick_id(random);
    command->type = types[random_below(random, COUNT_OF(types))];
    command->operation = test_id((unsigned)random_below(random, 3000) + 1000);
    if (command->type == COMMAND_CART_PUT) {
        command->cart_put.id = cart;
        command->cart_put.basket.lines = line;
        command->cart_put.basket.line_count = 1;
    } else if (command->type == COMMAND_CART_CANCEL) {
        command->id = cart;
    } else {
        command->cart_item.id = cart;
        command->cart_item.item_key = str_of(items[random_below(random, 5)]);
        command->cart_item.quantity = 1 + (uint32_t)random_below(random, 3);
    }
}

/* Of a cart, or of goods that it is told. */
static void checkout_command(struct random *random, struct command *command,
                             struct command_line *line)
{
    command->type = random_below(random, 3) ? COMMAND_CHECKOUT_CREATE : COMMAND_CHECKOUT_UPDATE;
    command->checkout = (struct checkout_input){
        .id = pick_id(random),
        .has_basket = true,
        .basket = {.lines = line, .line_count = 1, .buyer.email = STR("j@example.com")},
        .has_fulfillment = true,
        .destinations = {{.country = STR("US")}},
        .destination_count = 1};
    if (command->type == COMMAND_CHECKOUT_CREATE && random_below(random, 2))
        command->checkout.cart_id = pick_id(random);
}

static void shopper_command(struct random *random, struct command *command)
{
    static struct command_line line;
    line = (struct command_line){.item_key = str_of(items[random_below(random, 4)]),
                                 .quantity = 1 + (uint32_t)random_below(random, 4)};
    switch (random_below(random, 7)) {
    case 0:
    case 1:
        cart_command(random, command, &line);
        return;
    case 2:
        checkout_command(random, command, &line);
        return;
    case 3:
    case 4:
        command->type = COMMAND_CHECKOUT_HOLD;
        break;
    case 5:
        command->type = COMMAND_CHECKOUT_CONFIRM;
        command->idempotency = IDEMPOTENCY_KEEP;
        command->idempotency_key[0] = (unsigned char)random_below(random, 200);
        break;
    default:
        command->type = random_below(random, 3) ? COMMAND_CHECKOUT_RELEASE : COMMAND_CHECKOUT_CLAIM;
        command->complete.claimed = random_below(random, 2);
    }
    command->complete.id = pick_id(random);
    command->complete.expected_total = -1;
}

static void operator_command(struct random *random, struct command *command,
                             struct variant *variant)
{
    const char *item = items[random_below(random, 4)];
    switch (random_below(random, 4)) {
    case 0:
        command->type = COMMAND_STOCK_RECEIVE;
        command->item.key = str_of(item);
        command->item.value = 1 + (int64_t)random_below(random, 20);
        return;
    case 1:
        command->type = COMMAND_PRICE_SET;
        command->item.key = str_of(item);
        command->item.value = (int64_t)random_below(random, 5000);
        return;
    case 2:
        command->type = COMMAND_EXPIRE;
        command->limit = random_below(random, 40);
        return;
    default:
        *variant =
            (struct variant){.price = 700, .tracked = true, .needs_shipping = true, .picture = -1};
        variant->set_stock = random_below(random, 2);
        variant->available = 8;
        command->type = COMMAND_PRODUCT_PUT;
        command->product = (struct product){.handle = str_of(item),
                                            .title = str_of(item),
                                            .category = STR("Flowers"),
                                            .published = true,
                                            .variants = variant,
                                            .variant_count = 1};
    }
}

/* The same COUNT commands for the same SEED, PER_COMMIT of them in one transaction. */
static void live_through(struct fixture *f, uint64_t seed, unsigned count, unsigned per_commit)
{
    struct random random;
    struct failure failure = {0};
    random_seed(&random, seed);
    for (unsigned i = 0; i < count; i++) {
        struct command command = {0};
        struct variant variant;
        if (random_below(&random, 12) == 0)
            operator_command(&random, &command, &variant);
        else
            shopper_command(&random, &command);
        buf_clear(&f->record);
        buf_clear(&f->answer);
        command_encode(&f->record, &command);
        if (i % per_commit == 0)
            assert_int_equal(shop_begin(f->shop, &failure), 0);
        f->index++;
        f->now += (int64_t)random_below(&random, 20000);
        if (random_below(&random, 200) == 0) /* carts and checkouts are past their time */
            f->now += 20ll * 24 * 3600 * 1000;
        if (shop_apply(f->shop, f->index, f->now, buf_text(&f->record), &f->answer, &failure))
            fail_msg("%s", failure.text);
        if (i % per_commit == per_commit - 1 || i == count - 1)
            assert_int_equal(shop_commit(f->shop, f->index, f->now, &failure), 0);
    }
}

/* ---- Tests ---- */

static void the_same_commands_give_the_same_content_however_they_are_grouped(void **state)
{
    struct fixture *f = *state;
    for (uint64_t seed = 1; seed <= 3; seed++) {
        void *others[3];
        static const unsigned groups[] = {1, 7, 500};
        uint64_t digests[3];
        for (int i = 0; i < 3; i++) {
            assert_int_equal(fixture_open(&others[i]), 0);
            live_through(others[i], seed, 1500, groups[i]);
            digests[i] = digest_of(others[i]);
            expect_clean_audit(others[i]);
            fixture_close(&others[i]);
        }
        assert_true(digests[0] == digests[1] && digests[1] == digests[2]);
        assert_true(digests[0] != digest_of(f));
    }
}

static void expect_counts(struct fixture *f)
{
    struct reader *reader;
    struct shop_counts counts;
    struct failure failure = {0};
    struct db *db;
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    assert_int_equal(reader_counts(reader, &counts), 0);
    reader_close(reader);
    assert_int_equal(db_open(f->file, DB_READER, &db, &failure), 0);
    struct stmt *row = stmt_new(db, "SELECT (SELECT sum(listed) FROM product),"
                                    " (SELECT count(*) FROM variant WHERE retired = 0),"
                                    " (SELECT sum(held) FROM stock), (SELECT sum(sold) FROM stock),"
                                    " (SELECT count(*) FROM orders)");
    assert_int_equal(stmt_next(row), 0);
    assert_int_equal(counts.products, stmt_i64(row, 0));
    assert_int_equal(counts.variants, stmt_i64(row, 1));
    assert_int_equal(counts.held_units, stmt_i64(row, 2));
    assert_int_equal(counts.sold_units, stmt_i64(row, 3));
    assert_int_equal(counts.orders, stmt_i64(row, 4));
    assert_true(counts.orders > 0 && counts.applied_index == f->index);
    stmt_free(row);
    db_close(db);
}

static void the_counts_kept_are_those_that_counting_gives(void **state)
{
    struct fixture *f = *state;
    live_through(f, 9, 1500, 20);
    apply_command(f, &(struct command){.type = COMMAND_PRODUCT_RETIRE, .key = STR("pot")});
    expect_counts(f);
}

static void a_shop_goes_on_where_it_was_closed(void **state)
{
    struct fixture *f = *state;
    void *other;
    struct failure failure = {0};
    assert_int_equal(fixture_open(&other), 0);
    live_through(f, 5, 300, 10);
    live_through(f, 6, 300, 10);
    live_through(other, 5, 300, 10);
    struct fixture *g = other;
    shop_close(g->shop);
    assert_int_equal(shop_open(g->file, NULL, NULL, &g->shop, &failure), 0);
    assert_int_equal(shop_applied_index(g->shop), g->index);
    assert_int_equal(shop_applied_time(g->shop), g->now);
    live_through(other, 6, 300, 10);
    assert_true(digest_of(f) == digest_of(other));
    fixture_close(&other);
}

static void what_was_not_committed_is_not_there(void **state)
{
    struct fixture *f = *state;
    struct failure failure = {0};
    uint64_t before = digest_of(f), index = f->index;
    struct command receive = {.type = COMMAND_STOCK_RECEIVE,
                              .item = {.key = STR("roses"), .value = 5}};
    command_encode(&f->record, &receive);
    assert_int_equal(shop_begin(f->shop, &failure), 0);
    buf_clear(&f->record);
    command_encode(&f->record, &receive);
    assert_int_equal(
        shop_apply(f->shop, index + 1, f->now, buf_text(&f->record), &f->answer, &failure), 0);
    shop_close(f->shop);
    assert_int_equal(shop_open(f->file, NULL, NULL, &f->shop, &failure), 0);
    assert_int_equal(shop_applied_index(f->shop), index);
    assert_true(digest_of(f) == before);
}

static void garbage_is_refused_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    struct failure failure = {0};
    struct random random;
    random_seed(&random, 1);
    for (unsigned i = 0; i < 2000; i++) {
        unsigned char bytes[64];
        size_t len = random_below(&random, sizeof bytes);
        for (size_t j = 0; j < len; j++)
            bytes[j] = (unsigned char)random_u64(&random);
        bytes[0] = 0; /* a version there is not */
        buf_clear(&f->answer);
        assert_int_equal(shop_begin(f->shop, &failure), 0);
        assert_int_equal(
            shop_apply(f->shop, ++f->index, f->now, str_make(bytes, len), &f->answer, &failure), 0);
        assert_int_equal(shop_commit(f->shop, f->index, f->now, &failure), 0);
        arena_reset(&f->arena);
        assert_int_equal(result_decode(&f->arena, buf_text(&f->answer), &f->result), 0);
        assert_int_equal(f->result.err, ERR_INVALID);
    }
    expect_clean_audit(f);
}

/* Servers with that program do what it says: a copy without it would be another one. */
static void command_of_a_later_program_stops_the_shop_and_changes_nothing(void **state)
{
    struct fixture *f = *state;
    static const unsigned char later[] = {9, 1, 0, 0};
    struct failure failure = {0};
    uint64_t before = digest_of(f), index = shop_applied_index(f->shop);
    assert_int_equal(shop_begin(f->shop, &failure), 0);
    assert_int_equal(shop_apply(f->shop, f->index + 1, f->now, str_make(later, sizeof later),
                                &f->answer, &failure),
                     ERR_UNSUPPORTED);
    assert_non_null(strstr(failure.text, "newer version"));
    shop_close(f->shop);
    assert_int_equal(shop_open(f->file, NULL, NULL, &f->shop, &failure), 0);
    assert_int_equal(shop_applied_index(f->shop), index);
    assert_true(digest_of(f) == before);
}

/* ---- What is told ---- */

struct told {
    char text[512];
    uint64_t last_index;
};

static void keep_told(void *context, enum change_kind kind, uint64_t product_id, struct str handle,
                      uint64_t index)
{
    struct told *told = context;
    size_t len = strlen(told->text);
    assert_true((kind == CHANGE_PRODUCT) == (product_id > 0));
    snprintf(told->text + len, sizeof told->text - len, "%s%.*s ",
             kind == CHANGE_PRODUCT     ? "p:"
             : kind == CHANGE_CATALOGUE ? "catalogue"
                                        : "settings",
             STR_FMT(handle));
    told->last_index = index;
}

static void changes_are_told_once_after_the_commit(void **state)
{
    struct fixture *f = *state;
    struct failure failure = {0};
    struct told told = {{0}, 0};
    shop_close(f->shop);
    assert_int_equal(
        shop_open(f->file, &(struct shop_listener){keep_told, &told}, NULL, &f->shop, &failure), 0);
    cart_add(f, test_id(1), "roses", 1);
    checkout_direct(f, test_id(1), "roses", 1, "US");
    assert_string_equal(told.text, "");
    hold(f, test_id(1), -1);
    assert_string_equal(told.text, "p:roses ");
    assert_int_equal(told.last_index, f->index);
    told.text[0] = 0;
    put_item(f, "pot", 5, 5);
    assert_string_equal(told.text, "catalogue p:pot ");
    told.text[0] = 0;
    put_terms(f);
    assert_string_equal(told.text, "settings settings settings ");
    told.text[0] = 0;
    /* Many sales in one transaction are one change; the last unit changes lists too. */
    assert_int_equal(shop_begin(f->shop, &failure), 0);
    for (unsigned i = 0; i < 6; i++) {
        struct command receive = {.type = COMMAND_STOCK_ADJUST,
                                  .item = {.key = STR("pot"), .value = i < 5 ? -1 : -100}};
        buf_clear(&f->record);
        command_encode(&f->record, &receive);
        assert_int_equal(
            shop_apply(f->shop, ++f->index, f->now, buf_text(&f->record), &f->answer, &failure), 0);
    }
    assert_string_equal(told.text, "");
    assert_int_equal(shop_commit(f->shop, f->index, f->now, &failure), 0);
    assert_string_equal(told.text, "catalogue p:pot ");
}

/* ---- Faults ---- */

static void a_disk_that_takes_no_more_stops_the_shop_and_loses_nothing(void **state)
{
    struct fixture *f = *state;
    struct failure failure = {0};
    struct rlimit old, small = {256 * 1024, RLIM_INFINITY};
    uint64_t before = digest_of(f), index = f->index;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &old);
    small.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    int err = shop_begin(f->shop, &failure);
    for (unsigned i = 0; i < 20000 && !err; i++) {
        struct command add = {.type = COMMAND_CART_ADD,
                              .cart_item = {.id = test_id(i + 1), .item_key = STR("roses")}};
        add.cart_item.quantity = 1;
        buf_clear(&f->record);
        buf_clear(&f->answer);
        command_encode(&f->record, &add);
        err =
            shop_apply(f->shop, index + 1 + i, f->now, buf_text(&f->record), &f->answer, &failure);
    }
    if (!err)
        err = shop_commit(f->shop, index + 20000, f->now, &failure);
    setrlimit(RLIMIT_FSIZE, &old);
    /* A limit shows as a failed write, a full disk as ERR_FULL. */
    assert_true(err == ERR_IO || err == ERR_FULL);
    assert_non_null(strstr(failure.text, f->file));
    shop_close(f->shop);
    assert_int_equal(shop_open(f->file, NULL, NULL, &f->shop, &failure), 0);
    assert_int_equal(shop_applied_index(f->shop), index);
    assert_true(digest_of(f) == before);
    assert_int_equal(cart_add(f, test_id(1), "roses", 1), 0);
    expect_clean_audit(f);
}

static void a_reader_goes_on_after_a_failed_query(void **state)
{
    struct fixture *f = *state;
    struct reader *reader;
    struct product product;
    struct failure failure = {0};
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    assert_int_equal(reader_begin(reader, NULL), 0);
    db_fail_damaged(reader->db, "for the test");
    assert_int_equal(reader_product(reader, &f->arena, STR("pot"), false, &product), ERR_DAMAGED);
    reader_end(reader);
    assert_int_equal(reader_product(reader, &f->arena, STR("pot"), false, &product), 0);
    reader_close(reader);
}

static void what_is_durable_is_named(void **state)
{
    struct fixture *f = *state;
    struct failure failure = {0};
    uint64_t index = 0;
    assert_int_equal(shop_make_durable(f->shop, &index, &failure), 0);
    assert_int_equal(index, f->index);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, fixture_open, fixture_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_same_commands_give_the_same_content_however_they_are_grouped),
        TEST(the_counts_kept_are_those_that_counting_gives),
        TEST(a_shop_goes_on_where_it_was_closed),
        TEST(what_was_not_committed_is_not_there),
        TEST(garbage_is_refused_and_changes_nothing),
        TEST(command_of_a_later_program_stops_the_shop_and_changes_nothing),
        TEST(changes_are_told_once_after_the_commit),
        TEST(a_disk_that_takes_no_more_stops_the_shop_and_loses_nothing),
        TEST(a_reader_goes_on_after_a_failed_query),
        TEST(what_is_durable_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
