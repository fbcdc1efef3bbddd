#include "web/importance.h"

#include "base/check.h"

/* The first segment of a path. */
struct row {
    struct str segment;
    enum share_class class;
};

enum share_class importance_of(const struct exchange *x)
{
    const struct row rows[] = {
        {STR("admin"), SHARE_OPERATOR},
        {STR("api"), SHARE_OPERATOR},
        {STR("metrics"), SHARE_OPERATOR},
        {STR("healthz"), SHARE_OPERATOR},
        {STR("livez"), SHARE_OPERATOR},
        {STR("checkout"), SHARE_BUYS},
        {STR("order"), SHARE_BUYS},
        {STR("orders"), SHARE_BUYS},
        {STR("cart"), SHARE_CARTS},
        {STR("carts"), SHARE_CARTS},
        {STR("checkout-sessions"), SHARE_BUYS},
    };
    struct str rest = x->path, segment;
    if (!str_cut(&rest, '/', &segment) || !str_cut(&rest, '/', &segment))
        return SHARE_PAGES;
    for (unsigned i = 0; i < COUNT_OF(rows); i++)
        if (str_eq(segment, rows[i].segment))
            return rows[i].class;
    return SHARE_PAGES;
}
