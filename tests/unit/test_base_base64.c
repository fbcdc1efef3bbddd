#include "base/base64.h"
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

static void encodes_to(enum base64_kind kind, struct str bytes, const char *expected)
{
    char back[64];
    size_t len = 0;
    struct buf out;
    buf_init(&out, 64);
    base64_put(&out, kind, bytes);
    buf_byte(&out, 0);
    assert_false(out.failed);
    assert_string_equal(out.at, expected);
    assert_int_equal(base64_decode(kind, str_of(expected), back, sizeof back, &len), 0);
    assert_int_equal(len, bytes.len);
    if (len)
        assert_memory_equal(back, bytes.at, len);
    buf_close(&out);
}

/* RFC 4648 §10. */
static void bytes_become_text_and_come_back(void **state)
{
    (void)state;
    encodes_to(BASE64_PADDED, STR(""), "");
    encodes_to(BASE64_PADDED, STR("f"), "Zg==");
    encodes_to(BASE64_PADDED, STR("fo"), "Zm8=");
    encodes_to(BASE64_PADDED, STR("foo"), "Zm9v");
    encodes_to(BASE64_PADDED, STR("foob"), "Zm9vYg==");
    encodes_to(BASE64_PADDED, STR("fooba"), "Zm9vYmE=");
    encodes_to(BASE64_PADDED, STR("foobar"), "Zm9vYmFy");
    encodes_to(BASE64_PADDED, STR("\xfb\xff\xfe"), "+//+");
    encodes_to(BASE64_URL, STR("\xfb\xff\xfe"), "-__-");
    encodes_to(BASE64_URL, STR("f"), "Zg");
    encodes_to(BASE64_URL, STR("fooba"), "Zm9vYmE");
}

static void what_is_not_written_exactly_so_is_refused(void **state)
{
    static const char *const padded[] = {"Zg",   "Zg=",  "Zg===", "=",      "==",   "====", "Z===",
                                         "Zh==", "Zm9=", "Z g=",  "Zg==\n", "-__-", "Zg=a", "A"};
    static const char *const url[] = {"Zg==", "A", "Zh", "+//+", "Zm9vY", "Zg "};
    char out[16];
    size_t len;
    (void)state;
    for (size_t i = 0; i < sizeof padded / sizeof *padded; i++)
        assert_int_equal(base64_decode(BASE64_PADDED, str_of(padded[i]), out, sizeof out, &len),
                         ERR_INVALID);
    for (size_t i = 0; i < sizeof url / sizeof *url; i++)
        assert_int_equal(base64_decode(BASE64_URL, str_of(url[i]), out, sizeof out, &len),
                         ERR_INVALID);
    assert_int_equal(base64_decode(BASE64_PADDED, str_make("Zg\0=", 4), out, sizeof out, &len),
                     ERR_INVALID);
    assert_int_equal(base64_decode(BASE64_PADDED, STR("Zm9vYmFy"), out, 5, &len), ERR_FULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_become_text_and_come_back),
        cmocka_unit_test(what_is_not_written_exactly_so_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
