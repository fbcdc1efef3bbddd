#include "admin/tiers.h"
#include "admin/tiers_table.h"
#include "base/clock.h"
#include "base/json_text.h"

#include <math.h>

static void put_wall(struct buf *out, const char *key, int64_t wall_ms)
{
    char when[32];
    clock_rfc3339(wall_ms, when, sizeof when);
    buf_printf(out, "\"%s\":\"%s\"", key, when);
}

static void put_classes(struct buf *out, const struct tiers_view *view)
{
    buf_puts(out, "\"classes\":[");
    for (unsigned i = 0; i < SHARE_CLASSES; i++) {
        const struct tiers_class *class = &view->classes[i];
        double mean = class->done > 0 ? (double)class->work_ns / 1e6 / (double)class->done : 0;
        buf_printf(out, "%s{\"class\":\"%s\"", i ? "," : "", share_names[i]);
        metric_put_json(out, tiers_rows_class, class);
        buf_printf(out, ",\"work_ms\":%.3f}", mean);
    }
    buf_byte(out, ']');
}

static void put_cache(struct buf *out, const struct tiers_member *member)
{
    if (member->cache.limit == 0) {
        buf_puts(out, ",\"cache\":null");
        return;
    }
    if (isfinite(member->hit_ratio))
        buf_printf(out, ",\"cache\":{\"hit_ratio\":%.3f", member->hit_ratio);
    else
        buf_puts(out, ",\"cache\":{\"hit_ratio\":null");
    metric_put_json(out, tiers_rows_cache, &member->cache);
    buf_byte(out, '}');
}

static void put_member(struct buf *out, const struct tiers_member *member)
{
    buf_printf(
        out,
        "{\"pid\":%u,\"host\":\"%s\",\"number\":%u,\"state\":\"%s\",\"threads\":%u,\"busy\":%.3f,"
        "\"open\":%u,\"requests_per_s\":%.3f,\"failures\":%u",
        member->pid, member->host, member->number, tiers_state_name(member->state), member->threads,
        (double)member->busy / 1e3, member->open, member->requests_per_s, member->failures);
    if (member->tier == FLEET_FRONT) {
        buf_printf(out, ",\"master\":%s", member->master ? "true" : "false");
        metric_put_json(out, tiers_rows_front, &member->front);
    } else {
        buf_printf(out, ",\"handled\":%llu,\"empty_polls\":%llu",
                   (unsigned long long)member->handled, (unsigned long long)member->empty_polls);
        put_cache(out, member);
    }
    buf_byte(out, '}');
}

static void put_members(struct buf *out, const struct tiers_view *view, enum fleet_tier tier)
{
    bool more = false;
    for (unsigned i = 0; i < view->count; i++) {
        if (view->members[i].tier != tier)
            continue;
        buf_puts(out, more ? "," : "");
        put_member(out, &view->members[i]);
        more = true;
    }
}

static void put_size(struct buf *out, const struct tiers_size *size)
{
    buf_printf(out, "{\"busy\":%.3f", (double)size->busy / 1e3);
    for (unsigned i = 0; i < TIERS_STATES; i++)
        buf_printf(out, ",\"%s\":%u", tiers_state_name((enum tiers_state)i), size->in[i]);
    buf_byte(out, '}');
}

/* As in the log of decisions (scale/decision.h), with the time before it. */
static void put_event(struct buf *out, const struct scale_event *event)
{
    const struct scale_decision *decision = &event->decision;
    const struct scale_sample *sample = &event->sample;
    buf_byte(out, '{');
    put_wall(out, "time", event->wall_ms);
    buf_printf(out, ",\"workers\":[%u,%u],\"fronts\":[%u,%u],\"wish\":%u,\"held\":\"%s\"",
               decision->workers_before, decision->workers, decision->fronts_before,
               decision->fronts, decision->wish, scale_held_word(decision->held));
    buf_printf(out, ",\"load\":%.3f,\"reason\":", (double)decision->load / 1e3);
    json_text_put(decision->reason, out);
    buf_printf(out,
               ",\"queued\":%llu,\"oldest_ms\":%.3f,\"wait_p90_ms\":%.3f,\"busy\":%.3f,"
               "\"ready\":%llu,\"starting\":%llu}",
               (unsigned long long)sample->queued, (double)sample->oldest_ns / 1e6,
               (double)sample->wait_p90_ns / 1e6, (double)sample->busy / 1e3,
               (unsigned long long)sample->workers.ready,
               (unsigned long long)sample->workers.starting);
}

static void put_fleet(struct buf *out, const struct scale_board *board)
{
    for (unsigned i = 0; i < FLEET_TIERS; i++) {
        buf_printf(out, "%s{\"tier\":\"%s\",\"wanted\":%u,\"most\":%u", i ? "," : "",
                   fleet_tier_name((enum fleet_tier)i), board->tiers[i].wanted,
                   board->tiers[i].most);
        metric_put_json(out, tiers_rows_fleet, &board->tiers[i]);
        buf_byte(out, '}');
    }
}

static void put_scale(struct buf *out, const struct tiers_view *view)
{
    const struct scale_board *board = &view->board;
    if (!view->scaled) {
        buf_puts(out, "null");
        return;
    }
    buf_puts(out, "{\"rule\":");
    json_text_put(board->rule, out);
    buf_printf(out, ",\"live\":%s", view->fresh ? "true" : "false");
    metric_put_json(out, tiers_rows_wanted, board);
    buf_puts(out, ",\"fleet\":[");
    put_fleet(out, board);
    buf_puts(out, "],\"events\":[");
    for (unsigned i = 0; i < board->count; i++) {
        buf_puts(out, i ? "," : "");
        put_event(out, &board->events[i]);
    }
    buf_puts(out, "]}");
}

void tiers_write_json(struct buf *out, const struct tiers_view *view)
{
    uint64_t age_ns =
        view->look.now_ns > view->started_ns ? view->look.now_ns - view->started_ns : 0;
    buf_puts(out, "{\"version\":\"" STOA_VERSION "\",");
    put_wall(out, "time", view->wall_ms);
    buf_printf(out, ",\"time_ms\":%lld,\"uptime_s\":%.3f,\"pid\":%u,\"master\":%u",
               (long long)view->wall_ms, (double)age_ns / 1e9, view->self.pid, view->master.pid);
    buf_puts(out, ",\"queue\":{");
    put_classes(out, view);
    metric_put_json(out, tiers_rows_whole, view);
    buf_puts(out, "},\"sizes\":{\"workers\":");
    put_size(out, &view->sizes[FLEET_WORKER]);
    buf_puts(out, ",\"fronts\":");
    put_size(out, &view->sizes[FLEET_FRONT]);
    buf_puts(out, "},\"fronts\":[");
    put_members(out, view, FLEET_FRONT);
    buf_puts(out, "],\"workers\":[");
    put_members(out, view, FLEET_WORKER);
    buf_puts(out, "],\"scale\":");
    put_scale(out, view);
    buf_byte(out, '}');
}
