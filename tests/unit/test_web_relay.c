/* What goes from server to server: headers of a relayed request, and what is remembered of media.
 */
#include "web/media.h"
#include "web/relay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void what_belongs_to_one_connection_stays_there(void **state)
{
    (void)state;
    static const char *const local[] = {
        "Connection",       "keep-alive", "TE",           "Trailer",          "Transfer-Encoding",
        "Upgrade",          "Host",       "Expect",       "Proxy-Connection", "Content-Length",
        "Content-Encoding", "Date",       "stoa-relayed", ":authority",       ""};
    for (unsigned i = 0; i < sizeof local / sizeof *local; i++)
        assert_false(relay_passes(str_of(local[i]), STR_NONE));
}

static void what_a_message_calls_its_connections_own_stays_too(void **state)
{
    (void)state;
    assert_true(relay_passes(STR("X-Hop"), STR_NONE));
    assert_true(relay_passes(STR("X-Hop"), STR("close")));
    assert_false(relay_passes(STR("X-Hop"), STR("close, x-hop")));
    assert_false(relay_passes(STR("X-Hop"), STR("X-HOP,close")));
}

static void who_asks_and_what_is_answered_goes_along(void **state)
{
    (void)state;
    static const char *const passing[] = {"Cookie",        "Set-Cookie",      "ETag",
                                          "Stoa-Session",  "Idempotency-Key", "UCP-Agent",
                                          "Authorization", "If-None-Match",   "Location",
                                          "Retry-After",   "Cache-Control",   "Origin"};
    for (unsigned i = 0; i < sizeof passing / sizeof *passing; i++)
        assert_true(relay_passes(str_of(passing[i]), STR("keep-alive")));
}

static bool varies(const char *name, const char *value)
{
    struct http_header headers[] = {{STR("Cache-Control"), STR("no-store"), 0},
                                    {str_of(name), str_of(value), 0}};
    static struct exchange x;
    x.answer_headers = headers;
    x.answer_header_count = 2;
    return relay_varies(&x);
}

static void what_the_other_server_would_have_compressed_may_be(void **state)
{
    (void)state;
    assert_true(varies("Vary", "accept-encoding"));
    assert_true(varies("vary", "Cookie, Accept-Encoding"));
    assert_false(varies("Vary", "Cookie"));
    assert_false(varies("X-Vary", "Accept-Encoding"));
}

static void what_is_nowhere_is_believed_for_a_while(void **state)
{
    (void)state;
    static struct media_memory memory;
    assert_false(media_remembers(&memory, 7, 0));
    media_remember(&memory, 7, 100);
    assert_true(media_remembers(&memory, 7, 99));
    assert_false(media_remembers(&memory, 7, 100));
    assert_false(media_remembers(&memory, 8, 99));
}

static void memory_of_many_names_stays_small_and_true(void **state)
{
    (void)state;
    static struct media_memory memory;
    for (uint64_t name = 0; name < 10000; name++)
        media_remember(&memory, name, 100);
    for (uint64_t name = 0; name < 10000; name++)
        assert_int_equal(media_remembers(&memory, name, 99), name >= 10000 - MEDIA_FORGETFUL_SLOTS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_belongs_to_one_connection_stays_there),
        cmocka_unit_test(what_a_message_calls_its_connections_own_stays_too),
        cmocka_unit_test(who_asks_and_what_is_answered_goes_along),
        cmocka_unit_test(what_the_other_server_would_have_compressed_may_be),
        cmocka_unit_test(what_is_nowhere_is_believed_for_a_while),
        cmocka_unit_test(memory_of_many_names_stays_small_and_true),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
