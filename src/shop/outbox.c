/* Outbox: rows written with their cause, and removed with their answer. */
#include "shop/outbox.h"

#include "base/check.h"
#include "shop/coder.h"
#include "shop/order_events.h"
#include "shop/outbox_counts.h"

/* ---- Ids ---- */

/* The finisher of SplitMix64 (Steele, Lea and Flood 2014): each input bit changes each output bit
 * about half the time, and no two inputs have the same output. */
static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ull;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebull;
    return x ^ (x >> 31);
}

static uint64_t read_word(const unsigned char *bytes)
{
    uint64_t word = 0;
    for (unsigned i = 0; i < 8; i++)
        word = word << 8 | bytes[i];
    return word;
}

static void write_word(unsigned char *bytes, uint64_t word)
{
    for (unsigned i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(word >> (56 - 8 * i));
}

/* Not secret and not against an adversary: an order's id is chosen by nobody who could gain from
 * two effects of one id. Within an order and an epoch the first word alone is different for each
 * effect but for the 4 bits of the version; else the chance is that of 122 random bits. Epoch 0
 * changes nothing: mix(0) is 0. */
struct id order_effect_id(struct id order, uint64_t epoch, uint32_t number, unsigned kind)
{
    uint64_t high = read_word(order.bytes) ^ mix(epoch), low = read_word(order.bytes + 8);
    uint64_t what = (uint64_t)number << 8 | (kind & 0xff);
    struct id id;
    write_word(id.bytes, mix(mix(mix(high) + low) + what));
    write_word(id.bytes + 8,
               mix(mix(mix(high ^ 0x6a09e667f3bcc908ull) + low) + what + 0x3c6ef372fe94f82bull));
    id.bytes[6] = (unsigned char)((id.bytes[6] & 0x0f) | 0x80);
    id.bytes[8] = (unsigned char)((id.bytes[8] & 0x3f) | 0x80);
    return id;
}

/* ---- Rows ---- */

int outbox_put(struct apply *apply, const struct order *order, struct outbox_row *row)
{
    row->seq = apply_next_number(apply, COUNTER_OUTBOX);
    row->order = order->id;
    row->order_number = order->number;
    CHECK(row->event > 0 && row->event <= order->event_count);
    row->effect =
        order_effect_id(order->id, order->events[row->event - 1].epoch, row->event, 1 + row->kind);
    row->time_ms = apply->now;
    row->log_index = apply->index;
    if (row->lane.len == 0)
        row->lane = str_of(outbox_kind_lane(row->kind));
    buf_clear(apply->scratch);
    struct coder coder = coder_writing(apply->scratch);
    code_quantities(&coder, &row->lines, &row->line_count);
    if (apply->scratch->failed)
        return ERR_NOMEM;
    struct stmt *stmt = db_stmt(apply->db, "INSERT INTO outbox (seq, lane, kind, number, order_id,"
                                           " event, effect, amount, time_ms, log_index, record)"
                                           " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    stmt_bind_u64(stmt, 1, row->seq);
    stmt_bind_str(stmt, 2, row->lane);
    stmt_bind_i64(stmt, 3, row->kind);
    stmt_bind_u64(stmt, 4, row->order_number);
    stmt_bind_id(stmt, 5, row->order);
    stmt_bind_u64(stmt, 6, row->event);
    stmt_bind_id(stmt, 7, row->effect);
    stmt_bind_i64(stmt, 8, row->amount);
    stmt_bind_i64(stmt, 9, row->time_ms);
    stmt_bind_u64(stmt, 10, row->log_index);
    stmt_bind_blob(stmt, 11, buf_text(apply->scratch));
    outbox_counts_add(shop_outbox_counts(apply->shop), row->lane, 1);
    shop_note_outbox(apply->shop, apply->index);
    return stmt_run(stmt) ? apply_failed(apply) : ERR_OK;
}

int outbox_put_warehouse(struct apply *apply, const struct order *order, struct str warehouse,
                         struct outbox_row *row)
{
    row->lane = ARENA_JOIN(apply->arena, STR("warehouse/"), warehouse);
    return row->lane.at ? outbox_put(apply, order, row) : ERR_NOMEM;
}

int outbox_read(struct stmt *stmt, struct arena *arena, struct outbox_row *row)
{
    *row = (struct outbox_row){
        .seq = stmt_u64(stmt, 0),
        .order_number = stmt_u64(stmt, 3),
        .order = stmt_id(stmt, 4),
        .event = (uint32_t)stmt_u64(stmt, 5),
        .effect = stmt_id(stmt, 6),
        .amount = stmt_i64(stmt, 7),
        .time_ms = stmt_i64(stmt, 8),
        .log_index = stmt_u64(stmt, 9),
    };
    uint64_t kind = stmt_u64(stmt, 2);
    row->lane = arena_str(arena, stmt_str(stmt, 1));
    struct str record = arena_str(arena, stmt_blob(stmt, 10));
    if (!row->lane.at || !record.at)
        return ERR_NOMEM;
    if (kind >= OUTBOX_KIND_COUNT)
        return ERR_DAMAGED;
    row->kind = (enum outbox_kind)kind;
    struct coder coder = coder_reading(arena, record);
    code_quantities(&coder, &row->lines, &row->line_count);
    int err = coder_end(&coder);
    return err == ERR_INVALID ? ERR_DAMAGED : err;
}

int outbox_take(struct apply *apply, uint64_t seq, struct outbox_row *row)
{
    struct stmt *stmt = db_stmt(apply->db, "SELECT " OUTBOX_COLUMNS " FROM outbox WHERE seq = ?");
    stmt_bind_u64(stmt, 1, seq);
    int err = stmt_next(stmt);
    if (err)
        return err;
    err = outbox_read(stmt, apply->arena, row);
    stmt_done(stmt);
    if (err)
        return err;
    outbox_counts_add(shop_outbox_counts(apply->shop), row->lane, -1);
    stmt = db_stmt(apply->db, "DELETE FROM outbox WHERE seq = ?");
    stmt_bind_u64(stmt, 1, seq);
    return stmt_run(stmt) ? apply_failed(apply) : ERR_OK;
}
