/* The small pure parts of the pages: prices, choices, origins, tokens, paths, templates. */
#include "http/asset.h"
#include "http/template.h"
#include "web/choice.h"
#include "web/csrf.h"
#include "web/files.h"
#include "web/form.h"
#include "web/price.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void price(int64_t amount, const char *currency, const char *expected)
{
    struct arena arena;
    arena_init(&arena, 4096);
    struct str text = price_text(&arena, amount, str_of(currency));
    if (!str_eq(text, str_of(expected)))
        print_error("%s instead of %s\n", text.at, expected);
    assert_true(str_eq(text, str_of(expected)));
    arena_close(&arena);
}

static void prices_read_as_people_write_them(void **state)
{
    (void)state;
    price(1850, "EUR", "€18.50");
    price(5, "USD", "$0.05");
    price(0, "GBP", "£0.00");
    price(123456789, "USD", "$1,234,567.89");
    price(-500, "EUR", "−€5.00");
    price(-123456, "EUR", "−€1,234.56");
    price(1500, "JPY", "¥1,500");
    price(2000, "CHF",
          "CHF\u00a0"
          "20.00");
    price(1234567, "KWD",
          "KWD\u00a0"
          "1,234.567");
}

static struct variant variants[] = {
    {.key = {"m~a-s", 5}, .options = {{"A", 1}, {"S", 1}}, .tracked = true, .available = 0},
    {.key = {"m~a-l", 5}, .options = {{"A", 1}, {"L", 1}}, .tracked = true, .available = 2},
    {.key = {"m~b-s", 5}, .options = {{"B", 1}, {"S", 1}}, .tracked = false},
    {.key = {"m~b-l", 5},
     .options = {{"B", 1}, {"L", 1}},
     .tracked = true,
     .sell_when_out = true,
     .available = -3},
};
static const struct product product = {.option_count = 2, .variants = variants, .variant_count = 4};

static void a_choice_names_one_variant(void **state)
{
    (void)state;
    struct str options[SHOP_OPTIONS_MAX] = {STR("B"), STR("S")};
    assert_int_equal(choice_by_options(&product, options), 2);
    options[1] = STR("XL");
    assert_int_equal(choice_by_options(&product, options), -1);
    options[1] = STR_NONE;
    assert_int_equal(choice_by_options(&product, options), -1);
    assert_int_equal(choice_by_key(&product, STR("m~b-l")), 3);
    assert_int_equal(choice_by_key(&product, STR("m")), -1);
}

static void the_first_that_sells_is_shown_first(void **state)
{
    (void)state;
    assert_int_equal(choice_default(&product), 1);
    assert_false(variant_sells(&variants[0]));
    assert_true(variant_sells(&variants[2]));
    assert_true(variant_sells(&variants[3]));
    assert_false(choice_sells_with(&product, 1, 1, STR("S")));
    assert_true(choice_sells_with(&product, 1, 0, STR("B")));
}

static void only_our_own_pages_may_change_things(void **state)
{
    (void)state;
    const struct str ours = STR("https://shop.example");
    assert_true(csrf_same_origin(STR("same-origin"), STR_NONE, ours));
    assert_true(csrf_same_origin(STR("none"), STR_NONE, ours));
    assert_false(csrf_same_origin(STR("cross-site"), STR_NONE, ours));
    assert_false(csrf_same_origin(STR("same-site"), ours, ours));
    assert_true(csrf_same_origin(STR_NONE, ours, ours));
    assert_true(csrf_same_origin(STR_NONE, STR("https://SHOP.example"), ours));
    assert_false(csrf_same_origin(STR_NONE, STR("http://shop.example"), ours));
    assert_false(csrf_same_origin(STR_NONE, STR("https://shop.example.evil.example"), ours));
    assert_false(csrf_same_origin(STR_NONE, STR("null"), ours));
    assert_true(csrf_same_origin(STR_NONE, STR_NONE, ours)); /* no browser of today */
}

static void a_token_fits_its_own_object_and_secret(void **state)
{
    (void)state;
    unsigned char secret[32] = {1}, other[32] = {2};
    struct id cart = {{7}}, another = {{8}};
    char token[CSRF_TOKEN_TEXT];
    csrf_token(secret, sizeof secret, cart, token);
    assert_true(csrf_token_fits(secret, sizeof secret, cart, str_of(token)));
    assert_false(csrf_token_fits(secret, sizeof secret, another, str_of(token)));
    assert_false(csrf_token_fits(other, sizeof other, cart, str_of(token)));
    assert_false(csrf_token_fits(secret, sizeof secret, cart, STR("")));
    assert_false(csrf_token_fits(secret, sizeof secret, cart, STR_NONE));
    token[10] ^= 1;
    assert_false(csrf_token_fits(secret, sizeof secret, cart, str_of(token)));
}

static void media_paths_stay_below_their_folder(void **state)
{
    (void)state;
    assert_true(files_path_is_plain(STR("a.png")));
    assert_true(files_path_is_plain(STR("a/b/c.png")));
    assert_false(files_path_is_plain(STR("../a")));
    assert_false(files_path_is_plain(STR("a/../../b")));
    assert_false(files_path_is_plain(STR("a/./b")));
    assert_false(files_path_is_plain(STR("/etc/passwd")));
    assert_false(files_path_is_plain(STR("a//b")));
    assert_false(files_path_is_plain(STR("a/")));
    assert_false(files_path_is_plain(STR("a\\..\\b")));
    assert_false(files_path_is_plain(STR(".hidden")));
    assert_false(files_path_is_plain(STR("")));
    assert_false(files_path_is_plain(STR("a\0b")));
}

static void slips_in_a_form_are_seen(void **state)
{
    (void)state;
    assert_true(form_is_email(STR("ada@example.com")));
    assert_false(form_is_email(STR("ada")));
    assert_false(form_is_email(STR("ada@example")));
    assert_false(form_is_email(STR("@example.com")));
    assert_false(form_is_email(STR("ada@ex ample.com")));
    assert_false(form_is_email(STR("ada@b@example.com")));
    assert_true(form_is_phone(STR("+44 20 7946-0000")));
    assert_false(form_is_phone(STR("call me")));
    assert_false(form_is_phone(STR("12")));
    assert_true(form_is_country(STR("GB")));
    assert_false(form_is_country(STR("XX")));
    assert_false(form_is_country(STR("gb")));
}

/* All pages compile, and each renders from nothing at all. */
static void all_templates_compile_and_render(void **state)
{
    (void)state;
    struct template_source sources[64];
    char names[64][48];
    unsigned count = 0;
    for (unsigned i = 0; i < asset_count; i++) {
        struct str path = str_of(assets[i].path);
        if (!str_starts(path, STR("pages/")) || !str_ends(path, STR(".html")))
            continue;
        str_copy(names[count], sizeof names[count], str_sub(path, 6, path.len - 11));
        sources[count].name = names[count];
        sources[count].text = str_make(assets[i].bytes, assets[i].length);
        count++;
    }
    assert_true(count > 10);
    struct template_set *set;
    struct failure failure;
    int err = template_set_new(sources, count, &set, &failure);
    if (err)
        print_error("%s\n", failure.text);
    assert_int_equal(err, 0);
    for (unsigned i = 0; i < count; i++) {
        struct arena arena;
        struct buf out;
        arena_init(&arena, 1 << 20);
        buf_init(&out, 1 << 20);
        const struct template *template = template_find(set, str_of(names[i]));
        assert_non_null(template);
        assert_int_equal(template_render(template, value_root(&arena), &out), 0);
        buf_close(&out);
        arena_close(&arena);
    }
    template_set_free(set);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prices_read_as_people_write_them),
        cmocka_unit_test(a_choice_names_one_variant),
        cmocka_unit_test(the_first_that_sells_is_shown_first),
        cmocka_unit_test(only_our_own_pages_may_change_things),
        cmocka_unit_test(a_token_fits_its_own_object_and_secret),
        cmocka_unit_test(media_paths_stay_below_their_folder),
        cmocka_unit_test(slips_in_a_form_are_seen),
        cmocka_unit_test(all_templates_compile_and_render),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
