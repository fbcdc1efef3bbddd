/* Inner: from a client's process to the server's own, where the engine gives each connection a
 * process (engine/fork.h).
 *
 * Such a process is a reader (pass.h) of its server's database: it has neither log nor order. What
 * it cannot answer it passes to the server, which listens for that on a loopback address, the inner
 * door, with the same app. Unlike a reader that stands by it ends with its server, so that there is
 * nobody to wait for: it asks, blocks and answers, on the one thread that it has.
 *
 *   client ──▶ its process ──(fetch.h, Stoa-Inner: KEY SCHEME ADDRESS)──▶ inner door: inner_take
 *                   ◀────────────────── the answer ──────────────────────────
 *
 * The server takes the request for the client's: its address and scheme are those that the header
 * names, which whoever has the key is believed. The key is made at each start and leaves the
 * machine's memory never; without it the inner door answers 403.
 *
 * Uploads, and answers that may be long, go through piece by piece, in constant memory
 * (inner_long.h).
 *
 * Thread: the exchange's own.
 */
#ifndef STOA_WEB_INNER_H
#define STOA_WEB_INNER_H

#include "engine/app.h"

#include <stdbool.h>

struct route;

enum { INNER_KEY = 33 }; /* hexadecimal text */
#define INNER_HEADER "Stoa-Inner"

/* A new key. */
void inner_key_new(char key[static INNER_KEY]);

/* Whether X is at a client's process, or at the inner door. */
bool inner_is_client(const struct exchange *x);
bool inner_is_server(const struct exchange *x);

/* At the client's process. In accept, for an upload: its body goes to the server. */
void inner_accept(struct exchange *x);
/* X, complete, goes to the server. */
enum app_verdict inner_pass(struct exchange *x);

/* At the inner door, in accept: X becomes the client's. False: it was answered. */
bool inner_take(struct exchange *x);

/* Pure: whether what ROUTE answers may be too long for memory. */
bool inner_is_long(const struct route *route);

#endif
