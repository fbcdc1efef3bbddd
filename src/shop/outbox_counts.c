#include "shop/outbox_counts.h"

#include "base/check.h"

#include <stdio.h>

static struct outbox_lane_rows *find(struct outbox_counts *counts, struct str lane)
{
    for (unsigned i = 0; i < counts->count; i++)
        if (str_eq(str_of(counts->lanes[i].lane), lane))
            return &counts->lanes[i];
    /* Lanes are those of the warehouses and a few more (OUTBOX_KIND_LIST). */
    CHECK(counts->count < OUTBOX_COUNTS_MAX && lane.len < OUTBOX_COUNTS_LANE);
    struct outbox_lane_rows *made = &counts->lanes[counts->count++];
    *made = (struct outbox_lane_rows){.rows = 0};
    str_copy(made->lane, sizeof made->lane, lane);
    return made;
}

int outbox_counts_load(struct outbox_counts *counts, struct db *db)
{
    *counts = (struct outbox_counts){.count = 0};
    struct stmt *row = db_stmt(db, "SELECT lane, count(*) FROM outbox GROUP BY lane");
    while (stmt_next(row) == 0)
        find(counts, stmt_str(row, 0))->rows = stmt_i64(row, 1);
    stmt_done(row);
    return db_failure(db)->err;
}

void outbox_counts_add(struct outbox_counts *counts, struct str lane, int64_t difference)
{
    struct outbox_lane_rows *one = find(counts, lane);
    one->rows += difference;
    one->changed = true;
}

void outbox_counts_save(struct outbox_counts *counts, struct db *db)
{
    for (unsigned i = 0; i < counts->count; i++) {
        char key[OUTBOX_COUNTS_LANE + 8];
        if (!counts->lanes[i].changed)
            continue;
        snprintf(key, sizeof key, "outbox/%s", counts->lanes[i].lane);
        struct stmt *row = db_stmt(db, "INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)");
        stmt_bind_str(row, 1, str_of(key));
        stmt_bind_i64(row, 2, counts->lanes[i].rows);
        stmt_run(row);
        counts->lanes[i].changed = false;
    }
}
