/* Randomness: a seeded generator for decisions, the kernel's for secrets.
 *
 * `struct random` is xoshiro256** (Blackman and Vigna, 2018), seeded through
 * splitmix64: the same seed gives the same sequence everywhere, so that a
 * simulation can be replayed. Not for secrets. Not thread-safe.
 */
#ifndef STOA_BASE_RANDOM_H
#define STOA_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

struct random {
    uint64_t s[4];
};

void random_seed(struct random *random, uint64_t seed);
uint64_t random_u64(struct random *random);
/* Uniform in [0, BOUND), BOUND > 0; without modulo bias (Lemire, 2019). */
uint64_t random_below(struct random *random, uint64_t bound);
/* Uniform in [0, 1). */
double random_unit(struct random *random);

/* LEN bytes from the kernel (getrandom), fit for secrets; waits for it at boot. */
void random_secret(void *out, size_t len);

#endif
