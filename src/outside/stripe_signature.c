#include "outside/stripe_signature.h"

#include "base/buf.h"
#include "base/err.h"
#include "net/sign.h"

#include <stdbool.h>

/* Takes the next "name=value" off *REST. */
static bool cut_part(struct str *rest, struct str *name, struct str *value)
{
    struct str part;
    if (!str_cut(rest, ',', &part))
        return false;
    *value = str_trim(part);
    str_cut(value, '=', name);
    return true;
}

/* The time; at == NULL: there is none, or something is no "name=value". */
static struct str time_of(struct str header)
{
    struct str time = STR_NONE, name, value;
    while (cut_part(&header, &name, &value)) {
        if (value.at == NULL)
            return STR_NONE;
        if (str_eq(name, STR("t")))
            time = value;
    }
    return time;
}

static bool sign(struct str time, struct str body, struct str secret, unsigned char mac[SIGN_BYTES])
{
    struct buf signed_text;
    buf_init(&signed_text, STRIPE_EVENT_MAX + 64);
    buf_str(&signed_text, time);
    buf_byte(&signed_text, '.');
    buf_str(&signed_text, body);
    bool fits = !signed_text.failed;
    if (fits)
        sign_hmac((const unsigned char *)secret.at, secret.len, signed_text.at, signed_text.len,
                  mac);
    buf_close(&signed_text);
    return fits;
}

int stripe_signature_check(struct str header, struct str body, struct str secret, int64_t now_s)
{
    unsigned char wanted[SIGN_BYTES], given[SIGN_BYTES];
    struct str time = time_of(header), name, value;
    uint64_t at;
    bool same = false;
    if (time.len > 16 || str_to_u64(time, &at) != 0)
        return ERR_INVALID;
    if (secret.len == 0 || !sign(time, body, secret, wanted))
        return ERR_DENIED;
    while (cut_part(&header, &name, &value))
        if (str_eq(name, STR("v1")) && hex_decode(value, given, sizeof given) == 0)
            same |= sign_same(wanted, given, sizeof wanted);
    if (!same)
        return ERR_DENIED;
    return now_s - (int64_t)at > STRIPE_TOLERANCE_S ? ERR_TIMEOUT : 0;
}
