/* Expire: what is past its time goes, a bounded number of things at once, oldest first. */
#include "shop/apply.h"

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

int apply_expire(struct apply *apply)
{
    /* One command is one step of the log's one thread: it must stay short. */
    enum { MOST = 10000 };
    uint64_t limit = apply->command->limit < MOST ? apply->command->limit : MOST;
    uint64_t removed = 0;
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
    if (err)
        return err;
    apply->result->kind = RESULT_NUMBER;
    apply->result->number = removed;
    return ERR_OK;
}
_Static_assert(CHECKOUT_PAYING == 3, "the number in the statement above");
