#include "balance/status_inner.h"
#include "base/check.h"

#include <stdlib.h>

enum { EVENTS_TOLD = 64 };

/* ---- Answers ---- */

/* What WRITE makes of a look of this moment. */
static enum app_verdict answer_look(struct exchange *x, struct str type,
                                    void (*write)(struct buf *out, const struct balance_view *view))
{
    struct status_room *room = x->thread_state;
    struct buf text;
    buf_init(&text, VIEW_TEXT_MAX);
    status_room_look(room);
    write(&text, room->view);
    return operator_door_answer(x, type, &text);
}

static enum app_verdict answer_json(struct exchange *x)
{
    return answer_look(x, STR("application/json"), view_write_json);
}

static enum app_verdict answer_metrics(struct exchange *x)
{
    return answer_look(x, STR("text/plain; version=0.0.4; charset=utf-8"), view_write_metrics);
}

static enum app_verdict answer_history(struct exchange *x)
{
    struct buf text;
    buf_init(&text, VIEW_TEXT_MAX);
    status_write_history(&text, x->thread_state);
    return operator_door_answer(x, STR("application/json"), &text);
}

/* The last ones, oldest first. */
static enum app_verdict answer_events(struct exchange *x)
{
    const struct status_room *room = x->thread_state;
    struct events *events = room->status->settings.events;
    struct event some[EVENTS_TOLD];
    uint64_t last = events_last(events);
    unsigned count =
        events_read(events, last > EVENTS_TOLD ? last - EVENTS_TOLD : 0, some, EVENTS_TOLD, NULL);
    struct buf text;
    buf_init(&text, VIEW_TEXT_MAX);
    buf_puts(&text, "{\"events\":[");
    for (unsigned i = 0; i < count; i++) {
        buf_puts(&text, i ? "," : "");
        event_write_json(&text, &some[i]);
    }
    buf_puts(&text, "]}");
    return operator_door_answer(x, STR("application/json"), &text);
}

static enum app_verdict answer_health(struct exchange *x)
{
    struct status_room *room = x->thread_state;
    status_room_look(room);
    struct str text = arena_printf(&x->arena, "%u of %u servers can be used\n", room->view->usable,
                                   room->view->count);
    return operator_door_say(x, room->view->usable ? 200 : 503, text.at ? text : STR("\n"));
}

/* ---- Changes ---- */

static enum app_verdict answer_drain(struct exchange *x, bool drain)
{
    struct status_room *room = x->thread_state;
    const struct status_settings *settings = &room->status->settings;
    uint64_t id;
    if (!settings->drain || !settings->token || !settings->token[0])
        return operator_door_say(
            x, 403,
            STR("This load manager was started without the operator's token, so "
                "nothing can be changed here.\n"));
    if (!operator_door_knows(x, settings->token)) {
        exchange_add_header(x, STR("WWW-Authenticate"), STR("Bearer"));
        return operator_door_say(x, 401,
                                 STR("Send the operator's token: Authorization: Bearer ...\n"));
    }
    struct str server = exchange_query(x, STR("server"));
    if (!server.at || str_to_u64(server, &id))
        return operator_door_say(x, 400, STR("Which server? As in POST /drain?server=2\n"));
    if (settings->drain(settings->context, id, drain))
        return operator_door_say(x, 404, STR("There is no server of this number.\n"));
    return operator_door_say(x, 200,
                             drain ? STR("It gets no new requests from here on.\n")
                                   : STR("It gets requests again.\n"));
}

static enum app_verdict answer_away(struct exchange *x)
{
    return answer_drain(x, true);
}

static enum app_verdict answer_return(struct exchange *x)
{
    return answer_drain(x, false);
}

/* ---- Which ---- */

static const struct operator_route routes[] = {
    {"/", HTTP_GET, status_page},
    {"/events", HTTP_GET, status_follow},
    {"/events.json", HTTP_GET, answer_events},
    {"/balance.json", HTTP_GET, answer_json},
    {"/history.json", HTTP_GET, answer_history},
    {"/metrics", HTTP_GET, answer_metrics},
    {"/healthz", HTTP_GET, answer_health},
    {"/drain", HTTP_POST, answer_away},
    {"/undrain", HTTP_POST, answer_return},
};

/* The shop's style sheet gives the looks, board.css what status pages have more. */
static const struct operator_file files[] = {
    {"/style.css", "pages/style.css"},     {"/board.css", "pages/board.css"},
    {"/board.js", "pages/board.js"},       {"/balance.js", "pages/balance.js"},
    {"/favicon.svg", "pages/favicon.svg"},
};

static enum app_verdict on_handle(struct app *app, struct exchange *x)
{
    const struct status_app *status = CONTAINER_OF(app, struct status_app, app);
    return operator_door_handle(&status->door, x);
}

int status_app_new(const struct status_settings *settings, struct status_app **status,
                   struct failure *failure)
{
    struct status_app *made = calloc(1, sizeof *made);
    if (!made)
        return fail(failure, ERR_NOMEM, "no memory for the status page");
    made->settings = *settings;
    made->app = (struct app){
        .name = "status",
        .handle = on_handle,
        .work = operator_door_work,
        .thread_start = status_room_open,
        .thread_stop = status_room_close,
    };
    made->door.routes = routes;
    made->door.route_count = COUNT_OF(routes);
    made->door.loopback = settings->loopback;
    int err = status_templates_new(&made->templates, failure);
    err = err ? err : operator_door_load(&made->door, files, COUNT_OF(files), failure);
    if (err) {
        status_app_free(made);
        return err;
    }
    *status = made;
    return 0;
}

struct app *status_app_app(struct status_app *status)
{
    return &status->app;
}

void status_app_stop(struct status_app *status)
{
    atomic_store(&status->stopping, true);
}

void status_app_free(struct status_app *status)
{
    if (!status)
        return;
    operator_door_close(&status->door);
    template_set_free(status->templates);
    free(status);
}
