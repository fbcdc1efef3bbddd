/* Home: a shopper's server set, as text that is signed.
 *
 * The first server is home, the others are away, in the order in which they take over. The text
 * is in the cookie `home`, made by the load manager at a browser's first contact, and goes on to
 * the servers in it, in the header Stoa-Home. So every load manager that has the key, and every
 * server, can tell where a shopper belongs, and nobody can claim another place for himself.
 *
 * A cart's row keeps the set too (shop/). When a shopper comes with a cart and without the cookie,
 * the load manager asks the server that it brings the request to, in the request itself, and makes
 * the cookie of what the answer says:
 *
 *     Stoa-Home: SET       request: the shopper's set. Answer: what the cart's row says
 *     Stoa-Home: ask       request: what does the cart's row say?
 *     Stoa-Home: none      answer: nothing
 *
 * Answers say it to load managers alone, and these keep it from clients (web/whereabouts.h).
 *
 * It says nothing of who the shopper is, and it need not be kept secret. The key is made from the
 * cluster's secret (home_key) and reaches a load manager with its members (members.h).
 *
 *     2.3.1-stp5xs-MAC    servers in decimal, when it was made in base 36, 32 hexadecimal digits
 *
 * The MAC is HMAC-SHA-256 under the key, cut to its first 16 bytes (RFC 2104 §5), over what
 * stands before it.
 *
 * Pure, but for the signer, which belongs to one thread.
 */
#ifndef STOA_BALANCE_HOME_H
#define STOA_BALANCE_HOME_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { HOME_SERVERS_MAX = 4, HOME_KEY = 32, HOME_TEXT = 160 };

#define HOME_COOKIE "home"
#define HOME_HEADER "Stoa-Home"
#define HOME_ASK    "ask"
#define HOME_NONE   "none"

struct home {
    unsigned count;                     /* 0: none */
    uint64_t servers[HOME_SERVERS_MAX]; /* [0] is home, the others are away, in order */
    uint64_t since_s;                   /* when it was made, seconds since 1970 */
};

struct home_signer;

/* The key for homes, from the secret that all servers of the cluster have. */
void home_key(const unsigned char *secret, size_t len, unsigned char key[static HOME_KEY]);

struct home_signer *home_signer_new(const unsigned char key[static HOME_KEY]);
void home_signer_free(struct home_signer *signer); /* NULL is fine */

/* Into OUT (letters, digits, '.', '-' alone); returns OUT. Empty when it could not be signed. */
char *home_write(struct home_signer *signer, const struct home *home, char out[static HOME_TEXT]);
/* 0; ERR_INVALID: no such text; ERR_DENIED: not signed with this key. */
int home_read(struct home_signer *signer, struct str text, struct home *home);
/* The set that a request's cookies name (the value of its Cookie field); of several good ones, as a
 * browser has them of different domains, the one made last. False: none is good. */
bool home_find(struct home_signer *signer, struct str cookies, struct home *home);

#endif
