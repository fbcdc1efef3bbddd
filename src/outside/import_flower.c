#include "base/check.h"
#include "outside/import_stage.h"
#include "shop/csv.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The flower shop's data is small; all of it is read before anything is done. */
enum { FLOWER_ROWS_MAX = 20000, FLOWER_BYTES_MAX = 8 << 20, COLUMNS_MAX = 8 };

struct row {
    uint64_t line;
    struct str cells[COLUMNS_MAX]; /* in the order that was asked for */
};

struct table {
    const char *file;
    struct row *rows;
    unsigned count;
};

struct flower {
    const struct import_options *options;
    struct import_progress *progress;
    struct failure *failure;
    struct arena arena;
    struct csv csv;
    struct table products, inventory, discounts, rates, promotions;
};

static void bad(struct flower *f, const char *file, uint64_t line, const char *what,
                struct str value)
{
    char sentence[400];
    snprintf(sentence, sizeof sentence, "%s/%s:%llu: %s \"%.*s\"", f->options->name, file,
             (unsigned long long)line, what, STR_FMT(value));
    if (f->options->bad)
        f->options->bad(f->options->context, sentence);
    if (!f->progress->bad_rows++)
        fail(f->failure, ERR_INVALID, "nothing was imported: %s", sentence);
}

/* ---- Reading ---- */

/* Puts the row just parsed into TABLE by PLACES (column of each wanted cell, -1: none). */
static int add_row(struct flower *f, struct table *table, const int *places)
{
    if (table->count == FLOWER_ROWS_MAX)
        return fail(f->failure, ERR_FULL, "%s has more than %d rows", table->file, FLOWER_ROWS_MAX);
    struct row *row = &table->rows[table->count++];
    row->line = f->csv.row_line;
    for (int i = 0; i < COLUMNS_MAX; i++) {
        bool there = places[i] >= 0 && (unsigned)places[i] < f->csv.count;
        row->cells[i] = there ? arena_str(&f->arena, str_trim(f->csv.fields[places[i]])) : STR("");
    }
    f->progress->rows++;
    return 0;
}

static int find_columns(struct flower *f, struct table *table, const char *columns, int *places)
{
    struct str rest = str_of(columns), name;
    for (int i = 0; i < COLUMNS_MAX; i++) {
        places[i] = -1;
        if (!str_cut(&rest, ' ', &name))
            continue;
        for (unsigned c = 0; c < f->csv.count; c++)
            if (str_eq_nocase(str_trim(f->csv.fields[c]), name))
                places[i] = (int)c;
        if (places[i] < 0)
            return fail(f->failure, ERR_INVALID, "%s/%s:1: there is no column \"%.*s\"",
                        f->options->name, table->file, STR_FMT(name));
    }
    return 0;
}

static int take_bytes(struct flower *f, struct table *table, const char *columns, int *places,
                      bool *has_header, struct str bytes)
{
    size_t used;
    bool end = bytes.len == 0;
    while (end ? csv_end(&f->csv) : csv_feed(&f->csv, bytes, &used)) {
        int err = 0;
        if (f->csv.wrong)
            bad(f, table->file, f->csv.row_line, f->csv.wrong, STR(""));
        else if (*has_header)
            err = add_row(f, table, places);
        else
            err = find_columns(f, table, columns, places);
        *has_header = true;
        if (err || end)
            return err;
        bytes = str_from(bytes, used);
    }
    return 0;
}

/* Reads FILE of the folder; a missing one is empty unless NEEDED. */
static int read_table(struct flower *f, const char *folder, const char *file, const char *columns,
                      bool needed, struct table *table)
{
    char path[1024], bytes[4096];
    int places[COLUMNS_MAX];
    bool has_header = false;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    table->file = file;
    FILE *in = fopen(path, "re");
    if (!in && errno == ENOENT && !needed)
        return 0;
    if (!in)
        return fail_errno(f->failure, ERR_NOTFOUND, "cannot open %s/%s", f->options->name, file);
    table->rows = calloc(FLOWER_ROWS_MAX, sizeof *table->rows);
    int err = table->rows ? 0 : ERR_NOMEM;
    csv_init(&f->csv, ',');
    for (size_t got = 1; !err && got > 0;) {
        got = fread(bytes, 1, sizeof bytes, in);
        f->progress->bytes += got;
        err = take_bytes(f, table, columns, places, &has_header, str_make(bytes, got));
    }
    csv_close(&f->csv);
    fclose(in);
    return err;
}

static int read_all(struct flower *f, const char *folder)
{
    int err = read_table(f, folder, "products.csv", "id title price image_url", true, &f->products);
    err = err ? err
              : read_table(f, folder, "inventory.csv", "product_id quantity", false, &f->inventory);
    err = err ? err
              : read_table(f, folder, "discounts.csv", "code type value description", false,
                           &f->discounts);
    err = err ? err
              : read_table(f, folder, "shipping_rates.csv",
                           "id country_code service_level price title", false, &f->rates);
    return err ? err
               : read_table(f, folder, "promotions.csv",
                            "id type min_subtotal eligible_item_ids description", false,
                            &f->promotions);
}

/* ---- Rows to commands ---- */

static int64_t amount(struct flower *f, const struct table *table, const struct row *row,
                      unsigned column)
{
    int64_t value = 0;
    struct str text = row->cells[column];
    if (text.len && (str_to_i64(text, &value) || value < 0 || value > SHOP_MONEY_MAX))
        bad(f, table->file, row->line, "not a whole number (of minor units, of pieces):", text);
    return value;
}

static struct product product_of(struct flower *f, const struct row *row, struct variant *variant,
                                 struct picture *picture)
{
    struct product product = {
        .handle = row->cells[0],
        .title = row->cells[1],
        .html = STR(""),
        .vendor = STR(""),
        .category = STR("Flowers"),
        .seo_title = STR(""),
        .seo_description = STR(""),
        .published = true,
        .variants = variant,
        .variant_count = 1,
        .pictures = picture,
        .picture_count = row->cells[3].len ? 1 : 0,
    };
    *picture = (struct picture){row->cells[3], row->cells[1]};
    *variant = (struct variant){
        .key = row->cells[0],
        .sku = row->cells[0],
        .barcode = STR(""),
        .options = {STR(""), STR(""), STR("")},
        .price = amount(f, &f->products, row, 2),
        .tracked = true,
        .taxable = true,
        .needs_shipping = true,
        .picture = -1,
        .set_stock = true,
    };
    for (unsigned i = 0; i < f->inventory.count; i++)
        if (str_eq(f->inventory.rows[i].cells[0], row->cells[0]))
            variant->available = amount(f, &f->inventory, &f->inventory.rows[i], 1);
    if (row->cells[0].len == 0 || row->cells[1].len == 0)
        bad(f, f->products.file, row->line, "a product needs an id and a title:", row->cells[0]);
    return product;
}

static struct command discount_of(struct flower *f, const struct row *row)
{
    struct command command = {.type = COMMAND_DISCOUNT_PUT};
    struct discount *d = &command.discount;
    struct str type = row->cells[1];
    *d = (struct discount){
        .key = row->cells[0],
        .code = row->cells[0],
        .title = row->cells[3],
        .enabled = true,
        .value = amount(f, &f->discounts, row, 2),
    };
    if (str_eq(type, STR("percentage"))) {
        d->type = DISCOUNT_PERCENT;
        d->value *= 100;
    } else if (str_eq(type, STR("fixed_amount"))) {
        d->type = DISCOUNT_FIXED;
    } else {
        bad(f, f->discounts.file, row->line, "type is neither percentage nor fixed_amount:", type);
    }
    return command;
}

/* ["a","b"] as its parts. */
static void read_items(struct flower *f, const struct row *row, struct discount *d)
{
    struct str rest = row->cells[3], item;
    if (rest.len == 0)
        return;
    if (rest.len < 2 || rest.at[0] != '[' || rest.at[rest.len - 1] != ']') {
        bad(f, f->promotions.file, row->line, "eligible_item_ids is no list:", rest);
        return;
    }
    rest = str_sub(rest, 1, rest.len - 2);
    while (str_cut(&rest, ',', &item)) {
        item = str_trim(item);
        if (item.len >= 2 && item.at[0] == '"' && item.at[item.len - 1] == '"')
            item = str_sub(item, 1, item.len - 2);
        if (d->item_count == COUNT_OF(d->item_keys)) {
            bad(f, f->promotions.file, row->line, "more than 32 eligible items:", row->cells[0]);
            return;
        }
        if (item.len)
            d->item_keys[d->item_count++] = item;
    }
}

static struct command promotion_of(struct flower *f, const struct row *row)
{
    struct command command = {.type = COMMAND_DISCOUNT_PUT};
    struct discount *d = &command.discount;
    *d = (struct discount){
        .key = row->cells[0],
        .code = STR(""),
        .type = DISCOUNT_FREE_SHIPPING,
        .title = row->cells[4],
        .enabled = true,
        .min_subtotal = amount(f, &f->promotions, row, 2),
    };
    if (!str_eq(row->cells[1], STR("free_shipping")))
        bad(f, f->promotions.file, row->line, "type is not free_shipping:", row->cells[1]);
    read_items(f, row, d);
    return command;
}

static struct command rate_of(struct flower *f, const struct row *row)
{
    struct command command = {.type = COMMAND_SHIPPING_RATE_PUT};
    command.rate = (struct shipping_rate){
        .key = row->cells[0],
        .country = row->cells[1],
        .region = STR(""),
        .level = row->cells[2],
        .title = row->cells[4],
        .description = STR(""),
        .price = amount(f, &f->rates, row, 3),
        .enabled = true,
    };
    return command;
}

/* ---- The whole ---- */

static int put_each(struct flower *f, struct stage *stage, const struct table *table,
                    struct command (*make)(struct flower *, const struct row *), bool send)
{
    int err = 0;
    for (unsigned i = 0; !err && i < table->count; i++) {
        struct command command = make(f, &table->rows[i]);
        if (send)
            err = stage_command(stage, &command, NULL, f->failure);
    }
    return err;
}

/* With SEND false only looks for what is bad. */
static int put_terms(struct flower *f, struct stage *stage, bool send)
{
    int err = put_each(f, stage, &f->discounts, discount_of, send);
    err = err ? err : put_each(f, stage, &f->rates, rate_of, send);
    return err ? err : put_each(f, stage, &f->promotions, promotion_of, send);
}

static int put_products(struct flower *f, struct stage *stage)
{
    int err = 0;
    for (unsigned i = 0; !err && i < f->products.count; i++) {
        struct variant variant;
        struct picture picture;
        struct product product = product_of(f, &f->products.rows[i], &variant, &picture);
        if (f->progress->bad_rows == 0)
            err = stage_product(stage, &product, f->failure);
        f->progress->products++;
        f->progress->variants++;
    }
    return err;
}

int import_flower_shop(const struct import_options *options, const char *path, struct stage *stage,
                       struct import_progress *progress, struct failure *failure)
{
    struct flower *f = calloc(1, sizeof *f);
    if (!f)
        return fail(failure, ERR_NOMEM, "out of memory");
    f->options = options;
    f->progress = progress;
    f->failure = failure;
    arena_init(&f->arena, FLOWER_BYTES_MAX);
    int err = read_all(f, path);
    err = err ? err : put_products(f, stage);
    err = err ? err : put_terms(f, stage, false);
    if (!err && progress->bad_rows)
        err = ERR_INVALID;
    if (err)
        stage_abort(stage);
    err = err ? err : stage_commit(stage, failure);
    err = err ? err : put_terms(f, stage, true);
    arena_close(&f->arena);
    free(f->products.rows);
    free(f->inventory.rows);
    free(f->discounts.rows);
    free(f->rates.rows);
    free(f->promotions.rows);
    free(f);
    return err;
}
