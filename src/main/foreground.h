/* Foreground: a process that serves until SIGINT, SIGTERM or SIGHUP comes.
 *
 *   foreground_begin ──▶ (it opens what it serves) ──▶ foreground_ready ──▶ foreground_wait ──▶ stop
 *                          └─ a signal meanwhile ends the process at once
 *
 * Bringing a shop up may take long (a first import, a long log), and is broken off at once. That is
 * safe at any moment, as being killed is; nothing has been promised to anyone yet. Thread: main;
 * begin before any other is made, so that all of them inherit that the signals are blocked.
 */
#ifndef STOA_MAIN_FOREGROUND_H
#define STOA_MAIN_FOREGROUND_H

#include "base/err.h"
#include "engine/engine.h"

struct foreground;

/* Raises the limit of open files, too: each shopper is one. *FOREGROUND lives until the process
 * ends. */
int foreground_begin(struct foreground **foreground, struct failure *failure);

/* It serves: from now on a signal is foreground_wait's. */
void foreground_ready(struct foreground *foreground);

/* Returns when a signal has come. A second one ends the process: it does not wait for what is in
 * flight. */
void foreground_wait(struct foreground *foreground);
/* The same for who has others to end before itself: a second signal waits until it has. */
void foreground_wait_once(struct foreground *foreground);

/* Stops ENGINE. When something of the app goes on after that, what it uses cannot be closed: the
 * process ends here, as by a kill, which costs nothing that was acknowledged; the engine has logged
 * it. ENGINE may be NULL. */
void foreground_stop(const struct engine_kind *kind, struct engine *engine);

#endif
