/* Webhooks: tell platforms what happens to the orders that they placed (UCP 2026-04-08, order
 * events), as the lane "webhook" of the outbox.
 *
 * The body is the whole order as of the event, rendered from its record and the events up to that
 * one: so a repeat has the same bytes, id and time, whichever server sends it, and a platform can
 * recognise it by Webhook-Id. Only the signature is made anew. Headers:
 *
 *   Webhook-Id, Idempotency-Key   the event's id, a UUID
 *   Webhook-Timestamp             when it happened, in seconds of log time
 *   UCP-Agent                     profile="<the shop>/.well-known/ucp"
 *   Content-Digest                RFC 9530, sha-256
 *   Signature-Input, Signature    RFC 9421, ecdsa-p256-sha256, over all of these, the method,
 *                                 the address and Content-Type; the key is one of signing_keys
 *                                 there (outside/signing_keys.h)
 *
 * It goes to the address that the platform's profile names (outside/profile.h). Any 2xx is taken;
 * 410 ends this event; after anything else it is tried again by the schedule of
 * outside/retry_schedule.h, and given up after three days. Retry-After is honoured.
 *
 * Threads: the sender's functions are called on the outbox's thread; the rest runs on that of the
 * transfers.
 */
#ifndef STOA_OUTSIDE_WEBHOOK_H
#define STOA_OUTSIDE_WEBHOOK_H

#include "http/exchange.h"
#include "outside/outbox.h"
#include "outside/profile.h"
#include "outside/signing_keys.h"

enum { WEBHOOK_MEMORY = 4 << 20, WEBHOOK_TOTAL_MS = 20000, WEBHOOK_ANSWER_MAX = 64 << 10 };

/* The order's state as text; web/ knows how (web/ucp_order.h). */
typedef struct str webhook_render(struct arena *arena, struct str base, const struct order *order,
                                  const struct order_event *event);

struct webhooks_config {
    const char *database;        /* lent, as all here, until webhooks_free */
    const _Atomic bool *ready;   /* whether base_url is known; NULL: it is */
    const char *base_url;        /* the shop's, as platforms reach it; no slash at its end */
    const unsigned char *secret; /* SIGNING_SECRET bytes: opens the signing keys */
    struct transfers *transfers;
    struct profiles *profiles;
    bool allow_private;         /* receivers on private and loopback addresses */
    const char *authority_file; /* NULL: the system's */
    webhook_render *render;
    const struct log *log;
};

struct webhooks;

int webhooks_new(const struct webhooks_config *config, struct webhooks **webhooks,
                 struct failure *failure);
/* After the outbox's end, and the transfers'. NULL is fine. */
void webhooks_free(struct webhooks *webhooks);
const struct outbox_sender *webhooks_sender(struct webhooks *webhooks);

/* ---- One request, pure ---- */

enum { WEBHOOK_HEADERS = 9 };
struct webhook_request {
    struct str url, body;
    struct id event;     /* its id */
    int64_t happened_ms; /* when */
    struct str agent;    /* the shop's profile address */
};
/* Writes the headers with their signature by KEY, made at NOW_S, into HEADERS; texts are in ARENA.
 */
int webhook_sign(const struct webhook_request *request, const struct es256_key *key,
                 struct str key_name, int64_t now_s, struct arena *arena,
                 struct http_header headers[static WEBHOOK_HEADERS], struct failure *failure);

#endif
