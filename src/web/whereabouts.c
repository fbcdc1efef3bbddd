#include "web/whereabouts.h"

#include "balance/home.h"
#include "base/clock.h"
#include "web/call.h"
#include "web/gate.h"
#include "web/relay.h"
#include "web/session.h"
#include "web/wayback.h"

_Static_assert((int)SHOP_SERVERS_MAX == (int)HOME_SERVERS_MAX, "a row takes a whole set");

static bool read_set(const struct exchange *x, struct home *home)
{
    struct home_signer *homes = call_thread(x)->homes;
    struct str said = exchange_header(x, STR(HOME_HEADER));
    return said.at ? home_read(homes, said, home) == 0
                   : home_find(homes, x->known[HTTP_FIELD_COOKIE], home);
}

void whereabouts_read(struct exchange *x, struct server_set *set)
{
    struct home home;
    set->count = 0;
    if (!read_set(x, &home))
        return;
    set->count = home.count;
    memcpy(set->servers, home.servers, sizeof set->servers);
}

/* ---- What the row says ---- */

/* Signed, in the arena. Empty: the row says nothing, or there is none; at == NULL: that is not
 * known here. A copy that is behind the shopper may lack the cart, or its last change. */
static struct str recorded(struct exchange *x, struct id id)
{
    if (!gate_is_open(x))
        return STR_NONE;
    struct cart *cart = ARENA_NEW(&x->arena, struct cart);
    struct home home = {.since_s = (uint64_t)(clock_wall_ms() / 1000)};
    char text[HOME_TEXT];
    int err = cart ? reader_cart(call_reader(x), &x->arena, id, cart) : ERR_NOMEM;
    if (err == ERR_NOTFOUND || (!err && cart->home.count == 0))
        return STR("");
    if (err)
        return STR_NONE;
    home.count = cart->home.count;
    memcpy(home.servers, cart->home.servers, sizeof home.servers);
    return arena_str(&x->arena, str_of(home_write(call_thread(x)->homes, &home, text)));
}

void whereabouts_tell(struct exchange *x)
{
    struct id id;
    if (!str_eq(exchange_header(x, STR(HOME_HEADER)), STR(HOME_ASK)) || relay_has_come(x) ||
        !call_is_by_proxy(x))
        return;
    struct str set = session_cart_id(x, &id) ? recorded(x, id) : STR("");
    if (set.at)
        exchange_add_header(x, STR(HOME_HEADER), set.len ? set : STR(HOME_NONE));
}

void whereabouts_keep(struct exchange *x)
{
    struct home home;
    struct id id;
    if (!call_wayback(x)->url[0] || exchange_header(x, STR(HOME_HEADER)).at ||
        !session_cart_id(x, &id) || read_set(x, &home))
        return;
    struct str set = recorded(x, id);
    if (set.len)
        session_keep_home(x, set);
}
