#include "web/far.h"

#include "base/check.h"
#include "base/clock.h"
#include "web/carry.h"
#include "web/far_stream.h"
#include "web/far_tags.h"
#include "web/far_waits.h"
#include "web/token.h"

#include <stdlib.h>

enum {
    LOOK_MS = 20,
    ATTEMPT_MS = 3000,
    STOP_MS = 2000,
    SILENT_LEAST_MS = 1000,
    SILENT_BEATS = 4, /* times late_ms */
    STRANGER_LOG_MS = 15000,
    METRICS_MAX = 1 << 20,
};

struct far {
    struct app app;
    struct far_config config;
    struct cache_changes *changes;
    struct cache *cache;
    struct far_follow follow;
    struct far_stream *stream;
    struct carriers *carriers;
    struct far_waits *waits;
    char key[FAR_KEY];
    _Atomic uint64_t passed, unheard, ahead;
    _Atomic uint64_t stranger_ns; /* when one was logged, by clock_mono_ns; 0: never */
};

/* One that goes to a server. In the exchange's arena. */
struct far_call {
    struct far *far;
    struct carry *carry;
    uint64_t sent_ns; /* by clock_mono_ns */
    uint64_t round;   /* of the cache here */
};

static struct far *far_of(struct app *app)
{
    return CONTAINER_OF(app, struct far, app);
}

static void count(_Atomic uint64_t *counter)
{
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static bool is_get(const struct exchange *x)
{
    return x->method == HTTP_GET || x->method == HTTP_HEAD;
}

/* ---- Out of the cache ---- */

static bool is_fresh(const struct far *far)
{
    return far_follow_age_ns(&far->follow, clock_boot_ns()) < far->config.late_ms * MS_NS;
}

/* How far X says it has seen. */
static uint64_t seen(const struct exchange *x)
{
    uint64_t header = token_claims(exchange_header(x, STR("Stoa-Session")));
    uint64_t cookie = token_claims(exchange_cookie(x, STR("seen")));
    return header > cookie ? header : cookie;
}

static bool is_ahead(const struct far *far, const struct exchange *x)
{
    return seen(x) > atomic_load(&far->follow.told);
}

/* What was asked before the page was found must be true of the same history (far_follow_line may
 * forget one and begin another in between): each has rounds of its own. */
static struct http_page *find_page(struct far *far, struct exchange *x)
{
    uint64_t round = cache_round(far->cache);
    bool may = is_get(x) && !x->query.len && is_fresh(far) && !is_ahead(far, x);
    struct http_page *page = may ? cache_get(far->cache, x->path) : NULL;
    if (page && cache_round(far->cache) == round)
        return page;
    http_page_drop(page);
    return NULL;
}

static bool give(struct far *far, struct exchange *x)
{
    struct http_page *page = find_page(far, x);
    if (!page)
        return false;
    exchange_page(x, page);
    http_page_drop(page);
    return true;
}

/* ---- Into it ---- */

/* Of the answer's headers those that belong to the page, whoever asks for it. */
static unsigned page_headers(const struct carry *carry, struct http_header *to)
{
    static const char *const names[] = {"X-Content-Type-Options", "Content-Security-Policy",
                                        "Referrer-Policy", "Cross-Origin-Opener-Policy"};
    unsigned found = 0;
    for (unsigned i = 0; i < COUNT_OF(names); i++) {
        struct str value = carry_header(carry, str_of(names[i]));
        if (value.at)
            to[found++] = (struct http_header){str_of(names[i]), value, 0};
    }
    return found;
}

static void keep(struct exchange *x, const struct far_call *call)
{
    struct far *far = call->far;
    const struct carry *carry = call->carry;
    struct http_header headers[4];
    struct cache_tags tags;
    uint64_t ring;
    struct str said = carry_header(carry, STR(FAR_TAGS_HEADER));
    if (!said.at || !is_get(x) || x->query.len || carry_status(carry) != 200 ||
        far_tags_read(said, call->sent_ns, &ring, &tags) ||
        !far_follow_takes(&far->follow, ring, tags.round))
        return;
    tags.round = call->round;
    unsigned many = page_headers(carry, headers);
    struct http_page *page =
        http_page_with(200, carry_type(carry), carry_header(carry, STR("Cache-Control")), headers,
                       many, carry_body(carry), true);
    if (!page)
        return;
    cache_put(far->cache, x->path, page, &tags);
    http_page_drop(page);
}

/* ---- There and back ---- */

static void refuse_long(struct exchange *x)
{
    exchange_add_header(x, STR("Cache-Control"), STR("no-store"));
    exchange_reply(x, 502, STR("text/plain; charset=utf-8"),
                   STR("The answer is longer than what comes through here. Ask one of the shop's "
                       "own servers for it.\n"));
}

static void refuse(struct exchange *x, int err)
{
    if (err == ERR_FULL) {
        refuse_long(x);
        return;
    }
    bool unknown = err == ERR_TIMEOUT && !is_get(x);
    exchange_add_header(x, STR("Retry-After"), STR("2"));
    exchange_add_header(x, STR("Cache-Control"), STR("no-store"));
    exchange_reply(
        x, 503, STR("text/plain; charset=utf-8"),
        unknown ? STR("That took too long, and may or may not have been done. Look at your cart or "
                      "your order before you try again.\n")
                : STR("The shop cannot be reached at the moment. Nothing is lost. Try again in a "
                      "few seconds.\n"));
}

static void answered(struct exchange *x)
{
    const struct far_call *call = x->state;
    int err = carry_err(call->carry);
    if (err) {
        refuse(x, err);
    } else {
        carry_answer(x, call->carry);
        keep(x, call);
    }
    exchange_finish(x);
}

/* The one that was heard lately is late: it may hang. */
static bool is_late(const struct far *far)
{
    return far_follow_age_ns(&far->follow, clock_boot_ns()) != UINT64_MAX && !is_fresh(far);
}

/* The one whose changes are heard, or are to be; if that may hang, the next one. */
static bool find(void *context, unsigned attempt, char *url, size_t size)
{
    const struct far *far = context;
    unsigned place = far_stream_place(far->stream) + attempt + (is_late(far) ? 1 : 0);
    str_copy(url, size, str_of(far->config.servers[place % far->config.count]));
    return true;
}

/* Any thread. */
static void note_stranger(void *context, const char *url)
{
    struct far *far = context;
    uint64_t now = clock_mono_ns(), before = atomic_load(&far->stranger_ns);
    if (before && now - before < STRANGER_LOG_MS * MS_NS)
        return;
    if (atomic_compare_exchange_strong(&far->stranger_ns, &before, now))
        log_line(far->config.log, LOG_WARN, "far",
                 "%s takes no requests from here: it is of another shop than the operator's token, "
                 "or does not tell its changes (a reader, or the engine fork); others are asked",
                 url);
}

static enum app_verdict pass(struct far *far, struct exchange *x, bool elsewhere)
{
    struct far_call *call = ARENA_NEW(&x->arena, struct far_call);
    struct carry *carry = call ? carry_new(far->carriers, x) : NULL;
    struct str client =
        arena_printf(&x->arena, "%s %.*s %.*s", far->key, STR_FMT(x->scheme), STR_FMT(x->peer));
    if (!carry || !client.at) {
        refuse(x, ERR_NOMEM);
        return APP_DONE;
    }
    *call = (struct far_call){far, carry, clock_mono_ns(), cache_round(far->cache)};
    x->state = call;
    if (is_get(x) && !x->query.len && !str_starts(x->path, STR("/media/")))
        carry_want_whole(carry);
    carry_add_header(carry, STR(FAR_HEADER), client);
    if (elsewhere)
        carry_begin_at(carry, 1);
    count(&far->passed);
    if (carry_send(carry, answered)) {
        exchange_reply(x, 431, STR("text/plain"), STR("Too many headers.\n"));
        return APP_DONE;
    }
    return APP_LATER;
}

/* ---- Of itself ---- */

static void tell_health(struct far *far, struct exchange *x)
{
    bool fresh = is_fresh(far);
    if (!fresh)
        exchange_add_header(x, STR("Retry-After"), STR("2"));
    exchange_reply(x, fresh ? 200 : 503, STR("application/json"),
                   fresh ? STR("{\"status\":\"ok\"}")
                         : STR("{\"status\":\"unavailable\","
                               "\"reason\":\"the changes of no server are heard\"}"));
}

static void tell_metrics(struct far *far, struct exchange *x)
{
    struct buf text;
    buf_init(&text, METRICS_MAX);
    far->config.metrics(far->config.context, &text);
    struct str copy = text.failed ? STR_NONE : arena_str(&x->arena, buf_text(&text));
    buf_close(&text);
    if (copy.at)
        exchange_reply(x, 200, STR("text/plain; version=0.0.4; charset=utf-8"), copy);
    else
        refuse(x, ERR_NOMEM);
    x->compressible = true;
}

/* True: X asks about this very process, and that is answered. */
static bool tell_own(struct far *far, struct exchange *x)
{
    bool live = str_eq(x->path, STR("/livez")), health = str_eq(x->path, STR("/healthz"));
    if (!is_get(x) || (!live && !health && !str_eq(x->path, STR("/metrics"))))
        return false;
    exchange_add_header(x, STR("Cache-Control"), STR("no-store"));
    if (live)
        exchange_reply(x, 200, STR("text/plain"), STR("ok\n"));
    else if (health)
        tell_health(far, x);
    else
        tell_metrics(far, x);
    return true;
}

/* ---- The app ---- */

static void on_accept(struct app *app, struct exchange *x)
{
    struct far *far = far_of(app);
    if (tell_own(far, x) || give(far, x))
        return;
    x->body_limit = CARRY_BODY_MAX;
}

/* What it waited for is told, or will not be: the server that is heard may hang. */
static void waited(struct exchange *x)
{
    struct far *far = x->state;
    bool in_vain = is_fresh(far) && is_ahead(far, x);
    if (give(far, x) || pass(far, x, in_vain) == APP_DONE)
        exchange_finish(x);
}

/* It is hardly ever for long, and then there may be a page here. A server would see to it, too,
 * that it does not answer less than the token says (gate.c). */
static bool wait_for_news(struct far *far, struct exchange *x)
{
    x->state = far;
    return far_waits_add(far->waits, x, seen(x), clock_mono_ns(), waited);
}

static enum app_verdict on_handle(struct app *app, struct exchange *x)
{
    struct far *far = far_of(app);
    if (!is_fresh(far)) {
        count(&far->unheard);
    } else if (is_get(x) && is_ahead(far, x)) {
        count(&far->ahead);
        if (wait_for_news(far, x))
            return APP_LATER;
    }
    return pass(far, x, false);
}

/* On the stream's thread. While nothing is heard there is nothing to wait for. */
static void look(void *context)
{
    struct far *far = context;
    far_waits_look(far->waits, is_fresh(far) ? atomic_load(&far->follow.told) : UINT64_MAX,
                   clock_mono_ns());
}

/* ---- All of it ---- */

static int open_stream(struct far *far, struct failure *failure)
{
    uint64_t silent_ms = SILENT_BEATS * far->config.late_ms;
    const struct far_stream_config stream = {
        .servers = far->config.servers,
        .count = far->config.count,
        .token = far->config.token,
        .authority = far->config.authority,
        .silent_ms = silent_ms > SILENT_LEAST_MS ? silent_ms : SILENT_LEAST_MS,
        .follow = &far->follow,
        .look = look,
        .context = far,
        .log = far->config.log,
    };
    const struct carriers_config carriers = {
        .context = far,
        .find = find,
        .trust = {.authority_file = far->config.authority, .plain = true},
        .name = "stoa-carry",
        .attempt_ms = ATTEMPT_MS,
        .look_ms = LOOK_MS,
        .elsewhere = far->config.count - 1,
        .misdirected = note_stranger,
    };
    int err = far_stream_new(&stream, &far->stream, failure);
    return err ? err : carriers_new(&carriers, &far->carriers, failure);
}

int far_new(const struct far_config *config, struct far **out, struct failure *failure)
{
    struct far *far = calloc(1, sizeof *far);
    *out = NULL;
    if (!far)
        return fail(failure, ERR_NOMEM, "out of memory");
    far->config = *config;
    far->app = (struct app){.name = "far", .accept = on_accept, .handle = on_handle};
    far_key(config->token, far->key);
    far->changes = calloc(1, cache_changes_size());
    far->cache = far->changes ? cache_new_over(config->cache_bytes, far->changes) : NULL;
    far->waits = far_waits_new();
    int err = far->cache && far->waits ? 0 : fail(failure, ERR_NOMEM, "no memory for a cache");
    far_follow_init(&far->follow, far->cache, far->changes);
    err = err ? err : open_stream(far, failure);
    if (err)
        far_free(far);
    else
        *out = far;
    return err;
}

struct app *far_app(struct far *far)
{
    return &far->app;
}

void far_stop(struct far *far)
{
    carriers_stop(far->carriers, STOP_MS);
}

void far_free(struct far *far)
{
    if (!far)
        return;
    carriers_free(far->carriers);
    far_stream_free(far->stream);
    far_waits_free(far->waits);
    if (far->cache)
        cache_free(far->cache);
    free(far->changes);
    free(far);
}

void far_look(struct far *far, struct far_stats *stats)
{
    *stats = (struct far_stats){
        .passed = atomic_load(&far->passed),
        .unheard = atomic_load(&far->unheard),
        .ahead = atomic_load(&far->ahead),
        .age_ns = far_follow_age_ns(&far->follow, clock_boot_ns()),
        .begun = far_stream_begun(far->stream),
        .fresh = is_fresh(far),
    };
    cache_read_stats(far->cache, &stats->cache);
}
