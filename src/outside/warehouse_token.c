#include "outside/warehouse_token.h"

#include "net/sign.h"

#include <inttypes.h>
#include <stdio.h>

enum { NAME_MAX_BYTES = 128 };

void warehouse_token(const unsigned char secret[static WAREHOUSE_SECRET], struct str warehouse,
                     uint32_t renewed, char out[static WAREHOUSE_TOKEN_TEXT])
{
    char name[NAME_MAX_BYTES];
    unsigned char mac[SIGN_BYTES];
    int len = snprintf(name, sizeof name, "warehouse/%.*s", STR_FMT(warehouse));
    if (renewed > 0 && len < (int)sizeof name)
        len += snprintf(name + len, sizeof name - (size_t)len, "/%" PRIu32, renewed);
    size_t used = len < (int)sizeof name ? (size_t)len : sizeof name - 1;
    sign_hmac(secret, WAREHOUSE_SECRET, name, used, mac);
    hex_encode(mac, sizeof mac, out);
}

bool warehouse_token_is(const unsigned char secret[static WAREHOUSE_SECRET], struct str warehouse,
                        uint32_t renewed, struct str token)
{
    char right[WAREHOUSE_TOKEN_TEXT];
    warehouse_token(secret, warehouse, renewed, right);
    return token.len == WAREHOUSE_TOKEN_TEXT - 1 && sign_same(token.at, right, token.len);
}
