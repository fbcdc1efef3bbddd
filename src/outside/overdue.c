#include "outside/overdue.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/list.h"
#include "base/thread.h"
#include "shop/command.h"

#include <pthread.h>
#include <stddef.h>
#include <stdlib.h>

enum { STOP_PATIENCE_MS = 5000, DECODE_MAX = 4 * 1024 * 1024, RECORD_MAX = 4 * 1024 * 1024 };

enum case_state { CLAIMING, ASKING, ENDING };

/* One hold. */
struct overdue_case {
    struct list all;
    struct overdue_case *next; /* in the inbox */
    struct overdue *overdue;
    enum case_state state;
    struct id checkout;
    uint32_t attempt;
    char currency[8];

    struct submission submission;
    struct buf command;
    struct bank_call call;
    enum command_type end; /* CONFIRM or RELEASE */

    /* What came back: written by the applier or the bank, then put into the inbox. */
    int err;
    struct buf record, said; /* reference, or why it refused */
};

struct overdue {
    struct overdue_config config;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t work, ended;
    struct list all;
    unsigned count, done; /* done: ended, since there were none in hand */
    struct overdue_case *inbox, **inbox_last;
    bool stopping;
};

/* ---- Begin and end of one ---- */

static void case_close(struct overdue_case *it)
{
    buf_close(&it->command);
    buf_close(&it->record);
    buf_close(&it->said);
    free(it);
}

/* It is gone. DONE: because it has ended, so that there is room for another one. */
static void leave(struct overdue_case *it, bool done)
{
    struct overdue *overdue = it->overdue;
    pthread_mutex_lock(&overdue->mutex);
    list_remove(&it->all);
    overdue->count--;
    overdue->done += done;
    bool idle = overdue->count == 0 && overdue->done > 0 && !overdue->stopping;
    if (overdue->count == 0) {
        overdue->done = 0;
        pthread_cond_broadcast(&overdue->ended);
    }
    pthread_mutex_unlock(&overdue->mutex);
    case_close(it);
    if (idle && overdue->config.idle != NULL)
        overdue->config.idle(overdue->config.context);
}

/* ---- Steps ---- */

static void put_into_inbox(struct overdue_case *it)
{
    struct overdue *overdue = it->overdue;
    pthread_mutex_lock(&overdue->mutex);
    it->next = NULL;
    *overdue->inbox_last = it;
    overdue->inbox_last = &it->next;
    pthread_cond_signal(&overdue->work);
    pthread_mutex_unlock(&overdue->mutex);
}

/* The applier's thread. */
static void command_done(struct submission *submission, int err, uint64_t index, struct str result)
{
    struct overdue_case *it = CONTAINER_OF(submission, struct overdue_case, submission);
    (void)index;
    it->err = err;
    buf_clear(&it->record);
    buf_str(&it->record, result);
    put_into_inbox(it);
}

/* Any thread. */
static void bank_done(struct bank_call *call)
{
    struct overdue_case *it = CONTAINER_OF(call, struct overdue_case, call);
    buf_clear(&it->said);
    buf_str(&it->said, call->outcome == BANK_AUTHORISED ? call->answer_reference : call->text);
    put_into_inbox(it);
}

static void submit(struct overdue_case *it, enum command_type type)
{
    struct command command = {.type = type,
                              .complete = {.id = it->checkout, .attempt = it->attempt}};
    if (type != COMMAND_CHECKOUT_CLAIM)
        command.complete.claimed = true;
    if (type == COMMAND_CHECKOUT_CONFIRM)
        command.complete.payment.reference = buf_text(&it->said);
    if (type == COMMAND_CHECKOUT_RELEASE)
        command.complete.payment.error = buf_text(&it->said);
    buf_clear(&it->command);
    command_encode(&it->command, &command);
    it->submission = (struct submission){
        .command = buf_text(&it->command), .done = command_done, .patient = true};
    int err =
        it->command.failed ? ERR_NOMEM : order_submit(it->overdue->config.order, &it->submission);
    if (err != 0) {
        it->err = err;
        buf_clear(&it->record);
        put_into_inbox(it);
    }
}

static void ask(struct overdue_case *it)
{
    struct bank *bank = it->overdue->config.bank;
    it->state = ASKING;
    it->call.currency = str_of(it->currency);
    it->call.done = bank_done;
    bank->settle(bank, &it->call);
}

static void end(struct overdue_case *it, enum command_type type)
{
    it->state = ENDING;
    it->end = type;
    submit(it, type);
}

/* What the log said: its error, or the shop's. */
static int result_of(const struct overdue_case *it)
{
    struct arena arena;
    struct result result = {0};
    if (it->err != 0)
        return it->err;
    if (it->record.failed)
        return ERR_NOMEM;
    arena_init(&arena, DECODE_MAX);
    int err = result_decode(&arena, buf_text(&it->record), &result);
    arena_close(&arena);
    return err != 0 ? err : result.err;
}

static void after_claim(struct overdue_case *it)
{
    if (result_of(it) != 0) {
        leave(it, false);
        return;
    }
    crash_here(it->overdue->config.crash, CRASH_settle_claimed);
    if (it->call.amount > 0) {
        ask(it);
        return;
    }
    buf_puts(&it->said, "it was not ended in time");
    end(it, COMMAND_CHECKOUT_RELEASE); /* there was nothing to pay, so the bank knows nothing */
}

static void after_bank(struct overdue_case *it)
{
    crash_here(it->overdue->config.crash, CRASH_settle_asked);
    switch (it->call.outcome) {
    case BANK_AUTHORISED:
        end(it, COMMAND_CHECKOUT_CONFIRM);
        break;
    case BANK_REFUSED:
        end(it, COMMAND_CHECKOUT_RELEASE);
        break;
    case BANK_DONE:
    case BANK_IMPOSSIBLE:
    case BANK_DEPOSED: /* none of these of what was asked */
    case BANK_UNREACHABLE:
        leave(it, false); /* the goods stay held */
        break;
    }
}

static void after_end(struct overdue_case *it)
{
    char id[ID_TEXT];
    int err = result_of(it);
    log_line(it->overdue->config.log, err == 0 ? LOG_INFO : LOG_WARN, "settle",
             "checkout %s: %s%s%s", id_text(it->checkout, id), command_name(it->end),
             err == 0 ? "" : ": ", err == 0 ? "" : err_name(err));
    leave(it, err == 0);
}

/* What has begun on the primary is not carried on by a server that is none any more, nor by one
 * that stops: the new one looks after it. */
static bool goes_on(struct overdue *overdue)
{
    pthread_mutex_lock(&overdue->mutex);
    bool stopping = overdue->stopping;
    pthread_mutex_unlock(&overdue->mutex);
    return !stopping && order_is_primary(overdue->config.order, NULL);
}

static void after(struct overdue_case *it)
{
    if (it->state == ENDING)
        after_end(it);
    else if (!goes_on(it->overdue))
        leave(it, false);
    else if (it->state == CLAIMING)
        after_claim(it);
    else
        after_bank(it);
}

/* ---- The thread ---- */

static void *run_overdue(void *context)
{
    struct overdue *overdue = context;
    bool over = false;
    while (!over) {
        pthread_mutex_lock(&overdue->mutex);
        while (overdue->inbox == NULL && !(overdue->stopping && overdue->count == 0))
            pthread_cond_wait(&overdue->work, &overdue->mutex);
        struct overdue_case *it = overdue->inbox;
        overdue->inbox = NULL;
        overdue->inbox_last = &overdue->inbox;
        over = it == NULL;
        pthread_mutex_unlock(&overdue->mutex);
        while (it != NULL) {
            struct overdue_case *next = it->next;
            after(it);
            it = next;
        }
    }
    return NULL;
}

/* ---- From outside ---- */

int overdue_new(const struct overdue_config *config, struct overdue **out)
{
    struct overdue *overdue = calloc(1, sizeof *overdue);
    if (overdue == NULL)
        return ERR_NOMEM;
    overdue->config = *config;
    overdue->inbox_last = &overdue->inbox;
    list_init(&overdue->all);
    pthread_mutex_init(&overdue->mutex, NULL);
    cond_init(&overdue->work);
    cond_init(&overdue->ended);
    if (thread_start(&overdue->thread, "stoa-overdue", run_overdue, overdue) != 0) {
        free(overdue);
        return ERR_NOMEM;
    }
    *out = overdue;
    return 0;
}

static struct overdue_case *case_new(struct overdue *overdue, const struct checkout *checkout,
                                     struct str currency)
{
    struct overdue_case *it = calloc(1, sizeof *it);
    if (it == NULL)
        return NULL;
    it->overdue = overdue;
    it->checkout = checkout->id;
    it->attempt = checkout->attempt;
    str_copy(it->currency, sizeof it->currency, currency);
    it->call = (struct bank_call){.key = checkout_payment_key(checkout),
                                  .order = checkout->id,
                                  .amount = basket_total(&checkout->basket, TOTAL_TOTAL),
                                  .since_ms = checkout->hold_until_ms};
    buf_init(&it->command, ORDER_COMMAND_MAX);
    buf_init(&it->record, RECORD_MAX);
    buf_init(&it->said, SHOP_TEXT_MAX);
    return it;
}

/* The lock is held. */
static bool is_in_hand(const struct overdue *overdue, struct id checkout)
{
    for (const struct list *node = overdue->all.next; node != &overdue->all; node = node->next)
        if (id_eq(CONTAINER_OF(node, struct overdue_case, all)->checkout, checkout))
            return true;
    return false;
}

bool overdue_take(struct overdue *overdue, const struct checkout *checkout, struct str currency)
{
    struct overdue_case *it = case_new(overdue, checkout, currency);
    if (it == NULL)
        return false;
    pthread_mutex_lock(&overdue->mutex);
    bool taken =
        !overdue->stopping && overdue->count < OVERDUE_MAX && !is_in_hand(overdue, checkout->id);
    if (taken) {
        list_append(&overdue->all, &it->all);
        overdue->count++;
    }
    pthread_mutex_unlock(&overdue->mutex);
    if (!taken)
        case_close(it);
    else if (checkout->claimed && it->call.amount > 0)
        ask(it);
    else
        submit(it, COMMAND_CHECKOUT_CLAIM);
    return taken;
}

unsigned overdue_room(struct overdue *overdue)
{
    pthread_mutex_lock(&overdue->mutex);
    unsigned room = overdue->stopping ? 0 : OVERDUE_MAX - overdue->count;
    pthread_mutex_unlock(&overdue->mutex);
    return room;
}

void overdue_free(struct overdue *overdue)
{
    uint64_t until_ns = clock_mono_ns() + STOP_PATIENCE_MS * MS_NS;
    bool in_time = true;
    if (overdue == NULL)
        return;
    pthread_mutex_lock(&overdue->mutex);
    overdue->stopping = true;
    pthread_cond_broadcast(&overdue->work);
    while (in_time && overdue->count > 0)
        in_time = cond_wait_until(&overdue->ended, &overdue->mutex, until_ns);
    unsigned left = overdue->count;
    pthread_cond_broadcast(&overdue->work);
    pthread_mutex_unlock(&overdue->mutex);
    if (left > 0) {
        /* The bank or the log still owes an answer and will write into this memory. */
        log_line(overdue->config.log, LOG_WARN, "settle", "stopping with %u overdue holds in hand",
                 left);
        pthread_detach(overdue->thread);
        return;
    }
    pthread_join(overdue->thread, NULL);
    pthread_cond_destroy(&overdue->ended);
    pthread_cond_destroy(&overdue->work);
    pthread_mutex_destroy(&overdue->mutex);
    free(overdue);
}
