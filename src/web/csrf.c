#include "web/csrf.h"

#include "net/sign.h"
#include "web/call.h"
#include "web/wayback.h"

bool csrf_same_origin(struct str sec_fetch_site, struct str origin, struct str ours)
{
    /* "none": typed into the address bar or opened from a bookmark. */
    if (sec_fetch_site.at)
        return str_eq(sec_fetch_site, STR("same-origin")) || str_eq(sec_fetch_site, STR("none"));
    if (origin.at)
        return str_eq_nocase(origin, ours);
    return true;
}

bool csrf_origin_is_ours(struct exchange *x)
{
    struct str origin = x->known[HTTP_FIELD_ORIGIN];
    return csrf_same_origin(x->known[HTTP_FIELD_SEC_FETCH_SITE], origin, call_base_url(x)) ||
           (origin.len && wayback_has(call_wayback(x), origin));
}

void csrf_token(const unsigned char *secret, size_t secret_len, struct id object,
                char out[static CSRF_TOKEN_TEXT])
{
    unsigned char message[5 + sizeof object.bytes] = "csrf:";
    memcpy(message + 5, object.bytes, sizeof object.bytes);
    unsigned char mac[SIGN_BYTES];
    sign_hmac(secret, secret_len, message, sizeof message, mac);
    hex_encode(mac, sizeof mac, out);
}

bool csrf_token_fits(const unsigned char *secret, size_t secret_len, struct id object,
                     struct str token)
{
    char right[CSRF_TOKEN_TEXT];
    csrf_token(secret, secret_len, object, right);
    return token.len == CSRF_TOKEN_TEXT - 1 && sign_same(right, token.at, token.len);
}
