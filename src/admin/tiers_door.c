#include "admin/tiers_door_inner.h"
#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>

enum { LOOK_MS = 1000 };

/* ---- Rooms ---- */

void tiers_room_look(struct tiers_room *room)
{
    tiers_look(room->door->settings.queue, room->view);
    room->view->started_ns = room->door->started_ns;
    tiers_figure(room->memory, room->view);
}

static void note_point(struct tiers_room *room)
{
    const struct tiers_view *view = room->view;
    room->history[room->points++ % TIERS_HISTORY] = (struct tiers_point){
        .wall_ms = view->wall_ms,
        .length = (float)view->length,
        .p50_ms = (float)view->wait_p50_ns / 1e6f,
        .p99_ms = (float)view->wait_p99_ns / 1e6f,
        .arrived_per_s = (float)view->arrived_per_s,
        .answered_per_s = (float)view->answered_per_s,
        .lost_per_s = (float)(view->dropped_per_s + view->refused_per_s),
        .workers = view->sizes[FLEET_WORKER].in[TIERS_READY],
        .wanted = view->fresh ? view->board.workers_wanted : 0,
        .fronts = view->sizes[FLEET_FRONT].in[TIERS_READY],
    };
}

static void tick(struct timer *timer, uint64_t now_ns)
{
    struct tiers_room *room = CONTAINER_OF(timer, struct tiers_room, timer);
    tiers_room_look(room);
    tiers_remember(room->memory, room->view);
    note_point(room);
    loop_timer_set(room->loop, timer, now_ns + LOOK_MS * MS_NS);
}

static void close_room(struct app *app, void *thread_state)
{
    struct tiers_room *room = thread_state;
    (void)app;
    if (room->loop)
        loop_timer_stop(room->loop, &room->timer);
    free(room->memory);
    free(room->view);
    free(room);
}

static void *open_room(struct app *app, struct loop *loop)
{
    struct tiers_room *room = calloc(1, sizeof *room);
    if (!room)
        return NULL;
    room->door = CONTAINER_OF(app, struct tiers_door, app);
    room->loop = loop;
    room->view = calloc(1, sizeof *room->view);
    room->memory = calloc(1, sizeof *room->memory);
    room->timer.fire = tick;
    if (!room->view || !room->memory ||
        (loop && loop_timer_set(loop, &room->timer, loop_now(loop)))) {
        close_room(app, room);
        return NULL;
    }
    return room;
}

/* ---- Answers ---- */

/* What WRITE makes of a look of this moment. */
static enum app_verdict answer_look(struct exchange *x, struct str type,
                                    void (*write)(struct buf *out, const struct tiers_view *view))
{
    struct tiers_room *room = x->thread_state;
    struct buf text;
    buf_init(&text, TIERS_TEXT_MAX);
    tiers_room_look(room);
    write(&text, room->view);
    return operator_door_answer(x, type, &text);
}

static enum app_verdict answer_json(struct exchange *x)
{
    return answer_look(x, STR("application/json"), tiers_write_json);
}

static enum app_verdict answer_metrics(struct exchange *x)
{
    return answer_look(x, STR("text/plain; version=0.0.4; charset=utf-8"), tiers_write_metrics);
}

static enum app_verdict answer_history(struct exchange *x)
{
    const struct tiers_room *room = x->thread_state;
    uint64_t from = room->points > TIERS_HISTORY ? room->points - TIERS_HISTORY : 0;
    struct buf text;
    buf_init(&text, TIERS_TEXT_MAX);
    buf_puts(&text, "{\"points\":[");
    for (uint64_t i = from; i < room->points; i++) {
        const struct tiers_point *point = &room->history[i % TIERS_HISTORY];
        buf_printf(&text,
                   "%s{\"time_ms\":%lld,\"length\":%.0f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
                   "\"arrived_per_s\":%.1f,\"answered_per_s\":%.1f,\"lost_per_s\":%.1f,"
                   "\"workers\":%u,\"wanted\":%u,\"fronts\":%u}",
                   i > from ? "," : "", (long long)point->wall_ms, (double)point->length,
                   (double)point->p50_ms, (double)point->p99_ms, (double)point->arrived_per_s,
                   (double)point->answered_per_s, (double)point->lost_per_s, point->workers,
                   point->wanted, point->fronts);
    }
    buf_puts(&text, "]}");
    return operator_door_answer(x, STR("application/json"), &text);
}

static enum app_verdict answer_live(struct exchange *x)
{
    return operator_door_say(x, 200, STR("ok\n"));
}

/* ---- Which ---- */

#define LIVE "/livez"

static const struct operator_route routes[] = {
    {"/", HTTP_GET, tiers_page},
    {"/tiers.json", HTTP_GET, answer_json},
    {"/history.json", HTTP_GET, answer_history},
    {"/metrics", HTTP_GET, answer_metrics},
    {LIVE, HTTP_GET, answer_live},
};

static const struct operator_file files[] = {
    {"/style.css", "pages/style.css"},     {"/board.css", "pages/board.css"},
    {"/board.js", "pages/board.js"},       {"/tiers.js", "pages/tiers.js"},
    {"/favicon.svg", "pages/favicon.svg"},
};

static bool may_read(const struct tiers_door *door, const struct exchange *x)
{
    char token[TIERS_DOOR_TOKEN] = "";
    if (door->settings.loopback || str_eq(x->path, STR(LIVE)))
        return true;
    door->settings.token(door->settings.context, token);
    return operator_door_knows(x, token);
}

static enum app_verdict on_handle(struct app *app, struct exchange *x)
{
    const struct tiers_door *door = CONTAINER_OF(app, struct tiers_door, app);
    return may_read(door, x) ? operator_door_handle(&door->door, x) : operator_door_refuse(x);
}

/* ---- Made and freed ---- */

int tiers_door_new(const struct tiers_door_settings *settings, struct tiers_door **door,
                   struct failure *failure)
{
    struct tiers_door *made = calloc(1, sizeof *made);
    if (!made)
        return fail(failure, ERR_NOMEM, "no memory for the status door");
    made->settings = *settings;
    made->started_ns = clock_mono_ns();
    made->door.routes = routes;
    made->door.route_count = COUNT_OF(routes);
    made->door.loopback = settings->loopback;
    made->app = (struct app){
        .name = "tiers",
        .handle = on_handle,
        .work = operator_door_work,
        .thread_start = open_room,
        .thread_stop = close_room,
    };
    int err = tiers_templates_new(&made->templates, failure);
    err = err ? err : operator_door_load(&made->door, files, COUNT_OF(files), failure);
    if (err) {
        tiers_door_free(made);
        return err;
    }
    *door = made;
    return 0;
}

struct app *tiers_door_app(struct tiers_door *door)
{
    return &door->app;
}

void tiers_door_free(struct tiers_door *door)
{
    if (!door)
        return;
    operator_door_close(&door->door);
    template_set_free(door->templates);
    free(door);
}
