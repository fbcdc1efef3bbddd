#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/random.h"
#include "base/thread.h"
#include "outside/bank.h"

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

enum {
    BUCKETS = 4096,
    REMEMBERED_MAX = 100 * 1000,
    REMEMBERED_S = 3600,
    REFERENCE_BEGIN_LEN = sizeof BANK_SANDBOX_REFERENCE - 1,
    REFERENCE_SIZE = REFERENCE_BEGIN_LEN + ID_TEXT,
};

enum verdict {
    AUTHORISED,
    DECLINED,
    STRANGE_TOKEN,
    BARRED,
    REPAID, /* not a payment: the key is a refund's */
};
/* Of what was authorised. */
enum money { RESERVED, TAKEN, LET_GO };

/* What was answered under a key, and what became of the money. */
struct memory {
    struct list age; /* oldest first */
    struct memory *next;
    struct id key;
    uint64_t made_ns;
    enum verdict verdict;
    enum money money;
    int64_t amount, left; /* reserved, or taken; of it not given back yet */
};

struct said {
    enum bank_outcome outcome;
    const char *text;
};

/* A call whose answer is on its way. */
struct delayed {
    struct delayed *next;
    uint64_t due_ns;
    struct bank_call *call;
    struct said said;
};

struct sandbox {
    struct bank bank;
    pthread_mutex_t mutex; /* guards all that follows */
    pthread_cond_t work;
    struct hash_key hash_key;
    struct memory *buckets[BUCKETS];
    struct list ages;
    unsigned remembered;
    struct bank_sandbox_faults faults;
    struct random random;
    struct delayed *first, **last;
    bool has_thread, stopping;
    pthread_t thread;
};

static struct memory **bucket_of(struct sandbox *sandbox, struct id key)
{
    uint64_t hash = hash_fast(sandbox->hash_key, str_make(key.bytes, sizeof key.bytes));
    return &sandbox->buckets[hash % BUCKETS];
}

static struct memory *recall(struct sandbox *sandbox, struct id key)
{
    struct memory *memory = *bucket_of(sandbox, key);
    while (memory != NULL && !id_eq(memory->key, key))
        memory = memory->next;
    return memory;
}

static void forget(struct sandbox *sandbox, struct memory *memory)
{
    struct memory **at = bucket_of(sandbox, memory->key);
    while (*at != memory)
        at = &(*at)->next;
    *at = memory->next;
    list_remove(&memory->age);
    free(memory);
    sandbox->remembered--;
}

static void forget_old(struct sandbox *sandbox, uint64_t now)
{
    while (!list_empty(&sandbox->ages)) {
        struct memory *oldest = CONTAINER_OF(sandbox->ages.next, struct memory, age);
        if (sandbox->remembered < REMEMBERED_MAX && now - oldest->made_ns < REMEMBERED_S * SEC_NS)
            break;
        forget(sandbox, oldest);
    }
}

/* NULL: no memory for it. */
static struct memory *remember(struct sandbox *sandbox, struct id key, enum verdict verdict)
{
    uint64_t now = clock_mono_ns();
    forget_old(sandbox, now);
    struct memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL)
        return NULL;
    struct memory **bucket = bucket_of(sandbox, key);
    *memory = (struct memory){.next = *bucket, .key = key, .made_ns = now, .verdict = verdict};
    *bucket = memory;
    list_append(&sandbox->ages, &memory->age);
    sandbox->remembered++;
    return memory;
}

static enum verdict judge(struct str token)
{
    if (str_eq(token, STR("success_token")))
        return AUTHORISED;
    return str_eq(token, STR("fail_token")) ? DECLINED : STRANGE_TOKEN;
}

static const char *reason_of(enum verdict verdict)
{
    switch (verdict) {
    case DECLINED:
        return "the card was declined";
    case STRANGE_TOKEN:
        return "the sandbox bank does not know this token (use success_token or fail_token)";
    case BARRED:
        return "the payment was not begun in time, and was called off";
    case AUTHORISED:
    case REPAID:
        break;
    }
    return "";
}

static void answer(struct bank_call *call, struct said said)
{
    char reference[REFERENCE_SIZE] = BANK_SANDBOX_REFERENCE;
    call->outcome = said.outcome;
    call->answer_reference = STR_NONE;
    call->text = str_of(said.text);
    if (said.outcome == BANK_AUTHORISED) {
        id_text(call->key, reference + REFERENCE_BEGIN_LEN);
        call->answer_reference = str_of(reference);
    }
    call->done(call);
}

/* ---- Answers that take a while ---- */

static void *run_delays(void *context)
{
    struct sandbox *sandbox = context;
    pthread_mutex_lock(&sandbox->mutex);
    for (;;) {
        struct delayed *first = sandbox->first;
        if (first == NULL && sandbox->stopping)
            break;
        if (first == NULL) {
            pthread_cond_wait(&sandbox->work, &sandbox->mutex);
            continue;
        }
        if (!sandbox->stopping && first->due_ns > clock_mono_ns()) {
            cond_wait_until(&sandbox->work, &sandbox->mutex, first->due_ns);
            continue;
        }
        sandbox->first = first->next;
        if (sandbox->first == NULL)
            sandbox->last = &sandbox->first;
        pthread_mutex_unlock(&sandbox->mutex);
        answer(first->call, first->said);
        free(first);
        pthread_mutex_lock(&sandbox->mutex);
    }
    pthread_mutex_unlock(&sandbox->mutex);
    return NULL;
}

/* The lock is held. False: no thread or memory for it; to be answered at once. */
static bool delay(struct sandbox *sandbox, struct bank_call *call, struct said said)
{
    if (sandbox->faults.latency_ms == 0)
        return false;
    if (!sandbox->has_thread)
        sandbox->has_thread =
            thread_start(&sandbox->thread, "stoa-sandbox", run_delays, sandbox) == 0;
    struct delayed *delayed = calloc(1, sizeof *delayed);
    if (delayed == NULL || !sandbox->has_thread) {
        free(delayed);
        return false;
    }
    *delayed = (struct delayed){
        .due_ns = clock_mono_ns() + sandbox->faults.latency_ms * MS_NS, .call = call, .said = said};
    *sandbox->last = delayed;
    sandbox->last = &delayed->next;
    pthread_cond_signal(&sandbox->work);
    return true;
}

/* ---- The seam ---- */

static bool happens(struct sandbox *sandbox, unsigned percent)
{
    return percent > 0 && random_below(&sandbox->random, 100) < percent;
}

static struct said said(enum bank_outcome outcome, const char *text)
{
    return (struct said){outcome, text};
}

static const struct said no_memory = {BANK_UNREACHABLE, "the sandbox bank has no memory left"};

static struct said say_verdict(enum verdict verdict)
{
    return said(verdict == AUTHORISED ? BANK_AUTHORISED : BANK_REFUSED, reason_of(verdict));
}

static struct said do_authorise(struct sandbox *sandbox, const struct bank_call *call)
{
    struct memory *memory = recall(sandbox, call->key);
    if (memory == NULL) {
        memory = remember(sandbox, call->key, judge(call->token));
        if (memory == NULL)
            return no_memory;
        memory->amount = memory->left = call->amount;
    }
    return say_verdict(memory->verdict);
}

static struct said do_settle(struct sandbox *sandbox, const struct bank_call *call)
{
    const struct memory *memory = recall(sandbox, call->key);
    if (memory == NULL)
        memory = remember(sandbox, call->key, BARRED);
    if (memory == NULL)
        return no_memory;
    if (memory->verdict == AUTHORISED && memory->money == LET_GO)
        return said(BANK_REFUSED, "the payment was let go");
    return say_verdict(memory->verdict);
}

/* The payment that CALL's reference names; NULL: forgotten. */
static struct memory *payment_of(struct sandbox *sandbox, const struct bank_call *call)
{
    struct id key;
    if (!str_starts(call->reference, STR(BANK_SANDBOX_REFERENCE)) ||
        id_parse(str_from(call->reference, REFERENCE_BEGIN_LEN), &key) != 0)
        return NULL;
    struct memory *memory = recall(sandbox, key);
    return memory != NULL && memory->verdict == AUTHORISED ? memory : NULL;
}

static struct said do_capture(struct sandbox *sandbox, const struct bank_call *call)
{
    struct memory *memory = payment_of(sandbox, call);
    if (memory != NULL && memory->money == LET_GO)
        return said(BANK_IMPOSSIBLE, "the payment was let go");
    if (memory != NULL && memory->money == RESERVED) {
        if (call->amount > memory->amount)
            return said(BANK_IMPOSSIBLE, "it is more than was authorised");
        memory->money = TAKEN;
        memory->amount = memory->left = call->amount;
    }
    return said(BANK_DONE, "");
}

static struct said do_cancel(struct sandbox *sandbox, const struct bank_call *call)
{
    struct memory *memory = payment_of(sandbox, call);
    if (memory != NULL && memory->money == TAKEN)
        return said(BANK_IMPOSSIBLE, "the money was taken already; it can be refunded");
    if (memory != NULL)
        memory->money = LET_GO;
    return said(BANK_DONE, "");
}

static struct said do_refund(struct sandbox *sandbox, const struct bank_call *call)
{
    struct memory *memory = payment_of(sandbox, call);
    if (recall(sandbox, call->effect) != NULL || memory == NULL)
        return said(BANK_DONE, "");
    if (memory->money != TAKEN)
        return said(BANK_IMPOSSIBLE, "no money was taken");
    if (call->amount > memory->left)
        return said(BANK_IMPOSSIBLE, "it is more than is left of the payment");
    if (remember(sandbox, call->effect, REPAID) == NULL)
        return no_memory;
    memory->left -= call->amount;
    return said(BANK_DONE, "");
}

/* Does it, and answers now or later; with the faults that were set. */
static void handle(struct bank *bank, struct bank_call *call,
                   struct said (*act)(struct sandbox *sandbox, const struct bank_call *call))
{
    struct sandbox *sandbox = bank->context;
    struct said answered = said(BANK_UNREACHABLE, "the sandbox bank is out of reach");
    pthread_mutex_lock(&sandbox->mutex);
    if (!happens(sandbox, sandbox->faults.down_percent))
        answered = act(sandbox, call);
    if (happens(sandbox, sandbox->faults.lost_percent))
        answered = said(BANK_UNREACHABLE, "the sandbox bank's answer was lost");
    bool delayed = delay(sandbox, call, answered);
    pthread_mutex_unlock(&sandbox->mutex);
    if (!delayed)
        answer(call, answered);
}

static void sandbox_authorise(struct bank *bank, struct bank_call *call)
{
    handle(bank, call, do_authorise);
}

static void sandbox_settle(struct bank *bank, struct bank_call *call)
{
    handle(bank, call, do_settle);
}

static void sandbox_capture(struct bank *bank, struct bank_call *call)
{
    handle(bank, call, do_capture);
}

static void sandbox_cancel(struct bank *bank, struct bank_call *call)
{
    handle(bank, call, do_cancel);
}

static void sandbox_refund(struct bank *bank, struct bank_call *call)
{
    handle(bank, call, do_refund);
}

int bank_sandbox_new(struct bank **bank)
{
    struct sandbox *sandbox = calloc(1, sizeof *sandbox);
    if (sandbox == NULL)
        return ERR_NOMEM;
    uint64_t seed;
    random_secret(&sandbox->hash_key, sizeof sandbox->hash_key);
    random_secret(&seed, sizeof seed);
    random_seed(&sandbox->random, seed);
    list_init(&sandbox->ages);
    sandbox->last = &sandbox->first;
    pthread_mutex_init(&sandbox->mutex, NULL);
    cond_init(&sandbox->work);
    sandbox->bank = (struct bank){.name = "sandbox",
                                  .context = sandbox,
                                  .authorise = sandbox_authorise,
                                  .settle = sandbox_settle,
                                  .capture = sandbox_capture,
                                  .cancel = sandbox_cancel,
                                  .refund = sandbox_refund,
                                  .free = bank_sandbox_free};
    *bank = &sandbox->bank;
    return 0;
}

void bank_sandbox_set(struct bank *bank, const struct bank_sandbox_faults *faults)
{
    struct sandbox *sandbox = bank->context;
    pthread_mutex_lock(&sandbox->mutex);
    sandbox->faults = *faults;
    pthread_mutex_unlock(&sandbox->mutex);
}

void bank_sandbox_free(struct bank *bank)
{
    if (bank == NULL)
        return;
    struct sandbox *sandbox = bank->context;
    pthread_mutex_lock(&sandbox->mutex);
    sandbox->stopping = true;
    pthread_cond_signal(&sandbox->work);
    pthread_mutex_unlock(&sandbox->mutex);
    if (sandbox->has_thread)
        pthread_join(sandbox->thread, NULL);
    while (!list_empty(&sandbox->ages))
        forget(sandbox, CONTAINER_OF(sandbox->ages.next, struct memory, age));
    pthread_cond_destroy(&sandbox->work);
    pthread_mutex_destroy(&sandbox->mutex);
    free(sandbox);
}
