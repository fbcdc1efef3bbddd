#include "web/api.h"
#include "web/change_feed.h"

/* ?ring=HEX&since=INDEX: what the listener has; without them, or when that is not known here, it
 * begins anew. */
static bool read_place(struct exchange *x, uint64_t *number, uint64_t *since)
{
    *number = 0;
    hex_to_u64(exchange_query(x, STR("ring")), number);
    return api_number(x, "since", 0, UINT64_MAX, 0, since);
}

enum app_verdict api_changes(struct exchange *x)
{
    struct change_feed *feed = call_web(x)->api->feed;
    uint64_t number, since;
    if (!feed)
        return api_refuse(x, 404, "no_changes", STR("This process tells no changes."), STR(""));
    if (!read_place(x, &number, &since))
        return APP_DONE;
    call_security_headers(x, false);
    exchange_add_header(x, STR("Cache-Control"), STR("no-store"));
    int err = change_feed_answer(feed, x, number, since);
    return err ? call_fail_err(x, err) : APP_DONE;
}
