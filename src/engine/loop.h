/* Engine loop: one thread, one request at a time.
 *
 * The oldest way to serve (the iterative server of Stevens, UNIX Network Programming, 1990): what a
 * request needs is done to its end before anything else is. The thread knows by readiness which of
 * its connections has something to say (clients keep them open between requests), but while an
 * exchange runs nothing is read from any other, nor sent: if the app blocks, all wait; if the app
 * waits for another thread's answer, all wait as well. An answer that comes from a source or a file
 * is no longer running once it has been handed over.
 *
 * Good for: what takes no time and never waits; programs without a thought of locks, as nothing
 * ever runs beside anything. Limits: one processor; its response time is the sum of all that came
 * before, and a disk that is slow once is slow for everybody.
 *
 * It is the event engine (event.h) with one loop and without helpers. HTTP/2 and pipelining: what
 * came in one read is begun together, if the app lets it wait.
 */
#ifndef STOA_ENGINE_LOOP_H
#define STOA_ENGINE_LOOP_H

#include "engine/engine.h"

extern const struct engine_kind engine_loop;

#endif
