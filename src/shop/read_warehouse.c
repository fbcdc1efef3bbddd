/* Reading warehouses and their stock (shop/read.h). */
#include "shop/reader.h"
#include "shop/warehouse.h"

int reader_warehouses(struct reader *reader, struct arena *arena, struct warehouse **list,
                      unsigned *count)
{
    int err = reader_enter(reader);
    return err ? err : reader_leave(reader, warehouse_read_all(reader->db, arena, list, count));
}

static int read_stock(struct reader *reader, struct arena *arena, struct str item_key,
                      struct warehouse_stock **list, unsigned *count)
{
    struct warehouse *warehouses;
    unsigned warehouse_count;
    struct item *item = items_find(&reader->items, item_key);
    if (!item)
        return db_failure(reader->db)->err ? db_failure(reader->db)->err : ERR_NOTFOUND;
    int err = items_load_stock(&reader->items, item);
    if (!err)
        err = warehouse_read_all(reader->db, arena, &warehouses, &warehouse_count);
    if (err)
        return err;
    struct str key = arena_str(arena, item->key);
    *list = ARENA_ARRAY(arena, struct warehouse_stock, warehouse_count);
    if (!*list || !key.at)
        return ERR_NOMEM;
    for (; !err && *count < warehouse_count; ++*count) {
        struct warehouse_count has;
        struct str id = warehouses[*count].id;
        err = warehouse_count_of(reader->db, id, *count == 0, item->variant_id,
                                 item->stock.available + item->stock.held, &has);
        (*list)[*count] =
            (struct warehouse_stock){id, item->variant_id, key, has.free, has.allotted};
    }
    return err;
}

int reader_warehouse_stock(struct reader *reader, struct arena *arena, struct str item_key,
                           struct warehouse_stock **list, unsigned *count)
{
    *count = 0;
    int err = reader_enter(reader);
    return err ? err : reader_leave(reader, read_stock(reader, arena, item_key, list, count));
}
