#include "outside/bank_stripe.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/random.h"
#include "base/thread.h"
#include "outside/stripe_request.h"
#include "outside/stripe_steps.h"
#include "outside/transfer.h"
#include "shop/model.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    JOBS_KEPT = 512,                 /* with their memory, for the next calls */
    KEYS_LIVE_MS = 20 * 3600 * 1000, /* 24 hours, less what clocks and holds may differ by */
    FIND_PATIENCE_MS = 120 * 1000,   /* a day's payments are many pages */
    PAUSE_MS = 500,                  /* the first, the most, as Stripe's own clients do */
    PAUSE_MOST_MS = 5000,
    SHOP_PAUSE_MS = 50,
    TICK_MS = 20, /* pauses end together, so that many do not wake the thread each by itself */
    STOP_MS = 3000,
    WARN_EVERY_MS = 1000,
    URL_SIZE = 256,
};

/* The oldest key that is believed is of a payment that was begun a whole hold before since_ms. */
_Static_assert(KEYS_LIVE_MS + SHOP_HOLD_MAX_MS <= 23 * 3600 * 1000, "keys live for a day");

/* One call on its way. */
struct job {
    struct job *next;
    struct stripe *stripe;
    struct bank_call *call;
    struct stripe_steps steps;
    struct stripe_request request;
    struct transfer transfer;
    uint64_t until_ns; /* patience's end */
    uint64_t due_ns;   /* a pause's end */
    uint64_t began_ns;
    unsigned tries; /* of this step, failed ones */
    int should_retry;
    char fence[FENCE_TEXT_SIZE];
};

struct stripe {
    struct bank bank;
    struct bank_stripe_config config;
    struct transfer_trust trust;
    char url[URL_SIZE], authorization[BANK_STRIPE_SECRET_MAX + 8];
    bool test; /* the bank is in test mode */
    struct transfers *transfers;
    pthread_t thread;
    pthread_mutex_t mutex; /* guards what follows */
    pthread_cond_t work;
    struct job *paused, *free;
    unsigned free_count;
    bool stopping, has_shop, hurried; /* hurried: hurry_ns is over */
    uint64_t hurry_ns;                /* all calls end by then; UINT64_MAX: it does not stop */
    struct id shop;
    uint64_t warned_ns;
    struct random random;
    struct {
        atomic_uint_fast64_t open, requests, retries;
        struct {
            atomic_uint_fast64_t outcomes[BANK_OUTCOMES], ns;
        } calls[BANK_CALLS];
    } counts;
};

/* ---- Jobs ---- */

static struct job *job_new(struct stripe *stripe, struct bank_call *call)
{
    pthread_mutex_lock(&stripe->mutex);
    struct job *job = stripe->free;
    if (job != NULL) {
        stripe->free = job->next;
        stripe->free_count--;
    }
    pthread_mutex_unlock(&stripe->mutex);
    if (job == NULL) {
        job = calloc(1, sizeof *job);
        if (job == NULL)
            return NULL;
        stripe_request_init(&job->request);
    }
    job->stripe = stripe;
    job->call = call;
    job->tries = 0;
    return job;
}

static void job_close(struct job *job)
{
    stripe_request_close(&job->request);
    free(job);
}

static void job_free(struct job *job)
{
    struct stripe *stripe = job->stripe;
    stripe_request_clear(&job->request);
    pthread_mutex_lock(&stripe->mutex);
    bool kept = stripe->free_count < JOBS_KEPT;
    if (kept) {
        job->next = stripe->free;
        stripe->free = job;
        stripe->free_count++;
    }
    pthread_mutex_unlock(&stripe->mutex);
    if (!kept)
        job_close(job);
}

/* A bank that is away would fill the log. */
static bool may_warn(struct stripe *stripe)
{
    uint64_t now = clock_mono_ns();
    pthread_mutex_lock(&stripe->mutex);
    bool may = stripe->warned_ns == 0 || now - stripe->warned_ns >= WARN_EVERY_MS * MS_NS;
    if (may)
        stripe->warned_ns = now;
    pthread_mutex_unlock(&stripe->mutex);
    return may;
}

static void count(const struct job *job)
{
    struct stripe *stripe = job->stripe;
    enum stripe_wish wish = job->steps.wish;
    atomic_fetch_add(&stripe->counts.calls[wish].outcomes[job->steps.outcome], 1);
    atomic_fetch_add(&stripe->counts.calls[wish].ns, clock_mono_ns() - job->began_ns);
    atomic_fetch_sub(&stripe->counts.open, 1);
}

static void finish(struct job *job)
{
    struct bank_call *call = job->call;
    char id[ID_TEXT];
    if (job->steps.outcome == BANK_UNREACHABLE && may_warn(job->stripe))
        log_line(job->stripe->config.log, LOG_WARN, "bank", "checkout %s: %s",
                 id_text(call->order, id), job->steps.text);
    count(job);
    call->outcome = job->steps.outcome;
    call->answer_reference = str_of(job->steps.reference);
    call->text = str_of(job->steps.text);
    call->done(call); /* it may be gone now */
    job_free(job);
}

static void give_up(struct job *job, const char *why)
{
    stripe_give_up(&job->steps, why);
    finish(job);
}

/* ---- Pauses ---- */

static void pause_until(struct job *job, uint64_t due_ns)
{
    struct stripe *stripe = job->stripe;
    uint64_t tick = TICK_MS * MS_NS;
    pthread_mutex_lock(&stripe->mutex);
    bool stopping = stripe->stopping;
    if (!stopping) {
        job->due_ns = (due_ns + tick - 1) / tick * tick;
        job->next = stripe->paused;
        stripe->paused = job;
        pthread_cond_signal(&stripe->work);
    }
    pthread_mutex_unlock(&stripe->mutex);
    if (stopping)
        give_up(job, "stopping");
}

/* 0.5, 1, 2.5, 5 s, less up to a quarter by chance; not below the first. */
static uint64_t pause_ms(struct stripe *stripe, unsigned tries)
{
    uint64_t ms = PAUSE_MS + PAUSE_MS * (uint64_t)tries * tries;
    if (tries > 8 || ms > PAUSE_MOST_MS)
        ms = PAUSE_MOST_MS;
    pthread_mutex_lock(&stripe->mutex);
    ms -= random_below(&stripe->random, ms / 4 + 1);
    pthread_mutex_unlock(&stripe->mutex);
    return ms < PAUSE_MS ? PAUSE_MS : ms;
}

/* When the call has to end. */
static uint64_t end_of(struct job *job)
{
    struct stripe *stripe = job->stripe;
    pthread_mutex_lock(&stripe->mutex);
    uint64_t hurry_ns = stripe->hurry_ns;
    pthread_mutex_unlock(&stripe->mutex);
    return hurry_ns < job->until_ns ? hurry_ns : job->until_ns;
}

/* The same request again, if there is time for it; else WHY. */
static void again(struct job *job, const char *why)
{
    uint64_t ms = pause_ms(job->stripe, job->tries++);
    int64_t asked_s = job->transfer.retry_after_s;
    if (asked_s > 0 && (uint64_t)asked_s * 1000 > ms)
        ms = (uint64_t)asked_s * 1000;
    uint64_t due = clock_mono_ns() + ms * MS_NS;
    if (due >= end_of(job)) {
        give_up(job, why);
        return;
    }
    atomic_fetch_add(&job->stripe->counts.retries, 1);
    log_line(job->stripe->config.log, LOG_DEBUG, "bank", "%s; asked again in %llu ms", why,
             (unsigned long long)ms);
    pause_until(job, due);
}

/* ---- Requests ---- */

static void take_header(struct transfer *transfer, struct str name, struct str value)
{
    struct job *job = transfer->context;
    if (str_eq_nocase(name, STR("stripe-should-retry")))
        job->should_retry = str_eq(value, STR("true")) ? 1 : 0;
}

static void send_step(struct job *job);

/* What STRIPE_NEXT says. STEP: the one that was answered. */
static void go_on(struct job *job, enum stripe_step step)
{
    enum stripe_step next = job->steps.step;
    if (job->steps.wish == STRIPE_AUTHORISE && step == STRIPE_DO_CREATE &&
        next == STRIPE_DO_CONFIRM)
        crash_here(job->stripe->config.crash, CRASH_buy_created);
    if (job->steps.wish == STRIPE_SETTLE && step != next && next == STRIPE_DO_FIND)
        job->until_ns = clock_mono_ns() + FIND_PATIENCE_MS * MS_NS;
    job->tries = 0;
    send_step(job);
}

static void answered(struct transfer *transfer)
{
    struct job *job = transfer->context;
    if (transfer->err == ERR_TRUST || transfer->err == ERR_CLOSED) {
        give_up(job, transfer->failure.text);
        return;
    }
    if (transfer->err != 0) {
        again(job, transfer->failure.text);
        return;
    }
    struct stripe_answer answer = {.status = transfer->status,
                                   .should_retry = job->should_retry,
                                   .replayed = transfer->replayed,
                                   .body = transfer->answer,
                                   .request_id = transfer->request_id};
    enum stripe_step step = job->steps.step;
    switch (stripe_take(&job->steps, &answer)) {
    case STRIPE_NEXT:
        go_on(job, step);
        break;
    case STRIPE_AGAIN: {
        char why[STRIPE_TEXT_SIZE];
        snprintf(why, sizeof why, "%s", job->steps.text);
        again(job, why);
        break;
    }
    case STRIPE_OVER:
        finish(job);
        break;
    }
}

static void add_header(struct transfer *transfer, const char *name, const char *value)
{
    if (value[0] != '\0')
        transfer->headers[transfer->header_count++] =
            (struct transfer_header){str_of(name), str_of(value)};
}

static void fill_transfer(struct job *job, uint64_t left_ms)
{
    struct stripe *stripe = job->stripe;
    uint32_t try_ms = stripe->config.try_ms;
    struct transfer *transfer = &job->transfer;
    *transfer = (struct transfer){
        .method = job->request.method,
        .url = buf_text(&job->request.url),
        .body = buf_text(&job->request.form),
        .wipe_body = true,
        .trust = &stripe->trust,
        .total_ms = left_ms < try_ms ? (uint32_t)left_ms : try_ms,
        .done = answered,
        .header = take_header,
        .context = job,
    };
    if (transfer->body.len == 0)
        transfer->body = STR_NONE;
    add_header(transfer, "Authorization", stripe->authorization);
    add_header(transfer, "Idempotency-Key", job->request.key);
    add_header(transfer, "Stoa-Fence", job->fence);
    add_header(transfer, "Stripe-Version", "2026-07-29.dahlia");
    if (transfer->body.at != NULL)
        add_header(transfer, "Content-Type", "application/x-www-form-urlencoded");
}

/* Whether it is known who the shop is, or nobody wants to know. */
static bool knows_shop(struct stripe *stripe, struct id *shop)
{
    pthread_mutex_lock(&stripe->mutex);
    bool known = stripe->has_shop || stripe->config.shop == NULL;
    *shop = stripe->shop;
    pthread_mutex_unlock(&stripe->mutex);
    return known;
}

static void send_step(struct job *job)
{
    struct stripe *stripe = job->stripe;
    struct id shop;
    uint64_t now = clock_mono_ns(), until = end_of(job);
    if (now + MS_NS >= until) {
        give_up(job, until < job->until_ns ? "stopping" : "the bank took too long");
        return;
    }
    if (job->steps.step == STRIPE_DO_CREATE && !knows_shop(stripe, &shop)) {
        pause_until(job, now + SHOP_PAUSE_MS * MS_NS);
        return;
    }
    int err = stripe_request_make(&job->request, &job->steps, job->call, str_of(stripe->url),
                                  stripe->config.shop != NULL ? &shop : NULL, stripe->test);
    if (err == ERR_INVALID) {
        stripe_give_up(&job->steps, "the payment's reference is not one of this bank's");
        job->steps.outcome = BANK_IMPOSSIBLE;
        finish(job);
        return;
    }
    fill_transfer(job, (until - now) / MS_NS);
    job->should_retry = -1;
    atomic_fetch_add(&stripe->counts.requests, 1);
    err = err ? err : transfer_start(stripe->transfers, &job->transfer);
    if (err != 0)
        give_up(job, err_sentence(err));
}

/* ---- The seam ---- */

static void refuse(struct bank_call *call, const char *why)
{
    call->outcome = BANK_UNREACHABLE;
    call->answer_reference = STR_NONE;
    call->text = str_of(why);
    call->done(call);
}

static void begin(struct bank *bank, struct bank_call *call, enum stripe_wish wish)
{
    struct stripe *stripe = bank->context;
    struct job *job = job_new(stripe, call);
    if (job == NULL) {
        refuse(call, "out of memory");
        return;
    }
    bool aged = call->since_ms != 0 && clock_wall_ms() - call->since_ms > KEYS_LIVE_MS;
    stripe_begin(&job->steps, wish, call->reference,
                 wish == STRIPE_REFUND ? call->effect : call->key, aged);
    job->began_ns = clock_mono_ns();
    atomic_fetch_add(&stripe->counts.open, 1);
    uint64_t patience =
        job->steps.step == STRIPE_DO_FIND ? FIND_PATIENCE_MS : stripe->config.patience_ms;
    job->until_ns = job->began_ns + patience * MS_NS;
    job->fence[0] = '\0';
    if (call->fence != NULL)
        fence_write(call->fence, job->fence);
    if (aged && wish == STRIPE_AUTHORISE) /* its first payment may be found by no key any more */
        give_up(job, "it was begun too long ago; the primary settles it");
    else
        send_step(job);
}

static void stripe_authorise(struct bank *bank, struct bank_call *call)
{
    begin(bank, call, STRIPE_AUTHORISE);
}

static void stripe_settle(struct bank *bank, struct bank_call *call)
{
    begin(bank, call, STRIPE_SETTLE);
}

static void stripe_capture(struct bank *bank, struct bank_call *call)
{
    begin(bank, call, STRIPE_CAPTURE);
}

static void stripe_cancel(struct bank *bank, struct bank_call *call)
{
    begin(bank, call, STRIPE_CANCEL);
}

static void stripe_refund(struct bank *bank, struct bank_call *call)
{
    begin(bank, call, STRIPE_REFUND);
}

/* ---- The pauses' thread ---- */

/* Its time is up: what still runs is cut off, what is in a pause is found over by send_step. The
 * lock is held. */
static void end_hurry(struct stripe *stripe, uint64_t now, uint64_t *next_ns)
{
    if (stripe->hurried || stripe->hurry_ns == UINT64_MAX)
        return;
    if (stripe->hurry_ns > now) {
        *next_ns = stripe->hurry_ns < *next_ns ? stripe->hurry_ns : *next_ns;
        return;
    }
    stripe->hurried = true;
    transfers_stop(stripe->transfers, 0);
}

/* Those whose pause is over, or all when stopping. The lock is held. */
static struct job *take_due(struct stripe *stripe, uint64_t now, uint64_t *next_ns)
{
    struct job *due = NULL, **at = &stripe->paused;
    *next_ns = UINT64_MAX;
    while (*at != NULL) {
        struct job *job = *at;
        if (stripe->stopping || stripe->hurried || job->due_ns <= now) {
            *at = job->next;
            job->next = due;
            due = job;
            continue;
        }
        if (job->due_ns < *next_ns)
            *next_ns = job->due_ns;
        at = &job->next;
    }
    return due;
}

static void learn_shop(struct stripe *stripe)
{
    struct id shop;
    if (knows_shop(stripe, &shop) || stripe->config.shop(stripe->config.context, &shop) != 0)
        return;
    pthread_mutex_lock(&stripe->mutex);
    stripe->shop = shop;
    stripe->has_shop = true;
    pthread_mutex_unlock(&stripe->mutex);
}

static void *run_pauses(void *context)
{
    struct stripe *stripe = context;
    bool stopping = false;
    while (!stopping) {
        uint64_t next_ns;
        pthread_mutex_lock(&stripe->mutex);
        uint64_t now = clock_mono_ns(), hurry_ns = UINT64_MAX;
        end_hurry(stripe, now, &hurry_ns);
        struct job *due = take_due(stripe, now, &next_ns);
        next_ns = hurry_ns < next_ns ? hurry_ns : next_ns;
        stopping = stripe->stopping;
        if (due == NULL && !stopping && next_ns == UINT64_MAX)
            pthread_cond_wait(&stripe->work, &stripe->mutex);
        else if (due == NULL && !stopping)
            cond_wait_until(&stripe->work, &stripe->mutex, next_ns);
        pthread_mutex_unlock(&stripe->mutex);
        if (due != NULL && !stopping)
            learn_shop(stripe);
        while (due != NULL) {
            struct job *job = due;
            due = job->next;
            if (stopping)
                give_up(job, "stopping");
            else
                send_step(job);
        }
    }
    return NULL;
}

/* ---- Begin and end ---- */

static void close_all(struct stripe *stripe)
{
    while (stripe->free != NULL) {
        struct job *job = stripe->free;
        stripe->free = job->next;
        job_close(job);
    }
    explicit_bzero(stripe->authorization, sizeof stripe->authorization);
    pthread_cond_destroy(&stripe->work);
    pthread_mutex_destroy(&stripe->mutex);
    free(stripe);
}

static void stripe_hurry(struct bank *bank, uint32_t ms)
{
    struct stripe *stripe = bank->context;
    pthread_mutex_lock(&stripe->mutex);
    stripe->hurry_ns = clock_mono_ns() + ms * MS_NS;
    pthread_cond_signal(&stripe->work);
    pthread_mutex_unlock(&stripe->mutex);
}

static void stripe_report(struct bank *bank, struct bank_report *report)
{
    struct stripe *stripe = bank->context;
    *report = (struct bank_report){.open = atomic_load(&stripe->counts.open),
                                   .requests = atomic_load(&stripe->counts.requests),
                                   .retries = atomic_load(&stripe->counts.retries)};
    for (unsigned i = 0; i < BANK_CALLS; i++) {
        report->calls[i].ns = atomic_load(&stripe->counts.calls[i].ns);
        for (unsigned k = 0; k < BANK_OUTCOMES; k++)
            report->calls[i].outcomes[k] = atomic_load(&stripe->counts.calls[i].outcomes[k]);
    }
}

static void stripe_free(struct bank *bank)
{
    struct stripe *stripe = bank->context;
    pthread_mutex_lock(&stripe->mutex);
    stripe->stopping = true;
    pthread_cond_signal(&stripe->work);
    pthread_mutex_unlock(&stripe->mutex);
    pthread_join(stripe->thread, NULL);
    transfers_free(stripe->transfers, STOP_MS);
    close_all(stripe);
}

/* Into a header and a URL as they are. */
static bool is_word(struct str text, size_t max)
{
    for (size_t i = 0; i < text.len; i++)
        if (text.at[i] <= ' ' || text.at[i] > '~')
            return false;
    return text.len > 0 && text.len <= max;
}

static int read_config(struct stripe *stripe, const struct bank_stripe_config *config,
                       struct failure *failure)
{
    struct str url = str_of(config->url);
    while (str_ends(url, STR("/")))
        url.len--;
    if (!is_word(url, URL_SIZE - 1) ||
        (!str_starts(url, STR("https://")) && !str_starts(url, STR("http://"))))
        return fail(failure, ERR_INVALID,
                    "the bank's address is \"%.*s\", but is like https://api.stripe.com",
                    STR_FMT(url));
    if (!is_word(config->secret, BANK_STRIPE_SECRET_MAX))
        return fail(failure, ERR_INVALID,
                    "the bank's key is empty, too long, or has blanks in it; it is like sk_test_…");
    stripe->config = *config;
    if (stripe->config.patience_ms == 0)
        stripe->config.patience_ms = BANK_STRIPE_PATIENCE_MS;
    if (stripe->config.try_ms == 0)
        stripe->config.try_ms = BANK_STRIPE_TRY_MS;
    str_copy(stripe->url, sizeof stripe->url, url);
    snprintf(stripe->authorization, sizeof stripe->authorization, "Bearer %.*s",
             STR_FMT(config->secret));
    stripe->config.secret = STR_NONE;
    stripe->test = str_starts(config->secret, STR("sk_test_"));
    stripe->trust =
        (struct transfer_trust){.authority_file = config->authority, .pin = config->pin};
    return 0;
}

int bank_stripe_new(const struct bank_stripe_config *config, struct bank **bank,
                    struct failure *failure)
{
    struct stripe *stripe = calloc(1, sizeof *stripe);
    uint64_t seed;
    if (stripe == NULL)
        return fail(failure, ERR_NOMEM, "no memory for the bank");
    random_secret(&seed, sizeof seed);
    random_seed(&stripe->random, seed);
    pthread_mutex_init(&stripe->mutex, NULL);
    cond_init(&stripe->work);
    stripe->bank = (struct bank){.name = "stripe",
                                 .context = stripe,
                                 .authorise = stripe_authorise,
                                 .settle = stripe_settle,
                                 .capture = stripe_capture,
                                 .cancel = stripe_cancel,
                                 .refund = stripe_refund,
                                 .free = stripe_free,
                                 .hurry = stripe_hurry,
                                 .report = stripe_report};
    stripe->hurry_ns = UINT64_MAX;
    int err = read_config(stripe, config, failure);
    if (err == 0 && transfers_new(NULL, &stripe->transfers) != 0)
        err = fail(failure, ERR_NOMEM, "no memory for transfers to the bank");
    if (err == 0 && thread_start(&stripe->thread, "stoa-bank", run_pauses, stripe) != 0) {
        transfers_free(stripe->transfers, 0);
        err = fail(failure, ERR_NOMEM, "the bank's thread cannot be started");
    }
    if (err != 0) {
        close_all(stripe);
        return err;
    }
    *bank = &stripe->bank;
    return 0;
}
