#include "web/price.h"

#include "shop/money.h"

/* Symbols that are not mistaken for another currency's; all others show their code. */
static const struct {
    char code[4];
    const char *symbol;
} symbols[] = {
    {"EUR", "€"}, {"GBP", "£"}, {"USD", "$"}, {"JPY", "¥"}, {"KRW", "₩"}, {"INR", "₹"},
};

static struct str symbol_of(struct arena *arena, struct str currency)
{
    for (unsigned i = 0; i < sizeof symbols / sizeof *symbols; i++)
        if (str_eq(currency, str_of(symbols[i].code)))
            return str_of(symbols[i].symbol);
    return arena_printf(arena, "%.*s\u00a0", STR_FMT(currency));
}

struct str price_plain(struct arena *arena, int64_t amount, struct str currency)
{
    struct buf text;
    buf_init(&text, 64);
    money_put(&text, amount, money_digits(currency));
    struct str copy = arena_str(arena, buf_text(&text));
    buf_close(&text);
    return copy;
}

struct str price_text(struct arena *arena, int64_t amount, struct str currency)
{
    struct str plain = price_plain(arena, amount, currency);
    const char *sign = str_starts(plain, STR("-")) ? "−" : "";
    plain = str_from(plain, *sign ? 1 : 0);
    ptrdiff_t point = str_find_byte(plain, '.');
    size_t whole = point < 0 ? plain.len : (size_t)point;

    char grouped[64];
    size_t len = 0;
    for (size_t i = 0; i < plain.len && len + 2 < sizeof grouped; i++) {
        if (i && i < whole && (whole - i) % 3 == 0)
            grouped[len++] = ',';
        grouped[len++] = plain.at[i];
    }
    return arena_printf(arena, "%s%.*s%.*s", sign, STR_FMT(symbol_of(arena, currency)), (int)len,
                        grouped);
}
