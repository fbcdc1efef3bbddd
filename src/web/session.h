/* Session: which cart belongs to a browser. Nothing is kept on the server for it.
 *
 * Cookie "cart": the cart's id; HttpOnly, SameSite=Lax, Secure on https. Whoever knows
 * the id has the cart, so it never appears in an address or in a page.
 * Cookie "cart_count": how many things are in it, for the script that shows it in the
 * header of cached pages; it decides nothing.
 * Cookie "seen": how far this browser has seen (token.h), HttpOnly as well.
 * Cookie "home": its servers (balance/home.h), mostly set by a load manager; HttpOnly.
 *
 * Thread: the exchange's.
 */
#ifndef STOA_WEB_SESSION_H
#define STOA_WEB_SESSION_H

#include "http/exchange.h"
#include "shop/model.h"

#include <stdbool.h>

/* The cart's id by the cookie; false when there is none or it is not an id. */
bool session_cart_id(struct exchange *x, struct id *id);

/* Reads the cart of the cookie: true when there is one that can still be shopped with
 * (known, not canceled, not expired, not bought). */
bool session_cart(struct exchange *x, struct cart *cart);

/* Sets both cookies to CART's. */
void session_keep(struct exchange *x, const struct cart *cart);
/* Takes both away (it was bought, or is gone). */
void session_forget(struct exchange *x);

/* Sets the cookie "home" to SET (home_write). */
void session_keep_home(struct exchange *x, struct str set);

/* The cookie "seen": its token, or at == NULL; and setting it. */
struct str session_seen(struct exchange *x);
void session_keep_seen(struct exchange *x, struct str token);

unsigned basket_units(const struct basket *basket);

#endif
