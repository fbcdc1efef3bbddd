/* What is said of an address as a person wrote it. */
#include "main/listening.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void loopback_is_told_by_the_address_and_not_by_how_it_begins(void **state)
{
    static const char *const own[] = {"127.0.0.1:9200", "127.9.8.7:0",  "[::1]:80",
                                      "localhost:80",   "LocalHost:80", "[::ffff:127.0.0.1]:80"};
    static const char *const others[] = {"127.example.com:80",
                                         "127.0.0.1.example.com:80",
                                         "localhost.example.com:80",
                                         "128.0.0.1:80",
                                         ":80",
                                         "0.0.0.0:80",
                                         "[::]:80",
                                         "[::1]",
                                         "127.0.0.1",
                                         "[::ffff:10.0.0.1]:80",
                                         "10.0.0.1:80",
                                         ""};
    (void)state;
    for (unsigned i = 0; i < sizeof own / sizeof own[0]; i++)
        if (!listening_is_loopback(own[i]))
            fail_msg("%s is this machine's", own[i]);
    for (unsigned i = 0; i < sizeof others / sizeof others[0]; i++)
        if (listening_is_loopback(others[i]))
            fail_msg("%s is not known to be this machine's alone", others[i]);
}

static void url_has_the_port_that_it_got(void **state)
{
    char url[64];
    (void)state;
    listening_url("127.0.0.1:0", true, 9201, "localhost", url, sizeof url);
    assert_string_equal(url, "https://127.0.0.1:9201");
    listening_url(":8080", false, 0, "localhost", url, sizeof url);
    assert_string_equal(url, "http://localhost:8080");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loopback_is_told_by_the_address_and_not_by_how_it_begins),
        cmocka_unit_test(url_has_the_port_that_it_got),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
