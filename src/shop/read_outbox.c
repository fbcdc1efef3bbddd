/* Reading what is to leave the cluster (shop/read.h). */
#include "shop/outbox.h"
#include "shop/reader.h"

enum { ROWS_MAX = 1000, LANES_MAX = SHOP_WAREHOUSES_MAX + 16 };

static int read_rows(struct reader *reader, struct arena *arena, struct str lane, uint64_t after,
                     unsigned limit, struct outbox_row *rows, unsigned *count)
{
    struct stmt *stmt = db_stmt(reader->db, "SELECT " OUTBOX_COLUMNS " FROM outbox"
                                            " WHERE lane = ? AND seq > ? ORDER BY seq LIMIT ?");
    stmt_bind_str(stmt, 1, lane);
    stmt_bind_u64(stmt, 2, after < INT64_MAX ? after : INT64_MAX);
    stmt_bind_u64(stmt, 3, limit);
    int err;
    while (stmt_more(stmt, &err)) {
        err = outbox_read(stmt, arena, &rows[*count]);
        if (err) {
            stmt_done(stmt);
            return err;
        }
        ++*count;
    }
    return err;
}

int reader_outbox(struct reader *reader, struct arena *arena, struct str lane, uint64_t after,
                  unsigned limit, struct outbox_row **rows, unsigned *count)
{
    limit = limit < ROWS_MAX ? limit : ROWS_MAX;
    *count = 0;
    *rows = ARENA_ARRAY(arena, struct outbox_row, limit + 1);
    if (!*rows)
        return ERR_NOMEM;
    int err = reader_enter(reader);
    if (err)
        return err;
    return reader_leave(reader, read_rows(reader, arena, lane, after, limit, *rows, count));
}

static int read_lanes(struct reader *reader, struct arena *arena, struct outbox_lane_count *lanes,
                      unsigned *count)
{
    /* A lane's first row is its oldest: numbers grow with log time. What one table has is looked up
     * in the other: it costs the same however many rows there are. */
    struct stmt *stmt =
        db_stmt(reader->db, "SELECT substr(m.key, 8), m.value, (SELECT time_ms FROM outbox"
                            " WHERE lane = substr(m.key, 8) ORDER BY seq LIMIT 1) FROM meta m"
                            " WHERE m.key > 'outbox/' AND m.key < 'outbox0' AND m.value > 0"
                            " ORDER BY m.key");
    int err = ERR_OK;
    while (*count < LANES_MAX && stmt_more(stmt, &err)) {
        lanes[*count] = (struct outbox_lane_count){.lane = arena_str(arena, stmt_str(stmt, 0)),
                                                   .rows = stmt_u64(stmt, 1),
                                                   .oldest_ms = stmt_i64(stmt, 2)};
        if (!lanes[(*count)++].lane.at) {
            stmt_done(stmt);
            return ERR_NOMEM;
        }
    }
    stmt_done(stmt);
    return err;
}

int reader_outbox_lanes(struct reader *reader, struct arena *arena,
                        struct outbox_lane_count **lanes, unsigned *count)
{
    *count = 0;
    *lanes = ARENA_ARRAY(arena, struct outbox_lane_count, LANES_MAX);
    if (!*lanes)
        return ERR_NOMEM;
    int err = reader_enter(reader);
    return err ? err : reader_leave(reader, read_lanes(reader, arena, *lanes, count));
}
