/* Inside of the connection core: what conn.c, h1*.c, h2*.c and their parts share.
 *
 * Included by src/http/ alone. Thread: the connection's own.
 */
#ifndef STOA_HTTP_CORE_H
#define STOA_HTTP_CORE_H

#include "base/err.h"
#include "base/list.h"
#include "http/conn.h"
#include "http/parser.h"

#include <nghttp2/nghttp2.h>

enum {
    COPY_BELOW = 4096,      /* bodies up to this are copied behind their head */
    CHUNK_BYTES = 16384,    /* what is asked of a source, or read of a file, at once */
    FILL_BYTES = 65536,     /* formatted output beyond this waits for the client */
    GZIP_LEAST = 256,       /* shorter bodies do not gain by gzip */
    ARENA_BYTES = 16 << 20, /* what one exchange may allocate */
    DRAIN_BYTES = 65536,    /* body that is read and dropped after an early answer */
    CHUNK_OVERHEAD = 16384, /* chunk extensions and trailers of one request */
    FETCHES = 3,            /* of the same bytes of a file, before they are read come what may */
    PEER_BYTES = 56,        /* an IPv6 address with its zone */
    RATE_GRACE_S = 10,      /* before the least mean rates apply */
};

/* A request and its answer, from the first byte of the head on:
 *
 *   HEAD --stream_accept--> BODY --stream_complete--> HANDLED --http_conn_answered--> ANSWERED
 *     |                      |                          |                               |
 *     +------ refusals ------+-- early answer, 413 -----+-- answer_ms: 503 -------------+
 *                                                                                       |
 *   gone <--stream_end-- SENDING <--the head is written (h1_pump, h2_answer)------------+
 */
enum stream_state { STREAM_HEAD, STREAM_BODY, STREAM_HANDLED, STREAM_ANSWERED, STREAM_SENDING };

struct gzip_stream;

/* How an answer goes out; decided by answer_prepare. */
struct reply {
    bool body;      /* a body follows */
    bool gzip;      /* Content-Encoding: gzip */
    bool vary;      /* Vary: Accept-Encoding */
    bool chunked;   /* HTTP/1.1 framing of a body of unknown length */
    bool close;     /* the connection ends after it (HTTP/1.1) */
    char range[72]; /* Content-Range, or empty */
    const char *at; /* body in memory: what is left of it */
    uint64_t left;
    uint64_t sent;               /* HTTP/2: since since_ns */
    struct gzip_stream *deflate; /* between body and wire */
    uint64_t chunk_left;         /* lent body, chunked: unsent of the chunk */
    bool chunk_begun;            /* the line end of a chunk is to be sent */
    unsigned fetches;            /* of the file, since it was last read to where they came to: */
    uint64_t fetched_to;         /* an offset in the file */
};

struct stream {
    struct exchange x; /* first member: an exchange's pointer is its stream's */
    struct http_host *host;
    struct http_conn *home; /* as x.conn, but until the end; NULL once the connection is freed */
    struct list link;       /* conn->streams in order of arrival, or conn->orphans */
    struct stream *spare_next;
    enum stream_state state;
    int32_t id; /* HTTP/2 */

    bool in_app;          /* handle was called and the answer has not come */
    bool paused;          /* the sink takes nothing until exchange_take_more */
    bool waiting;         /* the source has nothing until exchange_wake */
    bool fetching;        /* the file neither: http_host.fetch was called */
    bool nudged;          /* both are to be looked at: http_conn_nudge */
    bool tunnel;          /* HTTP/1.1: the answer is 101, and the connection the app's */
    bool orphan;          /* client gone: ends when the app or another thread no longer holds it */
    bool body_complete;   /* the whole request has arrived */
    bool expect_continue; /* 100 (Continue) is still to be sent */
    bool keep_alive;      /* HTTP/1: the client lets the connection live on */
    bool old;             /* HTTP/1.0 */
    bool end_seen;        /* HTTP/2: END_STREAM has come, perhaps behind held bytes */
    int refusal;          /* HTTP/2: status found out while the head was arriving */

    struct buf head;             /* target, names and values */
    struct http_header *headers; /* HEADER_ROOM of them; x.headers */
    unsigned header_room;
    unsigned header_bytes; /* counted as HTTP/2 does: 32 for each and their bytes */
    struct buf body;       /* collected, or held while the sink pauses (HTTP/2) */
    uint64_t body_seen;
    struct str authority; /* HTTP/2: pseudo-header fields, as offsets until settled */
    struct str path, method, request_scheme;

    uint64_t since_ns; /* state entered: head, body or handling */
    uint64_t heard_ns; /* last byte of the body; HTTP/2: or that was taken of the answer */

    struct reply reply;
    char peer[PEER_BYTES]; /* x.peer: an exchange may outlive its connection */
};

/* HTTP/1 parsing between and inside requests; h1.c. */
struct h1 {
    llhttp_t parser;
    struct stream *reading; /* whose request is arriving; NULL between, or to be dropped */
    struct stream *tunnel;  /* upgraded: all that comes is its */
    bool in_message;        /* llhttp has been given the request's first byte */
    bool feeding;           /* guards against recursion through handle */
    bool version_seen;
    char method[24];
    unsigned method_len;
    uint64_t began_ns; /* first byte of the request */
    unsigned blank;    /* bytes of empty lines before the request */
    char tail[8];      /* last bytes of the previous read */
    const char *piece; /* what llhttp is being given */
    uint64_t head_raw; /* bytes given to llhttp for this head, at least */
    uint64_t overhead; /* chunk extensions and trailers */
    uint64_t dropped;  /* body after an early answer */
    size_t name_at, name_end;
    struct buf pending; /* read, but not parsed yet */
};

/* HTTP/2; h2.c. */
struct h2 {
    nghttp2_session *session;
    unsigned charged; /* for frames that only make work: resets, pings, settings */
    uint64_t charged_ns;
    bool goaway;
};

struct http_conn {
    struct http_host *host;
    void *owner;
    enum http_protocol protocol;
    bool tls;
    bool eof;           /* the client has closed its side */
    bool input_closed;  /* what still arrives is thrown away */
    bool last_answered; /* nothing follows what is in `out` */
    bool draining;      /* no new requests */
    bool dead;          /* cut off, whatever is unsent */
    bool cut;           /* dead in the middle of an answer */
    bool nudged;        /* some of its streams are */
    bool uses_file;     /* the engine asks http_conn_file */
    struct http_limits limits;
    uint64_t now_ns;
    uint64_t idle_ns;    /* since when there is no request */
    uint64_t requests;   /* begun */
    struct list streams; /* in order of arrival */
    struct list orphans; /* the app still holds them, nobody waits */
    unsigned stream_count, orphan_count;

    struct buf out; /* formatted; bytes before out_at are sent */
    size_t out_at;
    bool sending;                       /* the client has something to take */
    uint64_t sending_since_ns, sent_ns; /* when output began to wait; last progress */
    uint64_t sent_bytes;                /* since then */

    union {
        struct h1 h1;
        struct h2 h2;
    };
    char detect[24]; /* first bytes, until the protocol is known */
    unsigned detect_len;
    unsigned peer_len;
    char peer[PEER_BYTES];
};

/* ---- deadline.c ---- */
/* Notes that output began to wait, or has gone. */
void deadline_sending(struct http_conn *conn, bool waits);

/* ---- stream.c ---- */

/* A new stream at the end of conn->streams; NULL without memory. */
struct stream *stream_new(struct http_conn *conn);
/* One header's name and value are in HEAD[name, name_end) and [name_end, len). */
int stream_add_header(struct stream *stream, size_t name, size_t name_end, size_t end);
/* No more headers: what add_header kept as offsets becomes pointers. */
void stream_settle(struct stream *stream);
/* The head is complete and checked: shows it to the app. */
void stream_accept(struct stream *stream);
/* Bytes of the body. False: nothing more can be taken now (paused, or answered). */
bool stream_body(struct stream *stream, struct str bytes);
/* The request is complete: the app handles it. */
void stream_complete(struct stream *stream);
/* The answer is in the exchange: gives it to the protocol. */
void stream_answer(struct stream *stream);
/* An answer of the core's own takes the place of STREAM, which the app still holds. */
void stream_replace(struct stream *stream, int status, const char *text);
/* The core answers in place of the app. */
void stream_refuse(struct stream *stream, int status, const char *text);
/* What paused or waited goes on. */
void stream_go_on(struct stream *stream);
/* The answer has left, or never will. Takes it out of the connection; frees it now,
 * or when the app has let go of it. */
void stream_end(struct stream *stream);
/* Is the app able to touch it from elsewhere? */
static inline bool stream_is_held(const struct stream *stream)
{
    return stream->in_app || stream->paused || stream->waiting || stream->fetching;
}
static inline struct stream *stream_of(struct exchange *x)
{
    return (struct stream *)(void *)x;
}
/* Before the core calls the app: the thread may be another than last time. */
static inline void stream_adopt(struct stream *stream)
{
    if (stream->host->thread_state)
        stream->x.thread_state = *stream->host->thread_state;
}
static inline struct http_conn *conn_of(const struct stream *stream)
{
    return stream->home;
}
static inline struct stream *stream_at(struct list *node)
{
    return (struct stream *)(void *)((char *)node - offsetof(struct stream, link));
}

/* ---- spare.c ---- */
struct stream *spare_stream(struct http_host *host);
void spare_give_stream(struct http_host *host, struct stream *stream);
void spare_buf(struct http_host *host, struct buf *buf);
void spare_give_buf(struct http_host *host, struct buf *buf);
/* "Sat, 21 Nov 2026 19:51:39 GMT", 29 bytes. */
const char *spare_date(struct http_host *host);
/* A zlib state for whole answers, reused. NULL without memory. */
struct z_stream_s *spare_deflate(struct http_host *host);

/* ---- head.c ---- */
enum http_field field_of(struct str name);
struct str field_name(enum http_field field);
enum http_method method_of(struct str name);
/* True for a method that the core passes on to the app. */
bool method_is_known(struct str name);
bool method_is_safe(enum http_method method);
/* Fills known[], content_length and the rest of the request from headers; 0 or the
 * status to refuse it with and, in *WHY, the reason. */
int head_finish(struct stream *stream, const char **why);
/* Cuts TARGET into path and query (and scheme and host, absolute form). */
int head_target(struct exchange *x, struct str target, const char **why);
bool host_is_valid(struct str host);

/* ---- answer.c, body.c ---- */

/* Conditions, ranges, compression: what will be sent. Changes status, headers and
 * body of the exchange accordingly. */
void answer_prepare(struct stream *stream);
/* The app gave a Date of its own (as_is). */
bool answer_has_date(const struct exchange *x);
/* The next bytes of the body, in at most ROOM. SOURCE_WAIT sets stream->waiting or fetching. */
enum source_verdict body_read(struct stream *stream, char *out, size_t room, size_t *len);

/* The body is lent by the app's source, and goes out as it is. */
bool source_lends(const struct stream *stream);
/* What it lends now, TOTAL bytes; held against what was promised. SOURCE_WAIT sets
 * stream->waiting. */
enum source_verdict source_lend(struct stream *stream, struct iovec *pieces, int max, int *count,
                                uint64_t *total);
void source_taken(struct stream *stream, size_t len);

/* ---- h1.c, h1_send.c, h1_lend.c ---- */
void h1_open(struct http_conn *conn);
void h1_close(struct http_conn *conn);
void h1_receive(struct http_conn *conn, const char *bytes, size_t len);
void h1_answer(struct stream *stream);
/* The sink that the next bytes are for takes nothing now. */
static inline bool h1_is_paused(const struct http_conn *conn)
{
    return (conn->h1.reading && conn->h1.reading->paused) ||
           (conn->h1.tunnel && conn->h1.tunnel->paused);
}
/* Goes on with what was read before and had to wait. */
void h1_resume(struct http_conn *conn);
void h1_refuse(struct http_conn *conn, int status, const char *why);
/* Formats what has been answered, in order. */
void h1_pump(struct http_conn *conn);
int h1_output(struct http_conn *conn, struct iovec *pieces, int max);
/* The answer has been produced to its end. */
void h1_finish(struct http_conn *conn, struct stream *stream);
/* The stream whose source lends what goes out after conn->out, or NULL. */
struct stream *h1_lending(const struct http_conn *conn);
/* These pieces, after conn->out, to which this may write. */
int h1_lend(struct http_conn *conn, struct iovec *pieces, int max);
void h1_lent_sent(struct http_conn *conn, size_t len);
/* The stream whose body goes out by reference after conn->out, or NULL. */
struct stream *h1_sending(const struct http_conn *conn);
void h1_sent(struct http_conn *conn, size_t len);

/* ---- h2.c, h2_send.c ---- */
int h2_open(struct http_conn *conn);
void h2_close(struct http_conn *conn);
void h2_receive(struct http_conn *conn, const char *bytes, size_t len);
void h2_answer(struct stream *stream);
void h2_refuse_slow(struct stream *stream);
void h2_take_more(struct stream *stream);
void h2_wake(struct stream *stream);
/* What was held of the body while the sink paused will not be asked for. */
void h2_drop_held(struct stream *stream);
int h2_output(struct http_conn *conn, struct iovec *pieces, int max);
void h2_sent(struct http_conn *conn, size_t len);
bool h2_wants_input(const struct http_conn *conn);
bool h2_finished(const struct http_conn *conn);
void h2_drain(struct http_conn *conn);
/* The client takes its answer too slowly. */
void h2_reset(struct stream *stream);
/* For h2.c's callbacks: the answer has been sent, but not all of the request came. */
int h2_frame_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user);

/* ---- status.c ---- */
/* "200 OK" and its length; an unknown one has an empty reason. */
struct str status_line(int status, char room[8]);

/* ---- page.c ---- */
struct page_form {
    struct str head; /* HTTP/1.1 status line and headers but Date, ends in "Date: " */
    struct str body;
    struct str etag;
    char length[24]; /* of the body, decimal */
};
struct http_page {
    atomic_uint references;
    size_t size;
    int status;
    bool has_gzip;
    struct page_form plain, gzip;
    struct str not_modified;     /* the 304's head, of the plain form */
    struct http_header *headers; /* of all forms, but Content-Length and the ETag */
    unsigned header_count;
    _Alignas(void *) char bytes[];
};
/* Points the answer's body at the form that this client takes, and gives that form;
 * NULL when the client has it already (304). */
const struct page_form *page_prepare(struct stream *stream);

#endif
