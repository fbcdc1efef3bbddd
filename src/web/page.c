#include "web/page.h"

#include "http/asset.h"
#include "web/call.h"
#include "web/files.h"
#include "web/price.h"
#include "web/session.h"
#include "web/wayback.h"
#include "web/whereabouts.h"

#include <stdlib.h>

enum { PAGE_BYTES_MAX = 4 << 20 };

#define HTML STR("text/html; charset=utf-8")

static void show_way_back(struct page *page)
{
    struct exchange *x = page->x;
    const struct wayback_view *back = call_wayback(x);
    if (!back->url[0])
        return;
    value_text(page->root, "back", arena_str(&x->arena, str_of(back->url)));
    value_text(page->root, "here",
               x->query.len ? ARENA_JOIN(&x->arena, x->path, STR("?"), x->query) : x->path);
}

int page_begin(struct exchange *x, struct page *page, const char *template)
{
    memset(page, 0, sizeof *page);
    page->x = x;
    page->template = template;
    page->reader = call_reader(x);
    int err = page->reader ? reader_begin(page->reader, &page->tags.index) : ERR_IO;
    if (err)
        return err;
    err = reader_settings(page->reader, &x->arena, &page->settings);
    if (err) {
        reader_end(page->reader);
        return err;
    }
    page->root = value_root(&x->arena);
    page->tags.round = cache_round(call_web(x)->settings.cache); /* before it is looked at */
    show_way_back(page);
    struct value *shop = value_map(page->root, "shop");
    value_text(shop, "name", page->settings.name.len ? page->settings.name : STR("Stoa"));
    value_text(shop, "currency", page->settings.currency);
    struct value *asset = value_map(page->root, "asset");
    value_text(asset, "style", files_address(&x->arena, "style.css"));
    value_text(asset, "script", files_address(&x->arena, "script.js"));
    return 0;
}

void page_abandon(struct page *page)
{
    reader_end(page->reader);
}

void page_title(struct page *page, struct str title, struct str description)
{
    value_text(page->root, "title", title);
    value_text(page->root, "description", description);
}

void page_canonical(struct page *page, struct str path)
{
    const char *base = call_web(page->x)->settings.base_url;
    if (base && *base)
        value_printf(page->root, "canonical", "%s%.*s", base, STR_FMT(path));
}

/* The filled template in OUT; ends the view. */
static int render(struct page *page, struct buf *out)
{
    reader_end(page->reader);
    const struct template *template =
        template_find(call_web(page->x)->templates, str_of(page->template));
    buf_init(out, PAGE_BYTES_MAX);
    int err = template ? template_render(template, page->root, out) : ERR_INTERNAL;
    if (err) {
        buf_close(out);
        log_line(call_web(page->x)->settings.log, LOG_ERROR, "web", "page %s: %s", page->template,
                 err_sentence(err));
    }
    return err;
}

static enum app_verdict cannot_render(struct exchange *x)
{
    call_security_headers(x, false);
    exchange_reply(x, 500, STR("text/plain; charset=utf-8"),
                   STR("This page cannot be shown. Try again in a minute.\n"));
    return APP_DONE;
}

enum app_verdict page_reply(struct page *page, int status)
{
    struct exchange *x = page->x;
    struct buf out;
    if (render(page, &out))
        return cannot_render(x);
    size_t len = 0;
    char *bytes = buf_take(&out, &len);
    if (exchange_at_end(x, free, bytes)) {
        free(bytes);
        return cannot_render(x);
    }
    call_security_headers(x, true);
    whereabouts_keep(x);
    exchange_add_header(x, STR("Cache-Control"), STR("private, no-store"));
    exchange_reply(x, status, HTML, str_make(bytes, len));
    x->compressible = true;
    return APP_DONE;
}

enum app_verdict page_keep(struct page *page, struct str key)
{
    struct exchange *x = page->x;
    struct buf out;
    if (render(page, &out))
        return cannot_render(x);
    struct http_page *ready = call_page_new(x, true, HTML, STR("no-cache"), buf_text(&out));
    buf_close(&out);
    if (!ready)
        return cannot_render(x);
    cache_put(call_web(x)->settings.cache, key, ready, &page->tags);
    call_tell_tags(x, &page->tags);
    whereabouts_keep(x);
    exchange_page(x, ready);
    http_page_drop(ready);
    return APP_DONE;
}

void page_money(struct page *page, struct value *map, const char *key, int64_t amount)
{
    value_text(map, key, price_text(&page->x->arena, amount, page->settings.currency));
}

void page_card(struct page *page, struct value *list, const struct product_card *card, bool eager)
{
    cache_tag_product(&page->tags, card->id);
    struct value *map = value_add_map(list);
    value_text(map, "handle", card->handle);
    value_text(map, "title", card->title);
    value_text(map, "vendor", card->vendor);
    value_text(map, "picture", card->picture.url);
    value_text(map, "alt", card->picture.alt);
    value_bool(map, "eager", eager);
    value_bool(map, "available", card->available);
    value_bool(map, "from", card->price_max > card->price_min);
    page_money(page, map, "price", card->price_min);
    if (card->compare_at > card->price_min)
        page_money(page, map, "compare_at", card->compare_at);
}

static void add_line(struct page *page, struct value *list, const struct line *line)
{
    struct value *map = value_add_map(list);
    value_text(map, "item_key", line->item_key);
    value_int(map, "line_id", line->line_id);
    value_int(map, "quantity", line->quantity);
    value_text(map, "title", line->variant_id ? line->title : STR("No longer available"));
    value_text(map, "options", line->option_text);
    value_text(map, "handle", line->handle);
    value_text(map, "picture", line->picture_url);
    page_money(page, map, "unit_price", line->unit_price);
    page_money(page, map, "subtotal", line->subtotal);
    page_money(page, map, "total", line->subtotal - line->discount);
    value_bool(map, "several", line->quantity > 1);
    value_bool(map, "discounted", line->discount > 0);
}

static void add_messages(struct value *map, const struct basket *basket)
{
    struct value *list = value_list(map, "messages");
    for (unsigned i = 0; i < basket->message_count; i++) {
        const struct message *message = &basket->messages[i];
        /* What is still missing is asked for by the checkout's pages, and a refused card is told
         * where cards are chosen. */
        if (str_eq(message->code, STR("missing")) || str_eq(message->code, STR("payment_failed")))
            continue;
        struct value *item = value_add_map(list);
        value_text(item, "text", message->content);
        value_bool(item, "bad", message->type == MESSAGE_ERROR);
    }
}

/* Tax that the prices contain is shown, but is not part of the sum (shop/model.h). */
static bool tax_is_included(const struct basket *basket)
{
    int64_t sum = 0;
    for (unsigned i = 0; i < basket->total_count; i++)
        if (basket->totals[i].type != TOTAL_TOTAL && basket->totals[i].type != TOTAL_TAX)
            sum += basket->totals[i].amount;
    return sum == basket_total(basket, TOTAL_TOTAL);
}

static void add_totals(struct page *page, struct value *map, const struct basket *basket)
{
    struct value *totals = value_list(map, "totals");
    bool included = tax_is_included(basket);
    for (unsigned i = 0; i < basket->total_count; i++) {
        const struct total *from = &basket->totals[i];
        struct value *total = value_add_map(totals);
        value_text(total, "text", from->text);
        page_money(page, total, "amount", from->amount);
        value_bool(total, "grand", from->type == TOTAL_TOTAL);
        value_bool(total, "free", from->type == TOTAL_FULFILLMENT && from->amount == 0);
        value_bool(total, "included", from->type == TOTAL_TAX && included);
    }
}

void page_basket(struct page *page, struct value *map, const struct basket *basket)
{
    struct value *lines = value_list(map, "lines");
    for (unsigned i = 0; i < basket->line_count; i++)
        add_line(page, lines, &basket->lines[i]);
    value_int(map, "units", basket_units(basket));
    value_bool(map, "one", basket_units(basket) == 1);

    struct value *codes = value_list(map, "codes");
    for (unsigned i = 0; i < basket->code_count; i++)
        value_add_text(codes, basket->codes[i]);

    add_totals(page, map, basket);
    page_money(page, map, "subtotal", basket_total(basket, TOTAL_SUBTOTAL));
    page_money(page, map, "total", basket_total(basket, TOTAL_TOTAL));
    add_messages(map, basket);
}
