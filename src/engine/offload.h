/* Offload: the helper threads, on which an app may block.
 *
 * Used by the engines for APP_WORK and exchange_offload. The queue is bounded; what
 * does not fit is refused at once rather than made to wait for longer than a shopper
 * would. Exchanges are queued by x->next and come back through x->runner->resume.
 *
 * Thread: any, where nothing else is said.
 */
#ifndef STOA_ENGINE_OFFLOAD_H
#define STOA_ENGINE_OFFLOAD_H

#include "base/err.h"
#include "engine/app.h"

#include <stdint.h>

struct offload;

/* Starts THREADS threads, each after app->thread_start. NULL with FAILURE. */
struct offload *offload_new(struct app *app, unsigned threads, unsigned queue_max,
                            struct failure *failure);

/* x->work, or with none app->work, is run on a helper thread; then x->step on its own
 * thread. False: the queue is full, and nothing happened. */
bool offload_submit(struct offload *offload, struct exchange *x);

uint64_t offload_waiting(const struct offload *offload);

/* What waits is not run any more, but goes back at once to be answered as it is. */
void offload_abandon(struct offload *offload);

/* Runs what X asks for on the calling thread, which is a helper of any kind, and gives X back.
 * ABANDONED: gives it back at once. */
void offload_run(struct app *app, struct exchange *x, void *thread_state, bool abandoned);

/* Waits for what runs, ends the threads. The queue must be empty. NULL is fine. */
void offload_free(struct offload *offload);

#endif
