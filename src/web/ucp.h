/* UCP: the Universal Commerce Protocol, version 2026-04-08, over REST. The shop's public API.
 *
 * What its files share; the handlers at the end are rows of routes.c. A handler begins
 * with ucp_begin (headers, body, idempotency), reads the body by json.h, submits a
 * command, and renders the result's struct on the exchange's own thread.
 *
 * Two kinds of answers that are none of the asked-for objects:
 *  - the request could not be taken (headers, syntax, types): 4xx with code, content and
 *    path (ucp_refuse);
 *  - it was taken, and this is what came of it: 200 with messages, in the object where
 *    there is one, else in an object with ucp.status "error" (ucp_no_object).
 *
 * Thread: the exchange's own; the catalog's handlers on a helper thread.
 */
#ifndef STOA_WEB_UCP_H
#define STOA_WEB_UCP_H

#include "shop/command.h"
#include "shop/read.h"
#include "web/call.h"
#include "web/json.h"
#include "web/submit.h"

#define UCP_VERSION "2026-04-08"

/* Which capabilities an answer names: the operation's own with what extends it. */
enum ucp_root { UCP_NOTHING, UCP_SEARCH, UCP_LOOKUP, UCP_CART, UCP_CHECKOUT, UCP_ORDER };

/* The one way to pay of the sandbox bank. */
#define UCP_HANDLER    "dev.ucp.mock_payment"
#define UCP_HANDLER_ID "mock_payment_handler"

/* ---- Request (ucp_request.c) ---- */

struct ucp {
    struct exchange *x;
    struct str profile; /* the platform's profile address */
    struct json_in in;
    struct json_spot body;
    bool keyed; /* an Idempotency-Key came; the hashes are for struct command */
    unsigned char key[JSON_HASH], hash[JSON_HASH];
    struct str handler; /* complete: the payment handler that it names */
};

/* Checks the headers and parses the body. NULL: refused, and answered. Kept in call.own. */
struct ucp *ucp_begin(struct exchange *x);
static inline struct ucp *ucp_of(const struct exchange *x)
{
    return call_of(x)->own;
}
/* Refuses with 422 when reading the body found something wrong; true: answered. */
bool ucp_malformed(struct ucp *ucp);
/* Puts the Idempotency-Key into COMMAND. */
void ucp_key(const struct ucp *ucp, struct command *command);

/* A UCP-Agent header, taken apart (RFC 8941, Dictionary). Pure. 0, or ERR_INVALID when
 * there is no profile that may be named; VERSION may be empty. */
int ucp_agent_parse(struct str header, struct str *profile, struct str *version);

/* ---- Answers (ucp_answer.c) ---- */

/* The shop's facts that each object needs. Orders need no exchange: x may be NULL for them. */
struct ucp_view {
    struct exchange *x;
    struct json json;
    struct str base; /* of addresses */
    struct shop_settings settings;
};

/* Begins an answer with its "ucp" member. 0, or an error of call_settings. */
int ucp_answer(struct exchange *x, struct ucp_view *view, enum ucp_root root);
enum app_verdict ucp_send(struct ucp_view *view, int status);

/* "ucp": version, status, capabilities of ROOT, payment handlers with a checkout. */
void ucp_put_meta(struct json *json, enum ucp_root root, bool success);

/* 4xx/5xx with CODE and CONTENT; PATH may be empty. */
enum app_verdict ucp_refuse(struct exchange *x, int status, const char *code, struct str content,
                            struct str path);
/* An answer without the object: ucp.status "error" and one unrecoverable message. */
enum app_verdict ucp_no_object(struct exchange *x, int status, enum ucp_root root, const char *code,
                               struct str content);
/* There is no such cart, checkout, order ("Cart"). */
enum app_verdict ucp_not_found(struct exchange *x, enum ucp_root root, const char *what);
/* What became of a command that gave no object to show. */
enum app_verdict ucp_failed(struct exchange *x, enum ucp_root root, const char *what,
                            const struct outcome *outcome);

/* URL made absolute: "/pictures/…" is on this server. */
struct str ucp_url(struct ucp_view *view, struct str url);
struct str ucp_time(struct arena *arena, int64_t wall_ms);
struct str ucp_id(struct arena *arena, struct id id);

/* ---- Baskets (ucp_basket.c) ---- */

/* line_items, buyer, context, discounts.codes of a request. */
void ucp_read_basket(struct json_in *in, const struct json_spot *body, bool need_lines,
                     struct basket_input *basket);
/* line_items, totals, discounts, messages, buyer, context into OBJECT. */
void ucp_put_basket(struct ucp_view *view, yyjson_mut_val *object, const struct basket *basket);
void ucp_put_totals(struct json *json, yyjson_mut_val *object, const struct basket *basket);
void ucp_put_item(struct ucp_view *view, yyjson_mut_val *line_item, const struct line *line);
void ucp_put_line_totals(struct json *json, yyjson_mut_val *line_item, const struct line *line);
struct str ucp_line_id(struct arena *arena, const struct line *line);
void ucp_put_links(struct ucp_view *view, yyjson_mut_val *object);

/* ---- Fulfillment (ucp_fulfillment.c) ---- */

/* "fulfillment" of a request. BEFORE may be NULL: the destinations that count when the
 * request names none and selects one. */
void ucp_read_fulfillment(struct json_in *in, const struct json_spot *body,
                          const struct checkout *before, struct checkout_input *input);
void ucp_put_fulfillment(struct ucp_view *view, yyjson_mut_val *object,
                         const struct checkout *checkout);
void ucp_put_address(struct json *json, yyjson_mut_val *object, const struct address *address);

/* ---- Checkouts (ucp_checkout.c) ---- */

void ucp_put_checkout(struct ucp_view *view, const struct checkout *checkout);
enum app_verdict ucp_show_checkout(struct exchange *x, int status, const struct checkout *checkout);
/* What became of a command for a checkout: the object, or why not. */
enum app_verdict ucp_checkout_outcome(struct exchange *x, int status, struct outcome *outcome);

/* ---- Products (ucp_product.c) ---- */

enum { UCP_VARIANTS_SHOWN = 10 };

/* Members of a product but for variants and options' availability. */
void ucp_put_product(struct ucp_view *view, yyjson_mut_val *object, const struct product *product);
/* One variant; the caller may add to it. */
yyjson_mut_val *ucp_add_variant(struct ucp_view *view, yyjson_mut_val *variants,
                                const struct product *product, const struct variant *variant);
/* "options" of PRODUCT: names and values in order. With SELECTED (a value for each option,
 * at == NULL: any) each value says whether a variant with it exists and can be had. */
void ucp_put_options(struct json *json, yyjson_mut_val *object, const struct product *product,
                     const struct str *selected);

/* ---- Filters (ucp_catalog.c) ---- */

struct ucp_filters {
    struct str categories[SEARCH_CATEGORIES_MAX];
    unsigned category_count;
    int64_t price_min, price_max; /* 0: no bound */
    bool any;
};
void ucp_read_filters(struct json_in *in, const struct json_spot *body,
                      struct ucp_filters *filters);
bool ucp_in_price(const struct ucp_filters *filters, const struct variant *variant);

/* ---- Handlers ---- */

enum app_verdict ucp_discovery(struct exchange *x);
enum app_verdict ucp_catalog_search(struct exchange *x);
enum app_verdict ucp_catalog_lookup(struct exchange *x);
enum app_verdict ucp_catalog_product(struct exchange *x);
enum app_verdict ucp_cart_create(struct exchange *x);
enum app_verdict ucp_cart_get(struct exchange *x);
enum app_verdict ucp_cart_update(struct exchange *x);
enum app_verdict ucp_cart_cancel(struct exchange *x);
/* For a person's browser: the goods of a platform's cart into the person's own. */
enum app_verdict ucp_cart_open(struct exchange *x);
enum app_verdict ucp_checkout_create(struct exchange *x);
enum app_verdict ucp_checkout_get(struct exchange *x);
enum app_verdict ucp_checkout_update(struct exchange *x);
enum app_verdict ucp_checkout_complete(struct exchange *x);
enum app_verdict ucp_checkout_cancel(struct exchange *x);
enum app_verdict ucp_order_get(struct exchange *x);

#endif
