/* Settle: what the primary looks after on its own, once a second: holds whose deadline
 * has passed, things past their time, and imports that were decided and not finished.
 *
 *   found                          what is done
 *   -----------------------------  ---------------------------------------------------
 *   a hold past its deadline       it is claimed in the log, the bank asked, and it is
 *                                  confirmed or released: outside/overdue.h. None of it
 *                                  holds up what follows. Each look goes on where the one
 *                                  before ended, so that each has its turn, however many
 *                                  there are of which the bank tells nothing
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
#include "base/crash.h"
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
    /* The overdue ones after AFTER (shop/read.h, reader_overdue). */
    int (*overdue)(void *context, struct arena *arena, int64_t now_ms,
                   const struct overdue_place *after, struct overdue_place **places,
                   unsigned *count);
    int (*checkout)(void *context, struct arena *arena, struct id id, struct checkout *checkout);
    int (*currency)(void *context, struct arena *arena, struct str *currency); /* the shop's */
};

struct settle_config {
    struct ordering *order; /* lent, as all here, until settle_stop returned */
    struct bank *bank;
    struct settle_view view;
    struct crash_plan *crash; /* may be NULL */
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
