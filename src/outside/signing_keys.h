/* Signing keys: the ES256 keys by which the shop signs what it sends to platforms.
 *
 * They belong to the shop, not to a server: a platform must find the key in the profile that any
 * server gives it, and the next primary must sign as the last one did. So they are one entry of the
 * replicated registry (shop/registry.h), and neither a join nor a start has to carry them. Their
 * private halves are sealed in it under the cluster's secret, because the database is made to be
 * opened, copied and backed up, and whoever reads it must not be able to sign. A shop that lost its
 * secret makes new keys; platforms find keys by their names.
 *
 *   entry "signing/keys": a line for each key, the oldest first:
 *     <made, ms> <name> <x> <y> <sealed private half, base64url>
 *
 * A key's life (rotation as UCP asks for):
 *
 *   state      arrow                                                                  to
 *   PUBLISHED  SIGNING_KEY_REST_MS after it was made, or the first, or `at once`       SIGNING
 *   SIGNING    a newer one signs                                                      OLD
 *   OLD        SIGNING_KEY_OLD_MS after the newer one was made, or at once             gone
 *
 * The rest lets platforms that keep our profile for a while learn the key before it is used. Times
 * are wall times of whoever asks; they matter to the minute. Pure but for making keys; thread: any.
 */
#ifndef STOA_OUTSIDE_SIGNING_KEYS_H
#define STOA_OUTSIDE_SIGNING_KEYS_H

#include "base/arena.h"
#include "base/buf.h"
#include "net/es256.h"

#define SIGNING_KEYS_ENTRY "signing/keys"

enum {
    SIGNING_KEYS_MAX = 8,
    SIGNING_KEYS_TEXT = 4096, /* of a registry's value */
    SIGNING_SECRET = 32,
    SIGNING_KEY_REST_MS = 10 * 60 * 1000,
    SIGNING_KEY_OLD_MS = 8 * 24 * 3600 * 1000,
};

struct signing_key {
    int64_t made_ms;
    struct str name, x, y;
    struct str sealed; /* base64url */
};

struct signing_keys {
    unsigned count;
    struct signing_key keys[SIGNING_KEYS_MAX];
};

/* Takes the entry's text apart, which is lent. ERR_DAMAGED: it cannot be read. */
int signing_keys_parse(struct str text, struct signing_keys *keys, struct failure *failure);
/* Without those that are past their time. */
void signing_keys_prune(struct signing_keys *keys, int64_t now_ms);
/* Which one signs now; NULL: there is none. */
const struct signing_key *signing_keys_current(const struct signing_keys *keys, int64_t now_ms);
/* Its private half. ERR_DENIED: sealed under another secret. */
int signing_key_open(const struct signing_key *key,
                     const unsigned char secret[static SIGNING_SECRET], struct es256_key **out,
                     struct failure *failure);

/* Makes a key and appends the entry with it to TEXT. AT_ONCE: it signs from now on and the others
 * are gone, as after a theft. ERR_FULL: too many are still needed. */
int signing_keys_add(const struct signing_keys *keys,
                     const unsigned char secret[static SIGNING_SECRET], int64_t now_ms,
                     bool at_once, struct buf *text, struct failure *failure);

#endif
