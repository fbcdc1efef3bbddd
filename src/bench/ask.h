/* Ask: one keep-alive connection to a shop that asks and waits, for benches that count moments and
 * not requests. Over libcurl. Thread: one each.
 */
#ifndef STOA_BENCH_ASK_H
#define STOA_BENCH_ASK_H

#include "base/buf.h"

struct ask;

/* URL: "http://127.0.0.1:8080", copied. BEARER: the operator's token, or NULL. NULL: no memory. */
struct ask *ask_new(const char *url, const char *bearer);
void ask_free(struct ask *ask); /* NULL is fine */

/* The answer's status with its text in ask_text(); 0: none came (no connection, or broken). BODY:
 * JSON to be posted, or NULL for a GET. Each POST has an Idempotency-Key of its own. */
int ask_for(struct ask *ask, const char *path, const char *body);
/* The last POST again, under the same key. */
int ask_again(struct ask *ask);
struct str ask_text(const struct ask *ask);

#endif
