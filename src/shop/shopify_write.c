#include "shop/money.h"
#include "shop/shopify.h"
#include "shop/shopify_columns.h"

void shopify_put_header(struct buf *out)
{
    static const char *const names[SHOPIFY_COLUMN_COUNT] = {
#define X(name, now, before) now,
        SHOPIFY_COLUMN_LIST(X)
#undef X
    };
    for (unsigned i = 0; i < SHOPIFY_COLUMN_COUNT; i++) {
        if (i)
            buf_byte(out, ',');
        csv_put(out, str_of(names[i]), ',');
    }
    buf_byte(out, '\n');
}

struct row {
    struct str cells[SHOPIFY_COLUMN_COUNT];
    struct arena arena; /* of texts made for it */
};

static struct str text_money(struct row *row, int64_t amount, unsigned digits)
{
    struct buf text;
    buf_init(&text, 64);
    money_put(&text, amount, digits);
    struct str kept = arena_str(&row->arena, buf_text(&text));
    buf_close(&text);
    return kept;
}

static struct str text_flag(bool flag)
{
    return flag ? STR("TRUE") : STR("FALSE");
}

/* What stands in a product's first row alone. */
static void fill_product(struct row *row, const struct product *p)
{
    struct buf tags;
    row->cells[SHOPIFY_TITLE] = p->title;
    row->cells[SHOPIFY_HTML] = p->html;
    row->cells[SHOPIFY_VENDOR] = p->vendor;
    row->cells[SHOPIFY_TYPE] = p->category;
    row->cells[SHOPIFY_PUBLISHED] = text_flag(p->published);
    row->cells[SHOPIFY_STATUS] = p->published ? STR("Active") : STR("Draft");
    row->cells[SHOPIFY_SEO_TITLE] = p->seo_title;
    row->cells[SHOPIFY_SEO_DESCRIPTION] = p->seo_description;
    buf_init(&tags, 1 << 17);
    for (unsigned i = 0; i < p->tag_count; i++) {
        if (i)
            buf_puts(&tags, ", ");
        buf_str(&tags, p->tags[i]);
    }
    row->cells[SHOPIFY_TAGS] = arena_str(&row->arena, buf_text(&tags));
    buf_close(&tags);
    static const enum shopify_column names[] = {SHOPIFY_OPTION1_NAME, SHOPIFY_OPTION2_NAME,
                                                SHOPIFY_OPTION3_NAME};
    for (unsigned i = 0; i < p->option_count; i++)
        row->cells[names[i]] = p->option_names[i];
    if (p->option_count == 0)
        row->cells[SHOPIFY_OPTION1_NAME] = STR("Title");
}

static void fill_variant(struct row *row, const struct product *p, const struct variant *v,
                         unsigned digits)
{
    static const enum shopify_column values[] = {SHOPIFY_OPTION1_VALUE, SHOPIFY_OPTION2_VALUE,
                                                 SHOPIFY_OPTION3_VALUE};
    for (unsigned i = 0; i < p->option_count; i++)
        row->cells[values[i]] = v->options[i];
    if (p->option_count == 0)
        row->cells[SHOPIFY_OPTION1_VALUE] = STR("Default Title");
    row->cells[SHOPIFY_SKU] = v->sku;
    row->cells[SHOPIFY_BARCODE] = v->barcode;
    row->cells[SHOPIFY_PRICE] = text_money(row, v->price, digits);
    if (v->compare_at)
        row->cells[SHOPIFY_COMPARE_AT] = text_money(row, v->compare_at, digits);
    row->cells[SHOPIFY_TAXABLE] = text_flag(v->taxable);
    row->cells[SHOPIFY_TRACKER] = v->tracked ? STR("shopify") : STR("");
    if (v->tracked)
        row->cells[SHOPIFY_QUANTITY] = arena_printf(&row->arena, "%lld", (long long)v->available);
    row->cells[SHOPIFY_POLICY] = v->sell_when_out ? STR("CONTINUE") : STR("DENY");
    row->cells[SHOPIFY_GRAMS] = arena_printf(&row->arena, "%lld", (long long)v->grams);
    row->cells[SHOPIFY_SHIPPING] = text_flag(v->needs_shipping);
    if (v->picture >= 0 && (unsigned)v->picture < p->picture_count)
        row->cells[SHOPIFY_VARIANT_IMAGE] = p->pictures[v->picture].url;
}

static void put_row(struct buf *out, const struct row *row)
{
    for (unsigned i = 0; i < SHOPIFY_COLUMN_COUNT; i++) {
        if (i)
            buf_byte(out, ',');
        csv_put(out, row->cells[i], ',');
    }
    buf_byte(out, '\n');
}

void shopify_put_product(struct buf *out, const struct product *p, unsigned currency_digits)
{
    unsigned rows = p->variant_count > p->picture_count ? p->variant_count : p->picture_count;
    for (unsigned i = 0; i < rows; i++) {
        struct row row = {0};
        arena_init(&row.arena, 1 << 20);
        row.cells[SHOPIFY_HANDLE] = p->handle;
        if (i == 0)
            fill_product(&row, p);
        if (i < p->variant_count)
            fill_variant(&row, p, &p->variants[i], currency_digits);
        if (i < p->picture_count) {
            row.cells[SHOPIFY_IMAGE] = p->pictures[i].url;
            row.cells[SHOPIFY_IMAGE_POSITION] = arena_printf(&row.arena, "%u", i + 1);
            row.cells[SHOPIFY_IMAGE_ALT] = p->pictures[i].alt;
        }
        put_row(out, &row);
        arena_close(&row.arena);
    }
}
