#include "base/err.h"
#include "base/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const unsigned char ones[16] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

static void the_bits_are_where_rfc_9562_wants_them(void **state)
{
    (void)state;
    static const unsigned char zeros[16];
    char text[ID_TEXT];
    /* The example of RFC 9562, A.6: 2022-02-22T19:22:22Z. */
    assert_string_equal(id_text(id_make(0x017f22e279b0, zeros), text),
                        "017f22e279b070008000000000000000");
    assert_string_equal(id_text(id_make(0x017f22e279b0, ones), text),
                        "017f22e279b07fffbfffffffffffffff");
}

static void later_ids_sort_behind_whatever_their_random_bits(void **state)
{
    (void)state;
    static const unsigned char zeros[16];
    struct id early = id_make(1792526499123, ones), late = id_make(1792526499124, zeros);
    assert_true(memcmp(early.bytes, late.bytes, 16) < 0);
}

static void new_ids_are_never_the_same(void **state)
{
    (void)state;
    struct id ids[200];
    for (int i = 0; i < 200; i++) {
        ids[i] = id_new(1);
        assert_int_equal(ids[i].bytes[6] >> 4, 7);
        assert_int_equal(ids[i].bytes[8] >> 6, 2);
        for (int j = 0; j < i; j++)
            assert_false(id_eq(ids[i], ids[j]));
    }
}

static void zero_is_told(void **state)
{
    (void)state;
    assert_true(id_is_zero((struct id){{0}}));
    assert_false(id_is_zero((struct id){{0, [15] = 1}}));
}

static void text_is_read_with_and_without_dashes(void **state)
{
    (void)state;
    struct id plain, dashed;
    assert_int_equal(id_parse(STR("017f22e279b07cc398c4dc0c0c07398f"), &plain), 0);
    assert_int_equal(id_parse(STR("017F22E2-79B0-7CC3-98C4-DC0C0C07398F"), &dashed), 0);
    assert_true(id_eq(plain, dashed));
    char text[ID_TEXT];
    assert_string_equal(id_text(dashed, text), "017f22e279b07cc398c4dc0c0c07398f");
}

static void what_is_no_id_is_refused_and_changes_nothing(void **state)
{
    (void)state;
    const char *const bad[] = {"",
                               "017f22e279b07cc398c4dc0c0c07398",
                               "017f22e279b07cc398c4dc0c0c07398fa",
                               "017f22e279b07cc398c4dc0c0c07398g",
                               "017f22e2-79b0-7cc3-98c4dc0c0c07398f--",
                               "017f22e2-79b0-7cc3-98c4-dc0c0c07398",
                               "017f22e27-9b0-7cc3-98c4-dc0c0c07398f",
                               "017f22e2-79b0-7cc3-98c4-dc0c0c0739-f",
                               "017f22e279b07cc3-98c4dc0c0c07398f"};
    struct id id = id_make(5, ones), before = id;
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(id_parse(str_of(bad[i]), &id), ERR_INVALID);
        assert_true(id_eq(id, before));
    }
    assert_int_equal(id_parse(STR_NONE, &id), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bits_are_where_rfc_9562_wants_them),
        cmocka_unit_test(later_ids_sort_behind_whatever_their_random_bits),
        cmocka_unit_test(new_ids_are_never_the_same),
        cmocka_unit_test(zero_is_told),
        cmocka_unit_test(text_is_read_with_and_without_dashes),
        cmocka_unit_test(what_is_no_id_is_refused_and_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
