#include "shop/defaults.h"

#include "base/check.h"

struct rate_row {
    const char *key, *country, *level, *title, *description;
    int64_t price;
};

static const struct rate_row rates[] = {
    {"std-ship", "default", "standard", "Standard Shipping", "Arrives in 4 to 7 days", 500},
    {"exp-ship-us", "US", "express", "Express Shipping (US)", "Arrives in 2 days", 1500},
    {"exp-ship-intl", "default", "express", "International Express", "Arrives in 3 to 5 days",
     2500},
};

struct discount_row {
    const char *key, *code, *title;
    enum discount_type type;
    int64_t value, min_subtotal;
};

static const struct discount_row discounts[] = {
    {"10OFF", "10OFF", "10% Off", DISCOUNT_PERCENT, 1000, 0},
    {"WELCOME20", "WELCOME20", "20% Off", DISCOUNT_PERCENT, 2000, 0},
    {"FIXED500", "FIXED500", "$5.00 Off", DISCOUNT_FIXED, 500, 0},
    {"auto-free-shipping", "", "Free Shipping on orders over $100", DISCOUNT_FREE_SHIPPING, 0,
     10000},
};

struct tax_row {
    const char *country, *region, *title;
    int64_t ppm;
    bool included, on_shipping;
};

/* State rates without those of counties and cities; general VAT rates of 2026. */
static const struct tax_row taxes[] = {
    {"US", "CA", "Sales tax", 72500, false, false}, {"US", "FL", "Sales tax", 60000, false, false},
    {"US", "IL", "Sales tax", 62500, false, false}, {"US", "KS", "Sales tax", 65000, false, false},
    {"US", "NY", "Sales tax", 40000, false, true},  {"US", "TX", "Sales tax", 62500, false, true},
    {"US", "WA", "Sales tax", 65000, false, true},  {"DE", "", "VAT", 190000, true, true},
    {"FR", "", "VAT", 200000, true, true},          {"IT", "", "VAT", 220000, true, true},
    {"ES", "", "VAT", 210000, true, true},          {"NL", "", "VAT", 210000, true, true},
    {"GB", "", "VAT", 200000, true, true},
};

unsigned defaults_count(void)
{
    return (unsigned)(COUNT_OF(rates) + COUNT_OF(discounts) + COUNT_OF(taxes));
}

static void put_rate(const struct rate_row *row, struct command *command)
{
    command->type = COMMAND_SHIPPING_RATE_PUT;
    command->rate = (struct shipping_rate){
        .key = str_of(row->key),
        .country = str_of(row->country),
        .level = str_of(row->level),
        .title = str_of(row->title),
        .description = str_of(row->description),
        .price = row->price,
        .enabled = true,
    };
}

static void put_discount(const struct discount_row *row, struct command *command)
{
    command->type = COMMAND_DISCOUNT_PUT;
    command->discount = (struct discount){
        .key = str_of(row->key),
        .code = str_of(row->code),
        .title = str_of(row->title),
        .type = row->type,
        .value = row->value,
        .min_subtotal = row->min_subtotal,
        .enabled = true,
    };
}

static void put_tax(const struct tax_row *row, struct command *command)
{
    command->type = COMMAND_TAX_RATE_PUT;
    command->tax = (struct tax_rate){
        .country = str_of(row->country),
        .region = str_of(row->region),
        .title = str_of(row->title),
        .ppm = row->ppm,
        .included = row->included,
        .on_shipping = row->on_shipping,
    };
}

void defaults_command(unsigned at, struct command *command)
{
    *command = (struct command){0};
    if (at < COUNT_OF(rates)) {
        put_rate(&rates[at], command);
        return;
    }
    at -= (unsigned)COUNT_OF(rates);
    if (at < COUNT_OF(discounts)) {
        put_discount(&discounts[at], command);
        return;
    }
    at -= (unsigned)COUNT_OF(discounts);
    CHECK(at < COUNT_OF(taxes));
    put_tax(&taxes[at], command);
}
