/* Threads as fibers: what is linked in the place of pthread_* and nanosleep. A lock is held over
 * a wait at times (another fiber runs then), so locks are real ones; there is no parallelism. */
#include "base/check.h"
#include "base/clock.h"
#include "world.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

/* In the memory of a pthread_mutex_t, whose initial value is zeros. */
struct lock {
    const struct fiber *holder;
    bool held;
};
_Static_assert(sizeof(struct lock) <= sizeof(pthread_mutex_t), "a lock fits");

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument);
int __wrap_pthread_join(pthread_t thread, void **result);
int __wrap_pthread_setname_np(pthread_t thread, const char *name);
int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes);
int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex);
int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex);
int __wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes);
int __wrap_pthread_cond_destroy(pthread_cond_t *cond);
int __wrap_pthread_cond_signal(pthread_cond_t *cond);
int __wrap_pthread_cond_broadcast(pthread_cond_t *cond);
int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex);
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *at);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left);
int __wrap_flock(int fd, int operation);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                          void *argument)
{
    (void)attributes;
    CHECK(fiber_current() != NULL);
    *thread = (pthread_t)fiber_start(fiber_life(fiber_current()), run, argument);
    return 0;
}

int __wrap_pthread_join(pthread_t thread, void **result)
{
    const struct fiber *fiber = (const struct fiber *)thread;
    while (!fiber_ended(fiber, result))
        fiber_wait(fiber, UINT64_MAX);
    return 0;
}

int __wrap_pthread_setname_np(pthread_t thread, const char *name)
{
    (void)thread;
    (void)name;
    return 0;
}

/* ---- Locks ---- */

int __wrap_pthread_mutex_init(pthread_mutex_t *mutex, const pthread_mutexattr_t *attributes)
{
    (void)attributes;
    memset(mutex, 0, sizeof *mutex);
    return 0;
}

int __wrap_pthread_mutex_destroy(pthread_mutex_t *mutex)
{
    CHECK(!((struct lock *)mutex)->held);
    return 0;
}

int __wrap_pthread_mutex_lock(pthread_mutex_t *mutex)
{
    struct lock *lock = (struct lock *)mutex;
    while (lock->held) {
        CHECK(fiber_current() != NULL && lock->holder != fiber_current());
        fiber_wait(lock, UINT64_MAX);
    }
    lock->held = true;
    lock->holder = fiber_current();
    return 0;
}

int __wrap_pthread_mutex_unlock(pthread_mutex_t *mutex)
{
    struct lock *lock = (struct lock *)mutex;
    CHECK(lock->held && lock->holder == fiber_current());
    lock->held = false;
    fiber_wake(lock, false);
    return 0;
}

/* ---- Conditions ---- */

int __wrap_pthread_cond_init(pthread_cond_t *cond, const pthread_condattr_t *attributes)
{
    (void)attributes;
    memset(cond, 0, sizeof *cond);
    return 0;
}

int __wrap_pthread_cond_destroy(pthread_cond_t *cond)
{
    (void)cond;
    return 0;
}

int __wrap_pthread_cond_signal(pthread_cond_t *cond)
{
    fiber_wake(cond, false);
    return 0;
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *cond)
{
    fiber_wake(cond, true);
    return 0;
}

int __wrap_pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    __wrap_pthread_mutex_unlock(mutex);
    fiber_wait(cond, UINT64_MAX);
    return __wrap_pthread_mutex_lock(mutex);
}

/* All conditions with a deadline are on the monotonic clock here. */
int __wrap_pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex,
                                  const struct timespec *at)
{
    __wrap_pthread_mutex_unlock(mutex);
    bool woken = fiber_wait(cond, (uint64_t)at->tv_sec * SEC_NS + (uint64_t)at->tv_nsec);
    __wrap_pthread_mutex_lock(mutex);
    return woken ? 0 : ETIMEDOUT;
}

int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
    (void)left;
    uint64_t ns = (uint64_t)time->tv_sec * SEC_NS + (uint64_t)time->tv_nsec;
    fiber_wait(time, clock_mono_ns() + ns);
    return 0;
}

/* The kernel drops a lock when its process is gone; here it stays. */
int __wrap_flock(int fd, int operation)
{
    (void)fd;
    (void)operation;
    return 0;
}
