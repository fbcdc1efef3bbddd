/* The outbox's lanes in a cluster's view; see cluster_view.h. */
#include "base/json_text.h"
#include "main/cluster_view.h"

#include <string.h>
#include <yyjson.h>

enum { ANSWER_MAX = 256 << 10, USUAL_AGE_MS = 5000 };

static void take_lane(yyjson_val *each, struct view_lane *lane)
{
    *lane = (struct view_lane){
        .rows = yyjson_get_uint(yyjson_obj_get(each, "rows")),
        .oldest_ms = yyjson_get_uint(yyjson_obj_get(each, "oldest_ms")),
        .wait_ms = yyjson_get_uint(yyjson_obj_get(each, "wait_ms")),
    };
    str_copy(lane->name, sizeof lane->name, str_of(yyjson_get_str(yyjson_obj_get(each, "lane"))));
    str_copy(lane->error, sizeof lane->error,
             str_of(yyjson_get_str(yyjson_obj_get(each, "error"))));
}

void cluster_lanes_look(unsigned timeout_ms, struct cluster_view *view)
{
    struct buf answer;
    size_t at, count;
    yyjson_val *each;
    buf_init(&answer, ANSWER_MAX);
    if (view->remote.url[0] &&
        remote_call(&view->remote, "/api/v1/outbox", NULL, timeout_ms, &answer, NULL) == 0) {
        yyjson_doc *doc = yyjson_read(answer.at, answer.len, 0);
        yyjson_val *list = yyjson_obj_get(yyjson_doc_get_root(doc), "lanes");
        yyjson_arr_foreach(list, at, count, each)
        {
            if (view->lane_count < OUTBOX_LANES_MAX)
                take_lane(each, &view->lanes[view->lane_count++]);
        }
        yyjson_doc_free(doc);
    }
    buf_close(&answer);
}

void cluster_lanes_json(const struct cluster_view *view, FILE *out)
{
    fputs(",\"outbox\":[", out);
    for (unsigned i = 0; i < view->lane_count; i++) {
        const struct view_lane *lane = &view->lanes[i];
        fprintf(out, "%s{\"lane\":", i ? "," : "");
        json_text_print(lane->name, out);
        fprintf(out, ",\"rows\":%llu,\"oldest_ms\":%llu,\"wait_ms\":%llu,\"error\":",
                (unsigned long long)lane->rows, (unsigned long long)lane->oldest_ms,
                (unsigned long long)lane->wait_ms);
        json_text_print(lane->error, out);
        fputc('}', out);
    }
    fputc(']', out);
}

/* What leaves within seconds, as it should, is not worth a line. */
static bool is_worth_a_line(const struct view_lane *lane)
{
    return lane->error[0] || (lane->rows && lane->oldest_ms > USUAL_AGE_MS);
}

void cluster_lanes_print(const struct cluster_view *view, FILE *out)
{
    bool head = false;
    for (unsigned i = 0; i < view->lane_count; i++) {
        const struct view_lane *lane = &view->lanes[i];
        if (!is_worth_a_line(lane))
            continue;
        if (!head)
            fprintf(out, "\n%-20s  %8s  %10s  %s\n", "outbox", "waiting", "for", "last error");
        head = true;
        fprintf(out, "%-20s  %8llu  %8llu s  %s\n", lane->name, (unsigned long long)lane->rows,
                (unsigned long long)(lane->oldest_ms / 1000), lane->error[0] ? lane->error : "-");
    }
}
