/* Reading products and categories (shop/read.h). */
#include "shop/product.h"
#include "shop/reader.h"

/* ---- One product ---- */

static int nomem(const void *memory)
{
    return memory ? 0 : ERR_NOMEM;
}

static int copy(struct arena *arena, struct stmt *row, int column, struct str *out)
{
    *out = arena_str(arena, stmt_str(row, column));
    return nomem(out->at);
}

static void split_names(struct product *product, struct str names)
{
    struct str name;
    while (names.len > 0 && product->option_count < SHOP_OPTIONS_MAX &&
           str_cut(&names, '\n', &name))
        product->option_names[product->option_count++] = name;
}

#define PRODUCT_COLUMNS                                                                        \
    "SELECT p.id, p.handle, p.title, h.html, p.vendor, coalesce(c.name, ''), p.seo_title,"     \
    "  p.seo_description, p.option_names, p.published, p.retired, p.created_ms, p.updated_ms," \
    "  p.changed_index, p.listed, coalesce(c.slug, '') FROM product p"                         \
    " LEFT JOIN product_html h ON h.product_id = p.id"                                         \
    " LEFT JOIN category c ON c.id = p.category_id "

static int read_row(struct stmt *row, struct arena *arena, struct product *product)
{
    struct str names = STR_NONE;
    int err = copy(arena, row, 1, &product->handle);
    err = err ? err : copy(arena, row, 2, &product->title);
    err = err ? err : copy(arena, row, 3, &product->html);
    err = err ? err : copy(arena, row, 4, &product->vendor);
    err = err ? err : copy(arena, row, 5, &product->category);
    err = err ? err : copy(arena, row, 6, &product->seo_title);
    err = err ? err : copy(arena, row, 7, &product->seo_description);
    err = err ? err : copy(arena, row, 8, &names);
    err = err ? err : copy(arena, row, 15, &product->category_slug);
    product->id = stmt_u64(row, 0);
    product->published = stmt_bool(row, 9);
    product->retired = stmt_bool(row, 10);
    product->created_ms = stmt_i64(row, 11);
    product->updated_ms = stmt_i64(row, 12);
    product->changed_index = stmt_u64(row, 13);
    if (!err)
        split_names(product, names);
    return err;
}

static int64_t count_of(struct db *db, const char *sql, uint64_t id)
{
    struct stmt *row = db_stmt(db, sql);
    stmt_bind_u64(row, 1, id);
    int64_t count = stmt_next(row) ? 0 : stmt_i64(row, 0);
    stmt_done(row);
    return count;
}

static int read_tags(struct db *db, struct arena *arena, struct product *product)
{
    struct stmt *row = db_stmt(db, "SELECT tag FROM product_tag WHERE product_id = ?"
                                   " ORDER BY position");
    stmt_bind_u64(row, 1, product->id);
    int err;
    while (!(err = stmt_next(row)) && product->tag_count < SHOP_TAGS_MAX) {
        err = copy(arena, row, 0, &product->tags[product->tag_count++]);
        if (err)
            break;
    }
    stmt_done(row);
    return err == ERR_NOTFOUND ? 0 : err;
}

static int read_pictures(struct db *db, struct arena *arena, struct product *product)
{
    int64_t count = count_of(db, "SELECT count(*) FROM picture WHERE product_id = ?", product->id);
    product->pictures = ARENA_ARRAY(arena, struct picture, (size_t)count + 1);
    struct stmt *row = db_stmt(db, "SELECT url, alt FROM picture WHERE product_id = ?"
                                   " ORDER BY position");
    stmt_bind_u64(row, 1, product->id);
    int err = nomem(product->pictures);
    while (!err && product->picture_count < count && !(err = stmt_next(row))) {
        struct picture *picture = &product->pictures[product->picture_count++];
        err = copy(arena, row, 0, &picture->url);
        if (!err)
            err = copy(arena, row, 1, &picture->alt);
    }
    stmt_done(row);
    return err == ERR_NOTFOUND ? 0 : err;
}

static int read_variant(struct stmt *row, struct arena *arena, struct variant *variant)
{
    int err = copy(arena, row, 1, &variant->key);
    err = err ? err : copy(arena, row, 2, &variant->sku);
    err = err ? err : copy(arena, row, 3, &variant->barcode);
    for (int i = 0; !err && i < SHOP_OPTIONS_MAX; i++)
        err = copy(arena, row, 4 + i, &variant->options[i]);
    variant->id = stmt_u64(row, 0);
    variant->price = stmt_i64(row, 7);
    variant->compare_at = stmt_i64(row, 8);
    variant->grams = stmt_i64(row, 9);
    variant->tracked = stmt_bool(row, 10);
    variant->sell_when_out = stmt_bool(row, 11);
    variant->taxable = stmt_bool(row, 12);
    variant->needs_shipping = stmt_bool(row, 13);
    variant->picture = (int32_t)stmt_i64(row, 14);
    variant->available = stmt_i64(row, 15);
    variant->held = stmt_i64(row, 16);
    variant->sold = stmt_i64(row, 17);
    return err;
}

/* A change of stock is a change of the product. */
static int read_variants(struct db *db, struct arena *arena, struct product *product)
{
    int64_t count = count_of(
        db, "SELECT count(*) FROM variant WHERE product_id = ? AND retired = 0", product->id);
    product->variants = ARENA_ARRAY(arena, struct variant, (size_t)count + 1);
    struct stmt *row = db_stmt(
        db, "SELECT v.id, v.key, v.sku, v.barcode, v.option1, v.option2, v.option3, v.price,"
            " v.compare_at, v.grams, v.tracked, v.sell_when_out, v.taxable, v.needs_shipping,"
            " v.picture, s.available, s.held, s.sold, s.changed_index"
            " FROM variant v JOIN stock s ON s.variant_id = v.id"
            " WHERE v.product_id = ? AND v.retired = 0 ORDER BY v.position, v.id");
    stmt_bind_u64(row, 1, product->id);
    int err = nomem(product->variants);
    while (!err && product->variant_count < count && !(err = stmt_next(row))) {
        err = read_variant(row, arena, &product->variants[product->variant_count++]);
        if (stmt_u64(row, 18) > product->changed_index)
            product->changed_index = stmt_u64(row, 18);
    }
    stmt_done(row);
    return err == ERR_NOTFOUND ? 0 : err;
}

/* Reads the product that ROW shows, and ends it. */
static int read_product(struct db *db, struct arena *arena, struct stmt *row, bool all,
                        struct product *product)
{
    *product = (struct product){0};
    int err = stmt_next(row);
    if (err)
        return err;
    bool listed = stmt_bool(row, 14);
    err = read_row(row, arena, product);
    stmt_done(row);
    if (!err && !listed && !all)
        err = ERR_NOTFOUND;
    if (!err)
        err = read_tags(db, arena, product);
    if (!err)
        err = read_pictures(db, arena, product);
    if (!err)
        err = read_variants(db, arena, product);
    return err;
}

static int load(struct db *db, struct arena *arena, struct str handle, bool all,
                struct product *product)
{
    struct stmt *row = db_stmt(db, PRODUCT_COLUMNS "WHERE p.handle = ?");
    stmt_bind_str(row, 1, handle);
    return read_product(db, arena, row, all, product);
}

int product_load(struct db *db, struct arena *arena, struct str handle, struct product *product)
{
    return load(db, arena, handle, true, product);
}

int reader_product(struct reader *reader, struct arena *arena, struct str handle, bool all,
                   struct product *product)
{
    int err = reader_enter(reader);
    return err ? err : reader_leave(reader, load(reader->db, arena, handle, all, product));
}

static int read_by_id(struct reader *reader, struct arena *arena, uint64_t id,
                      struct product *product)
{
    struct stmt *row = db_stmt(reader->db, PRODUCT_COLUMNS "WHERE p.id = ?");
    stmt_bind_u64(row, 1, id);
    return read_product(reader->db, arena, row, false, product);
}

static int index_of_variant(const struct product *product, uint64_t variant_id)
{
    for (unsigned i = 0; i < product->variant_count; i++)
        if (product->variants[i].id == variant_id)
            return (int)i;
    return -1;
}

static int read_by_item(struct reader *reader, struct arena *arena, struct str key,
                        struct product *product, int *variant)
{
    const struct item *item = items_find(&reader->items, key);
    if (item) {
        int err = read_by_id(reader, arena, item->product_id, product);
        if (!err)
            *variant = index_of_variant(product, item->variant_id);
        /* A retired variant is not there, though its product may be. */
        return !err && *variant < 0 ? ERR_NOTFOUND : err;
    }
    struct stmt *row = db_stmt(reader->db, PRODUCT_COLUMNS "WHERE p.handle = ?");
    stmt_bind_str(row, 1, key);
    int err = read_product(reader->db, arena, row, false, product);
    uint64_t id;
    if (err == ERR_NOTFOUND && str_to_u64(key, &id) == 0 && id <= INT64_MAX)
        err = read_by_id(reader, arena, id, product);
    return err;
}

int reader_product_by_item(struct reader *reader, struct arena *arena, struct str item_key,
                           struct product *product, int *variant)
{
    *variant = -1;
    int err = reader_enter(reader);
    return err ? err
               : reader_leave(reader, read_by_item(reader, arena, item_key, product, variant));
}

int reader_next_product(struct reader *reader, struct arena *arena, struct str after,
                        struct product *product)
{
    int err = reader_enter(reader);
    if (err)
        return err;
    struct stmt *row = db_stmt(reader->db, PRODUCT_COLUMNS "WHERE p.handle > ? AND p.retired = 0"
                                                           " ORDER BY p.handle LIMIT 1");
    stmt_bind_str(row, 1, after);
    return reader_leave(reader, read_product(reader->db, arena, row, true, product));
}

/* ---- Categories ---- */

enum { CATEGORIES_MAX = 1000 };

static int read_categories(struct reader *reader, struct arena *arena, struct category **out,
                           unsigned *count)
{
    struct stmt *row = db_stmt(
        reader->db, "SELECT c.name, c.slug, c.products, p.picture_url, p.picture_alt"
                    " FROM category c LEFT JOIN product p ON p.id = (SELECT id FROM"
                    "   (SELECT id, picture_url FROM product WHERE category_id = c.id"
                    "    AND listed = 1 ORDER BY id LIMIT 50) WHERE picture_url <> '' LIMIT 1)"
                    " WHERE c.products > 0 ORDER BY c.name LIMIT ?");
    stmt_bind_i64(row, 1, CATEGORIES_MAX);
    struct category *list = NULL;
    unsigned max = 0;
    int err;
    *count = 0;
    while (!(err = stmt_next(row))) {
        if (*count == max) {
            struct category *more = ARENA_ARRAY(arena, struct category, max ? 2 * max : 16);
            if (more && max)
                memcpy(more, list, max * sizeof *list);
            max = max ? 2 * max : 16;
            list = more;
            err = nomem(more);
        }
        struct category *category = err ? NULL : &list[(*count)++];
        err = err ? err : copy(arena, row, 0, &category->name);
        err = err ? err : copy(arena, row, 1, &category->slug);
        err = err ? err : copy(arena, row, 3, &category->picture.url);
        err = err ? err : copy(arena, row, 4, &category->picture.alt);
        if (err)
            break;
        category->products = stmt_u64(row, 2);
    }
    stmt_done(row);
    *out = list;
    return err == ERR_NOTFOUND ? 0 : err;
}

int reader_categories(struct reader *reader, struct arena *arena, struct category **categories,
                      unsigned *count)
{
    int err = reader_enter(reader);
    return err ? err : reader_leave(reader, read_categories(reader, arena, categories, count));
}
