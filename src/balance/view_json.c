#include "balance/view.h"
#include "balance/view_table.h"
#include "base/clock.h"
#include "base/json_text.h"

static void put_text(struct buf *out, const char *key, const char *text)
{
    buf_printf(out, "\"%s\":", key);
    json_text_put(text, out);
}

static void put_server(struct buf *out, const struct balance_view *view,
                       const struct view_backend *server)
{
    buf_printf(out, "{\"id\":%llu,", (unsigned long long)server->id);
    put_text(out, "name", server->name);
    buf_byte(out, ',');
    put_text(out, "url", server->url);
    buf_printf(out, ",\"state\":\"%s\",\"role\":\"%s\"", health_name(server->state),
               view_role(server));
    if (server->out_until_ns > view->now_ns)
        buf_printf(out, ",\"out_for_ms\":%.0f",
                   (double)(server->out_until_ns - view->now_ns) / 1e6);
    metric_put_json(out, view_rows_server, server);
    buf_byte(out, '}');
}

const char *view_role(const struct view_backend *server)
{
    if (!server->shop)
        return "upstream";
    return server->primary ? "primary" : server->aside ? "backup" : "secondary";
}

void view_write_json(struct buf *out, const struct balance_view *view)
{
    char when[32];
    clock_rfc3339(view->wall_ms, when, sizeof when);
    buf_puts(out, "{\"version\":\"" STOA_VERSION "\",");
    put_text(out, "policy", view->policy ? view->policy : "");
    buf_printf(out, ",\"mode\":\"%s\",", view->mode == BALANCE_DIRECT ? "direct" : "proxy");
    put_text(out, "url", view->url);
    buf_printf(out, ",\"time\":\"%s\",\"uptime_s\":%.3f,\"cluster\":%s", when,
               view->now_ns > view->started_ns ? (double)(view->now_ns - view->started_ns) / 1e9
                                               : 0,
               view->cluster ? "true" : "false");
    if (view->primary)
        buf_printf(out, ",\"primary\":%llu", (unsigned long long)view->primary);
    buf_puts(out, ",\"totals\":{\"loops\":");
    buf_u64(out, view->loop_count);
    metric_put_json(out, view_rows_whole, view);
    buf_puts(out, "},\"servers\":[");
    for (unsigned i = 0; i < view->count; i++) {
        if (i)
            buf_byte(out, ',');
        put_server(out, view, &view->at[i]);
    }
    buf_puts(out, "],\"loops\":[");
    for (unsigned i = 0; i < view->loop_count; i++) {
        buf_printf(out, "%s{\"loop\":%u", i ? "," : "", i);
        metric_put_json(out, view_rows_loop, &view->loops[i]);
        buf_byte(out, '}');
    }
    buf_puts(out, "]}");
}
