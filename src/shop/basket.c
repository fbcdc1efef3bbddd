#include "shop/basket.h"

#include "base/err.h"
#include "shop/message.h"

/* ---- Taking what a face sent ---- */

static bool too_long(struct str text, size_t max)
{
    return text.len > max;
}

/* What of INPUT passes a bound, or NULL. */
static const char *beyond_bounds(const struct basket_input *input)
{
    if (input->line_count > SHOP_LINES_MAX)
        return "there are more than 100 lines; split the purchase";
    if (input->code_count > SHOP_CODES_MAX)
        return "there are more than 10 discount codes; leave some out";
    for (unsigned i = 0; i < input->line_count; i++) {
        if (input->lines[i].quantity > SHOP_QUANTITY_MAX)
            return "a quantity is above 10000, more than is in stock or sold at once; ask for less";
        if (too_long(input->lines[i].item_key, SHOP_KEY_MAX))
            return "an item's id is longer than 255 bytes";
    }
    for (unsigned i = 0; i < input->code_count; i++)
        if (too_long(input->codes[i], SHOP_KEY_MAX))
            return "a discount code is longer than 255 bytes";
    if (too_long(input->buyer.email, SHOP_TEXT_MAX) ||
        too_long(input->buyer.phone, SHOP_TEXT_MAX) ||
        too_long(input->buyer.first_name, SHOP_TEXT_MAX) ||
        too_long(input->buyer.last_name, SHOP_TEXT_MAX))
        return "a field of the buyer is longer than 1000 bytes";
    if (too_long(input->context_country, SHOP_KEY_MAX) ||
        too_long(input->context_region, SHOP_KEY_MAX) ||
        too_long(input->context_postal_code, SHOP_KEY_MAX))
        return "a field of the context is longer than 255 bytes";
    return NULL;
}

static uint32_t highest_line_id(const struct line *lines, unsigned count)
{
    uint32_t highest = 0;
    for (unsigned i = 0; i < count; i++)
        if (lines[i].line_id > highest)
            highest = lines[i].line_id;
    return highest;
}

static bool has_line_id(const struct line *lines, unsigned count, uint32_t line_id)
{
    for (unsigned i = 0; i < count; i++)
        if (lines[i].line_id == line_id)
            return true;
    return false;
}

static int take_lines(struct arena *arena, const struct basket_input *input, struct basket *basket)
{
    struct line *lines = ARENA_ARRAY(arena, struct line, input->line_count + 1);
    if (!lines)
        return ERR_NOMEM;
    uint32_t next = highest_line_id(basket->lines, basket->line_count) + 1;
    unsigned count = 0;
    for (unsigned i = 0; i < input->line_count; i++) {
        const struct command_line *from = &input->lines[i];
        if (from->quantity == 0)
            continue;
        bool keeps = from->line_id != 0 &&
                     has_line_id(basket->lines, basket->line_count, from->line_id) &&
                     !has_line_id(lines, count, from->line_id);
        lines[count++] = (struct line){
            .line_id = keeps ? from->line_id : next++,
            .item_key = from->item_key,
            .quantity = from->quantity,
        };
    }
    basket->lines = lines;
    basket->line_count = count;
    return ERR_OK;
}

int basket_take(struct arena *arena, const struct basket_input *input, struct basket *basket,
                struct str *why)
{
    const char *beyond = beyond_bounds(input);
    if (beyond) {
        *why = str_of(beyond);
        return ERR_INVALID;
    }
    int err = take_lines(arena, input, basket);
    if (err)
        return err;
    basket->buyer = input->buyer;
    basket->context_country = input->context_country;
    basket->context_region = input->context_region;
    basket->context_postal_code = input->context_postal_code;
    basket->code_count = input->code_count;
    for (unsigned i = 0; i < input->code_count; i++)
        basket->codes[i] = str_trim(input->codes[i]);
    return ERR_OK;
}

int basket_copy(struct arena *arena, const struct basket *from, struct basket *to)
{
    struct line *lines = ARENA_ARRAY(arena, struct line, from->line_count + 1);
    if (!lines)
        return ERR_NOMEM;
    for (unsigned i = 0; i < from->line_count; i++)
        lines[i] = from->lines[i];
    *to = *from;
    to->lines = lines;
    return ERR_OK;
}

/* ---- Lines ---- */

struct line *basket_line_of(const struct basket *basket, uint64_t variant_id)
{
    for (unsigned i = 0; i < basket->line_count; i++)
        if (basket->lines[i].variant_id == variant_id)
            return &basket->lines[i];
    return NULL;
}

struct line *basket_add_line(struct arena *arena, struct basket *basket, const struct item *item,
                             int *err)
{
    *err = ERR_FULL;
    if (basket->line_count >= SHOP_LINES_MAX)
        return NULL;
    *err = ERR_NOMEM;
    struct line *lines = ARENA_ARRAY(arena, struct line, basket->line_count + 1);
    if (!lines)
        return NULL;
    for (unsigned i = 0; i < basket->line_count; i++)
        lines[i] = basket->lines[i];
    struct line *line = &lines[basket->line_count];
    line->line_id = highest_line_id(basket->lines, basket->line_count) + 1;
    line->variant_id = item->variant_id;
    line->item_key = item->key;
    basket->lines = lines;
    basket->line_count++;
    *err = ERR_OK;
    return line;
}

void basket_remove_line(struct basket *basket, struct line *line)
{
    unsigned at = (unsigned)(line - basket->lines);
    basket->line_count--;
    for (unsigned i = at; i < basket->line_count; i++)
        basket->lines[i] = basket->lines[i + 1];
}

/* ---- Looking up ---- */

static struct item *find_item(struct items *items, const struct line *line)
{
    struct item *item = line->variant_id != 0 ? items_by_id(items, line->variant_id) : NULL;
    return item ? item : items_find(items, line->item_key);
}

/* Finds the item of LINE and notes which one it is: no item has id 0. */
static int identify_line(const struct basket_view *view, struct line *line, struct item **found)
{
    struct item *item = find_item(view->items, line);
    *found = item;
    if (!item && db_failure(view->items->db)->err)
        return db_failure(view->items->db)->err;
    line->variant_id = item ? item->variant_id : 0;
    if (item)
        line->item_key = item->key;
    return ERR_OK;
}

int basket_identify(const struct basket_view *view, struct basket *basket)
{
    struct item *item;
    int err = ERR_OK;
    for (unsigned i = 0; i < basket->line_count && !err; i++)
        err = identify_line(view, &basket->lines[i], &item);
    return err;
}

static void fill_line(struct line *line, const struct item *item)
{
    line->title = item->title;
    line->option_text = item->option_text;
    line->handle = item->handle;
    line->sku = item->sku;
    line->picture_url = item->picture_url;
    line->unit_price = item->price;
    line->needs_shipping = item->needs_shipping;
    line->taxable = item->taxable;
}

static int resolve_line(const struct basket_view *view, struct basket *basket, unsigned at)
{
    struct line *line = &basket->lines[at];
    struct item *item;
    int err = identify_line(view, line, &item);
    if (err)
        return err;
    if (!item) {
        line->unit_price = 0;
        message_error(
            basket, view->arena, STR("not_found"), message_line_path(view->arena, at, ".item.id"),
            "There is no item \"%.*s\". Take it out, or choose another.", STR_FMT(line->item_key));
        return ERR_OK;
    }
    fill_line(line, item);
    if (!item->for_sale)
        message_error(basket, view->arena, STR("item_unavailable"),
                      message_line_path(view->arena, at, ""),
                      "\"%.*s\" is no longer sold. Take it out.", STR_FMT(line->title));
    if (view->items->live_stock || !item->tracked)
        return ERR_OK;
    return items_load_stock(view->items, item);
}

static void say_short(const struct basket_view *view, bool certain, struct basket *basket,
                      const struct basket_need *need)
{
    int64_t left = need->item->stock.available;
    struct str title = need->item->title;
    struct str option = need->item->option_text;
    struct str name =
        option.len == 0 ? title
                        : arena_printf(view->arena, "%.*s, %.*s", STR_FMT(title), STR_FMT(option));
    struct str path = message_line_path(view->arena, need->line, ".quantity");
    void (*say)(struct basket *, struct arena *, struct str, struct str, const char *, ...) =
        certain ? message_error : message_warning;
    if (left <= 0)
        say(basket, view->arena, STR("out_of_stock"), path, "\"%.*s\" is sold out.", STR_FMT(name));
    else
        say(basket, view->arena, STR("out_of_stock"), path,
            "Only %lld of \"%.*s\" %s left; %lld were asked for.", (long long)left, STR_FMT(name),
            left == 1 ? "is" : "are", (long long)need->quantity);
}

int basket_resolve(const struct basket_view *view, bool certain, struct basket *basket)
{
    basket->message_count = 0;
    for (unsigned i = 0; i < basket->line_count; i++) {
        int err = resolve_line(view, basket, i);
        if (err)
            return err;
    }
    struct basket_need needs[SHOP_LINES_MAX];
    unsigned count;
    basket_needs(view, basket, needs, &count);
    for (unsigned i = 0; i < count; i++)
        if (needs[i].item->for_sale && !item_has(needs[i].item, needs[i].quantity))
            say_short(view, certain, basket, &needs[i]);
    return ERR_OK;
}

void basket_needs(const struct basket_view *view, const struct basket *basket,
                  struct basket_need *needs, unsigned *count)
{
    *count = 0;
    for (unsigned i = 0; i < basket->line_count; i++) {
        const struct line *line = &basket->lines[i];
        if (line->variant_id == 0)
            continue;
        unsigned at = 0;
        while (at < *count && needs[at].item->variant_id != line->variant_id)
            at++;
        if (at < *count) {
            needs[at].quantity += line->quantity;
            continue;
        }
        struct item *item = items_by_id(view->items, line->variant_id);
        if (item)
            needs[(*count)++] = (struct basket_need){item, line->quantity, i};
    }
}

bool basket_needs_shipping(const struct basket *basket)
{
    for (unsigned i = 0; i < basket->line_count; i++)
        if (basket->lines[i].needs_shipping)
            return true;
    return false;
}

bool basket_is_email(struct str text)
{
    ptrdiff_t at = str_find_byte(text, '@');
    if (at <= 0 || (size_t)at + 1 >= text.len)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] <= ' ' || (i != (size_t)at && text.at[i] == '@'))
            return false;
    return true;
}

int basket_price(const struct basket_view *view, const struct basket_place *place,
                 struct basket *basket)
{
    struct pricing_rules rules = {
        .discounts = view->terms->discounts,
        .rates = view->terms->rates,
        .taxes = view->terms->taxes,
        .discount_count = view->terms->discount_count,
        .rate_count = view->terms->rate_count,
        .tax_count = view->terms->tax_count,
    };
    return pricing_basket(view->arena, &rules, view->now_ms, place->country, place->region,
                          place->shipping, basket);
}
