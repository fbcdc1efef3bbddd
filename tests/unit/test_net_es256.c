#include "base/base64.h"
#include "net/es256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

/* RFC 9421 B.1.3 and B.2.4. */
static const struct str test_x = {"qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA", 43};
static const struct str test_y = {"Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0", 43};
static const char test_base[] =
    "\"@status\": 200\n"
    "\"content-type\": application/json\n"
    "\"content-digest\": sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWd"
    "XymyU0rjJuahq4l5aGgfLQ==:\n"
    "\"content-length\": 23\n"
    "\"@signature-params\": (\"@status\" \"content-type\" \"content-digest\" \"content-length\")"
    ";created=1618884473;keyid=\"test-key-ecc-p256\"";
static const char test_signature[] =
    "wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw==";

static struct es256_key *public_key(void)
{
    struct es256_key *key;
    struct failure failure = {0};
    assert_int_equal(es256_read_public(test_x, test_y, &key, &failure), 0);
    return key;
}

static void the_rfc_s_signature_is_right_and_no_other(void **state)
{
    unsigned char bytes[ES256_SIGNATURE];
    size_t len = 0;
    struct es256_key *key = public_key();
    (void)state;
    assert_int_equal(
        base64_decode(BASE64_PADDED, str_of(test_signature), bytes, sizeof bytes, &len), 0);
    assert_int_equal(len, sizeof bytes);
    assert_true(es256_verify(key, str_of(test_base), bytes));
    assert_false(es256_verify(key, str_from(str_of(test_base), 1), bytes));
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] ^= 1;
        assert_false(es256_verify(key, str_of(test_base), bytes));
        bytes[i] ^= 1;
    }
    memset(bytes, 0, sizeof bytes); /* r = s = 0 is right for a careless verifier */
    assert_false(es256_verify(key, str_of(test_base), bytes));
    memset(bytes, 0xff, sizeof bytes);
    assert_false(es256_verify(key, str_of(test_base), bytes));
    es256_free(key);
}

static void what_a_new_key_signs_its_public_half_verifies(void **state)
{
    struct es256_key *key, *again, *public;
    struct es256_public names, names_again;
    struct failure failure = {0};
    struct buf pem;
    unsigned char one[ES256_SIGNATURE], two[ES256_SIGNATURE];
    (void)state;
    buf_init(&pem, 4096);
    assert_int_equal(es256_new(&key, &failure), 0);
    assert_int_equal(es256_write(key, &pem, &failure), 0);
    assert_int_equal(es256_read(buf_text(&pem), &again, &failure), 0);
    assert_int_equal(es256_publish(key, &names, &failure), 0);
    assert_int_equal(es256_publish(again, &names_again, &failure), 0);
    assert_string_equal(names.thumbprint, names_again.thumbprint);
    assert_int_equal(strlen(names.thumbprint), 43);
    assert_int_equal(es256_read_public(str_of(names.x), str_of(names.y), &public, &failure), 0);
    for (unsigned i = 0; i < 300; i++) { /* r or s begins with a zero byte now and then */
        char text[8];
        int len = snprintf(text, sizeof text, "%u", i);
        assert_int_equal(es256_sign(again, str_make(text, (size_t)len), one, &failure), 0);
        assert_true(es256_verify(public, str_make(text, (size_t)len), one));
    }
    assert_int_equal(es256_sign(key, STR("x"), one, &failure), 0);
    assert_int_equal(es256_sign(key, STR("x"), two, &failure), 0);
    assert_memory_not_equal(one, two, sizeof one);
    assert_int_equal(es256_sign(public, STR("x"), one, &failure), ERR_INTERNAL);
    assert_int_equal(es256_write(public, &pem, &failure), ERR_INTERNAL);
    es256_free(public);
    es256_free(again);
    es256_free(key);
    buf_close(&pem);
}

/* RFC 7638 has no example on this curve; this one was made by hand from the members. */
static void a_key_s_name_follows_from_the_key(void **state)
{
    struct es256_key *key = public_key();
    struct es256_public names;
    struct failure failure = {0};
    (void)state;
    assert_int_equal(es256_publish(key, &names, &failure), 0);
    assert_string_equal(names.x, test_x.at);
    assert_string_equal(names.y, test_y.at);
    assert_string_equal(names.thumbprint, "ydQXMtvbsOsZyFir-Y7A8t7fKEM1gbKPvyFkdpu4fvI");
    es256_free(key);
}

static void what_is_no_such_key_is_refused(void **state)
{
    static const char *const others[] = {
        "",
        "nonsense",
        "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        /* Ed25519: RFC 8410 §10.3. */
        "-----BEGIN PRIVATE KEY-----\n"
        "MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
        "-----END PRIVATE KEY-----\n",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    };
    struct es256_key *key;
    struct failure failure = {0};
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(es256_read(str_of(others[i]), &key, &failure), ERR_INVALID);
        assert_null(key);
    }
    assert_int_equal(es256_read_public(test_y, test_x, &key, &failure), ERR_INVALID);
    assert_int_equal(es256_read_public(test_x, STR(""), &key, &failure), ERR_INVALID);
    assert_int_equal(es256_read_public(str_sub(test_x, 0, 42), test_y, &key, &failure),
                     ERR_INVALID);
    assert_int_equal(es256_read_public(STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
                                       STR("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"), &key,
                                       &failure),
                     ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_rfc_s_signature_is_right_and_no_other),
        cmocka_unit_test(what_a_new_key_signs_its_public_half_verifies),
        cmocka_unit_test(a_key_s_name_follows_from_the_key),
        cmocka_unit_test(what_is_no_such_key_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
