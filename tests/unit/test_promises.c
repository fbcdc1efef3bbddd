/* Ten thousand commands at random over four items, and the shop's promises after each:
 * available + held + sold of an item changes only by what arrived; nothing tracked falls
 * below zero; a checkout has one order; the audit finds nothing. A failing seed replays:
 * STOA_SEED=n. */
#include "base/random.h"
#include "shop_fixture.h"

enum { COMMANDS = 10000, CARTS = 12, CHECKOUTS = 40, AUDIT_EVERY = 250 };

static const char *const items[] = {"roses", "tulips", "pot", "gardenias", "orchid"};
enum { ITEMS = 5, BACKORDERED = 4 };

struct world {
    struct fixture *f;
    struct random random;
    struct db *db; /* another look than the shop's own */
    int64_t on_hand[ITEMS];
    unsigned generation[CHECKOUTS]; /* a slot gets a new id when its checkout is over */
    uint64_t order_of[CHECKOUTS];
    unsigned made[COMMAND_TYPE_COUNT], refused[COMMAND_TYPE_COUNT];
};

static unsigned pick(struct world *w, unsigned bound)
{
    return (unsigned)random_below(&w->random, bound);
}

static struct id cart_id(struct world *w)
{
    return test_id(1 + pick(w, CARTS));
}

static struct id checkout_id(struct world *w, unsigned slot)
{
    return test_id(1000 + slot + w->generation[slot] * 1000);
}

static void random_basket(struct world *w, struct basket_input *input, struct command_line *lines)
{
    input->lines = lines;
    input->line_count = pick(w, 4);
    for (unsigned i = 0; i < input->line_count; i++)
        lines[i] = (struct command_line){.item_key = pick(w, 20) ? str_of(items[pick(w, ITEMS)])
                                                                 : STR("pink_wumpus"),
                                         .quantity = pick(w, 4),
                                         .line_id = pick(w, 3)};
    if (pick(w, 8))
        input->buyer.email = STR("jane@example.com");
    if (pick(w, 3) == 0)
        input->codes[input->code_count++] = pick(w, 2) ? STR("10off") : STR("WELCOME20");
}

static void random_checkout(struct world *w, struct command *command, struct command_line *lines)
{
    struct checkout_input *input = &command->checkout;
    input->id = checkout_id(w, pick(w, CHECKOUTS));
    if (command->type == COMMAND_CHECKOUT_CREATE && pick(w, 2))
        input->cart_id = cart_id(w);
    input->has_basket = pick(w, 8) > 0;
    random_basket(w, &input->basket, lines);
    input->has_fulfillment = pick(w, 8) > 0;
    input->destination_count = pick(w, 8) ? 1 : pick(w, 3);
    for (unsigned i = 0; i < input->destination_count; i++)
        input->destinations[i].country = pick(w, 8) ? STR("US") : STR("FR");
}

/* How often each kind comes, of 100. */
static enum command_type random_type(struct world *w)
{
    static const struct {
        unsigned share;
        enum command_type type;
    } mix[] = {
        {15, COMMAND_CART_ADD},       {5, COMMAND_CART_SET},          {4, COMMAND_CART_PUT},
        {1, COMMAND_CART_CANCEL},     {14, COMMAND_CHECKOUT_CREATE},  {6, COMMAND_CHECKOUT_UPDATE},
        {22, COMMAND_CHECKOUT_HOLD},  {14, COMMAND_CHECKOUT_CONFIRM}, {7, COMMAND_CHECKOUT_RELEASE},
        {2, COMMAND_CHECKOUT_CANCEL}, {6, COMMAND_STOCK_RECEIVE},     {2, COMMAND_PRICE_SET},
        {2, COMMAND_EXPIRE}};
    unsigned at = pick(w, 100);
    for (size_t i = 0;; i++) {
        if (at < mix[i].share)
            return mix[i].type;
        at -= mix[i].share;
    }
}

static void random_command(struct world *w, struct command *command, struct command_line *lines)
{
    *command = (struct command){.type = random_type(w)};
    if (pick(w, 4) == 0)
        command->operation = test_id(50000 + pick(w, 1000000));
    switch (command->type) {
    case COMMAND_CART_ADD:
    case COMMAND_CART_SET:
        command->cart_item.id = cart_id(w);
        command->cart_item.item_key = str_of(items[pick(w, ITEMS)]);
        command->cart_item.quantity = pick(w, 4);
        return;
    case COMMAND_CART_PUT:
        command->cart_put.id = cart_id(w);
        random_basket(w, &command->cart_put.basket, lines);
        return;
    case COMMAND_CART_CANCEL:
        command->id = cart_id(w);
        return;
    case COMMAND_CHECKOUT_CANCEL:
        command->id = checkout_id(w, pick(w, CHECKOUTS));
        return;
    case COMMAND_CHECKOUT_CREATE:
    case COMMAND_CHECKOUT_UPDATE:
        random_checkout(w, command, lines);
        return;
    case COMMAND_STOCK_RECEIVE:
    case COMMAND_PRICE_SET:
        command->item.key = str_of(items[pick(w, ITEMS)]);
        command->item.value = 1 + pick(w, command->type == COMMAND_PRICE_SET ? 5000 : 6);
        command->item.compare_at = -1;
        return;
    case COMMAND_EXPIRE:
        command->limit = 1 + pick(w, 20);
        return;
    default:
        command->complete.id = checkout_id(w, pick(w, CHECKOUTS));
        command->complete.expected_total = -1;
        command->complete.attempt = pick(w, 3);
    }
}

/* ---- The promises ---- */

static void stock_is_kept(struct world *w)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        struct stmt *row = db_stmt(w->db, "SELECT available, held, sold FROM stock JOIN variant"
                                          " ON variant.id = stock.variant_id"
                                          " WHERE variant.key = ?");
        stmt_bind_str(row, 1, str_of(items[i]));
        assert_int_equal(stmt_next(row), 0);
        int64_t available = stmt_i64(row, 0), held = stmt_i64(row, 1), sold = stmt_i64(row, 2);
        stmt_done(row);
        assert_int_equal(available + held + sold, w->on_hand[i]);
        assert_true(held >= 0 && sold >= 0 && (available >= 0 || i == BACKORDERED));
    }
}

/* A completed checkout has one order for ever, and no other checkout has it. */
static void orders_are_kept(struct world *w)
{
    const struct checkout *checkout = &w->f->result.checkout;
    if (w->f->result.kind != RESULT_CHECKOUT || checkout->order_number == 0)
        return;
    assert_int_equal(checkout->status, CHECKOUT_COMPLETED);
    for (unsigned slot = 0; slot < CHECKOUTS; slot++) {
        bool same = id_eq(checkout_id(w, slot), checkout->id);
        if (same && w->order_of[slot] == 0)
            w->order_of[slot] = checkout->order_number;
        if (same)
            assert_int_equal(w->order_of[slot], checkout->order_number);
        else
            assert_true(w->order_of[slot] != checkout->order_number);
        if (same && pick(w, 3) == 0) {
            w->generation[slot]++;
            w->order_of[slot] = 0;
        }
    }
}

static void note(struct world *w, const struct command *command)
{
    w->made[command->type]++;
    w->refused[command->type] += w->f->result.err != 0;
    assert_true(w->f->result.err == 0 || w->f->result.text.len > 0);
    for (unsigned i = 0; i < ITEMS && command->type == COMMAND_STOCK_RECEIVE; i++)
        if (str_eq(command->item.key, str_of(items[i])))
            w->on_hand[i] += command->item.value;
}

static void world_open(struct world *w, struct fixture *f, uint64_t seed)
{
    *w = (struct world){.f = f, .on_hand = {10, 5, 1000, 0, 0}};
    random_seed(&w->random, seed);
    struct variant variant = {.price = 4500,
                              .tracked = true,
                              .sell_when_out = true,
                              .needs_shipping = true,
                              .picture = -1,
                              .set_stock = true};
    struct command put = {.type = COMMAND_PRODUCT_PUT,
                          .product = {.handle = STR("orchid"),
                                      .title = STR("Orchid"),
                                      .published = true,
                                      .variants = &variant,
                                      .variant_count = 1}};
    assert_int_equal(apply_command(f, &put), 0);
    struct failure failure;
    assert_int_equal(db_open(f->file, DB_READER, &w->db, &failure), 0);
}

static void ten_thousand_commands_keep_every_promise(void **state)
{
    struct fixture *f = *state;
    const char *seed = getenv("STOA_SEED");
    struct world w;
    world_open(&w, f, seed ? strtoull(seed, NULL, 10) : 20261121);
    for (unsigned step = 0; step < COMMANDS; step++) {
        struct command command;
        struct command_line lines[4];
        random_command(&w, &command, lines);
        if (pick(&w, 500) == 0)
            f->now += 7 * 3600 * 1000;
        apply_command(f, &command);
        note(&w, &command);
        /* A command that comes twice is seen now and then. */
        if (!id_is_zero(command.operation) && pick(&w, 2))
            apply_command(f, &command);
        stock_is_kept(&w);
        orders_are_kept(&w);
        if (step % AUDIT_EVERY == 0)
            expect_clean_audit(f);
    }
    expect_clean_audit(f);
    /* Nothing was tested by commands that were all refused. */
    for (int type = COMMAND_CART_PUT; type <= COMMAND_EXPIRE; type++)
        if (w.made[type] - w.refused[type] < 20)
            fail_msg("%s went through %u times only", command_name((enum command_type)type),
                     w.made[type] - w.refused[type]);
    db_close(w.db);
}

/* The same commands give the same file content: what copies on many servers rest on. */
static uint64_t digest(struct fixture *f, uint64_t seed)
{
    struct world w;
    uint64_t sum = 14695981039346656037u;
    world_open(&w, f, seed);
    for (unsigned step = 0; step < 1000; step++) {
        struct command command;
        struct command_line lines[4];
        random_command(&w, &command, lines);
        apply_command(f, &command);
        for (size_t i = 0; i < f->answer.len; i++)
            sum = (sum ^ (unsigned char)f->answer.at[i]) * 1099511628211u;
    }
    db_close(w.db);
    return sum;
}

static void the_same_commands_give_the_same_answers(void **state)
{
    void *other;
    fixture_open(&other);
    assert_true(digest(*state, 5) == digest(other, 5));
    fixture_close(&other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_open, fixture_close)
    const struct CMUnitTest tests[] = {
        TEST(ten_thousand_commands_keep_every_promise),
        TEST(the_same_commands_give_the_same_answers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
