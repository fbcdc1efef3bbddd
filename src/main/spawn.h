/* Spawn: child processes.
 *
 * This program once more: a demo's servers and load managers, a bench's. Such a child dies with
 * whoever started it, whatever kills that: Linux sends it SIGKILL when the thread that started it
 * ends. So that thread must live as long as the child is to.
 *
 * A member of a tier (main/launcher_here.h), which is to live on when its master dies, so that the
 * next master finds it at work. Therefore it is not tied to us by anything: no signal at our death,
 * and a pipe to us that nobody reads any more neither stops nor ends it.
 *
 * And a shell with an operator's command (main/errand.h), which lives on without us. Thread: any.
 */
#ifndef STOA_MAIN_SPAWN_H
#define STOA_MAIN_SPAWN_H

#include "base/err.h"

#include <sys/types.h>

enum { SPAWN_NOT_EXECUTED = 127 /* the exit status when there is no such program */ };

/* WORDS are its command line, from its name on, and end in NULL. OUT and ERRORS become its standard
 * output and error, and stay the caller's. It takes all signals, in a process group of its own: a
 * Ctrl-C is the caller's. */
int spawn_self(char *const *words, int out, int errors, pid_t *pid, struct failure *failure);

struct spawn_lasting {
    const char *program; /* NULL: this one */
    char *const *words;  /* as above */
    int out, errors; /* the same; a write there that would wait fails instead, if it is a pipe */
    int group;       /* cgroup.procs of the control group that it is to be in; -1: ours */
};

/* A process that outlives us, in a process group of its own; of our other files it has none. */
int spawn_lasting(const struct spawn_lasting *lasting, pid_t *pid, struct failure *failure);

/* /bin/sh -c COMMAND with VARIABLE ("NAME=value") in its environment, in a process group of its
 * own. OUT becomes its standard output and error, and stays the caller's; of our other files it has
 * none. */
int spawn_shell(const char *command, const char *variable, int out, pid_t *pid,
                struct failure *failure);

#endif
