/* Events of the bank are believed when they bear its signature, for five minutes. */
#include "base/err.h"
#include "outside/stripe_signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define GOOD  "5c75544a9f3f10d902b46711303c67b8f67f78e700f562244653a982a406464a"
#define OTHER "0000000000000000000000000000000000000000000000000000000000000000"

enum { AT = 1795361400 };

static int check(const char *header, const char *body, int64_t now_s)
{
    return stripe_signature_check(str_of(header), str_of(body), STR("whsec_test_secret"), now_s);
}

static void the_banks_own_are_believed(void **state)
{
    (void)state;
    static const char *const headers[] = {
        "t=1795361400,v1=" GOOD,
        "t=1795361400,v1=" OTHER ",v1=" GOOD, /* while its secret is rolled */
        "v0=" OTHER ", t=1795361400, v1=" GOOD,
        "t=1795361400,v1=short,v1=" GOOD,
    };
    for (unsigned i = 0; i < sizeof headers / sizeof *headers; i++) {
        assert_int_equal(check(headers[i], "{\"id\":\"evt_1\"}", AT), 0);
        assert_int_equal(check(headers[i], "{\"id\":\"evt_1\"}", AT + 300), 0);
        assert_int_equal(check(headers[i], "{\"id\":\"evt_1\"}", AT + 301), ERR_TIMEOUT);
        assert_int_equal(check(headers[i], "{\"id\":\"evt_2\"}", AT), ERR_DENIED);
    }
}

static void others_are_not(void **state)
{
    (void)state;
    static const struct {
        const char *header;
        int err;
    } rows[] = {
        {"", ERR_INVALID},
        {"t=1795361400", ERR_DENIED},
        {"v1=" GOOD, ERR_INVALID},
        {"t=1795361400,v1", ERR_INVALID},
        {"t=now,v1=" GOOD, ERR_INVALID},
        {"t=99999999999999999999,v1=" GOOD, ERR_INVALID},
        {"t=1795361401,v1=" GOOD, ERR_DENIED},
        {"t=1795361400,v0=" GOOD, ERR_DENIED},
        {"t=1795361400,v1=" OTHER, ERR_DENIED},
    };
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(check(rows[i].header, "{\"id\":\"evt_1\"}", AT), rows[i].err);
    assert_int_equal(stripe_signature_check(STR("t=1795361400,v1=" GOOD), STR("x"), STR(""), AT),
                     ERR_DENIED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_banks_own_are_believed),
        cmocka_unit_test(others_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
