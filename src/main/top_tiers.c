#include "main/top_tiers.h"

#include "main/top_figures.h"

#include <stdio.h>
#include <string.h>

enum { EVENTS_LEAST = 4, CHANGE = 64, MIB = 1 << 20 };

static bool is_true(yyjson_val *object, const char *key)
{
    return yyjson_get_bool(yyjson_obj_get(object, key));
}

/* ---- The head ---- */

static void put_title(struct screen *screen, const struct top_tiers_picture *picture)
{
    yyjson_val *scale = yyjson_obj_get(picture->tiers, "scale");
    double master = top_number(picture->tiers, "master");
    screen_put(screen, BOLD, "stoa top");
    screen_put(screen, PLAIN, "  %s  ", picture->door);
    if (picture->tiers && is_true(scale, "live"))
        screen_put(screen, DIM, "rule %s  ", top_text(scale, "rule"));
    else if (picture->tiers)
        screen_put(screen, DIM, "not scaled  ");
    if (picture->tiers && master > 0)
        screen_put(screen, DIM, "master %.0f  ", master);
    else if (picture->tiers)
        screen_put(screen, BAD, "no master  ");
    top_end_title(screen, picture->time);
    if (picture->trouble) {
        screen_put(screen, BAD, "%s; asking again", picture->trouble);
        screen_end_line(screen);
    }
}

/* "93%"; "–": nobody has asked it lately. */
static void put_found(struct screen *screen, yyjson_val *of)
{
    yyjson_val *ratio = yyjson_obj_get(of, "hit_ratio");
    if (yyjson_is_num(ratio))
        screen_put(screen, BOLD, "%.0f%%  ", 100 * yyjson_get_num(ratio));
    else
        screen_put(screen, BOLD, "–  ");
}

static void put_queue(struct screen *screen, yyjson_val *queue)
{
    screen_put(screen, DIM, "%-9s", "queue");
    top_put_number(screen, queue, "length", "waiting");
    top_put_number(screen, queue, "held", "held");
    top_put_number(screen, queue, "slots", "of");
    screen_put(screen, DIM, "waited, ms  ");
    top_put_time(screen, queue, "wait_p50_ms", "p50");
    top_put_time(screen, queue, "wait_p90_ms", "p90");
    top_put_time(screen, queue, "wait_p99_ms", "p99");
    top_put_time(screen, queue, "oldest_wait_ms", "first");
    screen_end_line(screen);
    screen_put(screen, DIM, "%-9s", "requests");
    top_put_number(screen, queue, "arrived_per_s", "came/s");
    top_put_number(screen, queue, "answered_per_s", "answered/s");
    top_put_bad(screen, queue, "dropped_per_s", "dropped/s");
    top_put_bad(screen, queue, "refused_per_s", "refused/s");
    top_put_bad(screen, queue, "given_back", "given back");
    top_put_bad(screen, queue, "died", "deaths");
    screen_put(screen, DIM, "found in caches ");
    put_found(screen, queue);
    screen_end_line(screen);
}

/* WANTED: the key of how many the rule wants. */
static void put_size(struct screen *screen, yyjson_val *tiers, const char *tier, const char *wanted)
{
    yyjson_val *size = yyjson_obj_get(yyjson_obj_get(tiers, "sizes"), tier);
    yyjson_val *scale = yyjson_obj_get(tiers, "scale");
    screen_put(screen, DIM, "%-9s", tier);
    screen_put(screen, DIM, "ready ");
    screen_put(screen, BOLD, "%.0f", top_number(size, "ready"));
    if (is_true(scale, "live"))
        screen_put(screen, DIM, " of %.0f", top_number(scale, wanted));
    screen_put(screen, DIM, "  busy ");
    screen_put(screen, BOLD, "%.0f%%  ", 100 * top_number(size, "busy"));
    top_put_number(screen, size, "starting", "starting");
    top_put_number(screen, size, "draining", "draining");
    top_put_bad(screen, size, "crashed", "crashed");
    top_put_bad(screen, size, "silent", "silent");
    screen_end_line(screen);
}

/* ---- Classes ---- */

static void put_class(struct screen *screen, yyjson_val *class)
{
    char figures[8][SCREEN_FIGURE];
    double held = top_number(class, "held"), waiting = top_number(class, "waiting");
    screen_put(screen, PLAIN, "%-9s %5s %7s %7s %7s %10s %7s %8s ", top_text(class, "class"),
               screen_number(top_number(class, "share"), figures[0]),
               screen_number(waiting, figures[1]),
               screen_number(held > waiting ? held - waiting : 0, figures[2]),
               screen_number(top_number(class, "arrived_per_s"), figures[3]),
               screen_number(top_number(class, "answered_per_s"), figures[4]),
               screen_time(top_number(class, "work_ms"), figures[5]),
               screen_number(top_number(class, "done"), figures[6]));
    double lost = top_number(class, "dropped") + top_number(class, "refused");
    screen_put(screen, lost > 0 ? WARNING : PLAIN, "%7s", screen_number(lost, figures[7]));
    screen_end_line(screen);
}

static void put_classes(struct screen *screen, yyjson_val *queue)
{
    size_t at, count;
    yyjson_val *class;
    screen_put(screen, DIM, "%-9s %5s %7s %7s %7s %10s %7s %8s %7s", "class", "share", "waiting",
               "at work", "came/s", "answered/s", "work ms", "answered", "lost");
    screen_end_line(screen);
    yyjson_arr_foreach(yyjson_obj_get(queue, "classes"), at, count, class)
    {
        put_class(screen, class);
    }
}

/* ---- Fronts and workers ---- */

static enum style style_of(const char *state)
{
    if (strcmp(state, "ready") == 0)
        return GOOD;
    return strcmp(state, "crashed") == 0 ? BAD : WARNING;
}

static void put_cache(struct screen *screen, yyjson_val *cache)
{
    if (!yyjson_is_obj(cache))
        return;
    screen_put(screen, DIM, "found in cache ");
    put_found(screen, cache);
    screen_put(screen, BOLD, "%.1f", top_number(cache, "bytes") / MIB);
    screen_put(screen, DIM, " of %.1f MiB  ", top_number(cache, "limit_bytes") / MIB);
    top_put_number(screen, cache, "evicted", "evicted");
    top_put_bad(screen, cache, "lag_entries", "behind");
}

static void put_member(struct screen *screen, yyjson_val *member, const char *tier)
{
    char name[SCREEN_FIGURE], open[SCREEN_FIGURE], requests[SCREEN_FIGURE], rate[SCREEN_FIGURE];
    const char *state = top_text(member, "state");
    bool front = strcmp(tier, "front") == 0;
    double number = top_number(member, "number");
    snprintf(name, sizeof name, number > 0 ? "%s %.0f" : "%s", tier, number);
    screen_put(screen, PLAIN, "%-12s %8.0f ", name, top_number(member, "pid"));
    screen_put(screen, style_of(state), "%-9s", state);
    screen_put(screen, PLAIN, "%4.0f%% %5s %8s %6s  ", 100 * top_number(member, "busy"),
               screen_number(top_number(member, "open"), open),
               screen_number(top_number(member, front ? "requests" : "handled"), requests),
               screen_number(top_number(member, "requests_per_s"), rate));
    if (is_true(member, "master"))
        screen_put(screen, BOLD, "master  ");
    put_cache(screen, yyjson_obj_get(member, "cache"));
    if (front)
        top_put_number(screen, member, "connections", "connections");
    screen_put(screen, DIM, "%s", top_text(member, "host"));
    screen_end_line(screen);
}

static void put_members(struct screen *screen, yyjson_val *list, const char *tier, unsigned most)
{
    size_t at, count;
    yyjson_val *member;
    yyjson_arr_foreach(list, at, count, member)
    {
        if (at == most && count > most) {
            screen_put(screen, DIM, "and %zu more", count - at);
            screen_end_line(screen);
            return;
        }
        put_member(screen, member, tier);
    }
}

static void put_processes(struct screen *screen, yyjson_val *tiers)
{
    yyjson_val *fronts = yyjson_obj_get(tiers, "fronts"),
               *workers = yyjson_obj_get(tiers, "workers");
    unsigned room = screen->rows > EVENTS_LEAST + 4 ? screen->rows - EVENTS_LEAST - 4 : 1;
    unsigned few = (unsigned)yyjson_arr_size(fronts);
    if (few > room / 2)
        few = room / 2;
    screen_put(screen, DIM, "%-12s %8s %-9s%5s %5s %8s %6s", "process", "pid", "state", "busy",
               "open", "requests", "/s");
    screen_end_line(screen);
    put_members(screen, fronts, "front", few);
    put_members(screen, workers, "worker", room - few);
}

/* ---- Decisions ---- */

/* "workers 1 to 3"; empty when it did not change. */
static void describe(yyjson_val *event, const char *tier, char out[static CHANGE])
{
    yyjson_val *pair = yyjson_obj_get(event, tier);
    double before = yyjson_get_num(yyjson_arr_get(pair, 0));
    double after = yyjson_get_num(yyjson_arr_get(pair, 1));
    out[0] = 0;
    if (before < after || before > after)
        snprintf(out, CHANGE, "%s %.0f to %.0f ", tier, before, after);
}

static void put_event(struct screen *screen, yyjson_val *event)
{
    const char *when = top_text(event, "time");
    char workers[CHANGE], fronts[CHANGE];
    describe(event, "workers", workers);
    describe(event, "fronts", fronts);
    screen_put(screen, DIM, "%.8s ", strlen(when) > 19 ? when + 11 : "");
    screen_put(screen, BOLD, "%s%s ", workers, fronts);
    screen_put(screen, PLAIN, "%s", top_text(event, "reason"));
    screen_end_line(screen);
}

/* The newest as far as there is room, the newest last. */
static void put_events(struct screen *screen, yyjson_val *scale)
{
    yyjson_val *events = yyjson_obj_get(scale, "events"), *event;
    size_t at, count, total = yyjson_arr_size(events);
    if (screen->rows < 2 || total == 0)
        return;
    screen_put(screen, DIM, "decisions  ");
    top_put_number(screen, scale, "decisions", "so far");
    screen_end_line(screen);
    size_t skipped = total > screen->rows ? total - screen->rows : 0;
    yyjson_arr_foreach(events, at, count, event)
    {
        if (at >= skipped)
            put_event(screen, event);
    }
}

void top_tiers_screen(const struct top_tiers_picture *picture, struct buf *out)
{
    struct screen screen = {
        .out = out,
        .columns = picture->columns < TOP_COLUMNS_LEAST ? TOP_COLUMNS_LEAST : picture->columns,
        .rows = picture->rows < TOP_ROWS_LEAST ? TOP_ROWS_LEAST : picture->rows,
        .colours = picture->colours,
    };
    yyjson_val *queue = yyjson_obj_get(picture->tiers, "queue");
    put_title(&screen, picture);
    if (!picture->tiers)
        return;
    put_queue(&screen, queue);
    put_size(&screen, picture->tiers, "workers", "workers_wanted");
    put_size(&screen, picture->tiers, "fronts", "fronts_wanted");
    put_classes(&screen, queue);
    put_processes(&screen, picture->tiers);
    put_events(&screen, yyjson_obj_get(picture->tiers, "scale"));
}
