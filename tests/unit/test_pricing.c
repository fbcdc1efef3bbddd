#include "base/arena.h"
#include "base/check.h"
#include "base/err.h"
#include "base/random.h"
#include "shop/message.h"
#include "shop/pricing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { NOW = 1000000 };

/* The flower shop of UCP's reference suite, and rules to try the rest with. */
static const struct discount discounts[] = {
    {.key = STR("10OFF"),
     .code = STR("10OFF"),
     .type = DISCOUNT_PERCENT,
     .value = 1000,
     .title = STR("10% Off"),
     .enabled = true},
    {.key = STR("BIGGER"),
     .code = STR("BIGGER"),
     .type = DISCOUNT_FIXED,
     .value = 1000,
     .min_subtotal = 8000,
     .enabled = true},
    {.key = STR("EARLY"),
     .code = STR("EARLY"),
     .type = DISCOUNT_PERCENT,
     .value = 5000,
     .starts_ms = NOW + 1,
     .enabled = true},
    {.key = STR("FIXED500"),
     .code = STR("FIXED500"),
     .type = DISCOUNT_FIXED,
     .value = 500,
     .enabled = true},
    {.key = STR("FREESHIP"),
     .code = STR("FREESHIP"),
     .type = DISCOUNT_FREE_SHIPPING,
     .title = STR("Free shipping"),
     .enabled = true},
    {.key = STR("HUGE"),
     .code = STR("HUGE"),
     .type = DISCOUNT_FIXED,
     .value = 1000000,
     .enabled = true},
    {.key = STR("LATE"),
     .code = STR("LATE"),
     .type = DISCOUNT_PERCENT,
     .value = 5000,
     .ends_ms = NOW,
     .enabled = true},
    {.key = STR("OFF"), .code = STR("OFF"), .type = DISCOUNT_PERCENT, .value = 5000},
    {.key = STR("POTS"),
     .code = STR("POTS"),
     .type = DISCOUNT_PERCENT,
     .value = 5000,
     .item_keys = {STR("pot_ceramic")},
     .item_count = 1,
     .enabled = true},
    {.key = STR("WELCOME20"),
     .code = STR("WELCOME20"),
     .type = DISCOUNT_PERCENT,
     .value = 2000,
     .title = STR("20% Off"),
     .enabled = true},
    {.key = STR("promo_1"),
     .type = DISCOUNT_FREE_SHIPPING,
     .min_subtotal = 10000,
     .title = STR("Free Shipping on orders over $100"),
     .enabled = true},
    {.key = STR("promo_2"),
     .type = DISCOUNT_FREE_SHIPPING,
     .item_keys = {STR("bouquet_roses")},
     .item_count = 1,
     .title = STR("Free Shipping on Rose Bouquets"),
     .enabled = true},
};

static const struct shipping_rate rates[] = {
    {.key = STR("exp-ship-intl"),
     .country = STR("default"),
     .level = STR("express"),
     .price = 2500,
     .title = STR("International Express"),
     .enabled = true},
    {.key = STR("exp-ship-us"),
     .country = STR("US"),
     .level = STR("express"),
     .price = 1500,
     .title = STR("Express Shipping (US)"),
     .enabled = true},
    {.key = STR("hi-ship"),
     .country = STR("US"),
     .region = STR("HI"),
     .level = STR("express"),
     .price = 4000,
     .title = STR("To the islands"),
     .enabled = true},
    {.key = STR("off-ship"), .country = STR("default"), .level = STR("standard"), .price = 1},
    {.key = STR("std-ship"),
     .country = STR("default"),
     .level = STR("standard"),
     .price = 500,
     .title = STR("Standard Shipping"),
     .enabled = true},
};

static const struct tax_rate taxes[] = {
    {.country = STR("DE"),
     .ppm = 190000,
     .included = true,
     .on_shipping = true,
     .title = STR("VAT")},
    {.country = STR("US"), .region = STR("NY"), .ppm = 88750, .on_shipping = true},
    {.country = STR("US"), .ppm = 50000},
};

struct goods {
    const char *key;
    int64_t price;
    uint32_t quantity;
};

/* One case, and what is expected. An amount that is not named is expected to be 0. */
struct story {
    const char *name;
    struct goods goods[4];
    const char *codes[4];
    const char *country, *region; /* NULL: nothing is shipped */
    const char *asked_rate;
    int64_t subtotal, items_discount, discount, fulfillment, tax, total;
    const char *rate;    /* the chosen one */
    const char *message; /* a code among the messages; NULL: there is none */
};

static const struct story stories[] = {
    {.name = "an empty basket costs nothing"},
    {.name = "one bouquet",
     .goods = {{"bouquet_tulips", 3000, 1}},
     .subtotal = 3000,
     .total = 3000},
    {.name = "lines add up",
     .goods = {{"bouquet_tulips", 3000, 2}, {"pot_ceramic", 1500, 3}},
     .subtotal = 10500,
     .total = 10500},
    {.name = "10 percent",
     .goods = {{"bouquet_roses", 3500, 1}},
     .codes = {"10OFF"},
     .subtotal = 3500,
     .items_discount = -350,
     .total = 3150},
    {.name = "codes do not mind case",
     .goods = {{"bouquet_roses", 3500, 1}},
     .codes = {"10oFf"},
     .subtotal = 3500,
     .items_discount = -350,
     .total = 3150},
    {.name = "20 percent of what 10 percent have left",
     .goods = {{"bouquet_roses", 3500, 1}},
     .codes = {"10OFF", "WELCOME20"},
     .subtotal = 3500,
     .items_discount = -980,
     .total = 2520},
    {.name = "a fixed amount",
     .goods = {{"bouquet_roses", 3500, 1}},
     .codes = {"FIXED500"},
     .subtotal = 3500,
     .items_discount = -500,
     .total = 3000},
    {.name = "a fixed amount never goes below zero",
     .goods = {{"pot_ceramic", 1500, 1}},
     .codes = {"HUGE"},
     .subtotal = 1500,
     .items_discount = -1500,
     .total = 0},
    {.name = "a code after all is taken",
     .goods = {{"pot_ceramic", 1500, 1}},
     .codes = {"HUGE", "10OFF"},
     .subtotal = 1500,
     .items_discount = -1500,
     .total = 0,
     .message = "discount_code_combination_disallowed"},
    {.name = "the same code twice",
     .goods = {{"bouquet_roses", 3500, 1}},
     .codes = {"10OFF", "10off"},
     .subtotal = 3500,
     .items_discount = -350,
     .total = 3150,
     .message = "discount_code_already_applied"},
    {.name = "an unknown code",
     .goods = {{"bouquet_roses", 3500, 1}},
     .codes = {"10OFF", "INVALID_CODE"},
     .subtotal = 3500,
     .items_discount = -350,
     .total = 3150,
     .message = "discount_code_invalid"},
    {.name = "an expired code",
     .goods = {{"pot_ceramic", 1500, 1}},
     .codes = {"LATE"},
     .subtotal = 1500,
     .total = 1500,
     .message = "discount_code_expired"},
    {.name = "a code before its time",
     .goods = {{"pot_ceramic", 1500, 1}},
     .codes = {"EARLY"},
     .subtotal = 1500,
     .total = 1500,
     .message = "discount_code_invalid"},
    {.name = "a code switched off",
     .goods = {{"pot_ceramic", 1500, 1}},
     .codes = {"OFF"},
     .subtotal = 1500,
     .total = 1500,
     .message = "discount_code_invalid"},
    {.name = "a code below its minimum",
     .goods = {{"pot_ceramic", 1500, 5}},
     .codes = {"BIGGER"},
     .subtotal = 7500,
     .total = 7500,
     .message = "discount_code_user_ineligible"},
    {.name = "a code at its minimum",
     .goods = {{"pot_ceramic", 2000, 4}},
     .codes = {"BIGGER"},
     .subtotal = 8000,
     .items_discount = -1000,
     .total = 7000},
    {.name = "the minimum counts before discounts",
     .goods = {{"pot_ceramic", 2000, 4}},
     .codes = {"10OFF", "BIGGER"},
     .subtotal = 8000,
     .items_discount = -1800,
     .total = 6200},
    {.name = "a code for some items",
     .goods = {{"bouquet_tulips", 3000, 1}, {"pot_ceramic", 1501, 1}},
     .codes = {"POTS"},
     .subtotal = 4501,
     .items_discount = -751,
     .total = 3750},
    {.name = "a code for items that are not there",
     .goods = {{"bouquet_tulips", 3000, 1}},
     .codes = {"POTS"},
     .subtotal = 3000,
     .total = 3000,
     .message = "discount_code_user_ineligible"},
    {.name = "half a cent is rounded away from zero",
     .goods = {{"card", 5, 1}},
     .codes = {"10OFF"},
     .subtotal = 5,
     .items_discount = -1,
     .total = 4},

    {.name = "the cheapest rate is taken",
     .goods = {{"bouquet_tulips", 3000, 1}},
     .country = "CA",
     .subtotal = 3000,
     .fulfillment = 500,
     .total = 3500,
     .rate = "std-ship"},
    {.name = "country before default",
     .goods = {{"bouquet_tulips", 3000, 1}},
     .country = "us",
     .asked_rate = "exp-ship-us",
     .subtotal = 3000,
     .fulfillment = 1500,
     .tax = 150,
     .total = 4650,
     .rate = "exp-ship-us"},
    {.name = "region before country",
     .goods = {{"bouquet_tulips", 3000, 1}},
     .country = "US",
     .region = "hi",
     .asked_rate = "hi-ship",
     .subtotal = 3000,
     .fulfillment = 4000,
     .tax = 150,
     .total = 7150,
     .rate = "hi-ship"},
    {.name = "a rate that is not offered there",
     .goods = {{"bouquet_tulips", 3000, 1}},
     .country = "CA",
     .asked_rate = "exp-ship-us",
     .subtotal = 3000,
     .fulfillment = 500,
     .total = 3500,
     .rate = "std-ship",
     .message = "fulfillment_changed"},
    {.name = "shipping is free above 100",
     .goods = {{"bouquet_tulips", 3000, 4}},
     .country = "CA",
     .subtotal = 12000,
     .discount = -500,
     .fulfillment = 500,
     .total = 12000,
     .rate = "std-ship"},
    {.name = "shipping is free at 100",
     .goods = {{"bouquet_tulips", 2500, 4}},
     .country = "CA",
     .subtotal = 10000,
     .discount = -500,
     .fulfillment = 500,
     .total = 10000,
     .rate = "std-ship"},
    {.name = "shipping is free with roses",
     .goods = {{"bouquet_roses", 3500, 1}},
     .country = "CA",
     .subtotal = 3500,
     .discount = -500,
     .fulfillment = 500,
     .total = 3500,
     .rate = "std-ship"},
    {.name = "free shipping leaves express as it is",
     .goods = {{"bouquet_roses", 3500, 1}},
     .country = "CA",
     .asked_rate = "exp-ship-intl",
     .subtotal = 3500,
     .fulfillment = 2500,
     .total = 6000,
     .rate = "exp-ship-intl"},
    {.name = "free shipping by code",
     .goods = {{"pot_ceramic", 1500, 1}},
     .codes = {"freeship"},
     .country = "CA",
     .subtotal = 1500,
     .discount = -500,
     .fulfillment = 500,
     .total = 1500,
     .rate = "std-ship"},
    {.name = "free shipping by code where it is free",
     .goods = {{"bouquet_roses", 3500, 1}},
     .codes = {"FREESHIP"},
     .country = "CA",
     .subtotal = 3500,
     .discount = -500,
     .fulfillment = 500,
     .total = 3500,
     .rate = "std-ship",
     .message = "discount_code_combination_disallowed"},

    {.name = "tax of the region, on shipping too",
     .goods = {{"bouquet_tulips", 3000, 1}},
     .country = "US",
     .region = "NY",
     .subtotal = 3000,
     .fulfillment = 500,
     .tax = 311,
     .total = 3811,
     .rate = "std-ship"},
    {.name = "tax is on what discounts leave",
     .goods = {{"bouquet_tulips", 3000, 1}},
     .codes = {"10OFF"},
     .country = "US",
     .subtotal = 3000,
     .items_discount = -300,
     .fulfillment = 500,
     .tax = 135,
     .total = 3335,
     .rate = "std-ship"},
    {.name = "tax of the country elsewhere in it",
     .goods = {{"bouquet_tulips", 3000, 1}},
     .country = "US",
     .region = "KS",
     .subtotal = 3000,
     .fulfillment = 500,
     .tax = 150,
     .total = 3650,
     .rate = "std-ship"},
    {.name = "tax that prices contain is not added",
     .goods = {{"bouquet_tulips", 3000, 1}},
     .country = "DE",
     .subtotal = 3000,
     .fulfillment = 500,
     .tax = 559,
     .total = 3500,
     .rate = "std-ship"},
    {.name = "above what can be sold at once",
     .goods = {{"yacht", SHOP_MONEY_MAX, SHOP_QUANTITY_MAX}},
     .subtotal = SHOP_MONEY_MAX * SHOP_QUANTITY_MAX,
     .total = SHOP_MONEY_MAX * SHOP_QUANTITY_MAX,
     .message = "total_too_high"},
};

static const struct pricing_rules rules = {discounts,           rates,           taxes,
                                           COUNT_OF(discounts), COUNT_OF(rates), COUNT_OF(taxes)};

static void fill(struct basket *basket, struct line *lines, const struct story *story)
{
    basket->lines = lines;
    for (unsigned i = 0; i < COUNT_OF(story->goods) && story->goods[i].key; i++) {
        lines[i] = (struct line){.line_id = i + 1,
                                 .variant_id = i + 1,
                                 .item_key = str_of(story->goods[i].key),
                                 .handle = str_of(story->goods[i].key),
                                 .quantity = story->goods[i].quantity,
                                 .unit_price = story->goods[i].price,
                                 .taxable = true};
        basket->line_count++;
    }
    for (unsigned i = 0; i < COUNT_OF(story->codes) && story->codes[i]; i++)
        basket->codes[basket->code_count++] = str_of(story->codes[i]);
}

/* What UCP asks of totals, and what keeps our own books. */
static void totals_add_up(const struct basket *basket)
{
    int64_t sum = 0, items_discount = 0, line_discounts = 0, applied = 0;
    unsigned subtotals = 0, totals = 0;
    for (unsigned i = 0; i < basket->total_count; i++) {
        const struct total *total = &basket->totals[i];
        subtotals += total->type == TOTAL_SUBTOTAL;
        totals += total->type == TOTAL_TOTAL;
        sum += total->type == TOTAL_TOTAL || total->included ? 0 : total->amount;
        if (total->type == TOTAL_ITEMS_DISCOUNT || total->type == TOTAL_DISCOUNT)
            assert_true(total->amount < 0);
        if (total->type == TOTAL_ITEMS_DISCOUNT)
            items_discount += total->amount;
    }
    assert_int_equal(subtotals, 1);
    assert_int_equal(totals, 1);
    assert_int_equal(basket->totals[basket->total_count - 1].type, TOTAL_TOTAL);
    assert_true(sum == basket_total(basket, TOTAL_TOTAL));
    for (unsigned i = 0; i < basket->line_count; i++) {
        const struct line *line = &basket->lines[i];
        assert_true(line->discount >= 0 && line->discount <= line->subtotal && line->tax >= 0);
        assert_true(line->total == line->subtotal - line->discount);
        line_discounts += line->discount;
    }
    assert_true(items_discount == -line_discounts);
    for (unsigned i = 0; i < basket->applied_count; i++) {
        const struct discount_applied *one = &basket->applied[i];
        int64_t parts = 0;
        for (unsigned j = 0; j < one->part_count; j++)
            parts += one->parts[j];
        assert_true(one->on_shipping || parts == one->amount);
        applied += one->amount;
    }
    assert_true(applied == line_discounts - basket_total(basket, TOTAL_DISCOUNT));
}

static void check_story(const struct story *story)
{
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct line lines[4];
    struct basket basket = {0};
    fill(&basket, lines, story);
    struct shipping_rate offered[SHOP_RATES_MAX];
    struct pricing_shipping shipping = {
        .asked = str_of(story->asked_rate), .rates = offered, .chosen = -1};
    int err = pricing_basket(&arena, &rules, NOW, str_of(story->country), str_of(story->region),
                             story->country ? &shipping : NULL, &basket);
    assert_int_equal(err, ERR_OK);
    totals_add_up(&basket);
    if (basket_total(&basket, TOTAL_TOTAL) != story->total)
        print_error("%s: total %lld\n", story->name, (long long)basket_total(&basket, TOTAL_TOTAL));
    assert_int_equal(basket_total(&basket, TOTAL_SUBTOTAL), story->subtotal);
    assert_int_equal(basket_total(&basket, TOTAL_ITEMS_DISCOUNT), story->items_discount);
    assert_int_equal(basket_total(&basket, TOTAL_DISCOUNT), story->discount);
    assert_int_equal(basket_total(&basket, TOTAL_FULFILLMENT), story->fulfillment);
    assert_int_equal(basket_total(&basket, TOTAL_TAX), story->tax);
    assert_int_equal(basket_total(&basket, TOTAL_TOTAL), story->total);
    if (story->rate)
        assert_true(str_eq(offered[shipping.chosen].key, str_of(story->rate)));
    if (story->message && !message_has(&basket, str_of(story->message)))
        fail_msg("%s: no message %s", story->name, story->message);
    assert_int_equal(basket.message_count, story->message ? 1 : 0);
    arena_close(&arena);
}

static void a_basket_costs_what_its_story_says(void **state)
{
    (void)state;
    for (unsigned i = 0; i < COUNT_OF(stories); i++)
        check_story(&stories[i]);
}

static void free_shipping_shows_in_the_option(void **state)
{
    (void)state;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    struct line lines[4];
    struct basket basket = {0};
    fill(&basket, lines, &(struct story){.goods = {{"bouquet_roses", 3500, 1}}});
    struct shipping_rate offered[SHOP_RATES_MAX];
    struct pricing_shipping shipping = {.rates = offered};
    assert_int_equal(pricing_basket(&arena, &rules, NOW, STR("CA"), STR(""), &shipping, &basket),
                     ERR_OK);
    assert_int_equal(shipping.rate_count, 2);
    assert_true(str_eq(offered[0].title, STR("Free Standard Shipping")));
    assert_int_equal(offered[0].price, 0);
    assert_int_equal(offered[0].full_price, 500);
    assert_int_equal(offered[1].price, 2500);
    arena_close(&arena);
}

static void parts_add_up_and_stay_within_one_of_their_share(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 1);
    for (unsigned round = 0; round < 2000; round++) {
        int64_t weights[SHOP_LINES_MAX], parts[SHOP_LINES_MAX], whole = 0, sum = 0;
        unsigned count = 1 + (unsigned)random_below(&random, SHOP_LINES_MAX);
        for (unsigned i = 0; i < count; i++) {
            weights[i] = (int64_t)random_below(&random, round % 2 ? 5 : 1000000000000);
            whole += weights[i];
        }
        int64_t amount = (int64_t)random_below(&random, (uint64_t)whole + 1);
        pricing_allot(amount, weights, count, parts);
        for (unsigned i = 0; i < count; i++) {
            double share = whole ? (double)amount * (double)weights[i] / (double)whole : 0;
            double off = (double)parts[i] - share;
            assert_true(off > -1.01 && off < 1.01 && parts[i] <= weights[i]);
            sum += parts[i];
        }
        assert_true(sum == (whole ? amount : 0));
    }
}

static void shares_are_rounded_half_away_from_zero(void **state)
{
    (void)state;
    assert_int_equal(pricing_share(5, 1, 2), 3);
    assert_int_equal(pricing_share(-5, 1, 2), -3);
    assert_int_equal(pricing_share(4, 1, 3), 1);
    assert_int_equal(pricing_share(5, 1, 3), 2);
    assert_int_equal(pricing_share(0, 7, 9), 0);
    /* Nothing in between overflows. */
    assert_true(pricing_share(INT64_MAX / 2, 1000000, 1000000) == INT64_MAX / 2);
}

static void random_baskets_add_up(void **state)
{
    (void)state;
    struct random random;
    random_seed(&random, 7);
    static const char *const places[] = {"US", "DE", "CA", ""};
    for (unsigned round = 0; round < 5000; round++) {
        struct arena arena;
        arena_init(&arena, 1 << 20);
        struct line lines[SHOP_LINES_MAX] = {{0}};
        struct basket basket = {.lines = lines};
        basket.line_count = (unsigned)random_below(&random, SHOP_LINES_MAX + 1);
        for (unsigned i = 0; i < basket.line_count; i++)
            lines[i] = (struct line){.variant_id = 1 + random_below(&random, 5),
                                     .item_key = STR("pot_ceramic"),
                                     .handle = STR("pot_ceramic"),
                                     .quantity = 1 + (uint32_t)random_below(&random, 10000),
                                     .unit_price = (int64_t)random_below(&random, 100000),
                                     .taxable = random_below(&random, 4) > 0};
        basket.code_count = (unsigned)random_below(&random, SHOP_CODES_MAX + 1);
        for (unsigned i = 0; i < basket.code_count; i++)
            basket.codes[i] = discounts[random_below(&random, 10)].code;
        struct shipping_rate offered[SHOP_RATES_MAX];
        struct pricing_shipping shipping = {.rates = offered};
        struct str place = str_of(places[random_below(&random, COUNT_OF(places))]);
        int err = pricing_basket(&arena, &rules, NOW, place, STR("NY"),
                                 random_below(&random, 2) ? &shipping : NULL, &basket);
        assert_int_equal(err, ERR_OK);
        totals_add_up(&basket);
        arena_close(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_basket_costs_what_its_story_says),
        cmocka_unit_test(free_shipping_shows_in_the_option),
        cmocka_unit_test(parts_add_up_and_stay_within_one_of_their_share),
        cmocka_unit_test(shares_are_rounded_half_away_from_zero),
        cmocka_unit_test(random_baskets_add_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
