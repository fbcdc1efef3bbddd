#include "http/client.h"

#include "base/check.h"
#include "base/err.h"
#include "http/client_inner.h"
#include "http/core.h"

#include <stdlib.h>

/* ---- Heads, for both protocols ---- */

int answer_head_add(struct answer_head *head, size_t name, size_t name_end, size_t end)
{
    if (!head->headers)
        head->headers = calloc(ANSWER_HEADERS, sizeof *head->headers);
    if (!head->headers)
        return ERR_NOMEM;
    if (head->count == ANSWER_HEADERS)
        return ERR_FULL;
    head->headers[head->count++] = (struct http_header){
        str_make((const void *)(uintptr_t)name, name_end - name),
        str_make((const void *)(uintptr_t)name_end, end - name_end),
        field_of(str_make(head->bytes.at + name, name_end - name)),
    };
    return 0;
}

void answer_head_settle(struct answer_head *head, struct http_response *response)
{
    response->content_length = -1;
    for (unsigned i = 0; i < head->count; i++) {
        struct http_header *header = &head->headers[i];
        header->name.at = head->bytes.at + (uintptr_t)header->name.at;
        header->value =
            str_trim(str_make(head->bytes.at + (uintptr_t)header->value.at, header->value.len));
        uint64_t length;
        if (header->field == HTTP_FIELD_CONTENT_LENGTH && !str_to_u64(header->value, &length) &&
            length <= INT64_MAX)
            response->content_length = (int64_t)length;
    }
    response->headers = head->headers;
    response->header_count = head->count;
}

void answer_head_close(struct answer_head *head)
{
    buf_close(&head->bytes);
    free(head->headers);
}

/* ---- HTTP/1.1 ---- */

static int on_begin(llhttp_t *parser)
{
    struct http_client *client = parser->data;
    if (client->waiting == 0)
        return HPE_USER; /* an answer that nobody asked for */
    buf_clear(&client->head.bytes);
    client->head.count = 0;
    client->name_at = client->name_end = 0;
    client->in_head = true;
    client->response = (struct http_response){.tag = client->queue[client->first].tag};
    return 0;
}

static int head_put(struct http_client *client, const char *at, size_t len)
{
    if (!client->in_head) /* trailers are dropped */
        return 0;
    buf_put(&client->head.bytes, at, len);
    return client->head.bytes.failed ? HPE_USER : 0;
}

static int on_name(llhttp_t *parser, const char *at, size_t len)
{
    struct http_client *client = parser->data;
    int err = head_put(client, at, len);
    client->name_end = client->head.bytes.len;
    return err;
}

static int on_value(llhttp_t *parser, const char *at, size_t len)
{
    return head_put(parser->data, at, len);
}

static int on_value_complete(llhttp_t *parser)
{
    struct http_client *client = parser->data;
    if (!client->in_head)
        return 0;
    size_t end = client->head.bytes.len;
    int err = answer_head_add(&client->head, client->name_at, client->name_end, end);
    client->name_at = client->name_end = end;
    return err ? HPE_USER : 0;
}

static int on_head(llhttp_t *parser)
{
    struct http_client *client = parser->data;
    client->in_head = false;
    answer_head_settle(&client->head, &client->response);
    client->response.status = parser->status_code;
    parser->upgrade = 0;
    if (parser->status_code < 200)
        return 1; /* no body, and not yet the answer */
    if (client->events->head)
        client->events->head(client->user, &client->response);
    return client->queue[client->first].is_head;
}

static int on_body(llhttp_t *parser, const char *at, size_t len)
{
    struct http_client *client = parser->data;
    client->response.body_bytes += len;
    if (client->events->body)
        client->events->body(client->user, &client->response, str_make(at, len));
    return 0;
}

static void done(struct http_client *client, bool broken)
{
    client->response.broken = broken;
    client->first = (client->first + 1) % WAITING_MOST;
    client->waiting--;
    struct http_response response = client->response;
    client->response = (struct http_response){0};
    if (client->events->done)
        client->events->done(client->user, &response);
}

static int on_complete(llhttp_t *parser)
{
    struct http_client *client = parser->data;
    if (client->response.status < 200)
        return 0;
    client->response.keep_alive = llhttp_should_keep_alive(parser);
    if (!client->response.keep_alive)
        client->closed = true;
    done(client, false);
    return 0;
}

static const llhttp_settings_t settings = {
    .on_message_begin = on_begin,
    .on_header_field = on_name,
    .on_header_value = on_value,
    .on_header_value_complete = on_value_complete,
    .on_headers_complete = on_head,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

/* No more answers will come: all that wait are done. */
static void give_up(struct http_client *client)
{
    client->closed = true;
    while (client->waiting > 0) {
        client->response.tag = client->queue[client->first].tag;
        client->response.keep_alive = false;
        done(client, true);
    }
}

static int h1_receive_answer(struct http_client *client, const void *bytes, size_t len)
{
    enum llhttp_errno err =
        len ? llhttp_execute(&client->parser, bytes, len) : llhttp_finish(&client->parser);
    bool invalid = err != HPE_OK && len > 0;
    if (invalid && client->closed && client->waiting == 0)
        invalid = false; /* bytes behind the last answer */
    if (invalid || len == 0)
        give_up(client);
    return invalid ? ERR_INVALID : 0;
}

int http_client_expect(struct http_client *client, bool is_head, void *tag)
{
    if (client->closed)
        return ERR_CLOSED;
    if (client->waiting == WAITING_MOST)
        return ERR_FULL;
    client->queue[(client->first + client->waiting++) % WAITING_MOST] =
        (struct waiting){tag, is_head};
    return 0;
}

static int h1_request(struct http_client *client, const struct http_request *request, void *tag)
{
    struct buf *out = &client->out;
    if (client->waiting == WAITING_MOST)
        return ERR_FULL;
    size_t before = out->len;
    buf_str(out, request->method);
    buf_byte(out, ' ');
    buf_str(out, request->target);
    buf_puts(out, " HTTP/1.1\r\nHost: ");
    buf_str(out, request->authority);
    buf_puts(out, "\r\n");
    for (unsigned i = 0; i < request->header_count; i++) {
        buf_str(out, request->headers[i].name);
        buf_puts(out, ": ");
        buf_str(out, request->headers[i].value);
        buf_puts(out, "\r\n");
    }
    if (request->body.at) {
        buf_puts(out, "Content-Length: ");
        buf_u64(out, request->body.len);
        buf_puts(out, "\r\n");
    }
    buf_puts(out, "\r\n");
    buf_str(out, request->body);
    if (out->failed) {
        out->len = before;
        out->failed = false;
        return ERR_NOMEM;
    }
    return http_client_expect(client, str_eq(request->method, STR("HEAD")), tag);
}

/* ---- Both ---- */

struct http_client *http_client_new(enum http_protocol protocol,
                                    const struct http_client_events *events, void *user)
{
    struct http_client *client = calloc(1, sizeof *client);
    if (!client)
        return NULL;
    client->protocol = protocol;
    client->events = events;
    client->user = user;
    buf_init(&client->out, 64 << 20);
    buf_init(&client->head.bytes, ANSWER_HEAD_BYTES);
    if (protocol == HTTP_2 && client_h2_open(client)) {
        free(client);
        return NULL;
    }
    if (protocol != HTTP_2) {
        llhttp_init(&client->parser, HTTP_RESPONSE, &settings);
        client->parser.data = client;
    }
    return client;
}

void http_client_free(struct http_client *client)
{
    if (client->protocol == HTTP_2)
        client_h2_close(client);
    buf_close(&client->out);
    answer_head_close(&client->head);
    free(client);
}

int http_client_request(struct http_client *client, const struct http_request *request, void *tag)
{
    if (client->closed)
        return ERR_CLOSED;
    return client->protocol == HTTP_2 ? client_h2_request(client, request, tag)
                                      : h1_request(client, request, tag);
}

unsigned http_client_waiting(const struct http_client *client)
{
    return client->waiting;
}

int http_client_receive(struct http_client *client, const void *bytes, size_t len)
{
    return client->protocol == HTTP_2 ? client_h2_receive(client, bytes, len)
                                      : h1_receive_answer(client, bytes, len);
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
