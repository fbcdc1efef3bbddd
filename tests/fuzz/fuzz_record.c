/* Records of carts, checkouts, orders and their events: what can be read can be written, and is
 * read the same again. The first byte says which of them the rest is taken for. */
#include "base/check.h"
#include "shop/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The record as it is written again, into OUT; false: it is none. */
static bool rewrite(unsigned kind, struct str record, struct arena *arena, struct buf *out)
{
    struct cart cart;
    struct checkout checkout;
    struct order order;
    struct order_event event;
    switch (kind) {
    case 0:
        if (record_read_cart(record, arena, &cart))
            return false;
        record_put_cart(out, &cart, RECORD_FULL);
        return true;
    case 1:
        if (record_read_checkout(record, arena, &checkout))
            return false;
        record_put_checkout(out, &checkout);
        return true;
    case 2:
        if (record_read_order(record, arena, &order))
            return false;
        record_put_order(out, &order);
        return true;
    case 3:
        if (record_read_order(record, arena, &order))
            return false;
        record_put_whole_order(out, &order);
        return true;
    default:
        if (record_read_event(record, arena, &event))
            return false;
        record_put_event(out, &event);
        return true;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena;
    struct buf once, twice;
    arena_init(&arena, 4 << 20);
    buf_init(&once, 4 << 20);
    buf_init(&twice, 4 << 20);
    unsigned kind = size > 0 ? data[0] % 5u : 0;
    struct str record = str_make(data + (size > 0), size > 0 ? size - 1 : 0);
    if (rewrite(kind, record, &arena, &once)) {
        CHECK(!once.failed);
        CHECK(rewrite(kind, buf_text(&once), &arena, &twice));
        CHECK(str_eq(buf_text(&once), buf_text(&twice)));
    }
    arena_close(&arena);
    buf_close(&once);
    buf_close(&twice);
    return 0;
}
