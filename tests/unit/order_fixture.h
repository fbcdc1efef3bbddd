/* Orders of the shop of shop_fixture.h, and what is done to them. */
#ifndef STOA_TEST_ORDER_FIXTURE_H
#define STOA_TEST_ORDER_FIXTURE_H

#include "shop_fixture.h"

/* ---- Placing ---- */

static inline void put_settings(struct fixture *f, bool capture_at_once, bool mail)
{
    struct command command = {.type = COMMAND_SETTINGS_PUT,
                              .settings = {.name = STR("Flowers"),
                                           .currency = STR("USD"),
                                           .country = STR("US"),
                                           .hold_ms = 300000,
                                           .checkout_ttl_ms = 6 * 3600 * 1000,
                                           .cart_ttl_ms = 30ll * 24 * 3600 * 1000,
                                           .capture_at_once = capture_at_once,
                                           .mail = mail}};
    assert_int_equal(apply_command(f, &command), 0);
}

static inline void put_warehouse(struct fixture *f, const char *id, uint32_t position)
{
    struct command command = {.type = COMMAND_WAREHOUSE_PUT,
                              .warehouse = {.id = str_of(id),
                                            .name = str_of(id),
                                            .url = STR("https://127.0.0.1:1"),
                                            .position = position}};
    if (apply_command(f, &command))
        fail_msg("%.*s", STR_FMT(f->result.text));
}

/* Order ID: QUANTITY of ITEM and one pot, sent for 5.00; through PLATFORM, or empty. */
static inline void place_through(struct fixture *f, struct id id, const char *item,
                                 uint32_t quantity, const char *platform)
{
    struct command_line lines[] = {{.item_key = str_of(item), .quantity = quantity},
                                   {.item_key = STR("pot"), .quantity = 1}};
    struct command command = {.type = COMMAND_CHECKOUT_CREATE,
                              .checkout = {.id = id,
                                           .has_basket = true,
                                           .basket = {.lines = lines,
                                                      .line_count = 2,
                                                      .buyer = {.email = STR("jane@example.com")}},
                                           .has_fulfillment = true,
                                           .destinations = {{.country = STR("US")}},
                                           .destination_count = 1,
                                           .platform = str_of(platform)}};
    assert_int_equal(apply_command(f, &command), 0);
    assert_int_equal(hold(f, id, -1), 0);
    assert_int_equal(confirm(f, id, 1), 0);
}

static inline void place(struct fixture *f, struct id id, const char *item, uint32_t quantity)
{
    place_through(f, id, item, quantity, "");
}

/* ---- Changing: each leaves the order in f->result ---- */

static inline int change(struct fixture *f, enum command_type type, struct order_change change)
{
    struct command command = {.type = type, .order = change};
    int err = apply_command(f, &command);
    if (!err)
        assert_int_equal(f->result.kind, RESULT_ORDER);
    return err;
}

static inline int cancel_order(struct fixture *f, struct id id, const char *actor)
{
    return change(f, COMMAND_ORDER_CANCEL, (struct order_change){.id = id, .actor = str_of(actor)});
}

static inline int cancel_line(struct fixture *f, struct id id, uint32_t line, uint32_t quantity)
{
    struct order_quantity lines[] = {{line, quantity}};
    return change(f, COMMAND_ORDER_CANCEL,
                  (struct order_change){.id = id, .lines = lines, .line_count = 1});
}

static inline int ship_all(struct fixture *f, struct id id, unsigned parcel)
{
    return change(f, COMMAND_ORDER_SHIP,
                  (struct order_change){.id = id, .parcel = {.id = test_id(parcel)}});
}

static inline int ship_line(struct fixture *f, struct id id, unsigned parcel, uint32_t line,
                            uint32_t quantity)
{
    struct order_quantity lines[] = {{line, quantity}};
    return change(
        f, COMMAND_ORDER_SHIP,
        (struct order_change){
            .id = id, .lines = lines, .line_count = 1, .parcel = {.id = test_id(parcel)}});
}

static inline int return_line(struct fixture *f, struct id id, uint32_t line, uint32_t quantity,
                              int64_t amount, bool restock)
{
    struct order_quantity lines[] = {{line, quantity}};
    return change(
        f, COMMAND_ORDER_RETURN,
        (struct order_change){
            .id = id, .lines = lines, .line_count = 1, .amount = amount, .restock = restock});
}

static inline int refund(struct fixture *f, struct id id, int64_t amount)
{
    return change(f, COMMAND_ORDER_REFUND, (struct order_change){.id = id, .amount = amount});
}

/* ---- What is to leave ---- */

/* The only row of LANE that is of KIND; fails when there are none or more. */
static inline struct outbox_row only_row(struct fixture *f, const char *lane, enum outbox_kind kind)
{
    struct reader *reader;
    struct failure failure;
    struct outbox_row *rows, found = {0};
    unsigned count, matches = 0;
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    assert_int_equal(reader_outbox(reader, &f->arena, str_of(lane), 0, 100, &rows, &count), 0);
    for (unsigned i = 0; i < count; i++)
        if (rows[i].kind == kind) {
            found = rows[i];
            matches++;
        }
    reader_close(reader);
    if (matches != 1)
        fail_msg("%u rows of kind %s in %s", matches, outbox_kind_name(kind), lane);
    return found;
}

static inline unsigned rows_in(struct fixture *f, const char *lane)
{
    struct reader *reader;
    struct failure failure;
    struct outbox_row *rows;
    unsigned count;
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    assert_int_equal(reader_outbox(reader, &f->arena, str_of(lane), 0, 100, &rows, &count), 0);
    reader_close(reader);
    return count;
}

/* How many rows it removed. */
static inline uint64_t answer(struct fixture *f, uint64_t seq, enum outbox_outcome outcome,
                              struct order_quantity *lines, unsigned count)
{
    struct outbox_answer answers[] = {
        {.seq = seq, .outcome = outcome, .lines = lines, .line_count = count, .text = STR("said")}};
    struct command command = {.type = COMMAND_OUTBOX_DONE,
                              .outbox = {.answers = answers, .count = 1}};
    if (apply_command(f, &command))
        fail_msg("%.*s", STR_FMT(f->result.text));
    return f->result.number;
}

static inline struct outbox_row answer_only(struct fixture *f, const char *lane,
                                            enum outbox_kind kind, enum outbox_outcome outcome)
{
    struct outbox_row row = only_row(f, lane, kind);
    assert_int_equal(answer(f, row.seq, outcome, NULL, 0), 1);
    return row;
}

/* ---- Looking ---- */

static inline struct order read_order(struct fixture *f, struct id id)
{
    struct reader *reader;
    struct failure failure;
    struct order order;
    assert_int_equal(reader_open(f->file, &reader, &failure), 0);
    assert_int_equal(reader_order(reader, &f->arena, id, &order), 0);
    reader_close(reader);
    return order;
}

static inline struct order_event last_event(const struct order *order)
{
    return order->events[order->event_count - 1];
}

#endif
