/* Carry: a request that this process cannot answer itself goes to a server, and its answer comes
 * back. To the writer of the same database (pass.h), or to a shop elsewhere (far.h).
 *
 * What is unsafe gets a stamp (once.h) unless it has one, so that it may be sent again: while no
 * server is there, or the one that had it died, it waits for the next one, CARRY_MS in all.
 *
 *   carry_send ──▶ sent ──(answer)──▶ THEN
 *      │           │ ▲
 *      │           │ └──(there is a server)──┐
 *      └───────────┴──(none; it broke off)──▶ waiting ──(CARRY_MS, stopping)──▶ THEN, with an error
 *
 * Thread: the exchange's own, where nothing else is said.
 */
#ifndef STOA_WEB_CARRY_H
#define STOA_WEB_CARRY_H

#include "base/err.h"
#include "http/exchange.h"
#include "outside/transfer.h"

#include <stdbool.h>
#include <stdint.h>

/* What a process says that has only turned a request away: nobody has looked at it. */
#define CARRY_REFUSED "Stoa-Reader"
/* With a 421: it is of another shop than is meant. Nobody has looked at it, either. */
#define CARRY_MISDIRECTED "Stoa-Misdirected"

enum { CARRY_MS = 10000, CARRY_BODY_MAX = 1 << 20, CARRY_URL = 256 };

struct carriers_config {
    void *context;
    /* Any thread. Where the server is now, into URL; false: there is none. ATTEMPT: how often the
     * request was sent before, or there was none. */
    bool (*find)(void *context, unsigned attempt, char *url, size_t size);
    struct transfer_trust trust;
    const char *name;    /* of its thread */
    uint32_t attempt_ms; /* the longest that one server may take; 0: CARRY_MS */
    uint32_t look_ms;    /* how often those who wait look for a server */
    unsigned elsewhere;  /* how many others are asked when one says that they may do it */
    /* Any thread: the server at URL is of another shop. NULL: nobody wants to know. */
    void (*misdirected)(void *context, const char *url);
};

struct carriers;
int carriers_new(const struct carriers_config *config, struct carriers **carriers,
                 struct failure *failure);
/* Nobody waits for a server any more; who is with one has GRACE_MS. Any thread. */
void carriers_stop(struct carriers *carriers, uint32_t grace_ms);
/* After the engine has stopped. NULL is fine. */
void carriers_free(struct carriers *carriers);

/* One request on its way; it lives as long as X. NULL: no memory. */
struct carry;
struct carry *carry_new(struct carriers *carriers, struct exchange *x);
/* A header more for the server; both texts live as long as X. */
void carry_add_header(struct carry *carry, struct str name, struct str value);
/* Without the conditions and ranges that X asks for: the whole answer is wanted. */
void carry_want_whole(struct carry *carry);
/* As if it had been sent ATTEMPTS times: the server that is asked first is another one. */
void carry_begin_at(struct carry *carry, unsigned attempts);
/* THEN is called once, on X's thread. ERR_FULL: X has too many headers; then it is not. */
int carry_send(struct carry *carry, void (*then)(struct exchange *x));

/* In THEN. 0: there is an answer. ERR_TIMEOUT: it may have been done; ERR_NOPRIMARY: there was no
 * server; else what the transfer says. */
int carry_err(const struct carry *carry);
int carry_status(const struct carry *carry);
struct str carry_type(const struct carry *carry);
struct str carry_body(const struct carry *carry);
/* Value of the answer's header NAME (any case), or at == NULL. */
struct str carry_header(const struct carry *carry, struct str name);
/* The answer becomes X's. */
void carry_answer(struct exchange *x, const struct carry *carry);

#endif
