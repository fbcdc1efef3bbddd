#include "web/routes.h"

#include "base/check.h"
#include "web/api.h"
#include "web/bank_events.h"
#include "web/files.h"
#include "web/pages.h"
#include "web/ucp.h"

enum { FORM_BYTES = 16 * 1024, UCP_BYTES = 256 * 1024, API_BYTES = 1 << 20 };

#define ROUTE(method, pattern, handler, kind, face, csrf, body, about, accept, gate) \
    {                                                                                \
        method, pattern, handler, kind, face, csrf, body, about, accept, gate        \
    }
#define SHOW(pattern, handler, kind, about) \
    ROUTE(HTTP_GET, pattern, handler, kind, FACE_PAGES, CSRF_OFF, 0, about, NULL, GATE_OFF)
/* A page of one shopper. */
#define OWN(pattern, handler, gate, about) \
    ROUTE(HTTP_GET, pattern, handler, ROUTE_INLINE, FACE_PAGES, CSRF_OFF, 0, about, NULL, gate)
#define TAKE(pattern, handler, csrf, gate, about)                                               \
    ROUTE(HTTP_POST, pattern, handler, ROUTE_INLINE, FACE_PAGES, csrf, FORM_BYTES, about, NULL, \
          gate)
#define UCP(method, pattern, handler, kind, gate, about) \
    ROUTE(method, pattern, handler, kind, FACE_UCP, CSRF_OFF, UCP_BYTES, about, NULL, gate)
#define API(method, pattern, handler, kind, about) \
    ROUTE(method, pattern, handler, kind, FACE_OPERATOR, CSRF_OFF, API_BYTES, about, NULL, GATE_OFF)
/* What the operator reads of the shop. */
#define ASK(pattern, handler, kind, about) \
    ROUTE(HTTP_GET, pattern, handler, kind, FACE_OPERATOR, CSRF_OFF, 0, about, NULL, GATE_READ)
#define UPLOAD(method, pattern, accept, handler, about) \
    ROUTE(method, pattern, handler, ROUTE_WORK, FACE_OPERATOR, CSRF_OFF, 0, about, accept, GATE_OFF)

/* clang-format off */
const struct route routes[] = {
    /* For people. */
    SHOW("/", page_home, ROUTE_WORK, "home: categories, new and best-selling products"),
    SHOW("/category/{slug}", page_category, ROUTE_WORK, "a category's products"),
    SHOW("/search", page_search, ROUTE_WORK, "products by words, with filters and sorting"),
    SHOW("/suggest", page_suggest, ROUTE_WORK, "some products for words being typed, as JSON"),
    SHOW("/product/{handle}.json", page_product_json, ROUTE_INLINE, "a product as JSON"),
    SHOW("/product/{handle}", page_product, ROUTE_INLINE, "a product's page"),
    OWN("/cart", page_cart, GATE_CART, "the cart"),
    TAKE("/cart/add", cart_add, CSRF_ORIGIN, GATE_CART, "adds an item to the cart"),
    TAKE("/cart/set", cart_set, CSRF_TOKEN, GATE_CART, "sets the quantity of an item in the cart"),
    TAKE("/cart/codes", cart_codes, CSRF_TOKEN, GATE_CART, "adds or removes a discount code"),
    SHOW("/checkout", checkout_none, ROUTE_INLINE, "the cart, where a checkout begins"),
    TAKE("/checkout", checkout_begin, CSRF_TOKEN, GATE_CART, "begins the checkout of the cart"),
    OWN("/checkout/{id}", page_checkout, GATE_READ, "checkout: contact and address"),
    TAKE("/checkout/{id}", checkout_address, CSRF_TOKEN, GATE_READ, "takes contact and address"),
    OWN("/checkout/{id}/delivery", page_delivery, GATE_READ, "checkout: delivery"),
    TAKE("/checkout/{id}/delivery", checkout_delivery, CSRF_TOKEN, GATE_READ,
        "takes the delivery option"),
    OWN("/checkout/{id}/payment", page_payment, GATE_READ, "checkout: review and payment"),
    TAKE("/checkout/{id}/payment", checkout_pay, CSRF_TOKEN, GATE_READ, "pays"),
    OWN("/order/{id}", page_order, GATE_READ, "an order and its state"),
    TAKE("/order/{id}/cancel", order_cancel, CSRF_TOKEN, GATE_READ, "cancels an order"),
    SHOW("/about", page_text, ROUTE_INLINE, "about the shop"),
    SHOW("/terms", page_text, ROUTE_INLINE, "terms of sale"),
    SHOW("/privacy", page_text, ROUTE_INLINE, "privacy"),

    /* Files. */
    SHOW("/assets/{name}", files_asset, ROUTE_INLINE, "style sheet and scripts"),
    SHOW("/pictures/{name}", files_picture, ROUTE_INLINE, "the demo catalogue's pictures"),
    SHOW("/media/{path*}", files_media, ROUTE_WORK, "files of the media folder"),
    SHOW("/favicon.svg", files_icon, ROUTE_INLINE, "the shop's icon"),
    SHOW("/robots.txt", files_robots, ROUTE_INLINE, "what search engines should leave alone"),

    /* For programs that buy: the Universal Commerce Protocol. */
    UCP(HTTP_GET, "/.well-known/ucp", ucp_discovery, ROUTE_INLINE, GATE_OFF,
        "UCP: what the shop offers"),
    UCP(HTTP_POST, "/catalog/search", ucp_catalog_search, ROUTE_WORK, GATE_OFF, "UCP: search"),
    UCP(HTTP_POST, "/catalog/lookup", ucp_catalog_lookup, ROUTE_WORK, GATE_OFF,
        "UCP: products by id"),
    UCP(HTTP_POST, "/catalog/product", ucp_catalog_product, ROUTE_WORK, GATE_OFF,
        "UCP: one product"),
    UCP(HTTP_POST, "/carts", ucp_cart_create, ROUTE_INLINE, GATE_OFF, "UCP: a new cart"),
    UCP(HTTP_GET, "/carts/{id}", ucp_cart_get, ROUTE_INLINE, GATE_READ, "UCP: a cart"),
    UCP(HTTP_PUT, "/carts/{id}", ucp_cart_update, ROUTE_INLINE, GATE_OFF,
        "UCP: replaces a cart's content"),
    UCP(HTTP_POST, "/carts/{id}/cancel", ucp_cart_cancel, ROUTE_INLINE, GATE_OFF,
        "UCP: cancels a cart"),
    OWN("/carts/{id}/open", ucp_cart_open, GATE_READ, "a platform's cart, in a browser"),
    UCP(HTTP_POST, "/checkout-sessions", ucp_checkout_create, ROUTE_INLINE, GATE_OFF,
        "UCP: a new checkout"),
    UCP(HTTP_GET, "/checkout-sessions/{id}", ucp_checkout_get, ROUTE_INLINE, GATE_READ,
        "UCP: a checkout"),
    UCP(HTTP_PUT, "/checkout-sessions/{id}", ucp_checkout_update, ROUTE_INLINE, GATE_READ,
        "UCP: replaces a checkout's content"),
    UCP(HTTP_POST,
        "/checkout-sessions/{id}/complete", ucp_checkout_complete, ROUTE_INLINE, GATE_OFF,
        "UCP: pays and places the order"),
    UCP(HTTP_POST, "/checkout-sessions/{id}/cancel", ucp_checkout_cancel, ROUTE_INLINE, GATE_OFF,
        "UCP: cancels a checkout"),
    UCP(HTTP_GET, "/orders/{id}", ucp_order_get, ROUTE_INLINE, GATE_READ, "UCP: an order"),

    /* For the bank: like a warehouse a program, and known by its signature. */
    ROUTE(HTTP_POST, "/api/bank/events", bank_events, ROUTE_INLINE, FACE_WAREHOUSE, CSRF_OFF,
          UCP_BYTES, "the bank's events (Stripe's webhooks)", NULL, GATE_OFF),

    /* For the operator. */
    ASK("/admin/api/products", api_products, ROUTE_WORK, "operator: products, paged"),
    ASK("/admin/api/products/{handle}", api_product_get, ROUTE_INLINE,
        "operator: a product with all its variants and counts"),
    API(HTTP_PUT, "/admin/api/products/{handle}", api_product_put, ROUTE_INLINE,
        "operator: creates or replaces a product"),
    API(HTTP_DELETE, "/admin/api/products/{handle}", api_product_retire, ROUTE_INLINE,
        "operator: stops selling a product"),
    ASK("/admin/api/variants/{key}", api_variant_get, ROUTE_INLINE,
        "operator: price and stock of a variant"),
    API(HTTP_DELETE, "/admin/api/variants/{key}", api_variant_retire, ROUTE_INLINE,
        "operator: stops selling a variant"),
    API(HTTP_PUT, "/admin/api/variants/{key}/price", api_variant_price, ROUTE_INLINE,
        "operator: sets a price"),
    API(HTTP_POST, "/admin/api/variants/{key}/receive", api_stock_receive, ROUTE_INLINE,
        "operator: goods have arrived"),
    API(HTTP_POST, "/admin/api/variants/{key}/adjust", api_stock_adjust, ROUTE_INLINE,
        "operator: corrects a count"),
    ASK("/admin/api/orders", api_orders, ROUTE_WORK, "operator: orders, newest first"),
    ASK("/admin/api/orders/{number}", api_order_get, ROUTE_INLINE,
        "operator: an order by number or id"),
    API(HTTP_POST, "/admin/api/orders/{number}/cancel", api_order_cancel, ROUTE_INLINE,
        "operator: cancels what of an order was not sent"),
    API(HTTP_POST, "/admin/api/orders/{number}/ship", api_order_ship, ROUTE_INLINE,
        "operator: a parcel was sent"),
    API(HTTP_POST, "/admin/api/orders/{number}/deliver", api_order_deliver, ROUTE_INLINE,
        "operator: a parcel has arrived"),
    API(HTTP_POST, "/admin/api/orders/{number}/return", api_order_return, ROUTE_INLINE,
        "operator: goods came back"),
    API(HTTP_POST, "/admin/api/orders/{number}/refund", api_order_refund, ROUTE_INLINE,
        "operator: gives money back"),
    API(HTTP_POST, "/admin/api/orders/{number}/retry-payment", api_order_retry, ROUTE_INLINE,
        "operator: has the bank asked again for what it could not do"),
    ASK("/admin/api/warehouses", api_warehouses, ROUTE_WORK, "operator: warehouses"),
    ROUTE(HTTP_PUT, "/admin/api/warehouses/{id}", api_warehouse_put, ROUTE_INLINE, FACE_OPERATOR,
          CSRF_OFF, API_BYTES, "operator: creates or changes a warehouse", NULL, GATE_READ),
    ROUTE(HTTP_DELETE, "/admin/api/warehouses/{id}", api_warehouse_close, ROUTE_INLINE,
          FACE_OPERATOR, CSRF_OFF, API_BYTES, "operator: gives a warehouse nothing new", NULL,
          GATE_READ),
    ASK("/admin/api/variants/{key}/warehouses", api_variant_warehouses, ROUTE_WORK,
        "operator: what of a variant lies where"),
    ASK("/admin/api/signing-keys", api_signing_keys, ROUTE_INLINE, "operator: signing keys"),
    API(HTTP_POST, "/admin/api/signing-keys/rotate", api_signing_keys_rotate, ROUTE_INLINE,
        "operator: makes a new key for signing"),
    ASK("/admin/api/settings", api_settings_get, ROUTE_INLINE, "operator: settings"),
    ROUTE(HTTP_PUT, "/admin/api/settings", api_settings_put, ROUTE_INLINE, FACE_OPERATOR, CSRF_OFF,
          API_BYTES, "operator: changes settings", NULL, GATE_READ),
    ASK("/admin/api/discounts", api_discounts, ROUTE_WORK, "operator: discounts"),
    API(HTTP_PUT, "/admin/api/discounts/{key}", api_discount_put, ROUTE_INLINE,
        "operator: creates or replaces a discount"),
    ASK("/admin/api/shipping-rates", api_rates, ROUTE_WORK, "operator: shipping rates"),
    API(HTTP_PUT, "/admin/api/shipping-rates/{key}", api_rate_put, ROUTE_INLINE,
        "operator: creates or replaces a shipping rate"),
    ASK("/admin/api/tax-rates", api_taxes, ROUTE_WORK, "operator: tax rates"),
    API(HTTP_PUT, "/admin/api/tax-rates/{country}", api_tax_put, ROUTE_INLINE,
        "operator: creates or replaces a country's tax rate"),
    API(HTTP_PUT, "/admin/api/tax-rates/{country}/{region}", api_tax_put, ROUTE_INLINE,
        "operator: creates or replaces a region's tax rate"),
    API(HTTP_GET, "/admin/api/media", api_media_list, ROUTE_WORK, "operator: files of the media"),
    API(HTTP_GET, "/admin/api/media/{name}", api_media_get, ROUTE_WORK, "operator: a file"),
    UPLOAD(HTTP_PUT, "/admin/api/media/{name}", api_media_accept, api_media_put,
           "operator: stores a file"),
    API(HTTP_DELETE, "/admin/api/media/{name}", api_media_delete, ROUTE_WORK,
        "operator: deletes a file"),
    UPLOAD(HTTP_POST, "/admin/api/import", api_import_accept, api_import,
           "operator: imports products from a CSV"),
    API(HTTP_GET, "/admin/api/export", api_export, ROUTE_WORK,
        "operator: all products as a CSV"),

    ROUTE(HTTP_POST, "/api/warehouse/{id}/reports", api_reports, ROUTE_INLINE, FACE_WAREHOUSE,
          CSRF_OFF, 0, "a warehouse: what it reports", api_reports_accept, GATE_OFF),

    API(HTTP_GET, "/api/v1/backup", api_backup, ROUTE_WORK, "operator: a copy of the database"),
    API(HTTP_GET, "/api/v1/outbox", api_outbox, ROUTE_INLINE,
        "operator: what is to leave the shop"),
    API(HTTP_GET, "/api/v1/changes", api_changes, ROUTE_WORK,
        "operator: each committed change, as it is told"),
    API(HTTP_GET, "/api/v1/cluster", api_cluster_get, ROUTE_INLINE, "operator: the servers"),
    API(HTTP_POST, "/api/v1/cluster/managers", api_manager_announce, ROUTE_INLINE,
        "operator: a load manager is there, and asks whom it may send shoppers to"),
    ASK("/api/v1/cluster/home", api_cluster_home, ROUTE_INLINE,
        "operator: which servers a cart's shopper belongs to"),
    API(HTTP_POST, "/api/v1/cluster/token", api_cluster_token, ROUTE_WORK,
        "operator: a token for a new server"),
    API(HTTP_POST, "/api/v1/cluster/handover", api_cluster_handover, ROUTE_WORK,
        "operator: makes another server the primary"),
    API(HTTP_POST, "/api/v1/cluster/remove", api_cluster_remove, ROUTE_WORK,
        "operator: removes a server from the cluster"),
    API(HTTP_POST, "/api/v1/cluster/prefer", api_cluster_prefer, ROUTE_WORK,
        "operator: which server shall be primary"),
    API(HTTP_POST, "/api/v1/cluster/ready", api_cluster_ready, ROUTE_WORK,
        "operator: how soon a server could take over"),
    API(HTTP_POST, "/api/v1/cluster/failback", api_cluster_failback, ROUTE_WORK,
        "operator: when the preferred server is primary again after a takeover"),
    API(HTTP_POST, "/api/v1/cluster/leave", api_cluster_leave, ROUTE_WORK,
        "operator: this server leaves the cluster and stops"),

    /* For whoever watches the server. */
    SHOW("/livez", watch_live, ROUTE_INLINE, "whether this server answers, and how busy it is"),
    SHOW("/healthz", watch_health, ROUTE_WORK, "whether a purchase would go through"),
    SHOW("/metrics", watch_metrics, ROUTE_WORK, "figures for Prometheus"),
};
/* clang-format on */

const unsigned route_count = COUNT_OF(routes);
