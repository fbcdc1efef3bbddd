/* What warehouses report of goods: arrived, counted, new and changed products. */
#include "shop/product.h"
#include "shop/stock.h"
#include "shop/warehouse_report.h"

enum { UNITS_MAX = 1000000000 };

static struct item *find(struct apply *apply, const struct warehouse_report *report)
{
    struct item *item = items_find(apply->items, report->item);
    if (!item && !db_failure(apply->db)->err)
        apply_refuse(apply, ERR_NOTFOUND,
                     "there is no item \"%.*s\"; report the product first, or use a variant's key "
                     "or SKU",
                     STR_FMT(str_sub(report->item, 0, SHOP_KEY_MAX)));
    return item;
}

static int failed_find(struct apply *apply)
{
    return db_failure(apply->db)->err ? apply_failed(apply) : apply->result->err;
}

/* The report's note, and whose it is. */
static int note_of(struct apply *apply, const struct warehouse_report *report, struct str *note)
{
    struct str text = report->text;
    if (text.len > SHOP_TEXT_MAX || !str_is_utf8(text) || str_find_byte(text, 0) >= 0)
        return apply_refuse(apply, ERR_INVALID, "its note is longer than %d bytes or not UTF-8",
                            SHOP_TEXT_MAX);
    *note = ARENA_JOIN(apply->arena, STR("warehouse/"), report->warehouse,
                       text.len > 0 ? STR(": ") : STR(""), text);
    return note->at ? 0 : ERR_NOMEM;
}

static bool fits(const struct item *item, int64_t difference)
{
    int64_t available = item->stock.available + difference;
    return available >= -UNITS_MAX && available <= UNITS_MAX;
}

int warehouse_take_arrived(struct apply *apply, const struct warehouse_report *report)
{
    struct str note;
    struct item *item = find(apply, report);
    if (!item)
        return failed_find(apply);
    int err = note_of(apply, report, &note);
    if (err)
        return err;
    if (report->quantity <= 0 || report->quantity > UNITS_MAX || !fits(item, report->quantity))
        return apply_refuse(apply, ERR_INVALID,
                            "%lld units of \"%.*s\" cannot arrive; give a number from 1, such that "
                            "at most %d are on hand",
                            (long long)report->quantity, STR_FMT(item->key), UNITS_MAX);
    err = stock_receive(apply, item, report->quantity, note);
    if (err)
        return err;
    return warehouse_add_free(apply, report->warehouse, item->variant_id, report->quantity);
}

int warehouse_take_counted(struct apply *apply, const struct warehouse_report *report)
{
    struct warehouse *list;
    unsigned count;
    struct warehouse_count has;
    struct str note;
    struct item *item = find(apply, report);
    if (!item)
        return failed_find(apply);
    int err = note_of(apply, report, &note);
    if (!err)
        err = warehouse_load(apply, &list, &count);
    if (!err)
        err =
            warehouse_count_of(apply->db, report->warehouse, str_eq(list[0].id, report->warehouse),
                               item->variant_id, item->stock.available + item->stock.held, &has);
    if (err)
        return err;
    int64_t difference = report->quantity - has.free - has.allotted;
    if (report->quantity < 0 || report->quantity > UNITS_MAX || !fits(item, difference))
        return apply_refuse(apply, ERR_INVALID,
                            "%lld units of \"%.*s\" cannot be on hand; give a number from 0 to %d",
                            (long long)report->quantity, STR_FMT(item->key), UNITS_MAX);
    if (difference == 0)
        return 0;
    err = stock_adjust(apply, item, difference, note);
    if (err)
        return err;
    return warehouse_add_free(apply, report->warehouse, item->variant_id, difference);
}

/* ---- Products ---- */

static void replace(struct str *text, struct str by)
{
    if (by.len > 0)
        *text = by;
}

static struct variant *variant_of(const struct product *product, struct str key)
{
    for (unsigned i = 0; i < product->variant_count; i++)
        if (str_eq(product->variants[i].key, key))
            return &product->variants[i];
    return NULL;
}

/* KNOWN with what NEWS says of it: a warehouse knows nothing of pictures, tags or the words for
 * search engines, and need not have all variants. What is sold already keeps its price, which the
 * shop alone makes; what is new has none yet but the warehouse's. */
static int merge(struct apply *apply, struct product *known, const struct product *news)
{
    struct variant *variants = ARENA_ARRAY(apply->arena, struct variant,
                                           (size_t)known->variant_count + news->variant_count);
    if (!variants)
        return ERR_NOMEM;
    memcpy(variants, known->variants, known->variant_count * sizeof *variants);
    known->variants = variants;
    replace(&known->title, news->title);
    replace(&known->html, news->html);
    replace(&known->vendor, news->vendor);
    replace(&known->category, news->category);
    bool single = known->variant_count == 1 && news->variant_count == 1;
    for (unsigned i = 0; i < news->variant_count; i++) {
        const struct variant *of = &news->variants[i];
        struct variant *variant = variant_of(known, of->key);
        if (!variant && single && of->key.len == 0)
            variant = &known->variants[0];
        if (variant)
            replace(&variant->sku, of->sku);
        else
            known->variants[known->variant_count++] = *of;
    }
    return 0;
}

int warehouse_take_product(struct apply *apply, const struct warehouse_report *report)
{
    struct product product = report->product, *known = ARENA_NEW(apply->arena, struct product);
    if (!known)
        return ERR_NOMEM;
    for (unsigned i = 0; i < product.variant_count; i++)
        if (product.variants[i].set_stock)
            return apply_refuse(apply, ERR_INVALID,
                                "a product is reported without its stock; report what arrived");
    if (product.handle.len == 0)
        product.handle = product_handle(apply->arena, product.title);
    int err = product_load(apply->db, apply->arena, product.handle, known);
    if (err == ERR_NOTFOUND)
        return product_put(apply, &product);
    if (!err && known->retired)
        return apply_refuse(apply, ERR_STATE,
                            "the shop does not sell \"%.*s\" any more; ask its operator",
                            STR_FMT(known->handle));
    if (!err)
        err = merge(apply, known, &product);
    return err ? err : product_put(apply, known);
}
