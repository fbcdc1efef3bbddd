#include "outside/sandbox_hooks.h"

#include "base/check.h"
#include "base/clock.h"
#include "base/cond.h"
#include "base/thread.h"
#include "net/sign.h"
#include "outside/sandbox_inner.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    AT_ONCE = 64,
    TICK_MS = 250,
    PACE_MS = 5,
    FIRST_WAIT_MS = 500,
    LONGEST_WAIT_MS = 10 * 60 * 1000,
    GIVE_UP_S = 3 * 24 * 3600,
    HOOK_TIMEOUT_MS = 10 * 1000,
    HOOK_BYTES = 64 * 1024,
};

/* One attempt to deliver one event. */
struct delivery {
    struct transfer transfer;
    struct writer_job job;
    struct sandbox_hooks *hooks;
    bool used;
    bool over; /* it is free from the next look at the table on: that one sees what was noted */
    uint64_t event;
    int64_t created;
    unsigned tries;
    bool again; /* it is sent a second time although it was taken */
    bool taken;
    struct buf body;
    char signature[SANDBOX_SIGNATURE];
};

struct sandbox_hooks {
    struct sandbox *sandbox;
    struct transfers *transfers; /* NULL: nowhere to send to */
    struct db *db;               /* the thread's */
    struct delivery deliveries[AT_ONCE];
    pthread_t thread;
    bool started;
    pthread_mutex_t mutex; /* guards what follows, and which deliveries are used */
    pthread_cond_t changed;
    bool woken, stopping;

    /* What time does: one job at a time. */
    struct writer_job tick;
    struct arena arena;
    bool ticking;
};

/* ---- Signature and waits ---- */

void sandbox_hook_sign(const char *secret, int64_t seconds, struct str body,
                       char out[static SANDBOX_SIGNATURE])
{
    unsigned char mac[SIGN_BYTES];
    char hex[2 * SIGN_BYTES + 1];
    struct buf signed_text;
    buf_init(&signed_text, body.len + 32);
    buf_i64(&signed_text, seconds);
    buf_byte(&signed_text, '.');
    buf_str(&signed_text, body);
    sign_hmac((const unsigned char *)secret, strlen(secret), signed_text.at, signed_text.len, mac);
    buf_close(&signed_text);
    hex_encode(mac, sizeof mac, hex);
    snprintf(out, SANDBOX_SIGNATURE, "t=%" PRId64 ",v1=%s", seconds, hex);
}

int64_t sandbox_hook_wait(unsigned tries)
{
    int64_t wait = FIRST_WAIT_MS;
    while (tries-- > 1 && wait < LONGEST_WAIT_MS)
        wait *= 2;
    return wait < LONGEST_WAIT_MS ? wait : LONGEST_WAIT_MS;
}

/* ---- After an attempt ---- */

static int note(struct writer_job *job, struct db *db)
{
    const struct delivery *delivery = CONTAINER_OF(job, struct delivery, job);
    int64_t now_ms = clock_wall_ms();
    bool over = delivery->taken ? !delivery->again : now_ms / 1000 - delivery->created > GIVE_UP_S;
    if (over) {
        struct stmt *stmt = db_stmt(db, "DELETE FROM hook WHERE event = ?");
        stmt_bind_u64(stmt, 1, delivery->event);
        return stmt_run(stmt);
    }
    struct stmt *stmt =
        db_stmt(db, "UPDATE hook SET tries = tries + 1, next_ms = ? WHERE event = ?");
    stmt_bind_i64(stmt, 1,
                  delivery->taken ? now_ms : now_ms + sandbox_hook_wait(delivery->tries + 1));
    stmt_bind_u64(stmt, 2, delivery->event);
    return stmt_run(stmt);
}

static void let_go(struct delivery *delivery)
{
    struct sandbox_hooks *hooks = delivery->hooks;
    pthread_mutex_lock(&hooks->mutex);
    delivery->over = true;
    hooks->woken = true;
    pthread_cond_signal(&hooks->changed);
    pthread_mutex_unlock(&hooks->mutex);
}

/* What could not be noted is sent again. */
static void noted(struct writer_job *job, int err)
{
    (void)err;
    let_go(CONTAINER_OF(job, struct delivery, job));
}

static bool draw_duplicate(struct sandbox *sandbox)
{
    pthread_mutex_lock(&sandbox->mutex);
    bool again = random_below(&sandbox->random, FAULTS_WHOLE) < sandbox->faults.duplicate_hooks;
    pthread_mutex_unlock(&sandbox->mutex);
    return again;
}

static void delivered(struct transfer *transfer)
{
    struct delivery *delivery = CONTAINER_OF(transfer, struct delivery, transfer);
    struct sandbox *sandbox = delivery->hooks->sandbox;
    delivery->taken = transfer->err == 0 && transfer->status >= 200 && transfer->status <= 299;
    delivery->again = delivery->taken && delivery->tries == 0 && draw_duplicate(sandbox);
    if (delivery->taken)
        crash_here(sandbox->config.crash, CRASH_bank_hook);
    else if (delivery->tries == 0 && transfer->err)
        log_line(sandbox->config.log, LOG_INFO, "bank", "a webhook was not taken: %s",
                 transfer->failure.text);
    delivery->job = (struct writer_job){.run = note, .done = noted};
    if (transfer->err == ERR_CLOSED || writer_submit(sandbox->writer, &delivery->job))
        let_go(delivery);
}

/* ---- Sending ---- */

static void send(struct delivery *delivery)
{
    struct sandbox_hooks *hooks = delivery->hooks;
    const struct sandbox_config *config = &hooks->sandbox->config;
    sandbox_hook_sign(config->hook_secret, clock_wall_ms() / 1000, buf_text(&delivery->body),
                      delivery->signature);
    delivery->transfer = (struct transfer){
        .method = STR("POST"),
        .url = str_of(config->hook_url),
        .headers = {{STR("Content-Type"), STR("application/json; charset=utf-8")},
                    {STR("User-Agent"), STR("Stripe/1.0 (sandbox of Stoa)")},
                    {STR("Stripe-Signature"), str_of(delivery->signature)}},
        .header_count = 3,
        .body = buf_text(&delivery->body),
        .trust = &config->hook_trust,
        .total_ms = HOOK_TIMEOUT_MS,
        .answer_max = HOOK_BYTES,
        .done = delivered,
    };
    if (transfer_start(hooks->transfers, &delivery->transfer))
        let_go(delivery);
}

/* A free delivery, or NULL; not when EVENT is on its way already. */
static struct delivery *take_delivery(struct sandbox_hooks *hooks, uint64_t event)
{
    struct delivery *free = NULL;
    pthread_mutex_lock(&hooks->mutex);
    for (int i = 0; i < AT_ONCE; i++) {
        struct delivery *delivery = &hooks->deliveries[i];
        if (delivery->used && delivery->event == event) {
            free = NULL;
            break;
        }
        if (!delivery->used && !free)
            free = delivery;
    }
    if (free) {
        free->used = true;
        free->event = event;
    }
    pthread_mutex_unlock(&hooks->mutex);
    return free;
}

static void free_those_over(struct sandbox_hooks *hooks)
{
    pthread_mutex_lock(&hooks->mutex);
    for (int i = 0; i < AT_ONCE; i++) {
        struct delivery *delivery = &hooks->deliveries[i];
        delivery->used = delivery->used && !delivery->over;
        delivery->over = false;
    }
    pthread_mutex_unlock(&hooks->mutex);
}

/* Those under way are the first in the table still: hence twice as many rows. */
static int send_due(struct sandbox_hooks *hooks)
{
    struct db *db = hooks->db;
    free_those_over(hooks);
    struct stmt *stmt = db_stmt(db, "SELECT " EVENT_COLUMNS ", tries, next_ms FROM hook JOIN event"
                                    " ON event.number = hook.event WHERE next_ms <= ?"
                                    " ORDER BY next_ms LIMIT 128");
    stmt_bind_i64(stmt, 1, clock_wall_ms());
    while (stmt_next(stmt) == 0) {
        struct sandbox_event event;
        event_of_row(stmt, &event);
        struct delivery *delivery = take_delivery(hooks, event.number);
        if (!delivery)
            continue;
        event.pending = true;
        delivery->created = event.created;
        delivery->tries = (unsigned)stmt_i64(stmt, 7);
        buf_clear(&delivery->body);
        sandbox_put_event(&delivery->body, &hooks->sandbox->account, &event);
        if (delivery->body.failed)
            let_go(delivery);
        else
            send(delivery);
    }
    return db_failure(db)->err;
}

/* ---- What time does ---- */

static int run_tick(struct writer_job *job, struct db *db)
{
    struct sandbox_hooks *hooks = CONTAINER_OF(job, struct sandbox_hooks, tick);
    struct sandbox *sandbox = hooks->sandbox;
    static const struct sandbox_form no_form;
    struct sandbox_work work = {
        .db = db,
        .arena = &hooks->arena,
        .out = &sandbox->out,
        .scratch = &sandbox->scratch,
        .account = &sandbox->account,
        .hooks = &sandbox->config.hook_terms,
        .form = &no_form,
        .now_ms = clock_wall_ms(),
        .request = STR(""),
        .key = STR(""),
    };
    arena_reset(&hooks->arena);
    buf_clear(&sandbox->out);
    sandbox_tick(&work);
    return db_failure(db)->err;
}

static void ticked(struct writer_job *job, int err)
{
    struct sandbox_hooks *hooks = CONTAINER_OF(job, struct sandbox_hooks, tick);
    if (err)
        log_line(hooks->sandbox->config.log, LOG_ERROR, "bank", "what time does is not kept: %s",
                 err_sentence(err));
    pthread_mutex_lock(&hooks->mutex);
    hooks->ticking = false;
    hooks->woken = true;
    pthread_cond_signal(&hooks->changed);
    pthread_mutex_unlock(&hooks->mutex);
}

static void tick(struct sandbox_hooks *hooks)
{
    pthread_mutex_lock(&hooks->mutex);
    bool start = !hooks->ticking;
    hooks->ticking = true;
    pthread_mutex_unlock(&hooks->mutex);
    if (!start)
        return;
    hooks->tick = (struct writer_job){.run = run_tick, .done = ticked};
    if (writer_submit(hooks->sandbox->writer, &hooks->tick))
        ticked(&hooks->tick, 0);
}

/* ---- The thread ---- */

/* Until it is woken or UNTIL_NS has come, but for PACE_MS in any case: under load each look at the
 * table finds many. False: it is to stop. */
static bool wait(struct sandbox_hooks *hooks, uint64_t until_ns)
{
    uint64_t pace_ns = clock_mono_ns() + PACE_MS * MS_NS;
    pthread_mutex_lock(&hooks->mutex);
    bool in_time = true;
    while (!hooks->stopping && in_time)
        in_time = cond_wait_until(&hooks->changed, &hooks->mutex, pace_ns);
    in_time = true;
    while (!hooks->woken && !hooks->stopping && in_time)
        in_time = cond_wait_until(&hooks->changed, &hooks->mutex, until_ns);
    hooks->woken = false;
    bool goes_on = !hooks->stopping;
    pthread_mutex_unlock(&hooks->mutex);
    return goes_on;
}

static void *run_hooks(void *context)
{
    struct sandbox_hooks *hooks = context;
    uint64_t next_ns = clock_mono_ns();
    while (wait(hooks, next_ns)) {
        if (clock_mono_ns() >= next_ns) {
            tick(hooks);
            next_ns = clock_mono_ns() + TICK_MS * MS_NS;
        }
        if (hooks->transfers && send_due(hooks)) {
            log_line(hooks->sandbox->config.log, LOG_ERROR, "bank", "%s",
                     db_failure(hooks->db)->text);
            db_forget_failure(hooks->db);
        }
    }
    return NULL;
}

void sandbox_hooks_wake(struct sandbox_hooks *hooks)
{
    if (!hooks || !hooks->transfers)
        return;
    pthread_mutex_lock(&hooks->mutex);
    if (!hooks->woken)
        pthread_cond_signal(&hooks->changed);
    hooks->woken = true;
    pthread_mutex_unlock(&hooks->mutex);
}

/* ---- Opening and closing ---- */

int sandbox_hooks_open(struct sandbox *sandbox, struct sandbox_hooks **out, struct failure *failure)
{
    struct transfers_config config = {.at_once = AT_ONCE};
    struct sandbox_hooks *hooks = calloc(1, sizeof *hooks);
    *out = hooks;
    if (!hooks)
        return fail(failure, ERR_NOMEM, "out of memory");
    hooks->sandbox = sandbox;
    pthread_mutex_init(&hooks->mutex, NULL);
    cond_init(&hooks->changed);
    arena_init(&hooks->arena, 1 << 20);
    for (int i = 0; i < AT_ONCE; i++) {
        hooks->deliveries[i].hooks = hooks;
        buf_init(&hooks->deliveries[i].body, 1 << 20);
    }
    int err = db_open(sandbox->config.file, DB_READER, &hooks->db, failure);
    if (!err && sandbox->config.hook_url && transfers_new(&config, &hooks->transfers))
        err = fail(failure, ERR_NOMEM, "webhooks: libcurl does not start");
    if (!err && thread_start(&hooks->thread, "hooks", run_hooks, hooks))
        err = fail(failure, ERR_NOMEM, "webhooks: no thread to send them");
    hooks->started = !err;
    return err;
}

void sandbox_hooks_stop(struct sandbox_hooks *hooks)
{
    if (!hooks)
        return;
    if (hooks->started) {
        pthread_mutex_lock(&hooks->mutex);
        hooks->stopping = true;
        pthread_cond_signal(&hooks->changed);
        pthread_mutex_unlock(&hooks->mutex);
        pthread_join(hooks->thread, NULL);
        hooks->started = false;
    }
    if (hooks->transfers)
        transfers_free(hooks->transfers, 0);
    hooks->transfers = NULL;
}

void sandbox_hooks_close(struct sandbox_hooks *hooks)
{
    if (!hooks)
        return;
    sandbox_hooks_stop(hooks);
    for (int i = 0; i < AT_ONCE; i++)
        buf_close(&hooks->deliveries[i].body);
    arena_close(&hooks->arena);
    db_close(hooks->db);
    pthread_cond_destroy(&hooks->changed);
    pthread_mutex_destroy(&hooks->mutex);
    free(hooks);
}
