/* PROXY headers, and networks. */
#include "net/network.h"
#include "net/proxy_header.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define SIGNATURE "\r\n\r\n\0\r\nQUIT\n"
#define V4        SIGNATURE "\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\x9c\x40\0\x50"

/* From memory of just that length, so that what is read behind it is found. */
static int parse(const void *bytes, size_t len, struct proxy_header *header, const char **why)
{
    char *copy = malloc(len ? len : 1);
    memcpy(copy, bytes, len);
    int err = proxy_header_parse(str_make(copy, len), header, why);
    free(copy);
    return err;
}

static void assert_endpoint(const struct endpoint *address, const char *text)
{
    char is[ADDRESS_TEXT];
    endpoint_text(address, true, is, sizeof is);
    assert_string_equal(is, text);
}

static void addresses_are_read_and_what_follows_is_passed_over(void **state)
{
    (void)state;
    static const char v4[] = V4 "GET";
    static const char with_tlv[] = SIGNATURE "\x21\x11\0\x10\xc0\0\2\1\xc0\0\2\2\x9c\x40\0\x50"
                                             "\4\0\1xGET";
    static const char v6[] = SIGNATURE "\x21\x21\0\x24"
                                       "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1"
                                       "\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2\0\1\1\0GET";
    struct proxy_header header;
    const char *why = NULL;
    assert_int_equal(parse(v4, sizeof v4 - 1, &header, &why), 0);
    assert_int_equal(header.len, 28);
    assert_false(header.local);
    assert_endpoint(&header.client, "192.0.2.1:40000");
    assert_endpoint(&header.here, "192.0.2.2:80");
    assert_int_equal(parse(with_tlv, sizeof with_tlv - 1, &header, &why), 0);
    assert_int_equal(header.len, 32);
    assert_int_equal(parse(v6, sizeof v6 - 1, &header, &why), 0);
    assert_int_equal(header.len, 52);
    assert_endpoint(&header.client, "[2001:db8::1]:1");
    assert_endpoint(&header.here, "[2001:db8::2]:256");
}

static void version_1_is_read_too(void **state)
{
    (void)state;
    struct proxy_header header;
    const char *why = NULL;
    struct str v4 = STR("PROXY TCP4 192.0.2.1 192.0.2.2 40000 80\r\nGET");
    struct str v6 = STR("PROXY TCP6 2001:db8::1 ::1 1 65535\r\n");
    struct str unknown = STR("PROXY UNKNOWN what ever\r\nGET");
    assert_int_equal(parse(v4.at, v4.len, &header, &why), 0);
    assert_int_equal(header.len, v4.len - 3);
    assert_endpoint(&header.client, "192.0.2.1:40000");
    assert_int_equal(parse(v6.at, v6.len, &header, &why), 0);
    assert_endpoint(&header.here, "[::1]:65535");
    assert_int_equal(parse(unknown.at, unknown.len, &header, &why), 0);
    assert_true(header.local);
    assert_int_equal(header.len, unknown.len - 3);
}

static void a_part_of_it_waits_for_the_rest(void **state)
{
    (void)state;
    static const char v4[] = V4;
    struct str v1 = STR("PROXY TCP4 192.0.2.1 192.0.2.2 40000 80\r\n");
    struct proxy_header header;
    const char *why = NULL;
    for (size_t len = 0; len + 1 < sizeof v4; len++)
        assert_int_equal(parse(v4, len, &header, &why), ERR_SHORT);
    for (size_t len = 0; len < v1.len; len++)
        assert_int_equal(parse(v1.at, len, &header, &why), ERR_SHORT);
}

static void what_names_nobody_is_local(void **state)
{
    (void)state;
    static const struct str local[] = {
        STR(SIGNATURE "\x20\0\0\0"),
        STR(SIGNATURE "\x20\x11\0\x02zz"),
        STR(SIGNATURE "\x21\0\0\0"),
        STR(SIGNATURE "\x21\x31\0\0"),
    };
    struct proxy_header header;
    const char *why = NULL;
    for (size_t i = 0; i < sizeof local / sizeof *local; i++) {
        assert_int_equal(parse(local[i].at, local[i].len, &header, &why), 0);
        assert_true(header.local);
        assert_int_equal(header.len, local[i].len);
    }
}

static void what_is_none_is_refused(void **state)
{
    (void)state;
    static const struct str bad[] = {
        STR("GET / HTTP/1.1\r\n"),
        STR("\r\n\r\nGET"),
        STR(SIGNATURE "\x11\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\x9c\x40\0\x50"), /* version */
        STR(SIGNATURE "\x22\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\x9c\x40\0\x50"), /* command */
        STR(SIGNATURE "\x21\x12\0\x0c\xc0\0\2\1\xc0\0\2\2\x9c\x40\0\x50"), /* UDP */
        STR(SIGNATURE "\x21\x11\0\x0b\xc0\0\2\1\xc0\0\2\2\x9c\x40\0"),     /* short */
        STR(SIGNATURE "\x21\x21\0\x0c\xc0\0\2\1\xc0\0\2\2\x9c\x40\0\x50"),
        STR(SIGNATURE "\x21\x11\xff\xff"), /* long */
        STR("PROXY TCP4 192.0.2.1 192.0.2.2 40000 80\n"),
        STR("PROXY TCP4 192.0.2.1 192.0.2.2 40000\r\n"),
        STR("PROXY TCP4 192.0.2.1 192.0.2.2 40000 80 \r\n"),
        STR("PROXY TCP4  192.0.2.1 192.0.2.2 40000 80\r\n"),
        STR("PROXY TCP4 192.0.2.1 192.0.2.2 70000 80\r\n"),
        STR("PROXY TCP4 192.0.2.1 192.0.2.2 -1 80\r\n"),
        STR("PROXY TCP4 192.0.2.1 192.0.2.2 04 80\r\n"),
        STR("PROXY TCP4 ::1 192.0.2.2 4 80\r\n"),
        STR("PROXY TCP6 192.0.2.1 192.0.2.2 4 80\r\n"),
        STR("PROXY TCP4 192.0.2.256 192.0.2.2 4 80\r\n"),
        STR("PROXY UDP4 192.0.2.1 192.0.2.2 4 80\r\n"),
        STR("PROXY UNKNOWNx\r\n"),
        STR("PROXY \r\n"),
        STR("proxy TCP4 192.0.2.1 192.0.2.2 4 80\r\n"),
    };
    struct proxy_header header;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const char *why = NULL;
        if (parse(bad[i].at, bad[i].len, &header, &why) != ERR_INVALID)
            fail_msg("number %zu was taken", i);
        assert_non_null(why);
    }
    char endless[200] = "PROXY TCP4 ";
    const char *why = NULL;
    memset(endless + 11, '1', sizeof endless - 11);
    assert_int_equal(parse(endless, sizeof endless, &header, &why), ERR_INVALID);
}

static void what_is_written_is_read_again(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"192.0.2.1:40000", "192.0.2.2:80"},
                                           {"[2001:db8::1]:40000", "[::1]:80"}};
    struct proxy_header header;
    const char *why = NULL;
    unsigned char out[PROXY_HEADER_WRITTEN];
    for (int i = 0; i < 2; i++) {
        struct endpoint client, here;
        assert_int_equal(endpoint_resolve(str_of(pairs[i][0]), false, &client, NULL), 0);
        assert_int_equal(endpoint_resolve(str_of(pairs[i][1]), false, &here, NULL), 0);
        size_t len = proxy_header_write(&client, &here, out);
        assert_int_equal(parse(out, len, &header, &why), 0);
        assert_int_equal(header.len, len);
        assert_endpoint(&header.client, pairs[i][0]);
        assert_endpoint(&header.here, pairs[i][1]);
        if (i == 0)
            assert_memory_equal(out, V4, len);
    }
    assert_int_equal(parse(out, proxy_header_write(NULL, NULL, out), &header, &why), 0);
    assert_true(header.local);
}

static void families_are_brought_together(void **state)
{
    (void)state;
    struct endpoint client, here;
    struct proxy_header header;
    const char *why = NULL;
    unsigned char out[PROXY_HEADER_WRITTEN];
    endpoint_resolve(STR("[::ffff:192.0.2.1]:40000"), false, &client, NULL);
    endpoint_resolve(STR("192.0.2.2:80"), false, &here, NULL);
    assert_int_equal(proxy_header_write(&client, &here, out), 28);
    assert_memory_equal(out, V4, 28);
    endpoint_resolve(STR("[2001:db8::1]:40000"), false, &client, NULL);
    assert_int_equal(parse(out, proxy_header_write(&client, &here, out), &header, &why), 0);
    assert_endpoint(&header.client, "[2001:db8::1]:40000");
    assert_endpoint(&header.here, "192.0.2.2:80"); /* as ::ffff:192.0.2.2 */
}

static void networks_hold_their_addresses_and_no_others(void **state)
{
    (void)state;
    struct network networks[4];
    assert_int_equal(network_parse(STR("10.0.0.0/8"), &networks[0], NULL), 0);
    assert_int_equal(network_parse(STR("192.0.2.4/31"), &networks[1], NULL), 0);
    assert_int_equal(network_parse(STR("2001:db8::/33"), &networks[2], NULL), 0);
    assert_int_equal(network_parse(STR("::1"), &networks[3], NULL), 0);
    static const char *const in[] = {"10.0.0.0",  "10.255.255.255",  "192.0.2.5",
                                     "192.0.2.4", "::ffff:10.1.1.1", "2001:db8:7fff::1",
                                     "::1"};
    static const char *const out[] = {
        "11.0.0.0", "9.255.255.255", "192.0.2.6", "192.0.2.3", "2001:db8:8000::1", "::2", "::", "",
        "x"};
    for (size_t i = 0; i < sizeof in / sizeof *in; i++)
        assert_true(network_has_text(networks, 4, str_of(in[i])));
    for (size_t i = 0; i < sizeof out / sizeof *out; i++)
        assert_false(network_has_text(networks, 4, str_of(out[i])));
    struct endpoint address;
    endpoint_resolve(STR("10.2.3.4:5"), false, &address, NULL);
    assert_true(network_has(networks, 4, &address));
    assert_false(network_has(networks + 1, 3, &address));
    struct network all;
    assert_int_equal(network_parse(STR("0.0.0.0/0"), &all, NULL), 0);
    assert_true(network_has(&all, 1, &address));
    assert_false(network_has_text(&all, 1, STR("2001:db8::1")));
}

static void what_is_no_network_is_told(void **state)
{
    (void)state;
    static const char *const bad[] = {"",           "10.0.0.0/33", "10.0.0.0/",
                                      "10.0.0.0/x", "10.0.0/8",    "::/129",
                                      "shop",       "10.0.0.0/-1", "10.0.0.1:80"};
    struct network network;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct failure failure = {0};
        assert_int_equal(network_parse(str_of(bad[i]), &network, &failure), ERR_INVALID);
        assert_non_null(strstr(failure.text, bad[i]));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_read_and_what_follows_is_passed_over),
        cmocka_unit_test(version_1_is_read_too),
        cmocka_unit_test(a_part_of_it_waits_for_the_rest),
        cmocka_unit_test(what_names_nobody_is_local),
        cmocka_unit_test(what_is_none_is_refused),
        cmocka_unit_test(what_is_written_is_read_again),
        cmocka_unit_test(families_are_brought_together),
        cmocka_unit_test(networks_hold_their_addresses_and_no_others),
        cmocka_unit_test(what_is_no_network_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
