/* API: the operator's side of the shop over HTTP, under /admin/api/ and, for the cluster,
 * /api/v1/. See docs/api.md.
 *
 * What its files share; the handlers at the end are rows of routes.c. Every request
 * carries the bearer token made at creation; api_admit looks at it before a body is
 * taken. Bodies and answers are JSON (json.h), money in minor units; what is wrong is
 * told as {"error": {"code", "message", "path"}}.
 *
 * Thread: the exchange's own or a helper's, where nothing else is said.
 */
#ifndef STOA_WEB_API_H
#define STOA_WEB_API_H

#include "shop/command.h"
#include "shop/read.h"
#include "web/call.h"
#include "web/json.h"
#include "web/submit.h"

/* ---- Shared (api.c) ---- */

struct change_feed;
struct uploads;
struct desk;
struct managers;
struct wayback;

/* What outlives a request. */
struct api {
    struct uploads *uploads;
    struct desk *importing, *exporting, *backing_up;
    struct managers *managers;
    struct wayback *wayback;
    struct change_feed *feed; /* NULL: this server tells nobody */
    struct ordering *order;   /* lent, as the next one; for the feed */
    struct cache *cache;
    _Atomic bool stopping;
};
int api_new(const struct web_settings *settings, struct api **api, struct failure *failure);
/* What runs long ends soon. Any thread; before the engine stops. */
void api_stop(struct api *api);
/* Waits for its end. After the engine has stopped. NULL is fine. */
void api_free(struct api *api);

/* True: X has the operator's token. False: answered with 401 (or 404 where the API is off). */
bool api_admit(struct exchange *x);

enum app_verdict api_refuse(struct exchange *x, int status, const char *code, struct str message,
                            struct str path);
/* Parses X's body; false: refused and answered. */
bool api_body(struct exchange *x, struct json_in *in, struct json_spot *body);
/* Refuses with 422 when something was found wrong; true: answered. */
bool api_malformed(struct exchange *x, const struct json_in *in);
/* Answers 200 with JSON. */
enum app_verdict api_send(struct exchange *x, struct json *json);
/* Submits COMMAND; answers {"done": true} with what the result says, or its error. */
enum app_verdict api_submit(struct exchange *x, const struct command *command);
/* The answer to an error of the shop's or of ours. */
enum app_verdict api_failed(struct exchange *x, int err, struct str text);
/* That, when OUTCOME is one; true: answered. */
bool api_went_wrong(struct exchange *x, const struct outcome *outcome);

/* Query parameter NAME as a number from MIN to MAX, FALLBACK without it; false: refused
 * and answered. */
bool api_number(struct exchange *x, const char *name, uint64_t min, uint64_t max, uint64_t fallback,
                uint64_t *value);

/* ---- Products as JSON (api_product_json.c) ---- */

void api_put_product(struct json *json, yyjson_mut_val *object, const struct product *product);
void api_read_product(struct json_in *in, const struct json_spot *body, struct product *product);

/* ---- Orders as JSON (api_orders.c) ---- */

void api_put_order(struct json *json, yyjson_mut_val *object, const struct order *order);
/* By number or id, as the path says. Errors are reader_order's. */
int api_find_order(struct exchange *x, struct order *order);

/* ---- Handlers ---- */

enum app_verdict api_signing_keys(struct exchange *x);
enum app_verdict api_signing_keys_rotate(struct exchange *x);
enum app_verdict api_products(struct exchange *x);
enum app_verdict api_product_get(struct exchange *x);
enum app_verdict api_product_put(struct exchange *x);
enum app_verdict api_product_retire(struct exchange *x);
enum app_verdict api_variant_get(struct exchange *x);
enum app_verdict api_variant_retire(struct exchange *x);
enum app_verdict api_variant_price(struct exchange *x);
enum app_verdict api_stock_receive(struct exchange *x);
enum app_verdict api_stock_adjust(struct exchange *x);

enum app_verdict api_warehouses(struct exchange *x);
enum app_verdict api_warehouse_put(struct exchange *x);
enum app_verdict api_warehouse_close(struct exchange *x);
enum app_verdict api_variant_warehouses(struct exchange *x);
/* Of a warehouse, by its own token, not the operator's. */
void api_reports_accept(struct exchange *x);
enum app_verdict api_reports(struct exchange *x);

enum app_verdict api_orders(struct exchange *x);
enum app_verdict api_order_get(struct exchange *x);
enum app_verdict api_order_cancel(struct exchange *x);
enum app_verdict api_order_ship(struct exchange *x);
enum app_verdict api_order_deliver(struct exchange *x);
enum app_verdict api_order_return(struct exchange *x);
enum app_verdict api_order_refund(struct exchange *x);
enum app_verdict api_order_retry(struct exchange *x);

enum app_verdict api_settings_get(struct exchange *x);
enum app_verdict api_settings_put(struct exchange *x);
enum app_verdict api_discounts(struct exchange *x);
enum app_verdict api_discount_put(struct exchange *x);
enum app_verdict api_rates(struct exchange *x);
enum app_verdict api_rate_put(struct exchange *x);
enum app_verdict api_taxes(struct exchange *x);
enum app_verdict api_tax_put(struct exchange *x);

enum app_verdict api_media_list(struct exchange *x);
void api_media_accept(struct exchange *x);
enum app_verdict api_media_put(struct exchange *x);
enum app_verdict api_media_get(struct exchange *x);
enum app_verdict api_media_delete(struct exchange *x);

void api_import_accept(struct exchange *x);
enum app_verdict api_import(struct exchange *x);
enum app_verdict api_export(struct exchange *x);
enum app_verdict api_backup(struct exchange *x);

/* The cluster (api_cluster.c). */
/* False: there is none, and that is answered. */
bool api_has_cluster(struct exchange *x);
enum app_verdict api_outbox(struct exchange *x);
enum app_verdict api_changes(struct exchange *x);
enum app_verdict api_cluster_get(struct exchange *x);
enum app_verdict api_cluster_token(struct exchange *x);
enum app_verdict api_cluster_handover(struct exchange *x);
enum app_verdict api_cluster_remove(struct exchange *x);
enum app_verdict api_cluster_prefer(struct exchange *x);
enum app_verdict api_cluster_ready(struct exchange *x);
enum app_verdict api_cluster_failback(struct exchange *x);
enum app_verdict api_cluster_leave(struct exchange *x);

/* The load managers before it (api_balance.c). */
enum app_verdict api_manager_announce(struct exchange *x);
enum app_verdict api_cluster_home(struct exchange *x);
/* "load_managers" of an answer: those that this server has heard of lately. */
void api_put_managers(struct exchange *x, struct json *json);

/* For whoever watches the server; without a token (watch.c). */
enum app_verdict watch_health(struct exchange *x);
enum app_verdict watch_live(struct exchange *x);
/* True: X asks whether this server lives, and that is answered. In accept: many ask, often. */
bool watch_is_live(struct exchange *x);
/* Whether X is by somebody who watches or operates this server, who needs it most when there is too
 * much to do. */
bool watch_is_urgent(const struct exchange *x);
enum app_verdict watch_metrics(struct exchange *x);

#endif
