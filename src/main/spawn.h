/* Spawn: this program once more, as a child: a demo's servers and load managers, a bench's.
 *
 * The child dies with whoever started it, whatever kills that: Linux sends it SIGKILL when the
 * thread that started it ends. So that thread must live as long as the child is to. Thread: any.
 */
#ifndef STOA_MAIN_SPAWN_H
#define STOA_MAIN_SPAWN_H

#include "base/err.h"

#include <sys/types.h>

/* WORDS are its command line, from its name on, and end in NULL. OUT and ERRORS become its standard
 * output and error, and stay the caller's. It takes all signals, in a process group of its own: a
 * Ctrl-C is the caller's. */
int spawn_self(char *const *words, int out, int errors, pid_t *pid, struct failure *failure);

#endif
