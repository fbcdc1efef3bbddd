#include "balance/roster.h"
#include "base/check.h"
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h> /* last: it has a macro named fail */

#define KEY "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static const char answer[] =
    "{\"cluster\": \"c1\", \"own\": 1, \"term\": 7, \"index\": 1234, \"primary\": 1,"
    " \"key\": \"" KEY "\", \"servers\": ["
    "{\"id\": 3, \"url\": \"http://10.0.0.3:8080\", \"role\": \"secondary\", \"state\": "
    "\"leaving\"},"
    "{\"id\": 1, \"url\": \"https://10.0.0.1\", \"role\": \"primary\", \"state\": \"up\","
    " \"weight\": 200, \"something\": {\"new\": []}},"
    "{\"id\": 2, \"url\": \"http://[::1]:8080/\", \"role\": \"standby\", \"state\": \"copying\"},"
    "{\"id\": 4, \"url\": \"\", \"role\": \"secondary\", \"state\": \"joining\"},"
    "{\"id\": 5, \"url\": \"http://10.0.0.5:1\", \"role\": \"witness\", \"state\": \"up\"},"
    "{\"id\": 6, \"url\": \"http://shop-6:1\", \"role\": \"secondary\", \"state\": \"down\","
    " \"drain\": true}]}";

static void answer_is_read_with_all_who_can_be_reached(void **state)
{
    (void)state;
    struct roster roster;
    struct failure failure;
    assert_int_equal(roster_read(str_of(answer), &roster, &failure), ERR_OK);
    assert_string_equal(roster.cluster, "c1");
    assert_int_equal(roster.term, 7);
    assert_int_equal(roster.index, 1234);
    assert_true(roster.keyed);
    assert_int_equal(roster.key[1], 0x11);
    assert_int_equal(roster.key[31], 0xff);
    const struct roster_server *server = roster.servers;
    assert_int_equal(roster.count, 4);
    assert_int_equal(server[0].id, 1);
    assert_string_equal(server[0].url, "https://10.0.0.1:443");
    assert_true(server[0].primary);
    assert_int_equal(server[0].weight, 200);
    assert_false(server[0].unready || server[0].leaving);
    assert_int_equal(server[1].id, 2);
    assert_string_equal(server[1].url, "http://[::1]:8080");
    assert_int_equal(server[1].weight, POLICY_WEIGHT);
    assert_true(server[1].unready);
    assert_int_equal(server[2].id, 3);
    assert_true(server[2].leaving);
    assert_int_equal(server[3].id, 6);
    assert_true(server[3].leaving);
    assert_false(roster.outsider);
}

static void who_answers_may_still_be_joining(void **state)
{
    (void)state;
    struct roster roster;
    assert_int_equal(roster_read(STR("{\"cluster\": \"c1\", \"own\": 4, \"servers\": [{\"id\": 4, "
                                     "\"url\": \"\", \"state\": \"joining\"}]}"),
                                 &roster, NULL),
                     ERR_OK);
    assert_true(roster.outsider);
    assert_int_equal(roster_read(STR("{\"cluster\": \"c1\", \"own\": 1, \"servers\": [{\"id\": 1, "
                                     "\"url\": \"http://a:1\", \"state\": \"up\"}, {\"id\": 4, "
                                     "\"url\": \"http://b:1\", \"state\": \"copying\"}]}"),
                                 &roster, NULL),
                     ERR_OK);
    assert_false(roster.outsider);
}

static void what_is_no_such_answer_is_refused_with_a_reason(void **state)
{
    (void)state;
    static const char *const others[] = {
        "",
        "{",
        "[]",
        "null",
        "{\"cluster\": \"c1\"}",
        "{\"servers\": []}",
        "{\"cluster\": \"\", \"servers\": []}",
        "{\"cluster\": 7, \"servers\": []}",
        "{\"cluster\": \"c1\", \"servers\": {}}",
        "{\"cluster\": \"c1\", \"servers\": [], \"key\": \"00\"}",
        ("{\"cluster\": \"c1\", \"servers\": [{\"id\": 1, \"url\": \"http://a:1\"},"
         " {\"id\": 1, \"url\": \"http://b:1\"}]}"),
    };
    for (unsigned i = 0; i < COUNT_OF(others); i++) {
        struct roster roster;
        struct failure failure = {.text = ""};
        assert_int_equal(roster_read(str_of(others[i]), &roster, &failure), ERR_INVALID);
        assert_string_not_equal(failure.text, "");
    }
}

static void servers_that_make_no_sense_are_passed_over(void **state)
{
    (void)state;
    struct roster roster;
    assert_int_equal(
        roster_read(STR("{\"cluster\": \"c1\", \"servers\": [1, null, {}, {\"id\": 0, \"url\": "
                        "\"http://a:1\"}, {\"id\": -1, \"url\": \"http://a:1\"}, {\"id\": 1, "
                        "\"url\": \"ftp://a:1\"}, {\"id\": 2, \"url\": \"http://a:1/path\"},"
                        "{\"id\": 3, \"url\": \"http://a:1\", \"weight\": 99999999}]}"),
                    &roster, NULL),
        ERR_OK);
    assert_int_equal(roster.count, 1);
    assert_int_equal(roster.servers[0].id, 3);
    assert_int_equal(roster.servers[0].weight, POLICY_WEIGHT);
    assert_false(roster.keyed);
}

static void too_many_servers_are_refused(void **state)
{
    (void)state;
    char text[16384];
    struct roster roster;
    size_t len = (size_t)snprintf(text, sizeof text, "{\"cluster\": \"c1\", \"servers\": [");
    for (int i = 1; i <= BACKENDS_MAX + 1; i++)
        len += (size_t)snprintf(text + len, sizeof text - len,
                                "%s{\"id\": %d, \"url\": \"http://a:%d\"}", i > 1 ? "," : "", i, i);
    snprintf(text + len, sizeof text - len, "]}");
    assert_int_equal(roster_read(str_of(text), &roster, NULL), ERR_INVALID);
}

static void urls_are_taken_apart(void **state)
{
    (void)state;
    static const struct {
        const char *url, *host;
        bool tls;
    } good[] = {
        {"http://10.0.0.1:8080", "10.0.0.1:8080", false},
        {"http://10.0.0.1:8080/", "10.0.0.1:8080", false},
        {"10.0.0.1:8080", "10.0.0.1:8080", false},
        {"http://shop", "shop:80", false},
        {"https://shop", "shop:443", true},
        {"https://[::1]", "[::1]:443", true},
        {"http://[fe80::2]:99", "[fe80::2]:99", false},
    };
    static const char *const bad[] = {"",           "http://",     "http:///",     "http://a/b",
                                      "http://a?b", "http://u@a",  "http://a:x",   "http://a:99999",
                                      "http://::1", "https://[::", "gopher://a:1/"};
    char host[ROSTER_HOST];
    bool tls;
    for (unsigned i = 0; i < COUNT_OF(good); i++) {
        assert_int_equal(roster_url(str_of(good[i].url), &tls, host, NULL), ERR_OK);
        assert_string_equal(host, good[i].host);
        assert_int_equal(tls, good[i].tls);
    }
    for (unsigned i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(roster_url(str_of(bad[i]), &tls, host, NULL), ERR_INVALID);
}

static void fresher_answer_of_the_same_cluster_counts(void **state)
{
    (void)state;
    const struct roster known = {.cluster = "c1", .term = 5, .index = 100};
    struct roster now = known;
    assert_true(roster_replaces(&now, &known, 0));
    now.index = 99;
    assert_false(roster_replaces(&now, &known, 9 * SEC_NS));
    assert_true(roster_replaces(&now, &known, 10 * SEC_NS)); /* from a backup, maybe */
    now.term = 6;
    assert_true(roster_replaces(&now, &known, 0));
    now.term = 4;
    now.index = 1000;
    assert_false(roster_replaces(&now, &known, 0));
    now = known;
    now.term = 99;
    str_copy(now.cluster, sizeof now.cluster, STR("c2"));
    assert_false(roster_replaces(&now, &known, 100 * SEC_NS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_is_read_with_all_who_can_be_reached),
        cmocka_unit_test(who_answers_may_still_be_joining),
        cmocka_unit_test(what_is_no_such_answer_is_refused_with_a_reason),
        cmocka_unit_test(servers_that_make_no_sense_are_passed_over),
        cmocka_unit_test(too_many_servers_are_refused),
        cmocka_unit_test(urls_are_taken_apart),
        cmocka_unit_test(fresher_answer_of_the_same_cluster_counts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
