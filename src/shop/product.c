#include "shop/product.h"

#include "shop/slug.h"
#include "shop/stock.h"

enum { SORT_KEY_MAX = 64 };

/* What the tables have of the product before. */
struct before {
    uint64_t id, category_id; /* id 0: it is new */
    bool listed;
    int64_t created_ms;
};

static int find_before(struct apply *apply, struct str handle, struct before *before)
{
    *before = (struct before){.created_ms = apply->now};
    struct stmt *row = db_stmt(apply->db, "SELECT id, category_id, listed, created_ms FROM product"
                                          " WHERE handle = ?");
    stmt_bind_str(row, 1, handle);
    int err = stmt_next(row);
    if (err)
        return err == ERR_NOTFOUND ? 0 : err;
    *before =
        (struct before){stmt_u64(row, 0), stmt_u64(row, 1), stmt_bool(row, 2), stmt_i64(row, 3)};
    stmt_done(row);
    return 0;
}

/* ---- Categories ---- */

static bool slug_is_taken(struct db *db, struct str slug)
{
    struct stmt *row = db_stmt(db, "SELECT 1 FROM category WHERE slug = ?");
    stmt_bind_str(row, 1, slug);
    bool taken = stmt_next(row) == 0;
    stmt_done(row);
    return taken;
}

static struct str free_slug(struct apply *apply, struct str name)
{
    struct str slug = slug_make(apply->arena, name);
    if (slug.len == 0)
        slug = STR("category");
    struct str base = str_sub(slug, 0, 200);
    slug = base;
    for (unsigned n = 2; slug_is_taken(apply->db, slug); n++)
        slug = arena_printf(apply->arena, "%.*s-%u", STR_FMT(base), n);
    return slug;
}

uint64_t product_category(struct apply *apply, struct str name)
{
    if (name.len == 0)
        return 0;
    struct stmt *row = db_stmt(apply->db, "SELECT id FROM category WHERE name = ?");
    stmt_bind_str(row, 1, name);
    uint64_t id = stmt_only_u64(row, 0);
    if (id)
        return id;
    id = apply_next_number(apply, COUNTER_CATEGORY);
    struct str slug = free_slug(apply, name);
    row = db_stmt(apply->db, "INSERT INTO category (id, name, slug, products) VALUES (?, ?, ?, 0)");
    stmt_bind_u64(row, 1, id);
    stmt_bind_str(row, 2, name);
    stmt_bind_str(row, 3, slug);
    stmt_run(row);
    return id;
}

void product_count_listed(struct apply *apply, uint64_t category_id, int difference)
{
    shop_count(apply->shop, COUNTER_LISTED, difference);
    if (category_id == 0)
        return;
    struct stmt *row =
        db_stmt(apply->db, "UPDATE category SET products = products + ?2 WHERE id = ?1");
    stmt_bind_u64(row, 1, category_id);
    stmt_bind_i64(row, 2, difference);
    stmt_run(row);
}

/* ---- Variants ---- */

/* Finds the ids of variants that there are already. ERR_EXISTS when one is another's. */
static int match_variants(struct apply *apply, struct product *product, uint64_t product_id)
{
    for (unsigned i = 0; i < product->variant_count; i++) {
        struct variant *variant = &product->variants[i];
        struct stmt *row = db_stmt(apply->db, "SELECT v.id, v.product_id, p.handle FROM variant v"
                                              " JOIN product p ON p.id = v.product_id"
                                              " WHERE v.key = ?");
        stmt_bind_str(row, 1, variant->key);
        variant->id = 0;
        int err = stmt_next(row);
        if (err == ERR_NOTFOUND)
            continue;
        if (err)
            return err;
        variant->id = stmt_u64(row, 0);
        if (stmt_u64(row, 1) != product_id)
            err = apply_refuse(apply, ERR_EXISTS,
                               "product \"%.*s\": the key \"%.*s\" belongs to product \"%.*s\"; "
                               "choose another key",
                               STR_FMT(product->handle), STR_FMT(variant->key),
                               STR_FMT(stmt_str(row, 2)));
        stmt_done(row);
        if (err)
            return err;
    }
    return 0;
}

int product_match(struct apply *apply, struct product *product)
{
    struct before before;
    int err = find_before(apply, product->handle, &before);
    return err ? err : match_variants(apply, product, before.id);
}

static void bind_variant(struct stmt *row, uint64_t product_id, unsigned position,
                         const struct variant *variant)
{
    stmt_bind_u64(row, 1, variant->id);
    stmt_bind_u64(row, 2, product_id);
    stmt_bind_i64(row, 3, position);
    stmt_bind_str(row, 4, variant->key);
    stmt_bind_str(row, 5, variant->sku);
    stmt_bind_str(row, 6, variant->barcode);
    for (int i = 0; i < SHOP_OPTIONS_MAX; i++)
        stmt_bind_str(row, 7 + i, variant->options[i]);
    stmt_bind_i64(row, 10, variant->price);
    stmt_bind_i64(row, 11, variant->compare_at);
    stmt_bind_i64(row, 12, variant->grams);
    stmt_bind_i64(row, 13, variant->tracked);
    stmt_bind_i64(row, 14, variant->sell_when_out);
    stmt_bind_i64(row, 15, variant->taxable);
    stmt_bind_i64(row, 16, variant->needs_shipping);
    stmt_bind_i64(row, 17, variant->picture);
}

static void add_stock_row(struct apply *apply, uint64_t variant_id)
{
    struct stmt *row = db_stmt(apply->db, "INSERT INTO stock (variant_id, available, held, sold,"
                                          " received, adjusted, changed_index)"
                                          " VALUES (?, 0, 0, 0, 0, 0, ?)");
    stmt_bind_u64(row, 1, variant_id);
    stmt_bind_u64(row, 2, apply->index);
    stmt_run(row);
}

/* What is on hand becomes WANTED: the difference is a correction. */
static void set_stock(struct apply *apply, uint64_t variant_id, int64_t wanted)
{
    struct stmt *row = db_stmt(apply->db, "SELECT available FROM stock WHERE variant_id = ?");
    stmt_bind_u64(row, 1, variant_id);
    if (stmt_next(row))
        return;
    int64_t difference = wanted - stmt_i64(row, 0);
    stmt_done(row);
    if (difference == 0)
        return;
    row = db_stmt(apply->db, "UPDATE stock SET available = available + ?2,"
                             " adjusted = adjusted + ?2, changed_index = ?3 WHERE variant_id = ?1");
    stmt_bind_u64(row, 1, variant_id);
    stmt_bind_i64(row, 2, difference);
    stmt_bind_u64(row, 3, apply->index);
    stmt_run(row);
    stock_keep_move(apply, variant_id, 0, difference, STR("catalogue"));
}

static void write_variant(struct apply *apply, uint64_t product_id, unsigned position,
                          struct variant *variant)
{
    static const char insert[] =
        "INSERT INTO variant (id, product_id, position, key, sku, barcode, option1, option2,"
        " option3, price, compare_at, grams, tracked, sell_when_out, taxable, needs_shipping,"
        " picture, retired)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, 0)";
    static const char update[] =
        "UPDATE variant SET product_id = ?2, position = ?3, key = ?4, sku = ?5, barcode = ?6,"
        " option1 = ?7, option2 = ?8, option3 = ?9, price = ?10, compare_at = ?11, grams = ?12,"
        " tracked = ?13, sell_when_out = ?14, taxable = ?15, needs_shipping = ?16, picture = ?17,"
        " retired = 0 WHERE id = ?1";
    bool new = variant->id == 0;
    if (new)
        variant->id = apply_next_number(apply, COUNTER_VARIANT);
    struct stmt *row = db_stmt(apply->db, new ? insert : update);
    bind_variant(row, product_id, position, variant);
    stmt_run(row);
    if (new)
        add_stock_row(apply, variant->id);
    if (variant->set_stock)
        set_stock(apply, variant->id, variant->available);
}

static bool has_variant(const struct product *product, uint64_t variant_id)
{
    for (unsigned i = 0; i < product->variant_count; i++)
        if (product->variants[i].id == variant_id)
            return true;
    return false;
}

static void retire_absent(struct apply *apply, const struct product *product, uint64_t product_id)
{
    struct stmt *row =
        db_stmt(apply->db, "SELECT id FROM variant WHERE product_id = ? AND retired = 0");
    stmt_bind_u64(row, 1, product_id);
    unsigned count = 0, max = 2 * SHOP_VARIANTS_MAX;
    uint64_t *absent = ARENA_ARRAY(apply->arena, uint64_t, max);
    if (!absent)
        db_fail_memory(apply->db);
    while (stmt_next(row) == 0)
        if (!has_variant(product, stmt_u64(row, 0)) && count < max)
            absent[count++] = stmt_u64(row, 0);
    for (unsigned i = 0; i < count; i++) {
        row = db_stmt(apply->db, "UPDATE variant SET retired = 1 WHERE id = ?");
        stmt_bind_u64(row, 1, absent[i]);
        stmt_run(row);
    }
}

/* ---- The product's own rows ---- */

static struct str joined_names(struct apply *apply, const struct product *product)
{
    const struct str *names = product->option_names;
    unsigned count = product->option_count;
    return arena_printf(apply->arena, "%.*s%s%.*s%s%.*s", STR_FMT(count > 0 ? names[0] : STR("")),
                        count > 1 ? "\n" : "", STR_FMT(count > 1 ? names[1] : STR("")),
                        count > 2 ? "\n" : "", STR_FMT(count > 2 ? names[2] : STR("")));
}

static void write_product_row(struct apply *apply, const struct product *product,
                              const struct before *before, uint64_t id, uint64_t category_id)
{
    static const char insert[] =
        "INSERT INTO product (id, handle, title, title_key, vendor, category_id, published,"
        " retired, listed, price_min, price_max, compare_at, available, popularity,"
        " variant_count, variant_key, picture_url, picture_alt, option_names, seo_title,"
        " seo_description, created_ms, updated_ms, changed_index)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?7, 0, 0, 0, 0, 0, 0, '', ?8, ?9, ?10, ?11, ?12,"
        " ?13, ?14, ?15)";
    static const char update[] =
        "UPDATE product SET handle = ?2, title = ?3, title_key = ?4, vendor = ?5,"
        " category_id = ?6, published = ?7, retired = 0, listed = ?7, picture_url = ?8,"
        " picture_alt = ?9, option_names = ?10, seo_title = ?11, seo_description = ?12,"
        " created_ms = ?13, updated_ms = ?14, changed_index = ?15 WHERE id = ?1";
    struct picture none = {STR(""), STR("")};
    const struct picture *first = product->picture_count ? &product->pictures[0] : &none;
    struct stmt *row = db_stmt(apply->db, before->id ? update : insert);
    stmt_bind_u64(row, 1, id);
    stmt_bind_str(row, 2, product->handle);
    stmt_bind_str(row, 3, product->title);
    stmt_bind_str(row, 4, str_sub(slug_make(apply->arena, product->title), 0, SORT_KEY_MAX));
    stmt_bind_str(row, 5, product->vendor);
    if (category_id)
        stmt_bind_u64(row, 6, category_id);
    else
        stmt_bind_null(row, 6);
    stmt_bind_i64(row, 7, product->published);
    stmt_bind_str(row, 8, first->url);
    stmt_bind_str(row, 9, first->alt);
    stmt_bind_str(row, 10, joined_names(apply, product));
    stmt_bind_str(row, 11, product->seo_title);
    stmt_bind_str(row, 12, product->seo_description);
    stmt_bind_i64(row, 13, before->created_ms);
    stmt_bind_i64(row, 14, apply->now);
    stmt_bind_u64(row, 15, apply->index);
    stmt_run(row);
}

static void delete_of(struct db *db, const char *sql, uint64_t id)
{
    struct stmt *row = db_stmt(db, sql);
    stmt_bind_u64(row, 1, id);
    stmt_run(row);
}

static void write_tags(struct apply *apply, const struct product *product, uint64_t id)
{
    for (unsigned i = 0; i < product->tag_count; i++) {
        struct stmt *row = db_stmt(
            apply->db, "INSERT INTO product_tag (product_id, position, tag) VALUES (?, ?, ?)");
        stmt_bind_u64(row, 1, id);
        stmt_bind_i64(row, 2, i);
        stmt_bind_str(row, 3, product->tags[i]);
        stmt_run(row);
    }
}

static void write_pictures(struct apply *apply, const struct product *product, uint64_t id)
{
    for (unsigned i = 0; i < product->picture_count; i++) {
        struct stmt *row = db_stmt(
            apply->db, "INSERT INTO picture (product_id, position, url, alt) VALUES (?, ?, ?, ?)");
        stmt_bind_u64(row, 1, id);
        stmt_bind_i64(row, 2, i);
        stmt_bind_str(row, 3, product->pictures[i].url);
        stmt_bind_str(row, 4, product->pictures[i].alt);
        stmt_run(row);
    }
}

static void write_html(struct apply *apply, const struct product *product, uint64_t id)
{
    struct stmt *row =
        db_stmt(apply->db, "INSERT OR REPLACE INTO product_html (product_id, html) VALUES (?, ?)");
    stmt_bind_u64(row, 1, id);
    stmt_bind_str(row, 2, product->html);
    stmt_run(row);
}

int product_write(struct apply *apply, struct product *product)
{
    struct before before;
    int err = find_before(apply, product->handle, &before);
    if (!err)
        err = match_variants(apply, product, before.id);
    if (!err)
        err = stock_write_back(apply->shop, apply->index);
    if (err)
        return err;
    product->id = before.id ? before.id : apply_next_number(apply, COUNTER_PRODUCT);
    uint64_t category_id = product_category(apply, product->category);
    write_product_row(apply, product, &before, product->id, category_id);
    write_html(apply, product, product->id);
    if (before.id) {
        delete_of(apply->db, "DELETE FROM product_tag WHERE product_id = ?", product->id);
        delete_of(apply->db, "DELETE FROM picture WHERE product_id = ?", product->id);
    }
    write_tags(apply, product, product->id);
    write_pictures(apply, product, product->id);
    for (unsigned i = 0; i < product->variant_count; i++)
        write_variant(apply, product->id, i, &product->variants[i]);
    if (before.id)
        retire_absent(apply, product, product->id);
    if (before.listed)
        product_count_listed(apply, before.category_id, -1);
    if (product->published)
        product_count_listed(apply, category_id, 1);
    product_index_words(apply, product->id, product);
    shop_count(apply->shop, COUNTER_VARIANTS, product_refresh(apply->db, product->id));
    apply_changed_product(apply, product->id, product->handle);
    return db_failure(apply->db)->err;
}

/* ---- What lists show ---- */

struct summary {
    int64_t price_min, price_max, compare_at, popularity, variants;
    bool available;
    char key[SHOP_KEY_MAX + 1];
};

static void add_variant(struct summary *sum, struct stmt *row)
{
    int64_t price = stmt_i64(row, 1);
    if (sum->variants == 0)
        str_copy(sum->key, sizeof sum->key, stmt_str(row, 0));
    if (sum->variants == 0 || price < sum->price_min) {
        sum->price_min = price;
        sum->compare_at = stmt_i64(row, 2);
    }
    if (price > sum->price_max)
        sum->price_max = price;
    bool tracked = stmt_bool(row, 3), sell_when_out = stmt_bool(row, 4);
    sum->available |= !tracked || sell_when_out || stmt_i64(row, 5) > 0;
    sum->variants++;
}

/* What the row of a product has of it; nothing if there is none. */
static struct summary summary_before(struct db *db, uint64_t product_id)
{
    struct summary sum = {0};
    struct stmt *row = db_stmt(db, "SELECT price_min, price_max, compare_at, available, popularity,"
                                   " variant_count, variant_key FROM product WHERE id = ?");
    stmt_bind_u64(row, 1, product_id);
    if (stmt_next(row))
        return sum;
    sum.price_min = stmt_i64(row, 0);
    sum.price_max = stmt_i64(row, 1);
    sum.compare_at = stmt_i64(row, 2);
    sum.available = stmt_bool(row, 3);
    sum.popularity = stmt_i64(row, 4);
    sum.variants = stmt_i64(row, 5);
    str_copy(sum.key, sizeof sum.key, stmt_str(row, 6));
    stmt_done(row);
    return sum;
}

static struct summary summary_now(struct db *db, uint64_t product_id)
{
    struct summary sum = {0};
    int64_t sold = 0;
    struct stmt *row = db_stmt(db, "SELECT v.key, v.price, v.compare_at, v.tracked,"
                                   " v.sell_when_out, s.available, s.sold, v.retired"
                                   " FROM variant v JOIN stock s ON s.variant_id = v.id"
                                   " WHERE v.product_id = ? ORDER BY v.position, v.id");
    stmt_bind_u64(row, 1, product_id);
    while (stmt_next(row) == 0) {
        sold += stmt_i64(row, 6);
        if (!stmt_bool(row, 7))
            add_variant(&sum, row);
    }
    sum.popularity = stock_popularity(sold);
    return sum;
}

static void write_offers(struct db *db, uint64_t product_id, const struct summary *sum)
{
    struct stmt *row = db_stmt(db, "UPDATE product SET price_min = ?2, price_max = ?3,"
                                   " compare_at = ?4, variant_count = ?5, variant_key = ?6"
                                   " WHERE id = ?1");
    stmt_bind_u64(row, 1, product_id);
    stmt_bind_i64(row, 2, sum->price_min);
    stmt_bind_i64(row, 3, sum->price_max);
    stmt_bind_i64(row, 4, sum->compare_at);
    stmt_bind_i64(row, 5, sum->variants);
    stmt_bind_str(row, 6, str_of(sum->key));
    stmt_run(row);
}

static void write_number(struct db *db, const char *sql, uint64_t product_id, int64_t value)
{
    struct stmt *row = db_stmt(db, sql);
    stmt_bind_u64(row, 1, product_id);
    stmt_bind_i64(row, 2, value);
    stmt_run(row);
}

/* An update that names a column writes its indexes anew, even for the same value: sales change
 * only how popular a product is, and whether it can be had. */
int64_t product_refresh(struct db *db, uint64_t product_id)
{
    struct summary before = summary_before(db, product_id), now = summary_now(db, product_id);
    if (before.price_min != now.price_min || before.price_max != now.price_max ||
        before.compare_at != now.compare_at || before.variants != now.variants ||
        !str_eq(str_of(before.key), str_of(now.key)))
        write_offers(db, product_id, &now);
    if (before.available != now.available)
        write_number(db, "UPDATE product SET available = ?2 WHERE id = ?1", product_id,
                     now.available);
    if (before.popularity != now.popularity)
        write_number(db, "UPDATE product SET popularity = ?2 WHERE id = ?1", product_id,
                     now.popularity);
    return now.variants - before.variants;
}
