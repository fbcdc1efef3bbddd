#include "shop/pricing.h"

#include "base/err.h"
#include "shop/message.h"

__extension__ typedef __int128 wide;

enum { PERCENT_WHOLE = 10000, PPM_WHOLE = 1000000 };

/* One run over one basket. */
struct run {
    struct arena *arena;
    const struct pricing_rules *rules;
    struct basket *basket;
    int64_t now_ms;
    int64_t subtotal;
    const struct discount *free_shipping; /* the rule that makes shipping free, or NULL */
    int64_t left[SHOP_LINES_MAX];         /* of each line, after the discounts so far */
};

/* ---- Arithmetic ---- */

int64_t pricing_share(int64_t amount, int64_t numerator, int64_t denominator)
{
    wide product = (wide)amount * numerator;
    wide half = denominator / 2;
    /* For an odd denominator there is no exact half, so that truncating it is harmless. */
    return (int64_t)((product >= 0 ? product + half : product - half) / denominator);
}

void pricing_allot(int64_t amount, const int64_t *weights, unsigned count, int64_t *parts)
{
    int64_t whole = 0;
    for (unsigned i = 0; i < count; i++)
        whole += weights[i];
    int64_t rest = whole > 0 ? amount : 0;
    for (unsigned i = 0; i < count; i++) {
        parts[i] = whole > 0 ? (int64_t)((wide)amount * weights[i] / whole) : 0;
        rest -= parts[i];
    }
    /* What truncation left is less than one unit a part: the largest remainders get it. */
    bool taken[SHOP_LINES_MAX + 1] = {false};
    while (rest-- > 0) {
        unsigned best = count;
        int64_t best_remainder = -1;
        for (unsigned i = 0; i < count; i++) {
            int64_t remainder = (int64_t)((wide)amount * weights[i] % whole);
            if (!taken[i] && remainder > best_remainder) {
                best = i;
                best_remainder = remainder;
            }
        }
        taken[best] = true;
        parts[best]++;
    }
}

/* ---- Discounts ---- */

static bool names_line(const struct discount *rule, const struct line *line)
{
    if (line->variant_id == 0)
        return false;
    for (unsigned i = 0; i < rule->item_count; i++)
        if (str_eq(rule->item_keys[i], line->item_key) || str_eq(rule->item_keys[i], line->handle))
            return true;
    return rule->item_count == 0;
}

static bool names_any_line(const struct discount *rule, const struct basket *basket)
{
    for (unsigned i = 0; i < basket->line_count; i++)
        if (names_line(rule, &basket->lines[i]))
            return true;
    return false;
}

static bool in_time(const struct discount *rule, int64_t now_ms)
{
    return rule->enabled && (rule->starts_ms == 0 || rule->starts_ms <= now_ms) &&
           (rule->ends_ms == 0 || now_ms < rule->ends_ms);
}

static bool fits(const struct run *run, const struct discount *rule)
{
    return run->subtotal >= rule->min_subtotal && names_any_line(rule, run->basket);
}

static struct discount_applied *new_applied(struct run *run, const struct discount *rule)
{
    /* The last place is for free shipping. */
    unsigned max = rule->type == DISCOUNT_FREE_SHIPPING ? SHOP_APPLIED_MAX : SHOP_APPLIED_MAX - 1;
    if (run->basket->applied_count >= max)
        return NULL;
    struct discount_applied *applied = &run->basket->applied[run->basket->applied_count++];
    *applied = (struct discount_applied){
        .key = rule->key,
        .code = rule->code,
        .title = rule->title.len > 0 ? rule->title : rule->code,
        .automatic = rule->code.len == 0,
        .on_shipping = rule->type == DISCOUNT_FREE_SHIPPING,
        .percent = rule->type == DISCOUNT_PERCENT,
    };
    return applied;
}

/* Takes RULE off the lines; how much that was in *TAKEN, 0 when nothing was left to take. */
static int take_off_lines(struct run *run, const struct discount *rule, int64_t *taken)
{
    struct basket *basket = run->basket;
    int64_t weights[SHOP_LINES_MAX] = {0};
    int64_t base = 0;
    for (unsigned i = 0; i < basket->line_count; i++) {
        weights[i] = names_line(rule, &basket->lines[i]) ? run->left[i] : 0;
        base += weights[i];
    }
    int64_t amount = rule->type == DISCOUNT_PERCENT
                         ? pricing_share(base, rule->value, PERCENT_WHOLE)
                         : rule->value;
    amount = amount < 0 ? 0 : amount > base ? base : amount;
    *taken = 0;
    if (amount == 0)
        return ERR_OK;
    int64_t *parts = ARENA_ARRAY(run->arena, int64_t, basket->line_count);
    if (!parts)
        return ERR_NOMEM;
    struct discount_applied *applied = new_applied(run, rule);
    if (!applied)
        return ERR_OK;
    pricing_allot(amount, weights, basket->line_count, parts);
    for (unsigned i = 0; i < basket->line_count; i++) {
        run->left[i] -= parts[i];
        basket->lines[i].discount += parts[i];
    }
    applied->amount = *taken = amount;
    applied->parts = parts;
    applied->part_count = basket->line_count;
    return ERR_OK;
}

static const struct discount *find_code(const struct pricing_rules *rules, struct str code)
{
    for (unsigned i = 0; i < rules->discount_count; i++)
        if (rules->discounts[i].code.len > 0 && str_eq_nocase(rules->discounts[i].code, code))
            return &rules->discounts[i];
    return NULL;
}

static bool given_before(const struct basket *basket, unsigned code)
{
    for (unsigned i = 0; i < code; i++)
        if (str_eq_nocase(basket->codes[i], basket->codes[code]))
            return true;
    return false;
}

static void reject(struct run *run, unsigned index, struct str code, const char *why)
{
    struct str asked = str_clip_utf8(run->basket->codes[index], 64);
    message_warning(run->basket, run->arena, code,
                    arena_printf(run->arena, "$.discounts.codes[%u]", index),
                    "The code \"%.*s\" %s.", STR_FMT(asked), why);
}

/* The rule of code INDEX, or NULL after a message that says why it does not count. */
static const struct discount *usable_code(struct run *run, unsigned index)
{
    const struct discount *rule = find_code(run->rules, run->basket->codes[index]);
    if (given_before(run->basket, index))
        reject(run, index, STR("discount_code_already_applied"), "is given twice; it counts once");
    else if (rule && rule->enabled && rule->ends_ms != 0 && run->now_ms >= rule->ends_ms)
        reject(run, index, STR("discount_code_expired"), "has expired");
    else if (!rule || !in_time(rule, run->now_ms))
        reject(run, index, STR("discount_code_invalid"), "is not valid; check how it is written");
    else if (!names_any_line(rule, run->basket))
        reject(run, index, STR("discount_code_user_ineligible"), "is not for what is in here");
    else if (!fits(run, rule))
        reject(run, index, STR("discount_code_user_ineligible"), "needs a higher subtotal");
    else
        return rule;
    return NULL;
}

static int discount_goods(struct run *run, const struct discount **shipping_code,
                          unsigned *shipping_index)
{
    int64_t taken;
    int err = ERR_OK;
    for (unsigned i = 0; i < run->rules->discount_count && !err; i++) {
        const struct discount *rule = &run->rules->discounts[i];
        if (rule->code.len == 0 && rule->type != DISCOUNT_FREE_SHIPPING &&
            in_time(rule, run->now_ms) && fits(run, rule))
            err = take_off_lines(run, rule, &taken);
    }
    for (unsigned i = 0; i < run->basket->code_count && !err; i++) {
        const struct discount *rule = usable_code(run, i);
        if (!rule)
            continue;
        if (rule->type == DISCOUNT_FREE_SHIPPING) {
            if (*shipping_code) {
                reject(run, i, STR("discount_code_combination_disallowed"),
                       "adds nothing: shipping is free already");
            } else {
                *shipping_code = rule;
                *shipping_index = i;
            }
            continue;
        }
        err = take_off_lines(run, rule, &taken);
        if (!err && taken == 0)
            reject(run, i, STR("discount_code_combination_disallowed"),
                   "adds nothing to the other discounts");
    }
    return err;
}

/* ---- Shipping ---- */

/* How well a rule for COUNTRY and REGION fits a place: 0 not, 1 default, 2 country, 3 region. */
static unsigned fit(struct str country, struct str region, struct str place,
                    struct str place_region)
{
    if (str_eq_nocase(country, STR("default")))
        return 1;
    if (place.len == 0 || !str_eq_nocase(country, place))
        return 0;
    if (region.len == 0)
        return 2;
    return str_eq_nocase(region, place_region) ? 3 : 0;
}

static bool rate_before(const struct shipping_rate *a, const struct shipping_rate *b)
{
    return a->price != b->price ? a->price < b->price : str_compare(a->key, b->key) < 0;
}

/* Keeps at most SHOP_RATES_MAX, the cheapest, in order. */
static void offer(struct pricing_shipping *shipping, const struct shipping_rate *rate)
{
    unsigned at = shipping->rate_count;
    while (at > 0 && rate_before(rate, &shipping->rates[at - 1]))
        at--;
    if (at == SHOP_RATES_MAX)
        return;
    if (shipping->rate_count < SHOP_RATES_MAX)
        shipping->rate_count++;
    for (unsigned i = shipping->rate_count - 1; i > at; i--)
        shipping->rates[i] = shipping->rates[i - 1];
    shipping->rates[at] = *rate;
    shipping->rates[at].full_price = rate->price;
}

static void offer_rates(const struct run *run, struct str country, struct str region,
                        struct pricing_shipping *shipping)
{
    const struct pricing_rules *rules = run->rules;
    shipping->rate_count = 0;
    for (unsigned i = 0; i < rules->rate_count; i++) {
        const struct shipping_rate *rate = &rules->rates[i];
        unsigned fits_by = rate->enabled ? fit(rate->country, rate->region, country, region) : 0;
        for (unsigned j = 0; j < rules->rate_count && fits_by > 0; j++) {
            const struct shipping_rate *other = &rules->rates[j];
            if (other->enabled && str_eq_nocase(other->level, rate->level) &&
                fit(other->country, other->region, country, region) > fits_by)
                fits_by = 0;
        }
        if (fits_by > 0)
            offer(shipping, rate);
    }
}

/* The free shipping that counts: an automatic one before a code, as it costs no code. */
static const struct discount *find_free_shipping(const struct run *run, const struct discount *code)
{
    for (unsigned i = 0; i < run->rules->discount_count; i++) {
        const struct discount *rule = &run->rules->discounts[i];
        if (rule->code.len == 0 && rule->type == DISCOUNT_FREE_SHIPPING &&
            in_time(rule, run->now_ms) && fits(run, rule))
            return rule;
    }
    return code;
}

static void make_free(struct run *run, struct pricing_shipping *shipping)
{
    bool standard = false;
    for (unsigned i = 0; i < shipping->rate_count; i++)
        standard = standard || str_eq_nocase(shipping->rates[i].level, STR("standard"));
    for (unsigned i = 0; i < shipping->rate_count; i++) {
        struct shipping_rate *rate = &shipping->rates[i];
        bool free = standard ? str_eq_nocase(rate->level, STR("standard")) : i == 0;
        if (!free || rate->price == 0)
            continue;
        rate->price = 0;
        rate->title = arena_printf(run->arena, "Free %.*s", STR_FMT(rate->title));
    }
}

static void choose(struct run *run, struct pricing_shipping *shipping)
{
    shipping->chosen = -1;
    for (unsigned i = 0; i < shipping->rate_count; i++) {
        if (str_eq(shipping->rates[i].key, shipping->asked))
            shipping->chosen = (int)i;
    }
    if (shipping->chosen >= 0 || shipping->rate_count == 0)
        return;
    shipping->chosen = 0;
    for (unsigned i = 1; i < shipping->rate_count; i++)
        if (shipping->rates[i].price < shipping->rates[shipping->chosen].price)
            shipping->chosen = (int)i;
    if (shipping->asked.len > 0)
        message_warning(run->basket, run->arena, STR("fulfillment_changed"),
                        STR("$.fulfillment.methods[0].groups[0].selected_option_id"),
                        "The shipping option asked for is not offered there; %.*s was taken.",
                        STR_FMT(shipping->rates[shipping->chosen].title));
}

static void price_shipping(struct run *run, struct str country, struct str region,
                           const struct discount *code, unsigned code_index,
                           struct pricing_shipping *shipping)
{
    const struct discount *rule = find_free_shipping(run, code);
    if (code && rule != code)
        reject(run, code_index, STR("discount_code_combination_disallowed"),
               "adds nothing: shipping is free already");
    run->free_shipping = rule;
    int64_t saved = 0;
    if (shipping) {
        offer_rates(run, country, region, shipping);
        if (rule)
            make_free(run, shipping);
        choose(run, shipping);
        if (shipping->chosen >= 0)
            saved = shipping->rates[shipping->chosen].full_price -
                    shipping->rates[shipping->chosen].price;
    }
    /* A code shows that it was taken even before there is something to save. */
    if (!rule || (saved == 0 && rule->code.len == 0))
        return;
    struct discount_applied *applied = new_applied(run, rule);
    if (applied)
        applied->amount = saved;
}

/* ---- Tax and totals ---- */

static const struct tax_rate *tax_of(const struct pricing_rules *rules, struct str country,
                                     struct str region)
{
    const struct tax_rate *best = NULL;
    unsigned best_fit = 0;
    for (unsigned i = 0; i < rules->tax_count; i++) {
        unsigned fits_by = fit(rules->taxes[i].country, rules->taxes[i].region, country, region);
        if (fits_by > best_fit) {
            best = &rules->taxes[i];
            best_fit = fits_by;
        }
    }
    return best;
}

/* The tax of the whole; each line's share of it goes into the line. SHIPPING: what is paid
 * for it. */
static int64_t tax_basket(const struct run *run, const struct tax_rate *tax, int64_t shipping)
{
    struct basket *basket = run->basket;
    int64_t bases[SHOP_LINES_MAX + 1], parts[SHOP_LINES_MAX + 1];
    unsigned count = basket->line_count;
    int64_t base = 0;
    for (unsigned i = 0; i < count; i++) {
        bases[i] = basket->lines[i].taxable ? run->left[i] : 0;
        base += bases[i];
    }
    bases[count] = tax->on_shipping ? shipping : 0;
    base += bases[count];
    int64_t ppm = tax->ppm < 0 ? 0 : tax->ppm > PPM_WHOLE ? PPM_WHOLE : tax->ppm;
    int64_t amount = pricing_share(base, ppm, tax->included ? PPM_WHOLE + ppm : PPM_WHOLE);
    pricing_allot(amount, bases, count + 1, parts);
    for (unsigned i = 0; i < count; i++)
        basket->lines[i].tax = parts[i];
    return amount;
}

static void add_total(struct basket *basket, enum total_type type, struct str text, int64_t amount)
{
    if (basket->total_count < SHOP_TOTALS_MAX)
        basket->totals[basket->total_count++] =
            (struct total){.type = type, .text = text, .amount = amount};
}

static void total_up(struct run *run, const struct tax_rate *tax,
                     const struct pricing_shipping *shipping)
{
    struct basket *basket = run->basket;
    const struct shipping_rate *rate =
        shipping && shipping->chosen >= 0 ? &shipping->rates[shipping->chosen] : NULL;
    int64_t off_goods = 0, off_shipping = rate ? rate->full_price - rate->price : 0;
    for (unsigned i = 0; i < basket->line_count; i++) {
        basket->lines[i].total = run->left[i];
        off_goods += basket->lines[i].discount;
    }
    int64_t tax_amount = tax ? tax_basket(run, tax, rate ? rate->price : 0) : 0;

    add_total(basket, TOTAL_SUBTOTAL, STR("Subtotal"), run->subtotal);
    if (off_goods > 0)
        add_total(basket, TOTAL_ITEMS_DISCOUNT, STR("Discount"), -off_goods);
    if (off_shipping > 0)
        add_total(basket, TOTAL_DISCOUNT, run->free_shipping->title, -off_shipping);
    if (rate)
        add_total(basket, TOTAL_FULFILLMENT, STR("Shipping"), rate->full_price);
    if (tax_amount > 0) {
        add_total(basket, TOTAL_TAX, tax->title.len > 0 ? tax->title : STR("Tax"), tax_amount);
        basket->totals[basket->total_count - 1].included = tax->included;
    }
    int64_t total = run->subtotal - off_goods - off_shipping + (rate ? rate->full_price : 0) +
                    (tax && !tax->included ? tax_amount : 0);
    add_total(basket, TOTAL_TOTAL, STR("Total"), total);
    if (total > SHOP_MONEY_MAX)
        message_error(basket, run->arena, STR("total_too_high"), STR("$.totals"),
                      "The total is above what can be bought at once. Take fewer items.");
}

int pricing_basket(struct arena *arena, const struct pricing_rules *rules, int64_t now_ms,
                   struct str country, struct str region, struct pricing_shipping *shipping,
                   struct basket *basket)
{
    struct run run = {.arena = arena, .rules = rules, .basket = basket, .now_ms = now_ms};
    basket->applied_count = basket->total_count = 0;
    for (unsigned i = 0; i < basket->line_count; i++) {
        struct line *line = &basket->lines[i];
        line->subtotal = run.left[i] = line->unit_price * (int64_t)line->quantity;
        line->discount = line->tax = 0;
        run.subtotal += line->subtotal;
    }
    const struct discount *shipping_code = NULL;
    unsigned shipping_index = 0;
    int err = discount_goods(&run, &shipping_code, &shipping_index);
    if (err)
        return err;
    price_shipping(&run, country, region, shipping_code, shipping_index, shipping);
    total_up(&run, tax_of(rules, country, region), shipping);
    return ERR_OK;
}
