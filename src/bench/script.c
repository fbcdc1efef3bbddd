#include "bench/script.h"

#include "base/clock.h"
#include "base/id.h"

#include <string.h>
#include <yyjson.h>

/* ---- GET ---- */

static void http_request(const void *context, struct visitor *visitor,
                         struct script_request *request)
{
    const struct http_script *script = context;
    (void)visitor;
    request->method = "GET";
    buf_puts(request->path, script->path);
    buf_puts(request->headers, script->headers);
}

static enum script_verdict verdict_of(int status)
{
    if (status == 503)
        return SCRIPT_REFUSED;
    return status >= 200 && status < 400 ? SCRIPT_DONE : SCRIPT_FAILED;
}

static enum script_verdict http_answer(const void *context, struct visitor *visitor, int status,
                                       struct str body)
{
    (void)context;
    (void)visitor;
    (void)body;
    return verdict_of(status);
}

const struct script script_http = {"http", http_request, http_answer};

/* ---- What the shop's scripts share ---- */

static const char *pick(const struct shop_script *script, struct visitor *visitor)
{
    if (script->hot)
        return script->items[0];
    return script->items[random_below(&visitor->random, script->item_count)];
}

static void put_headers(struct visitor *visitor, struct script_request *request, bool keyed)
{
    unsigned char bits[16];
    char key[ID_TEXT];
    uint64_t random[2] = {random_u64(&visitor->random), random_u64(&visitor->random)};
    memcpy(bits, random, sizeof bits);
    id_text(id_make(clock_wall_ms(), bits), key);
    buf_printf(request->headers,
               "content-type: application/json\r\n"
               "ucp-agent: profile=\"https://platform.example/profile.json\"\r\n"
               "request-id: %s\r\n",
               key);
    if (keyed)
        buf_printf(request->headers, "idempotency-key: %s\r\n", key);
}

static void put_lines(const struct shop_script *script, struct visitor *visitor, struct buf *out)
{
    unsigned lines = script->lines ? script->lines : 1;
    buf_puts(out, "\"line_items\":[");
    for (unsigned i = 0; i < lines; i++)
        buf_printf(out, "%s{\"item\":{\"id\":\"%s\"},\"quantity\":1}", i ? "," : "",
                   pick(script, visitor));
    buf_puts(out, "]");
}

/* The "id" of the answer's object into OUT. */
static bool read_id(struct str body, char out[ID_TEXT])
{
    yyjson_doc *doc = yyjson_read(body.at, body.len, 0);
    const char *id = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(doc), "id"));
    bool good = id && strlen(id) < ID_TEXT;
    if (good)
        strcpy(out, id);
    yyjson_doc_free(doc);
    return good;
}

/* ---- Cart ---- */

struct cart_state {
    char id[ID_TEXT];
};

static void cart_request(const void *context, struct visitor *visitor,
                         struct script_request *request)
{
    const struct shop_script *script = context;
    struct cart_state *state = (struct cart_state *)(void *)visitor->state.bytes;
    put_headers(visitor, request, !script->no_key);
    request->method = state->id[0] ? "PUT" : "POST";
    buf_puts(request->path, "/carts");
    buf_puts(request->body, "{");
    if (state->id[0]) {
        buf_printf(request->path, "/%s", state->id);
        buf_printf(request->body, "\"id\":\"%s\",", state->id);
    }
    put_lines(script, visitor, request->body);
    buf_puts(request->body, "}");
}

static enum script_verdict cart_answer(const void *context, struct visitor *visitor, int status,
                                       struct str body)
{
    struct cart_state *state = (struct cart_state *)(void *)visitor->state.bytes;
    (void)context;
    if (status == 201 && !read_id(body, state->id))
        return SCRIPT_FAILED;
    if (status == 404)
        state->id[0] = 0; /* it is gone; the next operation makes another */
    return verdict_of(status);
}

const struct script script_cart = {"cart", cart_request, cart_answer};

/* ---- Buy ---- */

static void checkout_request(const void *context, struct visitor *visitor,
                             struct script_request *request)
{
    buf_puts(request->path, "/checkout-sessions");
    buf_puts(request->body, "{\"currency\":\"USD\",");
    put_lines(context, visitor, request->body);
    buf_printf(request->body,
               ",\"buyer\":{\"email\":\"b%llu@shopper.example\",\"first_name\":\"Ada\","
               "\"last_name\":\"Byron\"},\"fulfillment\":{\"methods\":[{\"type\":\"shipping\","
               "\"destinations\":[{\"id\":\"home\",\"street_address\":\"1 Main St\","
               "\"address_locality\":\"Springfield\",\"address_region\":\"IL\","
               "\"postal_code\":\"62704\",\"address_country\":\"US\"}],"
               "\"selected_destination_id\":\"home\"}]}}",
               (unsigned long long)visitor->number);
}

static void complete_request(struct visitor *visitor, struct script_request *request)
{
    struct cart_state *state = (struct cart_state *)(void *)visitor->state.bytes;
    buf_printf(request->path, "/checkout-sessions/%s/complete", state->id);
    buf_puts(request->body,
             "{\"payment\":{\"instruments\":[{\"id\":\"instr_1\",\"handler_id\":"
             "\"mock_payment_handler\",\"type\":\"card\",\"selected\":true,\"display\":{\"brand\":"
             "\"Visa\",\"last_digits\":\"1234\"},\"credential\":{\"type\":\"token\",\"token\":"
             "\"success_token\"}}]}}");
}

static void buy_request(const void *context, struct visitor *visitor,
                        struct script_request *request)
{
    request->method = "POST";
    put_headers(visitor, request, true);
    if (visitor->step == 0)
        checkout_request(context, visitor, request);
    else
        complete_request(visitor, request);
}

/* Whether the completed checkout says so. A clean "sold out" is an answer, not a sale. */
static enum script_verdict complete_verdict(int status, struct str body)
{
    if (status != 200)
        return verdict_of(status) == SCRIPT_DONE ? SCRIPT_FAILED : verdict_of(status);
    return str_find(body, STR("\"completed\"")) >= 0 ? SCRIPT_DONE : SCRIPT_FAILED;
}

static enum script_verdict buy_answer(const void *context, struct visitor *visitor, int status,
                                      struct str body)
{
    struct cart_state *state = (struct cart_state *)(void *)visitor->state.bytes;
    (void)context;
    if (visitor->step > 0)
        return complete_verdict(status, body);
    if (status != 201)
        return status == 503 ? SCRIPT_REFUSED : SCRIPT_FAILED;
    return read_id(body, state->id) ? SCRIPT_NEXT : SCRIPT_FAILED;
}

const struct script script_buy = {"buy", buy_request, buy_answer};
