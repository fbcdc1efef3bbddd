#include "shop/command.h"

#include "base/check.h"
#include "shop/coder.h"

/* The version in front of each record; a reader takes every version up to its own. */
enum { COMMAND_VERSION = 3 };
/* What a command is written as that has nothing of the versions after: a server of before knows
 * nothing else. Version 2 brought the home, version 3 what has_more tells. */
enum { VERSION_WITHOUT_HOME = 1, VERSION_WITH_HOME = 2 };

const char *command_name(enum command_type type)
{
    static const char *const names[] = {"NONE",
#define X(name, about) #name,
                                        COMMAND_LIST(X)
#undef X
    };
    return (unsigned)type < COUNT_OF(names) ? names[type] : "?";
}

bool command_once(enum command_type type)
{
    static const bool once[COMMAND_TYPE_COUNT] = {
        [COMMAND_PRODUCT_PUT] = true,       [COMMAND_PRODUCT_RETIRE] = true,
        [COMMAND_VARIANT_RETIRE] = true,    [COMMAND_PRICE_SET] = true,
        [COMMAND_STOCK_RECEIVE] = true,     [COMMAND_STOCK_ADJUST] = true,
        [COMMAND_CART_PUT] = true,          [COMMAND_CART_ADD] = true,
        [COMMAND_CART_SET] = true,          [COMMAND_CART_CANCEL] = true,
        [COMMAND_CHECKOUT_UPDATE] = true,   [COMMAND_CHECKOUT_CANCEL] = true,
        [COMMAND_SETTINGS_PUT] = true,      [COMMAND_DISCOUNT_PUT] = true,
        [COMMAND_SHIPPING_RATE_PUT] = true, [COMMAND_TAX_RATE_PUT] = true,
        [COMMAND_IMPORT_COMMIT] = true,     [COMMAND_REGISTRY_PUT] = true,
        [COMMAND_ORDER_CANCEL] = true,      [COMMAND_ORDER_RETURN] = true,
        [COMMAND_ORDER_REFUND] = true,      [COMMAND_WAREHOUSE_PUT] = true,
        [COMMAND_ORDER_RETRY] = true,
    };
    return once[type];
}

static void code_item(struct coder *coder, struct command *command)
{
    code_str(coder, &command->item.key);
    code_i64(coder, &command->item.value);
    code_i64(coder, &command->item.compare_at);
    code_str(coder, &command->item.note);
}

static void code_cart_put(struct coder *coder, struct command *command)
{
    code_id(coder, &command->cart_put.id);
    code_bool(coder, &command->cart_put.must_exist);
    code_basket_input(coder, &command->cart_put.basket);
}

static void code_cart_item(struct coder *coder, struct command *command)
{
    code_id(coder, &command->cart_item.id);
    code_str(coder, &command->cart_item.item_key);
    code_u32(coder, &command->cart_item.quantity);
}

/* Whether COMMAND says something that a server of before version 3 cannot read. */
static bool has_more(const struct command *command)
{
    switch (command->type) {
    case COMMAND_CHECKOUT_CREATE:
    case COMMAND_CHECKOUT_UPDATE:
        return command->checkout.platform.len > 0;
    case COMMAND_CHECKOUT_CONFIRM:
    case COMMAND_CHECKOUT_RELEASE:
        return command->complete.claimed;
    case COMMAND_SETTINGS_PUT:
        return command->settings.capture_at_once || command->settings.mail;
    default:
        return false;
    }
}

static void code_more(struct coder *coder, struct command *command)
{
    switch (command->type) {
    case COMMAND_CHECKOUT_CREATE:
    case COMMAND_CHECKOUT_UPDATE:
        code_str(coder, &command->checkout.platform);
        return;
    case COMMAND_CHECKOUT_CONFIRM:
    case COMMAND_CHECKOUT_RELEASE:
        code_bool(coder, &command->complete.claimed);
        return;
    case COMMAND_SETTINGS_PUT:
        code_bool(coder, &command->settings.capture_at_once);
        code_bool(coder, &command->settings.mail);
        return;
    default:
        return;
    }
}

static void code_checkout_input(struct coder *coder, struct checkout_input *input)
{
    code_id(coder, &input->id);
    code_id(coder, &input->cart_id);
    code_bool(coder, &input->has_basket);
    if (input->has_basket)
        code_basket_input(coder, &input->basket);
    code_bool(coder, &input->has_fulfillment);
    if (!input->has_fulfillment)
        return;
    code_count(coder, &input->destination_count, SHOP_DESTINATIONS_MAX);
    for (unsigned i = 0; i < input->destination_count; i++)
        code_address(coder, &input->destinations[i]);
    code_str(coder, &input->selected_destination);
    code_str(coder, &input->selected_rate);
}

static void code_complete(struct coder *coder, struct command *command)
{
    code_id(coder, &command->complete.id);
    code_payment(coder, &command->complete.payment);
    code_u32(coder, &command->complete.attempt);
    code_i64(coder, &command->complete.expected_total);
}

static void code_import(struct coder *coder, struct command *command)
{
    code_id(coder, &command->import.id);
    code_u64(coder, &command->import.sequence);
    code_str(coder, &command->import.products);
    code_u64(coder, &command->import.limit);
}

static void code_registry(struct coder *coder, struct command *command)
{
    unsigned condition = command->registry.condition;
    code_str(coder, &command->registry.key);
    code_str(coder, &command->registry.value);
    code_count(coder, &condition, REGISTRY_SAME);
    command->registry.condition = (enum registry_condition)condition;
    code_str(coder, &command->registry.expected);
}

static void code_change(struct coder *coder, struct order_change *change)
{
    code_id(coder, &change->id);
    code_quantities(coder, &change->lines, &change->line_count);
    code_id(coder, &change->parcel.id);
    code_str(coder, &change->parcel.warehouse);
    code_str(coder, &change->parcel.carrier);
    code_str(coder, &change->parcel.tracking);
    code_str(coder, &change->parcel.tracking_url);
    code_i64(coder, &change->amount);
    code_bool(coder, &change->restock);
    code_str(coder, &change->actor);
    code_str(coder, &change->text);
}

static void code_report(struct coder *coder, struct warehouse_report *report)
{
    unsigned kind = report->kind;
    code_str(coder, &report->warehouse);
    code_id(coder, &report->epoch);
    code_u64(coder, &report->sequence);
    code_count(coder, &kind, REPORT_PRODUCT);
    report->kind = (enum report_kind)kind;
    code_change(coder, &report->change);
    code_str(coder, &report->item);
    code_i64(coder, &report->quantity);
    code_str(coder, &report->text);
    if (report->kind == REPORT_PRODUCT)
        code_product(coder, &report->product);
}

static void code_outbox(struct coder *coder, struct command *command)
{
    code_array(coder, (void **)&command->outbox.answers, &command->outbox.count, OUTBOX_ANSWERS_MAX,
               sizeof *command->outbox.answers);
    for (unsigned i = 0; i < command->outbox.count; i++) {
        struct outbox_answer *answer = &command->outbox.answers[i];
        unsigned outcome = answer->outcome;
        code_u64(coder, &answer->seq);
        code_count(coder, &outcome, OUTBOX_REFUSED);
        answer->outcome = (enum outbox_outcome)outcome;
        code_quantities(coder, &answer->lines, &answer->line_count);
        code_str(coder, &answer->text);
    }
}

static void code_body(struct coder *coder, struct command *command)
{
    switch (command->type) {
    case COMMAND_PRODUCT_PUT:
        code_product(coder, &command->product);
        return;
    case COMMAND_PRODUCT_RETIRE:
    case COMMAND_VARIANT_RETIRE:
        code_str(coder, &command->key);
        return;
    case COMMAND_PRICE_SET:
    case COMMAND_STOCK_RECEIVE:
    case COMMAND_STOCK_ADJUST:
        code_item(coder, command);
        return;
    case COMMAND_CART_PUT:
        code_cart_put(coder, command);
        return;
    case COMMAND_CART_ADD:
    case COMMAND_CART_SET:
        code_cart_item(coder, command);
        return;
    case COMMAND_CART_CANCEL:
    case COMMAND_CHECKOUT_CANCEL:
        code_id(coder, &command->id);
        return;
    case COMMAND_CHECKOUT_CREATE:
    case COMMAND_CHECKOUT_UPDATE:
        code_checkout_input(coder, &command->checkout);
        return;
    case COMMAND_CHECKOUT_HOLD:
    case COMMAND_CHECKOUT_CONFIRM:
    case COMMAND_CHECKOUT_RELEASE:
    case COMMAND_CHECKOUT_CLAIM:
        code_complete(coder, command);
        return;
    case COMMAND_EXPIRE:
        code_u64(coder, &command->limit);
        return;
    case COMMAND_SETTINGS_PUT:
        code_settings(coder, &command->settings);
        return;
    case COMMAND_DISCOUNT_PUT:
        code_discount(coder, &command->discount);
        return;
    case COMMAND_SHIPPING_RATE_PUT:
        code_shipping_rate(coder, &command->rate);
        return;
    case COMMAND_TAX_RATE_PUT:
        code_tax_rate(coder, &command->tax);
        return;
    case COMMAND_IMPORT_STAGE:
    case COMMAND_IMPORT_COMMIT:
    case COMMAND_IMPORT_STEP:
    case COMMAND_IMPORT_ABORT:
        code_import(coder, command);
        return;
    case COMMAND_REGISTRY_PUT:
        code_registry(coder, command);
        return;
    case COMMAND_ORDER_CANCEL:
    case COMMAND_ORDER_SHIP:
    case COMMAND_ORDER_DELIVER:
    case COMMAND_ORDER_RETURN:
    case COMMAND_ORDER_REFUND:
    case COMMAND_ORDER_RETRY:
        code_change(coder, &command->order);
        return;
    case COMMAND_ORDER_REFUND_FAILED:
        code_change(coder, &command->order);
        code_str(coder, &command->order.reference);
        return;
    case COMMAND_WAREHOUSE_PUT:
        code_warehouse(coder, &command->warehouse);
        return;
    case COMMAND_WAREHOUSE_REPORT:
        code_report(coder, &command->report);
        return;
    case COMMAND_OUTBOX_DONE:
        code_outbox(coder, command);
        return;
    case COMMAND_NONE:
    case COMMAND_TYPE_COUNT:
        break;
    }
    coder->in.bad = true;
}

static void code_home(struct coder *coder, struct server_set *home)
{
    code_count(coder, &home->count, SHOP_SERVERS_MAX);
    for (unsigned i = 0; i < home->count; i++)
        code_u64(coder, &home->servers[i]);
}

static unsigned version_of(const struct command *command)
{
    if (has_more(command))
        return COMMAND_VERSION;
    return command->home.count ? VERSION_WITH_HOME : VERSION_WITHOUT_HOME;
}

static void code_command(struct coder *coder, struct command *command)
{
    unsigned version = version_of(command), type = command->type, mode = command->idempotency;
    bool has_operation = coder->out && !id_is_zero(command->operation);
    code_count(coder, &version, COMMAND_VERSION);
    if (version == 0)
        coder->in.bad = true;
    code_count(coder, &type, COMMAND_TYPE_COUNT - 1);
    command->type = (enum command_type)type;
    code_bool(coder, &has_operation);
    if (has_operation)
        code_id(coder, &command->operation);
    code_count(coder, &mode, IDEMPOTENCY_KEEP);
    command->idempotency = (enum idempotency_mode)mode;
    if (mode != IDEMPOTENCY_NONE) {
        code_raw(coder, command->idempotency_key, sizeof command->idempotency_key);
        code_raw(coder, command->idempotency_body, sizeof command->idempotency_body);
    }
    if (version > VERSION_WITHOUT_HOME)
        code_home(coder, &command->home);
    if (version == VERSION_WITH_HOME)
        coder->in.bad |= command->home.count == 0;
    code_body(coder, command);
    if (version > VERSION_WITH_HOME)
        code_more(coder, command);
}

void command_encode(struct buf *out, const struct command *command)
{
    CHECK(command->type > COMMAND_NONE && command->type < COMMAND_TYPE_COUNT);
    struct command copy = *command;
    struct coder coder = coder_writing(out);
    code_command(&coder, &copy);
}

/* RECORD is of a version, or a type, that only a later program knows. */
static bool is_newer(struct str record)
{
    struct wire in = wire_of(record);
    uint64_t version = wire_u64(&in), type = wire_u64(&in);
    return !in.bad && version > 0 && (version > COMMAND_VERSION || type >= COMMAND_TYPE_COUNT);
}

int command_decode(struct arena *arena, struct str record, struct command *command)
{
    *command = (struct command){0};
    if (is_newer(record))
        return ERR_UNSUPPORTED;
    struct coder coder = coder_reading(arena, record);
    code_command(&coder, command);
    return coder_end(&coder);
}

void command_put_product(struct buf *out, const struct product *product)
{
    struct product copy = *product;
    struct coder coder = coder_writing(out);
    code_product(&coder, &copy);
}

int command_get_product(struct arena *arena, struct str *records, struct product *product)
{
    *product = (struct product){0};
    struct coder coder = coder_reading(arena, *records);
    code_product(&coder, product);
    if (coder.nomem || coder.in.bad)
        return coder.nomem ? ERR_NOMEM : ERR_INVALID;
    *records = str_from(*records, records->len - wire_left(&coder.in));
    return 0;
}
