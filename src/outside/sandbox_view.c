/* What the sandbox bank shows and takes beside Stripe's API: its ledger and what it refused, as
 * lines of JSON, and its faults.
 */
#include "outside/sandbox_inner.h"

#include <inttypes.h>

/* ---- Lines, some at a time ---- */

enum { ROWS_AT_ONCE = 100 };

struct lines {
    struct sandbox *sandbox;
    uint64_t after; /* number of the last row that was written */
    struct buf rows;
    size_t at;
    bool end;
    /* Appends rows after `after` and moves it on. False: there are no more. */
    bool (*more)(struct lines *lines, struct db *db);
};

static enum source_verdict read_lines(struct exchange *x, char *out, size_t room, size_t *len)
{
    struct lines *lines = x->state;
    const struct sandbox_thread *thread = x->thread_state;
    if (lines->at == lines->rows.len && !lines->end) {
        buf_clear(&lines->rows);
        lines->at = 0;
        lines->end = !lines->more(lines, thread->db);
    }
    if (lines->rows.failed || db_failure(thread->db)->err) {
        db_forget_failure(thread->db);
        return SOURCE_FAIL;
    }
    *len = lines->rows.len - lines->at < room ? lines->rows.len - lines->at : room;
    if (*len)
        memcpy(out, lines->rows.at + lines->at, *len);
    lines->at += *len;
    return lines->at == lines->rows.len && lines->end ? SOURCE_END : SOURCE_MORE;
}

static void close_lines(void *argument)
{
    struct lines *lines = argument;
    buf_close(&lines->rows);
}

static void show_lines(struct sandbox *sandbox, struct exchange *x,
                       bool (*more)(struct lines *lines, struct db *db))
{
    static const struct body_source source = {.read = read_lines};
    struct lines *lines = ARENA_NEW(&x->arena, struct lines);
    if (!lines || exchange_at_end(x, close_lines, lines)) {
        exchange_reply(x, 503, STR("text/plain"), STR("out of memory\n"));
        return;
    }
    *lines = (struct lines){.sandbox = sandbox, .more = more};
    buf_init(&lines->rows, 64 << 20);
    x->state = lines;
    exchange_reply_source(x, 200, STR("application/jsonl"), &source, UINT64_MAX);
}

/* ---- The ledger ---- */

static void put_charge(struct buf *out, const struct sandbox_account *account,
                       const struct charge *charge)
{
    char id[PAYMENT_ID];
    buf_printf(out,
               "{\"id\":\"%s\",\"amount\":%" PRId64 ",\"captured\":%" PRId64
               ",\"refunded\":%" PRId64 ",\"released\":%" PRId64 ",\"status\":\"%s\"}",
               sandbox_id(account, "ch", charge->number, id), charge->amount, charge->captured,
               charge->is_captured ? charge->refunded : 0,
               charge->is_captured ? charge->amount - charge->captured : charge->refunded,
               charge->decline ? "failed" : "succeeded");
}

static void put_refunds(struct buf *out, const struct sandbox_account *account, struct db *db,
                        uint64_t payment)
{
    struct stmt *stmt = db_stmt(db, "SELECT " REFUND_COLUMNS " FROM refund WHERE payment = ?"
                                    " AND reversal = 0 ORDER BY number");
    char id[PAYMENT_ID];
    bool first = true;
    stmt_bind_u64(stmt, 1, payment);
    while (stmt_next(stmt) == 0) {
        struct refund refund;
        refund_of_row(stmt, &refund);
        buf_printf(out, "%s{\"id\":\"%s\",\"amount\":%" PRId64 ",\"status\":\"%s\",\"metadata\":",
                   first ? "" : ",", sandbox_id(account, "re", refund.number, id), refund.amount,
                   refund_status_names[refund.status]);
        buf_str(out, refund.metadata);
        buf_byte(out, '}');
        first = false;
    }
}

static void put_entry(struct lines *lines, struct db *db, const struct payment *payment,
                      const struct charge *charge)
{
    const struct sandbox_account *account = &lines->sandbox->account;
    struct buf *out = &lines->rows;
    char id[PAYMENT_ID];
    buf_printf(
        out,
        "{\"id\":\"%s\",\"created\":%" PRId64 ",\"amount\":%" PRId64
        ",\"currency\":\"%s\",\"capture_method\":\"%s\",\"status\":\"%s\",\"received\":%" PRId64
        ",\"metadata\":",
        sandbox_id(account, "pi", payment->number, id), payment->created, payment->amount,
        payment->currency, payment_capture_names[payment->capture_method],
        payment_status_names[payment->status], payment->received);
    buf_str(out, payment->metadata);
    buf_puts(out, ",\"charge\":");
    if (payment->charge)
        put_charge(out, account, charge);
    else
        buf_puts(out, "null");
    buf_puts(out, ",\"refunds\":[");
    put_refunds(out, account, db, payment->number);
    buf_puts(out, "]}\n");
}

static bool more_payments(struct lines *lines, struct db *db)
{
    struct stmt *stmt = db_stmt(db, "SELECT " PAYMENT_COLUMNS " FROM payment WHERE number > ?"
                                    " ORDER BY number LIMIT 100");
    unsigned count = 0;
    stmt_bind_u64(stmt, 1, lines->after);
    while (stmt_next(stmt) == 0) {
        struct payment payment;
        struct charge charge = {0};
        struct arena arena;
        payment_of_row(stmt, &payment);
        arena_init(&arena, 1 << 16);
        if (payment.charge)
            ledger_charge(db, payment.charge, &arena, &charge);
        put_entry(lines, db, &payment, &charge);
        arena_close(&arena);
        lines->after = payment.number;
        count++;
    }
    return count == ROWS_AT_ONCE;
}

void sandbox_view_ledger(struct sandbox *sandbox, struct exchange *x)
{
    show_lines(sandbox, x, more_payments);
}

/* ---- What was refused ---- */

static bool more_refused(struct lines *lines, struct db *db)
{
    static const char *const names[] = {"peer", "what", "fence", "highest"};
    struct stmt *stmt =
        db_stmt(db, "SELECT number, time_ms, peer, what, fence, highest FROM refused"
                    " WHERE number > ? ORDER BY number LIMIT 100");
    unsigned count = 0;
    stmt_bind_u64(stmt, 1, lines->after);
    while (stmt_next(stmt) == 0) {
        lines->after = stmt_u64(stmt, 0);
        buf_printf(&lines->rows, "{\"time_ms\":%" PRId64, stmt_i64(stmt, 1));
        for (int i = 0; i < 4; i++) {
            buf_printf(&lines->rows, ",\"%s\":", names[i]);
            sandbox_put_text(&lines->rows, stmt_str(stmt, 2 + i));
        }
        buf_puts(&lines->rows, "}\n");
        count++;
    }
    return count == ROWS_AT_ONCE;
}

void sandbox_view_refused(struct sandbox *sandbox, struct exchange *x)
{
    show_lines(sandbox, x, more_refused);
}

/* ---- Faults ---- */

void sandbox_view_faults(struct sandbox *sandbox, struct exchange *x)
{
    struct sandbox_faults faults = sandbox_faults_now(sandbox);
    struct buf out;
    buf_init(&out, 4096);
    faults_put(&out, &faults);
    struct str body = arena_str(&x->arena, buf_text(&out));
    buf_close(&out);
    exchange_reply(x, body.at ? 200 : 503, STR("application/json"), body.at ? body : STR("{}\n"));
}

void sandbox_set_faults(struct sandbox *sandbox, struct exchange *x)
{
    struct sandbox_error error;
    pthread_mutex_lock(&sandbox->mutex);
    int status = faults_set(&sandbox->faults, x->body, &error);
    pthread_mutex_unlock(&sandbox->mutex);
    if (status)
        sandbox_reply_error(sandbox, x, &error);
    else
        sandbox_view_faults(sandbox, x);
}
