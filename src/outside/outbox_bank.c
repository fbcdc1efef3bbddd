#include "outside/outbox_bank.h"

#include "base/check.h"

#include <stdlib.h>

enum { ORDER_BYTES = 16 * 1024 * 1024, AT_ONCE = 64 };

struct outbox_bank {
    struct outbox_sender sender;
    struct bank *bank;
    const struct outbox_view *view;
    struct crash_plan *crash;
    struct arena arena;
};

/* One on its way, with what is lent to it. */
struct bank_errand {
    struct bank_call call;
    struct outbox_send *send;
    char currency[8];
    char reference[];
};

static void say(struct outbox_send *send, enum outbox_sent sent, struct str text)
{
    send->done(send, &(struct outbox_said){.sent = sent, .text = text});
}

/* Any thread. */
static void bank_answered(struct bank_call *call)
{
    static const enum outbox_sent sent[] = {
        [BANK_AUTHORISED] = OUTBOX_SENT_LATER, /* no answer to what was asked */
        [BANK_REFUSED] = OUTBOX_SENT_NEVER,    [BANK_DONE] = OUTBOX_SENT,
        [BANK_IMPOSSIBLE] = OUTBOX_SENT_NEVER, [BANK_DEPOSED] = OUTBOX_SENT_OLD,
        [BANK_UNREACHABLE] = OUTBOX_SENT_AWAY,
    };
    struct bank_errand *errand = CONTAINER_OF(call, struct bank_errand, call);
    struct outbox_send *send = errand->send;
    say(send, sent[call->outcome],
        call->outcome == BANK_DONE ? call->answer_reference : call->text);
    free(errand);
}

static struct bank_errand *errand_new(struct outbox_send *send, const struct order *order)
{
    struct str reference = order->payment.reference;
    struct bank_errand *errand = calloc(1, sizeof *errand + reference.len + 1);
    if (errand == NULL)
        return NULL;
    errand->send = send;
    str_copy(errand->reference, reference.len + 1, reference);
    str_copy(errand->currency, sizeof errand->currency, order->currency);
    errand->call = (struct bank_call){
        .key = order->payment_key,
        .order = order->id,
        .effect = send->row->effect,
        .reference = {errand->reference, reference.len},
        .amount = send->row->amount,
        .currency = str_of(errand->currency),
        .since_ms = send->row->time_ms,
        .fence = send->fence,
        .done = bank_answered,
    };
    return errand;
}

static void ask(struct bank *bank, struct bank_errand *errand)
{
    switch (errand->send->row->kind) {
    case OUTBOX_CAPTURE:
        bank->capture(bank, &errand->call);
        break;
    case OUTBOX_PAYMENT_CANCEL:
        bank->cancel(bank, &errand->call);
        break;
    case OUTBOX_REFUND:
        bank->refund(bank, &errand->call);
        break;
    default:
        say(errand->send, OUTBOX_SENT_NEVER, STR("this is nothing that a bank can do"));
        free(errand);
    }
}

static void begin(void *context, struct outbox_send *send)
{
    struct outbox_bank *self = context;
    struct order order;
    crash_here(self->crash, CRASH_outbox_paying);
    arena_reset(&self->arena);
    int err = self->view->order(self->view->context, &self->arena, send->row->order, &order);
    struct bank_errand *errand = err == 0 ? errand_new(send, &order) : NULL;
    if (errand != NULL)
        ask(self->bank, errand);
    else if (err == ERR_NOTFOUND)
        say(send, OUTBOX_SENT_NEVER, STR("its order is not there"));
    else
        say(send, OUTBOX_SENT_LATER, str_of(err_sentence(err != 0 ? err : ERR_NOMEM)));
}

int outbox_bank_new(struct bank *bank, const struct outbox_view *view, struct crash_plan *crash,
                    struct outbox_bank **out)
{
    struct outbox_bank *self = calloc(1, sizeof *self);
    if (self == NULL)
        return ERR_NOMEM;
    self->sender =
        (struct outbox_sender){.name = "bank", .context = self, .begin = begin, .at_once = AT_ONCE};
    self->bank = bank;
    self->view = view;
    self->crash = crash;
    arena_init(&self->arena, ORDER_BYTES);
    *out = self;
    return 0;
}

void outbox_bank_free(struct outbox_bank *self)
{
    if (self == NULL)
        return;
    arena_close(&self->arena);
    free(self);
}

const struct outbox_sender *outbox_bank_sender(const struct outbox_bank *self)
{
    return &self->sender;
}
