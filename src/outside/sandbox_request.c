/* One request to the sandbox bank: what is looked at before anything is done, the job on the
 * writer's thread, and what becomes of the answer.
 *
 *   sandbox_request ──▶ (latency) ──▶ go_on ──┬─ reads ──────────────────────▶ answer
 *     │ 400, 401, 409, 429, 500, 503          └─ writes ─▶ run ─▶ committed ─▶ answer
 *     ▼                                                                          │
 *   answered at once                               sent, lost or held for ever ◀─┘
 *
 * The order is Stripe's: what comes before the idempotency key is looked at (the secret key, the
 * rate, the parameters) is not kept under it. The fence comes before it too: what a deposed primary
 * is told must not be what its successor is told.
 */
#include "base/check.h"
#include "base/clock.h"
#include "net/sha256.h"
#include "net/sign.h"
#include "outside/sandbox_inner.h"

#include <inttypes.h>
#include <stdio.h>

struct request {
    struct writer_job job;
    struct timer timer; /* latency */
    struct sandbox *sandbox;
    struct exchange *x;
    const struct sandbox_route *route;
    struct sandbox_form form;
    struct sandbox_fate fate;
    struct sandbox_key in_progress;
    struct str id, key; /* key.at NULL: none */
    unsigned char digest[SANDBOX_DIGEST];
    struct fence fence;
    bool has_fence, replayed, refused_fence;
    char name[24]; /* Request-Id */
    int status;
    struct str body;
};

static bool writes(const struct request *request)
{
    return request->route->access != SANDBOX_READS;
}

static const char api_error[] = "api_error";

/* ---- Answering ---- */

static void reply(struct request *request)
{
    struct exchange *x = request->x;
    struct str name = arena_str(&x->arena, str_of(request->name));
    exchange_add_header(x, STR("Request-Id"), name.at ? name : STR("req_"));
    if (request->key.at)
        exchange_add_header(x, STR("Idempotency-Key"), request->key);
    if (request->replayed)
        exchange_add_header(x, STR("Idempotent-Replayed"), STR("true"));
    if (request->status == 409)
        exchange_add_header(x, STR("Stripe-Should-Retry"),
                            request->refused_fence ? STR("false") : STR("true"));
    if (request->status == 503)
        exchange_add_header(x, STR("Retry-After"), STR("1"));
    exchange_add_header(x, STR("Cache-Control"), STR("no-store"));
    exchange_reply(x, request->status, STR("application/json"), request->body);
}

static void give_up(struct exchange *x)
{
    exchange_finish(x);
}

/* On the exchange's own thread, when all is done. */
static void answer(struct exchange *x)
{
    struct request *request = x->state;
    if (request->fate.after == FATE_HANGS && !x->client_gone) {
        x->gone = give_up;
        return;
    }
    if (request->fate.after == FATE_LOST)
        exchange_drop(x);
    else
        reply(request);
    exchange_finish(x);
}

/* Writes ERROR as REQUEST's answer into the exchange's arena. */
static void set_error(struct request *request, const struct sandbox_error *error)
{
    struct buf out;
    buf_init(&out, 8192);
    sandbox_put_error(&out, &request->sandbox->account, error, NULL);
    request->status = error->status;
    request->body = arena_str(&request->x->arena, buf_text(&out));
    if (!request->body.at)
        request->body = STR("");
    buf_close(&out);
}

static void set_broken(struct request *request, int status, const char *why)
{
    struct sandbox_error error;
    sandbox_refuse(&error, status, api_error, NULL, "%s", why);
    set_error(request, &error);
}

void sandbox_reply_error(struct sandbox *sandbox, struct exchange *x,
                         const struct sandbox_error *error)
{
    struct request request = {.sandbox = sandbox, .x = x};
    set_error(&request, error);
    if (error->status == 401)
        exchange_add_header(x, STR("WWW-Authenticate"), STR("Basic realm=\"Stripe\""));
    exchange_reply(x, request.status, STR("application/json"), request.body);
}

static enum app_verdict refuse(struct request *request, const struct sandbox_error *error)
{
    set_error(request, error);
    reply(request);
    return APP_DONE;
}

/* ---- On the writer's thread ---- */

/* ERR_DENIED: it was refused, and answered so. */
static int check_fence(struct request *request, struct db *db, int64_t now_ms)
{
    struct fence highest;
    struct sandbox_error error;
    char sent[FENCE_TEXT_SIZE], kept[FENCE_TEXT_SIZE];
    struct exchange *x = request->x;
    if (!request->has_fence)
        return 0;
    struct str what = ARENA_JOIN(&x->arena, x->method_name, STR(" "), x->path);
    int err = ledger_fence(db, &request->fence, x->peer, what, now_ms, &highest);
    if (err != ERR_DENIED)
        return err;
    fence_write(&request->fence, sent);
    fence_write(&highest, kept);
    sandbox_refuse(&error, 409, sandbox_invalid_request, "fence_too_old",
                   "The fence %s is older than %s: another primary has taken over.", sent, kept);
    set_error(request, &error);
    request->refused_fence = true;
    log_line(request->sandbox->config.log, LOG_WARN, "bank",
             "refused %.*s from %.*s: its fence %s is older than %s", STR_FMT(what),
             STR_FMT(x->peer), sent, kept);
    return ERR_DENIED;
}

/* The first answer under the request's key, or why there is none for this request. 0:
 * answered. */
static int replay(struct request *request, struct db *db, int64_t now_ms)
{
    struct sandbox_saved saved;
    struct sandbox_error error;
    struct exchange *x = request->x;
    int err =
        request->key.at ? ledger_saved(db, request->key, now_ms, &x->arena, &saved) : ERR_NOTFOUND;
    if (err)
        return err;
    if (!str_eq(saved.path, x->path)) {
        sandbox_refuse(&error, 400, "idempotency_error", NULL,
                       "Keys for idempotent requests can only be used for the same endpoint they "
                       "were first used for ('%.*s' vs '%.*s'). Try using a key other than '%.*s' "
                       "if you meant to execute a different request.",
                       STR_FMT(str_clip_utf8(x->path, 80)), STR_FMT(str_clip_utf8(saved.path, 80)),
                       STR_FMT(request->key));
        set_error(request, &error);
        return 0;
    }
    if (!str_eq(saved.digest, str_make(request->digest, sizeof request->digest))) {
        sandbox_refuse(&error, 400, "idempotency_error", NULL,
                       "Keys for idempotent requests can only be used with the same parameters "
                       "they were first used with. Try using a key other than '%.*s' if you meant "
                       "to execute a different request.",
                       STR_FMT(request->key));
        set_error(request, &error);
        return 0;
    }
    request->status = saved.status;
    request->body = saved.body;
    request->replayed = true;
    return 0;
}

static void set_work(struct request *request, struct db *db, struct buf *out,
                     struct sandbox_work *work)
{
    struct sandbox *sandbox = request->sandbox;
    struct sandbox_faults faults = sandbox_faults_now(sandbox);
    *work = (struct sandbox_work){
        .db = db,
        .arena = &request->x->arena,
        .out = out,
        .account = &sandbox->account,
        .hooks = &sandbox->config.hook_terms,
        .form = &request->form,
        .id = request->id,
        .now_ms = clock_wall_ms(),
        .lapse_ms = (int64_t)faults.lapse_ms,
        .hook_delay_ms = (int64_t)faults.hook_delay_ms,
        .hook_spread_ms = faults.hooks_out_of_order ? FAULTS_SPREAD_MS : 0,
        .refuse = request->fate.refuse,
        .fail_refund = request->fate.fail_refund,
        .request = str_of(request->name),
        .key = request->key.at ? request->key : STR(""),
    };
    buf_clear(out);
}

/* The call, whose answer goes into the arena and under the key. */
static int execute(struct request *request, struct db *db, struct sandbox_work *work)
{
    struct sandbox *sandbox = request->sandbox;
    work->scratch = &sandbox->scratch;
    buf_clear(work->scratch);
    int status = request->route->call(work);
    if (work->out->failed || work->scratch->failed)
        db_fail_memory(db);
    if (db_failure(db)->err)
        return db_failure(db)->err;
    if (request->fate.after == FATE_ERROR) {
        set_broken(request, 500, "Something went wrong here; what was asked may have been done.");
    } else {
        request->status = status;
        request->body = arena_str(&request->x->arena, buf_text(work->out));
        if (!request->body.at)
            return db_fail_memory(db);
    }
    if (!request->key.at)
        return 0;
    struct sandbox_saved saved = {request->x->path,
                                  str_make(request->digest, sizeof request->digest),
                                  request->status, request->body};
    return ledger_save_answer(db, request->key, work->now_ms, &saved);
}

static int run(struct writer_job *job, struct db *db)
{
    struct request *request = CONTAINER_OF(job, struct request, job);
    struct sandbox_work work;
    set_work(request, db, &request->sandbox->out, &work);
    int err = check_fence(request, db, work.now_ms);
    if (err)
        return err == ERR_DENIED ? 0 : err; /* the row in `refused` is kept */
    err = replay(request, db, work.now_ms);
    return err == ERR_NOTFOUND ? execute(request, db, &work) : err;
}

static void committed(struct writer_job *job, int err)
{
    struct request *request = CONTAINER_OF(job, struct request, job);
    struct sandbox *sandbox = request->sandbox;
    if (err)
        set_broken(request, 500, "The ledger could not be written; nothing was done.");
    else
        crash_here(sandbox->config.crash, CRASH_bank_after);
    if (request->key.at)
        sandbox_keys_leave(sandbox->keys, &request->in_progress);
    sandbox_hooks_wake(sandbox->hooks);
    exchange_continue(request->x, answer);
}

/* ---- Going on, once the parameters are good ---- */

static void read_now(struct request *request)
{
    struct sandbox_thread *thread = request->x->thread_state;
    struct sandbox_work work;
    set_work(request, thread->db, &thread->out, &work);
    request->status = request->route->call(&work);
    request->body = arena_str(&request->x->arena, buf_text(&thread->out));
    if (thread->out.failed || db_failure(thread->db)->err || !request->body.at) {
        log_line(request->sandbox->config.log, LOG_ERROR, "bank", "%s",
                 db_failure(thread->db)->text);
        set_broken(request, 500, "The ledger could not be read.");
    }
    db_forget_failure(thread->db);
}

/* On the exchange's own thread, in handle or after the latency: it is answered by `answer`. */
static void go_on(struct request *request)
{
    struct sandbox *sandbox = request->sandbox;
    int err = ERR_NOTFOUND;
    if (writes(request)) {
        request->job = (struct writer_job){.run = run, .done = committed};
        err = writer_submit(sandbox->writer, &request->job);
        if (!err)
            return;
        if (request->key.at)
            sandbox_keys_leave(sandbox->keys, &request->in_progress);
        set_broken(request, 503, "Too much to do at the moment; try again in a second.");
    } else {
        read_now(request);
    }
    exchange_continue(request->x, answer);
}

static void after_latency(struct timer *timer, uint64_t now_ns)
{
    struct request *request = CONTAINER_OF(timer, struct request, timer);
    (void)now_ns;
    request->x->gone = NULL;
    go_on(request);
}

/* Who gives up in the meantime does not know that nothing was done yet, and it is done all the
 * same. */
static void gone_early(struct exchange *x)
{
    struct request *request = x->state;
    const struct sandbox_thread *thread = x->thread_state;
    loop_timer_stop(thread->loop, &request->timer);
    go_on(request);
}

static enum app_verdict begin(struct request *request)
{
    const struct sandbox_thread *thread = request->x->thread_state;
    uint64_t latency_ms = request->fate.latency_ms;
    request->timer = (struct timer){.fire = after_latency};
    if (latency_ms && thread->loop &&
        loop_timer_set(thread->loop, &request->timer, clock_mono_ns() + latency_ms * MS_NS) == 0)
        request->x->gone = gone_early;
    else
        go_on(request);
    return APP_LATER;
}

/* ---- Before that ---- */

static enum app_verdict refuse_by_fate(struct request *request)
{
    struct sandbox_error error;
    switch (request->fate.before) {
    case FATE_RATE_LIMIT:
        sandbox_refuse(&error, 429, sandbox_invalid_request, "rate_limit",
                       "Too many requests at once; wait longer and longer between them.");
        break;
    case FATE_CONFLICT:
        sandbox_refuse(&error, 409, sandbox_invalid_request, "lock_timeout",
                       "Another request works on this object just now; try again.");
        break;
    case FATE_AWAY:
        sandbox_refuse(&error, 503, api_error, NULL, "The bank is not there at the moment.");
        break;
    default:
        sandbox_refuse(&error, 500, api_error, NULL, "Something went wrong here.");
    }
    return refuse(request, &error);
}

static int read_fence(struct request *request, struct sandbox_error *error)
{
    struct str text = exchange_header(request->x, STR("Stoa-Fence"));
    request->has_fence = text.at != NULL && request->route->access == SANDBOX_FENCED;
    bool good = !request->has_fence ||
                (fence_parse(text, &request->fence) == 0 && !id_is_zero(request->fence.shop) &&
                 request->fence.epoch <= INT64_MAX && request->fence.term <= INT64_MAX);
    if (good && (request->has_fence || request->route->call != call_fence))
        return 0;
    return sandbox_invalid(error, NULL, NULL,
                           "The header Stoa-Fence has to be a shop's id (32 hexadecimal digits), a "
                           "blank, and its epoch and term: 7.42");
}

static int read_form(struct request *request, struct sandbox_error *error)
{
    struct exchange *x = request->x;
    struct str form = writes(request) ? x->body : x->query;
    struct str type = x->known[HTTP_FIELD_CONTENT_TYPE];
    if (writes(request) && form.len && !str_starts(type, STR("application/x-www-form-urlencoded")))
        return sandbox_invalid(error, NULL, NULL,
                               "The body has to be a form (application/x-www-form-urlencoded).");
    int status = sandbox_form_read(&request->form, &x->arena, form, request->route->known,
                                   request->route->needed, error);
    if (!status && request->route->check)
        status = request->route->check(&request->form, error);
    return status ? status : read_fence(request, error);
}

static int read_key(struct request *request, struct sandbox_error *error)
{
    struct str key = request->x->known[HTTP_FIELD_IDEMPOTENCY_KEY];
    if (!writes(request) || !key.at)
        return 0;
    if (key.len < 1 || key.len > SANDBOX_KEY_MAX || !str_is_utf8(key))
        return sandbox_invalid(error, NULL, NULL,
                               "The Idempotency-Key has to have 1 to %d characters",
                               SANDBOX_KEY_MAX);
    if (sandbox_form_digest(&request->form, request->digest))
        return sandbox_refuse(error, 500, api_error, NULL, "Out of memory.");
    request->in_progress.key = key;
    if (!sandbox_keys_enter(request->sandbox->keys, &request->in_progress))
        return sandbox_refuse(error, 409, sandbox_invalid_request, "idempotency_key_in_use",
                              "There is currently another in-progress request using this "
                              "Idempotent Key (that probably means you submitted twice, and the "
                              "other request is still going through): %.*s. Please try again "
                              "later.",
                              STR_FMT(key));
    request->key = key;
    return 0;
}

static void name_request(struct sandbox *sandbox, char name[static 24])
{
    uint64_t number = atomic_fetch_add_explicit(&sandbox->requests, 1, memory_order_relaxed);
    snprintf(name, 24, "req_%016" PRIx64, sandbox->request_salt + number * 0x9e3779b97f4a7c15u);
}

static struct sandbox_fate draw_fate(struct sandbox *sandbox)
{
    pthread_mutex_lock(&sandbox->mutex);
    struct sandbox_fate fate = faults_draw(&sandbox->faults, &sandbox->random);
    pthread_mutex_unlock(&sandbox->mutex);
    return fate;
}

enum app_verdict sandbox_request(struct sandbox *sandbox, struct exchange *x,
                                 const struct sandbox_route *route, struct str id)
{
    struct sandbox_error error;
    struct request *request = ARENA_NEW(&x->arena, struct request);
    if (!request) {
        exchange_reply(x, 503, STR("text/plain"), STR("out of memory\n"));
        return APP_DONE;
    }
    request->sandbox = sandbox;
    request->x = x;
    request->route = route;
    request->id = id;
    x->state = request;
    name_request(sandbox, request->name);
    request->fate = draw_fate(sandbox);
    if (writes(request))
        crash_here(sandbox->config.crash, CRASH_bank_before);
    if (request->fate.before != FATE_GOES_ON)
        return refuse_by_fate(request);
    if (read_form(request, &error) || read_key(request, &error))
        return refuse(request, &error);
    return begin(request);
}
