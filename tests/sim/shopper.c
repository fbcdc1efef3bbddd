#include "shopper.h"

#include "aftersale.h"
#include "base/check.h"
#include "base/clock.h"
#include "history.h"
#include "server.h"
#include "shop/defaults.h"
#include "shop/read.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    TIMEOUT_MS = 4000, /* of one request; less than a server's own deadline, so that both happen */
    GIVE_UP_MS = 400000,
};

struct shopper {
    unsigned number;
    uint64_t until_ns;
    uint64_t session; /* the highest entry it has seen */
    uint32_t cart;
    uint32_t holds[ITEMS]; /* what its cart has, as it was told */
    const char *doing;
    bool done;
    struct buf record;
    struct arena arena;
    struct result result;
};

enum { COURIER = SHOPPERS_MAX, OFFICE, ALL };

static struct shopper shoppers[ALL]; /* those two are there from when the shop is open */
static unsigned shopper_count;
static uint32_t numbers; /* given to operations and purchases */
static uint64_t asked;
static struct life outside;

bool shoppers_done(void)
{
    return shoppers_waiting() == NULL;
}

const char *shoppers_waiting(void)
{
    for (unsigned i = 0; i < ALL; i++)
        if (!shoppers[i].done)
            return shoppers[i].doing;
    return NULL;
}

static bool all_done_but(unsigned one)
{
    for (unsigned i = 0; i < ALL; i++)
        if (i != one && !shoppers[i].done)
            return false;
    return true;
}

uint64_t shoppers_asked(void)
{
    return asked;
}

static void rest(uint64_t least_ms, uint64_t most_ms)
{
    uint64_t until = world.now_ns + world_between(least_ms * 1000, most_ms * 1000) * 1000;
    fiber_wait(&until, until);
}

static struct server *some_server(void)
{
    struct server *server;
    do
        server = &cluster.servers[world_pick(cluster.count)];
    while (server->witness || server->avoided); /* a witness has no shop */
    return server;
}

/* ---- Asking ---- */

static void learn(struct shopper *shopper, const struct request *request, struct str record)
{
    struct str answer = buf_text(&request->result);
    history_acknowledged(request->index, record, answer);
    if (request->index > shopper->session)
        shopper->session = request->index;
    arena_reset(&shopper->arena);
    if (result_decode(&shopper->arena, answer, &shopper->result) != 0)
        world_fail("shopper %u cannot read an answer", shopper->number);
}

/* Asks until there is an answer: its err, with the rest in shopper->result. */
static int ask(struct shopper *shopper, const struct command *command)
{
    uint64_t begun = world.now_ns;
    buf_clear(&shopper->record);
    command_encode(&shopper->record, command);
    CHECK(!shopper->record.failed);
    struct str record = buf_text(&shopper->record);
    shopper->doing = command_name(command->type);
    asked++;
    for (;;) {
        struct server *server = some_server();
        struct request *request = server_ask(server, record, TIMEOUT_MS);
        if (request != NULL && request->err == 0) {
            learn(shopper, request, record);
            world_note("shopper %u: %s at server %u: entry %llu, %s%s%.*s", shopper->number,
                       command_name(command->type), server->number + 1,
                       (unsigned long long)request->index, err_sentence(shopper->result.err),
                       shopper->result.text.len > 0 ? ": " : "", STR_FMT(shopper->result.text));
            return shopper->result.err;
        }
        world_note("shopper %u: %s at server %u: %s", shopper->number, command_name(command->type),
                   server->number + 1, request == NULL ? "no answer" : err_sentence(request->err));
        if (world.now_ns - begun > (uint64_t)GIVE_UP_MS * MS_NS)
            world_fail("shopper %u gets no answer to %s", shopper->number,
                       command_name(command->type));
        rest(5, 200);
    }
}

int shopper_ask(struct shopper *shopper, const struct command *command)
{
    return ask(shopper, command);
}

const struct result *shopper_result(const struct shopper *shopper)
{
    return &shopper->result;
}

struct arena *shopper_arena(struct shopper *shopper)
{
    return &shopper->arena;
}

bool shopper_look(struct shopper *shopper,
                  void (*look)(void *context, const struct server *server, struct reader *reader),
                  void *context)
{
    shopper->doing = "a look";
    return server_look(some_server(), shopper->session, TIMEOUT_MS, look, context);
}

/* ---- Carts ---- */

static void check_own_cart(const struct shopper *shopper, const struct cart *cart,
                           const char *where)
{
    uint32_t found[ITEMS] = {0};
    for (unsigned i = 0; cart != NULL && i < cart->basket.line_count; i++)
        for (unsigned item = 0; item < ITEMS; item++)
            if (str_eq(cart->basket.lines[i].item_key, str_of(item_names[item])))
                found[item] += cart->basket.lines[i].quantity;
    for (unsigned item = 0; item < ITEMS; item++)
        if (found[item] != shopper->holds[item])
            world_fail("shopper %u sees %u of %s in its cart %s; it has put %u there",
                       shopper->number, found[item], item_names[item], where, shopper->holds[item]);
}

static struct id new_operation(void)
{
    return history_id(ID_OPERATION, ++numbers);
}

struct id shopper_operation(void)
{
    return new_operation();
}

static void change_cart(struct shopper *shopper)
{
    unsigned item = (unsigned)world_pick(ITEMS);
    bool empty = true;
    for (unsigned i = 0; i < ITEMS; i++)
        empty = empty && shopper->holds[i] == 0;
    bool add = empty || world_one_in(2);
    struct command command = {
        .type = add ? COMMAND_CART_ADD : COMMAND_CART_SET,
        .operation = new_operation(),
        .home = {(unsigned)world_pick(SHOP_SERVERS_MAX), {2, 3, 1}},
        .cart_item = {.id = history_id(ID_CART, shopper->cart),
                      .item_key = str_of(item_names[item]),
                      .quantity = (uint32_t)(add ? world_between(1, 3) : world_pick(4))}};
    if (ask(shopper, &command) != 0)
        world_fail("shopper %u may not change its cart: %.*s", shopper->number,
                   STR_FMT(shopper->result.text));
    if (add)
        shopper->holds[item] += command.cart_item.quantity;
    else
        shopper->holds[item] = command.cart_item.quantity;
    check_own_cart(shopper, &shopper->result.cart, "in the answer");
    if (!world_one_in(4))
        return;
    /* A proxy sends it once more. */
    if (ask(shopper, &command) != 0)
        world_fail("shopper %u: its cart's change, repeated, is refused", shopper->number);
    check_own_cart(shopper, &shopper->result.cart, "in the answer to the repeated request");
}

static void see_cart(void *context, const struct server *server, struct reader *reader)
{
    struct shopper *shopper = context;
    struct cart cart;
    uint64_t index;
    arena_reset(&shopper->arena);
    CHECK(reader_begin(reader, &index) == 0);
    int err = reader_cart(reader, &shopper->arena, history_id(ID_CART, shopper->cart), &cart);
    if (index < shopper->session)
        world_fail("server %u shows entry %llu; it said that it has %llu", server->number + 1,
                   (unsigned long long)index, (unsigned long long)shopper->session);
    if (err != 0 && err != ERR_NOTFOUND)
        world_fail("server %u: the cart cannot be read", server->number + 1);
    check_own_cart(shopper, err == 0 && !cart.canceled ? &cart : NULL, "on another server");
    reader_end(reader);
    shopper->session = index;
}

/* Promise 4: on whichever server, once that one has what the shopper has seen. */
static void look_at_cart(struct shopper *shopper)
{
    server_look(some_server(), shopper->session, TIMEOUT_MS, see_cart, shopper);
}

/* ---- Buying ---- */

static void begin_checkout(struct shopper *shopper, uint32_t number, bool from_cart)
{
    struct command_line line = {.item_key = str_of(item_names[world_pick(ITEMS)]),
                                .quantity = (uint32_t)world_between(1, 3)};
    struct command command = {.type = COMMAND_CHECKOUT_CREATE,
                              .operation = new_operation(),
                              .checkout = {.id = history_id(ID_CHECKOUT, number),
                                           .has_basket = true,
                                           .basket = {.lines = &line,
                                                      .line_count = 1,
                                                      .buyer = {.email = STR("jane@example.com")}},
                                           .has_fulfillment = true,
                                           .destinations = {{.country = STR("US")}},
                                           .destination_count = 1}};
    if (world_one_in(3))
        command.checkout.platform = STR("https://platform.example/profile");
    if (from_cart)
        command.checkout.cart_id = history_id(ID_CART, shopper->cart);
    ask(shopper, &command);
}

static struct command end_of(uint32_t number, enum command_type type, uint32_t attempt)
{
    return (struct command){.type = type,
                            .complete = {.id = history_id(ID_CHECKOUT, number),
                                         .attempt = attempt,
                                         .expected_total = -1,
                                         .payment = {.reference = STR("auth_1")}}};
}

static void take_out_bought(struct shopper *shopper, const struct checkout *checkout)
{
    for (unsigned i = 0; i < checkout->basket.line_count; i++)
        for (unsigned item = 0; item < ITEMS; item++) {
            const struct line *line = &checkout->basket.lines[i];
            uint32_t *holds = &shopper->holds[item];
            if (str_eq(line->item_key, str_of(item_names[item])))
                *holds -= line->quantity < *holds ? line->quantity : *holds;
        }
}

/* The money is there: whatever happens, the order has to be. */
static void confirm(struct shopper *shopper, uint32_t number, uint32_t attempt, bool from_cart)
{
    struct command command = end_of(number, COMMAND_CHECKOUT_CONFIRM, attempt);
    if (ask(shopper, &command) != 0)
        world_fail("shopper %u has paid and gets nothing: %.*s", shopper->number,
                   STR_FMT(shopper->result.text));
    uint64_t order = shopper->result.checkout.order_number;
    if (from_cart)
        take_out_bought(shopper, &shopper->result.checkout);
    if (order == 0)
        world_fail("shopper %u has paid and has no order", shopper->number);
    if (!world_one_in(3))
        return;
    if (ask(shopper, &command) != 0 || shopper->result.checkout.order_number != order)
        world_fail("shopper %u: its confirmation, repeated, gives another order", shopper->number);
}

static void buy(struct shopper *shopper)
{
    uint32_t number = ++numbers;
    bool from_cart = false;
    for (unsigned i = 0; i < ITEMS; i++)
        from_cart = from_cart || shopper->holds[i] > 0;
    from_cart = from_cart && world_one_in(2);
    begin_checkout(shopper, number, from_cart);
    if (shopper->result.err != 0)
        return;
    /* A cart has one checkout at a time: maybe an earlier one. */
    number = history_number(shopper->result.checkout.id);
    struct command hold = end_of(number, COMMAND_CHECKOUT_HOLD, 0);
    hold.operation = new_operation();
    if (ask(shopper, &hold) != 0)
        return; /* sold out, mostly */
    uint32_t attempt = shopper->result.checkout.attempt;
    rest(1, 300); /* the bank is asked */
    if (world_one_in(4)) {
        struct command release = end_of(number, COMMAND_CHECKOUT_RELEASE, attempt);
        ask(shopper, &release);
        return;
    }
    confirm(shopper, number, attempt, from_cart);
}

/* ---- Lives ---- */

static void *be_shopper(void *argument)
{
    struct shopper *shopper = argument;
    while (world.now_ns < shopper->until_ns) {
        rest(1, 400);
        switch (world_pick(6)) {
        case 0:
        case 1:
            change_cart(shopper);
            break;
        case 2:
            look_at_cart(shopper);
            break;
        default:
            buy(shopper);
        }
    }
    shopper->done = true;
    return NULL;
}

static void *be_supplier(void *argument)
{
    struct shopper *supplier = argument;
    while (world.now_ns < supplier->until_ns) {
        rest(50, 1500);
        struct command command = {.type = COMMAND_STOCK_RECEIVE,
                                  .operation = new_operation(),
                                  .item = {.key = str_of(item_names[world_pick(ITEMS)]),
                                           .value = (int64_t)world_between(1, 6)}};
        for (unsigned times = world_one_in(3) ? 2 : 1; times > 0; times--)
            if (ask(supplier, &command) != 0)
                world_fail("goods are refused: %.*s", STR_FMT(supplier->result.text));
        if (world_one_in(4)) {
            struct command expire = {.type = COMMAND_EXPIRE, .limit = 20};
            ask(supplier, &expire);
        }
    }
    supplier->done = true;
    return NULL;
}

static void put_item(struct shopper *shopper, unsigned item, int64_t stock)
{
    struct variant variant = {.price = 1500 + item,
                              .tracked = true,
                              .taxable = true,
                              .needs_shipping = true,
                              .picture = -1,
                              .set_stock = true,
                              .available = stock};
    struct command command = {.type = COMMAND_PRODUCT_PUT,
                              .product = {.handle = str_of(item_names[item]),
                                          .title = str_of(item_names[item]),
                                          .published = true,
                                          .variants = &variant,
                                          .variant_count = 1}};
    if (ask(shopper, &command) != 0)
        world_fail("an item is refused: %.*s", STR_FMT(shopper->result.text));
}

static void open_shop(struct shopper *owner)
{
    static const int64_t stocks[ITEMS] = {10, 5, 400, 0};
    struct command settings = {.type = COMMAND_SETTINGS_PUT,
                               .settings = {.name = STR("Flowers"),
                                            .currency = STR("USD"),
                                            .country = STR("US"),
                                            .hold_ms = 300000,
                                            .checkout_ttl_ms = 6 * 3600 * 1000,
                                            .cart_ttl_ms = 30ll * 24 * 3600 * 1000,
                                            .capture_at_once = world_one_in(3),
                                            .mail = world_one_in(3)}};
    struct command rate = {.type = COMMAND_SHIPPING_RATE_PUT,
                           .rate = {.key = STR("std-ship"),
                                    .country = STR("US"),
                                    .level = STR("standard"),
                                    .title = STR("Standard Shipping"),
                                    .price = 500,
                                    .enabled = true}};
    CHECK(ask(owner, &settings) == 0 && ask(owner, &rate) == 0);
    for (unsigned i = 0; i < ITEMS; i++)
        put_item(owner, i, stocks[i]);
    aftersale_open(owner);
}

/* Goes on until nothing is left to be brought anywhere, which only a copy can tell that has all
 * that the others did. */
static void *be_courier(void *argument)
{
    struct shopper *courier = argument;
    bool quiet;
    do {
        rest(20, 300);
        quiet = all_done_but(COURIER);
        for (unsigned i = 0; i < ALL && quiet; i++)
            if (courier->session < shoppers[i].session)
                courier->session = shoppers[i].session;
    } while (courier_works(courier, quiet));
    courier->done = true;
    return NULL;
}

static void *be_office(void *argument)
{
    struct shopper *office = argument;
    while (world.now_ns < office->until_ns) {
        rest(50, 600);
        office_works(office);
    }
    office->done = true;
    return NULL;
}

/* The owner opens the shop; then come the others. */
static void *be_owner(void *argument)
{
    struct shopper *owner = argument;
    open_shop(owner);
    for (unsigned i = 1; i < shopper_count; i++)
        fiber_start(&outside, be_shopper, &shoppers[i]);
    fiber_start(&outside, be_courier, &shoppers[COURIER]);
    fiber_start(&outside, be_office, &shoppers[OFFICE]);
    return be_supplier(owner);
}

void shoppers_start(unsigned count, uint64_t until_ns)
{
    shopper_count = count;
    outside = (struct life){.server = SERVERS_MAX};
    for (unsigned i = 0; i < ALL; i++) {
        struct shopper *shopper = &shoppers[i];
        bool there = i < count || i >= COURIER;
        *shopper =
            (struct shopper){.number = i, .until_ns = until_ns, .cart = i + 1, .done = !there};
        buf_init(&shopper->record, 1 << 20);
        arena_init(&shopper->arena, 16 << 20);
    }
    fiber_start(&outside, be_owner, &shoppers[0]);
}
