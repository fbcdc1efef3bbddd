#include "outside/warehouse_token.h"
#include "web/api.h"
#include "web/gate.h"
#include "web/submit_many.h"

/* What a warehouse reports: shipped, delivered, returned, short, arrived, counted, product.
 *
 *   POST /api/warehouse/{id}/reports   Authorization: Bearer <its token>
 *   {"epoch": "<32 hex digits>", "reports": [{"sequence": 1, "kind": "shipped", …}, …]}
 *
 * Up to 100 of them, in the order of their numbers. Each is a command of its own; they go into the
 * log together, and the first that is not taken ends it:
 *
 *   200  {"sequence": N}                                  all; N is the number of the last
 *   409  {"error": "gap", "expected": N}                  N is to come first
 *   409  {"error": "epoch", "text": …}                    of another database than before
 *   422  {"error": "refused", "sequence": N, "text": …}   this one cannot be; those before are
 *                                                         taken
 *   404  {"error": "unknown", …}, 400 {"error": "malformed", …}, 503 as everywhere
 *
 * A number that was taken before is taken again without effect, so that a warehouse that has no
 * answer sends the same again, to any server. What each means: shop/warehouse.h. */

enum { REPORTS_MAX = 100, REPORTS_BYTES = 2 << 20 };

struct reports {
    struct json_in in;
    struct json_spot root, list;
    struct id epoch;
    struct str warehouse;
    unsigned count, sent, at;      /* at: the one whose outcome is looked at */
    uint64_t numbers[REPORTS_MAX]; /* 0: it has none */
    struct submit_many *many;
};

/* ---- Answers ---- */

static enum app_verdict answer(struct exchange *x, int status, struct json *json)
{
    return call_json(x, status, json_end(json));
}

static enum app_verdict refuse(struct exchange *x, int status, const char *error, struct str text)
{
    struct json json;
    json_begin(&json, &x->arena);
    json_put_text(&json, json.root, "error", str_of(error));
    json_put_text(&json, json.root, "text", text);
    return answer(x, status, &json);
}

static enum app_verdict refuse_report(struct exchange *x, uint64_t number, struct str text)
{
    struct json json;
    json_begin(&json, &x->arena);
    json_put_text(&json, json.root, "error", STR("refused"));
    json_put_int(&json, json.root, "sequence", (int64_t)number);
    json_put_text(&json, json.root, "text", text);
    return answer(x, 422, &json);
}

static struct str problem(struct exchange *x, const struct json_in *in)
{
    return arena_printf(&x->arena, "%.*s %.*s", STR_FMT(in->path), STR_FMT(in->problem));
}

/* Whether TOKEN is that of the warehouse in the path: the one that was made last, as far as this
 * server's copy has it. */
static bool is_token(struct exchange *x, struct str token)
{
    struct warehouse *list;
    unsigned count = 0;
    uint32_t renewed = 0;
    if (reader_warehouses(call_reader(x), &x->arena, &list, &count))
        return false;
    for (unsigned i = 0; i < count; i++)
        if (str_eq(list[i].id, call_param(x, 0)))
            renewed = list[i].token;
    return warehouse_token_is(call_web(x)->settings.secret, call_param(x, 0), renewed, token);
}

void api_reports_accept(struct exchange *x)
{
    struct str given = x->known[HTTP_FIELD_AUTHORIZATION];
    x->body_limit = REPORTS_BYTES;
    if (given.len > 7 && str_eq_nocase(str_sub(given, 0, 7), STR("Bearer ")) &&
        is_token(x, str_trim(str_from(given, 7))))
        return;
    exchange_add_header(x, STR("WWW-Authenticate"), STR("Bearer realm=\"stoa\""));
    refuse(x, 401, "unauthorized",
           STR("Send the warehouse's token: Authorization: Bearer TOKEN (the shop's operator has "
               "it: stoa warehouses token ID)."));
}

/* ---- Reading one ---- */

static const char *const kinds[] = {
    [REPORT_SHIPPED] = "shipped", [REPORT_DELIVERED] = "delivered", [REPORT_RETURNED] = "returned",
    [REPORT_SHORT] = "short",     [REPORT_ARRIVED] = "arrived",     [REPORT_COUNTED] = "counted",
    [REPORT_PRODUCT] = "product",
};

static void read_kind(struct json_in *in, const struct json_spot *spot,
                      struct warehouse_report *report)
{
    struct json_spot kind = json_member(spot, "kind");
    json_require(in, &kind);
    struct str name = json_text(in, &kind, SHOP_KEY_MAX);
    for (unsigned i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (str_eq(name, str_of(kinds[i]))) {
            report->kind = (enum report_kind)i;
            return;
        }
    json_wrong(in, &kind, "is no kind of report");
}

static void read_id(struct json_in *in, const struct json_spot *spot, const char *key,
                    struct id *id)
{
    struct json_spot member = json_member(spot, key);
    json_require(in, &member);
    struct str text = json_text(in, &member, SHOP_KEY_MAX);
    if (text.at && id_parse(text, id))
        json_wrong(in, &member, "must be a UUID");
}

static void read_lines(struct json_in *in, const struct json_spot *spot,
                       struct order_change *change)
{
    struct json_spot lines = json_member(spot, "lines");
    json_require(in, &lines);
    change->line_count = json_count(in, &lines, SHOP_LINES_MAX);
    if (json_has(&lines) && change->line_count == 0)
        json_wrong(in, &lines, "is empty: say which lines, and how many of each");
    change->lines = ARENA_ARRAY(in->arena, struct order_quantity, change->line_count);
    if (!change->lines) {
        change->line_count = 0;
        json_wrong(in, &lines, "is more than there is memory for now");
    }
    for (unsigned i = 0; i < change->line_count; i++) {
        struct json_spot one = json_element(&lines, i);
        struct json_spot line = json_member(&one, "line"), quantity = json_member(&one, "quantity");
        json_require(in, &line);
        json_require(in, &quantity);
        change->lines[i].line_id = (uint32_t)json_integer(in, &line, 1, UINT32_MAX, 1);
        change->lines[i].quantity = (uint32_t)json_integer(in, &quantity, 1, SHOP_QUANTITY_MAX, 1);
    }
}

static void read_order_report(struct json_in *in, const struct json_spot *spot,
                              struct warehouse_report *report)
{
    struct order_change *change = &report->change;
    bool parcel = report->kind == REPORT_SHIPPED || report->kind == REPORT_DELIVERED;
    read_id(in, spot, "order", &change->id);
    if (parcel)
        read_id(in, spot, "parcel", &change->parcel.id);
    if (report->kind != REPORT_DELIVERED)
        read_lines(in, spot, change);
    change->parcel.carrier = json_text_of(in, spot, "carrier", SHOP_KEY_MAX);
    change->parcel.tracking = json_text_of(in, spot, "tracking", SHOP_KEY_MAX);
    change->parcel.tracking_url = json_text_of(in, spot, "tracking_url", SHOP_TEXT_MAX);
    change->restock = json_flag_of(in, spot, "restock", false);
    change->text = json_text_of(in, spot, "note", SHOP_TEXT_MAX);
}

static void read_goods(struct json_in *in, const struct json_spot *spot,
                       struct warehouse_report *report)
{
    const char *key = report->kind == REPORT_COUNTED ? "on_hand" : "quantity";
    struct json_spot quantity = json_member(spot, key);
    json_require(in, &quantity);
    report->item = json_need_text(in, spot, "item", SHOP_KEY_MAX);
    report->quantity = json_integer(in, &quantity, 0, INT64_MAX, 0);
    report->text = json_text_of(in, spot, "note", SHOP_TEXT_MAX);
}

/* A warehouse names no options: several variants are told apart by their titles. */
static void read_variant(struct json_in *in, const struct json_spot *spot, bool several,
                         struct variant *variant)
{
    struct json_spot price = json_member(spot, "price");
    json_require(in, &price);
    variant->key = json_text_of(in, spot, "key", SHOP_KEY_MAX);
    variant->sku = json_text_of(in, spot, "sku", SHOP_KEY_MAX);
    variant->price = json_integer(in, &price, 0, SHOP_MONEY_MAX, 0);
    variant->tracked = variant->taxable = variant->needs_shipping = true;
    variant->picture = -1;
    struct str title = json_text_of(in, spot, "title", SHOP_KEY_MAX);
    if (several)
        variant->options[0] = title.len > 0 ? title : variant->key;
}

static void read_product(struct json_in *in, const struct json_spot *report,
                         struct product *product)
{
    struct json_spot spot = json_member(report, "product");
    json_require(in, &spot);
    json_is_object(in, &spot);
    product->handle = json_text_of(in, &spot, "handle", SHOP_KEY_MAX);
    product->title = json_need_text(in, &spot, "title", SHOP_TEXT_MAX);
    product->html = json_text_of(in, &spot, "html", SHOP_HTML_MAX);
    product->vendor = json_text_of(in, &spot, "vendor", SHOP_TEXT_MAX);
    product->category = json_text_of(in, &spot, "category", SHOP_TEXT_MAX);
    product->published = true;
    struct json_spot list = json_member(&spot, "variants");
    product->variant_count = json_count(in, &list, SHOP_VARIANTS_MAX);
    product->variants = ARENA_ARRAY(in->arena, struct variant, product->variant_count);
    if (!product->variants)
        product->variant_count = 0;
    bool several = product->variant_count > 1;
    if (several)
        product->option_names[product->option_count++] = STR("Variant");
    for (unsigned i = 0; i < product->variant_count; i++) {
        struct json_spot one = json_element(&list, i);
        json_is_object(in, &one);
        read_variant(in, &one, several, &product->variants[i]);
    }
}

/* The report number AT, from 0, as a command; what is wrong is in reports->in. */
static void read_report(struct reports *reports, unsigned at, struct command *command)
{
    struct json_in *in = &reports->in;
    struct json_spot spot = json_element(&reports->list, at);
    struct json_spot sequence = json_member(&spot, "sequence");
    struct warehouse_report *report = &command->report;
    *report = (struct warehouse_report){.warehouse = reports->warehouse, .epoch = reports->epoch};
    json_require(in, &sequence);
    report->sequence = (uint64_t)json_integer(in, &sequence, 1, INT64_MAX, 0);
    reports->numbers[at] = report->sequence;
    read_kind(in, &spot, report);
    if (report->kind == REPORT_PRODUCT)
        read_product(in, &spot, &report->product);
    else if (report->kind == REPORT_ARRIVED || report->kind == REPORT_COUNTED)
        read_goods(in, &spot, report);
    else
        read_order_report(in, &spot, report);
}

/* ---- All at once ---- */

/* The report at AT has come to OUTCOME; *OVER: it is the one that ends the request. */
static enum app_verdict take_outcome(struct exchange *x, struct reports *reports,
                                     const struct outcome *outcome, bool *over)
{
    const struct result *result = &outcome->result;
    struct json json;
    *over = true;
    if (outcome->err)
        return call_fail_err(x, outcome->err);
    if (result->err == ERR_STATE && result->kind == RESULT_NUMBER) {
        json_begin(&json, &x->arena);
        json_put_text(&json, json.root, "error", STR("gap"));
        json_put_int(&json, json.root, "expected", (int64_t)result->number);
        return answer(x, 409, &json);
    }
    if (result->err == ERR_CONFLICT && result->kind == RESULT_NUMBER)
        return refuse(x, 409, "epoch", result->text);
    if (result->err == ERR_DENIED)
        return refuse(x, 404, "unknown", result->text);
    if (result->err)
        return refuse_report(x, reports->numbers[reports->at], result->text);
    *over = false;
    return APP_DONE;
}

/* What is wrong with the report that could not be read. */
static enum app_verdict refuse_unread(struct exchange *x, const struct reports *reports)
{
    struct str text = problem(x, &reports->in);
    uint64_t number = reports->numbers[reports->at];
    return number ? refuse_report(x, number, text) : refuse(x, 400, "malformed", text);
}

static enum app_verdict take_outcomes(struct exchange *x, struct reports *reports)
{
    struct json json;
    for (bool over; reports->at < reports->sent; reports->at++) {
        enum app_verdict verdict =
            take_outcome(x, reports, submit_many_outcome(reports->many, reports->at), &over);
        if (over)
            return verdict;
    }
    if (json_bad(&reports->in))
        return refuse_unread(x, reports);
    json_begin(&json, &x->arena);
    json_put_int(&json, json.root, "sequence", (int64_t)reports->numbers[reports->count - 1]);
    return answer(x, 200, &json);
}

static void all_applied(struct exchange *x)
{
    gate_finish(x, take_outcomes(x, call_of(x)->own));
}

/* In their order: one that is refused leaves its number free, so that those behind it come too
 * early, and do nothing. What is no report ends it. */
static enum app_verdict send_all(struct exchange *x, struct reports *reports)
{
    struct command *command = ARENA_NEW(&x->arena, struct command);
    reports->many = submit_many_begin(x, reports->count, all_applied);
    if (!command || !reports->many)
        return call_fail_err(x, ERR_NOMEM);
    for (unsigned at = 0; at < reports->count; at++) {
        *command = (struct command){.type = COMMAND_WAREHOUSE_REPORT};
        read_report(reports, at, command);
        if (json_bad(&reports->in))
            break;
        submit_many_add(reports->many, command);
        reports->sent++;
    }
    return submit_many_end(reports->many);
}

enum app_verdict api_reports(struct exchange *x)
{
    struct reports *reports = ARENA_NEW(&x->arena, struct reports);
    if (!reports)
        return call_fail_err(x, ERR_NOMEM);
    call_of(x)->own = reports;
    reports->warehouse = call_param(x, 0);
    json_read(&reports->in, &x->arena, x->body, &reports->root);
    json_is_object(&reports->in, &reports->root);
    read_id(&reports->in, &reports->root, "epoch", &reports->epoch);
    reports->list = json_member(&reports->root, "reports");
    reports->count = json_count(&reports->in, &reports->list, REPORTS_MAX);
    if (json_bad(&reports->in))
        return refuse(x, 400, "malformed", problem(x, &reports->in));
    if (reports->count == 0)
        return refuse(x, 400, "malformed", STR("reports is empty"));
    return send_all(x, reports);
}
