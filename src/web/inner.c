#include "web/inner.h"

#include "base/random.h"
#include "net/sign.h"
#include "web/call.h"
#include "web/fetch.h"
#include "web/inner_long.h"
#include "web/relay.h"

enum {
    CONNECT_MS = 5000,
    ANSWER_MS = 60000, /* the server has deadlines of its own, all of them shorter */
};

void inner_key_new(char key[static INNER_KEY])
{
    unsigned char bytes[INNER_KEY / 2];
    random_secret(bytes, sizeof bytes);
    hex_encode(bytes, sizeof bytes, key);
}

bool inner_is_client(const struct exchange *x)
{
    return call_web(x)->settings.writer.inner;
}

bool inner_is_server(const struct exchange *x)
{
    const struct web_settings *settings = &call_web(x)->settings;
    return settings->inner_key && !settings->writer.inner;
}

bool inner_is_long(const struct route *route)
{
    return (route->face == FACE_OPERATOR && route->kind == ROUTE_WORK) ||
           str_starts(str_of(route->pattern), STR("/media/"));
}

/* ---- There and back ---- */

/* A server of the cluster may have relayed X here: then it is not to be relayed again. */
const struct http_header *inner_headers(struct exchange *x, unsigned *count)
{
    struct str client = arena_printf(&x->arena, "%s %.*s %.*s", call_web(x)->settings.inner_key,
                                     STR_FMT(x->scheme), STR_FMT(x->peer));
    struct http_header more[] = {{.name = STR(INNER_HEADER), .value = client},
                                 {.name = STR(RELAY_HEADER), .value = STR("1")}};
    return client.at ? relay_headers(x, more, relay_has_come(x) ? 2 : 1, count) : NULL;
}

static int prepare(struct exchange *x, struct fetch *fetch)
{
    const struct web_writer *writer = &call_web(x)->settings.writer;
    bool get = x->method == HTTP_GET || x->method == HTTP_HEAD;
    char url[256];
    if (!writer->find(writer->context, false, url, sizeof url))
        return ERR_STATE;
    struct str address = arena_printf(&x->arena, "%s%.*s", url, STR_FMT(x->target));
    *fetch = (struct fetch){
        .method = get ? STR("GET") : x->method_name,
        .url = address.at,
        .body = x->body.len ? x->body
                : get       ? STR_NONE
                            : STR(""),
        .body_file = -1,
        .connect_ms = CONNECT_MS,
        .total_ms = ANSWER_MS,
        .answer_file = -1,
        .answer_max = RELAY_ANSWER_MAX,
    };
    fetch->headers = inner_headers(x, &fetch->header_count);
    return fetch->headers && address.at ? 0 : ERR_NOMEM;
}

static int ask(struct exchange *x, struct failure *failure)
{
    struct fetch *fetch = ARENA_NEW(&x->arena, struct fetch);
    struct fetch_line *line = call_line(x);
    int err = fetch && line ? prepare(x, fetch) : ERR_NOMEM;
    if (err)
        return fail(failure, err, "%s", err_sentence(err));
    err = fetch_run(line, fetch, &x->arena, failure);
    if (err)
        return err;
    relay_answer(x, fetch);
    return 0;
}

static void give_up(struct exchange *x, int err, const struct failure *failure)
{
    bool read = x->method == HTTP_GET || x->method == HTTP_HEAD;
    relay_note(x, failure);
    call_fail_err(x, read ? ERR_NOPRIMARY : err == ERR_IO ? ERR_TIMEOUT : err);
}

static void run(struct exchange *x)
{
    struct failure failure = {0};
    int err = inner_is_long(call_of(x)->route) ? inner_long_answer(x, &failure) : ask(x, &failure);
    if (err)
        give_up(x, err, &failure);
}

void inner_accept(struct exchange *x)
{
    struct failure failure = {0};
    int err = inner_long_accept(x, &failure);
    if (err)
        give_up(x, err, &failure);
}

static void answered(struct exchange *x)
{
    exchange_finish(x);
}

enum app_verdict inner_pass(struct exchange *x)
{
    atomic_fetch_add_explicit(&call_web(x)->relayed, 1, memory_order_relaxed);
    exchange_offload(x, run, answered);
    return APP_LATER;
}

/* ---- At the inner door ---- */

bool inner_take(struct exchange *x)
{
    struct str key = str_of(call_web(x)->settings.inner_key);
    struct str rest = exchange_header(x, STR(INNER_HEADER)), given, scheme;
    bool whole = rest.at && str_cut(&rest, ' ', &given) && rest.at &&
                 str_cut(&rest, ' ', &scheme) && rest.at;
    if (!whole || given.len != key.len || !sign_same(given.at, key.at, key.len)) {
        exchange_reply(x, 403, STR("text/plain"),
                       STR("This address is for the server's own processes.\n"));
        return false;
    }
    x->scheme = scheme;
    x->peer = rest;
    return true;
}
