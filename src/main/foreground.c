#include "main/foreground.h"

#include "main/program.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* What the databases, the log and the loops take, before the first shopper comes. */
enum { DESCRIPTORS_LEAST = 64 };

struct foreground {
    sigset_t signals;
    atomic_bool settled; /* by whoever comes first: the signal, or being ready */
    pthread_t thread;
};

/* As many descriptors as the system lets us have. */
static int raise_descriptor_limit(struct failure *failure)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return 0;
    if (limit.rlim_max < DESCRIPTORS_LEAST)
        return fail(failure, ERR_FULL,
                    "only %llu files may be open at once, and at least %d are needed: raise the "
                    "limit (ulimit -n, LimitNOFILE)",
                    (unsigned long long)limit.rlim_max, DESCRIPTORS_LEAST);
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
    return 0;
}

/* The signals are blocked everywhere, and taken here alone. */
static void *wait_for_signal(void *argument)
{
    struct foreground *foreground = argument;
    int signal;
    while (sigwait(&foreground->signals, &signal) == EINTR)
        ;
    if (!atomic_exchange(&foreground->settled, true))
        _exit(EXIT_DONE);
    return NULL;
}

int foreground_begin(struct foreground **out, struct failure *failure)
{
    *out = NULL;
    int err = raise_descriptor_limit(failure);
    if (err)
        return err;
    /* Neither on the stack nor freed: when opening fails, the thread is still there. */
    static struct foreground the_process;
    struct foreground *foreground = &the_process;
    sigemptyset(&foreground->signals);
    sigaddset(&foreground->signals, SIGINT);
    sigaddset(&foreground->signals, SIGTERM);
    sigaddset(&foreground->signals, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &foreground->signals, NULL);
    if (pthread_create(&foreground->thread, NULL, wait_for_signal, foreground))
        return fail(failure, ERR_NOMEM, "cannot start a thread");
    *out = foreground;
    return 0;
}

void foreground_ready(struct foreground *foreground)
{
    if (atomic_exchange(&foreground->settled, true))
        pthread_join(foreground->thread, NULL); /* the process ends meanwhile */
}

void foreground_wait_once(struct foreground *foreground)
{
    pthread_join(foreground->thread, NULL);
}

void foreground_wait(struct foreground *foreground)
{
    foreground_wait_once(foreground);
    pthread_sigmask(SIG_UNBLOCK, &foreground->signals, NULL);
}

void foreground_stop(const struct engine_kind *kind, struct engine *engine)
{
    if (engine && !kind->stop(engine))
        _exit(EXIT_DONE);
}
