#include "web/choice.h"

bool variant_sells(const struct variant *variant)
{
    return !variant->retired &&
           (!variant->tracked || variant->sell_when_out || variant->available > 0);
}

int choice_by_key(const struct product *product, struct str key)
{
    for (unsigned i = 0; i < product->variant_count; i++)
        if (str_eq(product->variants[i].key, key))
            return (int)i;
    return -1;
}

int choice_by_options(const struct product *product, const struct str options[SHOP_OPTIONS_MAX])
{
    for (unsigned i = 0; i < product->variant_count; i++) {
        bool same = true;
        for (unsigned axis = 0; axis < product->option_count && same; axis++)
            same = str_eq(product->variants[i].options[axis], options[axis]);
        if (same)
            return (int)i;
    }
    return -1;
}

int choice_default(const struct product *product)
{
    for (unsigned i = 0; i < product->variant_count; i++)
        if (variant_sells(&product->variants[i]))
            return (int)i;
    return product->variant_count ? 0 : -1;
}

bool choice_sells_with(const struct product *product, int chosen, unsigned axis, struct str value)
{
    struct str wanted[SHOP_OPTIONS_MAX];
    for (unsigned i = 0; i < SHOP_OPTIONS_MAX; i++)
        wanted[i] = product->variants[chosen].options[i];
    wanted[axis] = value;
    int found = choice_by_options(product, wanted);
    return found >= 0 && variant_sells(&product->variants[found]);
}
