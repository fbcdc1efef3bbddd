#include "shop/item.h"

/* One text under which an item was found. */
struct item_slot {
    struct str key;
    struct item *item;
    struct item_slot *next;
};

/* What one command adds past the wanted memory is far less than the rest of it. */
enum { BUCKETS = 4096, MEMORY_WANTED = 8 << 20, MEMORY_MAX = 64 << 20 };

static int make_tables(struct items *items)
{
    items->by_key = ARENA_ARRAY(&items->memory, struct item_slot *, BUCKETS);
    items->by_id = ARENA_ARRAY(&items->memory, struct item *, BUCKETS);
    items->count = 0;
    return items->by_key && items->by_id ? 0 : ERR_NOMEM;
}

int items_init(struct items *items, struct db *db, unsigned max, bool live_stock)
{
    /* A seed of its own for each process: who finds out how keys are spread over the table
     * cannot choose slow ones. It decides nothing else. */
    *items = (struct items){.db = db, .max = max, .live_stock = live_stock};
    uintptr_t here = (uintptr_t)items;
    items->hash = (struct hash_key){(uint64_t)here, ~(uint64_t)here * 0x9e3779b97f4a7c15u};
    arena_init(&items->memory, MEMORY_MAX);
    return 0;
}

void items_close(struct items *items)
{
    arena_close(&items->memory);
}

void items_clear(struct items *items)
{
    if (items->by_key)
        arena_reset(&items->memory);
    items->by_key = NULL;
    items->by_id = NULL;
    items->changed = NULL;
    items->count = 0;
}

bool items_are_many(const struct items *items)
{
    return items->count > items->max || items->memory.used > MEMORY_WANTED;
}

void items_trim(struct items *items)
{
    if (items_are_many(items))
        items_clear(items);
}

/* ---- Loading ---- */

#define ITEM_COLUMNS                                                                               \
    "SELECT v.id, v.product_id, v.key, v.sku, p.handle, p.title, v.option1, v.option2, v.option3," \
    "  v.price, v.compare_at, v.grams, v.tracked, v.sell_when_out, v.taxable, v.needs_shipping,"   \
    "  v.retired, p.listed,"                                                                       \
    "  CASE WHEN v.picture < 0 THEN p.picture_url ELSE coalesce((SELECT url FROM picture"          \
    "    WHERE product_id = v.product_id AND position = v.picture), p.picture_url) END"            \
    " FROM variant v JOIN product p ON p.id = v.product_id "

static struct str option_text(struct arena *memory, struct stmt *row)
{
    struct str one = stmt_str(row, 6), two = stmt_str(row, 7), three = stmt_str(row, 8);
    return arena_printf(memory, "%.*s%s%.*s%s%.*s", STR_FMT(one), two.len ? " / " : "",
                        STR_FMT(two), three.len ? " / " : "", STR_FMT(three));
}

static void read_row(struct item *item, struct arena *memory, struct stmt *row)
{
    item->variant_id = stmt_u64(row, 0);
    item->product_id = stmt_u64(row, 1);
    item->key = arena_str(memory, stmt_str(row, 2));
    item->sku = arena_str(memory, stmt_str(row, 3));
    item->handle = arena_str(memory, stmt_str(row, 4));
    item->title = arena_str(memory, stmt_str(row, 5));
    item->option_text = option_text(memory, row);
    item->price = stmt_i64(row, 9);
    item->compare_at = stmt_i64(row, 10);
    item->grams = stmt_i64(row, 11);
    item->tracked = stmt_bool(row, 12);
    item->sell_when_out = stmt_bool(row, 13);
    item->taxable = stmt_bool(row, 14);
    item->needs_shipping = stmt_bool(row, 15);
    item->for_sale = !stmt_bool(row, 16) && stmt_bool(row, 17);
    item->picture_url = arena_str(memory, stmt_str(row, 18));
}

int items_load_stock(struct items *items, struct item *item)
{
    struct stmt *row =
        db_stmt(items->db, "SELECT available, held, sold, received, adjusted, changed_index"
                           " FROM stock WHERE variant_id = ?");
    stmt_bind_u64(row, 1, item->variant_id);
    int err = stmt_next(row);
    if (err)
        return err;
    item->stock = (struct stock){stmt_i64(row, 0), stmt_i64(row, 1), stmt_i64(row, 2),
                                 stmt_i64(row, 3), stmt_i64(row, 4), stmt_u64(row, 5)};
    stmt_done(row);
    item->was_held = item->stock.held;
    item->was_sold = item->stock.sold;
    item->was_in_stock = item_has(item, 1);
    return 0;
}

/* ---- Tables ---- */

static unsigned id_bucket(uint64_t variant_id)
{
    return (unsigned)(variant_id * 0x9e3779b97f4a7c15u >> 52) % BUCKETS;
}

static struct item *known_by_id(struct items *items, uint64_t variant_id)
{
    struct item *item = items->by_id ? items->by_id[id_bucket(variant_id)] : NULL;
    while (item && item->variant_id != variant_id)
        item = item->next_by_id;
    return item;
}

/* Remembers that KEY means ITEM. Without memory it is looked up again next time. */
static void add_key(struct items *items, struct str key, struct item *item)
{
    struct item_slot **bucket = &items->by_key[hash_fast(items->hash, key) % BUCKETS];
    struct item_slot *slot = ARENA_NEW(&items->memory, struct item_slot);
    struct str copy = slot ? arena_str(&items->memory, key) : STR_NONE;
    if (!copy.at)
        return;
    *slot = (struct item_slot){copy, item, *bucket};
    *bucket = slot;
    items->count++;
}

/* Ends ROW. The item it shows, loaded now or before; NULL: the database or memory failed. */
static struct item *take(struct items *items, struct stmt *row)
{
    struct item *item = known_by_id(items, stmt_u64(row, 0));
    if (item) {
        stmt_done(row);
        return item;
    }
    item = ARENA_NEW(&items->memory, struct item);
    if (item)
        read_row(item, &items->memory, row);
    stmt_done(row);
    if (!item || !item->picture_url.at || !item->title.at || !item->key.at) {
        db_fail_memory(items->db);
        return NULL;
    }
    if (items->live_stock && items_load_stock(items, item)) {
        db_fail_damaged(items->db, "a variant has no stock row");
        return NULL;
    }
    struct item **bucket = &items->by_id[id_bucket(item->variant_id)];
    item->next_by_id = *bucket;
    *bucket = item;
    items->count++;
    add_key(items, item->key, item);
    return item;
}

static bool ready(struct items *items)
{
    if (items->by_key)
        return true;
    if (make_tables(items) == 0)
        return true;
    items->by_key = NULL;
    db_fail_memory(items->db);
    return false;
}

/* ---- Looking up ---- */

static struct item *find_in_database(struct items *items, struct str key)
{
    /* Of several variants with one SKU the oldest that is still sold. */
    static const char by_key[] = ITEM_COLUMNS "WHERE v.key = ?";
    static const char by_sku[] =
        ITEM_COLUMNS "WHERE v.sku = ? AND v.sku <> '' ORDER BY v.retired, v.id LIMIT 1";
    static const char by_handle[] =
        ITEM_COLUMNS "WHERE p.handle = ? AND v.retired = 0 AND p.variant_count = 1 LIMIT 1";
    static const char *const ways[] = {by_key, by_sku, by_handle};
    for (int i = 0; i < 3; i++) {
        struct stmt *row = db_stmt(items->db, ways[i]);
        stmt_bind_str(row, 1, key);
        int err = stmt_next(row);
        if (!err)
            return take(items, row);
        if (err != ERR_NOTFOUND)
            return NULL;
    }
    return NULL;
}

struct item *items_find(struct items *items, struct str item_key)
{
    if (item_key.len == 0 || item_key.len > SHOP_KEY_MAX || !ready(items))
        return NULL;
    struct item_slot *slot = items->by_key[hash_fast(items->hash, item_key) % BUCKETS];
    while (slot && !str_eq(slot->key, item_key))
        slot = slot->next;
    if (slot)
        return slot->item;
    struct item *item = find_in_database(items, item_key);
    if (item && !str_eq(item->key, item_key))
        add_key(items, item_key, item);
    return item;
}

struct item *items_by_id(struct items *items, uint64_t variant_id)
{
    if (!ready(items))
        return NULL;
    struct item *item = known_by_id(items, variant_id);
    if (item)
        return item;
    struct stmt *row = db_stmt(items->db, ITEM_COLUMNS "WHERE v.id = ?");
    stmt_bind_u64(row, 1, variant_id);
    return stmt_next(row) ? NULL : take(items, row);
}
