#include "shop/apply.h"
#include "shop/coder.h"

enum { MINUTE_MS = 60000, DAY_MS = 86400000, HOLD_MIN_MS = 1000 };

/* ---- Checks ---- */

static bool is_text(struct str text, size_t least, size_t most)
{
    return text.len >= least && text.len <= most && str_is_utf8(text) && str_find_byte(text, 0) < 0;
}

static bool is_letters(struct str text, size_t len)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] < 'A' || text.at[i] > 'Z')
            return false;
    return text.len == len;
}

static bool is_country(struct str country)
{
    return is_letters(country, 2) || str_eq(country, STR("default"));
}

static bool is_money(int64_t amount)
{
    return amount >= 0 && amount <= SHOP_MONEY_MAX;
}

/* Nothing, or an address that the buyer of a platform can follow. */
static bool is_link(struct str url)
{
    return url.len == 0 || str_starts(url, STR("/")) || str_starts(url, STR("https://")) ||
           str_starts(url, STR("http://"));
}

static int check_settings(struct apply *apply, const struct shop_settings *s)
{
    if (!is_text(s->name, 1, SHOP_KEY_MAX))
        return apply_refuse(apply, ERR_INVALID, "the shop needs a name of 1 to %d bytes",
                            SHOP_KEY_MAX);
    if (!is_letters(s->currency, 3))
        return apply_refuse(apply, ERR_INVALID,
                            "currency \"%.*s\" is not three capital letters of ISO 4217 (as USD)",
                            STR_FMT(str_sub(s->currency, 0, 20)));
    if (!is_letters(s->country, 2))
        return apply_refuse(apply, ERR_INVALID,
                            "country \"%.*s\" is not two capital letters of ISO 3166 (as US)",
                            STR_FMT(str_sub(s->country, 0, 20)));
    if (s->hold_ms < HOLD_MIN_MS || s->hold_ms > SHOP_HOLD_MAX_MS)
        return apply_refuse(apply, ERR_INVALID,
                            "hold_ms is %lld; goods are held from %d (a second) to %lld (3 hours: "
                            "banks forget after a day what was begun, and have to be asked before)",
                            (long long)s->hold_ms, HOLD_MIN_MS, SHOP_HOLD_MAX_MS);
    if (s->checkout_ttl_ms < 5 * MINUTE_MS || s->checkout_ttl_ms > 30ll * DAY_MS)
        return apply_refuse(apply, ERR_INVALID, "a checkout lives from 5 minutes to 30 days");
    if (s->cart_ttl_ms < 5 * MINUTE_MS || s->cart_ttl_ms > 400ll * DAY_MS)
        return apply_refuse(apply, ERR_INVALID, "a cart lives from 5 minutes to 400 days");
    if (!is_text(s->terms_url, 0, SHOP_TEXT_MAX) || !is_text(s->privacy_url, 0, SHOP_TEXT_MAX) ||
        !is_text(s->refund_url, 0, SHOP_TEXT_MAX))
        return apply_refuse(apply, ERR_INVALID, "an address of the terms is longer than %d bytes",
                            SHOP_TEXT_MAX);
    if (!is_link(s->terms_url) || !is_link(s->privacy_url) || !is_link(s->refund_url))
        return apply_refuse(apply, ERR_INVALID,
                            "an address of the terms begins neither with https:// nor with /");
    return 0;
}

static int check_discount(struct apply *apply, const struct discount *d)
{
    if (!is_text(d->key, 1, SHOP_KEY_MAX) || !is_text(d->code, 0, SHOP_KEY_MAX) ||
        !is_text(d->title, 0, SHOP_TEXT_MAX))
        return apply_refuse(apply, ERR_INVALID,
                            "a discount needs a key of 1 to %d bytes; its code and title are UTF-8",
                            SHOP_KEY_MAX);
    if (d->type == DISCOUNT_PERCENT ? d->value <= 0 || d->value > 10000 : !is_money(d->value))
        return apply_refuse(apply, ERR_INVALID,
                            "discount \"%.*s\": a value of %lld is not possible; percents are "
                            "hundredths from 1 to 10000, amounts minor units",
                            STR_FMT(d->key), (long long)d->value);
    if (!is_money(d->min_subtotal))
        return apply_refuse(apply, ERR_INVALID, "discount \"%.*s\": its minimum is not an amount",
                            STR_FMT(d->key));
    if (d->ends_ms != 0 && d->ends_ms <= d->starts_ms)
        return apply_refuse(apply, ERR_INVALID, "discount \"%.*s\" ends before it starts",
                            STR_FMT(d->key));
    for (unsigned i = 0; i < d->item_count; i++)
        if (!is_text(d->item_keys[i], 1, SHOP_KEY_MAX))
            return apply_refuse(apply, ERR_INVALID, "discount \"%.*s\": item %u is not a key",
                                STR_FMT(d->key), i + 1);
    return 0;
}

static int check_rate(struct apply *apply, const struct shipping_rate *r)
{
    if (!is_text(r->key, 1, SHOP_KEY_MAX) || !is_text(r->level, 1, SHOP_KEY_MAX) ||
        !is_text(r->title, 1, SHOP_TEXT_MAX) || !is_text(r->description, 0, SHOP_TEXT_MAX) ||
        !is_text(r->region, 0, SHOP_KEY_MAX))
        return apply_refuse(apply, ERR_INVALID,
                            "a shipping rate needs a key, a service level and a title");
    if (!is_country(r->country))
        return apply_refuse(apply, ERR_INVALID,
                            "shipping rate \"%.*s\": country \"%.*s\" is neither two capital "
                            "letters nor \"default\"",
                            STR_FMT(r->key), STR_FMT(str_sub(r->country, 0, 20)));
    if (!is_money(r->price))
        return apply_refuse(apply, ERR_INVALID, "shipping rate \"%.*s\": %lld is not an amount",
                            STR_FMT(r->key), (long long)r->price);
    return 0;
}

static int check_tax(struct apply *apply, const struct tax_rate *t)
{
    if (!is_country(t->country) || !is_text(t->region, 0, SHOP_KEY_MAX))
        return apply_refuse(apply, ERR_INVALID,
                            "tax rate: country \"%.*s\" is neither two capital letters nor "
                            "\"default\"",
                            STR_FMT(str_sub(t->country, 0, 20)));
    if (t->ppm < 0 || t->ppm > 1000000 || !is_text(t->title, 0, SHOP_TEXT_MAX))
        return apply_refuse(apply, ERR_INVALID,
                            "tax rate %.*s: %lld millionths is not possible (190000 is 19 %%)",
                            STR_FMT(t->country), (long long)t->ppm);
    return 0;
}

/* ---- Rows ---- */

/* There are few, as all are kept in memory; MAX is where that stops being true. */
static int check_room(struct apply *apply, struct stmt *count, uint64_t max, const char *what)
{
    uint64_t rows = stmt_next(count) ? 0 : stmt_u64(count, 0);
    stmt_done(count);
    if (rows < max)
        return 0;
    return apply_refuse(apply, ERR_FULL, "there are %llu %s already, more are not possible",
                        (unsigned long long)rows, what);
}

/* The command's thing as a row keeps it, in the scratch buffer. */
static struct str record_of(struct apply *apply, void (*code)(struct coder *, void *),
                            const void *thing, size_t size)
{
    void *copy = arena_alloc(apply->arena, size);
    if (!copy)
        db_fail_memory(apply->db);
    else
        memcpy(copy, thing, size);
    buf_clear(apply->scratch);
    struct coder coder = coder_writing(apply->scratch);
    if (copy)
        code(&coder, copy);
    if (apply->scratch->failed)
        db_fail_memory(apply->db);
    return buf_text(apply->scratch);
}

static void settings_thing(struct coder *coder, void *thing)
{
    code_settings_row(coder, thing);
}
static void discount_thing(struct coder *coder, void *thing)
{
    code_discount(coder, thing);
}
static void rate_thing(struct coder *coder, void *thing)
{
    code_shipping_rate(coder, thing);
}
static void tax_thing(struct coder *coder, void *thing)
{
    code_tax_rate(coder, thing);
}

/* ---- Commands ---- */

int apply_settings_put(struct apply *apply)
{
    const struct shop_settings *settings = &apply->command->settings;
    int err = check_settings(apply, settings);
    if (err)
        return err;
    struct stmt *row = db_stmt(apply->db, "INSERT OR REPLACE INTO setting (key, value)"
                                          " VALUES ('shop', ?)");
    stmt_bind_blob(row, 1, record_of(apply, settings_thing, settings, sizeof *settings));
    stmt_run(row);
    apply_changed_settings(apply);
    return 0;
}

int apply_discount_put(struct apply *apply)
{
    const struct discount *discount = &apply->command->discount;
    int err = check_discount(apply, discount);
    if (!err) {
        struct stmt *count = db_stmt(apply->db, "SELECT count(*) FROM discount WHERE key <> ?");
        stmt_bind_str(count, 1, discount->key);
        err = check_room(apply, count, TERMS_DISCOUNTS_MAX, "discounts");
    }
    if (err)
        return err;
    struct stmt *row =
        db_stmt(apply->db, "INSERT OR REPLACE INTO discount (key, record) VALUES (?, ?)");
    stmt_bind_str(row, 1, discount->key);
    stmt_bind_blob(row, 2, record_of(apply, discount_thing, discount, sizeof *discount));
    stmt_run(row);
    apply_changed_settings(apply);
    return 0;
}

int apply_shipping_rate_put(struct apply *apply)
{
    const struct shipping_rate *rate = &apply->command->rate;
    int err = check_rate(apply, rate);
    if (!err) {
        struct stmt *count =
            db_stmt(apply->db, "SELECT count(*) FROM shipping_rate WHERE key <> ?");
        stmt_bind_str(count, 1, rate->key);
        err = check_room(apply, count, TERMS_RATES_MAX, "shipping rates");
    }
    if (err)
        return err;
    struct stmt *row =
        db_stmt(apply->db, "INSERT OR REPLACE INTO shipping_rate (key, record) VALUES (?, ?)");
    stmt_bind_str(row, 1, rate->key);
    stmt_bind_blob(row, 2, record_of(apply, rate_thing, rate, sizeof *rate));
    stmt_run(row);
    apply_changed_settings(apply);
    return 0;
}

int apply_tax_rate_put(struct apply *apply)
{
    const struct tax_rate *tax = &apply->command->tax;
    int err = check_tax(apply, tax);
    if (!err) {
        struct stmt *count = db_stmt(apply->db, "SELECT count(*) FROM tax_rate"
                                                " WHERE country <> ?1 OR region <> ?2");
        stmt_bind_str(count, 1, tax->country);
        stmt_bind_str(count, 2, tax->region);
        err = check_room(apply, count, TERMS_RATES_MAX, "tax rates");
    }
    if (err)
        return err;
    struct stmt *row = db_stmt(apply->db, "INSERT OR REPLACE INTO tax_rate (country, region,"
                                          " record) VALUES (?, ?, ?)");
    stmt_bind_str(row, 1, tax->country);
    stmt_bind_str(row, 2, tax->region);
    stmt_bind_blob(row, 3, record_of(apply, tax_thing, tax, sizeof *tax));
    stmt_run(row);
    apply_changed_settings(apply);
    return 0;
}
