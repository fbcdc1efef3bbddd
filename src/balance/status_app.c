#include "balance/status_inner.h"
#include "base/check.h"
#include "net/openssl.h"

#include <stdlib.h>

#define PLAIN STR("text/plain; charset=utf-8")

enum { EVENTS_TOLD = 64 };

/* ---- Files ---- */

const struct asset *status_file(const char *path)
{
    unsigned at = 0;
    while (at < asset_count && strcmp(assets[at].path, path) != 0)
        at++;
    CHECK(at < asset_count);
    return &assets[at];
}

/* The shop's style sheet gives the looks, balance.css what is more. */
static int load_assets(struct status_app *status, struct failure *failure)
{
    static const struct {
        const char *path, *file;
    } files[STATUS_ASSETS_MAX] = {
        {"/style.css", "pages/style.css"},
        {"/balance.css", "pages/balance.css"},
        {"/balance.js", "pages/balance.js"},
        {"/favicon.svg", "pages/favicon.svg"},
    };
    for (unsigned i = 0; i < COUNT_OF(files); i++) {
        const struct asset *asset = status_file(files[i].file);
        struct http_page *page = http_page_new(200, str_of(asset->type), STR("no-cache"),
                                               str_make(asset->bytes, asset->length), true);
        if (!page)
            return fail(failure, ERR_NOMEM, "no memory for the status page");
        status->assets[status->asset_count++] = (struct status_asset){files[i].path, page};
    }
    return 0;
}

/* ---- Answers ---- */

static enum app_verdict say(struct exchange *x, int status, struct str text)
{
    exchange_reply(x, status, PLAIN, text);
    return APP_DONE;
}

/* Closes TEXT. */
static enum app_verdict answer_text(struct exchange *x, struct str type, struct buf *text)
{
    struct str copy = text->failed ? STR_NONE : arena_str(&x->arena, buf_text(text));
    buf_close(text);
    if (!copy.at)
        return say(x, 503, STR("No memory for this answer; try again.\n"));
    exchange_reply(x, 200, type, copy);
    x->compressible = true;
    return APP_DONE;
}

/* What WRITE makes of a look of this moment. */
static enum app_verdict answer_look(struct exchange *x, struct str type,
                                    void (*write)(struct buf *out, const struct balance_view *view))
{
    struct status_room *room = x->thread_state;
    struct buf text;
    buf_init(&text, VIEW_TEXT_MAX);
    status_room_look(room);
    write(&text, room->view);
    return answer_text(x, type, &text);
}

static enum app_verdict answer_json(struct exchange *x)
{
    return answer_look(x, STR("application/json"), view_write_json);
}

static enum app_verdict answer_metrics(struct exchange *x)
{
    return answer_look(x, STR("text/plain; version=0.0.4; charset=utf-8"), view_write_metrics);
}

static enum app_verdict answer_history(struct exchange *x)
{
    struct buf text;
    buf_init(&text, VIEW_TEXT_MAX);
    status_write_history(&text, x->thread_state);
    return answer_text(x, STR("application/json"), &text);
}

/* The last ones, oldest first. */
static enum app_verdict answer_events(struct exchange *x)
{
    const struct status_room *room = x->thread_state;
    struct events *events = room->status->settings.events;
    struct event some[EVENTS_TOLD];
    uint64_t last = events_last(events);
    unsigned count =
        events_read(events, last > EVENTS_TOLD ? last - EVENTS_TOLD : 0, some, EVENTS_TOLD, NULL);
    struct buf text;
    buf_init(&text, VIEW_TEXT_MAX);
    buf_puts(&text, "{\"events\":[");
    for (unsigned i = 0; i < count; i++) {
        buf_puts(&text, i ? "," : "");
        event_write_json(&text, &some[i]);
    }
    buf_puts(&text, "]}");
    return answer_text(x, STR("application/json"), &text);
}

static enum app_verdict answer_health(struct exchange *x)
{
    struct status_room *room = x->thread_state;
    status_room_look(room);
    struct str text = arena_printf(&x->arena, "%u of %u servers can be used\n", room->view->usable,
                                   room->view->count);
    return say(x, room->view->usable ? 200 : 503, text.at ? text : STR("\n"));
}

/* ---- Changes ---- */

static bool is_operator(const struct status_app *status, const struct exchange *x)
{
    struct str said = x->known[HTTP_FIELD_AUTHORIZATION];
    struct str token = str_of(status->settings.token), scheme = STR("Bearer ");
    if (!token.len || !said.at || said.len != scheme.len + token.len)
        return false;
    return str_eq_nocase(str_sub(said, 0, scheme.len), scheme) &&
           CRYPTO_memcmp(said.at + scheme.len, token.at, token.len) == 0;
}

static enum app_verdict answer_drain(struct exchange *x, bool drain)
{
    struct status_room *room = x->thread_state;
    const struct status_settings *settings = &room->status->settings;
    uint64_t id;
    if (!settings->drain || !settings->token || !settings->token[0])
        return say(x, 403,
                   STR("This load manager was started without the operator's token, so "
                       "nothing can be changed here.\n"));
    if (!is_operator(room->status, x)) {
        exchange_add_header(x, STR("WWW-Authenticate"), STR("Bearer"));
        return say(x, 401, STR("Send the operator's token: Authorization: Bearer ...\n"));
    }
    struct str server = exchange_query(x, STR("server"));
    if (!server.at || str_to_u64(server, &id))
        return say(x, 400, STR("Which server? As in POST /drain?server=2\n"));
    if (settings->drain(settings->context, id, drain))
        return say(x, 404, STR("There is no server of this number.\n"));
    return say(x, 200,
               drain ? STR("It gets no new requests from here on.\n")
                     : STR("It gets requests again.\n"));
}

static enum app_verdict answer_away(struct exchange *x)
{
    return answer_drain(x, true);
}

static enum app_verdict answer_return(struct exchange *x)
{
    return answer_drain(x, false);
}

/* ---- Which ---- */

/* The names by which this machine alone is reached. */
static bool names_loopback(struct str host)
{
    ptrdiff_t end =
        host.len && host.at[0] == '[' ? str_find_byte(host, ']') + 1 : str_find_byte(host, ':');
    struct str name = end > 0 ? str_sub(host, 0, (size_t)end) : host;
    if (str_eq_nocase(name, STR("localhost")) || str_eq(name, STR("[::1]")))
        return true;
    if (!str_starts(name, STR("127.")))
        return false;
    for (size_t i = 0; i < name.len; i++)
        if (name.at[i] != '.' && (name.at[i] < '0' || name.at[i] > '9'))
            return false;
    return true;
}

struct status_route {
    const char *path;
    enum http_method method;
    enum app_verdict (*answer)(struct exchange *x);
};

static const struct status_route routes[] = {
    {"/", HTTP_GET, status_page},
    {"/events", HTTP_GET, status_follow},
    {"/events.json", HTTP_GET, answer_events},
    {"/balance.json", HTTP_GET, answer_json},
    {"/history.json", HTTP_GET, answer_history},
    {"/metrics", HTTP_GET, answer_metrics},
    {"/healthz", HTTP_GET, answer_health},
    {"/drain", HTTP_POST, answer_away},
    {"/undrain", HTTP_POST, answer_return},
};

static void add_headers(struct exchange *x)
{
    exchange_add_header(x, STR("X-Content-Type-Options"), STR("nosniff"));
    exchange_add_header(x, STR("Cross-Origin-Resource-Policy"), STR("same-origin"));
    exchange_add_header(x, STR("Referrer-Policy"), STR("no-referrer"));
    exchange_add_header(x, STR("Content-Security-Policy"),
                        STR("default-src 'none'; style-src 'self'; script-src 'self'; "
                            "img-src 'self'; connect-src 'self'; form-action 'none'; "
                            "base-uri 'none'; frame-ancestors 'none'"));
}

static enum app_verdict answer_asset(struct status_app *status, struct exchange *x)
{
    for (unsigned i = 0; i < status->asset_count; i++) {
        if (!str_eq(x->path, str_of(status->assets[i].path)))
            continue;
        exchange_page(x, status->assets[i].page);
        return APP_DONE;
    }
    return say(x, 404, STR("There is nothing here. The status page is at /\n"));
}

static enum app_verdict on_handle(struct app *app, struct exchange *x)
{
    struct status_app *status = CONTAINER_OF(app, struct status_app, app);
    enum http_method method = x->method == HTTP_HEAD ? HTTP_GET : x->method;
    add_headers(x);
    if (status->settings.loopback && !names_loopback(x->host))
        return say(x, 421, STR("This door is for this machine: call it 127.0.0.1 or localhost.\n"));
    for (unsigned i = 0; i < COUNT_OF(routes); i++) {
        if (!str_eq(x->path, str_of(routes[i].path)))
            continue;
        if (routes[i].method == method)
            return routes[i].answer(x);
        exchange_add_header(x, STR("Allow"),
                            routes[i].method == HTTP_GET ? STR("GET, HEAD") : STR("POST"));
        return say(x, 405, STR("Not in this way.\n"));
    }
    if (method != HTTP_GET)
        return say(x, 404, STR("There is nothing here. The status page is at /\n"));
    return answer_asset(status, x);
}

static enum app_verdict on_work(struct app *app, struct exchange *x)
{
    (void)app, (void)x;
    CHECK(false); /* nothing here blocks */
    return APP_DONE;
}

int status_app_new(const struct status_settings *settings, struct status_app **status,
                   struct failure *failure)
{
    struct status_app *made = calloc(1, sizeof *made);
    if (!made)
        return fail(failure, ERR_NOMEM, "no memory for the status page");
    made->settings = *settings;
    made->app = (struct app){
        .name = "status",
        .handle = on_handle,
        .work = on_work,
        .thread_start = status_room_open,
        .thread_stop = status_room_close,
    };
    int err = status_templates_new(&made->templates, failure);
    err = err ? err : load_assets(made, failure);
    if (err) {
        status_app_free(made);
        return err;
    }
    *status = made;
    return 0;
}

struct app *status_app_app(struct status_app *status)
{
    return &status->app;
}

void status_app_stop(struct status_app *status)
{
    atomic_store(&status->stopping, true);
}

void status_app_free(struct status_app *status)
{
    if (!status)
        return;
    for (unsigned i = 0; i < status->asset_count; i++)
        http_page_drop(status->assets[i].page);
    template_set_free(status->templates);
    free(status);
}
