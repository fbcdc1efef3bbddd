/* Forms as Stripe's clients send them: nested names, lists in two spellings, and refusals. */
#include "base/err.h"
#include "outside/sandbox_form.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define KNOWN                                                                                     \
    (SANDBOX_SET(AMOUNT) | SANDBOX_SET(CURRENCY) | SANDBOX_SET(METADATA) | SANDBOX_SET(CONFIRM) | \
     SANDBOX_SET(PAYMENT_METHOD_TYPES) | SANDBOX_SET(CAPTURE_METHOD) | SANDBOX_SET(CREATED_GTE) | \
     SANDBOX_SET(SHIPPING_CITY) | SANDBOX_SET(DESCRIPTION))

struct bed {
    struct arena arena;
    struct sandbox_form form;
    struct sandbox_error error;
};

static int set_up(void **state)
{
    struct bed *bed = calloc(1, sizeof *bed);
    arena_init(&bed->arena, 1 << 20);
    *state = bed;
    return 0;
}

static int tear_down(void **state)
{
    struct bed *bed = *state;
    arena_close(&bed->arena);
    free(bed);
    return 0;
}

static int read_needing(struct bed *bed, const char *text, uint64_t needed)
{
    bed->error = (struct sandbox_error){0};
    return sandbox_form_read(&bed->form, &bed->arena, str_of(text), KNOWN, needed, &bed->error);
}

static void expect_good(struct bed *bed, const char *text)
{
    if (read_needing(bed, text, 0))
        fail_msg("%s: %s", text, bed->error.message);
}

static void expect_bad(struct bed *bed, const char *text, const char *code, const char *param)
{
    if (read_needing(bed, text, 0) != 400)
        fail_msg("%s was taken", text);
    assert_string_equal(bed->error.type, "invalid_request_error");
    if (code)
        assert_string_equal(bed->error.code, code);
    else
        assert_null(bed->error.code);
    assert_string_equal(bed->error.param, param);
    assert_int_not_equal(bed->error.message[0], 0);
}

static void expect_item(const struct bed *bed, unsigned at, enum sandbox_param param,
                        const char *key, const char *value)
{
    assert_true(at < bed->form.item_count);
    const struct sandbox_item *item = &bed->form.items[at];
    assert_int_equal(item->param, param);
    assert_true(str_eq(item->key, str_of(key)));
    assert_true(str_eq(item->value, str_of(value)));
}

static void values_are_decoded_and_read(void **state)
{
    struct bed *bed = *state;
    expect_good(bed, "amount=1999&currency=eur&metadata[order]=17&metadata%5Bfrom%20whom%5D=a+b%26c"
                     "&shipping[address][city]=Wien&confirm=true&created%5Bgte%5D=-5");
    const struct sandbox_form *form = &bed->form;
    assert_int_equal(form->number[SANDBOX_PARAM_AMOUNT], 1999);
    assert_int_equal(form->number[SANDBOX_PARAM_CONFIRM], 1);
    assert_int_equal(form->number[SANDBOX_PARAM_CREATED_GTE], -5);
    assert_true(str_eq(form->text[SANDBOX_PARAM_CURRENCY], STR("eur")));
    assert_true(str_eq(form->text[SANDBOX_PARAM_SHIPPING_CITY], STR("Wien")));
    assert_int_equal(form->item_count, 2);
    expect_item(bed, 0, SANDBOX_PARAM_METADATA, "order", "17");
    expect_item(bed, 1, SANDBOX_PARAM_METADATA, "from whom", "a b&c");
    assert_false(sandbox_form_has(form, SANDBOX_PARAM_DESCRIPTION));
    assert_true(sandbox_form_has(form, SANDBOX_PARAM_METADATA));
}

static void lists_have_two_spellings(void **state)
{
    struct bed *bed = *state;
    expect_good(bed, "payment_method_types[]=card&payment_method_types[]=link");
    expect_item(bed, 0, SANDBOX_PARAM_PAYMENT_METHOD_TYPES, "", "card");
    expect_item(bed, 1, SANDBOX_PARAM_PAYMENT_METHOD_TYPES, "", "link");
    expect_good(bed, "payment_method_types%5B0%5D=card");
    expect_item(bed, 0, SANDBOX_PARAM_PAYMENT_METHOD_TYPES, "", "card");
    expect_good(bed, "payment_method_types=&metadata="); /* empty: nothing is set */
    assert_int_equal(bed->form.item_count, 0);
}

static void the_last_of_a_name_counts(void **state)
{
    struct bed *bed = *state;
    expect_good(bed, "amount=1&amount=2&metadata[a]=1&metadata[a]=2");
    assert_int_equal(bed->form.number[SANDBOX_PARAM_AMOUNT], 2);
    assert_int_equal(bed->form.item_count, 1);
    expect_item(bed, 0, SANDBOX_PARAM_METADATA, "a", "2");
}

static void what_is_not_known_is_refused(void **state)
{
    struct bed *bed = *state;
    expect_bad(bed, "colour=red", "parameter_unknown", "colour");
    expect_bad(bed, "customer=cus_1", "parameter_unknown", "customer"); /* not of this call */
    expect_bad(bed, "amount[x]=1", "parameter_unknown", "amount[x]");
    expect_bad(bed, "metadata[a][b]=1", "parameter_unknown", "metadata[a][b]");
    expect_bad(bed, "metadata[a=1", "parameter_unknown", "metadata[a");
    expect_bad(bed, "shipping[address]=1", "parameter_unknown", "shipping[address]");
    expect_bad(bed, "=1", "parameter_unknown", "");
}

static void values_have_their_limits(void **state)
{
    struct bed *bed = *state;
    char text[2048];
    expect_bad(bed, "amount=19.99", "parameter_invalid_integer", "amount");
    expect_bad(bed, "amount=", "parameter_invalid_empty", "amount");
    expect_bad(bed, "amount=99999999999999999999", "parameter_invalid_integer", "amount");
    expect_bad(bed, "confirm=1", NULL, "confirm");
    expect_bad(bed, "capture_method=never", NULL, "capture_method");
    expect_bad(bed, "metadata=x", NULL, "metadata");
    expect_bad(bed, "metadata[]=x", NULL, "metadata");
    expect_bad(bed, "payment_method_types=card", NULL, "payment_method_types");
    snprintf(text, sizeof text, "metadata[%041d]=x", 0);
    expect_bad(bed, text, NULL, "metadata");
    snprintf(text, sizeof text, "metadata[%040d]=%0500d", 0, 0);
    expect_good(bed, text);
    snprintf(text, sizeof text, "metadata[k]=%0501d", 0);
    expect_bad(bed, text, NULL, "metadata");
    snprintf(text, sizeof text, "description=%01001d", 0);
    expect_bad(bed, text, "parameter_invalid_string_length", "description");
    expect_bad(bed, "description=%ff", NULL, "");
    expect_bad(bed, "description=%", NULL, "");
}

static void a_map_has_fifty_members(void **state)
{
    struct bed *bed = *state;
    char text[4096] = "amount=1";
    for (int i = 0; i < SANDBOX_METADATA_MAX; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "&metadata[k%d]=%d", i, i);
    expect_good(bed, text);
    assert_int_equal(bed->form.item_count, SANDBOX_METADATA_MAX);
    strcat(text, "&metadata[k0]=again");
    expect_good(bed, text);
    strcat(text, "&metadata[more]=x");
    expect_bad(bed, text, NULL, "metadata");
}

static void what_is_needed_is_missed(void **state)
{
    struct bed *bed = *state;
    assert_int_equal(read_needing(bed, "amount=1", SANDBOX_SET(AMOUNT) | SANDBOX_SET(CURRENCY)),
                     400);
    assert_string_equal(bed->error.code, "parameter_missing");
    assert_string_equal(bed->error.param, "currency");
    assert_int_equal(read_needing(bed, "", 0), 0);
}

static bool same(struct bed *bed, const char *one, const char *other)
{
    unsigned char a[SANDBOX_DIGEST], b[SANDBOX_DIGEST];
    expect_good(bed, one);
    assert_int_equal(sandbox_form_digest(&bed->form, a), 0);
    expect_good(bed, other);
    assert_int_equal(sandbox_form_digest(&bed->form, b), 0);
    return memcmp(a, b, sizeof a) == 0;
}

static void the_digest_is_of_what_was_meant(void **state)
{
    struct bed *bed = *state;
    assert_true(same(bed, "amount=1&currency=eur", "currency=e%75r&amount=1"));
    assert_true(same(bed, "metadata[a]=1&metadata[b]=2", "metadata%5Bb%5D=2&metadata[a]=1"));
    assert_true(same(bed, "payment_method_types[]=card", "payment_method_types[0]=card"));
    assert_true(same(bed, "description=a+b", "description=a%20b&metadata="));
    assert_false(same(bed, "amount=1", "amount=2"));
    assert_false(same(bed, "amount=1", "amount=1&currency=eur"));
    assert_false(same(bed, "metadata[a]=1", "metadata[b]=1"));
    assert_false(same(bed, "metadata[a]=12", "metadata[a1]=2"));
    assert_false(same(bed, "description=a", "metadata[description]=a"));
    assert_false(same(bed, "payment_method_types[]=a&payment_method_types[]=b",
                      "payment_method_types[]=b&payment_method_types[]=a"));
}

static void empty_values_of_texts_are_refused(void **state)
{
    struct bed *bed = *state;
    expect_bad(bed, "description=", "parameter_invalid_empty", "description");
    expect_bad(bed, "description", "parameter_invalid_empty", "description");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(values_are_decoded_and_read),       TEST(lists_have_two_spellings),
        TEST(the_last_of_a_name_counts),         TEST(what_is_not_known_is_refused),
        TEST(values_have_their_limits),          TEST(a_map_has_fifty_members),
        TEST(what_is_needed_is_missed),          TEST(the_digest_is_of_what_was_meant),
        TEST(empty_values_of_texts_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
