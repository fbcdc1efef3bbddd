#include "outside/buy.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/thread.h"
#include "outside/buy_inner.h"

#include <stddef.h>
#include <stdlib.h>

enum { STOP_PATIENCE_MS = 5000, RECORD_MAX = 4 * 1024 * 1024 };

static const uint64_t pauses_ns[BUY_TRIES - 1] = {50 * MS_NS, 200 * MS_NS, 800 * MS_NS};

/* ---- The thread ---- */

void purchase_arrived(struct purchase *purchase)
{
    struct buying *buying = purchase->buying;
    pthread_mutex_lock(&buying->mutex);
    bool was_empty = buying->inbox == NULL;
    purchase->next = NULL;
    *buying->inbox_last = purchase;
    buying->inbox_last = &purchase->next;
    if (was_empty)
        pthread_cond_signal(&buying->work);
    pthread_mutex_unlock(&buying->mutex);
}

bool purchase_pause(struct purchase *purchase)
{
    struct buying *buying = purchase->buying;
    pthread_mutex_lock(&buying->mutex);
    bool stopping = buying->stopping;
    pthread_mutex_unlock(&buying->mutex);
    unsigned tries = purchase->tries++;
    if (stopping || tries >= BUY_TRIES - 1)
        return false;
    purchase->due_ns = clock_mono_ns() + pauses_ns[tries];
    list_append(&buying->paused[tries], &purchase->paused);
    return true;
}

static uint64_t next_due(struct buying *buying)
{
    uint64_t due = UINT64_MAX;
    for (unsigned i = 0; i < BUY_TRIES - 1; i++) {
        if (list_empty(&buying->paused[i]))
            continue;
        const struct purchase *first =
            CONTAINER_OF(buying->paused[i].next, struct purchase, paused);
        if (first->due_ns < due)
            due = first->due_ns;
    }
    return due;
}

static void wake_paused(struct buying *buying, uint64_t now)
{
    for (unsigned i = 0; i < BUY_TRIES - 1; i++) {
        while (!list_empty(&buying->paused[i])) {
            struct purchase *first = CONTAINER_OF(buying->paused[i].next, struct purchase, paused);
            if (first->due_ns > now)
                break;
            list_remove(&first->paused);
            purchase_go_on(first);
        }
    }
}

/* Waits for the inbox or the next pause's end; gives the inbox. The lock is held. */
static struct purchase *wait_for_work(struct buying *buying)
{
    uint64_t due = next_due(buying);
    if (buying->inbox == NULL && due == UINT64_MAX)
        pthread_cond_wait(&buying->work, &buying->mutex);
    else if (buying->inbox == NULL && !buying->stopping)
        cond_wait_until(&buying->work, &buying->mutex, due);
    struct purchase *taken = buying->inbox;
    buying->inbox = NULL;
    buying->inbox_last = &buying->inbox;
    return taken;
}

static void *run_buying(void *context)
{
    struct buying *buying = context;
    for (;;) {
        pthread_mutex_lock(&buying->mutex);
        if (buying->stopping && atomic_load(&buying->open) == 0) {
            pthread_mutex_unlock(&buying->mutex);
            return NULL;
        }
        struct purchase *purchase = wait_for_work(buying);
        bool stopping = buying->stopping;
        pthread_mutex_unlock(&buying->mutex);
        while (purchase != NULL) {
            struct purchase *next = purchase->next;
            purchase_after(purchase);
            purchase = next;
        }
        wake_paused(buying, stopping ? UINT64_MAX : clock_mono_ns());
    }
}

int buying_new(const struct buying_config *config, struct buying **out)
{
    struct buying *buying = calloc(1, sizeof *buying);
    if (buying == NULL)
        return ERR_NOMEM;
    buying->config = *config;
    buying->inbox_last = &buying->inbox;
    for (unsigned i = 0; i < BUY_TRIES - 1; i++)
        list_init(&buying->paused[i]);
    pthread_mutex_init(&buying->mutex, NULL);
    cond_init(&buying->work);
    cond_init(&buying->ended);
    int rc = thread_start(&buying->thread, "stoa-buying", run_buying, buying);
    if (rc != 0) {
        free(buying);
        return ERR_NOMEM;
    }
    *out = buying;
    return 0;
}

void buying_hurry(struct buying *buying, uint32_t ms)
{
    struct bank *bank = buying->config.bank;
    atomic_store(&buying->hurried, true);
    if (bank->hurry != NULL)
        bank->hurry(bank, ms);
}

/* True when all purchases have ended. */
static bool stop_and_wait(struct buying *buying)
{
    uint64_t until_ns = clock_mono_ns() + STOP_PATIENCE_MS * MS_NS;
    bool in_time = true;
    pthread_mutex_lock(&buying->mutex);
    buying->stopping = true;
    pthread_cond_signal(&buying->work);
    while (in_time && atomic_load(&buying->open) > 0)
        in_time = cond_wait_until(&buying->ended, &buying->mutex, until_ns);
    bool all = atomic_load(&buying->open) == 0;
    pthread_cond_signal(&buying->work);
    pthread_mutex_unlock(&buying->mutex);
    return all;
}

void buying_free(struct buying *buying)
{
    if (!stop_and_wait(buying)) {
        /* The bank or the log still owes an answer and will write into this memory. */
        log_line(buying->config.log, LOG_WARN, "buy", "stopping with %llu purchases on their way",
                 (unsigned long long)atomic_load(&buying->open));
        pthread_detach(buying->thread);
        return;
    }
    pthread_join(buying->thread, NULL);
    pthread_cond_destroy(&buying->ended);
    pthread_cond_destroy(&buying->work);
    pthread_mutex_destroy(&buying->mutex);
    free(buying);
}

/* ---- Start and end of a purchase ---- */

void purchase_free(struct purchase *purchase)
{
    struct buying *buying = purchase->buying;
    explicit_bzero(purchase->words, purchase->words_len); /* the credential is in there */
    buf_close(&purchase->command);
    buf_close(&purchase->record);
    buf_close(&purchase->said);
    buf_close(&purchase->unended);
    free(purchase);
    pthread_mutex_lock(&buying->mutex);
    if (atomic_fetch_sub(&buying->open, 1) == 1 && buying->stopping)
        pthread_cond_broadcast(&buying->ended);
    pthread_mutex_unlock(&buying->mutex);
}

static void keep_word(struct purchase *purchase, struct str *word)
{
    char *at = purchase->words + purchase->words_len;
    if (word->len > 0)
        memcpy(at, word->at, word->len);
    purchase->words_len += word->len;
    word->at = at;
}

static struct purchase *purchase_new(struct buying *buying, const struct buy_request *request)
{
    struct purchase *purchase;
    struct buy_request copy = *request;
    struct str *words[] = {&copy.payment.handler_id,
                           &copy.payment.instrument_id,
                           &copy.payment.type,
                           &copy.payment.brand,
                           &copy.payment.last_digits,
                           &copy.token,
                           &copy.currency};
    size_t len = 0;
    for (unsigned i = 0; i < COUNT_OF(words); i++)
        len += words[i]->len;
    purchase = calloc(1, sizeof *purchase + len);
    if (purchase == NULL)
        return NULL;
    for (unsigned i = 0; i < COUNT_OF(words); i++)
        keep_word(purchase, words[i]);
    purchase->buying = buying;
    purchase->request = copy;
    list_init(&purchase->paused);
    buf_init(&purchase->command, ORDER_COMMAND_MAX);
    buf_init(&purchase->record, RECORD_MAX);
    buf_init(&purchase->said, SHOP_TEXT_MAX);
    buf_init(&purchase->unended, SHOP_TEXT_MAX);
    return purchase;
}

int buy_start(struct buying *buying, const struct buy_request *request)
{
    pthread_mutex_lock(&buying->mutex);
    int err = buying->stopping                             ? ERR_CLOSED
              : atomic_load(&buying->open) >= BUY_OPEN_MAX ? ERR_BUSY
                                                           : 0;
    if (err == 0)
        atomic_fetch_add(&buying->open, 1);
    pthread_mutex_unlock(&buying->mutex);
    if (err != 0)
        return err;
    struct purchase *purchase = purchase_new(buying, request);
    if (purchase == NULL) {
        atomic_fetch_sub(&buying->open, 1);
        return ERR_NOMEM;
    }
    err = purchase_submit(purchase); /* it may be over and gone when this returns 0 */
    if (err != 0)
        purchase_free(purchase);
    return err;
}

void buying_report(struct buying *buying, struct buy_report *report)
{
    *report = (struct buy_report){
        .open = atomic_load(&buying->open),
        .paid = atomic_load(&buying->paid),
        .refused = atomic_load(&buying->refused),
        .undecided = atomic_load(&buying->undecided),
        .failed = atomic_load(&buying->failed),
    };
}
