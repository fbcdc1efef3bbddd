/* Expire: what is past its time goes, a bounded number of things at once, oldest first; and money
 * that the bank has reserved is taken before it lets it go. */
#include "shop/order.h"
#include "shop/order_events.h"
#include "shop/warehouse_clear.h"

/* Removes up to what LIMIT leaves by SQL, which takes the time as ?1 and a number as ?2. */
static int remove_past(struct apply *apply, const char *sql, uint64_t limit, uint64_t *removed)
{
    if (*removed >= limit)
        return ERR_OK;
    struct stmt *stmt = db_stmt(apply->db, sql);
    stmt_bind_i64(stmt, 1, apply->now);
    stmt_bind_u64(stmt, 2, limit - *removed);
    if (stmt_run(stmt))
        return apply_failed(apply);
    *removed += db_changed_rows(apply->db);
    return ERR_OK;
}

/* ---- Authorisations ---- */

enum {
    LOOKED_AT_MOST = 1000, /* rows of orders in one command */
    CAPTURES_MOST = 100,   /* each is read whole */
};

/* Orders whose money may still have to be taken: those after COUNTER_LAPSED that are old enough.
 * Each is looked at once in its life, since none is ever authorised again; so no index has to be
 * kept for it. NUMBERS gets those that are; *LOOKED_AT how many were, *LAST the last of them. */
static int read_lapsing(struct apply *apply, uint64_t most, uint64_t *numbers, unsigned *count,
                        uint64_t *looked_at, uint64_t *last)
{
    struct stmt *row = db_stmt(apply->db, "SELECT number, payment, placed_ms FROM orders"
                                          " WHERE number > ?1 ORDER BY number LIMIT ?2");
    stmt_bind_u64(row, 1, *last);
    stmt_bind_u64(row, 2, most);
    /* They are in the order of time: the first that is young enough is the end. */
    while (*count < CAPTURES_MOST && stmt_next(row) == 0 &&
           stmt_i64(row, 2) <= apply->now - ORDER_LAPSES_MS) {
        *last = stmt_u64(row, 0);
        ++*looked_at;
        if (stmt_i64(row, 1) == PAYMENT_AUTHORISED)
            numbers[(*count)++] = *last;
    }
    stmt_done(row);
    return db_failure(apply->db)->err ? apply_failed(apply) : ERR_OK;
}

static int capture_lapsing(struct apply *apply, uint64_t limit, uint64_t *removed)
{
    uint64_t numbers[CAPTURES_MOST], looked_at = 0;
    uint64_t before = shop_counter(apply->shop, COUNTER_LAPSED), last = before;
    unsigned count = 0;
    int err = read_lapsing(apply, limit < LOOKED_AT_MOST ? limit : LOOKED_AT_MOST, numbers, &count,
                           &looked_at, &last);
    for (unsigned i = 0; i < count && !err; i++) {
        struct order order;
        err = order_load_number(apply->db, apply->arena, numbers[i], &order);
        if (!err)
            err = order_move_money(apply, &order, true);
    }
    if (err)
        return err;
    shop_count(apply->shop, COUNTER_LAPSED, (int64_t)(last - before));
    *removed += looked_at;
    return ERR_OK;
}

int apply_expire(struct apply *apply)
{
    /* One command is one step of the log's one thread: it must stay short. */
    enum { MOST = 10000 };
    uint64_t limit = apply->command->limit < MOST ? apply->command->limit : MOST;
    uint64_t removed = 0;
    if (shop_write_back_rows(apply->shop))
        return apply_failed(apply);
    row_cache_clear(shop_carts(apply->shop));
    row_cache_clear(shop_checkouts(apply->shop));
    int err = remove_past(apply,
                          "DELETE FROM cart WHERE id IN (SELECT id FROM cart"
                          " WHERE expires_ms <= ?1 ORDER BY expires_ms, id LIMIT ?2)",
                          limit, &removed);
    /* 3: being paid. Whether the bank was asked is not known here. */
    if (!err)
        err = remove_past(apply,
                          "DELETE FROM checkout WHERE id IN (SELECT id FROM checkout"
                          " WHERE expires_ms <= ?1 AND status <> 3"
                          " ORDER BY expires_ms, id LIMIT ?2)",
                          limit, &removed);
    if (!err && removed < limit) {
        uint64_t more = 0;
        err = expire_idempotency(apply, limit - removed, &more);
        removed += more;
    }
    if (!err && removed < limit) {
        uint64_t more = 0;
        err = expire_imports(apply, limit - removed, &more);
        removed += more;
    }
    if (!err && removed < limit)
        err = capture_lapsing(apply, limit - removed, &removed);
    if (!err && removed < limit)
        err = warehouse_clear(apply, limit, &removed);
    if (err)
        return err;
    apply->result->kind = RESULT_NUMBER;
    apply->result->number = removed;
    return ERR_OK;
}
_Static_assert(CHECKOUT_PAYING == 3, "the number in the statement above");
