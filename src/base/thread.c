#include "base/thread.h"

#include <signal.h>

int thread_start_as(pthread_t *thread, const pthread_attr_t *attributes, const char *name,
                    void *(*run)(void *), void *context)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int reason = pthread_create(thread, attributes, run, context);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (reason == 0 && name)
        pthread_setname_np(*thread, name);
    return reason;
}

int thread_start(pthread_t *thread, const char *name, void *(*run)(void *), void *context)
{
    return thread_start_as(thread, NULL, name, run, context);
}
