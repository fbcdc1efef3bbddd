#include "base/check.h"
#include "http/characters.h"
#include "http/core.h"

#include <stdlib.h>

static const struct str field_names[HTTP_FIELD_COUNT] = {[HTTP_FIELD_UNKNOWN] = {"", 0},
#define X(id, name) [HTTP_FIELD_##id] = {name, sizeof(name) - 1},
                                                         HTTP_FIELD_LIST(X)
#undef X
};

struct str field_name(enum http_field field)
{
    return field_names[field];
}

/* Equal but for the case of ASCII letters; NAME holds header name characters only,
 * among which nothing but a letter differs by 0x20 from a letter. */
static bool same_name(struct str name, enum http_field field)
{
    const char *known = field_names[field].at;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.at[i];
        if (c != known[i] && ((c ^ known[i]) != 0x20 || known[i] < 'a' || known[i] > 'z'))
            return false;
    }
    return true;
}

#define TRY(id)                           \
    if (same_name(name, HTTP_FIELD_##id)) \
        return HTTP_FIELD_##id;

/* By length first: hardly ever more than two names are compared. */
enum http_field field_of(struct str name)
{
    switch (name.len) {
    case 2:
        TRY(TE) break;
    case 3:
        TRY(VIA) break;
    case 4:
        TRY(HOST) TRY(DATE) break;
    case 5:
        TRY(RANGE) break;
    case 6:
        TRY(ACCEPT) TRY(COOKIE) TRY(ORIGIN) TRY(EXPECT) TRY(SERVER) break;
    case 7:
        TRY(REFERER) TRY(UPGRADE) TRY(TRAILER) break;
    case 8:
        TRY(IF_RANGE) break;
    case 9:
        TRY(UCP_AGENT) TRY(FORWARDED) break;
    case 10:
        TRY(CONNECTION) TRY(USER_AGENT) TRY(REQUEST_ID) TRY(KEEP_ALIVE) break;
    case 12:
        TRY(CONTENT_TYPE) break;
    case 13:
        TRY(IF_NONE_MATCH) TRY(AUTHORIZATION) break;
    case 14:
        TRY(CONTENT_LENGTH) TRY(SEC_FETCH_SITE) break;
    case 15:
        TRY(ACCEPT_ENCODING)
        TRY(ACCEPT_LANGUAGE) TRY(X_FORWARDED_FOR) TRY(IDEMPOTENCY_KEY) break;
    case 16:
        TRY(CONTENT_ENCODING) TRY(PROXY_CONNECTION) TRY(X_FORWARDED_HOST) break;
    case 17:
        TRY(TRANSFER_ENCODING) TRY(IF_MODIFIED_SINCE) TRY(X_FORWARDED_PROTO) break;
    }
    return HTTP_FIELD_UNKNOWN;
}
#undef TRY

static const struct {
    struct str name;
    enum http_method method;
} methods[] = {
    {{"GET", 3}, HTTP_GET},         {{"HEAD", 4}, HTTP_HEAD},     {{"POST", 4}, HTTP_POST},
    {{"PUT", 3}, HTTP_PUT},         {{"DELETE", 6}, HTTP_DELETE}, {{"PATCH", 5}, HTTP_PATCH},
    {{"OPTIONS", 7}, HTTP_OPTIONS}, {{"TRACE", 5}, HTTP_OTHER},   {{"PROPFIND", 8}, HTTP_OTHER},
    {{"PROPPATCH", 9}, HTTP_OTHER}, {{"MKCOL", 5}, HTTP_OTHER},   {{"COPY", 4}, HTTP_OTHER},
    {{"MOVE", 4}, HTTP_OTHER},      {{"LOCK", 4}, HTTP_OTHER},    {{"UNLOCK", 6}, HTTP_OTHER},
    {{"SEARCH", 6}, HTTP_OTHER},    {{"REPORT", 6}, HTTP_OTHER},  {{"PURGE", 5}, HTTP_OTHER},
    {{"LINK", 4}, HTTP_OTHER},      {{"UNLINK", 6}, HTTP_OTHER},
};

enum http_method method_of(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(methods); i++)
        if (str_eq(methods[i].name, name))
            return methods[i].method;
    return HTTP_OTHER;
}

bool method_is_known(struct str name)
{
    for (size_t i = 0; i < COUNT_OF(methods); i++)
        if (str_eq(methods[i].name, name))
            return true;
    return false;
}

bool method_is_safe(enum http_method method)
{
    return method == HTTP_GET || method == HTTP_HEAD || method == HTTP_OPTIONS;
}

/* host[:port] of RFC 3986, or a bracketed literal; no user information. */
bool host_is_valid(struct str host)
{
    size_t i = 0;
    if (host.len == 0 || host.len > 255 + 6)
        return false;
    if (host.at[0] == '[') {
        for (i = 1; i < host.len && host.at[i] != ']'; i++) {
            char c = host.at[i];
            bool hex = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
            if (!hex && c != ':' && c != '.')
                return false;
        }
        if (i < 3 || i++ == host.len)
            return false;
    } else {
        i = characters_span(CHARACTERS_HOST, host);
        if (i == 0)
            return false;
    }
    if (i == host.len)
        return true;
    if (host.at[i++] != ':' || host.len - i > 5)
        return false;
    for (; i < host.len; i++)
        if (host.at[i] < '0' || host.at[i] > '9')
            return false;
    return true;
}

/* "http://host/path": gives the rest after the host in *TARGET. */
static int absolute_form(struct exchange *x, struct str *target, const char **why)
{
    ptrdiff_t colon = str_find(*target, STR("://"));
    struct str scheme = str_sub(*target, 0, colon < 0 ? 0 : (size_t)colon);
    if (!str_eq_nocase(scheme, STR("http")) && !str_eq_nocase(scheme, STR("https"))) {
        *why = "the request target is neither a path nor an http URL";
        return 400;
    }
    struct str rest = str_from(*target, scheme.len + 3);
    size_t end = 0;
    while (end < rest.len && rest.at[end] != '/' && rest.at[end] != '?')
        end++;
    x->host = str_sub(rest, 0, end);
    if (!host_is_valid(x->host)) {
        *why = "the host in the request target is not valid";
        return 400;
    }
    *target = str_from(rest, end);
    return 0;
}

int head_target(struct exchange *x, struct str target, const char **why)
{
    x->target = target;
    if (target.len == 0 || characters_span(CHARACTERS_TARGET, target) < target.len) {
        *why = "the request target has characters that must be percent-encoded";
        return 400;
    }
    if (target.at[0] != '/' && !str_eq(target, STR("*"))) {
        int status = absolute_form(x, &target, why);
        if (status)
            return status;
        if (target.len == 0 && x->method == HTTP_OPTIONS)
            target = STR("*");
    }
    if (str_eq(target, STR("*")) && x->method != HTTP_OPTIONS) {
        *why = "the target * is for OPTIONS only";
        return 400;
    }
    ptrdiff_t mark = str_find_byte(target, '?');
    x->path = mark < 0 ? target : str_sub(target, 0, (size_t)mark);
    x->query = mark < 0 ? STR("") : str_from(target, (size_t)mark + 1);
    if (x->path.len == 0)
        x->path = STR("/");
    return 0;
}

/* Cookie may be sent in pieces over HTTP/2 (RFC 9113 §8.2.3). */
static int join_cookies(struct exchange *x)
{
    size_t len = 0;
    for (unsigned i = 0; i < x->header_count; i++)
        if (x->headers[i].field == HTTP_FIELD_COOKIE)
            len += x->headers[i].value.len + 2;
    char *joined = arena_alloc(&x->arena, len);
    if (!joined)
        return ERR_NOMEM;
    size_t at = 0;
    for (unsigned i = 0; i < x->header_count; i++) {
        if (x->headers[i].field != HTTP_FIELD_COOKIE)
            continue;
        if (at > 0) {
            memcpy(joined + at, "; ", 2);
            at += 2;
        }
        if (x->headers[i].value.len)
            memcpy(joined + at, x->headers[i].value.at, x->headers[i].value.len);
        at += x->headers[i].value.len;
    }
    x->known[HTTP_FIELD_COOKIE] = str_make(joined, at);
    return 0;
}

static int content_length(struct exchange *x, const char **why)
{
    struct str text = x->known[HTTP_FIELD_CONTENT_LENGTH];
    uint64_t length;
    x->content_length = -1;
    if (!text.at)
        return 0;
    if (str_to_u64(text, &length) || length > INT64_MAX) {
        *why = "Content-Length is not one decimal number";
        return 400;
    }
    x->content_length = (int64_t)length;
    return 0;
}

int head_finish(struct stream *stream, const char **why)
{
    struct exchange *x = &stream->x;
    bool cookies = false;
    for (unsigned i = 0; i < x->header_count; i++) {
        enum http_field field = x->headers[i].field;
        if (field == HTTP_FIELD_UNKNOWN)
            continue;
        if (!x->known[field].at) {
            x->known[field] = x->headers[i].value;
            continue;
        }
        if (field == HTTP_FIELD_COOKIE)
            cookies = true;
        *why = field == HTTP_FIELD_HOST             ? "there are several Host fields"
               : field == HTTP_FIELD_CONTENT_LENGTH ? "there are several Content-Length fields"
               : field == HTTP_FIELD_TRANSFER_ENCODING
                   ? "there are several Transfer-Encoding fields"
                   : NULL;
        if (*why)
            return 400;
    }
    if (cookies && join_cookies(x)) {
        *why = "out of memory";
        return 503;
    }
    return content_length(x, why);
}
