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
    REFERENCE_SIZE = 4 + ID_TEXT,
};

enum verdict { AUTHORISED, DECLINED, STRANGE_TOKEN, BARRED };

/* What was answered under a key. */
struct memory {
    struct list age; /* oldest first */
    struct memory *next;
    struct id key;
    uint64_t made_ns;
    enum verdict verdict;
};

/* A call whose answer is on its way. */
struct delayed {
    struct delayed *next;
    uint64_t due_ns;
    struct bank_call *call;
    enum bank_outcome outcome;
    enum verdict verdict;
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

static bool remember(struct sandbox *sandbox, struct id key, enum verdict verdict)
{
    uint64_t now = clock_mono_ns();
    forget_old(sandbox, now);
    struct memory *memory = calloc(1, sizeof *memory);
    if (memory == NULL)
        return false;
    struct memory **bucket = bucket_of(sandbox, key);
    *memory = (struct memory){.next = *bucket, .key = key, .made_ns = now, .verdict = verdict};
    *bucket = memory;
    list_append(&sandbox->ages, &memory->age);
    sandbox->remembered++;
    return true;
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
        return "it took too long, and the payment was called off";
    case AUTHORISED:
        break;
    }
    return "";
}

static void answer(struct bank_call *call, enum bank_outcome outcome, enum verdict verdict)
{
    char reference[REFERENCE_SIZE] = "sbx_";
    call->outcome = outcome;
    call->reference = call->text = STR_NONE;
    if (outcome == BANK_AUTHORISED) {
        id_text(call->key, reference + 4);
        call->reference = str_of(reference);
    } else if (outcome == BANK_REFUSED) {
        call->text = str_of(reason_of(verdict));
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
        answer(first->call, first->outcome, first->verdict);
        free(first);
        pthread_mutex_lock(&sandbox->mutex);
    }
    pthread_mutex_unlock(&sandbox->mutex);
    return NULL;
}

/* The lock is held. False: no thread or memory for it; to be answered at once. */
static bool delay(struct sandbox *sandbox, struct bank_call *call, enum bank_outcome outcome,
                  enum verdict verdict)
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
    *delayed = (struct delayed){.due_ns = clock_mono_ns() + sandbox->faults.latency_ms * MS_NS,
                                .call = call,
                                .outcome = outcome,
                                .verdict = verdict};
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

/* What the bank does on a call: NEW_VERDICT is given to a key it has not seen. */
static void handle(struct bank *bank, struct bank_call *call, enum verdict new_verdict,
                   enum bank_outcome outcome_when_new)
{
    struct sandbox *sandbox = bank->context;
    enum verdict verdict = new_verdict;
    enum bank_outcome outcome;
    pthread_mutex_lock(&sandbox->mutex);
    const struct memory *memory = recall(sandbox, call->key);
    if (happens(sandbox, sandbox->faults.down_percent)) {
        outcome = BANK_UNREACHABLE;
    } else if (memory != NULL) {
        verdict = memory->verdict;
        outcome = verdict == AUTHORISED ? BANK_AUTHORISED : BANK_REFUSED;
    } else if (remember(sandbox, call->key, verdict)) {
        outcome = outcome_when_new;
    } else {
        outcome = BANK_UNREACHABLE; /* no memory to remember it */
    }
    if (happens(sandbox, sandbox->faults.lost_percent))
        outcome = BANK_UNREACHABLE;
    bool delayed = delay(sandbox, call, outcome, verdict);
    pthread_mutex_unlock(&sandbox->mutex);
    if (!delayed)
        answer(call, outcome, verdict);
}

static void sandbox_authorise(struct bank *bank, struct bank_call *call)
{
    enum verdict verdict = judge(call->token);
    handle(bank, call, verdict, verdict == AUTHORISED ? BANK_AUTHORISED : BANK_REFUSED);
}

static void sandbox_lookup(struct bank *bank, struct bank_call *call)
{
    handle(bank, call, BARRED, BANK_UNKNOWN_KEY);
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
                                  .lookup = sandbox_lookup};
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
