#include "web/far_tags.h"

#include "base/clock.h"
#include "base/err.h"
#include "net/sign.h"
#include "web/call.h"
#include "web/carry.h"
#include "web/change_ring.h"

#include <inttypes.h>

char *far_key(const char *token, char out[static FAR_KEY])
{
    static const char purpose[] = "pages elsewhere";
    unsigned char mac[SIGN_BYTES];
    sign_hmac((const unsigned char *)token, strlen(token), purpose, sizeof purpose, mac);
    hex_encode(mac, (FAR_KEY - 1) / 2, out);
    return out;
}

/* ---- The header ---- */

bool far_tags_write(struct buf *out, uint64_t ring, const struct cache_tags *tags, uint64_t now_ns)
{
    if (tags->product_count > CACHE_PRODUCTS_MAX)
        return false;
    if (tags->until_ns && tags->until_ns < now_ns + MS_NS)
        return false;
    buf_printf(out, "ring=%016" PRIx64 "; index=%" PRIu64, ring, tags->index);
    if (tags->round)
        buf_printf(out, "; round=%" PRIu64, tags->round);
    if (tags->until_ns)
        buf_printf(out, "; left=%" PRIu64, (tags->until_ns - now_ns) / (uint64_t)MS_NS);
    if (tags->catalogue)
        buf_puts(out, "; catalogue");
    for (unsigned i = 0; i < tags->product_count; i++)
        buf_printf(out, "%s%" PRIu64, i ? "," : "; products=", tags->products[i]);
    return !out->failed;
}

static int read_products(struct str list, struct cache_tags *tags)
{
    struct str one;
    uint64_t id;
    while (str_cut(&list, ',', &one)) {
        if (str_to_u64(one, &id) || tags->product_count == CACHE_PRODUCTS_MAX)
            return ERR_INVALID;
        cache_tag_product(tags, id);
    }
    return 0;
}

static int read_left(struct str text, uint64_t now_ns, uint64_t *until_ns)
{
    uint64_t left;
    if (str_to_u64(text, &left) || left > UINT32_MAX)
        return ERR_INVALID;
    *until_ns = now_ns + left * MS_NS;
    return 0;
}

/* A word that is not known could narrow what the others say: then nothing is kept. */
static int read_one(struct str name, struct str value, uint64_t now_ns, uint64_t *ring,
                    struct cache_tags *tags)
{
    if (str_eq(name, STR("ring")))
        return hex_to_u64(value, ring);
    if (str_eq(name, STR("index")))
        return str_to_u64(value, &tags->index);
    if (str_eq(name, STR("round")))
        return str_to_u64(value, &tags->round);
    if (str_eq(name, STR("left")))
        return read_left(value, now_ns, &tags->until_ns);
    if (str_eq(name, STR("products")))
        return read_products(value, tags);
    tags->catalogue = true;
    return str_eq(name, STR("catalogue")) && !value.at ? 0 : ERR_INVALID;
}

int far_tags_read(struct str text, uint64_t now_ns, uint64_t *ring, struct cache_tags *tags)
{
    struct str rest = text, value, name;
    *ring = 0;
    *tags = (struct cache_tags){0};
    while (str_cut(&rest, ';', &value)) {
        value = str_trim(value);
        if (!str_cut(&value, '=', &name) || read_one(name, value, now_ns, ring, tags))
            return ERR_INVALID;
    }
    return *ring && tags->index ? 0 : ERR_INVALID;
}

/* ---- At the server ---- */

static enum far_origin misdirect(struct exchange *x)
{
    exchange_add_header(x, STR(CARRY_MISDIRECTED), STR("1"));
    exchange_add_header(x, STR("Cache-Control"), STR("no-store"));
    exchange_reply(x, 421, STR("text/plain; charset=utf-8"),
                   STR("This is not a server of the shop that is meant, or one that does not tell "
                       "its changes.\n"));
    return FAR_MISDIRECTED;
}

enum far_origin far_tags_take(struct exchange *x)
{
    const struct web *web = call_web(x);
    struct str rest = exchange_header(x, STR(FAR_HEADER)), key, scheme;
    if (!rest.at)
        return FAR_NONE;
    bool whole = str_cut(&rest, ' ', &key) && rest.at && str_cut(&rest, ' ', &scheme) && rest.at;
    if (!whole || !web->far_key[0] || key.len != FAR_KEY - 1 ||
        !sign_same(key.at, web->far_key, key.len))
        return misdirect(x);
    x->scheme = scheme;
    x->peer = rest;
    return FAR_THEIRS;
}

void far_tags_tell(struct exchange *x, const struct cache_tags *tags)
{
    struct buf text;
    if (x->query.len)
        return;
    buf_init(&text, FAR_TAGS_MAX);
    uint64_t ring = change_ring_number(call_web(x)->settings.changes);
    struct str value = STR_NONE;
    if (far_tags_write(&text, ring, tags, clock_mono_ns()))
        value = arena_str(&x->arena, buf_text(&text));
    buf_close(&text);
    if (value.at)
        exchange_add_header(x, STR(FAR_TAGS_HEADER), value);
}
