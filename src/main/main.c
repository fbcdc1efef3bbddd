#include "main/program.h"

#include <signal.h>

int main(int count, char **words)
{
    /* A peer that closes its socket is an error of that socket, not of the process. */
    signal(SIGPIPE, SIG_IGN);
    return program_run(count, words);
}
