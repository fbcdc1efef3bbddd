#include "balance/status_inner.h"
#include "base/check.h"
#include "base/clock.h"

enum { PAGE_MAX = 1 << 20, EVENTS_SHOWN = 40 };

int status_templates_new(struct template_set **templates, struct failure *failure)
{
    const struct template_source pages[] = {
        {.name = "balance", .text = operator_door_text("pages/balance.html")},
        {.name = "balance_row", .text = operator_door_text("pages/balance_row.html")},
    };
    return template_set_new(pages, COUNT_OF(pages), templates, failure);
}

static void put_server(struct value *list, const struct balance_view *view,
                       const struct view_backend *server)
{
    struct value *map = value_add_map(list);
    double all = view->totals.requests_per_s;
    value_printf(map, "id", "%llu", (unsigned long long)server->id);
    value_text(map, "name", str_of(server->name));
    value_text(map, "url", str_of(server->url));
    value_text(map, "state", str_of(health_name(server->state)));
    value_text(map, "role", str_of(view_role(server)));
    if (server->out_until_ns > view->now_ns)
        value_printf(map, "out_for", "%.1f", (double)(server->out_until_ns - view->now_ns) / 1e9);
    if (server->share < 1000)
        value_printf(map, "share", "%u", server->share / 10);
    value_printf(map, "rate", "%.0f", server->requests_per_s);
    value_printf(map, "part", "%.1f", all > 0 ? 100 * server->requests_per_s / all : 0);
    value_int(map, "in_flight", server->in_flight);
    value_int(map, "limit", server->limit);
    value_int(map, "homes", server->homes);
    value_ms(map, "p50", server->p50_ns);
    value_ms(map, "p99", server->p99_ns);
    value_ms(map, "round_trip", server->round_trip_ns);
    value_printf(map, "failures", "%llu", (unsigned long long)server->failures);
    value_printf(map, "answered_5xx", "%llu", (unsigned long long)server->answered_5xx);
    value_printf(map, "retries", "%llu", (unsigned long long)server->retries);
    value_printf(map, "ejections", "%llu", (unsigned long long)server->ejections_total);
}

static void put_totals(struct value *root, const struct balance_view *view)
{
    const struct view_totals *totals = &view->totals;
    value_printf(root, "rate", "%.0f", totals->requests_per_s);
    value_printf(root, "requests", "%llu", (unsigned long long)totals->requests);
    value_printf(root, "failed", "%llu", (unsigned long long)totals->failed);
    value_printf(root, "shed", "%llu", (unsigned long long)totals->shed);
    value_printf(root, "retries", "%llu", (unsigned long long)totals->retries);
    value_printf(root, "hedges", "%llu", (unsigned long long)totals->hedges);
    value_ms(root, "p50", totals->p50_ns);
    value_ms(root, "p99", totals->p99_ns);
    value_int(root, "in_flight", totals->in_flight);
    value_int(root, "queue", totals->queue);
    value_int(root, "clients", totals->clients);
    value_int(root, "tunnels", totals->tunnels_open);
    value_printf(root, "spread", "%.2f", view->spread);
    value_printf(root, "processor", "%.0f", 100 * view->processor);
    value_printf(root, "resident", "%.0f", (double)view->process.resident_bytes / 1e6);
}

/* Newest first. */
static void put_events(struct value *root, struct events *events)
{
    struct value *list = value_list(root, "events");
    struct event some[EVENTS_SHOWN];
    uint64_t last = events_last(events);
    unsigned count = events_read(events, last > EVENTS_SHOWN ? last - EVENTS_SHOWN : 0, some,
                                 EVENTS_SHOWN, NULL);
    while (count > 0) {
        const struct event *event = &some[--count];
        char when[32];
        clock_rfc3339(event->wall_ms, when, sizeof when);
        struct value *map = value_add_map(list);
        value_printf(map, "number", "%llu", (unsigned long long)event->number);
        value_printf(map, "time", "%s", when);
        value_printf(map, "clock", "%.8s", when + 11);
        value_text(map, "kind", str_of(event_kind_name(event->kind)));
        value_printf(map, "name", "%s", event->name);
        value_printf(map, "text", "%s", event->text);
    }
}

enum app_verdict status_page(struct exchange *x)
{
    struct status_room *room = x->thread_state;
    struct value *root = value_root(&x->arena);
    struct buf page;
    status_room_look(room);
    const struct balance_view *view = room->view;
    value_text(root, "version", STR(STOA_VERSION));
    value_text(root, "policy", str_of(view->policy ? view->policy : ""));
    value_text(root, "mode", view->mode == BALANCE_DIRECT ? STR("direct") : STR("proxy"));
    value_text(root, "url", str_of(view->url));
    value_age(root, "age", view->now_ns > view->started_ns ? view->now_ns - view->started_ns : 0);
    value_bool(root, "panic", view->panic);
    value_bool(root, "none", view->usable == 0);
    value_int(root, "usable", view->usable);
    value_int(root, "count", view->count);
    put_totals(root, view);
    struct value *list = value_list(root, "servers");
    for (unsigned i = 0; i < view->count; i++)
        put_server(list, view, &view->at[i]);
    put_events(root, room->status->settings.events);
    buf_init(&page, PAGE_MAX);
    int err = template_render(template_find(room->status->templates, STR("balance")), root, &page);
    struct str copy = err ? STR_NONE : arena_str(&x->arena, buf_text(&page));
    buf_close(&page);
    exchange_add_header(x, STR("Cache-Control"), STR("no-store"));
    if (copy.at)
        exchange_reply(x, 200, STR("text/html; charset=utf-8"), copy);
    else
        exchange_reply(x, 503, STR("text/plain; charset=utf-8"), STR("No memory for this page.\n"));
    x->compressible = copy.at != NULL;
    return APP_DONE;
}
