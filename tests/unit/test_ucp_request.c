#include "web/ucp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static int parse(const char *header, const char *profile, const char *version)
{
    struct str got_profile, got_version;
    int err = ucp_agent_parse(str_of(header), &got_profile, &got_version);
    if (!err) {
        assert_true(str_eq(got_profile, str_of(profile)));
        assert_true(str_eq(got_version, str_of(version)));
    }
    return err;
}

static void a_profile_is_found(void **state)
{
    (void)state;
    assert_int_equal(parse("profile=\"https://a.example/p\"", "https://a.example/p", ""), 0);
    assert_int_equal(parse("  profile=\"https://a.example/p\"  ", "https://a.example/p", ""), 0);
    assert_int_equal(parse("x=1, profile=\"https://a.example/p\";q, y", "https://a.example/p", ""),
                     0);
}

static void a_version_is_found_as_member_and_as_parameter(void **state)
{
    (void)state;
    assert_int_equal(parse("profile=\"https://a.example/p\"; version=\"2026-04-08\"",
                           "https://a.example/p", "2026-04-08"),
                     0);
    assert_int_equal(parse("version=\"2099-01-01\", profile=\"https://a.example/p\"",
                           "https://a.example/p", "2099-01-01"),
                     0);
}

static void what_names_no_profile_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "",
        "profile",
        "profile=",
        "profile=\"",
        "profile=\"...\"",
        "profile=\"ftp://a.example/\"",
        "profile=\"https://\"",
        "profile=\"https://u@a.example/\"",
        "profile=\"http://a.example/p\"",
        "agent=\"https://a.example\"",
        "profile=\"https://a.ex ample/\"",
        "profile=\"https://a.example/\" version=\"2026-04-08\"",
    };
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(parse(bad[i], "", ""), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_profile_is_found),
        cmocka_unit_test(a_version_is_found_as_member_and_as_parameter),
        cmocka_unit_test(what_names_no_profile_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
