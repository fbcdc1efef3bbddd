#include "web/api.h"
#include "web/change_feed.h"

/* ?ring=HEX&since=INDEX: what the listener has; without them, or when that is not known here, it
 * begins anew. */
static bool read_place(struct exchange *x, uint64_t *number, uint64_t *since)
{
    struct str ring = exchange_query(x, STR("ring"));
    unsigned char bytes[sizeof *number];
    *number = 0;
    if (!api_number(x, "since", 0, UINT64_MAX, 0, since))
        return false;
    if (ring.len != 2 * sizeof bytes || hex_decode(ring, bytes, sizeof bytes))
        return true;
    for (unsigned i = 0; i < sizeof bytes; i++)
        *number = *number << 8 | bytes[i];
    return true;
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
