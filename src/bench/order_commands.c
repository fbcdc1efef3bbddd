#include "bench/order_commands.h"

#include "base/clock.h"
#include "shop/command.h"

#include <stdio.h>
#include <string.h>

enum { STOCK = 1000000000, KEY_SIZE = 24 };

struct id order_command_id(unsigned server, unsigned visitor, unsigned number, enum order_id kind,
                           uint64_t seed)
{
    struct id id = {{0}};
    for (unsigned i = 0; i < 4; i++)
        id.bytes[2 + i] = (unsigned char)(number >> (24 - 8 * i));
    id.bytes[6] = 0x70;
    id.bytes[8] = (unsigned char)(0x80 | kind);
    id.bytes[9] = (unsigned char)(server + 1);
    for (unsigned i = 0; i < 4; i++)
        id.bytes[10 + i] = (unsigned char)(visitor >> (24 - 8 * i));
    id.bytes[14] = (unsigned char)(seed >> 8);
    id.bytes[15] = (unsigned char)seed;
    return id;
}

static void item_key(unsigned item, char out[KEY_SIZE])
{
    snprintf(out, KEY_SIZE, "bench-%06u", item);
}

void order_put_product(struct buf *out, unsigned item)
{
    char key[KEY_SIZE];
    item_key(item, key);
    struct variant variant = {.price = 500 + item % 9500,
                              .tracked = true,
                              .taxable = true,
                              .needs_shipping = true,
                              .picture = -1,
                              .set_stock = true,
                              .available = STOCK};
    struct command command = {.type = COMMAND_PRODUCT_PUT,
                              .product = {.handle = str_of(key),
                                          .title = str_of(key),
                                          .published = true,
                                          .variants = &variant,
                                          .variant_count = 1}};
    command_encode(out, &command);
}

void order_put_cart(struct buf *out, struct id id, unsigned item)
{
    char key[KEY_SIZE];
    item_key(item, key);
    struct command_line line = {.item_key = str_of(key), .quantity = 1};
    struct command command = {
        .type = COMMAND_CART_PUT,
        .operation = id_new(clock_wall_ms()),
        .cart_put = {.id = id, .basket = {.lines = &line, .line_count = 1}},
    };
    command_encode(out, &command);
}

void order_put_checkout(struct buf *out, struct id id, unsigned item)
{
    char key[KEY_SIZE];
    item_key(item, key);
    struct command_line line = {.item_key = str_of(key), .quantity = 1};
    struct command command = {
        .type = COMMAND_CHECKOUT_CREATE,
        .checkout = {.id = id,
                     .basket = {.lines = &line,
                                .line_count = 1,
                                .buyer = {.email = STR("ada@shopper.example"),
                                          .first_name = STR("Ada"),
                                          .last_name = STR("Byron")}},
                     .has_basket = true,
                     .has_fulfillment = true,
                     .destinations = {{.id = STR("home"),
                                       .street = STR("1 Main St"),
                                       .locality = STR("Springfield"),
                                       .region = STR("IL"),
                                       .postal_code = STR("62704"),
                                       .country = STR("US")}},
                     .destination_count = 1,
                     .selected_destination = STR("home")},
    };
    command_encode(out, &command);
}

void order_put_half(struct buf *out, struct id id, bool second)
{
    struct command command = {
        .type = second ? COMMAND_CHECKOUT_CONFIRM : COMMAND_CHECKOUT_HOLD,
        .idempotency = second ? IDEMPOTENCY_KEEP : IDEMPOTENCY_CHECK,
        .complete = {.id = id,
                     .payment = {.handler_id = STR("mock_payment_handler"),
                                 .brand = STR("Visa"),
                                 .last_digits = STR("1234")},
                     .expected_total = -1},
    };
    memcpy(command.idempotency_key, id.bytes, sizeof id.bytes);
    memcpy(command.idempotency_body, id.bytes, sizeof id.bytes);
    if (second)
        command.complete.payment.reference = STR("bench");
    command_encode(out, &command);
}
