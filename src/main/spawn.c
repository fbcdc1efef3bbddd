#include "main/spawn.h"

#include "main/program.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
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
    _exit(SPAWN_NOT_EXECUTED);
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

/* ---- One that outlives us ---- */

/* In the new process, as above. */
static void become_lasting(const struct spawn_lasting *lasting)
{
    setpgid(0, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_IGN); /* whoever reads what it prints may die before it */
    if (lasting->group >= 0 && write(lasting->group, "0", 1) != 1) {
        static const char text[] = "stoa: not taken into its control group; it has no limits\n";
        ssize_t written = write(lasting->errors, text, sizeof text - 1);
        (void)written;
    }
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 &&
        dup2(lasting->out, STDOUT_FILENO) >= 0 && dup2(lasting->errors, STDERR_FILENO) >= 0 &&
        close_range(STDERR_FILENO + 1, ~0u, 0) == 0)
        execv(lasting->program ? lasting->program : "/proc/self/exe", lasting->words);
    _exit(SPAWN_NOT_EXECUTED);
}

int spawn_lasting(const struct spawn_lasting *lasting, pid_t *pid, struct failure *failure)
{
    *pid = fork();
    if (*pid == 0)
        become_lasting(lasting);
    if (*pid > 0)
        return 0;
    *pid = 0;
    return fail_errno(failure, ERR_FULL, "cannot start a process");
}

/* ---- A shell ---- */

/* In the new process: only what is safe after fork(). Does not return. */
static void become_shell(const char *command, char *const *environment, int out)
{
    char shell[] = "/bin/sh", flag[] = "-c";
    char *const words[] = {shell, flag, (char *)command, NULL};
    setpgid(0, 0);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    int nothing = open("/dev/null", O_RDONLY);
    if (nothing >= 0 && dup2(nothing, STDIN_FILENO) >= 0 && dup2(out, STDOUT_FILENO) >= 0 &&
        dup2(out, STDERR_FILENO) >= 0 && close_range(STDERR_FILENO + 1, ~0u, 0) == 0)
        execve(shell, words, environment);
    _exit(SPAWN_NOT_EXECUTED);
}

/* Ours and VARIABLE; NULL without memory. */
static char **environment_with(const char *variable)
{
    size_t count = 0;
    while (environ[count])
        count++;
    char **all = calloc(count + 2, sizeof *all);
    if (!all)
        return NULL;
    all[0] = (char *)variable; /* the first of a name is the one that counts */
    for (size_t i = 0; i < count; i++)
        all[i + 1] = environ[i];
    return all;
}

int spawn_shell(const char *command, const char *variable, int out, pid_t *pid,
                struct failure *failure)
{
    char **environment = environment_with(variable);
    *pid = 0;
    if (!environment)
        return fail(failure, ERR_NOMEM, "out of memory for a command");
    *pid = fork();
    if (*pid == 0)
        become_shell(command, environment, out);
    int err = *pid > 0 ? 0 : fail_errno(failure, ERR_FULL, "cannot start a process");
    if (err)
        *pid = 0;
    free(environment);
    return err;
}
