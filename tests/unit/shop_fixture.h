/* A small shop on a database of its own, for tests: five flowers, a pot, terms; commands are
 * encoded, applied one transaction each and their results decoded, as in a server. */
#ifndef STOA_TEST_SHOP_FIXTURE_H
#define STOA_TEST_SHOP_FIXTURE_H

#include "base/arena.h"
#include "base/check.h"
#include "folder_fixture.h"
#include "shop/audit.h"
#include "shop/message.h"
#include "shop/read.h"
#include "shop/shop.h"
#include "store/db.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char folder[FOLDER_PATH], file[FOLDER_PATH + 16];
    struct shop *shop;
    struct arena arena; /* of the last result; emptied by the next command */
    struct buf record, answer;
    struct result result;
    uint64_t index;
    int64_t now;
};

/* Ids of tests: readable, and never zero. */
static inline struct id test_id(unsigned number)
{
    struct id id = {{1}};
    for (unsigned i = 0; i < 4; i++)
        id.bytes[15 - i] = (unsigned char)(number >> (8 * i));
    return id;
}

/* Applies COMMAND; its err. The result is in f->result. */
static inline int apply_command(struct fixture *f, const struct command *command)
{
    struct failure failure = {0};
    buf_clear(&f->record);
    buf_clear(&f->answer);
    command_encode(&f->record, command);
    assert_false(f->record.failed);
    f->index++;
    f->now += 10;
    if (shop_begin(f->shop, &failure) ||
        shop_apply(f->shop, f->index, f->now, buf_text(&f->record), &f->answer, &failure) ||
        shop_commit(f->shop, f->index, f->now, &failure))
        fail_msg("%s", failure.text);
    arena_reset(&f->arena);
    assert_int_equal(result_decode(&f->arena, buf_text(&f->answer), &f->result), 0);
    return f->result.err;
}

static inline void put_item(struct fixture *f, const char *handle, int64_t price, int64_t stock)
{
    struct variant variant = {.price = price,
                              .tracked = true,
                              .taxable = true,
                              .needs_shipping = true,
                              .picture = -1,
                              .set_stock = true,
                              .available = stock};
    struct command command = {.type = COMMAND_PRODUCT_PUT,
                              .product = {.handle = str_of(handle),
                                          .title = str_of(handle),
                                          .published = true,
                                          .variants = &variant,
                                          .variant_count = 1}};
    if (apply_command(f, &command))
        fail_msg("%.*s", STR_FMT(f->result.text));
}

/* Adds a product with one variant, of which there is one, to an import's CHUNK. */
static inline void add_to_chunk(struct buf *chunk, const char *handle, int64_t price)
{
    struct variant variant = {
        .price = price, .tracked = true, .picture = -1, .set_stock = true, .available = 1};
    struct product product = {.handle = str_of(handle),
                              .title = str_of(handle),
                              .published = true,
                              .variants = &variant,
                              .variant_count = 1};
    command_put_product(chunk, &product);
}

static inline void put_terms(struct fixture *f)
{
    struct command settings = {.type = COMMAND_SETTINGS_PUT,
                               .settings = {.name = STR("Flowers"),
                                            .currency = STR("USD"),
                                            .country = STR("US"),
                                            .hold_ms = 300000,
                                            .checkout_ttl_ms = 6 * 3600 * 1000,
                                            .cart_ttl_ms = 30ll * 24 * 3600 * 1000}};
    struct command ten = {.type = COMMAND_DISCOUNT_PUT,
                          .discount = {.key = STR("10OFF"),
                                       .code = STR("10OFF"),
                                       .type = DISCOUNT_PERCENT,
                                       .value = 1000,
                                       .title = STR("10% Off"),
                                       .enabled = true}};
    struct command rate = {.type = COMMAND_SHIPPING_RATE_PUT,
                           .rate = {.key = STR("std-ship"),
                                    .country = STR("US"),
                                    .level = STR("standard"),
                                    .title = STR("Standard Shipping"),
                                    .price = 500,
                                    .enabled = true}};
    assert_int_equal(apply_command(f, &settings), 0);
    assert_int_equal(apply_command(f, &ten), 0);
    assert_int_equal(apply_command(f, &rate), 0);
}

static inline int fixture_open(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    folder_make(f->folder);
    snprintf(f->file, sizeof f->file, "%s/shop.db", f->folder);
    arena_init(&f->arena, 16 << 20);
    buf_init(&f->record, 1 << 20);
    buf_init(&f->answer, 4 << 20);
    f->now = 1700000000000;
    struct failure failure = {0};
    if (shop_open(f->file, NULL, NULL, &f->shop, &failure))
        fail_msg("%s", failure.text);
    put_terms(f);
    put_item(f, "roses", 3500, 10);
    put_item(f, "tulips", 3000, 5);
    put_item(f, "pot", 1500, 1000);
    put_item(f, "gardenias", 2000, 0);
    *state = f;
    return 0;
}

static inline int fixture_close(void **state)
{
    struct fixture *f = *state;
    shop_close(f->shop);
    folder_remove(f->folder);
    arena_close(&f->arena);
    buf_close(&f->record);
    buf_close(&f->answer);
    free(f);
    return 0;
}

/* ---- Commands ---- */

static inline int cart_add(struct fixture *f, struct id cart, const char *item, uint32_t quantity)
{
    struct command command = {
        .type = COMMAND_CART_ADD,
        .cart_item = {.id = cart, .item_key = str_of(item), .quantity = quantity}};
    return apply_command(f, &command);
}

static inline int cart_set(struct fixture *f, struct id cart, const char *item, uint32_t quantity)
{
    struct command command = {
        .type = COMMAND_CART_SET,
        .cart_item = {.id = cart, .item_key = str_of(item), .quantity = quantity}};
    return apply_command(f, &command);
}

static inline int cart_cancel(struct fixture *f, struct id cart)
{
    return apply_command(f, &(struct command){.type = COMMAND_CART_CANCEL, .id = cart});
}

/* A checkout of QUANTITY of ITEM with everything it needs, sent to COUNTRY. */
static inline int checkout_direct(struct fixture *f, struct id id, const char *item,
                                  uint32_t quantity, const char *country)
{
    struct command_line line = {.item_key = str_of(item), .quantity = quantity};
    struct command command = {.type = COMMAND_CHECKOUT_CREATE,
                              .checkout = {.id = id,
                                           .has_basket = true,
                                           .basket = {.lines = &line,
                                                      .line_count = 1,
                                                      .buyer = {.email = STR("jane@example.com")}},
                                           .has_fulfillment = true,
                                           .destinations = {{.country = str_of(country)}},
                                           .destination_count = 1}};
    return apply_command(f, &command);
}

static inline int checkout_from_cart(struct fixture *f, struct id id, struct id cart)
{
    struct command command = {.type = COMMAND_CHECKOUT_CREATE,
                              .checkout = {.id = id,
                                           .cart_id = cart,
                                           .has_basket = true,
                                           .basket = {.buyer = {.email = STR("jane@example.com")}},
                                           .has_fulfillment = true,
                                           .destinations = {{.country = STR("US")}},
                                           .destination_count = 1}};
    return apply_command(f, &command);
}

static inline int hold(struct fixture *f, struct id id, int64_t expected_total)
{
    struct command command = {.type = COMMAND_CHECKOUT_HOLD,
                              .complete = {.id = id, .expected_total = expected_total}};
    return apply_command(f, &command);
}

static inline int confirm(struct fixture *f, struct id id, uint32_t attempt)
{
    struct command command = {
        .type = COMMAND_CHECKOUT_CONFIRM,
        .complete = {.id = id, .attempt = attempt, .payment = {.reference = STR("auth_1")}}};
    return apply_command(f, &command);
}

static inline int release(struct fixture *f, struct id id, uint32_t attempt)
{
    struct command command = {.type = COMMAND_CHECKOUT_RELEASE,
                              .complete = {.id = id,
                                           .attempt = attempt,
                                           .payment = {.error = STR("the card was refused")}}};
    return apply_command(f, &command);
}

static inline int cancel(struct fixture *f, struct id id)
{
    return apply_command(f, &(struct command){.type = COMMAND_CHECKOUT_CANCEL, .id = id});
}

static inline uint64_t expire(struct fixture *f, uint64_t limit)
{
    struct command command = {.type = COMMAND_EXPIRE, .limit = limit};
    assert_int_equal(apply_command(f, &command), 0);
    assert_int_equal(f->result.kind, RESULT_NUMBER);
    return f->result.number;
}

/* ---- Looking ---- */

static inline void expect_text(struct str text, const char *expected)
{
    if (!str_eq(text, str_of(expected)))
        fail_msg("\"%.*s\" is not \"%s\"", STR_FMT(text), expected);
}

struct counts {
    int64_t available, held, sold;
};

/* As the file has them: another look than the shop's own. */
static inline struct counts stock_of(struct fixture *f, const char *item)
{
    struct failure failure = {0};
    struct db *db;
    if (db_open(f->file, DB_READER, &db, &failure))
        fail_msg("%s", failure.text);
    struct stmt *row = db_stmt(db, "SELECT available, held, sold FROM stock JOIN variant"
                                   " ON variant.id = stock.variant_id WHERE variant.key = ?");
    stmt_bind_str(row, 1, str_of(item));
    assert_int_equal(stmt_next(row), 0);
    struct counts counts = {stmt_i64(row, 0), stmt_i64(row, 1), stmt_i64(row, 2)};
    stmt_done(row);
    db_close(db);
    return counts;
}

static inline void expect_stock(struct fixture *f, const char *item, int64_t available,
                                int64_t held, int64_t sold)
{
    struct counts stock = stock_of(f, item);
    if (stock.available != available || stock.held != held || stock.sold != sold)
        fail_msg("%s: %lld available, %lld held, %lld sold", item, (long long)stock.available,
                 (long long)stock.held, (long long)stock.sold);
}

static inline void say_difference(void *context, const char *sentence)
{
    (void)context;
    print_error("audit: %s\n", sentence);
}

static inline void expect_clean_audit(struct fixture *f)
{
    struct audit_report report;
    struct failure failure = {0};
    if (audit_run(f->file, say_difference, NULL, &report, &failure))
        fail_msg("%s", failure.text);
    assert_int_equal(report.differences, 0);
    assert_int_equal(report.index, f->index);
}

#endif
