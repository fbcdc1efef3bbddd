/* A command that is sent again, as when the primary changes, has one effect and one outcome: a
 * shop to which it came twice has the very same content as one to which it came once. */
#include "shop_fixture.h"

enum { STORY_MAX = 64 };

struct step {
    struct command command;
    const char *what;
    int64_t later_ms; /* than the step before */
};

struct story {
    struct step steps[STORY_MAX];
    unsigned count;
    struct variant variants[2];
    struct command_line line;
    struct order_quantity back;
    struct outbox_answer taken, given;
    struct buf chunk;
};

static struct command *tell(struct story *story, enum command_type type, const char *what)
{
    CHECK(story->count < STORY_MAX);
    struct step *step = &story->steps[story->count++];
    step->what = what;
    step->command.type = type;
    if (command_once(type))
        step->command.operation = test_id(9000 + story->count);
    return &step->command;
}

static void tell_catalogue(struct story *story)
{
    struct command *c = tell(story, COMMAND_SETTINGS_PUT, "settings");
    c->settings = (struct shop_settings){.name = STR("Vases"),
                                         .currency = STR("USD"),
                                         .country = STR("US"),
                                         .hold_ms = 300000,
                                         .checkout_ttl_ms = 6 * 3600 * 1000,
                                         .cart_ttl_ms = 30ll * 24 * 3600 * 1000};
    c = tell(story, COMMAND_DISCOUNT_PUT, "discount");
    c->discount = (struct discount){.key = STR("FIVE"),
                                    .code = STR("FIVE"),
                                    .type = DISCOUNT_PERCENT,
                                    .value = 500,
                                    .enabled = true};
    c = tell(story, COMMAND_SHIPPING_RATE_PUT, "shipping rate");
    c->rate = (struct shipping_rate){.key = STR("slow"),
                                     .country = STR("US"),
                                     .level = STR("slow"),
                                     .title = STR("Slow"),
                                     .price = 100,
                                     .enabled = true};
    tell(story, COMMAND_TAX_RATE_PUT, "tax rate")->tax =
        (struct tax_rate){.country = STR("US"), .region = STR("NV"), .ppm = 70000};
    for (unsigned i = 0; i < 2; i++)
        story->variants[i] = (struct variant){.key = i ? STR("vase-big") : STR("vase-small"),
                                              .options = {i ? STR("big") : STR("small")},
                                              .price = 900,
                                              .tracked = true,
                                              .needs_shipping = true,
                                              .picture = -1,
                                              .set_stock = true,
                                              .available = 7};
    c = tell(story, COMMAND_PRODUCT_PUT, "product");
    c->product = (struct product){.handle = STR("vase"),
                                  .title = STR("Vase"),
                                  .category = STR("Glass"),
                                  .published = true,
                                  .option_names = {STR("Size")},
                                  .option_count = 1,
                                  .variants = story->variants,
                                  .variant_count = 2};
    c = tell(story, COMMAND_PRICE_SET, "price");
    c->item.key = STR("vase-small");
    c->item.value = 950;
    c = tell(story, COMMAND_STOCK_RECEIVE, "goods arrive");
    c->item.key = STR("vase-small");
    c->item.value = 3;
    c = tell(story, COMMAND_STOCK_ADJUST, "a count is corrected");
    c->item.key = STR("vase-small");
    c->item.value = -1;
    tell(story, COMMAND_VARIANT_RETIRE, "variant retired")->key = STR("vase-big");
}

static void complete(struct story *story, enum command_type type, const char *what, unsigned id,
                     uint32_t attempt)
{
    struct command *c = tell(story, type, what);
    c->complete.id = test_id(id);
    c->complete.attempt = attempt;
    c->complete.expected_total = -1;
    c->complete.payment.handler_id = STR("sandbox");
    if (type == COMMAND_CHECKOUT_RELEASE)
        c->complete.payment.error = STR("declined");
}

static void tell_checkout(struct story *story, enum command_type type, const char *what,
                          unsigned id, unsigned cart)
{
    struct command *c = tell(story, type, what);
    c->checkout = (struct checkout_input){.id = test_id(id),
                                          .has_basket = cart == 0,
                                          .basket = {.lines = &story->line,
                                                     .line_count = 1,
                                                     .buyer = {.email = STR("jo@example.com")}},
                                          .has_fulfillment = true,
                                          .destinations = {{.country = STR("US")}},
                                          .destination_count = 1};
    if (cart != 0)
        c->checkout.cart_id = test_id(cart);
}

static void tell_purchase(struct story *story)
{
    story->line = (struct command_line){.item_key = STR("roses"), .quantity = 2};
    struct command *c = tell(story, COMMAND_CART_PUT, "cart replaced");
    c->cart_put.id = test_id(1);
    c->cart_put.basket = (struct basket_input){.lines = &story->line, .line_count = 1};
    c = tell(story, COMMAND_CART_ADD, "added to a cart");
    c->cart_item.id = test_id(1);
    c->cart_item.item_key = STR("vase-small");
    c->cart_item.quantity = 2;
    c = tell(story, COMMAND_CART_SET, "quantity set");
    c->cart_item.id = test_id(1);
    c->cart_item.item_key = STR("roses");
    c->cart_item.quantity = 1;
    tell_checkout(story, COMMAND_CHECKOUT_CREATE, "checkout of a cart", 100, 1);
    tell_checkout(story, COMMAND_CHECKOUT_UPDATE, "checkout changed", 100, 0);
    complete(story, COMMAND_CHECKOUT_HOLD, "held", 100, 0);
    complete(story, COMMAND_CHECKOUT_RELEASE, "released", 100, 1);
    complete(story, COMMAND_CHECKOUT_HOLD, "held again", 100, 0);
    complete(story, COMMAND_CHECKOUT_CONFIRM, "bought", 100, 2);
    c = tell(story, COMMAND_CART_PUT, "another cart");
    c->cart_put.id = test_id(2);
    c->cart_put.basket = (struct basket_input){.lines = &story->line, .line_count = 1};
    tell(story, COMMAND_CART_CANCEL, "cart canceled")->id = test_id(2);
    c = tell(story, COMMAND_CART_PUT, "begun anew");
    c->cart_put.id = test_id(2);
    c->cart_put.basket = (struct basket_input){.lines = &story->line, .line_count = 1};
    tell_checkout(story, COMMAND_CHECKOUT_CREATE, "checkout", 101, 0);
    tell(story, COMMAND_CHECKOUT_CANCEL, "checkout canceled")->id = test_id(101);
    tell(story, COMMAND_PRODUCT_RETIRE, "product retired")->key = STR("tulips");
}

static struct command *tell_change(struct story *story, enum command_type type, const char *what,
                                   unsigned id)
{
    struct command *c = tell(story, type, what);
    c->order.id = test_id(id);
    return c;
}

/* The order of tell_purchase, and another one that the primary had to settle. */
static void tell_orders(struct story *story)
{
    tell_change(story, COMMAND_ORDER_SHIP, "sent", 100)->order.parcel.id = test_id(700);
    tell_change(story, COMMAND_ORDER_DELIVER, "arrived", 100)->order.parcel.id = test_id(700);
    story->taken = (struct outbox_answer){.seq = 1, .text = STR("charge")};
    struct command *c = tell(story, COMMAND_OUTBOX_DONE, "the bank has taken the money");
    c->outbox.answers = &story->taken;
    c->outbox.count = 1;
    tell_change(story, COMMAND_ORDER_REFUND, "some given back", 100)->order.amount = 100;
    story->given = (struct outbox_answer){.seq = 2, .text = STR("re_1")};
    c = tell(story, COMMAND_OUTBOX_DONE, "the bank has given it back");
    c->outbox.answers = &story->given;
    c->outbox.count = 1;
    c = tell_change(story, COMMAND_ORDER_REFUND_FAILED, "it came back to the bank", 100);
    c->order.reference = STR("re_1");
    tell_change(story, COMMAND_ORDER_RETRY, "tried again", 100);
    story->back = (struct order_quantity){3, 1};
    c = tell_change(story, COMMAND_ORDER_RETURN, "one came back", 100);
    c->order.lines = &story->back;
    c->order.line_count = 1;
    c->order.amount = -1;
    c->order.restock = true;
    tell_checkout(story, COMMAND_CHECKOUT_CREATE, "another checkout", 102, 0);
    complete(story, COMMAND_CHECKOUT_HOLD, "its goods held", 102, 0);
    complete(story, COMMAND_CHECKOUT_CLAIM, "claimed", 102, 1);
    story->steps[story->count - 1].later_ms = 300000;
    complete(story, COMMAND_CHECKOUT_CONFIRM, "settled", 102, 1);
    story->steps[story->count - 1].command.complete.claimed = true;
    tell_change(story, COMMAND_ORDER_CANCEL, "order canceled", 102);
}

static void tell_warehouse(struct story *story)
{
    struct command *c = tell(story, COMMAND_WAREHOUSE_PUT, "a warehouse");
    c->warehouse = (struct warehouse){.id = STR("main"), .url = STR("https://127.0.0.1:1")};
    c = tell(story, COMMAND_WAREHOUSE_REPORT, "goods arrived there");
    c->report = (struct warehouse_report){.warehouse = STR("main"),
                                          .epoch = test_id(800),
                                          .sequence = 1,
                                          .kind = REPORT_ARRIVED,
                                          .item = STR("roses"),
                                          .quantity = 3};
}

static void tell_import(struct story *story)
{
    static struct variant variant = {
        .key = {"jar", 3}, .price = 300, .picture = -1, .set_stock = true, .available = 4};
    struct product jar = {.handle = STR("jar"),
                          .title = STR("Jar"),
                          .published = true,
                          .variants = &variant,
                          .variant_count = 1};
    buf_init(&story->chunk, 1 << 16);
    command_put_product(&story->chunk, &jar);
    for (unsigned id = 500; id < 502; id++) {
        struct command *c = tell(story, COMMAND_IMPORT_STAGE, "chunk staged");
        c->import.id = test_id(id);
        c->import.products = buf_text(&story->chunk);
        if (id == 500) {
            c = tell(story, COMMAND_IMPORT_COMMIT, "import decided");
            c->import.id = test_id(id);
            c->import.sequence = 1;
            c = tell(story, COMMAND_IMPORT_STEP, "import moved");
            c->import.id = test_id(id);
            c->import.limit = 100;
        } else {
            tell(story, COMMAND_IMPORT_ABORT, "import dropped")->import.id = test_id(id);
        }
    }
}

static struct story *story_new(void)
{
    struct story *story = calloc(1, sizeof *story);
    tell_catalogue(story);
    tell_purchase(story);
    tell_orders(story);
    tell_warehouse(story);
    tell_import(story);
    struct command *c = tell(story, COMMAND_REGISTRY_PUT, "registered");
    c->registry.key = STR("servers/next");
    c->registry.condition = REGISTRY_ABSENT;
    c->registry.value = STR("4");
    tell(story, COMMAND_EXPIRE, "swept")->limit = 1000;
    return story;
}

static void story_free(struct story *story)
{
    buf_close(&story->chunk);
    free(story);
}

/* Something came that changes nothing: so that both shops are at the same entry. */
static void let_one_pass(struct fixture *f)
{
    struct failure failure = {0};
    buf_clear(&f->answer);
    f->index++;
    f->now += 10;
    CHECK(shop_begin(f->shop, &failure) == 0);
    CHECK(shop_apply(f->shop, f->index, f->now, STR("?"), &f->answer, &failure) == 0);
    CHECK(shop_commit(f->shop, f->index, f->now, &failure) == 0);
}

static void expect_same(struct fixture *once, struct fixture *twice, const char *what)
{
    unsigned char a[DB_DIGEST], b[DB_DIGEST];
    uint64_t at, also_at;
    struct failure failure;
    assert_int_equal(audit_digest(once->file, a, &at, &failure), 0);
    assert_int_equal(audit_digest(twice->file, b, &also_at, &failure), 0);
    assert_int_equal(at, also_at);
    if (memcmp(a, b, sizeof a) != 0)
        fail_msg("\"%s\" has another effect when it comes again", what);
}

static void expect_outcome(struct fixture *f, const struct step *step, int err)
{
    if (f->result.err != err)
        fail_msg("\"%s\": %s, and when it comes again %s (%.*s)", step->what, err_name(err),
                 err_name(f->result.err), STR_FMT(f->result.text));
}

static void open_both(struct fixture **once, struct fixture **twice)
{
    void *state;
    fixture_open(&state);
    *once = state;
    fixture_open(&state);
    *twice = state;
}

static void close_both(struct fixture *once, struct fixture *twice)
{
    void *state = once;
    fixture_close(&state);
    state = twice;
    fixture_close(&state);
}

static void every_command_has_one_effect_and_one_outcome(void **state)
{
    (void)state;
    struct fixture *once, *twice;
    struct story *story = story_new();
    bool told[COMMAND_TYPE_COUNT] = {false};
    open_both(&once, &twice);
    for (unsigned i = 0; i < story->count; i++) {
        const struct step *step = &story->steps[i];
        told[step->command.type] = true;
        once->now += step->later_ms;
        twice->now += step->later_ms;
        if (apply_command(once, &step->command) != 0)
            fail_msg("\"%s\": %.*s", step->what, STR_FMT(once->result.text));
        assert_int_equal(apply_command(twice, &step->command), 0);
        enum result_kind kind = twice->result.kind;
        let_one_pass(once);
        apply_command(twice, &step->command);
        expect_outcome(twice, step, 0);
        assert_int_equal(twice->result.kind, kind);
        expect_same(once, twice, step->what);
    }
    for (int type = 1; type < COMMAND_TYPE_COUNT; type++)
        if (!told[type])
            fail_msg("no story of %s", command_name((enum command_type)type));
    close_both(once, twice);
    story_free(story);
}

/* Something else may come in between: what others sent meanwhile. */
static void what_came_in_between_stays(void **state)
{
    (void)state;
    struct fixture *once, *twice;
    struct story *story = story_new();
    open_both(&once, &twice);
    for (unsigned i = 0; i < story->count; i++) {
        const struct step *step = &story->steps[i], *before = i > 0 ? step - 1 : NULL;
        once->now += step->later_ms;
        twice->now += step->later_ms;
        assert_int_equal(apply_command(once, &step->command), 0);
        assert_int_equal(apply_command(twice, &step->command), 0);
        /* A hold is released by whoever has its answer, or minutes later. */
        if (before == NULL || step->command.type == COMMAND_CHECKOUT_RELEASE)
            continue;
        let_one_pass(once);
        apply_command(twice, &before->command);
        if (command_once(before->command.type))
            expect_outcome(twice, before, 0);
        expect_same(once, twice, before->what);
    }
    close_both(once, twice);
    story_free(story);
}

/* What is shown for a change that came again is its cart or checkout as it is then. */
static void a_change_that_came_again_shows_what_it_changed(void **state)
{
    struct fixture *f = *state;
    struct command_line line = {.item_key = STR("roses"), .quantity = 2};
    struct command put = {
        .type = COMMAND_CART_PUT,
        .operation = test_id(1),
        .cart_put = {.id = test_id(7), .basket = {.lines = &line, .line_count = 1}}};
    struct command cancel = {
        .type = COMMAND_CART_CANCEL, .operation = test_id(2), .id = test_id(7)};
    assert_int_equal(apply_command(f, &put), 0);
    assert_int_equal(cart_add(f, test_id(7), "pot", 1), 0);
    assert_int_equal(apply_command(f, &put), 0);
    assert_int_equal(f->result.kind, RESULT_CART);
    assert_int_equal(f->result.cart.basket.line_count, 2);
    assert_int_equal(f->result.cart.version, 2);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(apply_command(f, &cancel), 0);
        assert_true(f->result.cart.canceled);
        assert_int_equal(f->result.cart.version, 3);
    }
    struct command drop = {
        .type = COMMAND_CHECKOUT_CANCEL, .operation = test_id(3), .id = test_id(8)};
    assert_int_equal(checkout_direct(f, test_id(8), "pot", 1, "US"), 0);
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(apply_command(f, &drop), 0);
        assert_int_equal(f->result.kind, RESULT_CHECKOUT);
        assert_int_equal(f->result.checkout.status, CHECKOUT_CANCELED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_has_one_effect_and_one_outcome),
        cmocka_unit_test(what_came_in_between_stays),
        cmocka_unit_test_setup_teardown(a_change_that_came_again_shows_what_it_changed,
                                        fixture_open, fixture_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
