/* Keys of the sandbox bank that are being worked on: a second request under one of them is told to
 * come again (409 idempotency_key_in_use). In memory alone; what was answered is in the ledger.
 * Thread: any.
 */
#ifndef STOA_OUTSIDE_SANDBOX_KEYS_H
#define STOA_OUTSIDE_SANDBOX_KEYS_H

#include "base/list.h"
#include "base/str.h"

#include <stdbool.h>

struct sandbox_keys;

/* In its request; the key is lent until it leaves. */
struct sandbox_key {
    struct list link;
    struct str key;
};

struct sandbox_keys *sandbox_keys_new(void);       /* NULL: no memory */
void sandbox_keys_free(struct sandbox_keys *keys); /* NULL is fine */

/* False: it is in there already. */
bool sandbox_keys_enter(struct sandbox_keys *keys, struct sandbox_key *key);
void sandbox_keys_leave(struct sandbox_keys *keys, struct sandbox_key *key);

#endif
