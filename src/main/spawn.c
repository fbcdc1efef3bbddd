#include "main/spawn.h"

#include "main/program.h"

#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

/* In the new process: only what is safe after fork(). Does not return. */
static void become(pid_t parent, char *const *words, int out, int errors)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(EXIT_FAILED); /* it died before */
    setpgid(0, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    if (dup2(out, STDOUT_FILENO) >= 0 && dup2(errors, STDERR_FILENO) >= 0)
        execv("/proc/self/exe", words);
    _exit(127);
}

int spawn_self(char *const *words, int out, int errors, pid_t *pid, struct failure *failure)
{
    pid_t parent = getpid();
    *pid = fork();
    if (*pid == 0)
        become(parent, words, out, errors);
    if (*pid > 0)
        return 0;
    *pid = 0;
    return fail_errno(failure, ERR_FULL, "cannot start a process");
}
