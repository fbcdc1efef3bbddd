/* Cond: conditions that are waited for until a time by clock_mono_ns, which nobody sets. Thread:
 * any.
 */
#ifndef STOA_BASE_COND_H
#define STOA_BASE_COND_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* For cond_wait_until; all else is pthread's. */
void cond_init(pthread_cond_t *cond);

/* Like pthread_cond_wait, but no longer than until UNTIL_NS: false when it has come to that. */
bool cond_wait_until(pthread_cond_t *cond, pthread_mutex_t *mutex, uint64_t until_ns);

#endif
