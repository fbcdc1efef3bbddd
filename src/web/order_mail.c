#include "web/order_mail.h"

#include "http/asset.h"
#include "http/template.h"
#include "web/price.h"

#include <stdlib.h>

enum { MAIL_TEMPLATES_MAX = 16, MAIL_TEXT_MAX = 256 << 10 };

struct order_mails {
    const char *base_url;
    char names[MAIL_TEMPLATES_MAX][32];
    struct template_set *templates;
};

/* pages/mail/placed.txt becomes the template "placed". */
int order_mails_new(const char *base_url, struct order_mails **mails, struct failure *failure)
{
    const struct str folder = STR("pages/mail/"), ending = STR(".txt");
    struct template_source sources[MAIL_TEMPLATES_MAX];
    struct order_mails *made = calloc(1, sizeof *made);
    unsigned count = 0;
    *mails = NULL;
    if (!made)
        return fail(failure, ERR_NOMEM, "out of memory");
    made->base_url = base_url;
    for (unsigned i = 0; i < asset_count && count < MAIL_TEMPLATES_MAX; i++) {
        struct str path = str_of(assets[i].path);
        if (!str_starts(path, folder) || !str_ends(path, ending))
            continue;
        struct str name = str_sub(path, folder.len, path.len - folder.len - ending.len);
        str_copy(made->names[count], sizeof made->names[count], name);
        sources[count] = (struct template_source){made->names[count],
                                                  str_make(assets[i].bytes, assets[i].length)};
        count++;
    }
    int err = template_set_new(sources, count, &made->templates, failure);
    if (err)
        free(made);
    else
        *mails = made;
    return err;
}

void order_mails_free(struct order_mails *mails)
{
    if (mails)
        template_set_free(mails->templates);
    free(mails);
}

/* ---- Values ---- */

/* On one line: a line break that a shopper wrote would look like a line of ours. */
static struct str one_line(struct arena *arena, struct str text)
{
    char *copy = arena_alloc(arena, text.len);
    for (size_t i = 0; copy && i < text.len; i++)
        copy[i] = (unsigned char)text.at[i] < ' ' ? ' ' : text.at[i];
    return str_make(copy, copy ? text.len : 0);
}

static void put_line(struct value *map, const char *key, struct arena *arena, struct str text)
{
    value_text(map, key, one_line(arena, text));
}

static const struct line *line_of(const struct order *order, uint32_t line_id)
{
    for (unsigned i = 0; i < order->basket.line_count; i++)
        if (order->basket.lines[i].line_id == line_id)
            return &order->basket.lines[i];
    return NULL;
}

static void add_line(struct value *list, struct arena *arena, const struct order *order,
                     const struct line *line, uint32_t quantity)
{
    struct value *one = value_add_map(list);
    value_int(one, "quantity", quantity);
    put_line(one, "title", arena, line->title);
    put_line(one, "options", arena, line->option_text);
    value_text(one, "amount", price_text(arena, line->total, order->currency));
}

/* Those that EVENT is about; of the first one all. */
static void put_lines(struct value *root, struct arena *arena, const struct order *order,
                      const struct order_event *event)
{
    struct value *list = value_list(root, "lines");
    for (unsigned i = 0; i < event->line_count; i++) {
        const struct line *line = line_of(order, event->lines[i].line_id);
        if (line)
            add_line(list, arena, order, line, event->lines[i].quantity);
    }
    for (unsigned i = 0;
         event->type == ORDER_EVENT_PLACED && !event->line_count && i < order->basket.line_count;
         i++)
        add_line(list, arena, order, &order->basket.lines[i], order->basket.lines[i].quantity);
}

static struct str label_of(const struct total *total)
{
    static const char *const words[] = {
        [TOTAL_SUBTOTAL] = "Subtotal", [TOTAL_ITEMS_DISCOUNT] = "Discount",
        [TOTAL_DISCOUNT] = "Discount", [TOTAL_FULFILLMENT] = "Shipping",
        [TOTAL_TAX] = "Tax",           [TOTAL_FEE] = "Fee",
        [TOTAL_TOTAL] = "Total",
    };
    return total->text.len ? total->text : str_of(words[total->type]);
}

static void put_totals(struct value *root, struct arena *arena, const struct order *order)
{
    struct value *list = value_list(root, "totals");
    for (unsigned i = 0; i < order->basket.total_count; i++) {
        const struct total *total = &order->basket.totals[i];
        struct value *one = value_add_map(list);
        put_line(one, "label", arena,
                 total->included
                     ? arena_printf(arena, "%.*s (in these prices)", STR_FMT(label_of(total)))
                     : label_of(total));
        value_text(one, "amount", price_text(arena, total->amount, order->currency));
    }
}

static void add_words(struct value *list, struct arena *arena, struct str first, struct str second)
{
    struct str text = !first.len    ? second
                      : !second.len ? first
                                    : ARENA_JOIN(arena, first, STR(" "), second);
    if (text.len)
        value_add_text(list, one_line(arena, text));
}

static void put_destination(struct value *root, struct arena *arena, const struct order *order)
{
    const struct address *address = &order->destination;
    struct value *list = value_list(root, "destination");
    value_bool(root, "needs_shipping", order->needs_shipping);
    add_words(list, arena, address->first_name, address->last_name);
    add_words(list, arena, address->street, STR(""));
    add_words(list, arena, address->extended, STR(""));
    add_words(list, arena, address->postal_code, address->locality);
    add_words(list, arena, address->region, address->country);
    put_line(root, "rate", arena, order->rate.title.len ? order->rate.title : order->rate.key);
}

/* Whether nothing of ORDER is left to be sent. */
static bool is_all(const struct order *order, const struct order_event *event)
{
    return event->type == ORDER_EVENT_CANCELED ? order->status == ORDER_CANCELED
                                               : order->status == ORDER_SHIPPED;
}

static struct value *values_of(const struct order_mails *mails, struct arena *arena,
                               const struct shop_settings *settings, const struct order *order,
                               const struct order_event *event)
{
    struct value *root = value_root(arena);
    char id[ID_TEXT];
    value_printf(root, "number", "%llu", (unsigned long long)order->number);
    put_line(root, "shop", arena, settings->name.len ? settings->name : STR("Stoa"));
    put_line(root, "name", arena, order->basket.buyer.first_name);
    value_printf(root, "url", "%s/order/%s", mails->base_url, id_text(order->id, id));
    value_bool(root, "all", is_all(order, event));
    put_line(root, "reason", arena, event->text);
    put_line(root, "carrier", arena, event->parcel.carrier);
    put_line(root, "tracking", arena, event->parcel.tracking);
    put_line(root, "tracking_url", arena, event->parcel.tracking_url);
    value_text(root, "amount", price_text(arena, event->amount, order->currency));
    put_lines(root, arena, order, event);
    put_totals(root, arena, order);
    put_destination(root, arena, order);
    return root;
}

/* ---- The whole ---- */

/* The first line is the subject, the second is empty. */
static int cut(struct arena *arena, struct str text, struct mail_words *words)
{
    struct str rest = arena_str(arena, text);
    if (!rest.at)
        return ERR_NOMEM;
    str_cut(&rest, '\n', &words->subject);
    words->body = str_starts(rest, STR("\n")) ? str_from(rest, 1) : rest;
    return words->subject.len ? 0 : ERR_INVALID;
}

int order_mails_render(void *context, struct arena *arena, const struct shop_settings *settings,
                       const struct order *order, const struct order_event *event,
                       struct mail_words *words)
{
    const struct order_mails *mails = context;
    struct buf text;
    *words = (struct mail_words){0};
    const struct template *template =
        template_find(mails->templates, str_of(order_event_name(event->type)));
    if (!template)
        return 0;
    buf_init(&text, MAIL_TEXT_MAX);
    int err = template_render(template, values_of(mails, arena, settings, order, event), &text);
    err = err ? err : cut(arena, buf_text(&text), words);
    buf_close(&text);
    return err;
}
