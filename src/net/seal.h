/* Seal: bytes that only whoever has the key can read, and nobody can change unnoticed: AES-256-GCM
 * (NIST SP 800-38D) with a random nonce in front and the tag behind. Pure but for the nonce.
 * Thread: any.
 */
#ifndef STOA_NET_SEAL_H
#define STOA_NET_SEAL_H

#include "base/buf.h"
#include "base/str.h"

enum { SEAL_KEY = 32, SEAL_MORE = 12 + 16 }; /* so many bytes longer than what is in it */

/* Appends SECRET sealed. ABOUT is not in it, but must be the same when it is opened. 0, or
 * ERR_INTERNAL, ERR_NOMEM. */
int seal(const unsigned char key[static SEAL_KEY], struct str about, struct str secret,
         struct buf *out);
/* Appends what is in SEALED. ERR_DENIED: another key, another ABOUT, or it was changed. */
int seal_open(const unsigned char key[static SEAL_KEY], struct str about, struct str sealed,
              struct buf *out);

#endif
