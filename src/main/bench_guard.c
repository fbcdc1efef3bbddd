#include "main/bench_guard.h"

#include "base/thread.h"

#include <signal.h>
#include <unistd.h>

enum { SIGNALLED = 128 }; /* an exit status, as shells have it */

static void take_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGHUP);
}

static void *wait_for_signal(void *argument)
{
    const struct bench_guard *guard = argument;
    sigset_t signals;
    int number = 0;
    take_signals(&signals);
    while (sigwait(&signals, &number))
        ;
    guard->end(guard->context);
    _exit(SIGNALLED + number);
}

int bench_guard_begin(const struct bench_guard *guard, struct failure *failure)
{
    pthread_t thread;
    sigset_t signals;
    take_signals(&signals);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    if (thread_start(&thread, "stoa-guard", wait_for_signal, (void *)guard))
        return fail(failure, ERR_NOMEM, "cannot start a thread");
    pthread_detach(thread);
    return 0;
}
