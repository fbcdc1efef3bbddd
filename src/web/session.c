#include "web/session.h"

#include "balance/home.h"
#include "web/call.h"

#include <inttypes.h>

#define CART_COOKIE  "cart"
#define COUNT_COOKIE "cart_count"
#define SEEN_COOKIE  "seen"

enum { MONTH_SECONDS = 30 * 24 * 3600 };

bool session_cart_id(struct exchange *x, struct id *id)
{
    struct str text = exchange_cookie(x, STR(CART_COOKIE));
    return text.at && id_parse(text, id) == 0 && !id_is_zero(*id);
}

bool session_cart(struct exchange *x, struct cart *cart)
{
    struct id id;
    if (!session_cart_id(x, &id))
        return false;
    return reader_cart(call_reader(x), &x->arena, id, cart) == 0 && !cart->canceled;
}

unsigned basket_units(const struct basket *basket)
{
    unsigned units = 0;
    for (unsigned i = 0; i < basket->line_count; i++)
        units += basket->lines[i].quantity;
    return units;
}

static void set_cookie(struct exchange *x, const char *name, struct str value, bool hidden,
                       int seconds)
{
    const char *domain = call_web(x)->settings.cookie_domain;
    bool has_domain = domain && *domain;
    exchange_add_header(x, STR("Set-Cookie"),
                        arena_printf(&x->arena, "%s=%.*s; Path=/; Max-Age=%d; SameSite=Lax%s%s%s%s",
                                     name, STR_FMT(value), seconds, hidden ? "; HttpOnly" : "",
                                     call_is_https(x) ? "; Secure" : "",
                                     has_domain ? "; Domain=" : "", has_domain ? domain : ""));
}

void session_keep(struct exchange *x, const struct cart *cart)
{
    char text[ID_TEXT];
    struct str id = arena_str(&x->arena, str_of(id_text(cart->id, text)));
    struct str count = arena_printf(&x->arena, "%u", basket_units(&cart->basket));
    set_cookie(x, CART_COOKIE, id, true, MONTH_SECONDS);
    set_cookie(x, COUNT_COOKIE, count, false, MONTH_SECONDS);
}

void session_forget(struct exchange *x)
{
    set_cookie(x, CART_COOKIE, STR(""), true, 0);
    set_cookie(x, COUNT_COOKIE, STR(""), false, 0);
}

void session_keep_home(struct exchange *x, struct str set)
{
    set_cookie(x, HOME_COOKIE, set, true, MONTH_SECONDS);
}

struct str session_seen(struct exchange *x)
{
    return exchange_cookie(x, STR(SEEN_COOKIE));
}

void session_keep_seen(struct exchange *x, struct str token)
{
    set_cookie(x, SEEN_COOKIE, token, true, MONTH_SECONDS);
}
