#include "shop/result.h"

#include "base/check.h"
#include "base/wire.h"
#include "shop/record.h"

enum { RESULT_VERSION = 1, REPLAYED_AT = 1 /* a byte of its own, right after the version */ };

static void put_head(struct buf *out, const struct result *result)
{
    wire_put_u64(out, RESULT_VERSION);
    wire_put_bool(out, result->replayed);
    wire_put_u64(out, (uint64_t)result->err);
    wire_put_str(out, result->text);
    wire_put_u64(out, result->kind);
}

void result_encode_with(struct buf *out, const struct result *result, struct str object)
{
    put_head(out, result);
    wire_put_raw(out, object.at, object.len);
}

void result_encode(struct buf *out, const struct result *result)
{
    CHECK(result->kind <= RESULT_NUMBER);
    put_head(out, result);
    switch (result->kind) {
    case RESULT_NONE:
        return;
    case RESULT_CART:
        record_put_cart(out, &result->cart, RECORD_FULL);
        return;
    case RESULT_CHECKOUT:
        record_put_checkout(out, &result->checkout);
        return;
    case RESULT_ORDER:
        record_put_whole_order(out, &result->order);
        return;
    case RESULT_NUMBER:
        wire_put_u64(out, result->number);
        return;
    }
}

void result_mark_replayed(char *record, size_t len)
{
    CHECK(len > REPLAYED_AT);
    record[REPLAYED_AT] = 1;
}

static int get_head(struct wire *in, struct result *result)
{
    *result = (struct result){0};
    uint64_t version = wire_u64_max(in, RESULT_VERSION);
    result->replayed = wire_bool(in);
    result->err = (int)wire_u64_max(in, ERR_COUNT - 1);
    result->text = wire_str(in);
    result->kind = (enum result_kind)wire_u64_max(in, RESULT_NUMBER);
    return in->bad || version == 0 ? ERR_INVALID : 0;
}

int result_err(struct str record, struct str *text)
{
    struct result result;
    struct wire in = wire_of(record);
    int err = get_head(&in, &result);
    *text = result.text;
    return err ? err : result.err;
}

int result_decode(struct arena *arena, struct str record, struct result *result)
{
    struct wire in = wire_of(record);
    if (get_head(&in, result))
        return ERR_INVALID;
    if (result->kind == RESULT_CART)
        record_get_cart(&in, arena, &result->cart);
    else if (result->kind == RESULT_CHECKOUT)
        record_get_checkout(&in, arena, &result->checkout);
    else if (result->kind == RESULT_ORDER)
        record_get_order(&in, arena, &result->order);
    else if (result->kind == RESULT_NUMBER)
        result->number = wire_u64(&in);
    return in.bad || wire_left(&in) > 0 ? ERR_INVALID : 0;
}
