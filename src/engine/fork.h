/* Engine fork: a process for each connection.
 *
 * The oldest way to serve many at once (the concurrent server of Stevens, UNIX Network Programming,
 * 1990; inetd; NCSA httpd; Apache's prefork): a process of its own for each client, which serves it
 * from its first byte to its last (conversation.h) and ends. What the app may block on (work) is
 * simply run.
 *
 *   the program --fork--> zygote --fork--> client's process
 *    (start, stop,         (accepts,   +-> client's process
 *     figures)              reaps)     +-> ...
 *
 * A process that has threads must not fork and go on in the child: locks that another thread held
 * stay held for ever (fork(2), POSIX). So the clients' processes are forked by a zygote, which was
 * itself forked while the program had one thread only and never gets another. Where the program
 * has no threads of its own, start makes it. One that does makes the zygote before them
 * (fork_zygote_new) and hands it over in engine_config.
 *
 * Good for: isolation. A request that crashes its process costs one connection: the others go on,
 * it is logged and counted (engine_stats.crashed), and nothing of it is left, neither memory nor
 * descriptors nor locks. Programs that are not written for threads. Limits: a fork, a page table
 * and what the app prepares (thread_start) for each client; nothing that one request learned is
 * there for the next client's; what is to be shared has to be made so (shared memory, files, a
 * server). No more than `workers` processes, and connections_max; above it clients wait in the
 * kernel's queue, and one that keeps its connection open keeps its process. Nor more than the
 * system allows (RLIMIT_NPROC, kernel.pid_max, pids.max of the control group, memory): who comes
 * then waits as well, and the log says why. Beginning a client takes a millisecond of the zygote's
 * time; that a crowd may come faster than that, each address has several listening sockets.
 * Addresses cannot be taken over from another engine (heir_of).
 *
 * An app of this engine starts threads of its own in its clients' processes or not at all: what it
 * started before is not there. What it counts or caches is its process's.
 *
 * HTTP/2: its streams share their connection's process, and its end.
 *
 * Counters are in memory that all these processes share. Stop: each sees it there, roused by a
 * descriptor that all have; what is left a second after the grace is killed. Whoever's parent dies,
 * dies (PR_SET_PDEATHSIG); and a program whose zygote dies takes it for a SIGTERM.
 */
#ifndef STOA_ENGINE_FORK_H
#define STOA_ENGINE_FORK_H

#include "engine/engine.h"

extern const struct engine_kind engine_fork;

/* Thread: main, and the only one. */
struct fork_zygote;

enum { FORK_CLIENTS = 1000 }; /* processes, where config.workers says nothing */

struct fork_app {
    void *context;
    /* In the zygote, when the engine starts there: the app, which it runs. It starts no thread.
     * NULL with FAILURE: start fails with it. CONFIG is start's, and may be amended. */
    struct app *(*make)(void *context, struct engine_config *config, struct failure *failure);
    /* May be NULL. In a client's process, before its thread_start: as long as it lives it alone has
     * PLACE, which is below the most that there may be. */
    void (*begin)(void *context, unsigned place);
};

/* Forks it. It waits until an engine starts with it, makes the app then, and serves until that
 * stops. APP is copied. ERR_STATE: there are threads already. */
int fork_zygote_new(const struct fork_app *app, struct fork_zygote **zygote,
                    struct failure *failure);
/* Ends it, unless an engine has it: that does. NULL is fine. */
void fork_zygote_free(struct fork_zygote *zygote);

#endif
