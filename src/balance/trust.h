/* Trust: from which networks a client is believed what it says of others (X-Forwarded-For and its
 * kin): load managers and content networks that stand before this one.
 *
 * Read once from the configuration. Pure. Thread: any.
 */
#ifndef STOA_BALANCE_TRUST_H
#define STOA_BALANCE_TRUST_H

#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

enum { TRUST_MAX = 16 };

struct network {
    unsigned char bytes[16]; /* an IPv4 address as IPv6 knows it (RFC 4291 §2.5.5.2) */
    unsigned bits;           /* of them that count */
};

struct trust {
    struct network networks[TRUST_MAX];
    unsigned count;
};

/* "10.0.0.0/8", "2001:db8::/32", or one address. ERR_INVALID with what is wrong, ERR_FULL. */
int trust_add(struct trust *trust, struct str text, struct failure *failure);
/* PEER: an address as text, without a port. */
bool trust_has(const struct trust *trust, struct str peer);

#endif
