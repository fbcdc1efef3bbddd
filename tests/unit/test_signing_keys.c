#include "net/seal.h"
#include "outside/signing_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

#define HOUR ((int64_t)3600 * 1000)
#define DAY  (24 * HOUR)
static const int64_t start = 1795361400000;
static const unsigned char secret[SIGNING_SECRET] = "0123456789abcdef0123456789abcde";
static const unsigned char other[SIGNING_SECRET] = "another";

struct fixture {
    struct buf text;
    struct signing_keys keys;
    struct failure failure;
};

/* A key more at NOW; it is the last of f->keys. */
static int add(struct fixture *f, int64_t now, bool at_once)
{
    struct buf text;
    buf_init(&text, 1 << 16);
    int err = signing_keys_add(&f->keys, secret, now, at_once, &text, &f->failure);
    if (!err) {
        buf_close(&f->text);
        f->text = text;
        assert_int_equal(signing_keys_parse(buf_text(&f->text), &f->keys, &f->failure), 0);
    } else {
        buf_close(&text);
    }
    return err;
}

static int set_up(void **state)
{
    struct fixture *f = test_calloc(1, sizeof *f);
    buf_init(&f->text, 1 << 16);
    assert_int_equal(signing_keys_parse(STR(""), &f->keys, &f->failure), 0);
    assert_int_equal(add(f, start, false), 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    buf_close(&f->text);
    test_free(f);
    return 0;
}

static struct str name_at(const struct fixture *f, int64_t now)
{
    const struct signing_key *key = signing_keys_current(&f->keys, now);
    assert_non_null(key);
    return key->name;
}

static void the_first_key_signs_at_once(void **state)
{
    struct fixture *f = *state;
    struct es256_key *key, *public;
    unsigned char signature[ES256_SIGNATURE];
    const struct signing_key *first = signing_keys_current(&f->keys, start);
    assert_int_equal(f->keys.count, 1);
    assert_int_equal(signing_key_open(first, secret, &key, &f->failure), 0);
    assert_int_equal(es256_read_public(first->x, first->y, &public, &f->failure), 0);
    assert_int_equal(es256_sign(key, STR("x"), signature, &f->failure), 0);
    assert_true(es256_verify(public, STR("x"), signature));
    es256_free(key);
    es256_free(public);
    assert_int_equal(signing_key_open(first, other, &key, &f->failure), ERR_DENIED);
    assert_null(key);
    assert_true(str_find(buf_text(&f->text), STR("PRIVATE")) < 0);
}

static void a_new_key_is_published_before_it_signs_and_the_old_one_stays_for_a_week(void **state)
{
    struct fixture *f = *state;
    struct str old = name_at(f, start);
    char kept[64];
    str_copy(kept, sizeof kept, old);
    assert_int_equal(add(f, start + DAY, false), 0);
    assert_int_equal(f->keys.count, 2);
    assert_true(str_eq(name_at(f, start + DAY), str_of(kept)));
    assert_false(str_eq(name_at(f, start + DAY + HOUR), str_of(kept)));
    struct signing_keys later = f->keys;
    signing_keys_prune(&later, start + DAY);
    assert_int_equal(later.count, 2);
    signing_keys_prune(&later, start + 8 * DAY);
    assert_int_equal(later.count, 2);
    signing_keys_prune(&later, start + 10 * DAY);
    assert_int_equal(later.count, 1);
    assert_false(str_eq(later.keys[0].name, str_of(kept)));
}

static void a_stolen_key_is_gone_at_once(void **state)
{
    struct fixture *f = *state;
    char kept[64];
    str_copy(kept, sizeof kept, name_at(f, start));
    assert_int_equal(add(f, start + HOUR, true), 0);
    assert_int_equal(f->keys.count, 1);
    assert_false(str_eq(name_at(f, start + HOUR), str_of(kept)));
}

static void keys_are_bounded_and_their_times_grow(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < SIGNING_KEYS_MAX - 1; i++)
        assert_int_equal(add(f, start - HOUR, false), 0);
    assert_true(f->text.len <= SIGNING_KEYS_TEXT);
    for (unsigned i = 1; i < f->keys.count; i++)
        assert_true(f->keys.keys[i].made_ms > f->keys.keys[i - 1].made_ms);
    assert_int_equal(add(f, start, false), ERR_FULL);
    assert_int_equal(add(f, start + 30 * DAY, false), 0);
}

static void an_entry_that_is_none_is_refused(void **state)
{
    static const char *const bad[] = {"x",           "1 a",        "1 a b c\n", "1 a b c d e\n",
                                      "a b c d e\n", "1  b c d\n", "\n"};
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(signing_keys_parse(str_of(bad[i]), &f->keys, &f->failure), ERR_DAMAGED);
}

static void what_is_sealed_opens_unchanged_under_the_same_key_alone(void **state)
{
    struct buf sealed, opened;
    (void)state;
    buf_init(&sealed, 1024);
    buf_init(&opened, 1024);
    assert_int_equal(seal(secret, STR("about"), STR("text"), &sealed), 0);
    assert_int_equal(sealed.len, 4 + SEAL_MORE);
    assert_int_equal(seal_open(secret, STR("about"), buf_text(&sealed), &opened), 0);
    assert_true(str_eq(buf_text(&opened), STR("text")));
    assert_int_equal(seal_open(other, STR("about"), buf_text(&sealed), &opened), ERR_DENIED);
    assert_int_equal(seal_open(secret, STR("abouT"), buf_text(&sealed), &opened), ERR_DENIED);
    for (size_t i = 0; i < sealed.len; i++) {
        sealed.at[i] ^= 1;
        assert_int_equal(seal_open(secret, STR("about"), buf_text(&sealed), &opened), ERR_DENIED);
        sealed.at[i] ^= 1;
    }
    assert_int_equal(seal_open(secret, STR(""), STR("short"), &opened), ERR_DENIED);
    buf_clear(&sealed);
    assert_int_equal(seal(secret, STR(""), STR(""), &sealed), 0);
    assert_int_equal(seal_open(secret, STR(""), buf_text(&sealed), &opened), 0);
    assert_true(str_eq(buf_text(&opened), STR("text")));
    buf_close(&sealed);
    buf_close(&opened);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_key_signs_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            a_new_key_is_published_before_it_signs_and_the_old_one_stays_for_a_week, set_up,
            tear_down),
        cmocka_unit_test_setup_teardown(a_stolen_key_is_gone_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keys_are_bounded_and_their_times_grow, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_entry_that_is_none_is_refused, set_up, tear_down),
        cmocka_unit_test(what_is_sealed_opens_unchanged_under_the_same_key_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
