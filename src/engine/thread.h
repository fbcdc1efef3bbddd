/* Engine thread: a thread for each connection, that blocks.
 *
 * One thread accepts; each client gets a thread of its own, which serves it from its first byte to
 * its last (conversation.h) and waits in the kernel in between. What the app may block on (work) is
 * simply run.
 *
 * Good for: programs that block at every step; few clients; connections that live long and are
 * busy. The kernel's scheduler shares the processor out, so a long request does not hold up a short
 * one. Limits: a stack and a scheduler's entry for each client, whether it asks for anything or
 * not; with thousands at work at once the switching itself and the caches it empties take over
 * (Welsh et al., SEDA, SOSP 2001, figure 2). So no more than `workers` are at work at once: a turn
 * needs a seat (seats.h); the others wait for one.
 *
 * HTTP/2: its streams share their connection's thread. A stream that blocks in work holds the
 * others of its connection up, and nobody else.
 *
 * Stop: no new ones; each thread sees it through a descriptor that becomes readable for all.
 */
#ifndef STOA_ENGINE_THREAD_H
#define STOA_ENGINE_THREAD_H

#include "engine/engine.h"

extern const struct engine_kind engine_thread;

#endif
