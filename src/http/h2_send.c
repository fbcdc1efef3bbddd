/* HTTP/2, sending: answers become header lists and data that nghttp2 asks for when the
 * windows allow.
 */
#include "base/check.h"
#include "http/core.h"

#include <stdio.h>

/* A header list being made; ROOM was reckoned before. */
struct list_of_fields {
    nghttp2_nv *at;
    size_t count;
};

static void add(struct list_of_fields *list, struct str name, struct str value)
{
    list->at[list->count++] = (nghttp2_nv){(uint8_t *)(uintptr_t)name.at,
                                           (uint8_t *)(uintptr_t)(value.at ? value.at : ""),
                                           name.len, value.len, NGHTTP2_NV_FLAG_NONE};
}

static void add_headers(struct list_of_fields *list, const struct http_header *headers,
                        unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (headers[i].name.len && headers[i].field != HTTP_FIELD_CONNECTION &&
            headers[i].field != HTTP_FIELD_TRANSFER_ENCODING)
            add(list, headers[i].name, headers[i].value);
}

static ssize_t read_body(nghttp2_session *session, int32_t id, uint8_t *out, size_t room,
                         uint32_t *flags, nghttp2_data_source *from, void *user)
{
    struct stream *stream = from->ptr;
    struct http_conn *conn = user;
    size_t len = 0;
    (void)session, (void)id;
    switch (body_read(stream, (char *)out, room, &len)) {
    case SOURCE_FAIL:
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    case SOURCE_WAIT:
        return NGHTTP2_ERR_DEFERRED;
    case SOURCE_END:
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        break;
    case SOURCE_MORE:
        break;
    }
    stream->heard_ns = conn->now_ns;
    stream->reply.sent += len;
    return (ssize_t)len;
}

static const struct page_form *list_page(struct stream *stream, struct list_of_fields *list)
{
    const struct http_page *page = stream->x.page;
    const struct page_form *form = page_prepare(stream);
    add_headers(list, page->headers, page->header_count);
    add(list, STR("etag"), form ? form->etag : page->plain.etag);
    if (form && form == &page->gzip)
        add(list, STR("content-encoding"), STR("gzip"));
    return form;
}

static void list_reply(struct stream *stream, struct list_of_fields *list)
{
    const struct exchange *x = &stream->x;
    const struct reply *reply = &stream->reply;
    if (reply->range[0])
        add(list, STR("content-range"), str_of(reply->range));
    else if (x->answer == ANSWER_FILE && x->status == 200 && !x->compressible)
        add(list, STR("accept-ranges"), STR("bytes"));
    if (reply->gzip)
        add(list, STR("content-encoding"), STR("gzip"));
    if (reply->vary)
        add(list, STR("vary"), STR("accept-encoding"));
}

static int submit(struct http_conn *conn, struct stream *stream)
{
    struct exchange *x = &stream->x;
    enum { CORE_FIELDS = 10 };
    size_t room = CORE_FIELDS + x->answer_header_count + (x->page ? x->page->header_count : 0);
    struct list_of_fields list = {ARENA_ARRAY(&x->arena, nghttp2_nv, room), 0};
    char status[8], length[24];
    if (!list.at)
        return ERR_NOMEM;
    add(&list, STR(":status"), STR("")); /* known when the answer is prepared */
    if (!answer_has_date(x))
        add(&list, STR("date"), str_make(spare_date(conn->host), 29));
    if (x->answer == ANSWER_PAGE)
        list_page(stream, &list);
    else
        answer_prepare(stream);
    add_headers(&list, x->answer_headers, x->answer_header_count);
    if (x->answer != ANSWER_PAGE)
        list_reply(stream, &list);
    if (x->length != UINT64_MAX && x->status != 204 && x->status != 304) {
        int len = snprintf(length, sizeof length, "%llu", (unsigned long long)x->length);
        add(&list, STR("content-length"), str_make(length, (size_t)len));
    }
    snprintf(status, sizeof status, "%03d", x->status);
    list.at[0].value = (uint8_t *)status;
    list.at[0].valuelen = 3;
    nghttp2_data_provider provider = {.source.ptr = stream, .read_callback = read_body};
    bool body = stream->reply.body && stream->reply.left > 0;
    return nghttp2_submit_response(conn->h2.session, stream->id, list.at, list.count,
                                   body ? &provider : NULL);
}

void h2_answer(struct stream *stream)
{
    struct http_conn *conn = conn_of(stream);
    stream->state = STREAM_SENDING;
    stream->since_ns = stream->heard_ns = conn->now_ns;
    if (stream->x.dropped || submit(conn, stream))
        nghttp2_submit_rst_stream(conn->h2.session, NGHTTP2_FLAG_NONE, stream->id,
                                  NGHTTP2_INTERNAL_ERROR);
}

void h2_wake(struct stream *stream)
{
    struct http_conn *conn = conn_of(stream);
    stream->since_ns = stream->heard_ns = conn->now_ns;
    stream->reply.sent = 0;
    nghttp2_session_resume_data(conn->h2.session, stream->id);
}

void h2_reset(struct stream *stream)
{
    struct http_conn *conn = conn_of(stream);
    stream->heard_ns = stream->since_ns = conn->now_ns;
    nghttp2_submit_rst_stream(conn->h2.session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_CANCEL);
}

int h2_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
    struct stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);
    bool last = (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS) &&
                (frame->hd.flags & NGHTTP2_FLAG_END_STREAM);
    (void)user;
    if (stream && last && !stream->end_seen) /* RFC 9113 §8.1: stop sending, no error */
        nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, stream->id, NGHTTP2_NO_ERROR);
    return 0;
}

int h2_output(struct http_conn *conn, struct iovec *pieces, int max)
{
    struct buf *out = &conn->out;
    if (!out->cap && nghttp2_session_want_write(conn->h2.session))
        spare_buf(conn->host, out);
    while (out->len - conn->out_at < FILL_BYTES) {
        const uint8_t *bytes = NULL;
        ssize_t len = nghttp2_session_mem_send(conn->h2.session, &bytes);
        if (len <= 0) {
            conn->dead = conn->dead || len < 0;
            break;
        }
        buf_put(out, bytes, (size_t)len);
    }
    if (out->failed)
        conn->dead = true;
    if (conn->dead || out->len == conn->out_at || max < 1)
        return 0;
    pieces[0] = (struct iovec){out->at + conn->out_at, out->len - conn->out_at};
    return 1;
}

void h2_sent(struct http_conn *conn, size_t len)
{
    struct buf *out = &conn->out;
    CHECK(len <= out->len - conn->out_at);
    conn->out_at += len;
    if (conn->out_at < out->len)
        return;
    out->len = conn->out_at = 0;
    if (out->cap && conn->stream_count == 0)
        spare_give_buf(conn->host, out);
}

bool h2_finished(const struct http_conn *conn)
{
    nghttp2_session *session = conn->h2.session;
    if (conn->out.len > conn->out_at || nghttp2_session_want_write(session))
        return false;
    return !nghttp2_session_want_read(session) || (conn->h2.goaway && conn->stream_count == 0);
}
