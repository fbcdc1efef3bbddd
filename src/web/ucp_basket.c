#include "web/ucp.h"

/* ---- Reading ---- */

/* "li_7" is line 7 of this cart or checkout; any other id is a new line's. */
static uint32_t line_id_of(struct str id)
{
    uint64_t number;
    if (!str_starts(id, STR("li_")) || str_to_u64(str_from(id, 3), &number) || number > UINT32_MAX)
        return 0;
    return (uint32_t)number;
}

static void read_line(struct json_in *in, const struct json_spot *spot, struct command_line *line)
{
    struct json_spot item = json_member(spot, "item");
    json_require(in, &item);
    json_is_object(in, &item);
    line->item_key = json_need_text(in, &item, "id", SHOP_KEY_MAX);
    struct json_spot quantity = json_member(spot, "quantity");
    json_require(in, &quantity);
    line->quantity = (uint32_t)json_integer(in, &quantity, 1, SHOP_QUANTITY_MAX, 1);
    line->line_id = line_id_of(json_text_of(in, spot, "id", SHOP_KEY_MAX));
}

static void read_lines(struct json_in *in, const struct json_spot *body, bool need_lines,
                       struct basket_input *basket)
{
    struct json_spot list = json_member(body, "line_items");
    if (need_lines)
        json_require(in, &list);
    basket->line_count = json_count(in, &list, SHOP_LINES_MAX);
    if (!basket->line_count)
        return;
    basket->lines = ARENA_ARRAY(in->arena, struct command_line, basket->line_count);
    if (!basket->lines) {
        json_wrong(in, &list, "is too much");
        return;
    }
    for (unsigned i = 0; i < basket->line_count; i++) {
        struct json_spot spot = json_element(&list, i);
        json_require(in, &spot);
        json_is_object(in, &spot);
        read_line(in, &spot, &basket->lines[i]);
    }
}

static void read_buyer(struct json_in *in, const struct json_spot *body, struct buyer *buyer)
{
    struct json_spot spot = json_member(body, "buyer");
    if (!json_is_object(in, &spot))
        return;
    buyer->email = json_text_of(in, &spot, "email", SHOP_KEY_MAX);
    buyer->phone = json_text_of(in, &spot, "phone_number", SHOP_KEY_MAX);
    buyer->first_name = json_text_of(in, &spot, "first_name", SHOP_TEXT_MAX);
    buyer->last_name = json_text_of(in, &spot, "last_name", SHOP_TEXT_MAX);
}

static void read_codes(struct json_in *in, const struct json_spot *body,
                       struct basket_input *basket)
{
    struct json_spot discounts = json_member(body, "discounts");
    if (!json_is_object(in, &discounts))
        return;
    struct json_spot list = json_member(&discounts, "codes");
    basket->code_count = json_count(in, &list, SHOP_CODES_MAX);
    for (unsigned i = 0; i < basket->code_count; i++) {
        struct json_spot spot = json_element(&list, i);
        json_require(in, &spot);
        basket->codes[i] = json_text(in, &spot, SHOP_KEY_MAX);
    }
}

void ucp_read_basket(struct json_in *in, const struct json_spot *body, bool need_lines,
                     struct basket_input *basket)
{
    *basket = (struct basket_input){0};
    read_lines(in, body, need_lines, basket);
    read_buyer(in, body, &basket->buyer);
    read_codes(in, body, basket);
    struct json_spot context = json_member(body, "context");
    if (!json_is_object(in, &context))
        return;
    basket->context_country = json_text_of(in, &context, "address_country", SHOP_KEY_MAX);
    basket->context_region = json_text_of(in, &context, "address_region", SHOP_KEY_MAX);
    basket->context_postal_code = json_text_of(in, &context, "postal_code", SHOP_KEY_MAX);
}

/* ---- Lines ---- */

struct str ucp_line_id(struct arena *arena, const struct line *line)
{
    return arena_printf(arena, "li_%u", line->line_id);
}

void ucp_put_item(struct ucp_view *view, yyjson_mut_val *line_item, const struct line *line)
{
    struct json *json = &view->json;
    yyjson_mut_val *item = json_put_object(json, line_item, "item");
    struct str title = line->title.len ? line->title : line->item_key;
    if (line->option_text.len)
        title =
            arena_printf(json->arena, "%.*s (%.*s)", STR_FMT(title), STR_FMT(line->option_text));
    json_put_text(json, item, "id", line->item_key);
    json_put_text(json, item, "title", title);
    json_put_int(json, item, "price", line->unit_price);
    if (line->picture_url.len)
        json_put_text(json, item, "image_url", ucp_url(view, line->picture_url));
}

static yyjson_mut_val *add_total(struct json *json, yyjson_mut_val *list, enum total_type type,
                                 struct str text, int64_t amount)
{
    yyjson_mut_val *total = json_add_object(json, list);
    json_put_text(json, total, "type", str_of(total_type_name(type)));
    json_put_some(json, total, "display_text", text);
    json_put_int(json, total, "amount", amount);
    return total;
}

void ucp_put_line_totals(struct json *json, yyjson_mut_val *line_item, const struct line *line)
{
    yyjson_mut_val *list = json_put_list(json, line_item, "totals");
    add_total(json, list, TOTAL_SUBTOTAL, STR(""), line->subtotal);
    if (line->discount > 0)
        add_total(json, list, TOTAL_ITEMS_DISCOUNT, STR(""), -line->discount);
    add_total(json, list, TOTAL_TOTAL, STR(""), line->subtotal - line->discount);
}

static void put_lines(struct ucp_view *view, yyjson_mut_val *object, const struct basket *basket)
{
    struct json *json = &view->json;
    yyjson_mut_val *list = json_put_list(json, object, "line_items");
    for (unsigned i = 0; i < basket->line_count; i++) {
        const struct line *line = &basket->lines[i];
        yyjson_mut_val *line_item = json_add_object(json, list);
        json_put_text(json, line_item, "id", ucp_line_id(json->arena, line));
        ucp_put_item(view, line_item, line);
        json_put_int(json, line_item, "quantity", line->quantity);
        ucp_put_line_totals(json, line_item, line);
    }
}

/* ---- Totals ---- */

static bool is_reduction(enum total_type type)
{
    return type == TOTAL_ITEMS_DISCOUNT || type == TOTAL_DISCOUNT;
}

/* A tax that the prices contain must not be an entry of its own, as the entries add up to
 * the total: it is a detail of the total. */
static void put_included(struct json *json, yyjson_mut_val *total, const struct basket *basket,
                         int64_t amount)
{
    int64_t included = 0;
    for (unsigned i = 0; i < basket->total_count; i++)
        if (basket->totals[i].included)
            included += basket->totals[i].amount;
    if (!included)
        return;
    yyjson_mut_val *lines = json_put_list(json, total, "lines");
    yyjson_mut_val *net = json_add_object(json, lines);
    json_put_text(json, net, "display_text", STR("Without tax"));
    json_put_int(json, net, "amount", amount - included);
    for (unsigned i = 0; i < basket->total_count; i++) {
        if (!basket->totals[i].included)
            continue;
        yyjson_mut_val *line = json_add_object(json, lines);
        json_put_text(json, line, "display_text",
                      arena_printf(json->arena, "%.*s, included", STR_FMT(basket->totals[i].text)));
        json_put_int(json, line, "amount", basket->totals[i].amount);
    }
}

void ucp_put_totals(struct json *json, yyjson_mut_val *object, const struct basket *basket)
{
    yyjson_mut_val *list = json_put_list(json, object, "totals");
    bool subtotal = false, whole = false;
    for (unsigned i = 0; i < basket->total_count; i++) {
        const struct total *total = &basket->totals[i];
        if (total->included || (is_reduction(total->type) && total->amount >= 0))
            continue;
        yyjson_mut_val *entry = add_total(json, list, total->type, total->text, total->amount);
        subtotal |= total->type == TOTAL_SUBTOTAL;
        if (total->type == TOTAL_TOTAL) {
            whole = true;
            put_included(json, entry, basket, total->amount);
        }
    }
    /* An empty basket has no totals; the protocol wants these two always. */
    if (!subtotal)
        add_total(json, list, TOTAL_SUBTOTAL, STR("Subtotal"), 0);
    if (!whole)
        add_total(json, list, TOTAL_TOTAL, STR("Total"), 0);
}

/* ---- Discounts, messages, buyer ---- */

static void put_allocations(struct json *json, yyjson_mut_val *one,
                            const struct discount_applied *applied)
{
    yyjson_mut_val *list = json_put_list(json, one, "allocations");
    if (applied->on_shipping) {
        yyjson_mut_val *part = json_add_object(json, list);
        json_put_text(json, part, "path", STR("$.totals.shipping"));
        json_put_int(json, part, "amount", applied->amount);
    }
    for (unsigned i = 0; applied->parts && i < applied->part_count; i++) {
        if (!applied->parts[i])
            continue;
        yyjson_mut_val *part = json_add_object(json, list);
        json_put_text(json, part, "path", arena_printf(json->arena, "$.line_items[%u]", i));
        json_put_int(json, part, "amount", applied->parts[i]);
    }
}

static void put_discounts(struct json *json, yyjson_mut_val *object, const struct basket *basket)
{
    if (!basket->code_count && !basket->applied_count)
        return;
    yyjson_mut_val *discounts = json_put_object(json, object, "discounts");
    yyjson_mut_val *codes = json_put_list(json, discounts, "codes");
    for (unsigned i = 0; i < basket->code_count; i++)
        json_add_text(json, codes, basket->codes[i]);
    yyjson_mut_val *list = json_put_list(json, discounts, "applied");
    for (unsigned i = 0; i < basket->applied_count; i++) {
        const struct discount_applied *applied = &basket->applied[i];
        yyjson_mut_val *one = json_add_object(json, list);
        if (!applied->automatic)
            json_put_some(json, one, "code", applied->code);
        json_put_text(json, one, "title", applied->title.len ? applied->title : applied->key);
        json_put_int(json, one, "amount", applied->amount);
        json_put_bool(json, one, "automatic", applied->automatic);
        json_put_text(json, one, "method", applied->percent ? STR("each") : STR("across"));
        json_put_int(json, one, "priority", i + 1);
        put_allocations(json, one, applied);
    }
}

static void put_messages(struct json *json, yyjson_mut_val *object, const struct basket *basket)
{
    static const char *const types[] = {"error", "warning", "info"};
    static const char *const severities[] = {
        [SEVERITY_NONE] = "recoverable",
        [SEVERITY_RECOVERABLE] = "recoverable",
        [SEVERITY_BUYER_INPUT] = "requires_buyer_input",
        [SEVERITY_BUYER_REVIEW] = "requires_buyer_review",
        [SEVERITY_UNRECOVERABLE] = "unrecoverable",
    };
    yyjson_mut_val *list = json_put_list(json, object, "messages");
    for (unsigned i = 0; i < basket->message_count; i++) {
        const struct message *message = &basket->messages[i];
        yyjson_mut_val *one = json_add_object(json, list);
        json_put_text(json, one, "type", str_of(types[message->type]));
        json_put_text(json, one, "code", message->code);
        json_put_some(json, one, "path", message->path);
        json_put_text(json, one, "content", message->content);
        if (message->type == MESSAGE_ERROR)
            json_put_text(json, one, "severity", str_of(severities[message->severity]));
    }
}

static void put_buyer(struct json *json, yyjson_mut_val *object, const struct basket *basket)
{
    const struct buyer *buyer = &basket->buyer;
    if (buyer->email.len || buyer->phone.len || buyer->first_name.len || buyer->last_name.len) {
        yyjson_mut_val *one = json_put_object(json, object, "buyer");
        json_put_some(json, one, "email", buyer->email);
        json_put_some(json, one, "phone_number", buyer->phone);
        json_put_some(json, one, "first_name", buyer->first_name);
        json_put_some(json, one, "last_name", buyer->last_name);
    }
    if (basket->context_country.len || basket->context_region.len ||
        basket->context_postal_code.len) {
        yyjson_mut_val *one = json_put_object(json, object, "context");
        json_put_some(json, one, "address_country", basket->context_country);
        json_put_some(json, one, "address_region", basket->context_region);
        json_put_some(json, one, "postal_code", basket->context_postal_code);
    }
}

void ucp_put_basket(struct ucp_view *view, yyjson_mut_val *object, const struct basket *basket)
{
    put_lines(view, object, basket);
    put_buyer(&view->json, object, basket);
    json_put_text(&view->json, object, "currency", view->settings.currency);
    ucp_put_totals(&view->json, object, basket);
    put_discounts(&view->json, object, basket);
    put_messages(&view->json, object, basket);
}

static void put_link(struct ucp_view *view, yyjson_mut_val *list, const char *type,
                     struct str title, struct str url)
{
    if (!url.len)
        return;
    yyjson_mut_val *link = json_add_object(&view->json, list);
    json_put_text(&view->json, link, "type", str_of(type));
    json_put_text(&view->json, link, "url", ucp_url(view, url));
    json_put_text(&view->json, link, "title", title);
}

void ucp_put_links(struct ucp_view *view, yyjson_mut_val *object)
{
    const struct shop_settings *settings = &view->settings;
    yyjson_mut_val *list = json_put_list(&view->json, object, "links");
    put_link(view, list, "terms_of_service", STR("Terms of sale"),
             settings->terms_url.len ? settings->terms_url : STR("/terms"));
    put_link(view, list, "privacy_policy", STR("Privacy"),
             settings->privacy_url.len ? settings->privacy_url : STR("/privacy"));
    put_link(view, list, "refund_policy", STR("Refunds"), settings->refund_url);
}
