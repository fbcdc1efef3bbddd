/* What the files of the tiers' door share: tiers_door.c (routes and rooms), tiers_page.c (the
 * page). Only they include it.
 */
#ifndef STOA_ADMIN_TIERS_DOOR_INNER_H
#define STOA_ADMIN_TIERS_DOOR_INNER_H

#include "admin/tiers.h"
#include "admin/tiers_door.h"
#include "engine/operator_door.h"
#include "http/template.h"
#include "net/loop.h"

enum { TIERS_HISTORY = 180 };

struct tiers_door {
    struct app app;
    struct tiers_door_settings settings;
    struct operator_door door;
    struct template_set *templates;
    uint64_t started_ns;
};

/* A point of the charts. */
struct tiers_point {
    int64_t wall_ms;
    float length, p50_ms, p99_ms, arrived_per_s, answered_per_s, lost_per_s;
    unsigned workers, wanted, fronts; /* ready; wanted 0: nobody scales */
};

/* Of one thread. A helper's has no loop, and is not used. */
struct tiers_room {
    struct tiers_door *door;
    struct loop *loop;
    struct timer timer;
    struct tiers_view *view; /* the last look */
    struct tiers_memory *memory;
    struct tiers_point history[TIERS_HISTORY];
    uint64_t points; /* so far; point N is at N % TIERS_HISTORY */
};

/* A look of this moment, with the rates of about the last second. */
void tiers_room_look(struct tiers_room *room);

/* tiers_page.c */
int tiers_templates_new(struct template_set **templates, struct failure *failure);
enum app_verdict tiers_page(struct exchange *x);

#endif
