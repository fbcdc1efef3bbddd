#include "main/top_screen.h"

#include "main/top_figures.h"

#include <string.h>

enum { EVENTS_LEAST = 4, WIDE = 100 };

/* ---- The head ---- */

static void put_title(struct screen *screen, const struct top_picture *picture)
{
    yyjson_val *balance = picture->balance;
    const char *url = top_text(balance, "url");
    screen_put(screen, BOLD, "stoa top");
    screen_put(screen, PLAIN, "  %s  ", url[0] ? url : picture->door);
    if (balance)
        screen_put(screen, DIM, "%s, %s mode  ", top_text(balance, "policy"),
                   top_text(balance, "mode"));
    top_end_title(screen, picture->time);
}

static void put_totals(struct screen *screen, yyjson_val *totals)
{
    top_put_number(screen, totals, "requests_per_s", "requests/s");
    top_put_number(screen, totals, "in_flight", "in flight");
    top_put_number(screen, totals, "queue", "waiting");
    top_put_number(screen, totals, "clients", "clients");
    screen_put(screen, DIM, "processor ");
    screen_put(screen, BOLD, "%.0f%%", 100 * top_number(totals, "processor"));
    screen_end_line(screen);
    screen_put(screen, DIM, "latency, ms  ");
    top_put_time(screen, totals, "p50_ms", "p50");
    top_put_time(screen, totals, "p95_ms", "p95");
    top_put_time(screen, totals, "p99_ms", "p99");
    top_put_time(screen, totals, "p999_ms", "p99.9");
    screen_put(screen, DIM, "spread ");
    screen_put(screen, BOLD, "%.3f", top_number(totals, "spread"));
    screen_end_line(screen);
    screen_put(screen, DIM, "all so far  ");
    top_put_number(screen, totals, "requests", "requests");
    top_put_bad(screen, totals, "failed", "failed");
    top_put_bad(screen, totals, "shed", "refused");
    top_put_number(screen, totals, "retries", "retries");
    top_put_number(screen, totals, "hedges", "hedges");
    top_put_number(screen, totals, "away", "away");
    screen_end_line(screen);
}

/* ---- Servers ---- */

static enum style style_of(const char *state)
{
    static const struct {
        const char *state;
        enum style style;
    } styles[] = {{"up", GOOD}, {"warming", GOOD}, {"out", BAD}, {NULL, WARNING}};
    unsigned i = 0;
    while (styles[i].state && strcmp(styles[i].state, state))
        i++;
    return styles[i].style;
}

static void put_server(struct screen *screen, yyjson_val *server)
{
    char rate[SCREEN_FIGURE], flight[SCREEN_FIGURE], p50[SCREEN_FIGURE], p99[SCREEN_FIGURE],
        failures[SCREEN_FIGURE], retries[SCREEN_FIGURE];
    char homes[SCREEN_FIGURE];
    const char *state = top_text(server, "state");
    double failed = top_number(server, "failures") + top_number(server, "answered_5xx");
    screen_put(screen, PLAIN, "%-14.14s ", top_text(server, "name"));
    screen_put(screen, PLAIN, "%-9.9s ", top_text(server, "role"));
    screen_put(screen, style_of(state), "%-8.8s", state);
    screen_put(screen, PLAIN, "%4.0f%% %6s %4s %5s %6s ", 100 * top_number(server, "share"),
               screen_number(top_number(server, "requests_per_s"), rate),
               screen_number(top_number(server, "in_flight"), flight),
               screen_time(top_number(server, "p50_ms"), p50),
               screen_time(top_number(server, "p99_ms"), p99));
    screen_put(screen, failed > 0 ? WARNING : PLAIN, "%4s ", screen_number(failed, failures));
    screen_put(screen, PLAIN, "%4s", screen_number(top_number(server, "retries"), retries));
    screen_put(screen, PLAIN, " %5s", screen_number(top_number(server, "homes"), homes));
    if (screen->columns >= WIDE)
        screen_put(screen, DIM, "  %s", top_text(server, "url"));
    screen_end_line(screen);
}

/* At most ROOM lines; the last one tells how many are not shown. */
static void put_servers(struct screen *screen, yyjson_val *servers, unsigned room)
{
    size_t at, count, total = yyjson_arr_size(servers);
    yyjson_val *server;
    screen_put(screen, DIM, "%-14s %-9s %-8s%5s %6s %4s %5s %6s %4s %4s %5s", "server", "role",
               "state", "share", "req/s", "now", "p50ms", "p99 ms", "err", "retr", "homes");
    screen_end_line(screen);
    size_t shown = total <= room ? total : room ? room - 1 : 0;
    yyjson_arr_foreach(servers, at, count, server)
    {
        if (at < shown)
            put_server(screen, server);
    }
    if (shown < total) {
        screen_put(screen, DIM, "… and %zu more", total - shown);
        screen_end_line(screen);
    }
}

/* ---- Load managers and events ---- */

static void put_managers(struct screen *screen, const struct top_picture *picture)
{
    const struct cluster_view *cluster = picture->cluster;
    if (!cluster || cluster->manager_count < 2)
        return;
    screen_put(screen, DIM, "load managers");
    screen_end_line(screen);
    for (unsigned i = 0; i < cluster->manager_count; i++) {
        const struct view_manager *manager = &cluster->managers[i];
        bool shown = strcmp(manager->status, picture->door) == 0;
        screen_put(screen, shown ? BOLD : PLAIN, "%-32s pid %-8llu %s%s", manager->url,
                   (unsigned long long)manager->pid, manager->policy, shown ? "  (this one)" : "");
        screen_end_line(screen);
    }
}

/* The newest as far as there is room, the newest last. */
static void put_events(struct screen *screen, yyjson_val *events)
{
    size_t at, count, total = yyjson_arr_size(events);
    yyjson_val *event;
    if (screen->rows < 2 || !total)
        return;
    screen_put(screen, DIM, "events");
    screen_end_line(screen);
    size_t skipped = total > screen->rows ? total - screen->rows : 0;
    yyjson_arr_foreach(events, at, count, event)
    {
        const char *when = top_text(event, "time"), *name = top_text(event, "name");
        if (at < skipped)
            continue;
        screen_put(screen, DIM, "%.8s ", strlen(when) > 19 ? when + 11 : "");
        screen_put(screen, PLAIN, "%s%s%s", name, name[0] ? ": " : "", top_text(event, "text"));
        screen_end_line(screen);
    }
}

static unsigned manager_lines(const struct top_picture *picture)
{
    const struct cluster_view *cluster = picture->cluster;
    return cluster && cluster->manager_count > 1 ? cluster->manager_count + 1 : 0;
}

void top_screen(const struct top_picture *picture, struct buf *out)
{
    struct screen screen = {
        .out = out,
        .columns = picture->columns < TOP_COLUMNS_LEAST ? TOP_COLUMNS_LEAST : picture->columns,
        .rows = picture->rows < TOP_ROWS_LEAST ? TOP_ROWS_LEAST : picture->rows,
        .colours = picture->colours,
    };
    yyjson_val *balance = picture->balance, *totals = yyjson_obj_get(balance, "totals");
    put_title(&screen, picture);
    if (picture->trouble) {
        screen_put(&screen, BAD, "%s; asking again", picture->trouble);
        screen_end_line(&screen);
    }
    if (!balance)
        return;
    put_totals(&screen, totals);
    if (yyjson_get_bool(yyjson_obj_get(totals, "panic"))) {
        screen_put(&screen, BAD, "too many servers are out: all of them are used");
        screen_end_line(&screen);
    }
    unsigned others = manager_lines(picture) + EVENTS_LEAST + 1;
    put_servers(&screen, yyjson_obj_get(balance, "servers"),
                screen.rows > others ? screen.rows - others : 1);
    put_managers(&screen, picture);
    put_events(&screen, picture->events);
}
