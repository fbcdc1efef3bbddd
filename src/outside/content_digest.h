/* Content-Digest (RFC 9530 §2): the SHA-256 of a body, after any content coding.
 *
 * Pure; thread: any.
 */
#ifndef STOA_OUTSIDE_CONTENT_DIGEST_H
#define STOA_OUTSIDE_CONTENT_DIGEST_H

#include "base/str.h"

enum { CONTENT_DIGEST_SIZE = 56 }; /* with a NUL */

/* "sha-256=:…:" */
void content_digest_write(struct str body, char out[static CONTENT_DIGEST_SIZE]);

/* Whether HEADER, the field's value, is right about BODY: 0. ERR_CONFLICT: it is not.
 * ERR_UNSUPPORTED: it has no SHA-256. ERR_INVALID: it cannot be read. */
int content_digest_check(struct str header, struct str body);

#endif
