/* The token for workers and fronts of other machines: its text and its files. */
#include "folder_fixture.h"
#include "main/tier_token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h> /* last: it has a macro named fail */

static void the_text_says_what_was_put_in(void **state)
{
    struct tier_token token = {.key = "0123456789abcdef0123456789abcde"}, read;
    char text[TIER_TOKEN_TEXT];
    (void)state;
    memset(token.fingerprint, 'a', FINGERPRINT_TEXT - 1);
    tier_token_encode(&token, text);
    assert_int_equal(tier_token_decode(str_of(text), &read, NULL), 0);
    assert_string_equal(read.fingerprint, token.fingerprint);
    assert_memory_equal(read.key, token.key, BRIDGE_KEY);
}

static void a_text_that_is_not_whole_is_told_so(void **state)
{
    struct tier_token token = {.key = {1}}, read;
    struct failure failure = {0};
    char text[TIER_TOKEN_TEXT];
    (void)state;
    memset(token.fingerprint, 'a', FINGERPRINT_TEXT - 1);
    tier_token_encode(&token, text);
    for (size_t len = 0; len < strlen(text); len++)
        assert_int_equal(tier_token_decode(str_make(text, len), &read, &failure), ERR_INVALID);
    text[40] = text[40] == '0' ? '1' : '0';
    assert_int_equal(tier_token_decode(str_of(text), &read, &failure), ERR_INVALID);
    assert_non_null(strstr(failure.text, "copy all of it"));
    assert_int_equal(tier_token_decode(STR("stoa-join-00"), &read, &failure), ERR_INVALID);
    assert_non_null(strstr(failure.text, "stoa token --tiers"));
}

static void deleting_the_key_revokes_the_token(void **state)
{
    char dir[FOLDER_PATH], path[FOLDER_PATH + 16];
    struct tier_token first, again, other;
    struct tls_context *context = NULL;
    (void)state;
    folder_make(dir);
    assert_int_equal(tier_token_context(dir, &context, NULL), 0);
    tls_context_free(context);
    assert_int_equal(tier_token_of(dir, &first, NULL), 0);
    assert_int_equal(tier_token_of(dir, &again, NULL), 0);
    assert_memory_equal(first.key, again.key, BRIDGE_KEY);
    assert_true(tier_token_knows(dir, first.key));
    snprintf(path, sizeof path, "%s/link/key", dir);
    assert_int_equal(unlink(path), 0);
    assert_false(tier_token_knows(dir, first.key));
    assert_int_equal(tier_token_of(dir, &other, NULL), 0);
    assert_string_equal(other.fingerprint, first.fingerprint);
    assert_false(tier_token_knows(dir, first.key));
    assert_true(tier_token_knows(dir, other.key));
    folder_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_says_what_was_put_in),
        cmocka_unit_test(a_text_that_is_not_whole_is_told_so),
        cmocka_unit_test(deleting_the_key_revokes_the_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
