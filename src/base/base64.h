/* Base64 (RFC 4648): with its usual letters and padding (§4), or with those that are safe in URLs
 * and file names and without padding (§5), as keys and signatures are written.
 *
 * Pure; thread: any.
 */
#ifndef STOA_BASE_BASE64_H
#define STOA_BASE_BASE64_H

#include "base/buf.h"
#include "base/str.h"

enum base64_kind { BASE64_PADDED, BASE64_URL };

/* Characters for LEN bytes, without a NUL; an array's size. */
#define BASE64_SIZE(len)     (((len) + 2) / 3 * 4)
#define BASE64_URL_SIZE(len) (((len)*4 + 2) / 3)

/* Appends BYTES in text. */
void base64_put(struct buf *out, enum base64_kind kind, struct str bytes);

/* TEXT's bytes into OUT of SIZE bytes, *LEN of them. ERR_INVALID: it is not written exactly so
 * (other letters, blanks, padding missing or too much, bits left over); ERR_FULL: no room. */
int base64_decode(enum base64_kind kind, struct str text, void *out, size_t size, size_t *len);

#endif
