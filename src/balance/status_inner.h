/* What the files of the status app share: status_app.c (the door), status_stream.c (rooms
 * and followers), status_page.c (the page). Only they include it.
 */
#ifndef STOA_BALANCE_STATUS_INNER_H
#define STOA_BALANCE_STATUS_INNER_H

#include "balance/status_app.h"
#include "engine/operator_door.h"
#include "http/template.h"
#include "net/loop.h"

enum { STATUS_HISTORY = 180, STATUS_HISTORY_SERVERS = 16 };

struct status_app {
    struct app app;
    struct status_settings settings;
    struct template_set *templates;
    struct operator_door door;
    _Atomic bool stopping;
};

/* A point of the charts. */
struct status_point {
    int64_t wall_ms;
    float requests_per_s, p50_ms, p99_ms, in_flight, retries_per_s, shed_per_s;
    unsigned count;
    struct status_server_point {
        uint64_t id;
        float requests_per_s, p50_ms, p99_ms;
    } at[STATUS_HISTORY_SERVERS];
};

/* Of one thread. A helper's has no loop, and is not used. */
struct status_room {
    struct status_app *status;
    struct loop *loop;
    struct timer timer;
    struct list followers;
    unsigned follower_count;
    uint64_t looked_ns, frame, seen; /* number of the frame; of the last event seen */
    struct balance_view *view;       /* the last look */
    struct view_memory *memory;
    struct buf json; /* the last look, written */
    struct status_point history[STATUS_HISTORY];
    uint64_t points; /* so far; point N is at N % STATUS_HISTORY */
};

/* ---- status_stream.c ---- */

void *status_room_open(struct app *app, struct loop *loop);
void status_room_close(struct app *app, void *room);
/* A look of this moment, with the rates of the last second. */
void status_room_look(struct status_room *room);
/* Answers X by following. */
enum app_verdict status_follow(struct exchange *x);
void status_write_history(struct buf *out, const struct status_room *room);

/* ---- status_page.c ---- */

int status_templates_new(struct template_set **templates, struct failure *failure);
enum app_verdict status_page(struct exchange *x);

#endif
