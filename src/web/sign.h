/* Sign: HMAC-SHA256 and comparison in constant time. Apart from the rest because OpenSSL's
 * headers and base/err.h both want the name ERR_STATE. Pure; thread: any.
 */
#ifndef STOA_WEB_SIGN_H
#define STOA_WEB_SIGN_H

#include <stdbool.h>
#include <stddef.h>

enum { SIGN_BYTES = 32 };

void sign_hmac(const unsigned char *key, size_t key_len, const void *message, size_t len,
               unsigned char out[static SIGN_BYTES]);
bool sign_same(const void *a, const void *b, size_t len);

#endif
