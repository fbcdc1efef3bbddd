#include "web/once.h"

#include "base/clock.h"
#include "net/sign.h"
#include "web/call.h"
#include "web/session.h"

enum { HOUR_MS = 3600 * 1000, COARSE_MS = 4 * HOUR_MS };

/* In struct call, once it was asked for. */
struct once {
    bool stamped;
    int64_t time_ms;
    unsigned char request[SIGN_BYTES]; /* what the request is, under the secret */
};

int64_t once_time(int64_t stamp_ms, int64_t now_ms)
{
    int64_t away = stamp_ms > now_ms ? stamp_ms - now_ms : now_ms - stamp_ms;
    return away <= HOUR_MS ? stamp_ms : now_ms / COARSE_MS * COARSE_MS;
}

static int64_t time_of(struct id id)
{
    int64_t time = 0;
    for (unsigned i = 0; i < 6; i++)
        time = time << 8 | id.bytes[i];
    return time;
}

static bool is_safe(const struct exchange *x)
{
    return x->method == HTTP_GET || x->method == HTTP_HEAD || x->method == HTTP_OPTIONS;
}

static bool hash_request(struct exchange *x, struct id stamp, unsigned char out[static SIGN_BYTES])
{
    struct id cart = {{0}};
    session_cart_id(x, &cart);
    const struct sign_part parts[] = {
        {"once request", 12},
        {stamp.bytes, sizeof stamp.bytes},
        {x->method_name.at, x->method_name.len},
        {x->path.at, x->path.len},
        {x->query.at, x->query.len},
        {cart.bytes, sizeof cart.bytes},
        {x->known[HTTP_FIELD_AUTHORIZATION].at, x->known[HTTP_FIELD_AUTHORIZATION].len},
        {x->known[HTTP_FIELD_UCP_AGENT].at, x->known[HTTP_FIELD_UCP_AGENT].len},
        {x->body.at, x->body.len},
    };
    return signer_sign_parts(call_thread(x)->signer, parts, sizeof parts / sizeof *parts, out);
}

static bool read_id(struct str text, struct id *id)
{
    return text.at && id_parse(str_trim(text), id) == 0 && !id_is_zero(*id);
}

/* A form's own one first: it is the same whichever way the form comes here a second time. */
static bool read_stamp(struct exchange *x, struct id *stamp)
{
    return !is_safe(x) && !x->sink &&
           (read_id(exchange_form(x, STR(ONCE_FIELD)), stamp) ||
            read_id(exchange_header(x, STR(ONCE_HEADER)), stamp));
}

/* NULL: no stamp. */
static const struct once *once_of(struct exchange *x)
{
    struct call *call = call_of(x);
    struct id stamp;
    if (!call->once) {
        struct once *once = ARENA_NEW(&x->arena, struct once);
        if (!once)
            return NULL;
        if (read_stamp(x, &stamp)) {
            once->time_ms = once_time(time_of(stamp), clock_wall_ms());
            once->stamped = hash_request(x, stamp, once->request);
        }
        call->once = once;
    }
    return call->once->stamped ? call->once : NULL;
}

bool once_is_stamped(struct exchange *x)
{
    return once_of(x) != NULL;
}

static bool derive(struct exchange *x, const struct once *once, struct str purpose,
                   unsigned char out[static SIGN_BYTES])
{
    const struct sign_part parts[] = {
        {"once id", 7},
        {once->request, sizeof once->request},
        {purpose.at, purpose.len},
    };
    return signer_sign_parts(call_thread(x)->signer, parts, sizeof parts / sizeof *parts, out);
}

struct id once_id(struct exchange *x, struct str purpose)
{
    const struct once *once = once_of(x);
    unsigned char bits[SIGN_BYTES];
    if (once && derive(x, once, purpose, bits))
        return id_make(once->time_ms, bits);
    return id_new(clock_wall_ms());
}

bool once_key(struct exchange *x, unsigned char key[static ONCE_KEY],
              unsigned char body[static ONCE_KEY])
{
    const struct once *once = once_of(x);
    unsigned char bits[SIGN_BYTES];
    if (!once || !derive(x, once, STR("key"), bits))
        return false;
    memcpy(key, bits, ONCE_KEY);
    memcpy(body, bits + ONCE_KEY, ONCE_KEY);
    return true;
}
