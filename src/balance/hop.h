/* Hop: a message on its way from one connection to the next (RFC 9110 §7.6). Pure.
 *
 * What a client sent and what a server answered concern the other end but for some fields: those
 * about the connection they came by, and those that say how long the message is. These end here,
 * and the next connection gets its own. A server can rely on what it is told of the client
 * (X-Forwarded-For, Forwarded, Stoa-…): from outside such fields are dropped, unless the peer is
 * trusted to be a load manager itself.
 *
 *   dropped in requests   Connection and what it names, Keep-Alive, Proxy-…, TE, Trailer, Upgrade,
 *                         HTTP2-Settings, Expect (answered here), Stoa-… (but Stoa-Session);
 *                         of who is not trusted also X-Real-IP, X-Client-IP, True-Client-IP and
 *                         X-Forwarded-… that are not made here
 *   made anew             Host, Content-Length, Transfer-Encoding, Cookie (one field)
 *   dropped in answers    what is about the connection as above; Stoa-Try, Stoa-Home
 *   added to              X-Forwarded-For, -Proto, -Host (RFC 7239: Forwarded), Via, Request-Id
 *   counted down          Max-Forwards of OPTIONS
 *
 * A name with '_' counts as the same with '-': servers that hand fields on as environment
 * variables (CGI) do not tell them apart; so written, it is dropped where '-' would be believed.
 *
 * Called by forward_*.c and balance.c. Thread: any.
 */
#ifndef STOA_BALANCE_HOP_H
#define STOA_BALANCE_HOP_H

#include "http/client.h"
#include "http/exchange.h"

enum hop_framing { HOP_NO_BODY, HOP_LENGTH, HOP_CHUNKED };

struct hop_request {
    const struct exchange *x;
    bool trusted; /* what X says of the client before it is believed and added to */
    bool via;
    bool upgrade;          /* its Upgrade goes on */
    struct str request_id; /* given to a request that has none */
    struct str operation;  /* Stoa-Operation (stamp.h); empty: none */
    struct str home;       /* Stoa-Home (home.h): a set, or HOME_ASK; empty: none */
    enum hop_framing framing;
    uint64_t length; /* with HOP_LENGTH */
};

/* The head as HTTP/1.1, to its empty line, at the end of OUT (which may be `failed` then). */
void hop_write_request(struct buf *out, const struct hop_request *request);

/* Whether X's Upgrade may go on: never to another HTTP, in which requests would pass unseen behind
 * the first one, nor to TLS, which ends here. */
bool hop_may_upgrade(const struct exchange *x);

/* OPTIONS with Max-Forwards: 0 (RFC 9110 §7.6.2): it is for whoever reads this. */
bool hop_is_last(const struct exchange *x);

/* The request's own name for itself (X-Request-Id, or Request-Id); at == NULL: it has none that
 * can be passed on. */
struct str hop_request_id(const struct exchange *x);

/* Who X comes from: the peer, or the one that a peer who is TRUSTED names last. */
struct str hop_client(const struct exchange *x, bool trusted);

/* By what X's client came, "https" or "http": as a peer who is TRUSTED says, or else to here. */
struct str hop_scheme(const struct exchange *x, bool trusted);

/* What an answer's fields say to whoever hands it on. */
struct hop_answer {
    struct http_header *headers; /* those that go on, in the arena; room for MORE behind them */
    unsigned count, room;
    bool is_public;     /* may be kept by caches that serve many: nothing personal may be added */
    bool is_named;      /* the server says itself who it is (Stoa-Server) */
    struct str home;    /* Stoa-Home, which ends here */
    struct str upgrade; /* with status 101: to what */
};

/* What it says in Stoa-Try (retry.h). */
enum hop_try {
    HOP_TRY_NONE,
    HOP_TRY_ELSEWHERE, /* this server cannot now, another one can */
    HOP_TRY_ONCE,      /* it is too busy to look at it; one other may be less so */
};
enum hop_try hop_says_try(const struct http_response *response);
/* ERR_NOMEM. Names and values are copied into ARENA. */
int hop_read_answer(struct arena *arena, const struct http_response *response, unsigned more,
                    struct hop_answer *answer);

#endif
