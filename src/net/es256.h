/* ES256: signatures by ECDSA on the curve P-256 with SHA-256 (RFC 7518 §3.4; "ecdsa-p256-sha256" in
 * RFC 9421 §3.3.4), and their keys as PEM and as JWK.
 *
 * A signature is r and s, 32 bytes each, big-endian; no DER. It has a random part: the same message
 * signed twice gives two signatures, both right.
 *
 * Thread: any; a key does not change. Errors: ERR_INVALID (not such a key), ERR_NOMEM,
 * ERR_INTERNAL (OpenSSL cannot).
 */
#ifndef STOA_NET_ES256_H
#define STOA_NET_ES256_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

#include <stdbool.h>

enum {
    ES256_SIGNATURE = 64,
    ES256_COORDINATE = 32,
    ES256_COORDINATE_TEXT = 44, /* in base64url, with a NUL */
};

struct es256_key;

/* A new key pair. */
int es256_new(struct es256_key **key, struct failure *failure);
/* From PEM (PKCS #8 or SEC 1): the key pair. */
int es256_read(struct str pem, struct es256_key **key, struct failure *failure);
/* From the JWK's x and y (base64url): the public half, which can verify. */
int es256_read_public(struct str x, struct str y, struct es256_key **key, struct failure *failure);
void es256_free(struct es256_key *key); /* NULL is fine */

/* Appends the key pair as PEM (PKCS #8). */
int es256_write(const struct es256_key *key, struct buf *pem, struct failure *failure);

/* The public half as a JWK has it (RFC 7518 §6.2.1), and the JWK's thumbprint (RFC 7638): a name
 * for the key that follows from it, so that nobody needs to keep one. */
struct es256_public {
    char x[ES256_COORDINATE_TEXT], y[ES256_COORDINATE_TEXT], thumbprint[ES256_COORDINATE_TEXT];
};
int es256_publish(const struct es256_key *key, struct es256_public *out, struct failure *failure);

int es256_sign(const struct es256_key *key, struct str message,
               unsigned char signature[static ES256_SIGNATURE], struct failure *failure);
/* Whether SIGNATURE is one of KEY for MESSAGE. */
bool es256_verify(const struct es256_key *key, struct str message,
                  const unsigned char signature[static ES256_SIGNATURE]);

#endif
