/* Conversation: one client's connection, served from its beginning to its end by a thread that
 * waits for it alone (Birrell, An Introduction to Programming with Threads, 1989). For the engines
 * thread and fork.
 *
 * The thread blocks in poll(2) until the client can be read from or written to, until something of
 * it is given back by another thread, until its deadline, or until the engine's stop goes on. For a
 * turn it takes a seat (seats.h).
 *
 * Thread: the one that calls conversation_run.
 */
#ifndef STOA_ENGINE_CONVERSATION_H
#define STOA_ENGINE_CONVERSATION_H

#include "engine/connection.h"
#include "engine/seats.h"

struct conversation {
    struct dispatcher dispatcher;
    struct connection connection;
    struct seats *seats;
    int stop_fd;      /* the engine's: readable when its stop has begun */
    _Atomic int bell; /* eventfd; -1: nobody has had to wait for another thread yet */
    bool stopping;    /* the stop has been seen */
    bool cut_off;     /* by it, at the end of the grace */
};

/* Serves FD, which was accepted at LISTEN from PEER and does not block; closes it. */
void conversation_run(struct conversation *c, struct engine *engine, struct seats *seats,
                      int stop_fd, const struct engine_listen *listen, int fd,
                      const struct endpoint *peer);
/* After it: waits for what the app still holds of C. True: it may be freed; false: the stop has
 * left that behind (dispatcher_held). */
bool conversation_close(struct conversation *c);

#endif
