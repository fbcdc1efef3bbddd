#include "base/check.h"
#include "base/err.h"
#include "http/client_inner.h"

#include <stdio.h>

int http_client_expect(struct http_client *client, bool is_head, void *tag)
{
    if (client->closed)
        return ERR_CLOSED;
    if (client->waiting == CLIENT_WAITING_MAX)
        return ERR_FULL;
    client->queue[(client->first + client->waiting++) % CLIENT_WAITING_MAX] =
        (struct waiting){.tag = tag, .is_head = is_head};
    return 0;
}

void http_client_may_switch(struct http_client *client)
{
    CHECK(client->waiting > 0);
    client->queue[(client->first + client->waiting - 1) % CLIENT_WAITING_MAX].upgrade = true;
}

static bool is_clean(struct str text, bool blanks)
{
    if (fields_clean(text.at, text.at + text.len) < text.len)
        return false;
    return blanks ||
           (text.len > 0 && !memchr(text.at, ' ', text.len) && !memchr(text.at, '\t', text.len));
}

/* Nothing in it can end a line, whoever made it: the last door against request splitting. */
static bool request_is_clean(const struct http_request *request)
{
    if (!is_clean(request->method, false) || !is_clean(request->target, false) ||
        !is_clean(request->authority, true) || str_eq(request->method, STR("CONNECT")))
        return false;
    for (unsigned i = 0; i < request->header_count; i++) {
        struct str name = request->headers[i].name;
        if (!is_clean(name, false) || memchr(name.at, ':', name.len) ||
            !is_clean(request->headers[i].value, true))
            return false;
    }
    return true;
}

static char *put(char *at, struct str text)
{
    if (text.len)
        memcpy(at, text.at, text.len);
    return at + text.len;
}

/* The length of a head that has no field for its body, with its empty line. */
static size_t head_length(const struct http_request *request)
{
    size_t len = request->method.len + request->target.len + request->authority.len +
                 sizeof "  HTTP/1.1\r\nHost: \r\n\r\n" - 1;
    for (unsigned i = 0; i < request->header_count; i++)
        len += request->headers[i].name.len + request->headers[i].value.len + 4;
    return len;
}

static char *put_head(char *at, const struct http_request *request)
{
    at = put(at, request->method);
    *at++ = ' ';
    at = put(at, request->target);
    at = put(at, STR(" HTTP/1.1\r\nHost: "));
    at = put(at, request->authority);
    at = put(at, STR("\r\n"));
    for (unsigned i = 0; i < request->header_count; i++) {
        at = put(at, request->headers[i].name);
        at = put(at, STR(": "));
        at = put(at, request->headers[i].value);
        at = put(at, STR("\r\n"));
    }
    return at;
}

/* The field that frames the body; empty: there is none. */
static struct str framing(const struct http_request *request, char room[static 48])
{
    if (!request->body.at)
        return STR("");
    int len = snprintf(room, 48, "Content-Length: %zu\r\n", request->body.len);
    return str_make(room, (size_t)len);
}

static void compact(struct http_client *client)
{
    if (client->out_at == 0 || client->out_at < client->out.len - client->out_at)
        return;
    buf_drain(&client->out, client->out_at);
    client->out_at = 0;
}

/* LEN bytes at the end of the output, which the caller fills and counts. */
static char *room_for(struct http_client *client, size_t len)
{
    compact(client);
    char *at = buf_room(&client->out, len);
    client->out.failed = false; /* this is refused; later there may be room again */
    return at;
}

int client_ask(struct http_client *client, const struct http_request *request, void *tag)
{
    if (client->waiting == CLIENT_WAITING_MAX)
        return ERR_FULL;
    if (!request_is_clean(request))
        return ERR_INVALID;
    char length[48];
    struct str field = framing(request, length);
    char *from = room_for(client, head_length(request) + field.len + request->body.len), *at;
    if (!from)
        return ERR_NOMEM;
    at = put_head(from, request);
    at = put(at, field);
    at = put(at, STR("\r\n"));
    at = put(at, request->body);
    client->out.len += (size_t)(at - from);
    int err = http_client_expect(client, str_eq(request->method, STR("HEAD")), tag);
    CHECK(!err);
    return 0;
}
