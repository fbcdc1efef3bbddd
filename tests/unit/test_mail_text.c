#include "base/err.h"
#include "outside/mail_text.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

static void addresses_that_need_no_quoting_are_taken(void **state)
{
    static const char *const good[] = {"a@b", "jane.doe+shop@mail.example.com", "x_y@b-c.d",
                                       "o'neil@example.org", "1@2.3"};
    static const char *const bad[] = {"",
                                      "a",
                                      "@",
                                      "a@",
                                      "@b",
                                      "a@b@c",
                                      "a b@c",
                                      "a@b c",
                                      "a@b\r\nBcc: x@y",
                                      "a\n@b",
                                      "<a@b>",
                                      "a@b>",
                                      "a,b@c",
                                      "\"a\"@b",
                                      "a@b,c@d",
                                      "a@b;c",
                                      "a@[127.0.0.1]",
                                      ".a@b",
                                      "a.@b",
                                      "a..b@c",
                                      "a@b.",
                                      "a@b..c",
                                      "\xc3\xa9@b",
                                      "a@\xc3\xa9",
                                      "a(x)@b",
                                      "a@b NOTIFY=NEVER"};
    char longest[300];
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(mail_is_address(str_of(good[i])));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (mail_is_address(str_of(bad[i])))
            fail_msg("\"%s\" is taken", bad[i]);
    assert_false(mail_is_address(str_make("a@b\0", 4)));
    memset(longest, 'a', sizeof longest);
    longest[1] = '@';
    assert_true(mail_is_address(str_make(longest, MAIL_ADDRESS_MAX)));
    assert_false(mail_is_address(str_make(longest, MAIL_ADDRESS_MAX + 1)));
}

static void check_header(struct str text, const char *expected)
{
    struct buf out;
    buf_init(&out, 4096);
    mail_put_header(&out, "Subject", text);
    buf_byte(&out, 0);
    assert_string_equal(out.at, expected);
    buf_close(&out);
}

static void a_header_stays_one_header(void **state)
{
    (void)state;
    check_header(STR("Your order 1001"), "Subject: Your order 1001\r\n");
    check_header(STR(""), "Subject: \r\n");
    check_header(STR("Grüße"), "Subject: =?UTF-8?B?R3LDvMOfZQ==?=\r\n");
    check_header(STR("a\r\nBcc: x@y"), "Subject: =?UTF-8?B?YSAgQmNjOiB4QHk=?=\r\n");
    check_header(STR("=?UTF-8?Q?x?="), "Subject: =?UTF-8?B?PT9VVEYtOD9RP3g/PQ==?=\r\n");
    /* Folded between characters, never within one. */
    check_header(STR("éééééééééééééééééééééé"),
                 "Subject: =?UTF-8?B?w6nDqcOpw6nDqcOpw6nDqcOpw6nDqcOpw6nDqcOpw6nDqcOpw6k=?=\r\n"
                 " =?UTF-8?B?w6nDqcOp?=\r\n");
}

static void check_quoted(struct str text, const char *expected)
{
    struct buf out;
    buf_init(&out, 4096);
    mail_put_quoted(&out, text);
    buf_byte(&out, 0);
    assert_string_equal(out.at, expected);
    buf_close(&out);
}

static void a_body_is_quoted_printable(void **state)
{
    (void)state;
    check_quoted(STR(""), "");
    check_quoted(STR("a=b\nc"), "a=3Db\r\nc\r\n");
    check_quoted(STR("a \n\tb\t\r\n\n"), "a=20\r\n\tb=09\r\n\r\n");
    check_quoted(STR("€\x01\r"), "=E2=82=AC=01\r\n");
    check_quoted(STR("a\rb"), "a=0Db\r\n");
    check_quoted(STR(".\n.."), ".\r\n..\r\n"); /* doubled when it is sent */
    /* 76 characters at most, the soft break counted. */
    check_quoted(
        STR("1234567890123456789012345678901234567890123456789012345678901234567890123456"),
        "1234567890123456789012345678901234567890123456789012345678901234567890123456\r\n");
    check_quoted(
        STR("12345678901234567890123456789012345678901234567890123456789012345678901234567"),
        "123456789012345678901234567890123456789012345678901234567890123456789012345=\r\n"
        "67\r\n");
    check_quoted(
        STR("1234567890123456789012345678901234567890123456789012345678901234567890123\xc3\xa9"),
        "1234567890123456789012345678901234567890123456789012345678901234567890123=\r\n"
        "=C3=A9\r\n");
}

static void a_message_is_whole(void **state)
{
    struct mail mail = {.from = STR("shop@example.com"),
                        .from_name = STR("Käse & Co"),
                        .to = STR("jane@example.org"),
                        .subject = STR("Your order 1001"),
                        .body = STR("Hello,\n"),
                        .time_ms = 1795361400999};
    struct buf out;
    (void)state;
    assert_int_equal(id_parse(STR("0193a1b2c3d47e5f8a9b0c1d2e3f4a5b"), &mail.id), 0);
    buf_init(&out, 4096);
    assert_int_equal(mail_compose(&mail, &out), 0);
    buf_byte(&out, 0);
    assert_string_equal(out.at, "Date: Sun, 22 Nov 2026 15:30:00 +0000\r\n"
                                "From: =?UTF-8?B?S8Okc2UgJiBDbw==?= <shop@example.com>\r\n"
                                "To: <jane@example.org>\r\n"
                                "Subject: Your order 1001\r\n"
                                "Message-ID: <0193a1b2c3d47e5f8a9b0c1d2e3f4a5b@example.com>\r\n"
                                "Auto-Submitted: auto-generated\r\n"
                                "MIME-Version: 1.0\r\n"
                                "Content-Type: text/plain; charset=utf-8\r\n"
                                "Content-Transfer-Encoding: quoted-printable\r\n"
                                "\r\n"
                                "Hello,\r\n");
    mail.to = STR("jane@example.org>\r\nBcc: <x@y");
    assert_int_equal(mail_compose(&mail, &out), ERR_INVALID);
    mail.to = STR("a@b");
    mail.from_name = STR("a\r\nBcc: x@y");
    buf_clear(&out);
    assert_int_equal(mail_compose(&mail, &out), 0);
    assert_true(str_find(buf_text(&out), STR("Bcc")) < 0);
    mail.from_name = STR("Stoa, Ltd");
    buf_clear(&out);
    assert_int_equal(mail_compose(&mail, &out), 0);
    assert_true(str_find(buf_text(&out), STR("From: =?UTF-8?B?")) > 0);
    buf_close(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_that_need_no_quoting_are_taken),
        cmocka_unit_test(a_header_stays_one_header),
        cmocka_unit_test(a_body_is_quoted_printable),
        cmocka_unit_test(a_message_is_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
