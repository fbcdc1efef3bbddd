/* CSRF: makes sure that a change was asked for by one of our own pages.
 *
 * Two lines of defence, and why each form has the one it has:
 *
 * 1. Every unsafe request of a browser is checked for its origin. Browsers say where a
 *    request comes from in Sec-Fetch-Site (Fetch Metadata; all since 2023) or at least in
 *    Origin (all since 2020), and a page can neither forge nor suppress them. "same-origin"
 *    (or an Origin that equals ours) passes, everything else is refused. A request with
 *    neither comes from no browser of today, so it carries nobody's cookies against their
 *    will. With a load manager in direct mode (wayback.h) a page of one address of ours may ask
 *    for a change at another one: their Origins, which are told by the servers themselves, pass
 *    as well. The cart's cookie is SameSite=Lax besides: a foreign site's POST arrives
 *    without it.
 * 2. Forms on pages made for one shopper (cart, checkout) also carry a token: an HMAC of
 *    what the form changes (the cart's or checkout's id, known to its owner alone) under
 *    the shop's secret. It holds even where a proxy strips the headers above.
 *
 * The add-to-cart form is on pages that come from the shared cache, which must not hold
 * anything of one shopper, so it has line 1 only. That is enough: all that a forged
 * request could do there is to add a thing to a cart, in sight.
 *
 * Thread: any.
 */
#ifndef STOA_WEB_CSRF_H
#define STOA_WEB_CSRF_H

#include "base/id.h"
#include "http/exchange.h"

#include <stdbool.h>

enum { CSRF_TOKEN_TEXT = 65 };

/* Whether X may come from one of our own pages (line 1). */
bool csrf_origin_is_ours(struct exchange *x);
/* The pure part: what the browser said, and our own origin "https://shop.example". */
bool csrf_same_origin(struct str sec_fetch_site, struct str origin, struct str ours);

/* The token for forms that change OBJECT, into OUT. */
void csrf_token(const unsigned char *secret, size_t secret_len, struct id object,
                char out[static CSRF_TOKEN_TEXT]);
/* Compares in constant time. */
bool csrf_token_fits(const unsigned char *secret, size_t secret_len, struct id object,
                     struct str token);

#endif
