/* Session tokens: what they say is believed only from this cluster and this history of it. */
#include "net/sign.h"
#include "web/token.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const unsigned char secret[32] = {1, 2, 3};
static const struct token_scope ours = {{{7}}, 1};

static struct signer *signer_of(unsigned char first)
{
    unsigned char key[32] = {first, 2, 3};
    struct signer *signer = signer_new(key, sizeof key);
    assert_non_null(signer);
    return signer;
}

static int read_by(struct signer *signer, const struct token_scope *scope, const char *text)
{
    uint64_t index = 99;
    int err = token_read(signer, scope, str_of(text), &index);
    if (err)
        assert_int_equal(index, 99);
    return err;
}

static void a_token_gives_its_index_back(void **state)
{
    (void)state;
    static const uint64_t indexes[] = {0, 1, 120, 1ull << 40, UINT64_MAX};
    struct signer *signer = signer_of(1), *another_thread = signer_of(1);
    for (unsigned i = 0; i < sizeof indexes / sizeof *indexes; i++) {
        char text[TOKEN_TEXT];
        uint64_t index = 5;
        token_write(signer, &ours, indexes[i], text);
        assert_true(strlen(text) > 34 && strlen(text) < TOKEN_TEXT);
        assert_int_equal(token_read(another_thread, &ours, str_of(text), &index), 0);
        assert_true(index == indexes[i]);
    }
    signer_free(signer);
    signer_free(another_thread);
}

static void a_token_of_a_foreign_cluster_is_refused(void **state)
{
    (void)state;
    const struct token_scope foreign = {{{8}}, 1}, recovered = {{{7}}, 2}, alone = {{{0}}, 0};
    struct signer *signer = signer_of(1);
    char text[TOKEN_TEXT];
    token_write(signer, &ours, 120, text);
    assert_int_equal(read_by(signer, &ours, text), 0);
    assert_int_equal(read_by(signer, &foreign, text), ERR_DENIED);
    assert_int_equal(read_by(signer, &recovered, text), ERR_DENIED);
    assert_int_equal(read_by(signer, &alone, text), ERR_DENIED);
    signer_free(signer);
}

static void a_token_under_another_secret_is_refused(void **state)
{
    (void)state;
    struct signer *signer = signer_of(1), *stranger = signer_of(2);
    char text[TOKEN_TEXT];
    token_write(stranger, &ours, 120, text);
    assert_int_equal(read_by(signer, &ours, text), ERR_DENIED);
    signer_free(signer);
    signer_free(stranger);
}

static void a_token_that_was_changed_anywhere_is_refused(void **state)
{
    (void)state;
    struct signer *signer = signer_of(1);
    char text[TOKEN_TEXT], changed[TOKEN_TEXT];
    token_write(signer, &ours, 120, text);
    for (size_t i = 0; i < strlen(text); i++) {
        memcpy(changed, text, sizeof text);
        changed[i] ^= 1;
        assert_int_not_equal(read_by(signer, &ours, changed), 0);
    }
    for (size_t len = 0; len < strlen(text); len++) {
        uint64_t index;
        assert_int_not_equal(token_read(signer, &ours, str_make(text, len), &index), 0);
    }
    signer_free(signer);
}

static void garbage_is_no_token(void **state)
{
    (void)state;
    static const char *const garbage[] = {
        "",
        "-",
        "--",
        "---",
        "1",
        "1-",
        "1-120",
        "1-120-",
        "1-120-0123",
        "1--00000000000000000000000000000000",
        "2-120-00000000000000000000000000000000",
        "1-18446744073709551616-00000000000000000000000000000000",
        "1-x-00000000000000000000000000000000",
        "1-120-00000000000000000000000000000000-",
        "1-120-0000000000000000000000000000000000000000000000000000000000000000",
    };
    struct signer *signer = signer_of(1);
    for (unsigned i = 0; i < sizeof garbage / sizeof *garbage; i++)
        assert_int_not_equal(read_by(signer, &ours, garbage[i]), 0);
    uint64_t index;
    assert_int_equal(token_read(signer, &ours, STR_NONE, &index), ERR_INVALID);
    signer_free(signer);
}

static void a_signer_signs_as_the_plain_function_does(void **state)
{
    (void)state;
    struct signer *signer = signer_new(secret, sizeof secret);
    unsigned char once[SIGN_BYTES], again[SIGN_BYTES];
    assert_non_null(signer);
    for (unsigned i = 0; i < 3; i++) {
        sign_hmac(secret, sizeof secret, "message", 7, once);
        assert_true(signer_sign(signer, "message", 7, again));
        assert_memory_equal(once, again, sizeof once);
        assert_true(signer_sign(signer, "something else", 14, again));
        assert_memory_not_equal(once, again, sizeof once);
    }
    signer_free(signer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_token_gives_its_index_back),
        cmocka_unit_test(a_token_of_a_foreign_cluster_is_refused),
        cmocka_unit_test(a_token_under_another_secret_is_refused),
        cmocka_unit_test(a_token_that_was_changed_anywhere_is_refused),
        cmocka_unit_test(garbage_is_no_token),
        cmocka_unit_test(a_signer_signs_as_the_plain_function_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
