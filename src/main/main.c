#include "main/program.h"

#include <signal.h>
#include <sys/prctl.h>

int main(int count, char **words)
{
    /* A peer that closes its socket is an error of that socket, not of the process. */
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_NAME, "stoa"); /* one that was started as /proc/self/exe is called exe */
    return program_run(count, words);
}
