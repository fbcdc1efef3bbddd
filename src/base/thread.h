/* Thread: a thread of this program's own, under a name, that takes no signals: they are main's.
 * All else is pthread's.
 */
#ifndef STOA_BASE_THREAD_H
#define STOA_BASE_THREAD_H

#include <pthread.h>

/* Begins RUN(CONTEXT) in a thread called NAME (15 characters). 0, or the system's error number. */
int thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *context);
/* The same with ATTRIBUTES; NULL: the usual ones. NAME may be NULL, and must be where the thread may
 * have ended, and be joined by another, before this has returned: it names itself then. */
int thread_start_as(pthread_t *thread, const pthread_attr_t *attributes, const char *name,
                    void *(*run)(void *), void *context);

#endif
