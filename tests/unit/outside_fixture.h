/* A made-up log with a one-checkout shop behind it, and a bank that says what it is told.
 *
 * It stands in for replica/order.h: a test program that defines these functions is not
 * linked with the real ones. Commands are applied inside order_submit, on the
 * submitter's thread, by the rules of shop/checkout.h as far as paying goes. What goes
 * wrong is said by `plan`: one letter per command or bank call, then all is well.
 */
#ifndef STOA_TESTS_OUTSIDE_FIXTURE_H
#define STOA_TESTS_OUTSIDE_FIXTURE_H

#include "base/check.h"
#include "base/clock.h"
#include "outside/bank.h"
#include "shop/command.h"
#include "submit_fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct ordering {
    pthread_mutex_t mutex;
    /* '.' as it should be; 'b' ERR_BUSY; 'c' ERR_CLOSED; both at the door
     * 'l' applied, and the answer lost; 'u' not applied, fate unknown; 'n' never answered */
    const char *plan;
    uint64_t index;
    bool primary;
    bool refused_before; /* the key of a CONFIRM remembers the refusal of a repeat, which came when
                            the primary had made the order */

    struct checkout checkout;
    int64_t total;
    unsigned holds, claims, confirms, releases, orders, expires, steps; /* that changed something */
    unsigned commands, barriers;
    uint64_t expirable, to_import;
    char reference[100], error[200];
    struct submission *unanswered;
};

static inline void order_init(struct ordering *order, struct id checkout, int64_t total)
{
    *order = (struct ordering){.plan = "", .total = total, .primary = true};
    pthread_mutex_init(&order->mutex, NULL);
    order->checkout.id = checkout;
    order->checkout.status = CHECKOUT_READY;
    order->checkout.selected_destination = -1;
}

static inline void order_show(const struct ordering *order, struct result *result)
{
    result->kind = RESULT_CHECKOUT;
    result->checkout = order->checkout;
    result->checkout.basket.total_count = 1;
    result->checkout.basket.totals[0] =
        (struct total){.type = TOTAL_TOTAL, .text = STR("Total"), .amount = order->total};
    result->checkout.payment.error = str_of(order->error);
    result->checkout.payment.reference = str_of(order->reference);
}

static inline void order_apply(struct ordering *order, const struct command *command,
                               struct result *result)
{
    struct checkout *checkout = &order->checkout;
    bool paying = checkout->status == CHECKOUT_PAYING;
    bool late = command->complete.attempt != 0 && command->complete.attempt != checkout->attempt;
    bool barred = paying && checkout->claimed && !command->complete.claimed;
    switch (command->type) {
    case COMMAND_CHECKOUT_HOLD:
        if (barred) {
            result->err = ERR_STATE;
        } else if (checkout->status == CHECKOUT_READY) {
            checkout->status = CHECKOUT_PAYING;
            checkout->attempt++;
            order->holds++;
        } else if (!paying && command->idempotency == IDEMPOTENCY_CHECK) {
            result->replayed = true; /* bought under the same key */
        } else if (!paying) {
            *result = (struct result){.err = ERR_STATE, .text = STR("completed")};
        }
        break;
    case COMMAND_CHECKOUT_CLAIM:
        if (paying && !late) {
            order->claims += !checkout->claimed;
            checkout->claimed = true;
        } else {
            result->err = ERR_STATE;
        }
        break;
    case COMMAND_CHECKOUT_CONFIRM:
        if (order->refused_before && command->idempotency == IDEMPOTENCY_KEEP) {
            checkout->status = CHECKOUT_COMPLETED; /* by the primary, with this attempt's money */
            order->orders++;
            str_copy(order->reference, sizeof order->reference,
                     command->complete.payment.reference);
            result->replayed = true;
            result->err = ERR_STATE;
        } else if (barred) {
            result->err = ERR_STATE;
        } else if (paying && !late) {
            checkout->status = CHECKOUT_COMPLETED;
            checkout->claimed = false;
            order->confirms++;
            order->orders++;
            str_copy(order->reference, sizeof order->reference,
                     command->complete.payment.reference);
        } else if (checkout->status != CHECKOUT_COMPLETED) {
            *result = (struct result){.err = ERR_STATE, .text = STR("nothing is held")};
        }
        break;
    case COMMAND_CHECKOUT_RELEASE:
        if (barred) {
            result->err = ERR_STATE;
        } else if (paying && !late) {
            checkout->status = CHECKOUT_READY;
            checkout->claimed = false;
            order->releases++;
            str_copy(order->error, sizeof order->error, command->complete.payment.error);
        }
        break;
    case COMMAND_EXPIRE:
        order->expires++;
        *result = (struct result){.kind = RESULT_NUMBER, .number = order->expirable};
        if (result->number > command->limit)
            result->number = command->limit;
        order->expirable -= result->number;
        return;
    case COMMAND_IMPORT_STEP:
        order->steps++;
        *result = (struct result){.kind = RESULT_NUMBER, .number = order->to_import};
        if (result->number > command->import.limit)
            result->number = command->import.limit;
        order->to_import -= result->number;
        return;
    default:
        CHECK(!"a command the fixture knows");
    }
    order_show(order, result);
}

int order_submit(struct ordering *order, struct submission *submission)
{
    struct arena arena;
    struct command command;
    struct result result = {0};
    struct buf record;
    pthread_mutex_lock(&order->mutex);
    char fault = *order->plan != 0 ? *order->plan++ : '.';
    order->commands++;
    int err = 0;
    if (fault == 'b')
        err = ERR_BUSY;
    if (fault == 'c')
        err = ERR_CLOSED;
    if (fault == 'n')
        order->unanswered = submission;
    if (err != 0 || fault == 'n') {
        pthread_mutex_unlock(&order->mutex);
        return err;
    }
    arena_init(&arena, 1 << 22);
    buf_init(&record, 1 << 22);
    CHECK(command_decode(&arena, submission->command, &command) == 0);
    if (fault != 'u')
        order_apply(order, &command, &result);
    uint64_t index = ++order->index;
    result_encode(&record, &result);
    pthread_mutex_unlock(&order->mutex);
    if (fault == 'l' || fault == 'u')
        submission->done(submission, ERR_UNKNOWN_FATE, 0, STR_NONE);
    else
        submission->done(submission, 0, index, buf_text(&record));
    buf_close(&record);
    arena_close(&arena);
    return 0;
}

int order_submit_wait(struct ordering *order, struct str command, struct buf *result,
                      uint64_t *index)
{
    if (command.len == 0) { /* a barrier */
        pthread_mutex_lock(&order->mutex);
        order->barriers++;
        *index = order->index;
        pthread_mutex_unlock(&order->mutex);
        return 0;
    }
    return order_submit_at_once(order, command, result);
}

int order_await_wait(struct ordering *order, uint64_t index, unsigned timeout_ms)
{
    (void)timeout_ms;
    pthread_mutex_lock(&order->mutex);
    CHECK(index <= order->index);
    pthread_mutex_unlock(&order->mutex);
    return 0;
}

bool order_is_primary(struct ordering *order, int64_t *log_time_ms)
{
    pthread_mutex_lock(&order->mutex);
    bool primary = order->primary;
    if (log_time_ms != NULL)
        *log_time_ms = 1;
    pthread_mutex_unlock(&order->mutex);
    return primary;
}

/* ---- A bank with a plan ---- */

struct planned_bank {
    struct bank bank;
    struct bank *sandbox; /* does the work */
    const char *plan;     /* '.' answers; 'x' unreachable, nothing done; 'l' done, answer lost */
    unsigned calls, settles, cancels;
    char canceled[80];              /* the reference of the last one */
    void (*between)(void *context); /* called before the answer, NULL: not */
    void *between_context;
};

static inline void drop_answer(struct bank_call *call)
{
    (void)call;
}

static inline void planned_call(struct bank *bank, struct bank_call *call,
                                void (*act)(struct bank *bank, struct bank_call *call))
{
    struct planned_bank *planned = bank->context;
    char fault = *planned->plan != 0 ? *planned->plan++ : '.';
    void (*done)(struct bank_call *) = call->done;
    planned->calls++;
    planned->settles += act == planned->sandbox->settle;
    if (act == planned->sandbox->cancel) {
        planned->cancels++;
        str_copy(planned->canceled, sizeof planned->canceled, call->reference);
    }
    if (fault == 'l')
        call->done = drop_answer;
    if (planned->between != NULL)
        planned->between(planned->between_context);
    if (fault != 'x')
        act(planned->sandbox, call);
    if (fault == '.')
        return;
    call->done = done;
    call->outcome = BANK_UNREACHABLE;
    call->answer_reference = STR_NONE;
    call->text = STR("the bank does not answer");
    done(call);
}

static inline struct bank *sandbox_of(struct bank *bank)
{
    return ((struct planned_bank *)bank->context)->sandbox;
}

static inline void planned_authorise(struct bank *bank, struct bank_call *call)
{
    planned_call(bank, call, sandbox_of(bank)->authorise);
}

static inline void planned_settle(struct bank *bank, struct bank_call *call)
{
    planned_call(bank, call, sandbox_of(bank)->settle);
}

static inline void planned_cancel(struct bank *bank, struct bank_call *call)
{
    planned_call(bank, call, sandbox_of(bank)->cancel);
}

static inline void bank_init(struct planned_bank *planned)
{
    *planned = (struct planned_bank){.plan = "",
                                     .bank = {.name = "planned",
                                              .context = planned,
                                              .authorise = planned_authorise,
                                              .settle = planned_settle,
                                              .cancel = planned_cancel}};
    CHECK(bank_sandbox_new(&planned->sandbox) == 0);
}

#endif
