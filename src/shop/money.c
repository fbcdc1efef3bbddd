#include "shop/money.h"

#include "base/check.h"
#include "base/err.h"
#include "shop/model.h"

unsigned money_digits(struct str currency)
{
    static const char none[][4] = {"BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG",
                                   "RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"};
    static const char three[][4] = {"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"};
    for (unsigned i = 0; i < COUNT_OF(none); i++)
        if (str_eq_nocase(currency, str_of(none[i])))
            return 0;
    for (unsigned i = 0; i < COUNT_OF(three); i++)
        if (str_eq_nocase(currency, str_of(three[i])))
            return 3;
    return 2;
}

int money_read(struct str text, unsigned digits, int64_t *amount)
{
    bool negative = text.len && text.at[0] == '-';
    if (negative)
        text = str_from(text, 1);
    ptrdiff_t point = str_find_byte(text, '.');
    struct str whole = point < 0 ? text : str_sub(text, 0, (size_t)point);
    struct str part = point < 0 ? STR("") : str_from(text, (size_t)point + 1);
    uint64_t sum;
    if (str_to_u64(whole, &sum) || sum > SHOP_MONEY_MAX || (point >= 0 && part.len == 0))
        return ERR_INVALID;
    for (size_t i = 0; i < part.len || i < digits; i++) {
        char c = i < part.len ? part.at[i] : '0';
        if (c < '0' || c > '9' || (i >= digits && c != '0'))
            return ERR_INVALID;
        if (i < digits)
            sum = sum * 10 + (uint64_t)(c - '0');
    }
    if (sum > SHOP_MONEY_MAX)
        return ERR_INVALID;
    *amount = negative ? -(int64_t)sum : (int64_t)sum;
    return 0;
}

void money_put(struct buf *out, int64_t amount, unsigned digits)
{
    uint64_t magnitude = amount < 0 ? 0 - (uint64_t)amount : (uint64_t)amount, factor = 1;
    for (unsigned i = 0; i < digits; i++)
        factor *= 10;
    buf_printf(out, "%s%llu", amount < 0 ? "-" : "", (unsigned long long)(magnitude / factor));
    if (digits)
        buf_printf(out, ".%0*llu", (int)digits, (unsigned long long)(magnitude % factor));
}
