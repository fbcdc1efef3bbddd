#include "web/call.h"

#include "base/check.h"
#include "base/clock.h"
#include "web/announced.h"
#include "web/api.h"
#include "web/cache.h"
#include "web/fetch.h"
#include "web/once.h"
#include "web/page.h"
#include "web/ucp.h"
#include "web/wayback.h"

#include <stdio.h>

struct reader *call_reader(const struct exchange *x)
{
    struct web_thread *thread = call_thread(x);
    const struct web_settings *settings = &thread->web->settings;
    struct failure failure;
    if (!thread->reader && reader_open(settings->database, &thread->reader, &failure))
        log_line(settings->log, LOG_ERROR, "web", "%s", failure.text);
    return thread->reader;
}

/* What a view shows that was begun before the last change told of (TOLD) is used, and not kept. */
static int read_settings(const struct exchange *x, uint64_t told)
{
    struct web_thread *thread = call_thread(x);
    struct reader *reader = call_reader(x);
    uint64_t index;
    arena_reset(&thread->settings_memory);
    thread->settings_known = false;
    int err = reader ? reader_begin(reader, &index) : ERR_IO;
    if (err)
        return err;
    err = reader_settings(reader, &thread->settings_memory, &thread->settings);
    reader_end(reader);
    thread->settings_known = !err && index >= told;
    thread->settings_index = told;
    return err;
}

int call_settings(struct exchange *x, struct shop_settings *out)
{
    struct web_thread *thread = call_thread(x);
    uint64_t told = cache_settings_index(thread->web->settings.cache);
    if (!thread->settings_known || thread->settings_index != told) {
        int err = read_settings(x, told);
        if (err)
            return err;
    }
    /* X may outlive what the thread keeps. */
    *out = thread->settings;
    struct str *texts[] = {&out->name,      &out->currency,    &out->country,
                           &out->terms_url, &out->privacy_url, &out->refund_url};
    for (unsigned i = 0; i < COUNT_OF(texts); i++) {
        *texts[i] = arena_str(&x->arena, *texts[i]);
        if (!texts[i]->at)
            return ERR_NOMEM;
    }
    return 0;
}

const struct wayback_view *call_wayback(const struct exchange *x)
{
    struct web_thread *thread = call_thread(x);
    struct web *web = thread->web;
    if (thread->wayback->url[0] && wayback_lapses(web->api->wayback, clock_mono_ns()))
        cache_renew(web->settings.cache);
    wayback_look(web->api->wayback, thread->wayback);
    return thread->wayback;
}

struct str call_param(const struct exchange *x, unsigned index)
{
    return call_of(x)->params[index];
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

struct str call_param_text(struct exchange *x, unsigned index)
{
    struct str raw = call_param(x, index);
    char *out = arena_alloc(&x->arena, raw.len + 1);
    if (!out)
        return STR_NONE;
    size_t len = 0;
    for (size_t i = 0; i < raw.len; i++) {
        unsigned char c = (unsigned char)raw.at[i];
        if (c == '%') {
            int high = i + 2 < raw.len ? hex_digit(raw.at[i + 1]) : -1;
            int low = i + 2 < raw.len ? hex_digit(raw.at[i + 2]) : -1;
            if (high < 0 || low < 0)
                return STR_NONE;
            c = (unsigned char)(high * 16 + low);
            i += 2;
        }
        if (c < 0x20 || c == 0x7f)
            return STR_NONE;
        out[len++] = (char)c;
    }
    out[len] = '\0';
    struct str text = str_make(out, len);
    return str_is_utf8(text) ? text : STR_NONE;
}

int call_param_id(const struct exchange *x, unsigned index, struct id *id)
{
    return id_parse(call_param(x, index), id);
}

struct fetch_line *call_line(const struct exchange *x)
{
    struct web_thread *thread = call_thread(x);
    if (!thread->line)
        thread->line = fetch_line_new();
    return thread->line;
}

static bool is_trusted(const struct exchange *x)
{
    struct web *web = call_web(x);
    return network_has_text(web->settings.trusted, web->settings.trusted_count, x->peer) ||
           managers_come_from(web->api->managers, x->peer, clock_mono_ns());
}

/* Kept, as one request asks several times, and the managers' table has a lock. */
bool call_is_by_proxy(const struct exchange *x)
{
    struct call *call = call_of(x);
    if (!call)
        return is_trusted(x);
    if (!call->proxy_known)
        call->by_proxy = is_trusted(x);
    call->proxy_known = true;
    return call->by_proxy;
}

/* A load manager takes https off and says so. */
static struct str scheme_of(const struct exchange *x)
{
    struct str said = x->known[HTTP_FIELD_X_FORWARDED_PROTO];
    if (!str_eq(said, STR("https")) && !str_eq(said, STR("http")))
        return x->scheme;
    return call_is_by_proxy(x) ? said : x->scheme;
}

struct str call_base_url(struct exchange *x)
{
    const char *set = call_web(x)->settings.base_url;
    if (set && *set)
        return str_of(set);
    return arena_printf(&x->arena, "%.*s://%.*s", STR_FMT(scheme_of(x)), STR_FMT(x->host));
}

bool call_is_https(const struct exchange *x)
{
    const char *set = call_web(x)->settings.base_url;
    if (set && *set)
        return str_starts(str_of(set), STR("https:"));
    return str_eq(scheme_of(x), STR("https"));
}

enum app_verdict call_redirect(struct exchange *x, struct str location)
{
    exchange_add_header(x, STR("Location"), location);
    exchange_add_header(x, STR("Cache-Control"), STR("no-store"));
    exchange_reply(x, 303, STR("text/plain; charset=utf-8"), STR(""));
    return APP_DONE;
}

/* Pictures may come from elsewhere: an imported catalogue names them by address. Of a page with a
 * way back (wayback.h) pictures and links may lead to the load manager, and what it sends a form
 * on to is any of the servers. */
static struct str content_policy(struct exchange *x)
{
    const struct wayback_view *back = call_wayback(x);
    if (!back->url[0])
        return STR("default-src 'none'; style-src 'self'; script-src 'self'; "
                   "img-src 'self' https: data:; connect-src 'self'; form-action 'self'; "
                   "base-uri 'none'; frame-ancestors 'none'");
    return arena_printf(&x->arena,
                        "default-src 'none'; style-src 'self'; script-src 'self'; "
                        "img-src 'self' %s https: data:; connect-src 'self'; "
                        "form-action 'self' %s; base-uri %s; frame-ancestors 'none'",
                        back->url, back->origins, back->url);
}

enum { SECURITY_HEADERS = 4 };

/* TO[SECURITY_HEADERS]; how many there are. */
static unsigned list_security(struct exchange *x, bool html, struct http_header *to)
{
    to[0] = (struct http_header){STR("X-Content-Type-Options"), STR("nosniff"), 0};
    if (!html)
        return 1;
    to[1] = (struct http_header){STR("Content-Security-Policy"), content_policy(x), 0};
    /* An order's address is the right to see it, so that the path is told to nobody else. With a
     * way back the origin has to be told from one address of the cluster to another (csrf.h):
     * browsers say Origin: null of a page that may not say where it is. */
    bool crosses = call_wayback(x)->url[0];
    to[2] = (struct http_header){
        STR("Referrer-Policy"),
        crosses ? STR("strict-origin-when-cross-origin") : STR("same-origin"), 0};
    to[3] = (struct http_header){STR("Cross-Origin-Opener-Policy"), STR("same-origin"), 0};
    return SECURITY_HEADERS;
}

void call_security_headers(struct exchange *x, bool html)
{
    struct http_header headers[SECURITY_HEADERS];
    unsigned count = list_security(x, html, headers);
    for (unsigned i = 0; i < count; i++)
        exchange_add_header(x, headers[i].name, headers[i].value);
}

/* ---- Pages that are kept ready ---- */

struct http_page *call_page_new(struct exchange *x, bool html, struct str type,
                                struct str cache_control, struct str body)
{
    struct http_header headers[SECURITY_HEADERS];
    unsigned count = list_security(x, html, headers);
    for (unsigned i = 0; i < count; i++)
        if (!headers[i].value.at) /* no memory; without it nothing is to be kept */
            return NULL;
    return http_page_with(200, type, cache_control, headers, count, body, true);
}

void call_tell_tags(struct exchange *x, const struct cache_tags *tags)
{
    if (call_of(x)->far)
        far_tags_tell(x, tags);
}

struct http_page *call_page_kept(const struct exchange *x, struct str key, struct cache_tags *tags)
{
    call_wayback(x);
    return cache_get_tagged(call_thread(x)->web->settings.cache, key, tags);
}

enum app_verdict call_json(struct exchange *x, int status, struct str json)
{
    if (!json.at)
        return call_fail_err(x, ERR_NOMEM);
    call_security_headers(x, false);
    exchange_add_header(x, STR("Cache-Control"), STR("private, no-store"));
    exchange_reply(x, status, STR("application/json"), json);
    x->compressible = true;
    return APP_DONE;
}

/* What people are told: title, and what to do. */
struct words {
    int status;
    const char *title, *text, *code;
};
static const struct words failures[] = {
    {400, "We did not understand that", "Go back and try again.", "bad_request"},
    {401, "You need to be known for that", "Send the operator's token.", "unauthorized"},
    {403, "That did not come from this shop",
     "For your safety we only take changes from our own pages. Go back, load the page anew and try "
     "again.",
     "forbidden"},
    {404, "We cannot find that page",
     "It may have been moved, or the address may be mistyped. Search for what you want, or start "
     "at "
     "the home page.",
     "not_found"},
    {405, "That is not possible here", "Go back and try again.", "method_not_allowed"},
    {409, "Something else happened meanwhile", "Load the page anew and try again.", "conflict"},
    {410, "That is over", "Start again from your cart.", "gone"},
    {413, "That was too much at once", "Send less and try again.", "too_large"},
    {422, "Something in it is not right", "Check what you sent and try again.", "invalid"},
    {503, "The shop is very busy", "Nothing is lost. Try again in a few seconds.", "busy"},
    {500, "Something went wrong on our side", "Nothing was charged by this. Try again in a minute.",
     "internal_error"},
};

static const struct words no_primary = {
    503, "The shop cannot be reached as a whole",
    "Most of the shop's servers cannot be reached at the moment, so that nothing can be changed or "
    "bought. Nothing is lost. Try again in a few seconds.",
    "no_primary"};

/* Of unknown fate: for people, and for programs, which have a way to ask again. */
static const struct words unknown = {
    503, "That took too long",
    "It may or may not have been done. Look at your cart or your order before you try again.",
    "unknown_fate"};
static const char ask_again[] =
    "It took too long and may or may not have been done. Send the same request again with the same "
    "Idempotency-Key: it will have been done once.";

static const struct words *words_of(int status)
{
    unsigned count = sizeof failures / sizeof *failures;
    for (unsigned i = 0; i < count; i++)
        if (failures[i].status == status)
            return &failures[i];
    return &failures[count - 1]; /* 500 */
}

static enum app_verdict fail_as_json(struct exchange *x, const struct words *words, struct str text)
{
    /* Both are sentences of ours, without anything to be escaped but quotes. */
    struct buf body;
    buf_init(&body, 4096);
    buf_printf(&body, "{\"error\":{\"code\":\"%s\",\"message\":\"", words->code);
    for (size_t i = 0; i < text.len; i++) {
        if (text.at[i] == '"' || text.at[i] == '\\')
            buf_byte(&body, '\\');
        buf_byte(&body, (unsigned char)text.at[i] < 0x20 ? ' ' : text.at[i]);
    }
    buf_puts(&body, "\"}}\n");
    struct str copy = arena_str(&x->arena, buf_text(&body));
    buf_close(&body);
    call_security_headers(x, false);
    exchange_add_header(x, STR("Cache-Control"), STR("no-store"));
    exchange_reply(x, words->status, STR("application/json"), copy.at ? copy : STR("{}"));
    return APP_DONE;
}

static bool wants_json(const struct exchange *x)
{
    const struct call *call = call_of(x);
    return (call && call->face != FACE_PAGES) ||
           str_starts(x->known[HTTP_FIELD_ACCEPT], STR("application/json"));
}

static enum app_verdict fail_with(struct exchange *x, const struct words *words, struct str text)
{
    if (words->status == 503)
        exchange_add_header(x, STR("Retry-After"), STR("2"));
    if (call_of(x) && call_of(x)->face == FACE_UCP)
        return ucp_refuse(x, words->status, words->code, text, STR(""));
    if (wants_json(x))
        return fail_as_json(x, words, text);

    struct page page;
    if (page_begin(x, &page, "error") == 0) {
        page_title(&page, str_of(words->title), STR(""));
        value_text(page.root, "heading", str_of(words->title));
        value_text(page.root, "text", text);
        value_int(page.root, "status", words->status);
        return page_reply(&page, words->status);
    }
    /* Without the database, the bare sentence. */
    call_security_headers(x, true);
    exchange_reply(x, words->status, STR("text/plain; charset=utf-8"), text);
    return APP_DONE;
}

enum app_verdict call_fail(struct exchange *x, int status, struct str text)
{
    const struct words *words = words_of(status);
    return fail_with(x, words, text.len ? text : str_of(words->text));
}

/* Whether another server of the cluster may well do what this one cannot for ERR. One that is busy
 * is none: the others will be as well. What may have been done may be asked for again under the
 * same stamp alone. */
static bool is_of_this_server(struct exchange *x, int err)
{
    if (!call_web(x)->settings.cluster.status)
        return false;
    if (err == ERR_TIMEOUT || err == ERR_UNKNOWN_FATE)
        return x->method == HTTP_GET || x->method == HTTP_HEAD || once_is_stamped(x);
    return err == ERR_NOPRIMARY || err == ERR_CLOSED;
}

void call_try_elsewhere(struct exchange *x, int err)
{
    if (is_of_this_server(x, err))
        exchange_add_header(x, STR("Stoa-Try"), STR("elsewhere"));
}

enum app_verdict call_fail_err(struct exchange *x, int err)
{
    call_try_elsewhere(x, err);
    switch (err) {
    case ERR_NOTFOUND:
        return call_fail(x, 404, STR(""));
    case ERR_INVALID:
        return call_fail(x, 400, STR(""));
    case ERR_DENIED:
        return call_fail(x, 403, STR(""));
    case ERR_CONFLICT:
    case ERR_STATE:
    case ERR_EXISTS:
        return call_fail(x, 409, STR(""));
    case ERR_FULL:
        return call_fail(x, 413, STR(""));
    case ERR_BUSY:
    case ERR_CLOSED:
        return call_fail(x, 503, STR(""));
    case ERR_NOPRIMARY:
        return fail_with(x, &no_primary, str_of(no_primary.text));
    case ERR_TIMEOUT:
    case ERR_UNKNOWN_FATE:
        return fail_with(x, &unknown,
                         str_of(call_of(x)->face == FACE_PAGES ? unknown.text : ask_again));
    default:
        return call_fail(x, 500, STR(""));
    }
}
