#include "base/clock.h"
#include "web/api.h"
#include "web/gate.h"

enum { METRICS_MAX = 1 << 20, REASON_MAX = 2000 };

enum app_verdict watch_live(struct exchange *x)
{
    struct web *web = call_web(x);
    struct traffic_now now;
    bool stopping = web->api->stopping;
    traffic_now(&web->traffic, clock_mono_ns(), &now);
    exchange_add_header(x, STR("Stoa-Load"),
                        arena_printf(&x->arena, "in-flight=%llu, latency-us=%llu",
                                     (unsigned long long)now.in_flight,
                                     (unsigned long long)(now.latency_ns / 1000)));
    exchange_add_header(x, STR("Cache-Control"), STR("no-store"));
    exchange_reply(x, stopping ? 503 : 200, STR("text/plain"),
                   stopping ? STR("stopping\n") : STR("ok\n"));
    return APP_DONE;
}

bool watch_is_live(struct exchange *x)
{
    if ((x->method != HTTP_GET && x->method != HTTP_HEAD) || !str_eq(x->path, STR("/livez")))
        return false;
    watch_live(x);
    return true;
}

bool watch_is_urgent(const struct exchange *x)
{
    return str_eq(x->path, STR("/livez")) || str_eq(x->path, STR("/healthz")) ||
           str_eq(x->path, STR("/metrics")) || str_starts(x->path, STR("/admin/"));
}

/* What this server's readiness is, where shoppers go to others: "warm". */
static struct str aside_as(struct exchange *x)
{
    const struct web_cluster *cluster = &call_web(x)->settings.cluster;
    struct cluster_status status;
    if (!gate_is_aside(x))
        return STR_NONE;
    cluster->status(cluster->context, &status);
    for (unsigned i = 0; i < status.count; i++)
        if (status.servers[i].place.id == status.own)
            return str_of(readiness_names[status.servers[i].ready]);
    return STR_NONE;
}

enum app_verdict watch_health(struct exchange *x)
{
    const struct web_watch *watch = &call_web(x)->settings.watch;
    struct buf reason;
    struct json json;
    buf_init(&reason, REASON_MAX);
    bool healthy = !call_web(x)->api->stopping;
    if (!healthy)
        buf_puts(&reason, "the server is stopping");
    else if (watch->healthy)
        healthy = watch->healthy(watch->context, &reason);
    json_begin(&json, &x->arena);
    json_put_text(&json, json.root, "status", healthy ? STR("ok") : STR("unavailable"));
    json_put_some(&json, json.root, "reason", arena_str(&x->arena, buf_text(&reason)));
    json_put_some(&json, json.root, "ready", aside_as(x));
    buf_close(&reason);
    if (!healthy)
        exchange_add_header(x, STR("Retry-After"), STR("2"));
    return call_json(x, healthy ? 200 : 503, json_end(&json));
}

enum app_verdict watch_metrics(struct exchange *x)
{
    const struct web_watch *watch = &call_web(x)->settings.watch;
    struct buf text;
    if (!watch->metrics)
        return call_fail(x, 404, STR("This server gives no figures."));
    buf_init(&text, METRICS_MAX);
    watch->metrics(watch->context, &text);
    struct str copy = text.failed ? STR_NONE : arena_str(&x->arena, buf_text(&text));
    buf_close(&text);
    if (!copy.at)
        return call_fail_err(x, ERR_NOMEM);
    call_security_headers(x, false);
    exchange_add_header(x, STR("Cache-Control"), STR("no-store"));
    exchange_reply(x, 200, STR("text/plain; version=0.0.4; charset=utf-8"), copy);
    x->compressible = true;
    return APP_DONE;
}
