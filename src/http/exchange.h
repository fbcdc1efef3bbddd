/* One request and its answer: what an app reads and writes.
 *
 * The connection core (http/conn.h) makes an exchange when a request's head has
 * arrived, the engine shows it to the app (engine/app.h), and the core turns the
 * answer into HTTP/1.1 or HTTP/2 bytes. An app does not know which of the two it
 * is, nor which engine runs it.
 *
 * Ownership: the exchange belongs to its connection and lives until the answer
 * has left (or the client has gone and the app is done with it). Request strings
 * are lent and live as long as the exchange. Answer strings given by the app must
 * live as long: put them in x->arena, or use literals.
 *
 * Thread: an exchange has one owner at a time. On the engine's thread inside
 * accept/handle and the steps given to exchange_continue; on a helper thread
 * inside work. After handle returned APP_LATER, or while a helper works, nothing
 * but exchange_continue, exchange_finish, exchange_wake and exchange_take_more
 * may be called from other threads.
 *
 * Semantics: RFC 9110.
 */
#ifndef STOA_HTTP_EXCHANGE_H
#define STOA_HTTP_EXCHANGE_H

#include "base/arena.h"
#include "base/blob.h"
#include "base/buf.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

enum http_method {
    HTTP_GET,
    HTTP_HEAD,
    HTTP_POST,
    HTTP_PUT,
    HTTP_DELETE,
    HTTP_PATCH,
    HTTP_OPTIONS,
    HTTP_OTHER, /* see exchange.method_name */
};

/* Header fields the shop looks at, found without a search: x->known[...]. */
#define HTTP_FIELD_LIST(X)                    \
    X(HOST, "host")                           \
    X(COOKIE, "cookie")                       \
    X(CONTENT_TYPE, "content-type")           \
    X(CONTENT_LENGTH, "content-length")       \
    X(CONTENT_ENCODING, "content-encoding")   \
    X(TRANSFER_ENCODING, "transfer-encoding") \
    X(CONNECTION, "connection")               \
    X(EXPECT, "expect")                       \
    X(ACCEPT, "accept")                       \
    X(ACCEPT_ENCODING, "accept-encoding")     \
    X(ACCEPT_LANGUAGE, "accept-language")     \
    X(AUTHORIZATION, "authorization")         \
    X(IF_NONE_MATCH, "if-none-match")         \
    X(IF_MODIFIED_SINCE, "if-modified-since") \
    X(IF_RANGE, "if-range")                   \
    X(RANGE, "range")                         \
    X(ORIGIN, "origin")                       \
    X(REFERER, "referer")                     \
    X(SEC_FETCH_SITE, "sec-fetch-site")       \
    X(USER_AGENT, "user-agent")               \
    X(UCP_AGENT, "ucp-agent")                 \
    X(REQUEST_ID, "request-id")               \
    X(IDEMPOTENCY_KEY, "idempotency-key")     \
    X(X_FORWARDED_FOR, "x-forwarded-for")     \
    X(X_FORWARDED_PROTO, "x-forwarded-proto") \
    X(X_FORWARDED_HOST, "x-forwarded-host")   \
    X(FORWARDED, "forwarded")                 \
    X(VIA, "via")                             \
    X(UPGRADE, "upgrade")                     \
    X(TE, "te")                               \
    X(TRAILER, "trailer")                     \
    X(KEEP_ALIVE, "keep-alive")               \
    X(PROXY_CONNECTION, "proxy-connection")   \
    X(DATE, "date")                           \
    X(SERVER, "server")

enum http_field {
    HTTP_FIELD_UNKNOWN,
#define X(id, name) HTTP_FIELD_##id,
    HTTP_FIELD_LIST(X)
#undef X
        HTTP_FIELD_COUNT
};

struct http_header {
    struct str name; /* lower case for HTTP/2, as sent for HTTP/1.1 */
    struct str value;
    enum http_field field;
};

struct exchange;
struct endpoint; /* net/socket.h */

/* Takes a request body piece by piece, on the engine's thread. */
enum sink_verdict {
    SINK_MORE,  /* taken; go on */
    SINK_PAUSE, /* taken; nothing more until exchange_take_more(x) */
    SINK_STOP,  /* the answer has been written already; drop the rest, close */
};
struct body_sink {
    /* Never empty, but at the client's end of an upgraded connection. */
    enum sink_verdict (*data)(struct exchange *x, struct str bytes);
};

/* Gives an answer's body piece by piece, on the engine's thread. */
enum source_verdict {
    SOURCE_MORE, /* *LEN bytes, at least one, were written to OUT; ask again */
    SOURCE_END,  /* *LEN bytes were written, and that is all */
    SOURCE_WAIT, /* nothing now; exchange_wake(x) will be called */
    SOURCE_FAIL, /* cannot go on; the connection (stream) is reset */
};
struct body_source {
    /* May be NULL when the next two are not. */
    enum source_verdict (*read)(struct exchange *x, char *out, size_t room, size_t *len);
    /* May be NULL: lends the body instead of copying it. All there is, at most MAX PIECES in
     * their order, none of them empty; those not taken yet come again. A piece stays as it is
     * until it is taken, or X ends. SOURCE_MORE: there is at least one; SOURCE_END: these are
     * the last, or there is none. */
    enum source_verdict (*lend)(struct exchange *x, struct iovec *pieces, int max, int *count);
    /* LEN bytes of what was lent are no longer needed. */
    void (*taken)(struct exchange *x, size_t len);
};

/* A complete answer kept ready to be sent many times (a response cache's entry,
 * a static asset). Immutable and shared; see exchange_page. */
struct http_page;

/* What the engine does for an exchange; filled in by the engine. */
struct exchange_runner {
    /* Any thread: have x->step run on x's own thread soon. */
    void (*resume)(struct exchange_runner *runner, struct exchange *x);
    /* x's thread: run x->work on a helper thread, then x->step on x's own. */
    void (*offload)(struct exchange_runner *runner, struct exchange *x);
    /* x's thread: have http_conn_nudge called soon for x's connection, then send. */
    void (*touch)(struct exchange_runner *runner, struct exchange *x);
};

struct exchange_cleanup {
    struct exchange_cleanup *next;
    void (*run)(void *argument);
    void *argument;
};

enum answer_kind {
    ANSWER_NONE,
    ANSWER_BYTES,
    ANSWER_BLOB,
    ANSWER_FILE,
    ANSWER_SOURCE,
    ANSWER_PAGE
};

struct exchange {
    /* The request. Set before the app sees the exchange. */
    enum http_method method;
    struct str method_name;
    struct str target;  /* as received */
    struct str path;    /* target without query; percent-encoded as received; starts with '/' */
    struct str query;   /* after '?', without it; empty when there is none */
    struct str scheme;  /* "http" or "https" */
    struct str host;    /* Host or :authority */
    struct str peer;    /* the client's address without port, as text */
    unsigned version;   /* 10, 11 or 20 */
    bool wants_upgrade; /* HTTP/1.1: its Connection names Upgrade, and it has no body; see
                           known[HTTP_FIELD_UPGRADE] and exchange_upgrade */
    struct http_header *headers;
    unsigned header_count;
    struct str known[HTTP_FIELD_COUNT]; /* at == NULL: not sent. Repeats: first one, but Cookie is
                                           joined by "; " (RFC 9113 §8.2.3) */
    int64_t content_length;             /* -1: unknown (chunked) or none */
    bool has_body;

    /* How the body is wanted. Set in accept. */
    uint64_t body_limit;          /* more than this: 413. The core's default stands at accept */
    const struct body_sink *sink; /* NULL: collect into `body` */
    struct str body;              /* complete when handle is called, unless a sink took it */

    /* The answer. */
    int status;
    enum answer_kind answer;
    struct http_header *answer_headers;
    unsigned answer_header_count, answer_header_room;
    struct str bytes;
    struct blob *blob;
    int file;
    uint64_t file_offset;
    const struct body_source *source;
    uint64_t length; /* of the body; UINT64_MAX: not known in advance */
    struct http_page *page;
    bool compressible; /* gzip it when the client takes it and it gains */
    bool close;        /* close the connection after this answer (HTTP/1.1) */
    bool dropped;      /* exchange_drop */
    bool as_is;        /* another server's answer: no conditions, ranges or compression; the app
                          gives Date, if there is one */

    /* For the app: its own state for this exchange, and the state that the app
     * made for the thread that runs it (engine/app.h: thread_start). */
    void *state;
    void *thread_state;

    struct arena arena;
    uint64_t started_ns; /* when the head was complete; less what the engine knows that it waited */

    /* For the engine and the core. */
    struct exchange_runner *runner;
    void (*step)(struct exchange *x); /* NULL: finish */
    void (*work)(struct exchange *x);
    struct exchange_cleanup *cleanups;
    void *conn;            /* struct http_conn; NULL when the client has gone */
    struct exchange *next; /* in whatever queue it stands; the core does not use it */
    bool client_gone;      /* the answer will go nowhere */

    /* May be NULL; set by an app that uses X on its own thread alone. Called there, once, when X
     * is of no use any more while the app still has to do with it (the client has gone, the answer
     * took too long): what paused or waited is over; after APP_LATER exchange_finish is still to
     * come, and may be called from here. */
    void (*gone)(struct exchange *x);
};

/* ---- Asking about the request ---- */

/* Value of the header NAME (any case), or at == NULL. For fields in the list
 * above use x->known[]. */
struct str exchange_header(const struct exchange *x, struct str name);

/* Value of cookie NAME, or at == NULL. */
struct str exchange_cookie(const struct exchange *x, struct str name);

/* Value of parameter NAME in the query string, percent- and '+'-decoded into the
 * arena, or at == NULL. */
struct str exchange_query(struct exchange *x, struct str name);

/* The same for a body of type application/x-www-form-urlencoded. */
struct str exchange_form(struct exchange *x, struct str name);

/* The addresses at both ends of its connection; of a client behind a proxy in front (PROXY
 * protocol) those that the proxy named. False: not known, or the client has gone. */
bool exchange_addresses(const struct exchange *x, struct endpoint *client, struct endpoint *here);

/* Whether the client has closed its side of the connection: mostly it has gone, but it may wait
 * half-closed for its answer. Own thread; known as soon as the engine has read so far. */
bool exchange_has_hung_up(const struct exchange *x);

/* ---- Answering (before the exchange is finished) ---- */

/* Adds an answer header. Content-Length, Date (but see as_is), Connection, Transfer-Encoding and
 * Content-Encoding are the core's. Values with CR, LF or NUL are a CHECK. */
void exchange_add_header(struct exchange *x, struct str name, struct str value);

/* The whole answer in one call: STATUS, Content-Type TYPE, BODY (lent). */
void exchange_reply(struct exchange *x, int status, struct str type, struct str body);

/* The body is PART of BLOB; the exchange takes a reference of its own. */
void exchange_reply_blob(struct exchange *x, int status, struct str type, struct blob *blob,
                         struct str part);

/* The body is LENGTH bytes of FD from OFFSET; the exchange closes FD. */
void exchange_reply_file(struct exchange *x, int status, struct str type, int fd, uint64_t offset,
                         uint64_t length);

/* The body comes from SOURCE (lent); LENGTH UINT64_MAX when unknown. */
void exchange_reply_source(struct exchange *x, int status, struct str type,
                           const struct body_source *source, uint64_t length);

/* 101: the connection speaks another protocol from here on, which the answer's headers name
 * (Upgrade; Connection is the core's). What the client sends goes to SINK, and empty bytes when it
 * has ended its side; what goes to it comes from SOURCE, after whose end the connection is closed.
 * Only with x->wants_upgrade. Both are lent; own thread, and exchange_nudge in place of _take_more
 * and _wake. */
void exchange_upgrade(struct exchange *x, const struct body_sink *sink,
                      const struct body_source *source);

/* In place of an answer: the connection (HTTP/2: the stream) is reset without a byte, as when the
 * server had died just then. For what plays a server that fails. */
void exchange_drop(struct exchange *x);

/* The ready-made PAGE: the core answers 304 to a matching If-None-Match, leaves
 * the body out for HEAD, and picks the gzip form. Takes a reference of its own. */
void exchange_page(struct exchange *x, struct http_page *page);

/* ---- Going on ---- */

/* Runs CLEANUP(ARGUMENT) when the exchange ends, however it ends. */
int exchange_at_end(struct exchange *x, void (*cleanup)(void *argument), void *argument);

/* Any thread, once per APP_LATER: have STEP run on the exchange's own thread. STEP
 * ends in exchange_finish, or in another way of waiting. */
void exchange_continue(struct exchange *x, void (*step)(struct exchange *x));

/* The answer is complete. After APP_LATER from any thread; in a step too. */
void exchange_finish(struct exchange *x);

/* Own thread, then return APP_LATER (or from a step just return): WORK runs on a
 * helper thread, where it may block; THEN runs on the own thread after it. */
void exchange_offload(struct exchange *x, void (*work)(struct exchange *x),
                      void (*then)(struct exchange *x));

/* Any thread: the sink that paused takes more. */
void exchange_take_more(struct exchange *x);
/* Any thread: the source that waited has something. */
void exchange_wake(struct exchange *x);

/* Own thread, as often as one likes, in place of the two above, by an app that sets x->gone:
 * whatever of X paused or waited is looked at again soon. When an answer has been written although
 * the body has not come to its end, it is sent, and the rest of the body is dropped; handle is not
 * called then. */
void exchange_nudge(struct exchange *x);

/* ---- Ready-made pages ---- */

/* A page of STATUS with a Content-Type, a Cache-Control (may be empty), a body
 * (copied) and an ETag made from it. With COMPRESS a gzip form is made too where
 * it gains a tenth. One reference; NULL without memory. Thread: any. */
struct http_page *http_page_new(int status, struct str type, struct str cache_control,
                                struct str body, bool compress);
struct http_page *http_page_hold(struct http_page *page);
void http_page_drop(struct http_page *page); /* NULL is fine */
/* The same with MORE headers that every answer with it carries (Content-Security-Policy
 * and the like): cheaper than exchange_add_header for each. */
struct http_page *http_page_with(int status, struct str type, struct str cache_control,
                                 const struct http_header *more, unsigned count, struct str body,
                                 bool compress);
/* Bytes of memory that it takes. */
size_t http_page_size(const struct http_page *page);

#endif
