#include "web/whereabouts.h"

#include "balance/home.h"
#include "web/call.h"

_Static_assert((int)SHOP_SERVERS_MAX == (int)HOME_SERVERS_MAX, "a row takes a whole set");

void whereabouts_read(struct exchange *x, struct server_set *set)
{
    struct str text = exchange_header(x, STR(HOME_HEADER));
    struct home home;
    set->count = 0;
    if (!text.at)
        text = exchange_cookie(x, STR(HOME_COOKIE));
    if (!text.len || home_read(call_thread(x)->homes, text, &home))
        return;
    set->count = home.count;
    memcpy(set->servers, home.servers, sizeof set->servers);
}
