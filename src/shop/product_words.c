#include "shop/product.h"

/* What of a product can be found by searching: its title; its vendor, category, tags,
 * options, SKUs and barcodes; its description without markup. */
enum { WORDS_MAX = 256 * 1024 };

static void put_word(struct buf *out, struct str word)
{
    if (word.len == 0)
        return;
    buf_str(out, word);
    buf_byte(out, ' ');
}

static void put_facts(struct buf *out, const struct product *product)
{
    put_word(out, product->vendor);
    put_word(out, product->category);
    for (unsigned i = 0; i < product->tag_count; i++)
        put_word(out, product->tags[i]);
    for (unsigned i = 0; i < product->variant_count; i++) {
        const struct variant *variant = &product->variants[i];
        put_word(out, variant->sku);
        put_word(out, variant->barcode);
        for (unsigned j = 0; j < SHOP_OPTIONS_MAX; j++)
            /* Most variants repeat the value of the one before: once is enough. */
            if (i == 0 || !str_eq(variant->options[j], product->variants[i - 1].options[j]))
                put_word(out, variant->options[j]);
    }
}

/* A tag or an entity parts words as a space does. */
static void put_without_markup(struct buf *out, struct str html)
{
    bool tags_left = true; /* a ">" is still to come: not looked for again and again */
    for (size_t i = 0; i < html.len; i++) {
        char c = html.at[i];
        ptrdiff_t end = -1;
        if (c == '<' && tags_left) {
            end = str_find_byte(str_from(html, i), '>');
            tags_left = end > 0;
        }
        if (c == '&')
            end = str_find_byte(str_sub(html, i, 12), ';');
        buf_byte(out, end > 0 ? ' ' : c);
        if (end > 0)
            i += (size_t)end;
    }
}

static void bind_words(struct stmt *row, uint64_t id, struct str title, struct str facts,
                       struct str description)
{
    stmt_bind_u64(row, 1, id);
    stmt_bind_str(row, 2, title);
    stmt_bind_str(row, 3, facts);
    stmt_bind_str(row, 4, description);
}

/* The index has to be told the words it is to forget. true: they are as they were. */
static bool forget_words(struct apply *apply, uint64_t id, struct str title, struct str facts,
                         struct str description)
{
    struct stmt *old = db_stmt(apply->db, "SELECT title, facts, description FROM product_words"
                                          " WHERE product_id = ?");
    stmt_bind_u64(old, 1, id);
    if (stmt_next(old))
        return false;
    bool same = str_eq(stmt_str(old, 0), title) && str_eq(stmt_str(old, 1), facts) &&
                str_eq(stmt_str(old, 2), description);
    if (!same) {
        struct stmt *row =
            db_stmt(apply->db, "INSERT INTO product_search (product_search, rowid, title,"
                               " facts, description) VALUES ('delete', ?, ?, ?, ?)");
        bind_words(row, id, stmt_str(old, 0), stmt_str(old, 1), stmt_str(old, 2));
        stmt_run(row);
    }
    stmt_done(old);
    return same;
}

void product_index_words(struct apply *apply, uint64_t product_id, const struct product *product)
{
    struct buf facts, description;
    buf_init(&facts, WORDS_MAX);
    buf_init(&description, WORDS_MAX);
    put_facts(&facts, product);
    put_without_markup(&description, product->html);
    if (facts.failed || description.failed) {
        db_fail_memory(apply->db);
    } else if (!forget_words(apply, product_id, product->title, buf_text(&facts),
                             buf_text(&description))) {
        struct stmt *row =
            db_stmt(apply->db, "INSERT OR REPLACE INTO product_words (product_id, title, facts,"
                               " description) VALUES (?, ?, ?, ?)");
        bind_words(row, product_id, product->title, buf_text(&facts), buf_text(&description));
        stmt_run(row);
        row = db_stmt(apply->db, "INSERT INTO product_search (rowid, title, facts, description)"
                                 " VALUES (?, ?, ?, ?)");
        bind_words(row, product_id, product->title, buf_text(&facts), buf_text(&description));
        stmt_run(row);
    }
    buf_close(&facts);
    buf_close(&description);
}
