/* Hashes. hash_fast for tables in memory: seeded, so that outsiders cannot choose
 * colliding keys (SipHash-1-3, Aumasson and Bernstein 2012, as hash tables use it).
 * What leaves the process is hashed by OpenSSL instead. Thread: any.
 */
#ifndef STOA_BASE_HASH_H
#define STOA_BASE_HASH_H

#include "base/str.h"

#include <stdint.h>

struct hash_key {
    uint64_t k0, k1;
};

uint64_t hash_fast(struct hash_key key, struct str bytes);

#endif
