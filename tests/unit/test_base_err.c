#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#undef fail /* ours is meant */

static void each_error_has_a_name_and_a_sentence_of_its_own(void **state)
{
    (void)state;
    for (int err = 0; err < ERR_COUNT; err++) {
        assert_true(strlen(err_name(err)) > 1);
        assert_true(strlen(err_sentence(err)) > 4);
        for (int other = 0; other < err; other++) {
            assert_string_not_equal(err_name(err), err_name(other));
            assert_string_not_equal(err_sentence(err), err_sentence(other));
        }
    }
    assert_string_equal(err_name(ERR_NOTFOUND), "NOTFOUND");
    assert_int_equal(ERR_OK, 0);
}

static void a_number_that_is_none_of_ours_is_no_crash(void **state)
{
    (void)state;
    const int strange[] = {-1, ERR_COUNT, 99999, -2147483647};
    for (unsigned i = 0; i < 4; i++) {
        assert_string_equal(err_name(strange[i]), "?");
        assert_string_equal(err_sentence(strange[i]), "an unknown error");
    }
}

static void a_failure_keeps_what_is_said_and_gives_the_error_back(void **state)
{
    (void)state;
    struct failure failure;
    assert_int_equal(fail(&failure, ERR_SHORT, "%s has %d", "mug", 3), ERR_SHORT);
    assert_int_equal(failure.err, ERR_SHORT);
    assert_string_equal(failure.text, "mug has 3");
    assert_int_equal(fail(NULL, ERR_BUSY, "nobody listens"), ERR_BUSY);
    errno = ENOENT;
    assert_int_equal(fail_errno(NULL, ERR_IO, "nobody listens"), ERR_IO);
}

static void the_systems_reason_is_appended(void **state)
{
    (void)state;
    struct failure failure;
    errno = ENOSPC;
    assert_int_equal(fail_errno(&failure, ERR_IO, "cannot write %s", "x"), ERR_IO);
    assert_string_equal(failure.text, "cannot write x: No space left on device");
}

static void long_texts_are_clipped(void **state)
{
    (void)state;
    struct failure failure;
    errno = EIO;
    fail_errno(&failure, ERR_IO, "%1000d", 1);
    assert_int_equal(strlen(failure.text), sizeof failure.text - 1);
    fail(&failure, ERR_IO, "%1000d", 1);
    assert_int_equal(strlen(failure.text), sizeof failure.text - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_error_has_a_name_and_a_sentence_of_its_own),
        cmocka_unit_test(a_number_that_is_none_of_ours_is_no_crash),
        cmocka_unit_test(a_failure_keeps_what_is_said_and_gives_the_error_back),
        cmocka_unit_test(the_systems_reason_is_appended),
        cmocka_unit_test(long_texts_are_clipped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
