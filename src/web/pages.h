/* Pages: the handlers of the pages for people; rows of routes.c name them.
 * Thread: the exchange's own, or a helper's for rows with ROUTE_WORK.
 */
#ifndef STOA_WEB_PAGES_H
#define STOA_WEB_PAGES_H

#include "engine/app.h"

enum app_verdict page_home(struct exchange *x);

enum app_verdict page_category(struct exchange *x);
enum app_verdict page_search(struct exchange *x);
/* A few products for what is typed so far, as JSON, for the script. */
enum app_verdict page_suggest(struct exchange *x);

enum app_verdict page_product(struct exchange *x);
enum app_verdict page_product_json(struct exchange *x);

enum app_verdict page_cart(struct exchange *x);
enum app_verdict cart_add(struct exchange *x);
enum app_verdict cart_set(struct exchange *x);
enum app_verdict cart_codes(struct exchange *x);

/* From the cart to its checkout. */
enum app_verdict checkout_none(struct exchange *x);
enum app_verdict checkout_begin(struct exchange *x);
/* Contact and address, delivery, payment: each shown and taken. */
enum app_verdict page_checkout(struct exchange *x);
enum app_verdict checkout_address(struct exchange *x);
enum app_verdict page_delivery(struct exchange *x);
enum app_verdict checkout_delivery(struct exchange *x);
enum app_verdict page_payment(struct exchange *x);
enum app_verdict checkout_pay(struct exchange *x);

enum app_verdict page_order(struct exchange *x);
enum app_verdict order_cancel(struct exchange *x);

/* About, terms, privacy. */
enum app_verdict page_text(struct exchange *x);

#endif
