#include "outside/sandbox_ledger.h"

#include "base/log.h"

/* ---- Rows ---- */

void payment_of_row(struct stmt *stmt, struct payment *payment)
{
    *payment = (struct payment){
        .number = stmt_u64(stmt, 0),
        .created = stmt_i64(stmt, 1),
        .amount = stmt_i64(stmt, 2),
        .received = stmt_i64(stmt, 3),
        .capture_method = (enum payment_capture_method)stmt_i64(stmt, 5),
        .status = (enum payment_status)stmt_i64(stmt, 6),
        .manual_confirmation = stmt_bool(stmt, 7),
        .method = stmt_str(stmt, 9),
        .charge = stmt_u64(stmt, 10),
        .decline = (enum sandbox_decline)stmt_i64(stmt, 11),
        .declined_method = stmt_str(stmt, 12),
        .lapses_ms = stmt_i64(stmt, 13),
        .canceled_at = stmt_i64(stmt, 14),
        .metadata = stmt_str(stmt, 16),
        .shipping = stmt_str(stmt, 17),
        .description = stmt_str(stmt, 18),
        .receipt_email = stmt_str(stmt, 19),
        .suffix = stmt_str(stmt, 20),
        .customer = stmt_str(stmt, 21),
    };
    str_copy(payment->currency, sizeof payment->currency, stmt_str(stmt, 4));
    str_copy(payment->secret, sizeof payment->secret, stmt_str(stmt, 8));
    str_copy(payment->cancel_reason, sizeof payment->cancel_reason, stmt_str(stmt, 15));
}

void charge_of_row(struct stmt *stmt, struct charge *charge)
{
    *charge = (struct charge){
        .number = stmt_u64(stmt, 0),
        .payment = stmt_u64(stmt, 1),
        .created = stmt_i64(stmt, 2),
        .amount = stmt_i64(stmt, 3),
        .captured = stmt_i64(stmt, 4),
        .refunded = stmt_i64(stmt, 5),
        .is_captured = stmt_bool(stmt, 6),
        .method = stmt_str(stmt, 8),
        .decline = (enum sandbox_decline)stmt_i64(stmt, 9),
        .capture_before = stmt_i64(stmt, 10),
    };
    str_copy(charge->currency, sizeof charge->currency, stmt_str(stmt, 7));
}

void refund_of_row(struct stmt *stmt, struct refund *refund)
{
    *refund = (struct refund){
        .number = stmt_u64(stmt, 0),
        .charge = stmt_u64(stmt, 1),
        .payment = stmt_u64(stmt, 2),
        .created = stmt_i64(stmt, 3),
        .amount = stmt_i64(stmt, 4),
        .reversal = stmt_bool(stmt, 7),
        .status = (enum refund_status)stmt_i64(stmt, 8),
        .later = (enum refund_status)stmt_i64(stmt, 9),
        .later_ms = stmt_i64(stmt, 10),
        .metadata = stmt_str(stmt, 11),
    };
    str_copy(refund->currency, sizeof refund->currency, stmt_str(stmt, 5));
    str_copy(refund->reason, sizeof refund->reason, stmt_str(stmt, 6));
}

void event_of_row(struct stmt *stmt, struct sandbox_event *event)
{
    *event = (struct sandbox_event){
        .number = stmt_u64(stmt, 0),
        .created = stmt_i64(stmt, 1),
        .type = stmt_str(stmt, 2),
        .object = stmt_str(stmt, 3),
        .previous = stmt_str(stmt, 4),
        .request = stmt_str(stmt, 5),
        .key = stmt_str(stmt, 6),
    };
}

/* ---- Finding one ---- */

/* TEXT moves into ARENA. False: no room. */
static bool keep(struct arena *arena, struct str *text)
{
    if (text->len)
        *text = arena_str(arena, *text);
    else
        *text = STR("");
    return text->at != NULL;
}

int ledger_payment(struct db *db, uint64_t number, struct arena *arena, struct payment *payment)
{
    struct stmt *stmt = db_stmt(db, "SELECT " PAYMENT_COLUMNS " FROM payment WHERE number = ?");
    stmt_bind_u64(stmt, 1, number);
    int err = stmt_next(stmt);
    if (err)
        return err;
    payment_of_row(stmt, payment);
    bool kept = keep(arena, &payment->method) && keep(arena, &payment->declined_method) &&
                keep(arena, &payment->metadata) && keep(arena, &payment->shipping) &&
                keep(arena, &payment->description) && keep(arena, &payment->receipt_email) &&
                keep(arena, &payment->suffix) && keep(arena, &payment->customer);
    stmt_done(stmt);
    return kept ? 0 : db_fail_memory(db);
}

int ledger_charge(struct db *db, uint64_t number, struct arena *arena, struct charge *charge)
{
    struct stmt *stmt = db_stmt(db, "SELECT " CHARGE_COLUMNS " FROM charge WHERE number = ?");
    stmt_bind_u64(stmt, 1, number);
    int err = stmt_next(stmt);
    if (err)
        return err;
    charge_of_row(stmt, charge);
    bool kept = keep(arena, &charge->method);
    stmt_done(stmt);
    return kept ? 0 : db_fail_memory(db);
}

int ledger_refund(struct db *db, uint64_t number, struct arena *arena, struct refund *refund)
{
    struct stmt *stmt = db_stmt(db, "SELECT " REFUND_COLUMNS " FROM refund WHERE number = ?");
    stmt_bind_u64(stmt, 1, number);
    int err = stmt_next(stmt);
    if (err)
        return err;
    refund_of_row(stmt, refund);
    bool kept = keep(arena, &refund->metadata);
    stmt_done(stmt);
    return kept ? 0 : db_fail_memory(db);
}

/* ---- Payments ---- */

static void bind_changing(struct stmt *stmt, int at, const struct payment *payment)
{
    stmt_bind_i64(stmt, at, payment->received);
    stmt_bind_i64(stmt, at + 1, payment->status);
    stmt_bind_str(stmt, at + 2, payment->method);
    stmt_bind_u64(stmt, at + 3, payment->charge);
    stmt_bind_i64(stmt, at + 4, payment->decline);
    stmt_bind_str(stmt, at + 5, payment->declined_method);
    stmt_bind_i64(stmt, at + 6, payment->lapses_ms);
    stmt_bind_i64(stmt, at + 7, payment->canceled_at);
    stmt_bind_str(stmt, at + 8, str_of(payment->cancel_reason));
    stmt_bind_str(stmt, at + 9, payment->metadata);
    stmt_bind_str(stmt, at + 10, payment->suffix);
}

int ledger_add_payment(struct db *db, struct payment *payment)
{
    struct stmt *stmt = db_stmt(
        db, "INSERT INTO payment (created, amount, currency, capture_method, manual_confirmation,"
            " secret, shipping, description, receipt_email, customer, received, status, method,"
            " charge, decline, declined_method, lapses_ms, canceled_at, cancel_reason, metadata,"
            " suffix) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    stmt_bind_i64(stmt, 1, payment->created);
    stmt_bind_i64(stmt, 2, payment->amount);
    stmt_bind_str(stmt, 3, str_of(payment->currency));
    stmt_bind_i64(stmt, 4, payment->capture_method);
    stmt_bind_i64(stmt, 5, payment->manual_confirmation);
    stmt_bind_str(stmt, 6, str_of(payment->secret));
    stmt_bind_str(stmt, 7, payment->shipping);
    stmt_bind_str(stmt, 8, payment->description);
    stmt_bind_str(stmt, 9, payment->receipt_email);
    stmt_bind_str(stmt, 10, payment->customer);
    bind_changing(stmt, 11, payment);
    int err = stmt_run(stmt);
    payment->number = db_last_row(db);
    return err;
}

int ledger_save_payment(struct db *db, const struct payment *payment)
{
    struct stmt *stmt =
        db_stmt(db, "UPDATE payment SET received = ?, status = ?, method = ?, charge = ?,"
                    " decline = ?, declined_method = ?, lapses_ms = ?, canceled_at = ?,"
                    " cancel_reason = ?, metadata = ?, suffix = ? WHERE number = ?");
    bind_changing(stmt, 1, payment);
    stmt_bind_u64(stmt, 12, payment->number);
    return stmt_run(stmt);
}

/* ---- Charges and refunds ---- */

int ledger_add_charge(struct db *db, struct charge *charge)
{
    struct stmt *stmt =
        db_stmt(db, "INSERT INTO charge (payment, created, amount, captured, refunded, is_captured,"
                    " currency, method, decline, capture_before)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    stmt_bind_u64(stmt, 1, charge->payment);
    stmt_bind_i64(stmt, 2, charge->created);
    stmt_bind_i64(stmt, 3, charge->amount);
    stmt_bind_i64(stmt, 4, charge->captured);
    stmt_bind_i64(stmt, 5, charge->refunded);
    stmt_bind_i64(stmt, 6, charge->is_captured);
    stmt_bind_str(stmt, 7, str_of(charge->currency));
    stmt_bind_str(stmt, 8, charge->method);
    stmt_bind_i64(stmt, 9, charge->decline);
    stmt_bind_i64(stmt, 10, charge->capture_before);
    int err = stmt_run(stmt);
    charge->number = db_last_row(db);
    return err;
}

int ledger_save_charge(struct db *db, const struct charge *charge)
{
    struct stmt *stmt = db_stmt(
        db, "UPDATE charge SET captured = ?, refunded = ?, is_captured = ? WHERE number = ?");
    stmt_bind_i64(stmt, 1, charge->captured);
    stmt_bind_i64(stmt, 2, charge->refunded);
    stmt_bind_i64(stmt, 3, charge->is_captured);
    stmt_bind_u64(stmt, 4, charge->number);
    return stmt_run(stmt);
}

int ledger_add_refund(struct db *db, struct refund *refund)
{
    struct stmt *stmt =
        db_stmt(db, "INSERT INTO refund (charge, payment, created, amount, currency, reason,"
                    " reversal, status, later, later_ms, metadata)"
                    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    stmt_bind_u64(stmt, 1, refund->charge);
    stmt_bind_u64(stmt, 2, refund->payment);
    stmt_bind_i64(stmt, 3, refund->created);
    stmt_bind_i64(stmt, 4, refund->amount);
    stmt_bind_str(stmt, 5, str_of(refund->currency));
    stmt_bind_str(stmt, 6, str_of(refund->reason));
    stmt_bind_i64(stmt, 7, refund->reversal);
    stmt_bind_i64(stmt, 8, refund->status);
    stmt_bind_i64(stmt, 9, refund->later);
    stmt_bind_i64(stmt, 10, refund->later_ms);
    stmt_bind_str(stmt, 11, refund->metadata);
    int err = stmt_run(stmt);
    refund->number = db_last_row(db);
    return err;
}

int ledger_save_refund(struct db *db, const struct refund *refund)
{
    struct stmt *stmt = db_stmt(db, "UPDATE refund SET status = ?, later_ms = ? WHERE number = ?");
    stmt_bind_i64(stmt, 1, refund->status);
    stmt_bind_i64(stmt, 2, refund->later_ms);
    stmt_bind_u64(stmt, 3, refund->number);
    return stmt_run(stmt);
}

/* ---- Events ---- */

int ledger_add_event(struct db *db, const struct sandbox_event *event, int64_t hook_ms)
{
    struct stmt *stmt = db_stmt(db, "INSERT INTO event (created, type, object, previous, request,"
                                    " key) VALUES (?, ?, ?, ?, ?, ?)");
    stmt_bind_i64(stmt, 1, event->created);
    stmt_bind_str(stmt, 2, event->type);
    stmt_bind_str(stmt, 3, event->object);
    stmt_bind_str(stmt, 4, event->previous);
    stmt_bind_str(stmt, 5, event->request);
    stmt_bind_str(stmt, 6, event->key);
    int err = stmt_run(stmt);
    if (err || hook_ms < 0)
        return err;
    struct stmt *hook = db_stmt(db, "INSERT INTO hook VALUES (?, 0, ?)");
    stmt_bind_u64(hook, 1, db_last_row(db));
    stmt_bind_i64(hook, 2, hook_ms);
    return stmt_run(hook);
}

/* ---- Idempotency keys ---- */

int ledger_saved(struct db *db, struct str key, int64_t now_ms, struct arena *arena,
                 struct sandbox_saved *saved)
{
    struct stmt *stmt = db_stmt(db, "SELECT path, digest, status, body FROM idempotency"
                                    " WHERE key = ? AND made_ms > ?");
    stmt_bind_str(stmt, 1, key);
    stmt_bind_i64(stmt, 2, now_ms - SANDBOX_KEY_MS);
    int err = stmt_next(stmt);
    if (err)
        return err;
    *saved = (struct sandbox_saved){
        .path = stmt_str(stmt, 0),
        .digest = stmt_blob(stmt, 1),
        .status = (int)stmt_i64(stmt, 2),
        .body = stmt_str(stmt, 3),
    };
    bool kept =
        keep(arena, &saved->path) && keep(arena, &saved->digest) && keep(arena, &saved->body);
    stmt_done(stmt);
    return kept ? 0 : db_fail_memory(db);
}

/* One that is too old and not yet removed gives way. */
int ledger_save_answer(struct db *db, struct str key, int64_t now_ms,
                       const struct sandbox_saved *saved)
{
    struct stmt *stmt = db_stmt(db, "INSERT OR REPLACE INTO idempotency (key, path, digest, status,"
                                    " body, made_ms) VALUES (?, ?, ?, ?, ?, ?)");
    stmt_bind_str(stmt, 1, key);
    stmt_bind_str(stmt, 2, saved->path);
    stmt_bind_blob(stmt, 3, saved->digest);
    stmt_bind_i64(stmt, 4, saved->status);
    stmt_bind_str(stmt, 5, saved->body);
    stmt_bind_i64(stmt, 6, now_ms);
    return stmt_run(stmt);
}

/* ---- Fences ---- */

static int refuse_fence(struct db *db, const struct fence *fence, const struct fence *highest,
                        struct str peer, struct str what, int64_t now_ms)
{
    char text[FENCE_TEXT_SIZE], highest_text[FENCE_TEXT_SIZE];
    fence_write(fence, text);
    fence_write(highest, highest_text);
    struct stmt *stmt = db_stmt(db, "INSERT INTO refused (time_ms, peer, what, fence, highest)"
                                    " VALUES (?, ?, ?, ?, ?)");
    stmt_bind_i64(stmt, 1, now_ms);
    stmt_bind_str(stmt, 2, peer);
    stmt_bind_str(stmt, 3, what);
    stmt_bind_str(stmt, 4, str_of(text));
    stmt_bind_str(stmt, 5, str_of(highest_text));
    int err = stmt_run(stmt);
    return err ? err : ERR_DENIED;
}

int ledger_fence(struct db *db, const struct fence *fence, struct str peer, struct str what,
                 int64_t now_ms, struct fence *highest)
{
    struct stmt *stmt = db_stmt(db, "SELECT epoch, term FROM fence WHERE shop = ?");
    stmt_bind_id(stmt, 1, fence->shop);
    *highest = *fence;
    int err = stmt_next(stmt);
    if (!err) {
        highest->epoch = stmt_u64(stmt, 0);
        highest->term = stmt_u64(stmt, 1);
        stmt_done(stmt);
        int order = fence_compare(fence, highest);
        if (order == 0)
            return 0;
        if (order < 0)
            return refuse_fence(db, fence, highest, peer, what, now_ms);
    } else if (err != ERR_NOTFOUND) {
        return err;
    }
    *highest = *fence;
    struct stmt *keep_it = db_stmt(db, "INSERT OR REPLACE INTO fence VALUES (?, ?, ?)");
    stmt_bind_id(keep_it, 1, fence->shop);
    stmt_bind_u64(keep_it, 2, fence->epoch);
    stmt_bind_u64(keep_it, 3, fence->term);
    return stmt_run(keep_it);
}
