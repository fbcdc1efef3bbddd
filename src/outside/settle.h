/* Settle: what the primary looks after on its own, once a second: holds whose deadline
 * has passed, things past their time, and imports that were decided and not finished.
 *
 *   found                          what is done
 *   -----------------------------  ---------------------------------------------------
 *   a hold past its deadline       bank->lookup under the hold's key: authorised →
 *                                  CHECKOUT_CONFIRM, refused or never asked →
 *                                  CHECKOUT_RELEASE, unreachable → again next time
 *   something EXPIRE would remove  EXPIRE with a limit
 *   a decided import               IMPORT_STEP after IMPORT_STEP, one at a time, so
 *                                  that shoppers' commands come in between
 *
 * Doing any of it twice, here and on another server that was primary just now, is
 * harmless: the shop refuses the second.
 *
 * A thread of its own, made by main/ after the replica is ready and stopped before it.
 */
#ifndef STOA_OUTSIDE_SETTLE_H
#define STOA_OUTSIDE_SETTLE_H

#include "base/arena.h"
#include "base/err.h"
#include "base/log.h"
#include "outside/bank.h"
#include "replica/order.h"
#include "shop/read.h"

struct settle;

/* Where it looks. settle_view.c looks into the database; tests make up their own. */
struct settle_view {
    void *context;
    int (*due)(void *context, struct arena *arena, int64_t now_ms, struct due *due);
    int (*checkout)(void *context, struct arena *arena, struct id id, struct checkout *checkout);
};

struct settle_config {
    struct ordering *order; /* lent, as all here, until settle_stop returned */
    struct bank *bank;
    struct settle_view view;
    const struct log *log;
    uint32_t interval_ms;  /* 0: 1000 */
    uint32_t expire_limit; /* things per EXPIRE; 0: 200 */
    uint32_t import_step;  /* products per IMPORT_STEP; 0: 100 */
};

int settle_start(const struct settle_config *config, struct settle **settle,
                 struct failure *failure);
/* Looks again at once, as after an IMPORT_COMMIT. Any thread. */
void settle_wake(struct settle *settle);
void settle_stop(struct settle *settle);

/* A view of the database FILE, and its end (after settle_stop). */
int settle_view_open(const char *file, struct settle_view *view, struct failure *failure);
void settle_view_close(struct settle_view *view);

#endif
