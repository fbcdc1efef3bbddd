/* One HTTP connection without I/O: bytes in, exchanges out; answers in, bytes out.
 *
 * Used by every engine, in the same way: feed what was read from the socket (or
 * from TLS), run the exchanges it announces, send the bytes it offers. HTTP/1.1
 * (RFC 9112) is parsed by llhttp in strict mode, HTTP/2 (RFC 9113) by nghttp2.
 * Which of the two is told by ALPN, or found from the first bytes (prior
 * knowledge, RFC 9113 §3.3).
 *
 * Thread: one at a time. Only the exchange_* functions that say so may be called
 * from other threads.
 *
 * Ownership: the connection owns its exchanges. When it is freed while an app
 * still holds some (APP_LATER, APP_WORK), those are marked client_gone and free
 * themselves when they are finished.
 */
#ifndef STOA_HTTP_CONN_H
#define STOA_HTTP_CONN_H

#include "http/exchange.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

/* Bounds on what a client may send and how slowly. 0 in a field: the default. */
struct http_limits {
    uint32_t head_bytes;       /* request line and headers: 431 above; 16 KiB */
    uint32_t target_bytes;     /* request target: 414 above; 8 KiB */
    uint32_t header_count;     /* 431 above; 100 */
    uint64_t body_bytes;       /* body, where the app sets no other limit: 413 above; 1 MiB */
    uint32_t pipeline;         /* unanswered requests read ahead on HTTP/1.1; 16 */
    uint32_t streams;          /* concurrent HTTP/2 streams; 100 */
    uint64_t requests;         /* per connection, then it is closed politely; 0: unlimited */
    uint32_t head_ms;          /* from the first byte to the end of the head; 10 s: 408 */
    uint32_t idle_ms;          /* between requests; 60 s */
    uint32_t body_idle_ms;     /* without a byte of the body; 10 s: 408 */
    uint32_t body_bytes_per_s; /* least mean rate of a body after a grace of 10 s; 500 */
    uint32_t send_idle_ms;     /* without the client taking a byte; 20 s */
    uint32_t send_bytes_per_s; /* least mean rate of taking answers after 10 s; 500 */
    uint32_t answer_ms;        /* an app that takes longer: 503; 60 s */
    uint32_t tunnel_idle_ms;   /* an upgraded connection without a byte either way; 1 h */
    uint32_t output_bytes;     /* formatted output held per connection; 256 KiB */
};

enum { FETCH_BYTES = 256 * 1024 }; /* see http_host.fetch */

enum http_protocol { HTTP_DETECT, HTTP_1, HTTP_2 };

struct http_conn;

/* What is kept for reuse between the connections of one thread: http/spare.c. */
struct http_spare;

/* What the engine hands to all its connections of ONE thread: each thread has its
 * own. All zero but for what the engine sets; http_host_close at the end. */
struct http_host {
    const struct http_limits *limits;
    struct exchange_runner *runner;
    /* The head has arrived; the app may refuse or choose how it takes the body. */
    void (*accept)(struct http_host *host, struct exchange *x);
    /* The request is complete; ends in http_conn_answered(x), now or later. */
    void (*handle)(struct http_host *host, struct exchange *x);
    /* Milliseconds since 1970 (for Date); the text of the Date header is cached. */
    int64_t (*wall_ms)(struct http_host *host);
    /* May be NULL. See exchange_addresses; OWNER is the connection's. */
    bool (*addresses)(struct http_host *host, void *owner, struct endpoint *client,
                      struct endpoint *here);
    /* May be NULL. Where the state (x->thread_state) of the thread stands that uses the core now:
     * sinks, sources and cleanups are called with it. For accept, handle and steps the engine sets
     * it. */
    void *const *thread_state;
    /* May be NULL: a file is read, or given to sendfile, although the disk may have to be waited
     * for. With it a file is read only as far as it is in memory. For what is not, this is called,
     * on the own thread: X's file from its file_offset on, FETCH_BYTES of it, shall be read by
     * someone else, who then calls exchange_wake. */
    void (*fetch)(struct http_host *host, struct exchange *x);
    /* May be NULL. The core itself has refused a request with STATUS (400, 408, 413,
     * 414, 431, ...; 503: the app took too long). For counting only. */
    void (*refused)(struct http_host *host, int status);

    struct http_spare *spare; /* the core's; NULL at the start */
    /* Exchanges whose sink paused, whose source waits or whose file is fetched: another thread may
     * resume them through RUNNER still, so it must live on. Counted by the core. */
    uint64_t suspended;
};

/* Frees what was kept for reuse. No connection of HOST is left; exchanges that an app
 * still holds may be. */
void http_host_close(struct http_host *host);

/* PEER: the client's address as text, copied. NULL without memory. */
struct http_conn *http_conn_new(struct http_host *host, enum http_protocol protocol, bool tls,
                                struct str peer, uint64_t now_ns, void *owner);

/* What the engine gave as OWNER; for finding its own connection from x->conn. */
void *http_conn_owner(const struct http_conn *conn);

/* LEN bytes have arrived. All are taken. LEN 0: the client has closed its side. */
void http_conn_receive(struct http_conn *conn, const void *bytes, size_t len, uint64_t now_ns);

/* False while reading on would only fill memory (pipeline full, sink paused, too
 * much unsent). Ask again after anything happened. */
bool http_conn_wants_input(const struct http_conn *conn);

/* Up to MAX pieces to be sent, in order; lent until the next call. 0: nothing. A
 * file body comes out as a piece read into memory, unless http_conn_file has it. */
int http_conn_output(struct http_conn *conn, struct iovec *pieces, int max);
/* HTTP/1.1 only: when what comes next is a file's bytes, its descriptor, offset and
 * length for sendfile(2); counted by http_conn_sent like everything else. Not with host->fetch. */
bool http_conn_file(struct http_conn *conn, int *fd, uint64_t *offset, uint64_t *len);
void http_conn_sent(struct http_conn *conn, size_t len, uint64_t now_ns);

/* The app has finished X (own thread; the engine calls it for APP_DONE, and when an
 * exchange_finish has reached the thread: x->step is NULL then). X may be freed by it;
 * its connection is not. After it there may be output, and other exchanges may have
 * been handed to the app. When the client has gone, x->conn is NULL. */
void http_conn_answered(struct exchange *x, uint64_t now_ns);
/* For exchange_take_more and exchange_wake, on the own thread. They come through
 * runner->resume with an x->step that calls it, so that an engine need not; after the
 * step the connection may want to send. An app calls either of them once for each
 * SINK_PAUSE or SOURCE_WAIT. */
void http_conn_woken(struct exchange *x, uint64_t now_ns);

/* After runner->touch: looks again at what paused or waited (exchange_nudge). After it there may
 * be output. */
void http_conn_nudge(struct http_conn *conn, uint64_t now_ns);

/* True when everything is sent and the connection is to be closed. After a refusal
 * the engine shuts down its sending side and reads on for a moment (lingering
 * close), so that the client gets to see the answer. */
bool http_conn_finished(const struct http_conn *conn);
/* Then, too: it broke off in the middle of an answer. It must be closed by a reset, so that the
 * client cannot take what it has for the whole. */
bool http_conn_is_cut(const struct http_conn *conn);

/* When http_conn_expire wants to be called, monotonic ns; UINT64_MAX: never. */
uint64_t http_conn_deadline(const struct http_conn *conn);
/* A deadline has passed: may answer 408 or finish the connection. True: cut off now. */
bool http_conn_expire(struct http_conn *conn, uint64_t now_ns);

/* Graceful stop: no new requests (Connection: close, GOAWAY), what runs is finished. */
void http_conn_drain(struct http_conn *conn);

void http_conn_free(struct http_conn *conn);

#endif
