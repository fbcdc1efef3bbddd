/* The steps of a purchase, as buy.h draws them. */
#include "base/check.h"
#include "base/clock.h"
#include "outside/buy_inner.h"

#include <stddef.h>

enum { DECODE_MAX = 4 * 1024 * 1024 };

/* ---- Ends ---- */

static void answer(struct purchase *purchase, struct str record)
{
    purchase->request.done(purchase->request.context, purchase->index, record);
    purchase_free(purchase);
}

static void answer_sentence(struct purchase *purchase, int err, const char *sentence)
{
    struct result result = {.err = err, .text = str_of(sentence)};
    purchase->index = 0;
    buf_clear(&purchase->record);
    result_encode(&purchase->record, &result);
    answer(purchase, buf_text(&purchase->record));
}

static void answer_failed(struct purchase *purchase, int err)
{
    atomic_fetch_add(&purchase->buying->failed, 1);
    answer_sentence(purchase, err, err_sentence(err));
}

/* Left as it is: the hold stands until the primary settles it. */
static void answer_undecided(struct purchase *purchase)
{
    char id[ID_TEXT];
    atomic_fetch_add(&purchase->buying->undecided, 1);
    log_line(purchase->buying->config.log, LOG_WARN, "buy", "checkout %s is left to be settled",
             id_text(purchase->request.checkout, id));
    answer_sentence(purchase, ERR_TIMEOUT,
                    "It is not known yet whether the payment went through. The goods are kept for "
                    "you; look again in a few minutes. You will not be charged twice.");
}

static void answer_not_taken_back(struct purchase *purchase)
{
    char id[ID_TEXT];
    log_line(purchase->buying->config.log, LOG_ERROR, "buy",
             "checkout %s: the bank authorised %.*s, of which no order was made, and it cannot be "
             "let go: %.*s; cancel it by hand, or it lapses by itself",
             id_text(purchase->request.checkout, id), STR_FMT(buf_text(&purchase->said)),
             STR_FMT(buf_text(&purchase->unended)));
    answer(purchase, buf_text(&purchase->record));
}

/* ---- Steps ---- */

/* The present step cannot be ended here. */
static void leave(struct purchase *purchase)
{
    if (purchase->state == TAKING_BACK)
        answer_not_taken_back(purchase);
    else
        answer_undecided(purchase);
}

static void again(struct purchase *purchase)
{
    if (!purchase_pause(purchase))
        leave(purchase);
}

/* The applier's thread. */
static void command_done(struct submission *submission, int err, uint64_t index, struct str result)
{
    struct purchase *purchase = CONTAINER_OF(submission, struct purchase, submission);
    purchase->err = err;
    purchase->index = index;
    buf_clear(&purchase->record);
    buf_str(&purchase->record, result);
    if (err == 0 && purchase->record.failed)
        purchase->err = ERR_UNKNOWN_FATE; /* no memory to keep the result: it is asked for again */
    purchase_arrived(purchase);
}

/* Any thread. */
static void bank_done(struct bank_call *call)
{
    struct purchase *purchase = CONTAINER_OF(call, struct purchase, call);
    /* What is taken back is named by what the bank said before: it is lent to this call, and needed
     * for the next. */
    struct buf *answer = purchase->state == TAKING_BACK ? &purchase->unended : &purchase->said;
    purchase->outcome = call->outcome;
    buf_clear(answer);
    buf_str(answer, call->outcome == BANK_AUTHORISED ? call->answer_reference : call->text);
    purchase_arrived(purchase);
}

static void fill_command(const struct purchase *purchase, struct command *command)
{
    const struct buy_request *request = &purchase->request;
    memset(command, 0, sizeof *command);
    command->complete.id = request->checkout;
    command->complete.attempt = purchase->attempt;
    command->complete.expected_total = request->expected_total;
    if (request->keyed) {
        memcpy(command->idempotency_key, request->idempotency_key, 16);
        memcpy(command->idempotency_body, request->idempotency_body, 16);
        command->idempotency = purchase->state == HOLDING ? IDEMPOTENCY_CHECK : IDEMPOTENCY_KEEP;
    }
    switch (purchase->state) {
    case HOLDING:
        command->type = COMMAND_CHECKOUT_HOLD;
        command->complete.payment = request->payment;
        command->complete.payment.reference = command->complete.payment.error = STR("");
        break;
    case CONFIRMING:
        command->type = COMMAND_CHECKOUT_CONFIRM;
        command->complete.payment.reference = buf_text(&purchase->said);
        break;
    case RELEASING:
        command->type = COMMAND_CHECKOUT_RELEASE;
        command->complete.payment.error = buf_text(&purchase->said);
        break;
    case PAYING: /* the bank is asked, no command is sent */
    case TAKING_BACK:
        CHECK(!"a state with a command");
    }
}

int purchase_submit(struct purchase *purchase)
{
    struct command command;
    fill_command(purchase, &command);
    buf_clear(&purchase->command);
    command_encode(&purchase->command, &command);
    if (purchase->command.failed)
        return ERR_NOMEM;
    purchase->submission = (struct submission){.command = buf_text(&purchase->command),
                                               .done = command_done,
                                               .patient = purchase->state != HOLDING};
    return order_submit(purchase->buying->config.order, &purchase->submission);
}

static void ask_bank(struct purchase *purchase)
{
    struct bank *bank = purchase->buying->config.bank;
    purchase->call.order = purchase->request.checkout;
    purchase->call.token = purchase->request.token;
    purchase->call.currency = purchase->request.currency;
    purchase->call.done = bank_done;
    if (purchase->state == PAYING) {
        bank->authorise(bank, &purchase->call);
        return;
    }
    purchase->call.reference = buf_text(&purchase->said);
    purchase->call.effect = purchase->call.key; /* one attempt is taken back once */
    bank->cancel(bank, &purchase->call);
}

static void crash_here_in(const struct purchase *purchase, enum crash_point point)
{
    crash_here(purchase->buying->config.crash, point);
}

static void begin(struct purchase *purchase, enum purchase_state state)
{
    purchase->state = state;
    purchase->tries = 0;
    purchase_go_on(purchase);
}

/* Takes what is to be known of the held checkout out of HOLD's result. Not 0: the result
 * is the purchase's end; REPLAYED: it is that of an earlier one, which was counted then.
 * ERR_TIMEOUT: the primary has claimed it, and its end is not known yet. */
static int read_hold(struct purchase *purchase, int64_t *total, bool *replayed)
{
    struct arena arena;
    struct result result;
    arena_init(&arena, DECODE_MAX);
    int err = result_decode(&arena, buf_text(&purchase->record), &result);
    *replayed = err == 0 && result.replayed;
    if (err == 0 && result.kind == RESULT_CHECKOUT && result.checkout.status == CHECKOUT_PAYING &&
        result.checkout.claimed)
        err = ERR_TIMEOUT;
    if (err == 0 && (result.err != 0 || result.replayed || result.kind != RESULT_CHECKOUT ||
                     result.checkout.status != CHECKOUT_PAYING))
        err = ERR_STATE;
    if (err == 0) {
        purchase->attempt = result.checkout.attempt;
        purchase->call.key = checkout_payment_key(&result.checkout);
        purchase->call.since_ms = result.checkout.hold_until_ms;
        *total = basket_total(&result.checkout.basket, TOTAL_TOTAL);
    }
    arena_close(&arena);
    return err;
}

static void after_hold(struct purchase *purchase)
{
    int64_t total;
    bool replayed;
    if (purchase->err == ERR_UNKNOWN_FATE || purchase->err == ERR_TIMEOUT) {
        again(purchase);
        return;
    }
    if (purchase->err != 0) {
        answer_failed(purchase, purchase->err);
        return;
    }
    int err = read_hold(purchase, &total, &replayed);
    if (err == ERR_TIMEOUT) {
        answer_undecided(purchase);
    } else if (err != 0) {
        if (!replayed)
            atomic_fetch_add(&purchase->buying->failed, 1);
        answer(purchase, buf_text(&purchase->record));
    } else if (total <= 0) {
        crash_here_in(purchase, CRASH_buy_held);
        begin(purchase, CONFIRMING);
    } else {
        crash_here_in(purchase, CRASH_buy_held);
        purchase->call.amount = total;
        purchase->patient_ns = clock_mono_ns() + BUY_BANK_MS * MS_NS;
        begin(purchase, PAYING);
    }
}

static void after_bank(struct purchase *purchase)
{
    switch (purchase->outcome) {
    case BANK_AUTHORISED:
        crash_here_in(purchase, CRASH_buy_authorised);
        begin(purchase, CONFIRMING);
        break;
    case BANK_REFUSED:
        crash_here_in(purchase, CRASH_buy_refused);
        begin(purchase, RELEASING);
        break;
    case BANK_DONE:
    case BANK_IMPOSSIBLE:
    case BANK_DEPOSED: /* none of these of what was asked */
    case BANK_UNREACHABLE:
        if (clock_mono_ns() < purchase->patient_ns && !atomic_load(&purchase->buying->hurried))
            again(purchase);
        else
            answer_undecided(purchase);
        break;
    }
}

/* How a purchase stands after CONFIRM or RELEASE. */
enum ending {
    ENDED,     /* as it was to end, or as the shop says */
    UNDECIDED, /* claimed by the primary, which ends it */
    UNPAID,    /* CONFIRM: our attempt is over and made no order, so that its money is to be let
                  go: somebody released it, or another attempt has paid */
    UNTOLD,    /* CONFIRM: it says how another request under the same key ended, as one that came
                  when the primary had made the order of our attempt. Of ours it says nothing */
};

static enum ending ending_of(const struct purchase *purchase, const struct result *result)
{
    bool checkout = result->kind == RESULT_CHECKOUT, order = result->kind == RESULT_ORDER;
    if (result->err != 0 && checkout && result->checkout.status == CHECKOUT_PAYING &&
        result->checkout.attempt == purchase->attempt)
        return UNDECIDED;
    if (purchase->state != CONFIRMING || purchase->said.len == 0)
        return ENDED;
    if (result->replayed &&
        (result->err != 0 || (checkout && result->checkout.status != CHECKOUT_COMPLETED)))
        return UNTOLD;
    if (result->err != 0)
        return UNPAID;
    struct str paid = checkout ? result->checkout.payment.reference
                      : order  ? result->order.payment.reference
                               : STR_NONE;
    return paid.len > 0 && !str_eq(paid, buf_text(&purchase->said)) ? UNPAID : ENDED;
}

/* Decodes what CONFIRM or RELEASE gave; *ERR is the shop's. */
static enum ending read_end(const struct purchase *purchase, int *err)
{
    struct arena arena;
    struct result result = {0};
    arena_init(&arena, DECODE_MAX);
    *err = result_decode(&arena, buf_text(&purchase->record), &result);
    enum ending ending = *err != 0 ? UNDECIDED : ending_of(purchase, &result);
    *err = *err != 0 ? *err : result.err;
    arena_close(&arena);
    return ending;
}

static void after_end(struct purchase *purchase)
{
    struct buying *buying = purchase->buying;
    int err;
    if (purchase->err == ERR_CLOSED || purchase->err == ERR_NOMEM) {
        answer_undecided(purchase);
        return;
    }
    if (purchase->err != 0) {
        again(purchase);
        return;
    }
    enum ending ending = read_end(purchase, &err);
    if (ending == UNDECIDED) {
        answer_undecided(purchase);
        return;
    }
    if (ending == UNTOLD) { /* without a key the log says how it is */
        purchase->request.keyed = false;
        begin(purchase, CONFIRMING);
        return;
    }
    if (purchase->state == RELEASING)
        atomic_fetch_add(&buying->refused, 1);
    else if (err != 0)
        atomic_fetch_add(&buying->failed, 1);
    else
        atomic_fetch_add(&buying->paid, 1);
    if (ending == UNPAID) {
        begin(purchase, TAKING_BACK);
        return;
    }
    if (purchase->state == CONFIRMING && err == 0)
        crash_here_in(purchase, CRASH_buy_confirmed);
    answer(purchase, buf_text(&purchase->record));
}

static void after_taking_back(struct purchase *purchase)
{
    char id[ID_TEXT];
    switch (purchase->outcome) {
    case BANK_DONE:
        log_line(purchase->buying->config.log, LOG_WARN, "buy",
                 "checkout %s: the bank authorised %.*s after the purchase was over; it was let go",
                 id_text(purchase->request.checkout, id), STR_FMT(buf_text(&purchase->said)));
        answer(purchase, buf_text(&purchase->record));
        break;
    case BANK_AUTHORISED:
    case BANK_REFUSED: /* neither of what was asked */
    case BANK_UNREACHABLE:
        again(purchase);
        break;
    case BANK_IMPOSSIBLE:
    case BANK_DEPOSED:
        answer_not_taken_back(purchase);
        break;
    }
}

void purchase_after(struct purchase *purchase)
{
    switch (purchase->state) {
    case HOLDING:
        after_hold(purchase);
        break;
    case PAYING:
        after_bank(purchase);
        break;
    case CONFIRMING:
    case RELEASING:
        after_end(purchase);
        break;
    case TAKING_BACK:
        after_taking_back(purchase);
        break;
    }
}

/* Does the step of the present state, for the first time or again. */
void purchase_go_on(struct purchase *purchase)
{
    if (purchase->state == PAYING || purchase->state == TAKING_BACK) {
        ask_bank(purchase);
        return;
    }
    int err = purchase_submit(purchase);
    if (err == 0)
        return; /* the answer may be in already: PURCHASE is not to be written to */
    purchase->err = err;
    purchase_after(purchase);
}
