/* Searching the catalogue (shop/read.h): one SELECT put together from the filters. */
#include "base/hash.h"
#include "base/wire.h"
#include "shop/reader.h"
#include "shop/search_words.h"

enum {
    LIMIT_MAX = 100,
    TOTAL_MAX = 10000,
    PARAMETERS_MAX = 24,
    SQL_MAX = 8192,
    TEXT_MAX = 1000, /* longer texts are cut: nobody types them */
    CURSOR_VERSION = 1,
};

/* How each order is written, and which column its cursors carry beside the id. */
struct ordering {
    const char *column;
    bool descending;
};
static const struct ordering orderings[] = {
    [SEARCH_RELEVANCE] = {"p.id", false}, /* without words: as the catalogue was made */
    [SEARCH_NEWEST] = {"p.id", true},
    [SEARCH_PRICE_UP] = {"p.price_min", false},
    [SEARCH_PRICE_DOWN] = {"p.price_min", true},
    [SEARCH_TITLE] = {"p.title_key", false},
    [SEARCH_BEST_SELLING] = {"p.popularity", true},
};
static const struct ordering by_score = {"s.score", false};

/* A value bound to the statement: of one of three types. */
struct parameter {
    enum { PARAMETER_NUMBER, PARAMETER_REAL, PARAMETER_TEXT } type;
    int64_t number;
    double real;
    struct str text;
};

struct query {
    struct reader *reader;
    struct arena *arena;
    const struct search *search;
    struct ordering ordering;
    struct buf words;                                 /* the FTS5 query; empty: none */
    uint64_t category_ids[1 + SEARCH_CATEGORIES_MAX]; /* any of these; none: all */
    unsigned category_count;
    uint32_t fingerprint; /* of the filters: a cursor belongs to one search */
    struct buf sql;
    struct parameter parameters[PARAMETERS_MAX];
    unsigned parameter_count;
};

static void add_number(struct query *query, int64_t number)
{
    query->parameters[query->parameter_count++] =
        (struct parameter){.type = PARAMETER_NUMBER, .number = number};
}

static void add_text(struct query *query, struct str text)
{
    query->parameters[query->parameter_count++] =
        (struct parameter){.type = PARAMETER_TEXT, .text = text};
}

/* ---- Cursors ---- */

/* The last card's place in the order. */
struct place {
    struct parameter key;
    int64_t id;
};

/* Fixed key: a cursor may be used on another server. */
static uint32_t fingerprint_of(const struct search *search)
{
    struct buf bytes;
    buf_init(&bytes, 16384);
    wire_put_str(&bytes, search->text);
    wire_put_str(&bytes, search->category);
    for (unsigned i = 0; i < search->category_count && i < SEARCH_CATEGORIES_MAX; i++)
        wire_put_str(&bytes, search->categories[i]);
    wire_put_str(&bytes, search->vendor);
    wire_put_str(&bytes, search->tag);
    wire_put_i64(&bytes, search->price_min);
    wire_put_i64(&bytes, search->price_max);
    wire_put_bool(&bytes, search->only_available);
    wire_put_u64(&bytes, search->order);
    uint32_t hash = (uint32_t)hash_fast((struct hash_key){1, 2}, buf_text(&bytes));
    buf_close(&bytes);
    return hash;
}

static int write_cursor(const struct query *query, const struct place *place, struct str *cursor)
{
    struct buf bytes;
    buf_init(&bytes, 1024);
    wire_put_u64(&bytes, CURSOR_VERSION);
    wire_put_u64(&bytes, query->fingerprint);
    wire_put_u64(&bytes, place->key.type);
    wire_put_i64(&bytes, place->key.number);
    wire_put_raw(&bytes, &place->key.real, sizeof place->key.real);
    wire_put_str(&bytes, place->key.text);
    wire_put_i64(&bytes, place->id);
    char *hex = bytes.failed ? NULL : arena_alloc(query->arena, 2 * bytes.len + 1);
    if (hex) {
        hex_encode(bytes.at, bytes.len, hex);
        *cursor = str_make(hex, 2 * bytes.len);
    }
    buf_close(&bytes);
    return hex ? 0 : ERR_NOMEM;
}

static int read_cursor(const struct query *query, struct place *place)
{
    struct str hex = query->search->cursor;
    if (hex.len > 2048 || hex.len % 2)
        return ERR_INVALID;
    unsigned char *bytes = arena_alloc(query->arena, hex.len / 2 + 1);
    if (!bytes)
        return ERR_NOMEM;
    if (hex_decode(hex, bytes, hex.len / 2))
        return ERR_INVALID;
    struct wire in = wire_of(str_make(bytes, hex.len / 2));
    bool known = wire_u64(&in) == CURSOR_VERSION;
    known &= wire_u64(&in) == query->fingerprint;
    uint64_t type = wire_u64_max(&in, PARAMETER_TEXT);
    place->key.number = wire_i64(&in);
    wire_raw(&in, &place->key.real, sizeof place->key.real);
    place->key.text = wire_str(&in);
    place->id = wire_i64(&in);
    place->key.type = type == PARAMETER_NUMBER ? PARAMETER_NUMBER
                      : type == PARAMETER_REAL ? PARAMETER_REAL
                                               : PARAMETER_TEXT;
    return known && !in.bad && wire_left(&in) == 0 ? 0 : ERR_INVALID;
}

/* ---- The statement ---- */

static bool by_relevance(const struct query *query)
{
    return query->ordering.column == by_score.column;
}

/* FROM and WHERE: what the search is about, whatever its order and page. */
static void put_filters(struct query *query)
{
    const struct search *search = query->search;
    if (by_relevance(query)) {
        buf_puts(&query->sql, " FROM product_search JOIN product p ON p.id = product_search.rowid"
                              " WHERE product_search MATCH ? AND p.listed = 1");
        add_text(query, buf_text(&query->words));
    } else if (query->words.len > 0) {
        buf_puts(&query->sql, " FROM product p WHERE p.id IN (SELECT rowid FROM product_search"
                              " WHERE product_search MATCH ?) AND p.listed = 1");
        add_text(query, buf_text(&query->words));
    } else {
        buf_puts(&query->sql, " FROM product p WHERE p.listed = 1");
    }
    for (unsigned i = 0; i < query->category_count; i++) {
        buf_puts(&query->sql, i == 0 ? " AND p.category_id IN (?" : ", ?");
        add_number(query, (int64_t)query->category_ids[i]);
    }
    buf_puts(&query->sql, query->category_count > 0 ? ")" : "");
    if (search->vendor.len > 0) {
        buf_puts(&query->sql, " AND p.vendor = ?");
        add_text(query, search->vendor);
    }
    if (search->tag.len > 0) {
        buf_puts(&query->sql, " AND p.id IN (SELECT product_id FROM product_tag WHERE tag = ?)");
        add_text(query, search->tag);
    }
    if (search->price_min > 0) {
        buf_puts(&query->sql, " AND p.price_max >= ?");
        add_number(query, search->price_min);
    }
    if (search->price_max > 0) {
        buf_puts(&query->sql, " AND p.price_min <= ?");
        add_number(query, search->price_max);
    }
    if (search->only_available)
        buf_puts(&query->sql, " AND p.available = 1");
}

static void put_place(struct query *query, const struct place *place)
{
    buf_printf(&query->sql, " AND (%s, p.id) %s (?, ?)", query->ordering.column,
               query->ordering.descending ? "<" : ">");
    query->parameters[query->parameter_count++] = place->key;
    add_number(query, place->id);
}

static struct stmt *prepare(struct query *query)
{
    buf_byte(&query->sql, 0);
    if (query->sql.failed)
        db_fail_memory(query->reader->db);
    struct stmt *row = stmt_new(query->reader->db, query->sql.failed ? "" : query->sql.at);
    for (unsigned i = 0; i < query->parameter_count; i++) {
        const struct parameter *parameter = &query->parameters[i];
        if (parameter->type == PARAMETER_NUMBER)
            stmt_bind_i64(row, (int)i + 1, parameter->number);
        else if (parameter->type == PARAMETER_REAL)
            stmt_bind_real(row, (int)i + 1, parameter->real);
        else
            stmt_bind_str(row, (int)i + 1, parameter->text);
    }
    return row;
}

static void restart(struct query *query)
{
    buf_clear(&query->sql);
    query->parameter_count = 0;
}

/* ---- Results ---- */

static int read_card(struct stmt *row, struct arena *arena, struct product_card *card)
{
    struct str *const texts[] = {&card->handle,      &card->title,       &card->vendor,
                                 &card->picture.url, &card->picture.alt, &card->variant_key,
                                 &card->category};
    for (int i = 0; i < 7; i++) {
        *texts[i] = arena_str(arena, stmt_str(row, 1 + i));
        if (!texts[i]->at)
            return ERR_NOMEM;
    }
    card->id = stmt_u64(row, 0);
    card->price_min = stmt_i64(row, 8);
    card->price_max = stmt_i64(row, 9);
    card->compare_at = stmt_i64(row, 10);
    card->available = stmt_bool(row, 11);
    card->variant_count = (unsigned)stmt_i64(row, 12);
    return 0;
}

static int read_place(const struct query *query, struct stmt *row, struct place *place)
{
    place->id = stmt_i64(row, 0);
    place->key = (struct parameter){.type = PARAMETER_NUMBER, .text = STR("")};
    if (by_relevance(query)) {
        place->key.type = PARAMETER_REAL;
        place->key.real = stmt_real(row, 13);
    } else if (query->search->order == SEARCH_TITLE) {
        place->key.type = PARAMETER_TEXT;
        place->key.text = arena_str(query->arena, stmt_str(row, 13));
        return place->key.text.at ? 0 : ERR_NOMEM;
    } else {
        place->key.number = stmt_i64(row, 13);
    }
    return 0;
}

/* One row more than asked for tells whether there is another page. */
static int read_page(struct query *query, struct stmt *row, unsigned limit,
                     struct search_page *page)
{
    struct place last = {.id = 0};
    page->cards = ARENA_ARRAY(query->arena, struct product_card, limit);
    int err = page->cards ? 0 : ERR_NOMEM;
    while (!err && !(err = stmt_next(row))) {
        if (page->count == limit) {
            err = write_cursor(query, &last, &page->next);
            break;
        }
        err = read_card(row, query->arena, &page->cards[page->count++]);
        if (!err && page->count == limit)
            err = read_place(query, row, &last);
    }
    stmt_done(row);
    return err == ERR_NOTFOUND ? 0 : err;
}

static int select_cards(struct query *query, const struct place *after, struct search_page *page)
{
    unsigned limit = query->search->limit < 1           ? 1
                     : query->search->limit > LIMIT_MAX ? LIMIT_MAX
                                                        : query->search->limit;
    restart(query);
    buf_printf(&query->sql,
               "SELECT p.id, p.handle, p.title, p.vendor, p.picture_url, p.picture_alt,"
               " p.variant_key, coalesce((SELECT name FROM category WHERE id = p.category_id), ''),"
               " p.price_min, p.price_max, p.compare_at, p.available, p.variant_count, %s",
               query->ordering.column);
    if (by_relevance(query)) {
        /* Of more matches than that the later ones are not ranked: whoever gets so many needs
         * another word. */
        buf_puts(&query->sql, " FROM (SELECT p.id AS id, bm25(product_search, 10.0, 4.0, 1.0)"
                              " AS score");
        put_filters(query);
        buf_printf(&query->sql, " LIMIT %d) s JOIN product p ON p.id = s.id WHERE 1", TOTAL_MAX);
    } else {
        put_filters(query);
    }
    if (after)
        put_place(query, after);
    const char *direction = query->ordering.descending ? " DESC" : "";
    buf_printf(&query->sql, " ORDER BY %s%s, p.id%s LIMIT %u", query->ordering.column, direction,
               direction, limit + 1);
    struct stmt *row = prepare(query);
    int err = read_page(query, row, limit, page);
    stmt_free(row);
    return err;
}

static int select_total(struct query *query, struct search_page *page)
{
    restart(query);
    buf_puts(&query->sql, "SELECT count(*) FROM (SELECT 1");
    put_filters(query);
    buf_printf(&query->sql, " LIMIT %d)", TOTAL_MAX + 1);
    struct stmt *row = prepare(query);
    int err = stmt_next(row);
    page->total = err ? 0 : stmt_u64(row, 0);
    stmt_free(row);
    return err;
}

/* ---- Entry ---- */

static int find_category(struct query *query, struct str name)
{
    struct stmt *row =
        db_stmt(query->reader->db, "SELECT id FROM category WHERE slug = ?1 OR name = ?1"
                                   " ORDER BY slug = ?1 DESC LIMIT 1");
    stmt_bind_str(row, 1, name);
    int err = stmt_next(row);
    if (err)
        return err == ERR_NOTFOUND ? 0 : err;
    query->category_ids[query->category_count++] = stmt_u64(row, 0);
    stmt_done(row);
    return 0;
}

static int find_categories(struct query *query)
{
    const struct search *search = query->search;
    if (search->category.len == 0 && search->category_count == 0)
        return 0;
    int err = search->category.len ? find_category(query, search->category) : 0;
    for (unsigned i = 0; !err && i < search->category_count && i < SEARCH_CATEGORIES_MAX; i++)
        err = find_category(query, search->categories[i]);
    return !err && query->category_count == 0 ? ERR_NOTFOUND : err;
}

/* 0, or ERR_NOTFOUND: no product can match. */
static int prepare_filters(struct query *query)
{
    const struct search *search = query->search;
    if (search->text.len > 0 && !search_words(&query->words, str_sub(search->text, 0, TEXT_MAX)))
        return ERR_NOTFOUND;
    query->ordering = query->words.len > 0 && search->order == SEARCH_RELEVANCE
                          ? by_score
                          : orderings[search->order];
    return find_categories(query);
}

static int run(struct query *query, struct search_page *page)
{
    struct place after = {.id = 0};
    query->fingerprint = fingerprint_of(query->search);
    bool continued = query->search->cursor.len > 0;
    int err = continued ? read_cursor(query, &after) : 0;
    if (err)
        return err;
    err = prepare_filters(query);
    if (err == ERR_NOTFOUND)
        return 0;
    if (!err)
        err = select_total(query, page);
    return err ? err : select_cards(query, continued ? &after : NULL, page);
}

int reader_search(struct reader *reader, struct arena *arena, const struct search *search,
                  struct search_page *page)
{
    *page = (struct search_page){0};
    if ((unsigned)search->order > SEARCH_BEST_SELLING || !str_is_utf8(search->text))
        return ERR_INVALID;
    struct query query = {.reader = reader, .arena = arena, .search = search};
    buf_init(&query.words, 4 * TEXT_MAX);
    buf_init(&query.sql, SQL_MAX);
    int err = reader_enter(reader);
    if (!err)
        err = reader_leave(reader, run(&query, page));
    buf_close(&query.words);
    buf_close(&query.sql);
    return err;
}
