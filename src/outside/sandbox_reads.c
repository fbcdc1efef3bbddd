/* The calls of the sandbox bank that only read. */
#include "outside/sandbox_calls.h"

/* What lists of a table are made with: newest first, or, for the page before an object, oldest
 * first from there and turned round. Parameters: time and number of the cursor, bounds of the
 * time, how many, and a filter. */
#define PAGE(columns, table, filter, newer, order)                                 \
    "SELECT " columns " FROM " table " WHERE (created, number) " newer " (?1, ?2)" \
    " AND created >= ?3 AND created <= ?4 AND " filter " ORDER BY created " order  \
    ", number " order " LIMIT ?5"
#define NEWEST_FIRST(columns, table, filter) PAGE(columns, table, filter, "<", "DESC")
#define TURNED(columns, table, filter)                                                    \
    "SELECT * FROM (" PAGE(columns, table, filter, ">", "ASC") ") ORDER BY created DESC," \
                                                               " number DESC"

struct page_sql {
    const char *forward, *backward, *created;
    const char *what, *prefix; /* of an object: "payment_intent", "pi" */
    const char *url;
    /* Writes the row that STMT is at. */
    void (*put)(struct sandbox_work *work, struct stmt *stmt);
};

struct page {
    int64_t created, number, least, most; /* cursor, bounds */
    unsigned limit;
    bool backward;
};

enum { LIMIT_USUAL = 10, LIMIT_MOST = 100 };

/* ---- The page that is asked for ---- */

static int64_t larger(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t smaller(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static void bound_time(const struct sandbox_form *form, struct page *page)
{
    const int64_t *number = form->number;
    page->least = INT64_MIN;
    page->most = INT64_MAX;
    if (sandbox_form_has(form, SANDBOX_PARAM_CREATED))
        page->least = page->most = number[SANDBOX_PARAM_CREATED];
    if (sandbox_form_has(form, SANDBOX_PARAM_CREATED_GTE))
        page->least = larger(page->least, number[SANDBOX_PARAM_CREATED_GTE]);
    if (sandbox_form_has(form, SANDBOX_PARAM_CREATED_GT) &&
        number[SANDBOX_PARAM_CREATED_GT] < INT64_MAX)
        page->least = larger(page->least, number[SANDBOX_PARAM_CREATED_GT] + 1);
    if (sandbox_form_has(form, SANDBOX_PARAM_CREATED_LTE))
        page->most = smaller(page->most, number[SANDBOX_PARAM_CREATED_LTE]);
    if (sandbox_form_has(form, SANDBOX_PARAM_CREATED_LT) &&
        number[SANDBOX_PARAM_CREATED_LT] > INT64_MIN)
        page->most = smaller(page->most, number[SANDBOX_PARAM_CREATED_LT] - 1);
}

static int set_cursor(struct sandbox_work *work, const struct page_sql *sql,
                      enum sandbox_param param, struct page *page)
{
    struct str id = work->form->text[param];
    uint64_t number = sandbox_id_number(work->account, sql->prefix, id);
    struct stmt *stmt = db_stmt(work->db, sql->created);
    stmt_bind_u64(stmt, 1, number);
    if (stmt_next(stmt))
        return sandbox_answer_missing(work, 400, sql->what, id, sandbox_param_name(param));
    page->created = stmt_i64(stmt, 0);
    page->number = (int64_t)number;
    stmt_done(stmt);
    return 0;
}

/* 0, or the status of the answer that was given. */
static int read_page(struct sandbox_work *work, const struct page_sql *sql, struct page *page)
{
    const struct sandbox_form *form = work->form;
    struct sandbox_error error;
    int64_t limit = LIMIT_USUAL;
    bool after = sandbox_form_has(form, SANDBOX_PARAM_STARTING_AFTER);
    bool before = sandbox_form_has(form, SANDBOX_PARAM_ENDING_BEFORE);
    if (sandbox_form_has(form, SANDBOX_PARAM_LIMIT))
        limit = form->number[SANDBOX_PARAM_LIMIT];
    if (limit < 1 || limit > LIMIT_MOST || (after && before)) {
        if (after && before)
            sandbox_invalid(&error, NULL, "ending_before",
                            "Only one of starting_after and ending_before can be given.");
        else
            sandbox_invalid(&error, "parameter_invalid_integer", "limit",
                            "The limit must be from 1 to %d", LIMIT_MOST);
        return sandbox_answer_error(work, &error, NULL);
    }
    *page = (struct page){.created = INT64_MAX, .number = INT64_MAX, .backward = before};
    page->limit = (unsigned)limit;
    bound_time(form, page);
    if (!after && !before)
        return 0;
    return set_cursor(work, sql, after ? SANDBOX_PARAM_STARTING_AFTER : SANDBOX_PARAM_ENDING_BEFORE,
                      page);
}

/* ---- The list ---- */

/* One more is asked for than is shown, to know whether there is more: it is the last, or, turned
 * round, the first. */
static void put_rows(struct sandbox_work *work, const struct page_sql *sql, struct page *page,
                     struct stmt *stmt)
{
    struct buf *out = work->out;
    size_t starts[LIMIT_MOST + 2];
    unsigned count = 0;
    buf_puts(out, "{\"object\":\"list\",\"url\":\"");
    buf_puts(out, sql->url);
    buf_puts(out, "\",\"data\":[");
    size_t begin = out->len;
    while (stmt_next(stmt) == 0) {
        starts[count++] = out->len;
        sql->put(work, stmt);
        buf_byte(out, ',');
    }
    bool more = count > page->limit;
    if (more && !page->backward) {
        out->len = starts[count - 1];
    } else if (more) {
        memmove(out->at + begin, out->at + starts[1], out->len - starts[1]);
        out->len -= starts[1] - begin;
    }
    if (count)
        out->len--; /* the last comma */
    buf_puts(out, more ? "],\"has_more\":true}\n" : "],\"has_more\":false}\n");
}

static int answer_list(struct sandbox_work *work, const struct page_sql *sql, struct str text,
                       int64_t number)
{
    struct page page;
    int status = read_page(work, sql, &page);
    if (status)
        return status;
    struct stmt *stmt = db_stmt(work->db, page.backward ? sql->backward : sql->forward);
    stmt_bind_i64(stmt, 1, page.created);
    stmt_bind_i64(stmt, 2, page.number);
    stmt_bind_i64(stmt, 3, page.least);
    stmt_bind_i64(stmt, 4, page.most);
    stmt_bind_i64(stmt, 5, page.limit + 1);
    if (text.at)
        stmt_bind_str(stmt, 6, text);
    else
        stmt_bind_i64(stmt, 6, number);
    put_rows(work, sql, &page, stmt);
    return 200;
}

static int answer_one(struct sandbox_work *work, const char *what, const char *prefix,
                      const char *param, const char *statement,
                      void (*put)(struct sandbox_work *work, struct stmt *stmt))
{
    struct stmt *stmt = db_stmt(work->db, statement);
    stmt_bind_u64(stmt, 1, sandbox_id_number(work->account, prefix, work->id));
    int err = stmt_next(stmt);
    if (err == ERR_NOTFOUND)
        return sandbox_answer_missing(work, 404, what, work->id, param);
    if (err)
        return 500;
    put(work, stmt);
    stmt_done(stmt);
    buf_byte(work->out, '\n');
    return 200;
}

/* ---- Payments ---- */

static void put_payment(struct sandbox_work *work, struct stmt *stmt)
{
    struct payment payment;
    struct charge charge;
    payment_of_row(stmt, &payment);
    bool expand = sandbox_form_has(work->form, SANDBOX_PARAM_EXPAND) && payment.charge != 0 &&
                  ledger_charge(work->db, payment.charge, work->arena, &charge) == 0;
    sandbox_put_payment(work->out, work->account, &payment, expand ? &charge : NULL);
}

int call_payment_get(struct sandbox_work *work)
{
    return answer_one(work, "payment_intent", "pi", "intent",
                      "SELECT " PAYMENT_COLUMNS " FROM payment WHERE number = ?", put_payment);
}

#define OF_CUSTOMER "(?6 = '' OR customer = ?6)"
static const struct page_sql payments = {
    NEWEST_FIRST(PAYMENT_COLUMNS, "payment", OF_CUSTOMER),
    TURNED(PAYMENT_COLUMNS, "payment", OF_CUSTOMER),
    "SELECT created FROM payment WHERE number = ?",
    "payment_intent",
    "pi",
    "/v1/payment_intents",
    put_payment,
};

int call_payment_list(struct sandbox_work *work)
{
    struct str customer = work->form->text[SANDBOX_PARAM_CUSTOMER];
    return answer_list(work, &payments, customer.at ? customer : STR(""), 0);
}

/* ---- Refunds ---- */

static void put_refund(struct sandbox_work *work, struct stmt *stmt)
{
    struct refund refund;
    refund_of_row(stmt, &refund);
    sandbox_put_refund(work->out, work->account, &refund);
}

int call_refund_get(struct sandbox_work *work)
{
    return answer_one(work, "refund", "re", "refund",
                      "SELECT " REFUND_COLUMNS " FROM refund WHERE number = ?", put_refund);
}

#define REFUND_CREATED "SELECT created FROM refund WHERE number = ?"
static const struct page_sql refunds = {
    NEWEST_FIRST(REFUND_COLUMNS, "refund", "?6 = 0"),
    TURNED(REFUND_COLUMNS, "refund", "?6 = 0"),
    REFUND_CREATED,
    "refund",
    "re",
    "/v1/refunds",
    put_refund,
};
static const struct page_sql refunds_of_payment = {
    NEWEST_FIRST(REFUND_COLUMNS, "refund", "payment = ?6"),
    TURNED(REFUND_COLUMNS, "refund", "payment = ?6"),
    REFUND_CREATED,
    "refund",
    "re",
    "/v1/refunds",
    put_refund,
};

int call_refund_list(struct sandbox_work *work)
{
    struct str payment = work->form->text[SANDBOX_PARAM_PAYMENT_INTENT];
    struct str charge_id = work->form->text[SANDBOX_PARAM_CHARGE];
    struct charge charge = {0};
    uint64_t number = sandbox_id_number(work->account, "pi", payment);
    if (!payment.at && !charge_id.at)
        return answer_list(work, &refunds, STR_NONE, 0);
    if (payment.at && number == 0)
        return sandbox_answer_missing(work, 400, "payment_intent", payment, "payment_intent");
    if (!charge_id.at)
        return answer_list(work, &refunds_of_payment, STR_NONE, (int64_t)number);
    /* A payment has one charge that can be refunded. */
    uint64_t charge_number = sandbox_id_number(work->account, "ch", charge_id);
    if (!charge_number || ledger_charge(work->db, charge_number, work->arena, &charge))
        return sandbox_answer_missing(work, 400, "charge", charge_id, "charge");
    return answer_list(work, &refunds_of_payment, STR_NONE, (int64_t)charge.payment);
}

/* ---- Charges and events ---- */

static void put_charge(struct sandbox_work *work, struct stmt *stmt)
{
    struct charge charge;
    charge_of_row(stmt, &charge);
    sandbox_put_charge(work->out, work->account, &charge);
}

int call_charge_get(struct sandbox_work *work)
{
    return answer_one(work, "charge", "ch", "charge",
                      "SELECT " CHARGE_COLUMNS " FROM charge WHERE number = ?", put_charge);
}

static void put_event(struct sandbox_work *work, struct stmt *stmt)
{
    struct sandbox_event event;
    event_of_row(stmt, &event);
    event.pending = stmt_bool(stmt, 7);
    sandbox_put_event(work->out, work->account, &event);
}

#define EVENT_SHOWN EVENT_COLUMNS ", EXISTS (SELECT 1 FROM hook WHERE hook.event = event.number)"

int call_event_get(struct sandbox_work *work)
{
    return answer_one(work, "event", "evt", "id",
                      "SELECT " EVENT_SHOWN " FROM event WHERE number = ?", put_event);
}

#define OF_TYPE "(?6 = '' OR type = ?6)"
static const struct page_sql events = {
    NEWEST_FIRST(EVENT_SHOWN, "event", OF_TYPE),
    TURNED(EVENT_SHOWN, "event", OF_TYPE),
    "SELECT created FROM event WHERE number = ?",
    "event",
    "evt",
    "/v1/events",
    put_event,
};

int call_event_list(struct sandbox_work *work)
{
    struct str type = work->form->text[SANDBOX_PARAM_TYPE];
    return answer_list(work, &events, type.at ? type : STR(""), 0);
}
