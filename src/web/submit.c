#include "web/submit.h"

#include "base/check.h"
#include "web/call.h"
#include "web/gate.h"
#include "web/once.h"
#include "web/whereabouts.h"

#include <stdlib.h>

/* One thing that an exchange waits for. In the exchange's arena, which the applier's
 * thread must not touch (the handler that submitted may still be running): the result
 * record is copied to memory of its own. */
struct wait {
    struct submission submission;
    struct exchange *x;
    struct web *web;
    submit_then *then;
    int err;
    uint64_t index;
    char *record;
    size_t record_len;
    struct outcome outcome;
};

static void free_record(void *argument)
{
    struct wait *wait = argument;
    free(wait->record);
}

/* Any thread. */
static void keep_record(struct wait *wait, struct str record)
{
    wait->record = malloc(record.len + 1);
    if (!wait->record) {
        wait->err = ERR_NOMEM;
        return;
    }
    memcpy(wait->record, record.at, record.len);
    wait->record_len = record.len;
}

static void arrived(struct exchange *x)
{
    struct wait *wait = call_of(x)->waiting;
    struct outcome *outcome = &wait->outcome;
    outcome->err = wait->err;
    outcome->index = wait->index;
    if (!outcome->err)
        outcome->err =
            result_decode(&x->arena, str_make(wait->record, wait->record_len), &outcome->result);
    if (outcome->err)
        atomic_fetch_add_explicit(&wait->web->commands_failed, 1, memory_order_relaxed);
    gate_saw(x, outcome->index);
    gate_finish(x, wait->then(x, outcome));
}

static struct wait *wait_new(struct exchange *x, submit_then *then)
{
    struct wait *wait = ARENA_NEW(&x->arena, struct wait);
    if (!wait || exchange_at_end(x, free_record, wait))
        return NULL;
    wait->x = x;
    wait->web = call_web(x);
    wait->then = then;
    call_of(x)->waiting = wait;
    atomic_fetch_add_explicit(&wait->web->commands, 1, memory_order_relaxed);
    return wait;
}

static void applied(struct submission *submission, int err, uint64_t index, struct str result)
{
    struct wait *wait = CONTAINER_OF(submission, struct wait, submission);
    wait->err = err;
    wait->index = index;
    if (!err)
        keep_record(wait, result);
    exchange_continue(wait->x, arrived);
}

static bool is_of_cart(enum command_type type)
{
    return type == COMMAND_CART_PUT || type == COMMAND_CART_ADD || type == COMMAND_CART_SET;
}

enum app_verdict submit_command(struct exchange *x, const struct command *command,
                                submit_then *then)
{
    struct wait *wait = wait_new(x, then);
    if (!wait)
        return call_fail_err(x, ERR_NOMEM);
    struct buf record;
    buf_init(&record, ORDER_COMMAND_MAX);
    struct command stamped = *command;
    /* It may be sent again when the primary changes, or by a load manager. */
    if (command_once(command->type) && command->idempotency == IDEMPOTENCY_NONE)
        stamped.operation = once_id(x, str_of(command_name(command->type)));
    if (is_of_cart(command->type))
        whereabouts_read(x, &stamped.home);
    command_encode(&record, &stamped);
    int err = record.failed ? ERR_FULL : 0;
    if (!err) {
        wait->submission.command = arena_str(&x->arena, buf_text(&record));
        err = wait->submission.command.at ? 0 : ERR_NOMEM;
    }
    buf_close(&record);
    wait->submission.done = applied;
    struct ordering *order = wait->web->settings.order;
    if (!err)
        err = order ? order_submit(order, &wait->submission) : ERR_NOPRIMARY;
    return err ? call_fail_err(x, err) : APP_LATER;
}

static void bought(void *context, uint64_t index, struct str result)
{
    struct wait *wait = context;
    wait->index = index;
    keep_record(wait, result);
    exchange_continue(wait->x, arrived);
}

enum app_verdict submit_purchase(struct exchange *x, const struct buy_request *request,
                                 submit_then *then)
{
    struct wait *wait = wait_new(x, then);
    if (!wait)
        return call_fail_err(x, ERR_NOMEM);
    struct buy_request mine = *request;
    mine.done = bought;
    mine.context = wait;
    int err = buy_start(wait->web->settings.buying, &mine);
    return err ? call_fail_err(x, err) : APP_LATER;
}

enum app_verdict submit_wait(struct exchange *x, submit_then *step)
{
    call_of(x)->step = step;
    return APP_LATER;
}

void submit_resume(struct exchange *x)
{
    gate_finish(x, call_of(x)->step(x, NULL));
}
