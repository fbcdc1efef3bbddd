#include "base/base64.h"
#include "base/check.h"
#include "base/random.h"
#include "net/sign.h"
#include "outside/sandbox_inner.h"

#include <stdlib.h>

/* ---- The fence, announced ---- */

int call_fence(struct sandbox_work *work)
{
    buf_puts(work->out, "{\"object\":\"fence\"}\n");
    return 200;
}

/* ---- Routes ---- */

#define PAYMENT_SETS                                                       \
    (SANDBOX_SET(PAYMENT_METHOD) | SANDBOX_SET(ERROR_ON_REQUIRES_ACTION) | \
     SANDBOX_SET(OFF_SESSION) | SANDBOX_SET(RETURN_URL) | SANDBOX_SET(EXPAND))
#define SHIPPING_SETS                                                                           \
    (SANDBOX_SET(SHIPPING_CITY) | SANDBOX_SET(SHIPPING_COUNTRY) | SANDBOX_SET(SHIPPING_LINE1) | \
     SANDBOX_SET(SHIPPING_LINE2) | SANDBOX_SET(SHIPPING_POSTAL_CODE) |                          \
     SANDBOX_SET(SHIPPING_STATE) | SANDBOX_SET(SHIPPING_NAME) | SANDBOX_SET(SHIPPING_PHONE))
#define PAGE_SETS                                                                    \
    (SANDBOX_SET(LIMIT) | SANDBOX_SET(STARTING_AFTER) | SANDBOX_SET(ENDING_BEFORE) | \
     SANDBOX_SET(CREATED) | SANDBOX_SET(CREATED_GT) | SANDBOX_SET(CREATED_GTE) |     \
     SANDBOX_SET(CREATED_LT) | SANDBOX_SET(CREATED_LTE))
#define MONEY_SETS (SANDBOX_SET(AMOUNT) | SANDBOX_SET(CURRENCY))
#define CREATE_SETS                                                                         \
    (MONEY_SETS | PAYMENT_SETS | SHIPPING_SETS | SANDBOX_SET(CAPTURE_METHOD) |              \
     SANDBOX_SET(CONFIRM) | SANDBOX_SET(CONFIRMATION_METHOD) | SANDBOX_SET(CUSTOMER) |      \
     SANDBOX_SET(DESCRIPTION) | SANDBOX_SET(METADATA) | SANDBOX_SET(PAYMENT_METHOD_TYPES) | \
     SANDBOX_SET(RECEIPT_EMAIL) | SANDBOX_SET(STATEMENT_SUFFIX))
#define CAPTURE_SETS                                                                               \
    (SANDBOX_SET(AMOUNT_TO_CAPTURE) | SANDBOX_SET(FINAL_CAPTURE) | SANDBOX_SET(STATEMENT_SUFFIX) | \
     SANDBOX_SET(EXPAND))
#define REFUND_SETS                                                            \
    (SANDBOX_SET(PAYMENT_INTENT) | SANDBOX_SET(CHARGE) | SANDBOX_SET(AMOUNT) | \
     SANDBOX_SET(REASON) | SANDBOX_SET(METADATA))

/* clang-format off */
static const struct sandbox_route routes[] = {
    {HTTP_POST, "/v1/payment_intents", CREATE_SETS, MONEY_SETS,
     check_payment_create, call_payment_create, SANDBOX_WRITES, NULL},
    {HTTP_POST, "/v1/payment_intents/{id}/confirm", PAYMENT_SETS, 0,
     check_payment, call_payment_confirm, SANDBOX_WRITES, NULL},
    {HTTP_POST, "/v1/payment_intents/{id}/capture", CAPTURE_SETS, 0,
     check_payment_capture, call_payment_capture, SANDBOX_FENCED, NULL},
    {HTTP_POST, "/v1/payment_intents/{id}/cancel",
     SANDBOX_SET(CANCELLATION_REASON) | SANDBOX_SET(EXPAND), 0,
     check_payment, call_payment_cancel, SANDBOX_FENCED, NULL},
    {HTTP_GET, "/v1/payment_intents/{id}", SANDBOX_SET(EXPAND), 0,
     check_payment, call_payment_get, SANDBOX_READS, NULL},
    {HTTP_GET, "/v1/payment_intents", PAGE_SETS | SANDBOX_SET(CUSTOMER), 0,
     NULL, call_payment_list, SANDBOX_READS, NULL},
    {HTTP_POST, "/v1/refunds", REFUND_SETS, 0, check_refund_create, call_refund_create, SANDBOX_FENCED, NULL},
    {HTTP_GET, "/v1/refunds/{id}", 0, 0, NULL, call_refund_get, SANDBOX_READS, NULL},
    {HTTP_GET, "/v1/refunds", PAGE_SETS | SANDBOX_SET(PAYMENT_INTENT) | SANDBOX_SET(CHARGE), 0,
     NULL, call_refund_list, SANDBOX_READS, NULL},
    {HTTP_GET, "/v1/charges/{id}", 0, 0, NULL, call_charge_get, SANDBOX_READS, NULL},
    {HTTP_GET, "/v1/events/{id}", 0, 0, NULL, call_event_get, SANDBOX_READS, NULL},
    {HTTP_GET, "/v1/events", PAGE_SETS | SANDBOX_SET(TYPE), 0, NULL, call_event_list, SANDBOX_READS, NULL},
    {HTTP_PUT, "/v1/fence", 0, 0, NULL, call_fence, SANDBOX_FENCED, NULL},
    {HTTP_GET, "/sandbox/ledger", .view = sandbox_view_ledger},
    {HTTP_GET, "/sandbox/refused", .view = sandbox_view_refused},
    {HTTP_GET, "/sandbox/faults", .view = sandbox_view_faults},
    {HTTP_POST, "/sandbox/faults", .view = sandbox_set_faults},
};
/* clang-format on */

static bool matches(struct str pattern, struct str path, struct str *id)
{
    static const struct str hole = {"{id}", 4};
    ptrdiff_t at = str_find(pattern, hole);
    if (at < 0)
        return str_eq(pattern, path);
    struct str before = str_sub(pattern, 0, (size_t)at);
    struct str after = str_from(pattern, (size_t)at + hole.len);
    if (!str_starts(path, before) || !str_ends(path, after) || path.len <= before.len + after.len)
        return false;
    *id = str_sub(path, before.len, path.len - before.len - after.len);
    return str_find_byte(*id, '/') < 0;
}

const struct sandbox_route *sandbox_route(enum http_method method, struct str path, struct str *id)
{
    *id = STR("");
    for (unsigned i = 0; i < COUNT_OF(routes); i++)
        if (routes[i].method == method && matches(str_of(routes[i].path), path, id))
            return &routes[i];
    return NULL;
}

/* ---- Who asks ---- */

/* The secret key that X shows, as a bearer's or as the name of Basic (RFC 7617), into KEY. */
static struct str shown_key(const struct exchange *x, char *key, size_t size)
{
    static const char bearer[] = "Bearer ", basic[] = "Basic ";
    struct str given = x->known[HTTP_FIELD_AUTHORIZATION];
    struct str scheme = str_sub(given, 0, sizeof bearer - 1);
    if (str_eq_nocase(scheme, STR("Bearer ")))
        return str_trim(str_from(given, sizeof bearer - 1));
    scheme = str_sub(given, 0, sizeof basic - 1);
    size_t len = 0;
    if (!str_eq_nocase(scheme, STR("Basic ")) ||
        base64_decode(BASE64_PADDED, str_trim(str_from(given, sizeof basic - 1)), key, size, &len))
        return STR("");
    struct str rest = str_make(key, len), name = STR("");
    str_cut(&rest, ':', &name);
    return name;
}

static bool is_allowed(struct sandbox *sandbox, struct exchange *x)
{
    char room[512];
    struct sandbox_error error;
    struct str key = str_of(sandbox->config.key);
    struct str shown = shown_key(x, room, sizeof room);
    if (shown.len == key.len && sign_same(shown.at, key.at, key.len))
        return true;
    sandbox_refuse(&error, 401, sandbox_invalid_request, NULL, "%s",
                   shown.len ? "Invalid API Key provided"
                             : "You did not provide an API key: it goes into the header "
                               "Authorization, as 'Bearer sk_…'");
    sandbox_reply_error(sandbox, x, &error);
    return false;
}

/* ---- The app ---- */

enum { BODY_MAX = 256 * 1024 };

static struct sandbox *of_app(struct app *app)
{
    return CONTAINER_OF(app, struct sandbox, app);
}

static void accept(struct app *app, struct exchange *x)
{
    if (is_allowed(of_app(app), x))
        x->body_limit = BODY_MAX;
}

static enum app_verdict handle(struct app *app, struct exchange *x)
{
    struct sandbox *sandbox = of_app(app);
    struct sandbox_error error;
    struct str id;
    const struct sandbox_route *route = sandbox_route(x->method, x->path, &id);
    if (route && route->call)
        return sandbox_request(sandbox, x, route, id);
    if (route) {
        route->view(sandbox, x);
        return APP_DONE;
    }
    sandbox_refuse(&error, 404, sandbox_invalid_request, NULL,
                   "Unrecognized request URL (%.*s: %.*s).", STR_FMT(x->method_name),
                   STR_FMT(str_clip_utf8(x->path, 200)));
    sandbox_reply_error(sandbox, x, &error);
    return APP_DONE;
}

static void *begin_thread(struct app *app, struct loop *loop)
{
    const struct sandbox *sandbox = of_app(app);
    struct failure failure = {0};
    struct sandbox_thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return NULL;
    thread->loop = loop;
    buf_init(&thread->out, SANDBOX_ANSWER_MAX);
    if (db_open(sandbox->config.file, DB_READER, &thread->db, &failure) == 0)
        return thread;
    log_line(sandbox->config.log, LOG_ERROR, "bank", "%s", failure.text);
    free(thread);
    return NULL;
}

static void end_thread(struct app *app, void *state)
{
    struct sandbox_thread *thread = state;
    (void)app;
    db_close(thread->db);
    buf_close(&thread->out);
    free(thread);
}

struct sandbox_faults sandbox_faults_now(struct sandbox *sandbox)
{
    pthread_mutex_lock(&sandbox->mutex);
    struct sandbox_faults faults = sandbox->faults;
    pthread_mutex_unlock(&sandbox->mutex);
    return faults;
}

struct app *sandbox_app(struct sandbox *sandbox)
{
    return &sandbox->app;
}

/* ---- Opening and closing ---- */

static int read_account(struct sandbox *sandbox, struct failure *failure)
{
    struct db *db;
    int err = db_open(sandbox->config.file, DB_READER, &db, failure);
    if (err)
        return err;
    err = ledger_account(db, &sandbox->account);
    if (err && failure)
        *failure = *db_failure(db);
    db_close(db);
    return err;
}

int sandbox_open(const struct sandbox_config *config, struct sandbox **out, struct failure *failure)
{
    struct sandbox *sandbox = calloc(1, sizeof *sandbox);
    *out = NULL;
    if (!sandbox || !(sandbox->keys = sandbox_keys_new())) {
        free(sandbox);
        return fail(failure, ERR_NOMEM, "out of memory");
    }
    sandbox->config = *config;
    sandbox->faults = config->faults;
    sandbox->app = (struct app){.name = "bank",
                                .accept = accept,
                                .handle = handle,
                                .thread_start = begin_thread,
                                .thread_stop = end_thread};
    pthread_mutex_init(&sandbox->mutex, NULL);
    random_seed(&sandbox->random, config->seed);
    random_secret(&sandbox->request_salt, sizeof sandbox->request_salt);
    buf_init(&sandbox->out, SANDBOX_ANSWER_MAX);
    buf_init(&sandbox->scratch, SANDBOX_ANSWER_MAX);
    int err = writer_open(config->file, ledger_make, 0, config->log, &sandbox->writer, failure);
    err = err ? err : read_account(sandbox, failure);
    err = err ? err : sandbox_hooks_open(sandbox, &sandbox->hooks, failure);
    if (err) {
        sandbox_close(sandbox);
        return err;
    }
    *out = sandbox;
    return 0;
}

void sandbox_close(struct sandbox *sandbox)
{
    if (!sandbox)
        return;
    sandbox_hooks_stop(sandbox->hooks);
    writer_close(sandbox->writer);
    sandbox_hooks_close(sandbox->hooks);
    sandbox_keys_free(sandbox->keys);
    buf_close(&sandbox->out);
    buf_close(&sandbox->scratch);
    pthread_mutex_destroy(&sandbox->mutex);
    free(sandbox);
}
