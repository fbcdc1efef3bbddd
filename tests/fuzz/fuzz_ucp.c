/* What platforms and the operator send: bodies, and the UCP-Agent header. */
#include "web/api.h"
#include "web/ucp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_body(struct arena *arena, struct str text)
{
    struct json_in in;
    struct json_spot body;
    struct basket_input basket;
    static struct checkout_input input;
    struct product product;
    unsigned char hash[JSON_HASH];
    json_read(&in, arena, text, &body);
    if (json_bad(&in))
        return;
    json_hash(STR("POST /x"), body.value, hash);
    ucp_read_basket(&in, &body, true, &basket);
    memset(&input, 0, sizeof input);
    ucp_read_fulfillment(&in, &body, NULL, &input);
    json_read(&in, arena, text, &body);
    api_read_product(&in, &body, &product);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct str profile, version;
    arena_init(&arena, 8 << 20);
    ucp_agent_parse(str_make(data, size), &profile, &version);
    read_body(&arena, str_make(data, size));
    arena_close(&arena);
    return 0;
}
