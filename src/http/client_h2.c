#include "base/check.h"
#include "base/err.h"
#include "http/client_inner.h"
#include "http/core.h"

#include <stdlib.h>

enum { CLIENT_WINDOW = 1 << 20, CLIENT_CONN_WINDOW = 16 << 20, OUT_BYTES = 65536 };

/* ---- Heads ---- */

/* 0, ERR_FULL or ERR_NOMEM. */
static int head_add(struct answer_head *head, size_t name, size_t name_end, size_t end)
{
    if (!head->headers)
        head->headers = calloc(CLIENT_HEADERS_MAX, sizeof *head->headers);
    if (!head->headers)
        return ERR_NOMEM;
    if (head->count == CLIENT_HEADERS_MAX)
        return ERR_FULL;
    head->headers[head->count++] = (struct http_header){
        str_make((const void *)(uintptr_t)name, name_end - name),
        str_make((const void *)(uintptr_t)name_end, end - name_end),
        field_of(str_make(head->bytes.at + name, name_end - name)),
    };
    return 0;
}

static void head_settle(struct answer_head *head, struct http_response *response)
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

static void head_close(struct answer_head *head)
{
    buf_close(&head->bytes);
    free(head->headers);
}

/* ---- What nghttp2 finds ---- */

static struct client_stream *stream_by_id(nghttp2_session *session, int32_t id)
{
    return nghttp2_session_get_stream_user_data(session, id);
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct client_stream *stream = stream_by_id(session, frame->hd.stream_id);
    (void)user;
    if (stream && stream->response.status < 200) { /* not its trailers */
        buf_clear(&stream->head.bytes);
        stream->head.count = 0;
        stream->final = true;
    }
    return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
                     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
                     void *user)
{
    struct client_stream *stream = stream_by_id(session, frame->hd.stream_id);
    (void)flags, (void)user;
    if (!stream || !stream->final)
        return 0;
    uint64_t status;
    if (str_eq(str_make(name, name_len), STR(":status"))) {
        if (!str_to_u64(str_make(value, value_len), &status) && status <= 999)
            stream->response.status = (int)status;
        return 0;
    }
    struct buf *bytes = &stream->head.bytes;
    size_t at = bytes->len;
    buf_put(bytes, name, name_len);
    buf_put(bytes, value, value_len);
    if (bytes->failed || head_add(&stream->head, at, at + name_len, bytes->len))
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    return 0;
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct http_client *client = user;
    struct client_stream *stream = stream_by_id(session, frame->hd.stream_id);
    if (frame->hd.type == NGHTTP2_GOAWAY)
        client->closed = true;
    if (frame->hd.type != NGHTTP2_HEADERS || !stream || !stream->final)
        return 0;
    head_settle(&stream->head, &stream->response);
    if (stream->response.status < 200)
        return 0;
    stream->final = false;
    if (client->events->head)
        client->events->head(client->user, &stream->response);
    return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
                   size_t len, void *user)
{
    struct http_client *client = user;
    struct client_stream *stream = stream_by_id(session, id);
    (void)flags;
    if (!stream)
        return 0;
    stream->response.body_bytes += len;
    if (client->events->body)
        client->events->body(client->user, &stream->response, str_make(bytes, len));
    return 0;
}

static void free_stream(struct http_client *client, struct client_stream *stream)
{
    *stream->link = stream->next;
    if (stream->next)
        stream->next->link = stream->link;
    client->waiting--;
    head_close(&stream->head);
    free(stream);
}

static void done(struct http_client *client, struct client_stream *stream, bool broken)
{
    stream->response.broken = broken;
    stream->response.keep_alive = !client->closed;
    if (client->events->done)
        client->events->done(client->user, &stream->response);
    free_stream(client, stream);
}

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
    struct client_stream *stream = stream_by_id(session, id);
    if (stream)
        done(user, stream, code != NGHTTP2_NO_ERROR || stream->response.status < 200);
    return 0;
}

static ssize_t read_request_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t room,
                                 uint32_t *flags, nghttp2_data_source *from, void *user)
{
    struct client_stream *stream = from->ptr;
    (void)session, (void)id, (void)user;
    size_t len = stream->body.len < room ? stream->body.len : room;
    memcpy(out, stream->body.at, len);
    stream->body = str_from(stream->body, len);
    if (stream->body.len == 0)
        *flags |= NGHTTP2_DATA_FLAG_EOF;
    return (ssize_t)len;
}

int client_h2_open(struct http_client *client)
{
    static const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, CLIENT_WINDOW},
    };
    nghttp2_session_callbacks *callbacks = NULL;
    if (nghttp2_session_callbacks_new(&callbacks))
        return ERR_NOMEM;
    nghttp2_session_callbacks_set_on_begin_headers_callback(callbacks, on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, on_frame);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
    int err = nghttp2_session_client_new(&client->session, callbacks, client);
    nghttp2_session_callbacks_del(callbacks);
    if (err)
        return ERR_NOMEM;
    nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, settings, COUNT_OF(settings));
    nghttp2_session_set_local_window_size(client->session, NGHTTP2_FLAG_NONE, 0,
                                          CLIENT_CONN_WINDOW);
    return 0;
}

void client_h2_close(struct http_client *client)
{
    nghttp2_session_del(client->session);
    while (client->streams)
        free_stream(client, client->streams);
}

static nghttp2_nv field(struct str name, struct str value)
{
    return (nghttp2_nv){(uint8_t *)(uintptr_t)name.at,
                        (uint8_t *)(uintptr_t)(value.at ? value.at : ""), name.len, value.len,
                        NGHTTP2_NV_FLAG_NONE};
}

static int submit(struct http_client *client, const struct http_request *request,
                  struct client_stream *stream)
{
    nghttp2_nv fields[CLIENT_HEADERS_MAX + 4];
    size_t count = 0;
    fields[count++] = field(STR(":method"), request->method);
    fields[count++] = field(STR(":scheme"), request->scheme.len ? request->scheme : STR("http"));
    fields[count++] = field(STR(":authority"), request->authority);
    fields[count++] = field(STR(":path"), request->target);
    for (unsigned i = 0; i < request->header_count; i++)
        fields[count++] = field(request->headers[i].name, request->headers[i].value);
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = read_request_body};
    int32_t id = nghttp2_submit_request(client->session, NULL, fields, count,
                                        stream->body.len ? &provider : NULL, stream);
    return id > 0 ? 0 : id == NGHTTP2_ERR_NOMEM ? ERR_NOMEM : ERR_CLOSED;
}

int client_h2_request(struct http_client *client, const struct http_request *request, void *tag)
{
    if (!client->session)
        return ERR_CLOSED;
    uint32_t most = nghttp2_session_get_remote_settings(client->session,
                                                        NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    if (client->waiting >= most || request->header_count > CLIENT_HEADERS_MAX)
        return ERR_FULL;
    struct client_stream *stream = calloc(1, sizeof *stream);
    if (!stream)
        return ERR_NOMEM;
    stream->response.tag = tag;
    stream->body = request->body;
    buf_init(&stream->head.bytes, ANSWER_HEAD_BYTES);
    int err = submit(client, request, stream);
    if (err) {
        free(stream);
        return err;
    }
    stream->next = client->streams;
    stream->link = &client->streams;
    if (stream->next)
        stream->next->link = &stream->next;
    client->streams = stream;
    client->waiting++;
    return 0;
}

static void give_up(struct http_client *client)
{
    client->closed = true;
    while (client->streams)
        done(client, client->streams, true);
}

int client_h2_receive(struct http_client *client, const void *bytes, size_t len)
{
    if (!client->session)
        return 0;
    client->parsing = true;
    ssize_t taken = len ? nghttp2_session_mem_recv(client->session, bytes, len) : 0;
    bool ended = len == 0 || taken < 0 || !nghttp2_session_want_read(client->session);
    if (ended) {
        nghttp2_session_del(client->session); /* no callback will find a freed stream */
        client->session = NULL;
        if (taken < 0)
            client->error = nghttp2_strerror((int)taken);
        give_up(client);
    }
    return client_leave(client) ? ERR_CLOSED : taken < 0 ? ERR_INVALID : 0;
}

void client_h2_fill(struct http_client *client)
{
    struct buf *out = &client->out;
    while (client->session && out->len - client->out_at < OUT_BYTES) {
        const uint8_t *bytes = NULL;
        ssize_t len = nghttp2_session_mem_send(client->session, &bytes);
        if (len <= 0)
            break;
        buf_put(out, bytes, (size_t)len);
    }
}
