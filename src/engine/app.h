/* App: what an engine runs. The seam between the seven engines and the shop.
 *
 * The shop is an app; the front tier is an app that queues; the layer-7 load
 * manager is an app that forwards; examples/ has the smallest one. An app is
 * written once and runs unchanged on every engine: it never asks which one.
 *
 * How an engine runs an exchange:
 *
 *   head arrived --accept--> body arriving --(complete)--> handle --+-- APP_DONE --> answered
 *        |                    (collected, or given               |
 *        |                     to the app's sink)                +-- APP_LATER: the app holds the
 *        |                                                       |   exchange, and somebody calls
 *        +-- accept wrote an answer (x->status != 0):            |   exchange_continue or _finish
 *            the body is dropped, handle is not called           |
 *                                                                +-- APP_WORK --> work, on a
 *                                                                    helper thread --> as handle
 */
#ifndef STOA_ENGINE_APP_H
#define STOA_ENGINE_APP_H

#include "http/exchange.h"

struct loop;

enum app_verdict {
    APP_DONE,  /* the answer is written */
    APP_LATER, /* exchange_continue or exchange_finish will be called, once */
    APP_WORK,  /* call work(), off the loop: it may block (disk, search, computing) */
};

struct app {
    const char *name;

    /* May be NULL. Engine's thread, when the head has arrived and X is to be refused as there is
     * too much to do: whether it is let in all the same (of those by whom the server is watched).
     */
    bool (*is_urgent)(struct app *app, const struct exchange *x);

    /* May be NULL. Engine's thread, when the head has arrived: set body_limit or
     * sink, or answer at once to refuse. Must not block. */
    void (*accept)(struct app *app, struct exchange *x);

    /* Engine's thread, when the body is complete. Must not block. */
    enum app_verdict (*handle)(struct app *app, struct exchange *x);

    /* Helper thread (or the engine's own, where the engine has no others). May
     * block. Never returns APP_WORK. */
    enum app_verdict (*work)(struct app *app, struct exchange *x);

    /* May be NULL. Each engine or helper thread calls thread_start once, before
     * its first exchange; x->thread_state is what it returned, on whichever
     * thread is running the exchange now. LOOP is the thread's event loop, for an
     * app with sockets and timers of its own there (lent until thread_stop); NULL on
     * a thread that has none. NULL from thread_start: the engine does not start.
     * With the engine fork (fork.h) each client's process calls it: threads that the app
     * started before are not there, and what it changes there stays there. */
    void *(*thread_start)(struct app *app, struct loop *loop);
    void (*thread_stop)(struct app *app, void *thread_state);
};

#endif
