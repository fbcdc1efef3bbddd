#include "base/clock.h"
#include "web/ucp.h"

static const char type[] = "application/json";

/* ---- The "ucp" member ---- */

static void put_capability(struct json *json, yyjson_mut_val *capabilities, const char *name)
{
    yyjson_mut_val *list = json_put_list(json, capabilities, name);
    json_put_text(json, json_add_object(json, list), "version", STR(UCP_VERSION));
}

static void put_capabilities(struct json *json, yyjson_mut_val *meta, enum ucp_root root)
{
    static const char *const names[][3] = {
        [UCP_SEARCH] = {"dev.ucp.shopping.catalog.search"},
        [UCP_LOOKUP] = {"dev.ucp.shopping.catalog.lookup"},
        [UCP_CART] = {"dev.ucp.shopping.cart", "dev.ucp.shopping.discount"},
        [UCP_CHECKOUT] = {"dev.ucp.shopping.checkout", "dev.ucp.shopping.discount",
                          "dev.ucp.shopping.fulfillment"},
        [UCP_ORDER] = {"dev.ucp.shopping.order"},
    };
    if (root == UCP_NOTHING)
        return;
    yyjson_mut_val *capabilities = json_put_object(json, meta, "capabilities");
    for (unsigned i = 0; i < 3 && names[root][i]; i++)
        put_capability(json, capabilities, names[root][i]);
}

static void put_handlers(struct json *json, yyjson_mut_val *meta)
{
    yyjson_mut_val *handlers = json_put_object(json, meta, "payment_handlers");
    yyjson_mut_val *list = json_put_list(json, handlers, UCP_HANDLER);
    yyjson_mut_val *handler = json_add_object(json, list);
    json_put_text(json, handler, "id", STR(UCP_HANDLER_ID));
    json_put_text(json, handler, "version", STR(UCP_VERSION));
    yyjson_mut_val *instruments = json_put_list(json, handler, "available_instruments");
    json_put_text(json, json_add_object(json, instruments), "type", STR("card"));
}

void ucp_put_meta(struct json *json, enum ucp_root root, bool success)
{
    yyjson_mut_val *meta = json_put_object(json, json->root, "ucp");
    json_put_text(json, meta, "version", STR(UCP_VERSION));
    json_put_text(json, meta, "status", success ? STR("success") : STR("error"));
    put_capabilities(json, meta, root);
    if (root == UCP_CHECKOUT && success)
        put_handlers(json, meta);
}

/* ---- Sending ---- */

static enum app_verdict send_text(struct exchange *x, int status, struct str text)
{
    struct str request = x->known[HTTP_FIELD_REQUEST_ID];
    if (request.len && request.len <= 200)
        exchange_add_header(x, STR("Request-Id"), request);
    call_security_headers(x, false);
    exchange_add_header(x, STR("Cache-Control"), STR("no-store"));
    if (text.at)
        exchange_reply(x, status, str_of(type), text);
    else
        exchange_reply(
            x, 500, str_of(type),
            STR("{\"code\":\"internal_error\",\"content\":\"The answer is too large.\"}"));
    x->compressible = true;
    return APP_DONE;
}

int ucp_answer(struct exchange *x, struct ucp_view *view, enum ucp_root root)
{
    *view = (struct ucp_view){.x = x, .base = call_base_url(x)};
    int err = call_settings(x, &view->settings);
    json_begin(&view->json, &x->arena);
    ucp_put_meta(&view->json, root, true);
    return err;
}

enum app_verdict ucp_send(struct ucp_view *view, int status)
{
    return send_text(view->x, status, json_end(&view->json));
}

enum app_verdict ucp_refuse(struct exchange *x, int status, const char *code, struct str content,
                            struct str path)
{
    struct json json;
    json_begin(&json, &x->arena);
    json_put_text(&json, json.root, "code", str_of(code));
    json_put_text(&json, json.root, "content", content);
    json_put_some(&json, json.root, "path", path);
    return send_text(x, status, json_end(&json));
}

enum app_verdict ucp_no_object(struct exchange *x, int status, enum ucp_root root, const char *code,
                               struct str content)
{
    struct json json;
    json_begin(&json, &x->arena);
    ucp_put_meta(&json, root, false);
    yyjson_mut_val *message = json_add_object(&json, json_put_list(&json, json.root, "messages"));
    json_put_text(&json, message, "type", STR("error"));
    json_put_text(&json, message, "code", str_of(code));
    json_put_text(&json, message, "content", content);
    json_put_text(&json, message, "severity", STR("unrecoverable"));
    json_put_text(&json, json.root, "continue_url",
                  arena_printf(&x->arena, "%.*s/", STR_FMT(call_base_url(x))));
    return send_text(x, status, json_end(&json));
}

enum app_verdict ucp_not_found(struct exchange *x, enum ucp_root root, const char *what)
{
    return ucp_no_object(x, 404, root, "not_found",
                         arena_printf(&x->arena, "%s not found, or past its time", what));
}

enum app_verdict ucp_failed(struct exchange *x, enum ucp_root root, const char *what,
                            const struct outcome *outcome)
{
    const struct result *result = &outcome->result;
    int err = outcome->err ? outcome->err : result->err;
    struct str text = !outcome->err && result->text.len ? result->text : str_of(err_sentence(err));
    switch (err) {
    case ERR_NOTFOUND:
        return ucp_not_found(x, root, what);
    case ERR_CONFLICT:
        return ucp_refuse(x, 409, "idempotency_conflict", text, STR(""));
    case ERR_STATE:
        return ucp_no_object(x, 409, root, "not_allowed", text);
    case ERR_INVALID:
    case ERR_FULL:
        return ucp_refuse(x, 422, "invalid_request", text, STR(""));
    default:
        return call_fail_err(x, err);
    }
}

/* ---- Small things ---- */

struct str ucp_url(struct ucp_view *view, struct str url)
{
    if (!str_starts(url, STR("/")))
        return url;
    return ARENA_JOIN(view->json.arena, view->base, url);
}

struct str ucp_time(struct arena *arena, int64_t wall_ms)
{
    char text[32];
    clock_rfc3339(wall_ms, text, sizeof text);
    return arena_str(arena, str_of(text));
}

struct str ucp_id(struct arena *arena, struct id id)
{
    char text[ID_TEXT];
    return arena_str(arena, str_of(id_text(id, text)));
}
