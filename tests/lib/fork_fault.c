/* A system that makes no more processes, by LD_PRELOAD.
 *
 *     LD_PRELOAD=fork_fault.so STOA_FORK_FAULT=CONTROL program
 *
 * While there is a file CONTROL, fork fails with EAGAIN, as it does at a limit of processes.
 */
#include <dlfcn.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

pid_t fork(void)
{
    pid_t (*real)(void);
    const char *control = getenv("STOA_FORK_FAULT");
    if (control && access(control, F_OK) == 0) {
        errno = EAGAIN;
        return -1;
    }
    *(void **)&real = dlsym(RTLD_NEXT, "fork");
    return real();
}
