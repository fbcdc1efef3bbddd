#include "main/top_screen.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PIECE_MAX = 512, FIGURE = 16, EVENTS_LEAST = 4, WIDE = 100 };

enum style { PLAIN, BOLD, DIM, GOOD, WARNING, BAD };

struct screen {
    struct buf *out;
    unsigned columns, rows; /* rows: those that are left */
    unsigned column;
    bool colours;
};

/* ---- Lines ---- */

static void put_styled(struct screen *screen, enum style style, struct str text)
{
    static const char *const codes[] = {"",         "\033[1m",  "\033[2m",
                                        "\033[32m", "\033[33m", "\033[31m"};
    bool styled = screen->colours && style != PLAIN && text.len;
    if (styled)
        buf_puts(screen->out, codes[style]);
    for (size_t i = 0; i < text.len; i++) {
        unsigned char byte = (unsigned char)text.at[i];
        bool begins = (byte & 0xc0) != 0x80; /* a character of UTF-8 */
        if (begins && screen->column == screen->columns)
            break;
        screen->column += begins;
        buf_byte(screen->out, byte < ' ' || byte == 0x7f ? '?' : (char)byte);
    }
    if (styled)
        buf_puts(screen->out, "\033[0m");
}

static void put(struct screen *screen, enum style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void put(struct screen *screen, enum style style, const char *format, ...)
{
    char text[PIECE_MAX];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (screen->rows == 0 || len < 0)
        return;
    struct str piece = str_of(text);
    put_styled(screen, style, str_is_utf8(piece) ? piece : STR("?"));
}

static void end_line(struct screen *screen)
{
    if (screen->rows == 0)
        return;
    buf_byte(screen->out, '\n');
    screen->rows--;
    screen->column = 0;
}

/* ---- Figures ---- */

static double number(yyjson_val *object, const char *key)
{
    return yyjson_get_num(yyjson_obj_get(object, key));
}

static const char *text_of(yyjson_val *object, const char *key)
{
    const char *text = yyjson_get_str(yyjson_obj_get(object, key));
    return text ? text : "";
}

/* In at most five characters: 0, 12.3, 999, 12.3k, 4.56M. */
static const char *short_number(double value, char out[static FIGURE])
{
    static const char units[] = " kMGT";
    unsigned unit = 0;
    for (; value >= 999.5 && unit + 2 < sizeof units; unit++)
        value /= 1000;
    int digits = value == 0 || value >= 99.95 || (unit == 0 && value == floor(value)) ? 0
                 : value >= 9.995 || unit == 0                                        ? 1
                                                                                      : 2;
    snprintf(out, FIGURE, "%.*f%.1s", digits, value, unit ? &units[unit] : "");
    return out;
}

/* Milliseconds. */
static const char *short_time(double ms, char out[static FIGURE])
{
    if (ms <= 0)
        strcpy(out, "-");
    else if (ms >= 9999.5)
        snprintf(out, FIGURE, "%.0fs", ms / 1000);
    else
        snprintf(out, FIGURE, "%.*f", ms >= 99.95 ? 0 : ms >= 9.995 ? 1 : 2, ms);
    return out;
}

/* ---- The head ---- */

static void put_number(struct screen *screen, yyjson_val *of, const char *key, const char *name)
{
    char figure[FIGURE];
    put(screen, DIM, "%s ", name);
    put(screen, BOLD, "%s", short_number(number(of, key), figure));
    put(screen, PLAIN, "  ");
}

static void put_time(struct screen *screen, yyjson_val *of, const char *key, const char *name)
{
    char figure[FIGURE];
    put(screen, DIM, "%s ", name);
    put(screen, BOLD, "%s", short_time(number(of, key), figure));
    put(screen, PLAIN, "  ");
}

/* A count that had better be 0. */
static void put_bad(struct screen *screen, yyjson_val *of, const char *key, const char *name)
{
    char figure[FIGURE];
    double value = number(of, key);
    put(screen, DIM, "%s ", name);
    put(screen, value > 0 ? WARNING : BOLD, "%s", short_number(value, figure));
    put(screen, PLAIN, "  ");
}

static void put_title(struct screen *screen, const struct top_picture *picture)
{
    yyjson_val *balance = picture->balance;
    const char *url = text_of(balance, "url");
    put(screen, BOLD, "stoa top");
    put(screen, PLAIN, "  %s  ", url[0] ? url : picture->door);
    if (balance)
        put(screen, DIM, "%s, %s mode  ", text_of(balance, "policy"), text_of(balance, "mode"));
    unsigned width = (unsigned)strlen(picture->time);
    if (screen->column + width < screen->columns)
        put(screen, DIM, "%*s", (int)(screen->columns - screen->column), picture->time);
    end_line(screen);
}

static void put_totals(struct screen *screen, yyjson_val *totals)
{
    put_number(screen, totals, "requests_per_s", "requests/s");
    put_number(screen, totals, "in_flight", "in flight");
    put_number(screen, totals, "queue", "waiting");
    put_number(screen, totals, "clients", "clients");
    put(screen, DIM, "processor ");
    put(screen, BOLD, "%.0f%%", 100 * number(totals, "processor"));
    end_line(screen);
    put(screen, DIM, "latency, ms  ");
    put_time(screen, totals, "p50_ms", "p50");
    put_time(screen, totals, "p95_ms", "p95");
    put_time(screen, totals, "p99_ms", "p99");
    put_time(screen, totals, "p999_ms", "p99.9");
    put(screen, DIM, "spread ");
    put(screen, BOLD, "%.3f", number(totals, "spread"));
    end_line(screen);
    put(screen, DIM, "all so far  ");
    put_number(screen, totals, "requests", "requests");
    put_bad(screen, totals, "failed", "failed");
    put_bad(screen, totals, "shed", "refused");
    put_number(screen, totals, "retries", "retries");
    put_number(screen, totals, "hedges", "hedges");
    put_number(screen, totals, "away", "away");
    end_line(screen);
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
    char rate[FIGURE], flight[FIGURE], p50[FIGURE], p99[FIGURE], failures[FIGURE], retries[FIGURE];
    char homes[FIGURE];
    const char *state = text_of(server, "state");
    double failed = number(server, "failures") + number(server, "answered_5xx");
    put(screen, PLAIN, "%-14.14s ", text_of(server, "name"));
    put(screen, PLAIN, "%-9.9s ", text_of(server, "role"));
    put(screen, style_of(state), "%-8.8s", state);
    put(screen, PLAIN, "%4.0f%% %6s %4s %5s %6s ", 100 * number(server, "share"),
        short_number(number(server, "requests_per_s"), rate),
        short_number(number(server, "in_flight"), flight),
        short_time(number(server, "p50_ms"), p50), short_time(number(server, "p99_ms"), p99));
    put(screen, failed > 0 ? WARNING : PLAIN, "%4s ", short_number(failed, failures));
    put(screen, PLAIN, "%4s", short_number(number(server, "retries"), retries));
    put(screen, PLAIN, " %5s", short_number(number(server, "homes"), homes));
    if (screen->columns >= WIDE)
        put(screen, DIM, "  %s", text_of(server, "url"));
    end_line(screen);
}

/* At most ROOM lines; the last one tells how many are not shown. */
static void put_servers(struct screen *screen, yyjson_val *servers, unsigned room)
{
    size_t at, count, total = yyjson_arr_size(servers);
    yyjson_val *server;
    put(screen, DIM, "%-14s %-9s %-8s%5s %6s %4s %5s %6s %4s %4s %5s", "server", "role", "state",
        "share", "req/s", "now", "p50ms", "p99 ms", "err", "retr", "homes");
    end_line(screen);
    size_t shown = total <= room ? total : room ? room - 1 : 0;
    yyjson_arr_foreach(servers, at, count, server)
    {
        if (at < shown)
            put_server(screen, server);
    }
    if (shown < total) {
        put(screen, DIM, "… and %zu more", total - shown);
        end_line(screen);
    }
}

/* ---- Load managers and events ---- */

static void put_managers(struct screen *screen, const struct top_picture *picture)
{
    const struct cluster_view *cluster = picture->cluster;
    if (!cluster || cluster->manager_count < 2)
        return;
    put(screen, DIM, "load managers");
    end_line(screen);
    for (unsigned i = 0; i < cluster->manager_count; i++) {
        const struct view_manager *manager = &cluster->managers[i];
        bool shown = strcmp(manager->status, picture->door) == 0;
        put(screen, shown ? BOLD : PLAIN, "%-32s pid %-8llu %s%s", manager->url,
            (unsigned long long)manager->pid, manager->policy, shown ? "  (this one)" : "");
        end_line(screen);
    }
}

/* The newest as far as there is room, the newest last. */
static void put_events(struct screen *screen, yyjson_val *events)
{
    size_t at, count, total = yyjson_arr_size(events);
    yyjson_val *event;
    if (screen->rows < 2 || !total)
        return;
    put(screen, DIM, "events");
    end_line(screen);
    size_t skipped = total > screen->rows ? total - screen->rows : 0;
    yyjson_arr_foreach(events, at, count, event)
    {
        const char *when = text_of(event, "time"), *name = text_of(event, "name");
        if (at < skipped)
            continue;
        put(screen, DIM, "%.8s ", strlen(when) > 19 ? when + 11 : "");
        put(screen, PLAIN, "%s%s%s", name, name[0] ? ": " : "", text_of(event, "text"));
        end_line(screen);
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
        put(&screen, BAD, "%s; asking again", picture->trouble);
        end_line(&screen);
    }
    if (!balance)
        return;
    put_totals(&screen, totals);
    if (yyjson_get_bool(yyjson_obj_get(totals, "panic"))) {
        put(&screen, BAD, "too many servers are out: all of them are used");
        end_line(&screen);
    }
    unsigned others = manager_lines(picture) + EVENTS_LEAST + 1;
    put_servers(&screen, yyjson_obj_get(balance, "servers"),
                screen.rows > others ? screen.rows - others : 1);
    put_managers(&screen, picture);
    put_events(&screen, picture->events);
}
