#include "outside/sandbox_calls.h"

#include "base/random.h"

#include <inttypes.h>

/* ---- Answers ---- */

int sandbox_answer_error(struct sandbox_work *work, const struct sandbox_error *error,
                         const struct payment *payment)
{
    sandbox_put_error(work->out, work->account, error, payment);
    return error->status;
}

int sandbox_answer_missing(struct sandbox_work *work, int status, const char *what, struct str id,
                           const char *param)
{
    struct sandbox_error error;
    struct str shown = str_clip_utf8(id, 100);
    sandbox_invalid(&error, "resource_missing", param, "No such %s: '%.*s'", what, STR_FMT(shown));
    error.status = status;
    return sandbox_answer_error(work, &error, NULL);
}

/* What fails in the database is seen by whoever called the call. */
static int fail_inside(void)
{
    return 500;
}

static const struct str *text_of(const struct sandbox_work *work, enum sandbox_param param)
{
    return &work->form->text[param];
}

static struct str text_or_empty(const struct sandbox_work *work, enum sandbox_param param)
{
    struct str text = *text_of(work, param);
    return text.at ? text : STR("");
}

static bool is_set(const struct sandbox_work *work, enum sandbox_param param)
{
    return sandbox_form_has(work->form, param) && work->form->number[param] != 0;
}

/* ---- Events ---- */

static bool is_wanted(const struct sandbox_hook_terms *hooks, const char *type)
{
    for (unsigned i = 0; i < hooks->type_count; i++)
        if (strcmp(hooks->types[i], type) == 0)
            return true;
    return hooks->any && hooks->type_count == 0;
}

/* Spread by the number of rows so far: near ones get far apart, and a run can be repeated. */
static int64_t hook_due(const struct sandbox_work *work)
{
    uint64_t spread = (uint64_t)work->hook_spread_ms;
    uint64_t more = spread ? db_last_row(work->db) * 0x9e3779b97f4a7c15u % spread : 0;
    return work->now_ms + work->hook_delay_ms + (int64_t)more;
}

void sandbox_note(struct sandbox_work *work, const char *type, struct str previous)
{
    struct sandbox_event event = {
        .created = work->now_ms / 1000,
        .type = str_of(type),
        .object = buf_text(work->scratch),
        .previous = previous,
        .request = work->request,
        .key = work->key,
    };
    bool hook = work->hooks->any && is_wanted(work->hooks, type);
    ledger_add_event(work->db, &event, hook ? hook_due(work) : -1);
}

static void note_payment(struct sandbox_work *work, const struct payment *payment, const char *type,
                         struct str previous)
{
    buf_clear(work->scratch);
    sandbox_put_payment(work->scratch, work->account, payment, NULL);
    sandbox_note(work, type, previous);
}

static void note_charge(struct sandbox_work *work, const struct charge *charge, const char *type,
                        struct str previous)
{
    buf_clear(work->scratch);
    sandbox_put_charge(work->scratch, work->account, charge);
    sandbox_note(work, type, previous);
}

static void note_refund(struct sandbox_work *work, const struct refund *refund, const char *type)
{
    buf_clear(work->scratch);
    sandbox_put_refund(work->scratch, work->account, refund);
    sandbox_note(work, type, STR(""));
}

/* ---- The payment in an answer ---- */

static int answer_payment(struct sandbox_work *work, const struct payment *payment)
{
    struct charge charge;
    bool expand = sandbox_form_has(work->form, SANDBOX_PARAM_EXPAND) && payment->charge != 0;
    if (expand && ledger_charge(work->db, payment->charge, work->arena, &charge))
        return fail_inside();
    sandbox_put_payment(work->out, work->account, payment, expand ? &charge : NULL);
    buf_byte(work->out, '\n');
    return 200;
}

/* 0, or the status of the answer that was given. PARAM NULL: ID is of the address. */
static int find_payment(struct sandbox_work *work, struct str id, const char *param,
                        struct payment *payment)
{
    uint64_t number = sandbox_id_number(work->account, "pi", id);
    int err = number ? ledger_payment(work->db, number, work->arena, payment) : ERR_NOTFOUND;
    if (err == ERR_NOTFOUND)
        return sandbox_answer_missing(work, param ? 400 : 404, "payment_intent", id,
                                      param ? param : "intent");
    return err ? fail_inside() : 0;
}

/* ---- Create ---- */

static enum payment_capture_method capture_method_of(struct str text)
{
    for (int i = 0; i < 3; i++)
        if (str_eq(text, str_of(payment_capture_names[i])))
            return (enum payment_capture_method)i;
    return CAPTURE_AUTOMATIC_ASYNC;
}

/* A card of the form goes to METHOD and *CARD; 0, or the status of the answer given. */
static int find_card(struct sandbox_work *work, struct str *method,
                     const struct sandbox_card **card)
{
    struct str given = *text_of(work, SANDBOX_PARAM_PAYMENT_METHOD);
    if (given.at)
        *method = given;
    *card = sandbox_card_find(*method);
    if (given.at && !*card)
        return sandbox_answer_missing(work, 400, "PaymentMethod", given, "payment_method");
    return 0;
}

static void make_payment(struct sandbox_work *work, struct payment *payment)
{
    static const char digits[] = "0123456789abcdef";
    const struct sandbox_form *form = work->form;
    unsigned char random[PAYMENT_SECRET / 2];
    struct buf metadata;
    *payment = (struct payment){
        .created = work->now_ms / 1000,
        .amount = form->number[SANDBOX_PARAM_AMOUNT],
        .capture_method = capture_method_of(*text_of(work, SANDBOX_PARAM_CAPTURE_METHOD)),
        .manual_confirmation =
            str_eq(*text_of(work, SANDBOX_PARAM_CONFIRMATION_METHOD), STR("manual")),
        .method = text_or_empty(work, SANDBOX_PARAM_PAYMENT_METHOD),
        .description = text_or_empty(work, SANDBOX_PARAM_DESCRIPTION),
        .receipt_email = text_or_empty(work, SANDBOX_PARAM_RECEIPT_EMAIL),
        .suffix = text_or_empty(work, SANDBOX_PARAM_STATEMENT_SUFFIX),
        .customer = text_or_empty(work, SANDBOX_PARAM_CUSTOMER),
    };
    payment->status = payment->method.len ? PAYMENT_REQUIRES_CONFIRMATION : PAYMENT_REQUIRES_METHOD;
    str_copy(payment->currency, sizeof payment->currency, *text_of(work, SANDBOX_PARAM_CURRENCY));
    random_secret(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++) {
        payment->secret[2 * i] = digits[random[i] >> 4];
        payment->secret[2 * i + 1] = digits[random[i] & 15];
    }
    buf_init(&metadata, 1 << 18);
    sandbox_put_metadata(&metadata, form);
    payment->metadata = arena_str(work->arena, buf_text(&metadata));
    buf_clear(&metadata);
    sandbox_put_shipping(&metadata, form);
    payment->shipping = arena_str(work->arena, buf_text(&metadata));
    if (metadata.failed || !payment->metadata.at || !payment->shipping.at)
        db_fail_memory(work->db);
    buf_close(&metadata);
}

/* ---- Confirm ---- */

static void note_confirmed(struct sandbox_work *work, const struct payment *payment,
                           const struct charge *charge, bool charged, int status)
{
    if (charged)
        note_charge(work, charge, status ? "charge.failed" : "charge.succeeded", STR(""));
    if (status)
        note_payment(work, payment, "payment_intent.payment_failed", STR(""));
    else if (payment->status == PAYMENT_REQUIRES_ACTION)
        note_payment(work, payment, "payment_intent.requires_action", STR(""));
    else if (payment->status == PAYMENT_REQUIRES_CAPTURE)
        note_payment(work, payment, "payment_intent.amount_capturable_updated",
                     STR("{\"amount_capturable\":0}"));
    else
        note_payment(work, payment, "payment_intent.succeeded", STR(""));
}

static int confirm(struct sandbox_work *work, struct payment *payment,
                   const struct sandbox_card *card, struct str method)
{
    struct sandbox_error error;
    struct charge charge;
    bool charged;
    struct payment_attempt attempt = {
        .card = card,
        .method = method,
        .no_action = is_set(work, SANDBOX_PARAM_ERROR_ON_REQUIRES_ACTION),
        .refuse = work->refuse,
        .now_ms = work->now_ms,
        .lapse_ms = work->lapse_ms,
    };
    int status = payment_confirm(payment, &attempt, &charge, &charged, &error);
    if (status && status != 402)
        return sandbox_answer_error(work, &error, payment);
    if (charged && ledger_add_charge(work->db, &charge))
        return fail_inside();
    if (charged)
        payment->charge = charge.number;
    ledger_save_payment(work->db, payment);
    note_confirmed(work, payment, &charge, charged, status);
    return status ? sandbox_answer_error(work, &error, payment) : answer_payment(work, payment);
}

int call_payment_create(struct sandbox_work *work)
{
    struct payment payment;
    const struct sandbox_card *card;
    struct str method = STR("");
    int status = find_card(work, &method, &card);
    if (status)
        return status;
    make_payment(work, &payment);
    if (ledger_add_payment(work->db, &payment))
        return fail_inside();
    note_payment(work, &payment, "payment_intent.created", STR(""));
    if (is_set(work, SANDBOX_PARAM_CONFIRM))
        return confirm(work, &payment, card, method);
    return answer_payment(work, &payment);
}

int call_payment_confirm(struct sandbox_work *work)
{
    struct payment payment;
    const struct sandbox_card *card;
    int status = find_payment(work, work->id, NULL, &payment);
    if (status)
        return status;
    struct str method = payment.method;
    status = find_card(work, &method, &card);
    return status ? status : confirm(work, &payment, card, method);
}

/* ---- Capture ---- */

int call_payment_capture(struct sandbox_work *work)
{
    struct sandbox_error error;
    struct payment payment;
    struct charge charge = {0};
    int64_t amount = work->form->number[SANDBOX_PARAM_AMOUNT_TO_CAPTURE];
    int status = find_payment(work, work->id, NULL, &payment);
    if (status)
        return status;
    if (payment.charge && ledger_charge(work->db, payment.charge, work->arena, &charge))
        return fail_inside();
    if (payment_capture(&payment, &charge, amount, &error))
        return sandbox_answer_error(work, &error, &payment);
    if (text_of(work, SANDBOX_PARAM_STATEMENT_SUFFIX)->at)
        payment.suffix = *text_of(work, SANDBOX_PARAM_STATEMENT_SUFFIX);
    ledger_save_payment(work->db, &payment);
    ledger_save_charge(work->db, &charge);
    note_charge(work, &charge, "charge.captured", STR("{\"captured\":false}"));
    note_payment(work, &payment, "payment_intent.succeeded", STR(""));
    return answer_payment(work, &payment);
}

/* ---- Cancel ---- */

/* Of a payment that may be canceled, or is not: then the status of the answer given, else 0. */
static int cancel(struct sandbox_work *work, struct payment *payment, struct str reason,
                  const char *charge_event)
{
    struct sandbox_error error;
    struct charge charge = {0};
    struct refund refund;
    bool let_go;
    if (payment->charge && ledger_charge(work->db, payment->charge, work->arena, &charge))
        return fail_inside();
    if (payment_cancel(payment, &charge, reason, work->now_ms, &refund, &let_go, &error))
        return sandbox_answer_error(work, &error, payment);
    ledger_save_payment(work->db, payment);
    if (let_go) {
        ledger_save_charge(work->db, &charge);
        ledger_add_refund(work->db, &refund);
        note_charge(work, &charge, charge_event, STR("{\"refunded\":false}"));
    }
    note_payment(work, payment, "payment_intent.canceled", STR(""));
    return 0;
}

int call_payment_cancel(struct sandbox_work *work)
{
    struct payment payment;
    int status = find_payment(work, work->id, NULL, &payment);
    status = status ? status
                    : cancel(work, &payment, text_or_empty(work, SANDBOX_PARAM_CANCELLATION_REASON),
                             "charge.refunded");
    return status ? status : answer_payment(work, &payment);
}

/* ---- Refund ---- */

/* The payment that is to be refunded, by its own id or its charge's. */
static int find_refunded(struct sandbox_work *work, struct payment *payment, struct charge *charge)
{
    struct str id = *text_of(work, SANDBOX_PARAM_PAYMENT_INTENT);
    struct str charge_id = *text_of(work, SANDBOX_PARAM_CHARGE);
    *charge = (struct charge){0};
    if (id.at) {
        int status = find_payment(work, id, "payment_intent", payment);
        if (status || !payment->charge)
            return status;
        return ledger_charge(work->db, payment->charge, work->arena, charge) ? fail_inside() : 0;
    }
    uint64_t number = sandbox_id_number(work->account, "ch", charge_id);
    int err = number ? ledger_charge(work->db, number, work->arena, charge) : ERR_NOTFOUND;
    if (err == ERR_NOTFOUND)
        return sandbox_answer_missing(work, 400, "charge", charge_id, "charge");
    err = err ? err : ledger_payment(work->db, charge->payment, work->arena, payment);
    return err ? fail_inside() : 0;
}

int call_refund_create(struct sandbox_work *work)
{
    struct sandbox_error error;
    struct payment payment;
    struct charge charge;
    struct refund refund;
    struct buf metadata;
    int64_t amount = work->form->number[SANDBOX_PARAM_AMOUNT];
    int status = find_refunded(work, &payment, &charge);
    if (status)
        return status;
    if (payment_refund(work->account, &payment, &charge, amount,
                       text_or_empty(work, SANDBOX_PARAM_REASON), work->now_ms, &refund, &error))
        return sandbox_answer_error(work, &error, NULL);
    if (work->fail_refund) {
        refund.later = REFUND_FAILED;
        refund.later_ms = work->now_ms + REFUND_LATER_MS;
    }
    buf_init(&metadata, 1 << 18);
    sandbox_put_metadata(&metadata, work->form);
    refund.metadata = buf_text(&metadata);
    ledger_add_refund(work->db, &refund);
    ledger_save_charge(work->db, &charge);
    note_refund(work, &refund, "refund.created");
    note_charge(work, &charge, "charge.refunded", STR(""));
    sandbox_put_refund(work->out, work->account, &refund);
    buf_byte(work->out, '\n');
    if (metadata.failed)
        db_fail_memory(work->db);
    buf_close(&metadata);
    return 200;
}

/* ---- What time does ---- */

enum { TICK_MAX = 200 };

/* NUMBERS of the rows that SQL finds due now, and how many. */
static unsigned find_due(struct sandbox_work *work, const char *sql, uint64_t numbers[TICK_MAX])
{
    unsigned count = 0;
    struct stmt *stmt = db_stmt(work->db, sql);
    stmt_bind_i64(stmt, 1, work->now_ms);
    stmt_bind_i64(stmt, 2, TICK_MAX);
    while (stmt_next(stmt) == 0)
        numbers[count++] = stmt_u64(stmt, 0);
    return count;
}

static unsigned lapse(struct sandbox_work *work)
{
    uint64_t numbers[TICK_MAX];
    unsigned count = find_due(work,
                              "SELECT number FROM payment WHERE lapses_ms > 0"
                              " AND lapses_ms <= ? ORDER BY lapses_ms LIMIT ?",
                              numbers);
    for (unsigned i = 0; i < count; i++) {
        struct payment payment;
        if (ledger_payment(work->db, numbers[i], work->arena, &payment) == 0)
            cancel(work, &payment, STR("expired"), "charge.expired");
    }
    return count;
}

static unsigned settle_refunds(struct sandbox_work *work)
{
    uint64_t numbers[TICK_MAX];
    unsigned count = find_due(work,
                              "SELECT number FROM refund WHERE later_ms > 0"
                              " AND later_ms <= ? ORDER BY later_ms LIMIT ?",
                              numbers);
    for (unsigned i = 0; i < count; i++) {
        struct refund refund;
        struct charge charge;
        if (ledger_refund(work->db, numbers[i], work->arena, &refund) ||
            ledger_charge(work->db, refund.charge, work->arena, &charge))
            continue;
        refund_settle(&refund, &charge);
        ledger_save_refund(work->db, &refund);
        ledger_save_charge(work->db, &charge);
        note_refund(work, &refund, "charge.refund.updated");
        note_refund(work, &refund,
                    refund.status == REFUND_FAILED ? "refund.failed" : "refund.updated");
    }
    return count;
}

unsigned sandbox_tick(struct sandbox_work *work)
{
    unsigned done = lapse(work) + settle_refunds(work);
    ledger_prune(work->db, work->now_ms);
    return done;
}
