/* Health: whether a purchase would go through now. For GET /healthz, and for whoever
 * spreads shoppers over servers. Any thread.
 */
#ifndef STOA_ADMIN_HEALTH_H
#define STOA_ADMIN_HEALTH_H

#include "admin/watched.h"
#include "base/buf.h"

struct health;

/* WATCHED is lent until health_free. NULL without memory. */
struct health *health_new(const struct watched *watched);
void health_free(struct health *health); /* NULL is fine */

/* True, or false with a REASON. CONTEXT is a struct health. */
bool health_look(void *context, struct buf *reason);

/* ---- The pure part ---- */

/* What a look sees. */
struct health_view {
    bool primary;                    /* somebody is */
    const char *missing;             /* why nobody is; NULL or empty: that is not known */
    bool ready;                      /* the primary can be reached, and the copy is with it */
    uint64_t waiting, applied_index; /* of the log */
    uint64_t purchases;              /* on their way */
    bool dir_gone;                   /* the data directory */
    uint64_t disk_free;              /* bytes */
    uint64_t now_ns;
};

/* What is remembered from look to look; begins zeroed. */
struct health_memory {
    uint64_t applied_index, moved_ns; /* when the log was last seen to move, or to be idle */
};

bool health_judge(const struct health_view *view, struct health_memory *memory, struct buf *reason);

#endif
