/* Transfers: requests to the world outside the cluster (bank, warehouses, platforms, mail), by
 * libcurl, many at once on one thread.
 *
 * Asynchronous: transfer_start copies nothing and returns at once; `done` comes exactly once, on
 * the transfers' thread, and must not block. Bounded: so many at once, so many waiting, so much of
 * an answer, so long. Proxies and redirects are off; certificates are verified against the
 * system's authorities, a file, or a pinned public key (RFC 7469 writes pins so). HTTP/2 where the
 * other side offers it, so that one connection carries many.
 *
 * Whoever must not suffer from another's slow receiver has transfers of its own (a bulkhead;
 * Nygard, Release It!, 2007): those at once are counted over all receivers.
 *
 * Thread: any may start a transfer.
 */
#ifndef STOA_OUTSIDE_TRANSFER_H
#define STOA_OUTSIDE_TRANSFER_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct transfers;

/* Whom to trust, for one or many transfers; texts are lent as long as those run. */
struct transfer_trust {
    const char *authority_file; /* PEM; NULL: the system's */
    const char *pin;  /* "sha256//<base64>": this public key, whoever signed it; or NULL */
    bool public_only; /* refuse addresses that are private, loopback or link-local: for
                         addresses which strangers gave (platforms' profiles) */
    bool plain;       /* http:// to any address: it is this very machine's */
};

enum { TRANSFER_HEADERS_MAX = 64, TRANSFER_ANSWER_MAX = 1024 * 1024 };

struct transfer_header {
    struct str name, value;
};

/* Lent, with all it names, until `done` was called. */
struct transfer {
    struct str method; /* GET, POST, PUT, DELETE */
    struct str url;    /* https://…; http:// only to loopback addresses, or as `trust` says */
    struct transfer_header headers[TRANSFER_HEADERS_MAX];
    unsigned header_count;
    struct str body;                    /* at NULL: none */
    bool wipe_body;                     /* it holds a secret, and is writable: overwritten before
                                           `done` */
    const struct transfer_trust *trust; /* NULL: the system's authorities */
    uint32_t connect_ms, total_ms;      /* 0: 3 s and 10 s; waiting for its turn counts */
    uint32_t answer_max;                /* bytes; 0: TRANSFER_ANSWER_MAX */

    void (*done)(struct transfer *transfer);
    /* Each header of the answer, for those that are not below; may be NULL. */
    void (*header)(struct transfer *transfer, struct str name, struct str value);
    void *context;

    /* The answer, lent for the call of `done`. */
    int err;                /* 0: there is a status. ERR_TIMEOUT, ERR_IO (nothing is known of
                               what the other side did), ERR_UNREACHED: no byte of it was sent;
                               ERR_FULL: its answer is too long; ERR_CLOSED: stopping; ERR_TRUST:
                               its certificate or address is not one we accept */
    struct failure failure; /* says what */
    int status;
    struct str answer;
    int64_t retry_after_s; /* of Retry-After; -1: none */
    struct str content_type;
    bool replayed;         /* Idempotent-Replayed: true */
    struct str request_id; /* Request-Id, for logs */
    /* transfers' own: */
    struct transfer *next;
    uint64_t started_ns;
};

struct transfers_config {
    unsigned connections; /* to one host at once; 0: 16 */
    unsigned at_once;     /* transfers running; 0: 256 */
    unsigned waiting_max; /* beside these; 0: 16384 */
};

int transfers_new(const struct transfers_config *config, struct transfers **transfers);
/* Takes nothing new; ends what runs after GRACE_MS with ERR_CLOSED. Returns at once. */
void transfers_stop(struct transfers *transfers, uint32_t grace_ms);
/* Stops, if that was not done before, and waits for the end: none is left without its `done`. */
void transfers_free(struct transfers *transfers, uint32_t grace_ms);

/* 0, or ERR_BUSY (too many wait), ERR_CLOSED, ERR_INVALID: `done` will not be called. */
int transfer_start(struct transfers *transfers, struct transfer *transfer);
/* The same and waits on the calling thread, which must not be transfers' own: its err. Uses `done`
 * and `context` itself. The answer is put into ANSWER (may be NULL) and lent with it; the other
 * texts are not kept. */
int transfer_wait(struct transfers *transfers, struct transfer *transfer, struct buf *answer);

#endif
