/* Buying and settling with everything real but the bank: libraft, SQLite, the shop's rules.
 *
 * Many shoppers want more than there is, cards are refused, and the bank is out of reach
 * for one call in five. When all is settled, every unit is sold once or still there.
 */
#include "base/check.h"
#include "base/clock.h"
#include "outside/buy.h"
#include "outside/import_stage.h"
#include "outside/settle.h"
#include "replica/replica.h"
#include "shop/audit.h"
#include "shop/command.h"
#include "shop/shop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

enum { SHOPPERS = 200, STOCK = 120 };

struct scene {
    char dir[64], file[96];
    struct shop *shop;
    struct replica *replica;
    struct ordering *order;
    struct bank *bank;
    struct buying *buying;
    struct settle *settle;
    struct settle_view view;
    struct arena arena;
    atomic_uint answered, paid, refused, undecided, others;
};

static uint64_t real_applied(void *shop)
{
    return shop_applied_index(shop);
}

static int64_t real_applied_time(void *shop)
{
    return shop_applied_time(shop);
}

static int real_begin(void *shop, struct failure *failure)
{
    return shop_begin(shop, failure);
}

static int real_apply(void *shop, uint64_t index, int64_t time_ms, struct str command,
                      struct buf *result, struct failure *failure)
{
    return shop_apply(shop, index, time_ms, command, result, failure);
}

static int real_commit(void *shop, uint64_t index, int64_t time_ms, struct failure *failure)
{
    return shop_commit(shop, index, time_ms, failure);
}

static int real_make_durable(void *shop, uint64_t *index, struct failure *failure)
{
    return shop_make_durable(shop, index, failure);
}

static void real_fatal(void *context, const char *reason)
{
    (void)context;
    fprintf(stderr, "%s\n", reason);
    abort();
}

static void run(struct scene *scene, const struct command *command)
{
    struct buf record, answer;
    struct result result;
    buf_init(&record, ORDER_COMMAND_MAX);
    buf_init(&answer, 1 << 20);
    command_encode(&record, command);
    assert_int_equal(order_submit_wait(scene->order, buf_text(&record), &answer, NULL), 0);
    assert_int_equal(result_decode(&scene->arena, buf_text(&answer), &result), 0);
    if (result.err != 0)
        fail_msg("%s: %.*s", command_name(command->type), STR_FMT(result.text));
    buf_close(&record);
    buf_close(&answer);
}

static void open_shop(struct scene *scene)
{
    struct failure failure = {0};
    if (shop_open(scene->file, NULL, NULL, &scene->shop, &failure) != 0)
        fail_msg("%s", failure.text);
    struct machine machine = {scene->shop, real_applied, real_applied_time, real_begin,
                              real_apply,  real_commit,  real_make_durable};
    struct replica_config config = {.dir = scene->dir, .id = 1, .fatal = real_fatal};
    config.snapshot_threshold = 100;
    if (replica_start(&config, &machine, &scene->replica, &failure) != 0)
        fail_msg("%s", failure.text);
    scene->order = replica_order(scene->replica);
    if (settle_view_open(scene->file, &scene->view, &failure) != 0)
        fail_msg("%s", failure.text);
}

static void begin(struct scene *scene)
{
    memset(scene, 0, sizeof *scene);
    snprintf(scene->dir, sizeof scene->dir, "/tmp/stoa-outside-XXXXXX");
    assert_non_null(mkdtemp(scene->dir));
    snprintf(scene->file, sizeof scene->file, "%s/shop.db", scene->dir);
    arena_init(&scene->arena, 64 << 20);
    open_shop(scene);
    assert_int_equal(bank_sandbox_new(&scene->bank), 0);
    struct buying_config config = {.order = scene->order, .bank = scene->bank};
    assert_int_equal(buying_new(&config, &scene->buying), 0);
}

static void put_goods(struct scene *scene)
{
    struct variant variant = {.price = 3500, .tracked = true, .picture = -1, .set_stock = true};
    variant.available = STOCK;
    run(scene, &(struct command){.type = COMMAND_SETTINGS_PUT,
                                 .settings = {.name = STR("Flowers"),
                                              .currency = STR("USD"),
                                              .country = STR("US"),
                                              .hold_ms = 1000,
                                              .checkout_ttl_ms = 6 * 3600 * 1000,
                                              .cart_ttl_ms = 24 * 3600 * 1000}});
    run(scene, &(struct command){.type = COMMAND_PRODUCT_PUT,
                                 .product = {.handle = STR("roses"),
                                             .title = STR("Roses"),
                                             .published = true,
                                             .variants = &variant,
                                             .variant_count = 1}});
}

static struct id new_checkout(struct scene *scene)
{
    struct command_line line = {.item_key = STR("roses"), .quantity = 1};
    struct id id = id_new(clock_wall_ms());
    run(scene,
        &(struct command){.type = COMMAND_CHECKOUT_CREATE,
                          .checkout = {.id = id,
                                       .has_basket = true,
                                       .basket = {.lines = &line,
                                                  .line_count = 1,
                                                  .buyer = {.email = STR("jane@example.com")}}}});
    return id;
}

static void bought(void *context, uint64_t index, struct str record)
{
    struct scene *scene = context;
    struct arena arena;
    struct result result;
    (void)index;
    arena_init(&arena, 1 << 20);
    CHECK(result_decode(&arena, record, &result) == 0);
    if (result.err == ERR_TIMEOUT)
        atomic_fetch_add(&scene->undecided, 1);
    else if (result.err != 0)
        atomic_fetch_add(&scene->others, 1);
    else if (result.checkout.status == CHECKOUT_COMPLETED)
        atomic_fetch_add(&scene->paid, 1);
    else
        atomic_fetch_add(&scene->refused, 1);
    atomic_fetch_add(&scene->answered, 1);
    arena_close(&arena);
}

/* Every hold is overdue at once, those that are being paid this moment too: to settle what
 * is not to be settled yet must do no harm either. */
static int impatient_due(void *context, struct arena *arena, int64_t now_ms, struct due *due)
{
    struct scene *scene = context;
    return scene->view.due(scene->view.context, arena, now_ms + 3600 * 1000, due);
}

static int impatient_overdue(void *context, struct arena *arena, int64_t now_ms,
                             const struct overdue_place *after, struct overdue_place **places,
                             unsigned *count)
{
    struct scene *scene = context;
    return scene->view.overdue(scene->view.context, arena, now_ms + 3600 * 1000, after, places,
                               count);
}

static int its_checkout(void *context, struct arena *arena, struct id id, struct checkout *checkout)
{
    struct scene *scene = context;
    return scene->view.checkout(scene->view.context, arena, id, checkout);
}

static int its_currency(void *context, struct arena *arena, struct str *currency)
{
    struct scene *scene = context;
    return scene->view.currency(scene->view.context, arena, currency);
}

static void start_settle(struct scene *scene)
{
    struct failure failure;
    struct settle_view impatient = {scene, impatient_due, impatient_overdue, its_checkout,
                                    its_currency};
    struct settle_config config = {
        .order = scene->order, .bank = scene->bank, .view = impatient, .interval_ms = 50};
    assert_int_equal(settle_start(&config, &scene->settle, &failure), 0);
}

static struct shop_counts wait_until_nothing_is_held(struct scene *scene)
{
    struct reader *reader;
    struct failure failure;
    struct shop_counts counts;
    uint64_t deadline = clock_mono_ns() + 30 * SEC_NS;
    assert_int_equal(reader_open(scene->file, &reader, &failure), 0);
    do {
        assert_true(clock_mono_ns() < deadline);
        usleep(20 * 1000); /* no wait: the pace of looking */
        assert_int_equal(reader_counts(reader, &counts), 0);
    } while (counts.held_units > 0);
    reader_close(reader);
    return counts;
}

static void say(void *context, const char *sentence)
{
    (void)context;
    print_error("audit: %s\n", sentence);
}

static void end(struct scene *scene)
{
    struct failure failure;
    struct audit_report report;
    char command[100];
    buying_free(scene->buying);
    if (scene->settle != NULL)
        settle_stop(scene->settle);
    settle_view_close(&scene->view);
    replica_stop(scene->replica);
    shop_close(scene->shop);
    bank_sandbox_free(scene->bank);
    assert_int_equal(audit_run(scene->file, say, NULL, &report, &failure), 0);
    assert_int_equal(report.differences, 0);
    arena_close(&scene->arena);
    snprintf(command, sizeof command, "rm -rf %s", scene->dir);
    assert_int_equal(system(command), 0);
}

static void buy_one(struct scene *scene, struct id checkout, const char *token)
{
    struct buy_request request = {.checkout = checkout,
                                  .payment = {.handler_id = STR("sandbox")},
                                  .token = str_of(token),
                                  .currency = STR("USD"),
                                  .expected_total = 3500,
                                  .done = bought,
                                  .context = scene};
    assert_int_equal(buy_start(scene->buying, &request), 0);
}

static void every_unit_is_sold_once_or_still_there(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    put_goods(&scene);
    bank_sandbox_set(scene.bank, &(struct bank_sandbox_faults){
                                     .latency_ms = 2, .down_percent = 10, .lost_percent = 10});
    start_settle(&scene);
    struct id ids[SHOPPERS];
    for (unsigned i = 0; i < SHOPPERS; i++)
        ids[i] = new_checkout(&scene);
    for (unsigned i = 0; i < SHOPPERS; i++)
        buy_one(&scene, ids[i], i % 4 == 0 ? "fail_token" : "success_token");
    uint64_t deadline = clock_mono_ns() + 30 * SEC_NS;
    while (atomic_load(&scene.answered) < SHOPPERS) {
        assert_true(clock_mono_ns() < deadline);
        usleep(1000); /* no wait: the pace of looking */
    }
    struct shop_counts counts = wait_until_nothing_is_held(&scene);
    print_message("paid %u, refused %u, undecided %u, others %u; sold %llu\n", scene.paid,
                  scene.refused, scene.undecided, scene.others,
                  (unsigned long long)counts.sold_units);
    assert_true(scene.paid > 0 && scene.refused > 0 && scene.others > 0);
    assert_in_range(counts.orders, scene.paid, scene.paid + scene.undecided);
    assert_int_equal(counts.sold_units, counts.orders);
    assert_true(counts.sold_units <= STOCK);
    end(&scene);
}

/* The home dies after the bank has authorised; settling goes on at the next start. */
static void an_authorised_purchase_is_completed_after_a_restart(void **state)
{
    (void)state;
    struct scene scene;
    begin(&scene);
    put_goods(&scene);
    struct id id = new_checkout(&scene);
    bank_sandbox_set(scene.bank, &(struct bank_sandbox_faults){.lost_percent = 100});
    buy_one(&scene, id, "success_token");
    buying_free(scene.buying);
    assert_int_equal(scene.undecided, 1);
    settle_view_close(&scene.view);
    replica_stop(scene.replica);
    shop_close(scene.shop);

    open_shop(&scene);
    struct buying_config config = {.order = scene.order, .bank = scene.bank};
    assert_int_equal(buying_new(&config, &scene.buying), 0);
    bank_sandbox_set(scene.bank, &(struct bank_sandbox_faults){0});
    start_settle(&scene);
    struct shop_counts counts = wait_until_nothing_is_held(&scene);
    assert_int_equal(counts.orders, 1);
    settle_stop(scene.settle); /* its view is ours now */
    scene.settle = NULL;
    struct checkout checkout;
    assert_int_equal(scene.view.checkout(scene.view.context, &scene.arena, id, &checkout), 0);
    assert_int_equal(checkout.status, CHECKOUT_COMPLETED);
    assert_true(str_starts(checkout.payment.reference, STR("sbx_")));
    end(&scene);
}

static void count_step(void *context)
{
    ++*(unsigned *)context;
}

/* Minutes, with a large one: whoever waits for it must not take it for dead. */
static void an_import_shows_that_it_moves(void **state)
{
    (void)state;
    struct scene scene;
    struct stage stage;
    struct failure failure = {0};
    unsigned steps = 0;
    begin(&scene);
    stage_init(&stage, scene.order);
    stage.stepped = count_step;
    stage.context = &steps;
    for (unsigned i = 0; i < 450; i++) {
        char handle[32];
        snprintf(handle, sizeof handle, "thing-%u", i);
        struct variant variant = {.price = 100, .picture = -1};
        struct product product = {.handle = str_of(handle),
                                  .title = str_of(handle),
                                  .published = true,
                                  .variants = &variant,
                                  .variant_count = 1};
        assert_int_equal(stage_product(&stage, &product, &failure), 0);
    }
    assert_int_equal(steps, 0);
    assert_int_equal(stage_commit(&stage, &failure), 0);
    assert_true(steps >= 3);
    stage_close(&stage);
    end(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_unit_is_sold_once_or_still_there),
        cmocka_unit_test(an_import_shows_that_it_moves),
        cmocka_unit_test(an_authorised_purchase_is_completed_after_a_restart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
