/* SHA-256 (FIPS 180-4) of bytes that are in memory. Pure; thread: any. */
#ifndef STOA_NET_SHA256_H
#define STOA_NET_SHA256_H

#include "base/str.h"

enum { SHA256_SIZE = 32 };

/* Cannot fail: OpenSSL has it built in; if not, this aborts. */
void sha256_of(struct str bytes, unsigned char out[static SHA256_SIZE]);

#endif
