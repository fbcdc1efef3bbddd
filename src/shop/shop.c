#include "shop/shop.h"

#include "base/check.h"
#include "shop/apply.h"
#include "shop/cart.h"
#include "shop/changes.h"
#include "shop/checkout.h"
#include "shop/holds.h"
#include "shop/operations.h"
#include "shop/outbox_counts.h"
#include "shop/remember.h"
#include "shop/result.h"
#include "shop/stock.h"
#include "shop/warehouse.h"
#include "store/freeze.h"
#include "store/schema.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    ITEMS_MAX = 16384,         /* kept in memory, about 400 bytes each */
    COMMAND_MEMORY = 64 << 20, /* one command's; a record of 240 KiB cannot need as much */
    TERMS_MEMORY = 64 << 20,
    ROW_MAX = 4 << 20,
    /* Most carts and checkouts are this short; 5.5 MiB and 4.5 MiB when all are there. */
    CARTS_KEPT = 16384,
    CART_ROOM = 256,
    CHECKOUTS_KEPT = 4096,
    CHECKOUT_ROOM = 1024,
    /* Who applies so many commands in one transaction is catching up (a server that is asked takes
     * fewer at once), and is no longer when so many transactions were smaller. */
    MANY_COMMANDS = 8192,
    USUAL_TRANSACTIONS = 1000,
};

struct shop {
    struct db *db;
    struct items items;
    struct row_cache carts, checkouts;
    struct holds holds;
    struct operations operations;
    struct key_index keys;
    struct warehouses warehouses;
    struct outbox_counts outbox;
    bool items_stale; /* a command changed the catalogue */
    struct arena terms_memory;
    struct terms terms;
    bool terms_known;
    struct arena arena;
    struct buf scratch;
    struct buf unwanted; /* results nobody waits for */
    struct changes changes;
    struct shop_listener listener;
    const struct log *log;

    bool in_transaction;
    unsigned commands; /* of this transaction */
    unsigned usual;    /* transactions since the last one of many */
    uint64_t applied_index;
    int64_t applied_time;
    uint64_t catalogue_index, saved_catalogue_index;
    uint64_t counters[COUNTER_COUNT], saved_counters[COUNTER_COUNT];
};

static const struct row_cache_config cart_rows = {CARTS_KEPT, CART_ROOM, cart_write_row};
static const struct row_cache_config checkout_rows = {CHECKOUTS_KEPT, CHECKOUT_ROOM,
                                                      checkout_write_row};

/* ---- Commands ---- */

typedef int apply_function(struct apply *apply);

static apply_function *const handlers[COMMAND_TYPE_COUNT] = {
    [COMMAND_PRODUCT_PUT] = apply_product_put,
    [COMMAND_PRODUCT_RETIRE] = apply_product_retire,
    [COMMAND_VARIANT_RETIRE] = apply_variant_retire,
    [COMMAND_PRICE_SET] = apply_price_set,
    [COMMAND_STOCK_RECEIVE] = apply_stock_receive,
    [COMMAND_STOCK_ADJUST] = apply_stock_adjust,
    [COMMAND_CART_PUT] = apply_cart_put,
    [COMMAND_CART_ADD] = apply_cart_add,
    [COMMAND_CART_SET] = apply_cart_set,
    [COMMAND_CART_CANCEL] = apply_cart_cancel,
    [COMMAND_CHECKOUT_CREATE] = apply_checkout_create,
    [COMMAND_CHECKOUT_UPDATE] = apply_checkout_update,
    [COMMAND_CHECKOUT_HOLD] = apply_checkout_hold,
    [COMMAND_CHECKOUT_CONFIRM] = apply_checkout_confirm,
    [COMMAND_CHECKOUT_RELEASE] = apply_checkout_release,
    [COMMAND_CHECKOUT_CANCEL] = apply_checkout_cancel,
    [COMMAND_EXPIRE] = apply_expire,
    [COMMAND_SETTINGS_PUT] = apply_settings_put,
    [COMMAND_DISCOUNT_PUT] = apply_discount_put,
    [COMMAND_SHIPPING_RATE_PUT] = apply_shipping_rate_put,
    [COMMAND_TAX_RATE_PUT] = apply_tax_rate_put,
    [COMMAND_IMPORT_STAGE] = apply_import_stage,
    [COMMAND_IMPORT_COMMIT] = apply_import_commit,
    [COMMAND_IMPORT_STEP] = apply_import_step,
    [COMMAND_IMPORT_ABORT] = apply_import_abort,
    [COMMAND_REGISTRY_PUT] = apply_registry_put,
    [COMMAND_CHECKOUT_CLAIM] = apply_checkout_claim,
    [COMMAND_ORDER_CANCEL] = apply_order_cancel,
    [COMMAND_ORDER_SHIP] = apply_order_ship,
    [COMMAND_ORDER_DELIVER] = apply_order_deliver,
    [COMMAND_ORDER_RETURN] = apply_order_return,
    [COMMAND_ORDER_REFUND] = apply_order_refund,
    [COMMAND_WAREHOUSE_PUT] = apply_warehouse_put,
    [COMMAND_WAREHOUSE_REPORT] = apply_warehouse_report,
    [COMMAND_OUTBOX_DONE] = apply_outbox_done,
    [COMMAND_ORDER_RETRY] = apply_order_retry,
    [COMMAND_ORDER_REFUND_FAILED] = apply_order_refund_failed,
};

/* ---- Opening ---- */

static const char *const counter_keys[COUNTER_COUNT] = {
    "next_product", "next_variant",    "next_category", "next_order",
    "next_move",    "listed_products", "variants",      "held_units",
    "sold_units",   "next_outbox",     "lapsed_order",
};
static const uint64_t counter_starts[COUNTER_COUNT] = {[COUNTER_ORDER] = 1000};

static uint64_t read_meta(struct db *db, const char *key, uint64_t otherwise)
{
    struct stmt *row = db_stmt(db, "SELECT value FROM meta WHERE key = ?");
    stmt_bind_str(row, 1, str_of(key));
    return stmt_only_u64(row, otherwise);
}

static void write_meta(struct db *db, const char *key, uint64_t value)
{
    struct stmt *row = db_stmt(db, "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)");
    stmt_bind_str(row, 1, str_of(key));
    stmt_bind_u64(row, 2, value);
    stmt_run(row);
}

static int read_progress(struct shop *shop, struct failure *failure)
{
    shop->applied_index = read_meta(shop->db, "applied_index", 0);
    shop->applied_time = (int64_t)read_meta(shop->db, "applied_time", 0);
    shop->catalogue_index = read_meta(shop->db, "catalogue_index", 0);
    shop->saved_catalogue_index = shop->catalogue_index;
    for (int i = 0; i < COUNTER_COUNT; i++) {
        /* One that was never written is, with the next commit: whether a row is there must not
         * depend on which commands shared a transaction. */
        uint64_t saved = read_meta(shop->db, counter_keys[i], UINT64_MAX);
        shop->counters[i] = saved == UINT64_MAX ? counter_starts[i] : saved;
        shop->saved_counters[i] = saved;
    }
    if (db_failure(shop->db)->err && failure)
        *failure = *db_failure(shop->db);
    return db_failure(shop->db)->err;
}

int shop_open(const char *file, const struct shop_listener *listener, const struct log *log,
              struct shop **out, struct failure *failure)
{
    *out = NULL;
    struct shop *shop = calloc(1, sizeof *shop);
    if (!shop)
        return fail(failure, ERR_NOMEM, "%s: out of memory", file);
    shop->log = log;
    if (listener)
        shop->listener = *listener;
    changes_init(&shop->changes);
    arena_init(&shop->arena, COMMAND_MEMORY);
    arena_init(&shop->terms_memory, TERMS_MEMORY);
    warehouses_init(&shop->warehouses);
    buf_init(&shop->scratch, ROW_MAX);
    buf_init(&shop->unwanted, ROW_MAX);
    int err = db_open(file, DB_WRITER, &shop->db, failure);
    if (!err)
        err = schema_open(shop->db, failure);
    if (!err)
        err = read_progress(shop, failure);
    if (!err && (err = outbox_counts_load(&shop->outbox, shop->db)) != 0)
        *failure = *db_failure(shop->db);
    items_init(&shop->items, shop->db, ITEMS_MAX, true);
    key_index_init(&shop->keys, shop->db);
    row_cache_init(&shop->carts, shop->db, &cart_rows);
    row_cache_init(&shop->checkouts, shop->db, &checkout_rows);
    holds_init(&shop->holds, shop->db);
    operations_init(&shop->operations, shop->db);
    if (err) {
        shop_close(shop);
        return err;
    }
    *out = shop;
    return 0;
}

void shop_close(struct shop *shop)
{
    if (!shop)
        return;
    if (shop->in_transaction)
        db_rollback(shop->db);
    items_close(&shop->items);
    key_index_close(&shop->keys);
    row_cache_clear(&shop->carts);
    row_cache_clear(&shop->checkouts);
    holds_clear(&shop->holds);
    operations_clear(&shop->operations);
    db_close(shop->db);
    changes_close(&shop->changes);
    arena_close(&shop->arena);
    arena_close(&shop->terms_memory);
    warehouses_close(&shop->warehouses);
    buf_close(&shop->scratch);
    buf_close(&shop->unwanted);
    free(shop);
}

uint64_t shop_applied_index(const struct shop *shop)
{
    return shop->applied_index;
}

int64_t shop_applied_time(const struct shop *shop)
{
    return shop->applied_time;
}

/* ---- What the command files use ---- */

int apply_refuse(struct apply *apply, int err, const char *format, ...)
{
    char text[480];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    /* What a face quotes from its input, or where the text was cut, may not be UTF-8. */
    if (!str_is_utf8(str_of(text)))
        for (char *c = text; *c; c++)
            if ((unsigned char)*c >= 0x80)
                *c = '?';
    apply->result->err = err;
    apply->result->text = arena_str(apply->arena, str_of(text));
    return err;
}

int apply_failed(struct apply *apply)
{
    int err = db_failure(apply->db)->err;
    return err ? err : db_fail_memory(apply->db);
}

const struct terms *apply_terms(struct apply *apply)
{
    struct shop *shop = apply->shop;
    if (shop->terms_known)
        return &shop->terms;
    arena_reset(&shop->terms_memory);
    int err = terms_load(shop->db, &shop->terms_memory, &shop->terms);
    if (err == ERR_DAMAGED)
        db_fail_damaged(shop->db, "settings, a discount or a rate cannot be read");
    else if (err)
        db_fail_memory(shop->db);
    shop->terms_known = !err;
    return err ? NULL : &shop->terms;
}

uint64_t apply_next_number(struct apply *apply, enum counter counter)
{
    return ++apply->shop->counters[counter];
}

uint64_t shop_counter(const struct shop *shop, enum counter counter)
{
    return shop->counters[counter];
}

void shop_count(struct shop *shop, enum counter counter, int64_t difference)
{
    shop->counters[counter] += (uint64_t)difference;
}

struct items *shop_items(struct shop *shop)
{
    return &shop->items;
}

struct row_cache *shop_carts(struct shop *shop)
{
    return &shop->carts;
}

struct row_cache *shop_checkouts(struct shop *shop)
{
    return &shop->checkouts;
}

struct holds *shop_holds(struct shop *shop)
{
    return &shop->holds;
}

struct operations *shop_operations(struct shop *shop)
{
    return &shop->operations;
}

int shop_write_back_rows(struct shop *shop)
{
    row_cache_write_back(&shop->carts);
    row_cache_write_back(&shop->checkouts);
    holds_write_back(&shop->holds);
    operations_write_back(&shop->operations);
    return db_failure(shop->db)->err;
}

struct key_index *shop_keys(struct shop *shop)
{
    return &shop->keys;
}

struct outbox_counts *shop_outbox_counts(struct shop *shop)
{
    return &shop->outbox;
}

struct warehouses *shop_warehouses(struct shop *shop)
{
    return &shop->warehouses;
}

struct db *shop_db(struct shop *shop)
{
    return shop->db;
}

void shop_note_product(struct shop *shop, uint64_t product_id, struct str handle, uint64_t index)
{
    changes_product(&shop->changes, product_id, handle, index);
}

void shop_note_lists(struct shop *shop, uint64_t index)
{
    shop->changes.catalogue_index = index;
}

void shop_note_outbox(struct shop *shop, uint64_t index)
{
    shop->changes.outbox_index = index;
}

static void catalogue_changed(struct apply *apply)
{
    apply->shop->catalogue_index = apply->index;
    apply->shop->items_stale = true;
}

void apply_changed_product(struct apply *apply, uint64_t product_id, struct str handle)
{
    catalogue_changed(apply);
    changes_product(&apply->shop->changes, product_id, handle, apply->index);
}

void apply_changed_catalogue(struct apply *apply)
{
    catalogue_changed(apply);
    apply->shop->changes.catalogue_index = apply->index;
}

void apply_changed_settings(struct apply *apply)
{
    catalogue_changed(apply);
    apply->shop->terms_known = false;
    apply->shop->changes.settings_index = apply->index;
}

/* ---- Transactions ---- */

static int broken(struct shop *shop, struct failure *failure)
{
    if (failure)
        *failure = *db_failure(shop->db);
    return db_failure(shop->db)->err;
}

int shop_begin(struct shop *shop, struct failure *failure)
{
    CHECK(!shop->in_transaction);
    /* Here and not after a commit, whose results are waited for. */
    db_checkpoint(shop->db);
    if (db_begin(shop->db))
        return broken(shop, failure);
    shop->in_transaction = true;
    shop->commands = 0;
    return 0;
}

/* The page cache is wide for big transactions, which come one after the other. */
static void count_command(struct shop *shop)
{
    if (++shop->commands != MANY_COMMANDS)
        return;
    shop->usual = 0;
    db_set_cache(shop->db, true);
}

static void count_transaction(struct shop *shop)
{
    if (shop->commands < MANY_COMMANDS && ++shop->usual == USUAL_TRANSACTIONS)
        db_set_cache(shop->db, false);
}

static void save_progress(struct shop *shop)
{
    write_meta(shop->db, "applied_index", shop->applied_index);
    write_meta(shop->db, "applied_time", (uint64_t)shop->applied_time);
    if (shop->catalogue_index != shop->saved_catalogue_index)
        write_meta(shop->db, "catalogue_index", shop->catalogue_index);
    shop->saved_catalogue_index = shop->catalogue_index;
    for (int i = 0; i < COUNTER_COUNT; i++) {
        if (shop->counters[i] != shop->saved_counters[i])
            write_meta(shop->db, counter_keys[i], shop->counters[i]);
        shop->saved_counters[i] = shop->counters[i];
    }
    outbox_counts_save(&shop->outbox, shop->db);
}

int shop_commit(struct shop *shop, uint64_t index, int64_t time_ms, struct failure *failure)
{
    CHECK(shop->in_transaction && index >= shop->applied_index);
    shop_write_back_rows(shop);
    stock_write_back(shop, index);
    shop->applied_index = index;
    if (time_ms > shop->applied_time)
        shop->applied_time = time_ms;
    save_progress(shop);
    if (shop->listener.committing)
        shop->listener.committing(shop->listener.context);
    if (db_commit(shop->db))
        return broken(shop, failure);
    shop->in_transaction = false;
    count_transaction(shop);
    changes_tell(&shop->changes, &shop->listener, index);
    return 0;
}

int shop_make_durable(struct shop *shop, uint64_t *index, struct failure *failure)
{
    CHECK(!shop->in_transaction);
    if (db_make_durable(shop->db))
        return broken(shop, failure);
    *index = shop->applied_index;
    return 0;
}

int shop_freeze(struct shop *shop, uint64_t *size, uint64_t *index, int64_t *time_ms,
                struct failure *failure)
{
    CHECK(!shop->in_transaction);
    int err = db_freeze(shop->db, size, failure);
    *index = shop->applied_index;
    *time_ms = shop->applied_time;
    return err;
}

void shop_thaw(struct shop *shop)
{
    db_thaw(shop->db);
}

int shop_frozen_read(struct shop *shop, uint64_t offset, void *out, size_t len,
                     struct failure *failure)
{
    return db_frozen_read(shop->db, offset, out, len, failure);
}

void shop_rest(struct shop *shop)
{
    row_cache_clear(&shop->carts);
    row_cache_clear(&shop->checkouts);
    holds_clear(&shop->holds);
    operations_clear(&shop->operations);
    db_rest(shop->db);
}

/* ---- One command ---- */

/* The cache is emptied only between commands, as they keep pointers into it. */
static void refresh_items(struct shop *shop, uint64_t index)
{
    if (!shop->items_stale && !items_are_many(&shop->items))
        return;
    stock_write_back(shop, index);
    items_clear(&shop->items);
    shop->items_stale = false;
}

/* What an operation that was applied before is about, as it is now: the first result is not kept,
 * as it would be longer than the cart, the checkout or the order itself. */
static int show_again(struct apply *apply)
{
    const struct command *command = apply->command;
    switch (command->type) {
    case COMMAND_CART_PUT:
        return apply_show_cart(apply, command->cart_put.id);
    case COMMAND_CART_CANCEL:
        return apply_show_cart(apply, command->id);
    case COMMAND_CHECKOUT_UPDATE:
        return apply_show_checkout(apply, command->checkout.id);
    case COMMAND_CHECKOUT_CANCEL:
        return apply_show_checkout(apply, command->id);
    case COMMAND_ORDER_CANCEL:
    case COMMAND_ORDER_RETURN:
    case COMMAND_ORDER_REFUND:
    case COMMAND_ORDER_RETRY:
        return apply_show_order(apply, command->order.id);
    default: /* CART_ADD, CART_SET */
        return apply_show_cart(apply, command->cart_item.id);
    }
}

/* Whether the result is what show_again gives, as far as anybody can tell. */
static bool can_be_shown_again(const struct result *result)
{
    return result->err == 0 && (result->kind == RESULT_CART || result->kind == RESULT_CHECKOUT ||
                                result->kind == RESULT_ORDER);
}

static bool has_operation(const struct command *command)
{
    return command_once(command->type) && !id_is_zero(command->operation);
}

/* Whether the result is what the key of the command's request was answered. A first half that is
 * refused is: the same request may still be on its way a second time, through a server that was
 * stopped, and must not succeed after the shopper was told that it had failed. */
static bool ends_request(const struct apply *apply)
{
    if (apply->passing)
        return false;
    switch (apply->command->idempotency) {
    case IDEMPOTENCY_NONE:
        return false;
    case IDEMPOTENCY_CHECK:
        return apply->result->err != 0;
    case IDEMPOTENCY_FULL:
    case IDEMPOTENCY_KEEP:
        return true;
    }
    return false;
}

/* Appends the result record, and KEEPs it for those who ask again. */
static int give(struct apply *apply, bool keep, struct buf *out)
{
    if (apply->unwanted && can_be_shown_again(apply->result))
        return 0;
    size_t start = out->len;
    if (apply->object.len)
        result_encode_with(out, apply->result, apply->object);
    else
        result_encode(out, apply->result);
    if (out->failed)
        return db_fail_memory(apply->db);
    struct str record = str_make(out->at + start, out->len - start);
    const struct command *command = apply->command;
    if (ends_request(apply))
        remember_idempotent(apply, record);
    if (keep && has_operation(command))
        remember_operation(apply, can_be_shown_again(apply->result) ? STR("") : record);
    return 0;
}

static int run(struct apply *apply, struct buf *out)
{
    const struct command *command = apply->command;
    if (command->idempotency != IDEMPOTENCY_NONE && recall_idempotent(apply, out))
        return 0;
    if (has_operation(command)) {
        switch (recall_operation(apply, out)) {
        case RECALL_NONE:
            break;
        case RECALL_DONE:
            return 0;
        case RECALL_SHOW:
            if (apply->unwanted)
                return 0;
            apply->result->err = show_again(apply);
            return give(apply, false, out);
        }
    }
    if (db_failure(apply->db)->err)
        return 0;
    int err = handlers[command->type](apply);
    /* No answers, as another copy would give another one. */
    if (err == ERR_NOMEM)
        db_fail_memory(apply->db);
    if (err == ERR_DAMAGED)
        db_fail_damaged(apply->db, "a cart, a checkout or an order cannot be read");
    apply->result->err = err;
    return db_failure(apply->db)->err ? 0 : give(apply, true, out);
}

int shop_apply(struct shop *shop, uint64_t index, int64_t time_ms, struct str record,
               struct buf *out, struct failure *failure)
{
    CHECK(shop->in_transaction);
    arena_reset(&shop->arena);
    count_command(shop);
    refresh_items(shop, index);
    /* Never back, however entries are grouped into transactions. */
    if (time_ms > shop->applied_time)
        shop->applied_time = time_ms;
    bool unwanted = out == NULL;
    if (unwanted) {
        out = &shop->unwanted;
        buf_clear(out);
    }
    struct command command;
    struct result result; /* its object, of up to 8 KiB, is not cleared each time */
    result.err = 0;
    result.replayed = false;
    result.text = STR("");
    result.kind = RESULT_NONE;
    struct apply apply = {
        .shop = shop,
        .db = shop->db,
        .items = &shop->items,
        .arena = &shop->arena,
        .scratch = &shop->scratch,
        .index = index,
        .now = shop->applied_time,
        .command = &command,
        .result = &result,
    };
    buf_clear(&shop->scratch);
    int err = command_decode(&shop->arena, record, &command);
    if (err == ERR_NOMEM) {
        db_fail_memory(shop->db);
    } else if (err == ERR_UNSUPPORTED) {
        /* Newer servers do it: to leave it out would make this copy another one than theirs. */
        db_fail_newer(shop->db, "a command of the log");
    } else if (err) {
        apply_refuse(&apply, ERR_INVALID, "the command cannot be read: it is damaged");
        result_encode(out, &result);
    } else {
        apply.unwanted = unwanted && (command.idempotency == IDEMPOTENCY_NONE ||
                                      command.idempotency == IDEMPOTENCY_CHECK);
        run(&apply, out);
    }
    return db_failure(shop->db)->err ? broken(shop, failure) : 0;
}
