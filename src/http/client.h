/* HTTP client without I/O: requests in, bytes out; bytes in, answers out. HTTP/1.1 with
 * pipelining, or HTTP/2.
 *
 * Used by the load generator and by the layer-7 load manager, which do the reading and
 * writing. Thread: one at a time. What a callback is given is lent to it, headers until it
 * returns. A callback may call everything here but http_client_receive.
 *
 * HTTP/1.1 answers are taken strictly (RFC 9112), because a load manager stands where a
 * disagreement about their framing is an attack (response splitting, §11.1): bare line ends,
 * folded lines, control characters, two lengths, a length beside a coding, other codings than
 * chunked, bytes that belong to no answer and the like end the connection with ERR_INVALID, and
 * http_client_error says why. Whatever is held of an answer is bounded: 64 KiB of head, as much of
 * trailers, eight answers 1xx. Both of these are checked and dropped.
 *
 * Bodies are lent from what was received and never copied.
 *
 * An upgraded connection (http_client_may_switch, an answer 101) is an answer whose body has no
 * end but the connection's: `head` with status 101, then `body` for what comes.
 */
#ifndef STOA_HTTP_CLIENT_H
#define STOA_HTTP_CLIENT_H

#include "base/err.h"
#include "http/conn.h"

struct http_client;

struct http_request {
    struct str method, target, authority; /* target: "/path?query" */
    struct str scheme;                    /* HTTP/2; empty: "http" */
    const struct http_header *headers;    /* without Host, Content-Length, Transfer-Encoding */
    unsigned header_count;
    struct str body; /* at == NULL: none; HTTP/2 lends it until the answer is there */
};

struct http_response {
    void *tag; /* as given with the request */
    int status;
    const struct http_header *headers; /* in `head` */
    unsigned header_count;
    int64_t content_length; /* as announced; -1: not */
    uint64_t body_bytes;    /* that came so far */
    bool keep_alive;        /* the connection can be used again; known in `done` */
    bool broken;            /* in done: the stream was reset, or the connection ended early */
};

/* Each may be NULL. */
struct http_client_events {
    void (*head)(void *user, const struct http_response *response);
    void (*body)(void *user, const struct http_response *response, struct str bytes);
    /* Once for each request, when its answer is there or never will be. */
    void (*done)(void *user, const struct http_response *response);
};

enum { CLIENT_HEADERS_MAX = 200, CLIENT_WAITING_MAX = 64 };

/* PROTOCOL: HTTP_1 or HTTP_2. EVENTS is lent. NULL without memory. */
struct http_client *http_client_new(enum http_protocol protocol,
                                    const struct http_client_events *events, void *user);
/* Waiting requests are forgotten, without done: this is how one is aborted. */
void http_client_free(struct http_client *client);

/* Formats a request; TAG comes back with the answer. ERR_FULL: 64 are waiting (HTTP/1.1)
 * or no stream is free (HTTP/2); ERR_CLOSED: the server takes no more here; ERR_INVALID:
 * CONNECT, or what could end a line; ERR_NOMEM. */
int http_client_request(struct http_client *client, const struct http_request *request, void *tag);

/* HTTP/1.1 only: the caller sends a request of its own making, and the answer to come
 * belongs to TAG. IS_HEAD: it will have no body. ERR_FULL as above. */
int http_client_expect(struct http_client *client, bool is_head, void *tag);
/* The request expected last asks for an upgrade: its answer 101 may hand the connection over. */
void http_client_may_switch(struct http_client *client);

/* Requests without an answer yet. */
unsigned http_client_waiting(const struct http_client *client);

/* LEN bytes have come; all are taken. 0: the server has closed. 0, or ERR_INVALID: this is not
 * HTTP (all that wait are done, broken), or more came than belongs to an answer; ERR_CLOSED: a
 * callback has freed CLIENT. */
int http_client_receive(struct http_client *client, const void *bytes, size_t len);

/* Why receive said ERR_INVALID, as a sentence without a stop; NULL: it did not. */
const char *http_client_error(const struct http_client *client);

/* What is to be sent, as one piece, lent until the next call; and that LEN of it was. */
struct str http_client_output(struct http_client *client);
void http_client_sent(struct http_client *client, size_t len);

#endif
