#include "balance/status_inner.h"
#include "base/check.h"
#include "base/clock.h"

#include <stdlib.h>

enum {
    TICK_MS = 100,      /* while somebody follows: how long after an event it is told */
    FRAME_MS = 1000,    /* between two looks */
    CATCH_UP = 100,     /* events from before that a new follower gets */
    EVENTS_AT_ONCE = 16 /* written to a follower's buffer at a time */
};

/* One who reads /events. x->state of its exchange. */
struct follower {
    struct list node;
    struct status_room *room;
    struct exchange *x;
    bool waiting;         /* its source has said SOURCE_WAIT: it lives until it is woken */
    uint64_t seen, frame; /* the last event and frame written */
    struct buf text;      /* written, and of which `taken` bytes are on their way */
    size_t taken;
};

/* ---- Looking ---- */

static void fill(struct status_room *room)
{
    const struct status_settings *settings = &room->status->settings;
    settings->look(settings->context, room->view);
    process_look(&room->view->process);
}

static void note_point(struct status_room *room)
{
    const struct balance_view *view = room->view;
    const struct view_totals *totals = &view->totals;
    struct status_point *point = &room->history[room->points++ % STATUS_HISTORY];
    *point = (struct status_point){
        .wall_ms = view->wall_ms,
        .requests_per_s = (float)totals->requests_per_s,
        .p50_ms = (float)totals->p50_ns / 1e6f,
        .p99_ms = (float)totals->p99_ns / 1e6f,
        .in_flight = (float)totals->in_flight,
        .retries_per_s = (float)totals->retries_per_s,
        .shed_per_s = (float)totals->shed_per_s,
    };
    for (unsigned i = 0; i < view->count && i < STATUS_HISTORY_SERVERS; i++)
        point->at[point->count++] = (struct status_server_point){
            view->at[i].id, (float)view->at[i].requests_per_s, (float)view->at[i].p50_ns / 1e6f,
            (float)view->at[i].p99_ns / 1e6f};
}

void status_room_look(struct status_room *room)
{
    fill(room);
    view_borrow(room->memory, room->view);
}

static void look(struct status_room *room, uint64_t now_ns)
{
    fill(room);
    view_roll(room->memory, room->view);
    note_point(room);
    room->looked_ns = now_ns;
    room->frame++;
    buf_clear(&room->json);
    if (room->follower_count)
        view_write_json(&room->json, room->view);
}

void status_write_history(struct buf *out, const struct status_room *room)
{
    uint64_t from = room->points > STATUS_HISTORY ? room->points - STATUS_HISTORY : 0;
    buf_puts(out, "{\"points\":[");
    for (uint64_t i = from; i < room->points; i++) {
        const struct status_point *point = &room->history[i % STATUS_HISTORY];
        buf_printf(out,
                   "%s{\"time_ms\":%lld,\"requests_per_s\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f,"
                   "\"in_flight\":%.0f,\"retries_per_s\":%.1f,\"shed_per_s\":%.1f,\"servers\":[",
                   i > from ? "," : "", (long long)point->wall_ms, (double)point->requests_per_s,
                   (double)point->p50_ms, (double)point->p99_ms, (double)point->in_flight,
                   (double)point->retries_per_s, (double)point->shed_per_s);
        for (unsigned at = 0; at < point->count; at++)
            buf_printf(out,
                       "%s{\"id\":%llu,\"requests_per_s\":%.1f,\"p50_ms\":%.3f,\"p99_ms\":%.3f}",
                       at ? "," : "", (unsigned long long)point->at[at].id,
                       (double)point->at[at].requests_per_s, (double)point->at[at].p50_ms,
                       (double)point->at[at].p99_ms);
        buf_puts(out, "]}");
    }
    buf_puts(out, "]}");
}

/* ---- Followers ---- */

static void leave(void *argument)
{
    struct follower *follower = argument;
    list_remove(&follower->node);
    follower->room->follower_count--;
    buf_close(&follower->text);
    free(follower);
}

static void put_events(struct follower *follower)
{
    struct event some[EVENTS_AT_ONCE];
    uint64_t missed;
    unsigned count = events_read(follower->room->status->settings.events, follower->seen, some,
                                 EVENTS_AT_ONCE, &missed);
    if (missed)
        buf_printf(&follower->text, "event: missed\ndata: %llu\n\n", (unsigned long long)missed);
    for (unsigned i = 0; i < count; i++) {
        buf_printf(&follower->text,
                   "event: happened\nid: %llu\ndata: ", (unsigned long long)some[i].number);
        event_write_json(&follower->text, &some[i]);
        buf_puts(&follower->text, "\n\n");
        follower->seen = some[i].number;
    }
}

static void put_frame(struct follower *follower)
{
    struct status_room *room = follower->room;
    if (follower->frame == room->frame)
        return;
    follower->frame = room->frame;
    if (!room->json.len)
        view_write_json(&room->json, room->view);
    buf_puts(&follower->text, "event: view\ndata: ");
    buf_str(&follower->text, buf_text(&room->json));
    buf_puts(&follower->text, "\n\n");
}

static enum source_verdict read_follower(struct exchange *x, char *out, size_t room, size_t *len)
{
    struct follower *follower = x->state;
    if (follower->taken == follower->text.len) {
        buf_clear(&follower->text);
        follower->taken = 0;
        if (atomic_load(&follower->room->status->stopping)) {
            *len = 0;
            return SOURCE_END;
        }
        put_events(follower);
        put_frame(follower);
    }
    if (follower->text.failed)
        return SOURCE_FAIL;
    size_t left = follower->text.len - follower->taken;
    if (!left) {
        follower->waiting = true;
        return SOURCE_WAIT;
    }
    *len = left < room ? left : room;
    memcpy(out, follower->text.at + follower->taken, *len);
    follower->taken += *len;
    return SOURCE_MORE;
}

static const struct body_source source = {read_follower};

/* A follower that comes again says what it has seen. */
static uint64_t seen_before(struct exchange *x, uint64_t last)
{
    uint64_t seen;
    struct str said = exchange_header(x, STR("last-event-id"));
    if (said.at && str_to_u64(said, &seen) == 0 && seen <= last)
        return seen;
    return last > CATCH_UP ? last - CATCH_UP : 0;
}

enum app_verdict status_follow(struct exchange *x)
{
    struct status_room *room = x->thread_state;
    if (room->follower_count >= STATUS_FOLLOWERS_MAX || atomic_load(&room->status->stopping)) {
        exchange_add_header(x, STR("Retry-After"), STR("5"));
        exchange_reply(x, 503, STR("text/plain; charset=utf-8"),
                       STR("Too many follow the events already; try again later.\n"));
        return APP_DONE;
    }
    struct follower *follower = calloc(1, sizeof *follower);
    if (!follower || exchange_at_end(x, leave, follower)) {
        free(follower);
        exchange_reply(x, 503, STR("text/plain; charset=utf-8"), STR("No memory.\n"));
        return APP_DONE;
    }
    follower->room = room;
    follower->x = x;
    follower->seen = seen_before(x, events_last(room->status->settings.events));
    follower->frame = room->frame - 1;
    buf_init(&follower->text, 2 * VIEW_TEXT_MAX);
    buf_puts(&follower->text, "retry: 1000\n\n");
    list_append(&room->followers, &follower->node);
    room->follower_count++;
    x->state = follower;
    exchange_add_header(x, STR("Cache-Control"), STR("no-store"));
    exchange_add_header(x, STR("X-Accel-Buffering"), STR("no"));
    exchange_reply_source(x, 200, STR("text/event-stream; charset=utf-8"), &source, UINT64_MAX);
    loop_timer_put_off(room->loop, &room->timer, loop_now(room->loop));
    return APP_DONE;
}

static void wake_all(struct status_room *room)
{
    LIST_EACH(&room->followers, node)
    {
        struct follower *follower = CONTAINER_OF(node, struct follower, node);
        if (!follower->waiting)
            continue;
        follower->waiting = false;
        exchange_wake(follower->x);
    }
}

/* ---- The room ---- */

static void tick(struct timer *timer, uint64_t now_ns)
{
    struct status_room *room = CONTAINER_OF(timer, struct status_room, timer);
    uint64_t last = events_last(room->status->settings.events);
    bool due = now_ns >= room->looked_ns + FRAME_MS * MS_NS;
    if (due)
        look(room, now_ns);
    if (due || last != room->seen || atomic_load(&room->status->stopping))
        wake_all(room);
    room->seen = last;
    uint64_t next = room->looked_ns + FRAME_MS * MS_NS;
    if (room->follower_count && next > now_ns + TICK_MS * MS_NS)
        next = now_ns + TICK_MS * MS_NS;
    loop_timer_set(room->loop, &room->timer, next);
}

void *status_room_open(struct app *app, struct loop *loop)
{
    struct status_room *room = calloc(1, sizeof *room);
    if (!room)
        return NULL;
    room->status = CONTAINER_OF(app, struct status_app, app);
    room->loop = loop;
    list_init(&room->followers);
    buf_init(&room->json, VIEW_TEXT_MAX);
    room->view = calloc(1, sizeof *room->view);
    room->memory = calloc(1, sizeof *room->memory);
    room->timer.fire = tick;
    if (!room->view || !room->memory ||
        (loop && loop_timer_set(loop, &room->timer, loop_now(loop)))) {
        status_room_close(app, room);
        return NULL;
    }
    return room;
}

void status_room_close(struct app *app, void *thread_state)
{
    struct status_room *room = thread_state;
    (void)app;
    if (room->loop)
        loop_timer_stop(room->loop, &room->timer);
    CHECK(room->follower_count == 0);
    buf_close(&room->json);
    free(room->memory);
    free(room->view);
    free(room);
}
