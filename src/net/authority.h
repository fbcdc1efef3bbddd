/* Authority: a cluster's own certificate authority (X.509, RFC 5280; ECDSA P-256 keys).
 *
 * It is made once, by `stoa init`; each server has a key of its own and a certificate signed by
 * the authority, whose common name says which server it is. All as PEM text.
 * Thread: any. Errors: ERR_INVALID (not PEM, not ours), ERR_NOMEM, ERR_INTERNAL (OpenSSL).
 */
#ifndef STOA_NET_AUTHORITY_H
#define STOA_NET_AUTHORITY_H

#include "base/buf.h"
#include "base/err.h"
#include "base/str.h"

enum { FINGERPRINT_TEXT = 65 }; /* SHA-256 in hexadecimal, with its NUL */

/* A new authority called NAME, valid for 30 years. */
int authority_new(const char *name, struct buf *certificate, struct buf *key,
                  struct failure *failure);
/* A new key, and a request (PKCS #10, RFC 2986) to have it certified. */
int authority_request(struct buf *key, struct buf *request, struct failure *failure);
/* A certificate for REQUEST's key in the name of NAME ("server-3"), for TLS both as server and
 * as client, valid as long as the authority. */
int authority_sign(struct str authority, struct str authority_key, struct str request,
                   const char *name, struct buf *certificate, struct failure *failure);
int authority_fingerprint(struct str certificate, char out[FINGERPRINT_TEXT],
                          struct failure *failure);

#endif
