#include "http/client.h"

#include "base/check.h"
#include "base/err.h"
#include "http/client_inner.h"

#include <stdlib.h>

enum { OUT_BYTES_MAX = 64 << 20 };

struct http_client *http_client_new(enum http_protocol protocol,
                                    const struct http_client_events *events, void *user)
{
    struct http_client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    client->protocol = protocol;
    client->events = events;
    client->user = user;
    buf_init(&client->out, OUT_BYTES_MAX);
    buf_init(&client->held,
             SIZE_MAX / 2); /* bounded by ANSWER_HEAD_BYTES and what one receive gave */
    if (protocol == HTTP_2 && client_h2_open(client)) {
        free(client);
        return NULL;
    }
    return client;
}

static void dispose(struct http_client *client)
{
    if (client->protocol == HTTP_2)
        client_h2_close(client);
    buf_close(&client->out);
    buf_close(&client->held);
    free(client);
}

void http_client_free(struct http_client *client)
{
    static const struct http_client_events none;
    client->events = &none;
    client->closed = client->freed = true;
    if (!client->parsing)
        dispose(client);
}

bool client_leave(struct http_client *client)
{
    client->parsing = false;
    if (!client->freed)
        return false;
    dispose(client);
    return true;
}

int http_client_request(struct http_client *client, const struct http_request *request, void *tag)
{
    if (client->closed)
        return ERR_CLOSED;
    return client->protocol == HTTP_2 ? client_h2_request(client, request, tag)
                                      : client_ask(client, request, tag);
}

unsigned http_client_waiting(const struct http_client *client)
{
    return client->waiting;
}

int http_client_receive(struct http_client *client, const void *bytes, size_t len)
{
    return client->protocol == HTTP_2 ? client_h2_receive(client, bytes, len)
                                      : client_h1_receive(client, bytes, len);
}

const char *http_client_error(const struct http_client *client)
{
    return client->error;
}

struct str http_client_output(struct http_client *client)
{
    if (client->protocol == HTTP_2)
        client_h2_fill(client);
    return str_make(client->out.at + client->out_at, client->out.len - client->out_at);
}

void http_client_sent(struct http_client *client, size_t len)
{
    CHECK(len <= client->out.len - client->out_at);
    client->out_at += len;
    if (client->out_at == client->out.len)
        client->out.len = client->out_at = 0;
}
