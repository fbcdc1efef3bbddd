/* HTTP client without I/O: requests in, bytes out; bytes in, answers out. HTTP/1.1 with
 * pipelining, or HTTP/2.
 *
 * Used by the load generator and by the layer-7 load manager, which do the reading and
 * writing. Thread: one at a time. What a callback is given is lent to it. A callback may
 * call http_client_request, but not http_client_free.
 */
#ifndef STOA_HTTP_CLIENT_H
#define STOA_HTTP_CLIENT_H

#include "base/err.h"
#include "http/conn.h"

struct http_client;

struct http_request {
    struct str method, target, authority; /* target: "/path?query" */
    struct str scheme;                    /* HTTP/2; empty: "http" */
    const struct http_header *headers;    /* without Host, Content-Length, Connection */
    unsigned header_count;
    struct str body; /* at == NULL: none; HTTP/2 lends it until the answer is there */
};

struct http_response {
    void *tag; /* as given with the request */
    int status;
    const struct http_header *headers; /* 1xx answers are passed over */
    unsigned header_count;
    int64_t content_length; /* as announced; -1: not */
    uint64_t body_bytes;    /* that came so far */
    bool keep_alive;        /* the connection can be used again */
    bool broken;            /* in done: the stream was reset, or the connection ended early */
};

/* Each may be NULL. */
struct http_client_events {
    void (*head)(void *user, const struct http_response *response);
    void (*body)(void *user, const struct http_response *response, struct str bytes);
    /* Once for each request, when its answer is there or never will be. */
    void (*done)(void *user, const struct http_response *response);
};

/* PROTOCOL: HTTP_1 or HTTP_2. EVENTS is lent. NULL without memory. */
struct http_client *http_client_new(enum http_protocol protocol,
                                    const struct http_client_events *events, void *user);
/* Waiting requests are forgotten, without done. */
void http_client_free(struct http_client *client);

/* Formats a request; TAG comes back with the answer. ERR_FULL: 64 are waiting (HTTP/1.1)
 * or no stream is free (HTTP/2); ERR_CLOSED: the server takes no more here; ERR_NOMEM. */
int http_client_request(struct http_client *client, const struct http_request *request, void *tag);

/* HTTP/1.1 only: the caller sends a request of its own making, and the answer to come
 * belongs to TAG. IS_HEAD: it will have no body. ERR_FULL as above. */
int http_client_expect(struct http_client *client, bool is_head, void *tag);

/* Requests without an answer yet. */
unsigned http_client_waiting(const struct http_client *client);

/* LEN bytes have come; 0: the server has closed. 0, or ERR_INVALID: this is not HTTP (all
 * that wait are done, broken). */
int http_client_receive(struct http_client *client, const void *bytes, size_t len);

/* What is to be sent, as one piece, lent until the next call; and that LEN of it was. */
struct str http_client_output(struct http_client *client);
void http_client_sent(struct http_client *client, size_t len);

#endif
