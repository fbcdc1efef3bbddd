#include "shop/terms.h"

#include "shop/coder.h"

enum { MINUTE_MS = 60000, HOUR_MS = 60 * MINUTE_MS, DAY_MS = 24 * HOUR_MS };

static const struct shop_settings new_shop = {
    .name = {"Stoa", 4},
    .currency = {"USD", 3},
    .country = {"US", 2},
    .hold_ms = 5 * MINUTE_MS,
    .checkout_ttl_ms = 6 * HOUR_MS,
    .cart_ttl_ms = 30ll * DAY_MS,
};

/* Reads one row's record; the codec's strings are lent from it, so it is copied first. */
static int decode(struct arena *arena, struct str record, void *thing,
                  void (*code)(struct coder *coder, void *thing))
{
    struct str kept = arena_str(arena, record);
    if (!kept.at)
        return ERR_NOMEM;
    struct coder coder = coder_reading(arena, kept);
    code(&coder, thing);
    int err = coder_end(&coder);
    return err == ERR_INVALID ? ERR_DAMAGED : err;
}

static void settings(struct coder *coder, void *thing)
{
    code_settings_row(coder, thing);
}
static void discount(struct coder *coder, void *thing)
{
    code_discount(coder, thing);
}
static void rate(struct coder *coder, void *thing)
{
    code_shipping_rate(coder, thing);
}
static void tax(struct coder *coder, void *thing)
{
    code_tax_rate(coder, thing);
}

/* All rows of SQL (a count, then the record) as an array of things of SIZE. */
static int load(struct db *db, struct arena *arena, const char *sql, size_t size,
                void (*code)(struct coder *, void *), void **list, unsigned *count)
{
    struct stmt *row = db_stmt(db, sql);
    *list = NULL;
    *count = 0;
    int err;
    while (!(err = stmt_next(row))) {
        size_t rows = (size_t)stmt_i64(row, 0);
        if (!*list && !(*list = arena_zero(arena, rows * size)))
            err = ERR_NOMEM;
        if (!err)
            err = decode(arena, stmt_blob(row, 1), (char *)*list + *count * size, code);
        if (err) {
            stmt_done(row);
            return err;
        }
        ++*count;
    }
    return err == ERR_NOTFOUND ? 0 : err;
}

int terms_load_settings(struct db *db, struct arena *arena, struct shop_settings *out)
{
    *out = new_shop;
    struct stmt *row = db_stmt(db, "SELECT value FROM setting WHERE key = 'shop'");
    int err = stmt_next(row);
    if (err)
        return err == ERR_NOTFOUND ? 0 : err;
    err = decode(arena, stmt_blob(row, 0), out, settings);
    stmt_done(row);
    return err;
}

int terms_load_discounts(struct db *db, struct arena *arena, struct discount **list,
                         unsigned *count)
{
    void *array;
    int err =
        load(db, arena, "SELECT count(*) OVER (), record FROM discount ORDER BY key LIMIT 10000",
             sizeof **list, discount, &array, count);
    *list = array;
    return err;
}

int terms_load_rates(struct db *db, struct arena *arena, struct shipping_rate **list,
                     unsigned *count)
{
    void *array;
    int err = load(db, arena,
                   "SELECT count(*) OVER (), record FROM shipping_rate ORDER BY key LIMIT 5000",
                   sizeof **list, rate, &array, count);
    *list = array;
    return err;
}

int terms_load_taxes(struct db *db, struct arena *arena, struct tax_rate **list, unsigned *count)
{
    void *array;
    int err = load(db, arena,
                   "SELECT count(*) OVER (), record FROM tax_rate"
                   " ORDER BY country, region LIMIT 5000",
                   sizeof **list, tax, &array, count);
    *list = array;
    return err;
}

int terms_load(struct db *db, struct arena *arena, struct terms *terms)
{
    *terms = (struct terms){0};
    int err = terms_load_settings(db, arena, &terms->settings);
    if (!err)
        err = terms_load_discounts(db, arena, &terms->discounts, &terms->discount_count);
    if (!err)
        err = terms_load_rates(db, arena, &terms->rates, &terms->rate_count);
    if (!err)
        err = terms_load_taxes(db, arena, &terms->taxes, &terms->tax_count);
    return err;
}
