/* One history on a primary, where somebody waits for each result, and on a copy, where nobody
 * does: the databases are the same, for every kind of command. */
#include "shop_fixture.h"

struct pair {
    struct fixture *primary, *copy;
    unsigned keyed; /* 0: commands as they are; 1: with an operation id; 2: with a key */
    unsigned number, done[COMMAND_TYPE_COUNT];
};

static void apply_one(struct fixture *f, struct str record, struct buf *answer)
{
    struct failure failure = {0};
    f->index++;
    f->now += 1000;
    if (shop_begin(f->shop, &failure) ||
        shop_apply(f->shop, f->index, f->now, record, answer, &failure) ||
        shop_commit(f->shop, f->index, f->now, &failure))
        fail_msg("%s", failure.text);
}

static void expect_same(struct pair *p, enum command_type type)
{
    unsigned char first[DB_DIGEST], second[DB_DIGEST];
    uint64_t index;
    assert_int_equal(audit_digest(p->primary->file, first, &index, NULL), 0);
    assert_int_equal(audit_digest(p->copy->file, second, &index, NULL), 0);
    if (memcmp(first, second, DB_DIGEST) != 0)
        fail_msg("%s, form %u: the copy differs", command_name(type), p->keyed);
}

/* The result is in p->primary->result. Twice: the second time it is refused, or shown again. */
static int both(struct pair *p, struct command *command)
{
    int err = 0;
    p->number++;
    if (p->keyed == 1)
        command->operation = test_id(90000 + p->number);
    if (p->keyed == 2) {
        command->idempotency = IDEMPOTENCY_FULL;
        command->idempotency_key[0] = (unsigned char)p->number;
        command->idempotency_key[1] = 1;
    }
    for (unsigned round = 0; round < (p->keyed ? 2 : 1); round++) {
        struct fixture *f = p->primary;
        buf_clear(&f->record);
        buf_clear(&f->answer);
        command_encode(&f->record, command);
        assert_false(f->record.failed);
        apply_one(f, buf_text(&f->record), &f->answer);
        apply_one(p->copy, buf_text(&f->record), NULL);
        arena_reset(&f->arena);
        assert_int_equal(result_decode(&f->arena, buf_text(&f->answer), &f->result), 0);
        if (round == 0)
            err = f->result.err;
        expect_same(p, command->type);
    }
    p->done[command->type] += err == 0;
    return err;
}

/* ---- The history ---- */

static void operators(struct pair *p)
{
    struct variant variants[2] = {
        {.key = STR("cup-s"), .options = {STR("Small")}, .price = 700, .picture = -1},
        {.key = STR("cup-l"), .options = {STR("Large")}, .price = 900, .picture = -1}};
    struct command commands[] = {
        {.type = COMMAND_PRODUCT_PUT,
         .product = {.handle = STR("cup"),
                     .title = STR("Cup"),
                     .published = true,
                     .option_names = {STR("Size")},
                     .option_count = 1,
                     .variants = variants,
                     .variant_count = 2}},
        {.type = COMMAND_PRICE_SET, .item = {.key = STR("roses"), .value = 3600}},
        {.type = COMMAND_STOCK_RECEIVE, .item = {.key = STR("roses"), .value = 9}},
        {.type = COMMAND_STOCK_ADJUST, .item = {.key = STR("roses"), .value = -1}},
        {.type = COMMAND_DISCOUNT_PUT,
         .discount = {.key = STR("5OFF"),
                      .code = STR("5OFF"),
                      .type = DISCOUNT_PERCENT,
                      .value = 500,
                      .title = STR("5%"),
                      .enabled = true}},
        {.type = COMMAND_SHIPPING_RATE_PUT,
         .rate = {.key = STR("fast"),
                  .country = STR("US"),
                  .level = STR("express"),
                  .title = STR("Fast"),
                  .price = 900,
                  .enabled = true}},
        {.type = COMMAND_TAX_RATE_PUT,
         .tax = {.country = STR("US"), .ppm = 50000, .title = STR("Sales tax")}},
        {.type = COMMAND_REGISTRY_PUT, .registry = {.key = STR("a/b"), .value = STR("c")}},
        {.type = COMMAND_VARIANT_RETIRE, .key = STR("cup-s")},
        {.type = COMMAND_PRODUCT_RETIRE, .key = STR("cup")},
        {.type = COMMAND_PRODUCT_RETIRE, .key = STR("nothing")},
        {.type = COMMAND_SETTINGS_PUT,
         .settings = {.name = STR("More flowers"),
                      .currency = STR("USD"),
                      .country = STR("US"),
                      .hold_ms = 60000,
                      .checkout_ttl_ms = 600000,
                      .cart_ttl_ms = 600000}}};
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        both(p, &commands[i]);
}

static void imports(struct pair *p)
{
    struct buf chunk;
    buf_init(&chunk, 65536);
    add_to_chunk(&chunk, "imported", 100);
    for (unsigned id = 500; id < 502; id++)
        both(p, &(struct command){.type = COMMAND_IMPORT_STAGE,
                                  .import = {.id = test_id(id), .products = buf_text(&chunk)}});
    both(p, &(struct command){.type = COMMAND_IMPORT_ABORT, .import = {.id = test_id(501)}});
    both(p, &(struct command){.type = COMMAND_IMPORT_COMMIT,
                              .import = {.id = test_id(500), .sequence = 1}});
    both(p, &(struct command){.type = COMMAND_IMPORT_STEP,
                              .import = {.id = test_id(500), .limit = 5}});
    buf_close(&chunk);
}

static void carts(struct pair *p)
{
    static const char *const items[] = {"roses", "tulips", "nothing", "pot"};
    struct command_line lines[2] = {{.item_key = STR("roses"), .quantity = 1},
                                    {.item_key = STR("pot"), .quantity = 2}};
    for (unsigned i = 0; i < COUNT_OF(items); i++)
        both(p,
             &(struct command){
                 .type = COMMAND_CART_ADD,
                 .cart_item = {.id = test_id(1), .item_key = str_of(items[i]), .quantity = 1 + i}});
    both(p, &(struct command){
                .type = COMMAND_CART_SET,
                .cart_item = {.id = test_id(1), .item_key = STR("tulips"), .quantity = 2}});
    for (unsigned i = 2; i < 4; i++)
        both(p, &(struct command){.type = COMMAND_CART_PUT,
                                  .cart_put = {.id = test_id(i),
                                               .basket = {.lines = lines,
                                                          .line_count = 2,
                                                          .codes = {STR("10OFF"), STR("no")},
                                                          .code_count = 2}}});
    both(p, &(struct command){.type = COMMAND_CART_CANCEL, .id = test_id(3)});
    both(p, &(struct command){.type = COMMAND_CART_CANCEL, .id = test_id(4)});
}

static void pay(struct pair *p, unsigned id, enum command_type end)
{
    both(p, &(struct command){.type = COMMAND_CHECKOUT_HOLD,
                              .complete = {.id = test_id(id), .expected_total = -1}});
    both(p, &(struct command){.type = end, .complete = {.id = test_id(id)}});
}

static void checkouts(struct pair *p)
{
    struct command_line line = {.item_key = STR("roses"), .quantity = 1};
    struct checkout_input input = {
        .has_basket = true,
        .basket = {.lines = &line, .line_count = 1, .buyer = {.email = STR("jane@example.com")}},
        .has_fulfillment = true,
        .destinations = {{.country = STR("US")}},
        .destination_count = 1};
    for (unsigned id = 10; id < 15; id++) {
        input.id = test_id(id);
        input.cart_id = id == 10 ? test_id(1) : (struct id){{0}};
        both(p, &(struct command){.type = COMMAND_CHECKOUT_CREATE, .checkout = input});
    }
    line.quantity = 2;
    input.id = test_id(11);
    both(p, &(struct command){.type = COMMAND_CHECKOUT_UPDATE, .checkout = input});
    line.quantity = 5000; /* more than there are */
    input.id = test_id(14);
    both(p, &(struct command){.type = COMMAND_CHECKOUT_UPDATE, .checkout = input});
    pay(p, 10, COMMAND_CHECKOUT_CONFIRM);
    pay(p, 11, COMMAND_CHECKOUT_CONFIRM);
    pay(p, 12, COMMAND_CHECKOUT_RELEASE);
    pay(p, 14, COMMAND_CHECKOUT_CONFIRM);
    both(p, &(struct command){.type = COMMAND_CHECKOUT_CANCEL, .id = test_id(13)});
}

static void orders(struct pair *p)
{
    struct order_quantity back = {0, 1};
    struct outbox_answer taken = {.seq = 1};
    both(p, &(struct command){.type = COMMAND_ORDER_SHIP,
                              .order = {.id = test_id(11), .parcel = {.id = test_id(700)}}});
    assert_int_equal(p->primary->result.kind, RESULT_ORDER);
    back.line_id = p->primary->result.order.basket.lines[0].line_id;
    both(p, &(struct command){.type = COMMAND_ORDER_DELIVER,
                              .order = {.id = test_id(11), .parcel = {.id = test_id(700)}}});
    both(p,
         &(struct command){.type = COMMAND_OUTBOX_DONE, .outbox = {.answers = &taken, .count = 1}});
    both(p, &(struct command){.type = COMMAND_ORDER_REFUND,
                              .order = {.id = test_id(11), .amount = 100}});
    struct outbox_answer given = {.seq = 2, .text = STR("re_1")};
    both(p,
         &(struct command){.type = COMMAND_OUTBOX_DONE, .outbox = {.answers = &given, .count = 1}});
    both(p, &(struct command){.type = COMMAND_ORDER_REFUND_FAILED,
                              .order = {.id = test_id(11), .reference = STR("re_1")}});
    both(p, &(struct command){.type = COMMAND_ORDER_RETRY, .order = {.id = test_id(11)}});
    both(p, &(struct command){
                .type = COMMAND_ORDER_RETURN,
                .order = {.id = test_id(11), .lines = &back, .line_count = 1, .amount = -1}});
    both(p, &(struct command){.type = COMMAND_ORDER_CANCEL, .order = {.id = test_id(10)}});
    both(p, &(struct command){.type = COMMAND_ORDER_CANCEL, .order = {.id = test_id(12)}});
}

static void settled(struct pair *p)
{
    both(p, &(struct command){.type = COMMAND_CHECKOUT_HOLD,
                              .complete = {.id = test_id(12), .expected_total = -1}});
    p->primary->now += 300000;
    p->copy->now += 300000;
    both(p, &(struct command){.type = COMMAND_CHECKOUT_CLAIM, .complete = {.id = test_id(12)}});
    both(p, &(struct command){.type = COMMAND_CHECKOUT_CONFIRM,
                              .complete = {.id = test_id(12), .claimed = true}});
}

static void warehouses(struct pair *p)
{
    both(p, &(struct command){.type = COMMAND_WAREHOUSE_PUT,
                              .warehouse = {.id = STR("main"), .url = STR("https://127.0.0.1:1")}});
    both(p, &(struct command){.type = COMMAND_WAREHOUSE_REPORT,
                              .report = {.warehouse = STR("main"),
                                         .epoch = test_id(800),
                                         .sequence = 1,
                                         .kind = REPORT_ARRIVED,
                                         .item = STR("roses"),
                                         .quantity = 3}});
}

static void expire_all(struct pair *p)
{
    p->primary->now += 40ll * 24 * 3600 * 1000;
    p->copy->now = p->primary->now;
    both(p, &(struct command){.type = COMMAND_EXPIRE, .limit = 100});
}

static void a_copy_is_the_same_though_nobody_there_wants_results(void **state)
{
    (void)state;
    for (unsigned keyed = 0; keyed < 3; keyed++) {
        struct pair p = {.keyed = keyed};
        void *primary, *copy;
        fixture_open(&primary);
        fixture_open(&copy);
        p.primary = primary;
        p.copy = copy;
        carts(&p);
        checkouts(&p);
        settled(&p);
        orders(&p);
        warehouses(&p);
        operators(&p);
        imports(&p);
        carts(&p); /* with the goods and terms of now */
        expire_all(&p);
        for (unsigned type = 1; type < COMMAND_TYPE_COUNT; type++)
            if (p.done[type] == 0)
                fail_msg("form %u: %s has not succeeded once", keyed, command_name(type));
        expect_clean_audit(p.copy);
        fixture_close(&primary);
        fixture_close(&copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_the_same_though_nobody_there_wants_results),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
