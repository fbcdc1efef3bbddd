#include "balance/hop.h"

#include "base/err.h"
#include "http/fields.h"

/* What is done with a field. */
enum rule {
    PASS,
    DROP,      /* ends here, or is made anew */
    FORWARDED, /* about the client: believed from those who are trusted, and added to */
    CLIENTS,   /* about the client: passes from those who are trusted */
    NAMABLE,   /* passes unless Connection names it */
    REQUEST_ID,
    MAX_FORWARDS,
};

static char folded(char c)
{
    if (c >= 'A' && c <= 'Z')
        return (char)(c | 0x20);
    return c == '_' ? '-' : c;
}

static bool starts_with(struct str name, struct str lower)
{
    if (name.len < lower.len)
        return false;
    for (size_t i = 0; i < lower.len; i++)
        if (folded(name.at[i]) != lower.at[i])
            return false;
    return true;
}

static bool is_named(struct str name, struct str lower)
{
    return name.len == lower.len && starts_with(name, lower);
}

#define NAMED(literal) is_named(name, STR(literal))

/* Of a name that the core does not know: one of our own kind, or one written with '_', which it
 * would have known with '-'. By length first. */
static enum rule rule_of_unknown(struct str name)
{
    switch (name.len) {
    case 4: /* CGI programs know Host as HTTP_HOST */
        return NAMED("host") ? DROP : NAMABLE;
    case 10:
        return NAMED("keep-alive") ? DROP : NAMABLE;
    case 12:
        return NAMED("x-request-id") ? REQUEST_ID : NAMED("max-forwards") ? MAX_FORWARDS : NAMABLE;
    case 14:
        return NAMED("http2-settings") || NAMED("content-length") ? DROP : NAMABLE;
    case 17:
        return NAMED("transfer-encoding") ? DROP : NAMABLE;
    default:
        return NAMABLE;
    }
}

/* What servers take for the client's address, or for how he came. (The core knows the names with
 * '-' of those that are made here: so written, they do not come to this.) */
static bool is_about_client(struct str name)
{
    return NAMED("x-real-ip") || NAMED("x-client-ip") || NAMED("true-client-ip") ||
           starts_with(name, STR("x-forwarded-"));
}

static enum rule rule_of_request(const struct http_header *header)
{
    struct str name = header->name;
    if (fields_is_hop(header->field))
        return DROP;
    switch (header->field) {
    case HTTP_FIELD_UNKNOWN:
        break;
    case HTTP_FIELD_HOST:
    case HTTP_FIELD_COOKIE:
        return DROP;
    case HTTP_FIELD_X_FORWARDED_FOR:
    case HTTP_FIELD_X_FORWARDED_PROTO:
    case HTTP_FIELD_X_FORWARDED_HOST:
    case HTTP_FIELD_FORWARDED:
        return FORWARDED;
    case HTTP_FIELD_REQUEST_ID:
        return REQUEST_ID;
    default: /* what the core knows concerns the server: Connection cannot take it away */
        return PASS;
    }
    char first = folded(name.len ? name.at[0] : 0);
    if (first == 's' && starts_with(name, STR("stoa-")))
        return NAMED("stoa-session") ? PASS : DROP;
    if (first == 'p' && (starts_with(name, STR("proxy-")) || NAMED("proxy")))
        return DROP;
    if ((first == 'x' || first == 't') && is_about_client(name))
        return str_find_byte(name, '_') < 0 ? CLIENTS : DROP;
    return rule_of_unknown(name);
}

/* ---- Connection ---- */

/* The Connection fields of a message. Most say nothing but keep-alive or close. */
struct options {
    const struct http_header *headers;
    unsigned count;
    bool any; /* they name something */
};

static struct options options_of(const struct http_header *headers, unsigned count)
{
    struct options options = {headers, count, false};
    for (unsigned i = 0; i < count; i++)
        if (headers[i].field == HTTP_FIELD_CONNECTION &&
            !str_eq_nocase(headers[i].value, STR("keep-alive")) &&
            !str_eq_nocase(headers[i].value, STR("close")))
            options.any = true;
    return options;
}

static bool options_name(const struct options *options, struct str name)
{
    if (!options->any)
        return false;
    for (unsigned i = 0; i < options->count; i++)
        if (options->headers[i].field == HTTP_FIELD_CONNECTION &&
            fields_has_token(options->headers[i].value, name))
            return true;
    return false;
}

/* ---- Requests ---- */

static void put_request_line(struct buf *out, const struct exchange *x)
{
    buf_str(out, x->method_name);
    buf_byte(out, ' ');
    if (x->target.len && x->target.at[0] == '/') {
        buf_str(out, x->target);
    } else { /* absolute form: the host goes where it belongs */
        buf_str(out, x->path);
        if (x->query.len) {
            buf_byte(out, '?');
            buf_str(out, x->query);
        }
    }
    buf_str(out, STR(" HTTP/1.1\r\nHost: "));
    buf_str(out, x->host);
    buf_str(out, STR("\r\n"));
}

/* All values of a field that may have come in several lines, and then MORE, as one list. */
static void put_list(struct buf *out, const struct hop_request *request, struct str name,
                     enum http_field field, struct str more)
{
    const struct exchange *x = request->x;
    buf_str(out, name);
    buf_str(out, STR(": "));
    for (unsigned i = 0; request->trusted && i < x->header_count; i++) {
        if (x->headers[i].field != field || !x->headers[i].value.len)
            continue;
        buf_str(out, x->headers[i].value);
        buf_str(out, STR(", "));
    }
    buf_str(out, more);
    buf_str(out, STR("\r\n"));
}

/* The last one: whoever is trusted has put his behind those that he was sent. */
static struct str believed(const struct hop_request *request, enum http_field field)
{
    const struct exchange *x = request->x;
    struct str last = STR_NONE;
    for (unsigned i = 0; request->trusted && i < x->header_count; i++)
        if (x->headers[i].field == field)
            last = x->headers[i].value;
    return last;
}

/* RFC 7239 §4: what is not a token is quoted, and an IPv6 address is in brackets besides. */
static void put_forwarded(struct buf *out, const struct hop_request *request)
{
    const struct exchange *x = request->x;
    char room[160 + 262];
    struct buf element = {.at = room, .cap = sizeof room, .max = sizeof room};
    bool v6 = str_find_byte(x->peer, ':') >= 0;
    buf_str(&element, v6 ? STR("for=\"[") : STR("for="));
    buf_str(&element, x->peer);
    buf_str(&element, v6 ? STR("]\";host=\"") : STR(";host=\""));
    buf_str(&element, x->host);
    buf_str(&element, STR("\";proto="));
    buf_str(&element, x->scheme);
    if (!element.failed)
        put_list(out, request, STR("Forwarded"), HTTP_FIELD_FORWARDED, buf_text(&element));
}

struct str hop_client(const struct exchange *x, bool trusted)
{
    struct str last = STR_NONE, part;
    for (unsigned i = 0; trusted && i < x->header_count; i++) {
        struct str list = x->headers[i].value;
        if (x->headers[i].field != HTTP_FIELD_X_FORWARDED_FOR)
            continue;
        while (str_cut(&list, ',', &part))
            last = str_trim(part);
    }
    return last.len ? last : x->peer;
}

struct str hop_scheme(const struct exchange *x, bool trusted)
{
    const struct hop_request request = {.x = x, .trusted = trusted};
    struct str said = believed(&request, HTTP_FIELD_X_FORWARDED_PROTO);
    return str_eq(said, STR("https")) || str_eq(said, STR("http")) ? said : x->scheme;
}

/* What the server is told of the client. */
static void put_client(struct buf *out, const struct hop_request *request)
{
    const struct exchange *x = request->x;
    struct str proto = believed(request, HTTP_FIELD_X_FORWARDED_PROTO);
    struct str host = believed(request, HTTP_FIELD_X_FORWARDED_HOST);
    put_list(out, request, STR("X-Forwarded-For"), HTTP_FIELD_X_FORWARDED_FOR, x->peer);
    fields_put(out, STR("X-Forwarded-Proto"), proto.len ? proto : x->scheme);
    fields_put(out, STR("X-Forwarded-Host"), host.len ? host : x->host);
    put_forwarded(out, request);
}

static void put_framing(struct buf *out, const struct hop_request *request)
{
    switch (request->framing) {
    case HOP_NO_BODY:
        break;
    case HOP_LENGTH:
        buf_str(out, STR("Content-Length: "));
        buf_u64(out, request->length);
        buf_str(out, STR("\r\n"));
        break;
    case HOP_CHUNKED:
        buf_str(out, STR("Transfer-Encoding: chunked\r\n"));
        break;
    }
}

/* RFC 9110 §7.6.2: one less; what is no number says nothing. */
static void put_max_forwards(struct buf *out, const struct http_header *header)
{
    uint64_t left;
    if (str_to_u64(header->value, &left) || left == 0)
        return;
    buf_str(out, STR("Max-Forwards: "));
    buf_u64(out, left - 1);
    buf_str(out, STR("\r\n"));
}

void hop_write_request(struct buf *out, const struct hop_request *request)
{
    const struct exchange *x = request->x;
    struct options options = options_of(x->headers, x->header_count);
    bool has_id = false;
    put_request_line(out, x);
    for (unsigned i = 0; i < x->header_count; i++) {
        const struct http_header *header = &x->headers[i];
        enum rule rule = rule_of_request(header);
        if (rule == DROP || rule == FORWARDED || (rule == CLIENTS && !request->trusted) ||
            (rule == NAMABLE && options_name(&options, header->name)))
            continue;
        has_id |= rule == REQUEST_ID;
        if (rule == MAX_FORWARDS && x->method == HTTP_OPTIONS)
            put_max_forwards(out, header);
        else
            fields_put(out, header->name, header->value);
    }
    if (x->known[HTTP_FIELD_COOKIE].at)
        fields_put(out, STR("Cookie"), x->known[HTTP_FIELD_COOKIE]);
    put_client(out, request);
    if (!has_id && request->request_id.len)
        fields_put(out, STR("X-Request-Id"), request->request_id);
    if (request->via)
        buf_str(out, x->version == 20   ? STR("Via: 2.0 stoa\r\n")
                     : x->version == 10 ? STR("Via: 1.0 stoa\r\n")
                                        : STR("Via: 1.1 stoa\r\n"));
    if (request->operation.len)
        fields_put(out, STR("Stoa-Operation"), request->operation);
    if (request->home.len)
        fields_put(out, STR("Stoa-Home"), request->home);
    if (request->upgrade) {
        buf_str(out, STR("Connection: upgrade\r\n"));
        fields_put(out, STR("Upgrade"), x->known[HTTP_FIELD_UPGRADE]);
    }
    put_framing(out, request);
    buf_str(out, STR("\r\n"));
}

bool hop_may_upgrade(const struct exchange *x)
{
    struct str list = x->known[HTTP_FIELD_UPGRADE], part;
    while (str_cut(&list, ',', &part)) {
        part = str_trim(part);
        if (starts_with(part, STR("h2")) || starts_with(part, STR("http/")) ||
            starts_with(part, STR("tls")))
            return false;
    }
    return true;
}

bool hop_is_last(const struct exchange *x)
{
    uint64_t left;
    struct str text = exchange_header(x, STR("max-forwards"));
    return x->method == HTTP_OPTIONS && text.at && !str_to_u64(text, &left) && left == 0;
}

struct str hop_request_id(const struct exchange *x)
{
    struct str id = exchange_header(x, STR("x-request-id"));
    return id.len ? id : x->known[HTTP_FIELD_REQUEST_ID];
}

/* ---- Answers ---- */

static bool ends_here(const struct http_header *header)
{
    struct str name = header->name;
    if (header->field == HTTP_FIELD_UNKNOWN)
        return NAMED("stoa-try") || NAMED("stoa-home");
    return fields_is_hop(header->field);
}

/* Whether caches between here and many clients may keep it (RFC 9111 §3.5, §5.2.2). */
static bool lets_caches_share(struct str control)
{
    struct str part;
    while (str_cut(&control, ',', &part)) {
        part = str_trim(part);
        if (str_eq_nocase(part, STR("public")) ||
            str_eq_nocase(str_sub(part, 0, 9), STR("s-maxage=")))
            return true;
    }
    return false;
}

/* What is of use here, of a field that may end here or go on. */
static void look_at(struct hop_answer *answer, const struct http_header *header)
{
    struct str name = header->name;
    if (NAMED("cache-control"))
        answer->is_public |= lets_caches_share(header->value);
    else if (NAMED("stoa-server"))
        answer->is_named = true;
    else if (NAMED("stoa-home"))
        answer->home = header->value;
}

static char *copy(char **at, struct str text)
{
    char *copied = *at;
    if (text.len)
        memcpy(copied, text.at, text.len);
    *at += text.len;
    return copied;
}

enum hop_try hop_says_try(const struct http_response *response)
{
    for (unsigned i = 0; i < response->header_count; i++)
        if (is_named(response->headers[i].name, STR("stoa-try"))) {
            struct str value = response->headers[i].value;
            return str_eq(value, STR("elsewhere")) ? HOP_TRY_ELSEWHERE
                   : str_eq(value, STR("once"))    ? HOP_TRY_ONCE
                                                   : HOP_TRY_NONE;
        }
    return HOP_TRY_NONE;
}

int hop_read_answer(struct arena *arena, const struct http_response *response, unsigned more,
                    struct hop_answer *answer)
{
    struct options options = options_of(response->headers, response->header_count);
    size_t bytes = 1;
    for (unsigned i = 0; i < response->header_count; i++)
        bytes += response->headers[i].name.len + response->headers[i].value.len;
    *answer = (struct hop_answer){.room = response->header_count + more};
    answer->headers = arena_alloc(arena, answer->room * sizeof *answer->headers);
    char *at = arena_alloc(arena, bytes);
    if (!answer->headers || !at)
        return ERR_NOMEM;
    for (unsigned i = 0; i < response->header_count; i++) {
        struct http_header header = response->headers[i];
        header.name.at = copy(&at, header.name);
        header.value.at = copy(&at, header.value);
        if (header.field == HTTP_FIELD_UNKNOWN)
            look_at(answer, &header);
        else if (header.field == HTTP_FIELD_UPGRADE)
            answer->upgrade = header.value;
        if (!ends_here(&header) &&
            !(header.field == HTTP_FIELD_UNKNOWN && options_name(&options, header.name)))
            answer->headers[answer->count++] = header;
    }
    return 0;
}
