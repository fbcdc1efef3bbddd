/* Script: what the visitors of a load do. The seam between the generator (load.h), which
 * knows connections and time, and the workloads, which know the shop.
 *
 * An operation is one or more requests, each sent when the one before was answered; it
 * is timed from its beginning to the last answer. Pure but for the random state: a
 * script writes requests and reads answers, and never waits.
 *
 * Thread: each generator thread calls it with its own visitors; CONTEXT is shared and
 * read only.
 */
#ifndef STOA_BENCH_SCRIPT_H
#define STOA_BENCH_SCRIPT_H

#include "base/buf.h"
#include "base/random.h"
#include "base/str.h"

#include <stdint.h>

enum { SCRIPT_STATE = 192 };

struct visitor {
    struct random random;
    uint64_t number;   /* of the visitor, from 0 */
    uint64_t sequence; /* of its operation, from 0 */
    unsigned step;     /* of the operation's requests, from 0 */
    unsigned kind;     /* of the operation, below LOAD_KINDS; the script's to set in `request` */
    union {
        unsigned char bytes[SCRIPT_STATE];
        uint64_t align;
    } state; /* the script's own; zero at first */
};

struct script_request {
    const char *method;  /* "GET" */
    struct buf *path;    /* empty, to be written */
    struct buf *headers; /* "name: value\r\n" lines besides Host and Content-Length */
    struct buf *body;
};

enum script_verdict {
    SCRIPT_NEXT,    /* the operation goes on with another request */
    SCRIPT_DONE,    /* it succeeded */
    SCRIPT_FAILED,  /* it did not */
    SCRIPT_REFUSED, /* the server has too much to do (503) */
};

struct script {
    const char *name;
    void (*request)(const void *context, struct visitor *visitor, struct script_request *request);
    enum script_verdict (*answer)(const void *context, struct visitor *visitor, int status,
                                  struct str body);
};

/* GET of one path. Context: struct http_script. */
struct http_script {
    const char *path;
    const char *headers; /* more header lines, or "" */
};
extern const struct script script_http;

/* A shopper's cart: made by the visitor's first operation, changed by each later one
 * (UCP, PUT of the whole). Context: struct shop_script. */
extern const struct script script_cart;

/* A purchase: a checkout made ready in one request, completed in the second. */
extern const struct script script_buy;

struct shop_script {
    const char *const *items; /* what is put into carts */
    unsigned item_count;
    bool hot;       /* everybody wants items[0] */
    unsigned lines; /* per cart */
    bool no_key;    /* carts are changed without an Idempotency-Key, as by the shop's own pages */
};

#endif
