#include "base/clock.h"
#include "outside/outbox.h"
#include "web/api.h"

/* What is to leave the cluster. How much there is, every server knows from its own copy; how it
 * goes, the primary alone, which sends it. */

static void put_lane(struct json *json, yyjson_mut_val *list, const struct outbox_lane_report *lane)
{
    yyjson_mut_val *one = json_add_object(json, list);
    int64_t age_ms = lane->rows ? clock_wall_ms() - lane->oldest_ms : 0;
    json_put_text(json, one, "lane", arena_str(json->arena, str_of(lane->lane)));
    json_put_int(json, one, "rows", (int64_t)lane->rows);
    json_put_int(json, one, "oldest_ms", age_ms > 0 ? age_ms : 0);
    json_put_int(json, one, "on_their_way", lane->on_their_way);
    json_put_int(json, one, "sent", (int64_t)lane->sent);
    json_put_int(json, one, "failed", (int64_t)lane->failed);
    json_put_int(json, one, "refused", (int64_t)lane->refused);
    json_put_int(json, one, "wait_ms", lane->wait_ms);
    json_put_text(json, one, "error", arena_str(json->arena, str_of(lane->error)));
}

enum app_verdict api_outbox(struct exchange *x)
{
    struct outbox_report *report = ARENA_NEW(&x->arena, struct outbox_report);
    struct json json;
    if (!report)
        return api_failed(x, ERR_NOMEM, STR(""));
    outbox_report(call_web(x)->settings.outbox, report);
    json_begin(&json, &x->arena);
    json_put_bool(&json, json.root, "sending", report->sending);
    json_put_int(&json, json.root, "term", (int64_t)report->term);
    json_put_int(&json, json.root, "refused_fences", (int64_t)report->refused_fences);
    yyjson_mut_val *list = json_put_list(&json, json.root, "lanes");
    for (unsigned i = 0; i < report->lane_count; i++)
        put_lane(&json, list, &report->lanes[i]);
    return api_send(x, &json);
}
