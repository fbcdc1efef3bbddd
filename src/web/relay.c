#include "web/relay.h"

#include "http/fields.h"
#include "web/call.h"
#include "web/fetch.h"

enum { CONNECT_MS = 500 };

/* ---- Whose headers go where ---- */

static bool is_listed(struct str list, struct str name)
{
    struct str part;
    while (str_cut(&list, ',', &part))
        if (str_eq_nocase(str_trim(part), name))
            return true;
    return false;
}

bool relay_passes(struct str name, struct str connection)
{
    static const char *const local[] = {
        /* RFC 9110 §7.6.1 */
        "connection", "proxy-connection", "keep-alive", "te", "trailer", "transfer-encoding",
        "upgrade", "proxy-authenticate", "proxy-authorization",
        /* What each side's core makes anew. */
        "content-length", "content-encoding", "accept-encoding", "expect", "date", "server",
        /* Set by ourselves. */
        "host", "stoa-relayed", "stoa-server", "stoa-inner", "stoa-far", "stoa-tags"};
    for (unsigned i = 0; i < sizeof local / sizeof *local; i++)
        if (str_eq_nocase(name, str_of(local[i])))
            return false;
    return name.len && name.at[0] != ':' && !(connection.at && is_listed(connection, name));
}

const struct http_header *relay_headers(struct exchange *x, const struct http_header *more,
                                        unsigned more_count, unsigned *count)
{
    struct str connection = x->known[HTTP_FIELD_CONNECTION];
    struct http_header *list =
        ARENA_ARRAY(&x->arena, struct http_header, x->header_count + more_count + 1);
    if (!list)
        return NULL;
    *count = 0;
    for (unsigned i = 0; i < x->header_count; i++)
        if (relay_passes(x->headers[i].name, connection))
            list[(*count)++] = x->headers[i];
    list[(*count)++] = (struct http_header){.name = STR("Host"), .value = x->host};
    for (unsigned i = 0; i < more_count; i++)
        list[(*count)++] = more[i];
    return list;
}

/* ---- Where to ---- */

bool relay_has_come(const struct exchange *x)
{
    return exchange_header(x, STR(RELAY_HEADER)).at != NULL;
}

/* The primary's address for shoppers into URL; false: we are it, or there is none. */
static bool find_primary(const struct exchange *x, char *url, size_t size)
{
    const struct web_cluster *cluster = &call_web(x)->settings.cluster;
    struct cluster_status status;
    if (!cluster->status)
        return false;
    cluster->status(cluster->context, &status);
    const struct server_status *primary = cluster_primary(&status);
    if (!primary || primary->place.id == status.own)
        return false;
    str_copy(url, size, str_of(primary->place.url));
    return url[0] != '\0';
}

bool relay_is_refused(const struct exchange *x)
{
    char url[SERVER_URL];
    return relay_has_come(x) || !find_primary(x, url, sizeof url);
}

/* ---- There and back ---- */

static void add_headers(struct exchange *x, const struct fetch *fetch)
{
    struct str connection = fetch_header(fetch, STR("connection"));
    for (unsigned i = 0; i < fetch->answer_header_count; i++) {
        const struct http_header *header = &fetch->answer_headers[i];
        if (relay_passes(header->name, connection) &&
            !str_eq_nocase(header->name, STR("content-type")))
            exchange_add_header(x, header->name, header->value);
    }
}

bool relay_varies(const struct exchange *x)
{
    for (unsigned i = 0; i < x->answer_header_count; i++)
        if (str_eq_nocase(x->answer_headers[i].name, STR("vary")) &&
            fields_has_token(x->answer_headers[i].value, STR("accept-encoding")))
            return true;
    return false;
}

void relay_answer(struct exchange *x, const struct fetch *fetch)
{
    struct str type = fetch_header(fetch, STR("content-type"));
    add_headers(x, fetch);
    exchange_reply(x, fetch->status, type, fetch->answer);
    x->compressible = relay_varies(x);
}

static int prepare(struct exchange *x, const char *server, unsigned timeout_ms, struct fetch *fetch)
{
    bool get = x->method == HTTP_GET || x->method == HTTP_HEAD;
    const struct http_header mark = {.name = STR(RELAY_HEADER), .value = STR("1")};
    unsigned count = 0;
    const struct http_header *headers = relay_headers(x, &mark, 1, &count);
    struct str url = arena_printf(&x->arena, "%s%.*s%s%.*s", server, STR_FMT(x->path),
                                  x->query.len ? "?" : "", STR_FMT(x->query));
    if (!headers || !url.at)
        return ERR_NOMEM;
    *fetch = (struct fetch){
        /* The core leaves the body out for HEAD, and gives the length that it would have. */
        .method = get ? STR("GET") : x->method_name,
        .url = url.at,
        .headers = headers,
        .header_count = count,
        .body = x->body.len ? x->body
                : get       ? STR_NONE
                            : STR(""),
        .body_file = -1,
        .connect_ms = CONNECT_MS,
        .total_ms = timeout_ms,
        .answer_file = -1,
        .answer_max = RELAY_ANSWER_MAX,
    };
    return 0;
}

int relay_to_primary(struct exchange *x, unsigned timeout_ms, struct failure *failure)
{
    char url[SERVER_URL];
    struct fetch_line *line = call_line(x);
    struct fetch *fetch = ARENA_NEW(&x->arena, struct fetch);
    if (!find_primary(x, url, sizeof url))
        return fail(failure, ERR_NOPRIMARY, "no other server is known to be primary");
    if (!fetch || !line || prepare(x, url, timeout_ms, fetch))
        return fail(failure, ERR_NOMEM, "out of memory");
    int err = fetch_run(line, fetch, &x->arena, failure);
    if (!err)
        relay_answer(x, fetch);
    return err;
}

void relay_note(const struct exchange *x, const struct failure *failure)
{
    log_line(call_web(x)->settings.log, LOG_WARN, "web", "to the primary: %s", failure->text);
}
