/* Waker: starts cold servers by the operator's commands, and ends this one when it is cold and
 * nobody needs it, as replica/wake.h decides. In servers of a cluster and in witnesses, on a thread
 * of its own that looks four times a second.
 */
#ifndef STOA_MAIN_WAKER_H
#define STOA_MAIN_WAKER_H

#include "base/err.h"
#include "base/log.h"
#include "main/option.h"
#include "replica/wake.h"

struct waker;

struct waker_config {
    struct replica *replica;
    const struct option_list *commands; /* --wake: "ID=COMMAND" each; checked, and lent */
    uint32_t after_ms;
    const struct log *log;
    /* Ends this process in the usual way, soon: called at most once, on the waker's thread. NULL:
     * it does not end by itself. */
    void (*rest)(void *context);
    void *context;
};

/* Whether --wake can be understood. */
int waker_check(const struct option_list *commands, struct failure *failure);

int waker_start(const struct waker_config *config, struct waker **waker, struct failure *failure);
/* Kills what still runs; before replica_stop. NULL is fine. */
void waker_stop(struct waker *waker);

#endif
