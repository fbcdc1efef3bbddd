#include "base/clock.h"
#include "outside/signing_keys.h"
#include "web/ucp.h"

/* What the shop offers. Addresses of specifications and schemas are those of the owner of
 * the names, ucp.dev. */
static const struct {
    const char *name, *spec, *schema;
    const char *extends[2];
} capabilities[] = {
    {"dev.ucp.shopping.checkout", "checkout", "checkout", {NULL}},
    {"dev.ucp.shopping.cart", "cart", "cart", {NULL}},
    {"dev.ucp.shopping.order", "order", "order", {NULL}},
    {"dev.ucp.shopping.catalog.search", "catalog/search", "catalog_search", {NULL}},
    {"dev.ucp.shopping.catalog.lookup", "catalog/lookup", "catalog_lookup", {NULL}},
    {"dev.ucp.shopping.fulfillment",
     "fulfillment",
     "fulfillment",
     {"dev.ucp.shopping.checkout", NULL}},
    {"dev.ucp.shopping.discount",
     "discount",
     "discount",
     {"dev.ucp.shopping.checkout", "dev.ucp.shopping.cart"}},
};

#define SPECIFICATION "https://ucp.dev/" UCP_VERSION "/specification/"
#define SCHEMAS       "https://ucp.dev/schemas/"

static void put_service(struct json *json, yyjson_mut_val *meta, struct str base)
{
    yyjson_mut_val *services = json_put_object(json, meta, "services");
    yyjson_mut_val *service =
        json_add_object(json, json_put_list(json, services, "dev.ucp.shopping"));
    json_put_text(json, service, "version", STR(UCP_VERSION));
    json_put_text(json, service, "spec", STR(SPECIFICATION "overview"));
    json_put_text(json, service, "transport", STR("rest"));
    json_put_text(json, service, "schema",
                  STR("https://ucp.dev/" UCP_VERSION "/services/shopping/rest.openapi.json"));
    json_put_text(json, service, "endpoint", base);
}

static void put_capability(struct json *json, yyjson_mut_val *meta, unsigned i)
{
    yyjson_mut_val *one = json_add_object(json, json_put_list(json, meta, capabilities[i].name));
    json_put_text(json, one, "version", STR(UCP_VERSION));
    json_put_text(json, one, "spec",
                  arena_printf(json->arena, SPECIFICATION "%s", capabilities[i].spec));
    json_put_text(json, one, "schema",
                  arena_printf(json->arena, SCHEMAS "shopping/%s.json", capabilities[i].schema));
    const char *const *extends = capabilities[i].extends;
    if (extends[1]) {
        yyjson_mut_val *list = json_put_list(json, one, "extends");
        json_add_text(json, list, str_of(extends[0]));
        json_add_text(json, list, str_of(extends[1]));
    } else if (extends[0]) {
        json_put_text(json, one, "extends", str_of(extends[0]));
    }
}

static void put_handler(struct json *json, yyjson_mut_val *meta)
{
    yyjson_mut_val *handlers = json_put_object(json, meta, "payment_handlers");
    yyjson_mut_val *handler = json_add_object(json, json_put_list(json, handlers, UCP_HANDLER));
    json_put_text(json, handler, "id", STR(UCP_HANDLER_ID));
    json_put_text(json, handler, "version", STR(UCP_VERSION));
    yyjson_mut_val *instruments = json_put_list(json, handler, "available_instruments");
    json_put_text(json, json_add_object(json, instruments), "type", STR("card"));
    yyjson_mut_val *config = json_put_object(json, handler, "config");
    json_put_text(json, config, "environment", STR("sandbox"));
}

/* The public halves (RFC 7517): a shop that has just begun, or whose registry cannot be read, has
 * none to show for a moment. */
static void put_signing_keys(struct exchange *x, struct json *json)
{
    struct signing_keys keys;
    struct str text;
    if (reader_registry(call_reader(x), &x->arena, STR(SIGNING_KEYS_ENTRY), &text) ||
        signing_keys_parse(text, &keys, NULL))
        return;
    signing_keys_prune(&keys, clock_wall_ms());
    yyjson_mut_val *list = json_put_list(json, json->root, "signing_keys");
    for (unsigned i = 0; i < keys.count; i++) {
        yyjson_mut_val *one = json_add_object(json, list);
        json_put_text(json, one, "kid", keys.keys[i].name);
        json_put_text(json, one, "kty", STR("EC"));
        json_put_text(json, one, "crv", STR("P-256"));
        json_put_text(json, one, "x", keys.keys[i].x);
        json_put_text(json, one, "y", keys.keys[i].y);
        json_put_text(json, one, "use", STR("sig"));
        json_put_text(json, one, "alg", STR("ES256"));
    }
}

enum app_verdict ucp_discovery(struct exchange *x)
{
    struct json json;
    json_begin(&json, &x->arena);
    yyjson_mut_val *meta = json_put_object(&json, json.root, "ucp");
    json_put_text(&json, meta, "version", STR(UCP_VERSION));
    put_service(&json, meta, call_base_url(x));
    yyjson_mut_val *map = json_put_object(&json, meta, "capabilities");
    for (unsigned i = 0; i < sizeof capabilities / sizeof *capabilities; i++)
        put_capability(&json, map, i);
    put_handler(&json, meta);
    put_signing_keys(x, &json);
    struct str text = json_end(&json);
    if (!text.at)
        return call_fail_err(x, ERR_NOMEM);
    call_security_headers(x, false);
    exchange_add_header(x, STR("Cache-Control"), STR("public, max-age=300"));
    exchange_add_header(x, STR("Access-Control-Allow-Origin"), STR("*"));
    exchange_reply(x, 200, STR("application/json"), text);
    x->compressible = true;
    return APP_DONE;
}
