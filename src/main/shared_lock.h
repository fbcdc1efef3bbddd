/* Shared lock: waiting for DIR/lock, which dies with its holder (main/service.h), without asking
 * again and again: the kernel gives it to one of those who wait at the very moment. And ending a
 * holder that hangs, which gives it free. Thread: as said.
 */
#ifndef STOA_MAIN_SHARED_LOCK_H
#define STOA_MAIN_SHARED_LOCK_H

#include "base/err.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

/* Before any thread waits: a signal is to end the wait. Thread: main. */
void shared_lock_prepare(void);

/* Blocks until this process has the lock of DIR: *LOCK. ERR_CLOSED: *STOPPING was set, and
 * shared_lock_rouse called. */
int shared_lock_wait(const char *dir, const atomic_bool *stopping, int *lock,
                     struct failure *failure);

/* Joins THREAD, which may be in shared_lock_wait with its *STOPPING set. */
void shared_lock_rouse(pthread_t thread);

/* Kills process PID (SIGKILL) if it has the lock file of DIR open. ERR_NOTFOUND: it is gone, or has
 * not. Any thread. */
int shared_lock_kill(const char *dir, uint64_t pid, struct failure *failure);

#endif
