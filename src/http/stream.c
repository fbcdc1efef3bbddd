#include "base/check.h"
#include "http/core.h"
#include "http/gzip.h"

#include <stdlib.h>
#include <unistd.h>

/* Makes a reused stream new; what it owns (arena, buffers, header array) stays. */
static void stream_clear(struct stream *stream)
{
    struct arena arena = stream->x.arena;
    struct buf head = stream->head, body = stream->body;
    struct http_header *headers = stream->headers;
    unsigned room = stream->header_room;
    memset(stream, 0, sizeof *stream);
    buf_clear(&head);
    buf_clear(&body);
    stream->x.arena = arena;
    stream->head = head;
    stream->body = body;
    stream->headers = headers;
    stream->header_room = room;
}

struct stream *stream_new(struct http_conn *conn)
{
    struct stream *stream = spare_stream(conn->host);
    if (!stream)
        return NULL;
    stream_clear(stream);
    struct exchange *x = &stream->x;
    x->conn = conn;
    x->runner = conn->host->runner;
    memcpy(stream->peer, conn->peer, sizeof stream->peer);
    x->peer = str_make(stream->peer, conn->peer_len);
    x->scheme = conn->tls ? STR("https") : STR("http");
    x->content_length = -1;
    x->file = -1;
    x->length = UINT64_MAX;
    stream->home = conn;
    stream->host = conn->host;
    stream->state = STREAM_HEAD;
    stream->since_ns = conn->now_ns;
    x->version = conn->protocol == HTTP_2 ? 20 : 11;
    list_append(&conn->streams, &stream->link);
    conn->stream_count++;
    conn->requests++;
    return stream;
}

int stream_add_header(struct stream *stream, size_t name, size_t name_end, size_t end)
{
    struct http_conn *conn = conn_of(stream);
    unsigned count = stream->x.header_count;
    if (count >= conn->limits.header_count)
        return ERR_FULL;
    if (count == stream->header_room) {
        unsigned room = stream->header_room ? stream->header_room * 2 : 16;
        struct http_header *grown = realloc(stream->headers, room * sizeof *grown);
        if (!grown)
            return ERR_NOMEM;
        stream->headers = grown;
        stream->header_room = room;
    }
    const char *base = stream->head.at;
    struct http_header *header = &stream->headers[count];
    /* Kept as offsets while the buffer may still move; see stream_accept. */
    header->name = str_make((const void *)(uintptr_t)name, name_end - name);
    header->value = str_make((const void *)(uintptr_t)name_end, end - name_end);
    header->field = field_of(str_make(base + name, name_end - name));
    stream->x.header_count = count + 1;
    return 0;
}

/* The head is over: offsets become pointers. */
void stream_settle(struct stream *stream)
{
    const char *base = stream->head.at;
    stream->x.headers = stream->headers;
    for (unsigned i = 0; i < stream->x.header_count; i++) {
        struct http_header *header = &stream->headers[i];
        header->name.at = base + (uintptr_t)header->name.at;
        header->value = str_trim(str_make(base + (uintptr_t)header->value.at, header->value.len));
        if (!header->value.at)
            header->value.at = "";
    }
}

void stream_accept(struct stream *stream)
{
    struct http_conn *conn = conn_of(stream);
    struct exchange *x = &stream->x;
    x->started_ns = stream->since_ns = stream->heard_ns = conn->now_ns;
    x->body_limit = conn->limits.body_bytes;
    stream->state = STREAM_BODY;
    conn->host->accept(conn->host, x);
    if (x->status != 0) {
        stream_answer(stream);
        return;
    }
    if (x->content_length > 0 && (uint64_t)x->content_length > x->body_limit)
        stream_refuse(stream, 413, "the body is larger than this address takes");
}

bool stream_body(struct stream *stream, struct str bytes)
{
    struct http_conn *conn = conn_of(stream);
    struct exchange *x = &stream->x;
    if (bytes.len == 0) /* what looks for the end may find none: an app could take it for one */
        return true;
    stream->heard_ns = conn->now_ns;
    stream->body_seen += bytes.len;
    if (stream->body_seen > x->body_limit) {
        stream_refuse(stream, 413, "the body is larger than this address takes");
        return false;
    }
    if (!x->sink) {
        buf_str(&stream->body, bytes);
        if (!stream->body.failed)
            return true;
        stream_refuse(stream, 503, "out of memory");
        return false;
    }
    stream_adopt(stream);
    switch (x->sink->data(x, bytes)) {
    case SINK_MORE:
        return true;
    case SINK_PAUSE:
        stream->paused = true;
        stream->host->suspended++;
        return false;
    case SINK_STOP:
        x->close = true;
        stream_answer(stream);
        return false;
    }
    return false;
}

void stream_complete(struct stream *stream)
{
    struct http_conn *conn = conn_of(stream);
    stream->body_complete = true;
    if (stream->state != STREAM_BODY)
        return;
    if (!stream->x.sink)
        stream->x.body = stream->body.len ? buf_text(&stream->body) : STR("");
    stream->state = STREAM_HANDLED;
    stream->since_ns = conn->now_ns;
    stream->in_app = true;
    conn->host->handle(conn->host, &stream->x);
}

/* Gives back what an answer holds. */
static void answer_clear(struct stream *stream)
{
    struct exchange *x = &stream->x;
    if (x->answer == ANSWER_FILE && x->file >= 0)
        close(x->file);
    blob_drop(x->blob);
    http_page_drop(x->page);
    if (stream->reply.deflate)
        gzip_stream_free(stream->reply.deflate);
    stream->reply = (struct reply){0};
    x->file = -1;
    x->blob = NULL;
    x->page = NULL;
    x->source = NULL;
    x->answer = ANSWER_NONE;
    x->answer_header_count = 0;
    x->compressible = false;
}

void stream_answer(struct stream *stream)
{
    stream->state = STREAM_ANSWERED;
    if (stream->x.status == 0)
        exchange_reply(&stream->x, 500, STR("text/plain"), STR("the app gave no answer\n"));
    if (conn_of(stream)->protocol == HTTP_2)
        h2_answer(stream);
    else
        h1_answer(stream);
}

void stream_refuse(struct stream *stream, int status, const char *text)
{
    struct exchange *x = &stream->x;
    struct http_host *host = conn_of(stream)->host;
    CHECK(!stream_is_held(stream));
    if (host->refused)
        host->refused(host, status);
    answer_clear(stream);
    struct str body = arena_printf(&x->arena, "%d: %s\n", status, text);
    exchange_reply(x, status, STR("text/plain"), body.at ? body : STR(""));
    if (status == 503)
        exchange_add_header(x, STR("Retry-After"), STR("1"));
    x->close = true;
    stream_answer(stream);
}

void stream_replace(struct stream *stream, int status, const char *text)
{
    struct http_conn *conn = conn_of(stream);
    struct stream *other = stream_new(conn);
    if (!other) {
        conn->dead = true;
        return;
    }
    conn->requests--;
    list_remove(&other->link); /* to STREAM's place in the order */
    list_append(&stream->link, &other->link);
    other->id = stream->id;
    other->old = stream->old;
    other->keep_alive = stream->keep_alive;
    other->body_complete = stream->body_complete;
    other->end_seen = stream->end_seen;
    other->x.method = stream->x.method;
    if (conn->protocol == HTTP_2)
        nghttp2_session_set_stream_user_data(conn->h2.session, other->id, other);
    else if (conn->h1.reading == stream)
        conn->h1.reading = other;
    stream_end(stream);
    stream_refuse(other, status, text);
}

static void stream_free(struct stream *stream)
{
    struct http_conn *conn = conn_of(stream);
    stream_adopt(stream);
    while (stream->x.cleanups) {
        struct exchange_cleanup *cleanup = stream->x.cleanups;
        stream->x.cleanups = cleanup->next;
        cleanup->run(cleanup->argument);
    }
    answer_clear(stream);
    spare_give_stream(conn ? conn->host : NULL, stream);
}

/* Nothing is asked of the sink or the source any more. True: something was awaited of them. */
static bool let_go(struct stream *stream)
{
    unsigned held = (unsigned)stream->paused + (unsigned)stream->waiting;
    stream->paused = stream->waiting = false;
    stream->host->suspended -= held;
    return held > 0;
}

static void tell_gone(struct stream *stream)
{
    void (*gone)(struct exchange * x) = stream->x.gone;
    stream->x.gone = NULL;
    stream->x.conn = NULL;
    stream->orphan = true;
    __atomic_store_n(&stream->x.client_gone, true, __ATOMIC_RELAXED);
    stream_adopt(stream);
    gone(&stream->x);
    let_go(stream);
}

void stream_end(struct stream *stream)
{
    struct http_conn *conn = conn_of(stream);
    list_remove(&stream->link);
    conn->stream_count--;
    if (conn->stream_count == 0)
        conn->idle_ns = conn->now_ns;
    if (conn->protocol != HTTP_2 && conn->h1.reading == stream)
        conn->h1.reading = NULL;
    if (conn->protocol != HTTP_2 && conn->h1.tunnel == stream)
        conn->h1.tunnel = NULL;
    if (stream->x.gone && stream_is_held(stream))
        tell_gone(stream);
    if (!stream_is_held(stream)) {
        stream_free(stream);
        return;
    }
    stream->orphan = true;
    stream->x.conn = NULL;
    __atomic_store_n(&stream->x.client_gone, true, __ATOMIC_RELAXED);
    list_append(&conn->orphans, &stream->link);
    conn->orphan_count++;
}

/* The app has let go of an orphan. */
static void orphan_released(struct stream *stream)
{
    struct http_conn *conn = conn_of(stream);
    if (stream_is_held(stream))
        return;
    list_remove(&stream->link);
    if (conn)
        conn->orphan_count--;
    stream_free(stream);
}

void http_conn_answered(struct exchange *x, uint64_t now_ns)
{
    struct stream *stream = stream_of(x);
    CHECK(stream->in_app);
    stream->in_app = false;
    if (stream->orphan) {
        orphan_released(stream);
        return;
    }
    struct http_conn *conn = conn_of(stream);
    conn->now_ns = now_ns;
    stream_answer(stream);
    if (conn->protocol == HTTP_1)
        h1_resume(conn);
}

/* True: what was awaited was its file. */
static bool end_fetch(struct stream *stream)
{
    bool fetched = stream->fetching;
    stream->fetching = false;
    stream->host->suspended -= fetched;
    return fetched;
}

void http_conn_woken(struct exchange *x, uint64_t now_ns)
{
    struct stream *stream = stream_of(x);
    bool fetched = end_fetch(stream);
    if (stream->orphan) {
        if (let_go(stream) || fetched)
            orphan_released(stream);
        return;
    }
    conn_of(stream)->now_ns = now_ns;
    stream_go_on(stream);
    if (fetched && conn_of(stream)->protocol == HTTP_2)
        h2_wake(stream);
}

void stream_go_on(struct stream *stream)
{
    struct http_conn *conn = conn_of(stream);
    uint64_t now_ns = conn->now_ns;
    bool paused = stream->paused, waiting = stream->waiting;
    let_go(stream);
    if (stream->state == STREAM_BODY && stream->x.status != 0) {
        if (conn->protocol == HTTP_2)
            h2_drop_held(stream);
        stream_answer(stream); /* which did not wait for all of the request */
        if (conn->protocol == HTTP_1)
            h1_resume(conn);
        return;
    }
    if (paused) {
        stream->since_ns += now_ns - stream->heard_ns; /* a pause is not the client's slowness */
        stream->heard_ns = now_ns;
    }
    if (conn->protocol == HTTP_2) {
        if (paused)
            h2_take_more(stream);
        else if (waiting)
            h2_wake(stream);
    } else if (paused) {
        h1_resume(conn);
    }
}
