/* Spawn: child processes.
 *
 * This program once more: a demo's servers and load managers, a bench's. Such a child dies with
 * whoever started it, whatever kills that: Linux sends it SIGKILL when the thread that started it
 * ends. So that thread must live as long as the child is to.
 *
 * And a shell with an operator's command (main/errand.h), which lives on without us. Thread: any.
 */
#ifndef STOA_MAIN_SPAWN_H
#define STOA_MAIN_SPAWN_H

#include "base/err.h"

#include <sys/types.h>

/* WORDS are its command line, from its name on, and end in NULL. OUT and ERRORS become its standard
 * output and error, and stay the caller's. It takes all signals, in a process group of its own: a
 * Ctrl-C is the caller's. */
int spawn_self(char *const *words, int out, int errors, pid_t *pid, struct failure *failure);

/* /bin/sh -c COMMAND with VARIABLE ("NAME=value") in its environment, in a process group of its
 * own. OUT becomes its standard output and error, and stays the caller's; of our other files it has
 * none. */
int spawn_shell(const char *command, const char *variable, int out, pid_t *pid,
                struct failure *failure);

#endif
