#include "web/web.h"

#include "balance/home.h"
#include "base/check.h"
#include "base/clock.h"
#include "http/asset.h"
#include "net/sign.h"
#include "web/api.h"
#include "web/call.h"
#include "web/csrf.h"
#include "web/fetch.h"
#include "web/gate.h"
#include "web/inner.h"
#include "web/media.h"
#include "web/pass.h"
#include "web/wayback.h"
#include "web/whereabouts.h"

#include <stdlib.h>

/* What a reader has passed on may take so long at a stop. */
enum { STOP_PASSES_MS = 2000 };

static struct web *web_of(struct app *app)
{
    return (struct web *)(void *)((char *)app - offsetof(struct web, app));
}

/* The cached answer to X's path, if there is one: the hot way of the shop. FAR: X is from a process
 * elsewhere, which wants to know what the answer shows, and has promised not to be behind. */
static bool answer_from_cache(struct exchange *x, bool far)
{
    if ((x->method != HTTP_GET && x->method != HTTP_HEAD) || x->query.len || gate_is_aside(x))
        return false;
    struct cache_tags tags;
    if (far && !gate_is_open(x))
        return false;
    struct http_page *page = call_page_kept(x, x->path, far ? &tags : NULL);
    if (!page)
        return false;
    if (far)
        far_tags_tell(x, &tags);
    if (!str_ends(x->path, STR(".json")))
        whereabouts_keep(x);
    exchange_page(x, page);
    http_page_drop(page);
    return true;
}

/* ---- Counting ---- */

static struct traffic_thread *traffic_of(const struct exchange *x)
{
    return ((const struct web_thread *)x->thread_state)->traffic;
}

static enum web_class class_of(const struct exchange *x)
{
    static const enum web_class classes[] = {
        [FACE_PAGES] = WEB_PAGES,
        [FACE_UCP] = WEB_UCP,
        [FACE_OPERATOR] = WEB_OPERATOR,
        [FACE_WAREHOUSE] = WEB_OPERATOR,
    };
    return call_of(x)->route ? classes[call_of(x)->face] : WEB_UNROUTED;
}

/* The exchange ends: its answer has left, or nobody is there for it. */
static void count(void *argument)
{
    const struct exchange *x = argument;
    traffic_end(traffic_of(x));
    if (x->status)
        traffic_count(traffic_of(x), class_of(x), x->status, x->started_ns, clock_mono_ns());
}

/* What comes through the inner door was counted where it came from. Checks are no visits: the
 * server answers them before they come here. */
static bool is_counted(const struct exchange *x)
{
    return !inner_is_server(x) && !(inner_is_client(x) && str_eq(x->path, STR("/livez")));
}

static void count_cached(const struct exchange *x)
{
    traffic_count(traffic_of(x), WEB_CACHED, 200, x->started_ns, clock_mono_ns());
}

/* ---- Requests ---- */

static void refuse_unrouted(struct exchange *x, const struct route_match *match)
{
    if (!match->allowed) {
        call_fail(x, 404, STR(""));
        return;
    }
    char allow[64];
    exchange_add_header(
        x, STR("Allow"),
        arena_str(&x->arena, str_of(route_allow(match->allowed, allow, sizeof allow))));
    call_fail(x, 405, STR(""));
}

static void on_accept(struct app *app, struct exchange *x)
{
    struct web *web = web_of(app);
    if (inner_is_server(x) && !inner_take(x))
        return;
    enum far_origin origin = far_tags_take(x);
    if (origin == FAR_MISDIRECTED)
        return;
    if (web->settings.server_name && *web->settings.server_name)
        exchange_add_header(x, STR("Stoa-Server"), str_of(web->settings.server_name));
    if (!inner_is_client(x) && watch_is_live(x))
        return;
    bool far = origin == FAR_THEIRS;
    whereabouts_tell(x);
    if (answer_from_cache(x, far)) {
        if (is_counted(x))
            count_cached(x);
        return;
    }
    struct call *call = ARENA_NEW(&x->arena, struct call);
    if (!call) {
        exchange_reply(x, 503, STR("text/plain"), STR("out of memory\n"));
        return;
    }
    struct route_match match = route_find(routes, route_count, x->method, x->path);
    call->web = web;
    call->route = match.route;
    call->face = match.face;
    call->far = far;
    memcpy(call->params, match.params, sizeof call->params);
    x->state = call;
    if (is_counted(x) && exchange_at_end(x, count, x) == 0)
        traffic_begin(traffic_of(x));
    if (!match.route) {
        refuse_unrouted(x, &match);
        return;
    }
    x->body_limit = match.route->body_limit;
    if (match.route->csrf != CSRF_OFF && !csrf_origin_is_ours(x))
        call_fail(x, 403, STR(""));
    else if (match.route->face == FACE_OPERATOR && !api_admit(x))
        return;
    else if (match.route->accept && pass_is_reader(x))
        pass_accept(x);
    else if (match.route->accept)
        match.route->accept(x);
}

static bool on_urgent(struct app *app, const struct exchange *x)
{
    (void)app;
    return watch_is_urgent(x);
}

static enum app_verdict on_handle(struct app *app, struct exchange *x)
{
    atomic_fetch_add_explicit(&web_of(app)->pages, 1, memory_order_relaxed);
    return gate_handle(x);
}

static enum app_verdict on_work(struct app *app, struct exchange *x)
{
    (void)app;
    return gate_work(x);
}

static void thread_free(struct web_thread *thread)
{
    fetch_line_free(thread->line);
    signer_free(thread->signer);
    home_signer_free(thread->homes);
    free(thread->wayback);
    if (thread->reader)
        reader_close(thread->reader);
    arena_close(&thread->settings_memory);
    free(thread);
}

static void *on_thread_start(struct app *app, struct loop *loop)
{
    struct web_thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return NULL;
    (void)loop;
    thread->web = web_of(app);
    arena_init(&thread->settings_memory, SETTINGS_MEMORY);
    const struct web_settings *settings = &thread->web->settings;
    struct failure failure = {.text = "out of memory"};
    unsigned char key[HOME_KEY];
    struct traffic_thread *counts = thread->web->counts;
    thread->traffic = counts ? counts : traffic_thread_new(&thread->web->traffic);
    thread->signer = signer_new(settings->secret, sizeof settings->secret);
    home_key(settings->secret, sizeof settings->secret, key);
    thread->homes = home_signer_new(key);
    thread->wayback = calloc(1, sizeof *thread->wayback);
    bool later = settings->writer.inner; /* call_reader: not every client needs it */
    if (thread->traffic && thread->signer && thread->homes && thread->wayback &&
        (later || reader_open(settings->database, &thread->reader, &failure) == 0))
        return thread;
    log_line(settings->log, LOG_ERROR, "web", "%s", failure.text);
    thread_free(thread);
    return NULL;
}

static void on_thread_stop(struct app *app, void *thread_state)
{
    (void)app;
    thread_free(thread_state);
}

/* pages/home.html becomes the template "home". */
static int compile_templates(struct web *web, struct failure *failure)
{
    const struct str folder = STR("pages/"), end = STR(".html");
    struct template_source sources[WEB_TEMPLATES_MAX];
    unsigned count = 0;
    for (unsigned i = 0; i < asset_count && count < WEB_TEMPLATES_MAX; i++) {
        struct str path = str_of(assets[i].path);
        if (!str_starts(path, folder) || !str_ends(path, end))
            continue;
        struct str name = str_sub(path, folder.len, path.len - folder.len - end.len);
        sources[count].name = str_copy(web->names[count], sizeof web->names[count], name);
        sources[count].text = str_make(assets[i].bytes, assets[i].length);
        count++;
    }
    return template_set_new(sources, count, &web->templates, failure);
}

int web_new(const struct web_settings *settings, struct web **web, struct failure *failure)
{
    struct web *made = calloc(1, sizeof *made);
    if (!made)
        return fail(failure, ERR_NOMEM, "no memory for the shop's pages");
    made->settings = *settings;
    if (settings->changes && settings->operator_token && *settings->operator_token)
        far_key(settings->operator_token, made->far_key);
    made->app = (struct app){
        .name = "shop",
        .is_urgent = on_urgent,
        .accept = on_accept,
        .handle = on_handle,
        .work = on_work,
        .thread_start = on_thread_start,
        .thread_stop = on_thread_stop,
    };
    int err = compile_templates(made, failure);
    err = err ? err : media_new(settings->secret, &made->media, failure);
    err = err ? err : api_new(settings, &made->api, failure);
    if (!err && settings->writer.find && !settings->writer.inner)
        err = passes_new(&made->settings.writer, &made->passes, failure);
    if (err) {
        api_free(made->api);
        media_free(made->media);
        template_set_free(made->templates);
        free(made);
        return err;
    }
    traffic_init(&made->traffic);
    if (settings->counts && !settings->writer.inner)
        traffic_lend(&made->traffic, settings->counts, settings->counts_max);
    *web = made;
    return 0;
}

void web_free(struct web *web)
{
    if (!web)
        return;
    passes_free(web->passes);
    api_free(web->api);
    media_free(web->media);
    traffic_close(&web->traffic);
    template_set_free(web->templates);
    free(web);
}

void web_stop(struct web *web)
{
    api_stop(web->api);
    if (web->passes)
        passes_stop(web->passes, STOP_PASSES_MS);
}

struct app *web_app(struct web *web)
{
    return &web->app;
}

void web_count_at(struct web *web, unsigned place)
{
    CHECK(place < web->settings.counts_max);
    web->counts = &web->settings.counts[place];
    traffic_inherit(web->counts);
}

void web_stats(struct web *web, struct web_stats *stats)
{
    traffic_read(&web->traffic, stats->traffic);
    stats->pages = atomic_load_explicit(&web->pages, memory_order_relaxed);
    stats->commands = atomic_load_explicit(&web->commands, memory_order_relaxed);
    stats->commands_failed = atomic_load_explicit(&web->commands_failed, memory_order_relaxed);
    stats->gate_waits = atomic_load_explicit(&web->gate_waits, memory_order_relaxed);
    stats->gate_barriers = atomic_load_explicit(&web->gate_barriers, memory_order_relaxed);
    stats->relayed = atomic_load_explicit(&web->relayed, memory_order_relaxed);
}

void web_cluster_status(struct web *web, struct cluster_status *status)
{
    const struct web_cluster *cluster = &web->settings.cluster;
    status->count = 0;
    if (cluster->status)
        cluster->status(cluster->context, status);
}
