/* Inside of the client: what its two protocols share. */
#ifndef STOA_HTTP_CLIENT_INNER_H
#define STOA_HTTP_CLIENT_INNER_H

#include "http/client.h"
#include "http/parser.h"

#include <nghttp2/nghttp2.h>

enum { WAITING_MOST = 64, ANSWER_HEAD_BYTES = 64 << 10, ANSWER_HEADERS = 200 };

/* A head being put together: bytes, and headers as offsets until it is complete. */
struct answer_head {
    struct buf bytes;
    struct http_header *headers; /* ANSWER_HEADERS of them, made at the first */
    unsigned count;
};

struct waiting {
    void *tag;
    bool is_head;
};

/* HTTP/2: one request. */
struct client_stream {
    struct http_response response;
    struct answer_head head;
    struct str body;                    /* of the request, what is left of it */
    struct client_stream *next, **link; /* in client->streams */
    bool final;                         /* the header block now coming is the answer's */
};

struct http_client {
    enum http_protocol protocol;
    const struct http_client_events *events;
    void *user;
    struct buf out;
    size_t out_at;
    bool closed; /* no further requests */
    unsigned waiting;

    /* HTTP/1.1 */
    llhttp_t parser;
    struct waiting queue[WAITING_MOST]; /* a ring */
    unsigned first;
    struct http_response response;
    struct answer_head head;
    size_t name_at, name_end;
    bool in_head;

    /* HTTP/2 */
    nghttp2_session *session;
    struct client_stream *streams;
};

/* 0, ERR_FULL or ERR_NOMEM. */
int answer_head_add(struct answer_head *head, size_t name, size_t name_end, size_t end);
void answer_head_settle(struct answer_head *head, struct http_response *response);
void answer_head_close(struct answer_head *head);

int client_h2_open(struct http_client *client);
void client_h2_close(struct http_client *client);
int client_h2_request(struct http_client *client, const struct http_request *request, void *tag);
int client_h2_receive(struct http_client *client, const void *bytes, size_t len);
void client_h2_fill(struct http_client *client);

#endif
