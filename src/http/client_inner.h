/* Inside of the client: what its two protocols share.
 *
 *   client.c       the calls, for both protocols
 *   client_ask.c   HTTP/1.1: requests, written
 *   client_h1.c    HTTP/1.1: answers, read
 *   client_h2.c    HTTP/2, both ways
 */
#ifndef STOA_HTTP_CLIENT_INNER_H
#define STOA_HTTP_CLIENT_INNER_H

#include "http/chunked.h"
#include "http/client.h"
#include "http/fields.h"

#include <nghttp2/nghttp2.h>

/* Bounds on an answer: its status line and headers, its trailers likewise; and how many answers 1xx
 * may come before the one that counts. */
enum { ANSWER_HEAD_BYTES = 64 << 10, ANSWER_INTERIMS = 8 };

/* HTTP/2: a head being put together: bytes, and headers as offsets until it is complete. */
struct answer_head {
    struct buf bytes;
    struct http_header *headers; /* CLIENT_HEADERS_MAX of them, made at the first */
    unsigned count;
};

/* HTTP/2: one request. */
struct client_stream {
    struct http_response response;
    struct answer_head head;
    struct str body;                    /* of the request, what is left of it */
    struct client_stream *next, **link; /* in client->streams */
    bool final;                         /* the header block now coming is the answer's */
};

/* HTTP/1.1: what comes next from the server.
 *
 *              ┌── interim ──┐
 *              ▼             │
 *   ┌───────▶ HEAD ──────────┴──▶ LENGTH ───────────────┐
 *   │          ├────────────────▶ CHUNKS ──▶ TRAILERS ──┤
 *   │          ├──▶ UNTIL_CLOSE ──(the connection ends)─┤
 *   │          └──(no body)─────────────────────────────┤
 *   └───────────────────────────────(kept alive)────────┴──▶ OVER: the rest is dropped
 */
enum answer_state {
    ANSWER_HEAD,
    ANSWER_LENGTH,
    ANSWER_CHUNKS,
    ANSWER_TRAILERS,
    ANSWER_UNTIL_CLOSE,
    ANSWER_OVER,
};

struct waiting {
    void *tag;
    bool is_head, upgrade;
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
    struct waiting queue[CLIENT_WAITING_MAX]; /* a ring */
    unsigned first;
    struct http_response response;
    enum answer_state state;
    struct fields_scan scan;
    struct chunked chunked;
    uint64_t left; /* of the body, by its length */
    unsigned interims;
    struct buf held; /* received, not parsed: the begin of a head */
    bool parsing;    /* in a callback, perhaps */
    bool freed;      /* by a callback: receive does it */
    bool ended;      /* the server has closed */
    const char *error;

    /* HTTP/2 */
    nghttp2_session *session;
    struct client_stream *streams;
};

/* client_ask.c */
int client_ask(struct http_client *client, const struct http_request *request, void *tag);

/* client_h1.c */
int client_h1_receive(struct http_client *client, const void *bytes, size_t len);

/* client_h2.c */
int client_h2_open(struct http_client *client);
void client_h2_close(struct http_client *client);
int client_h2_request(struct http_client *client, const struct http_request *request, void *tag);
int client_h2_receive(struct http_client *client, const void *bytes, size_t len);
void client_h2_fill(struct http_client *client);

/* client.c: the caller's callbacks are over; frees what one of them has freed. True: it did. */
bool client_leave(struct http_client *client);

#endif
