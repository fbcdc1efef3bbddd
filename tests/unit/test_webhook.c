#include "outside/http_signature.h"
#include "outside/retry_schedule.h"
#include "outside/telling.h"
#include "outside/webhook.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

static struct str header(const struct http_header *headers, struct str name)
{
    for (int i = 0; i < WEBHOOK_HEADERS; i++)
        if (str_eq(headers[i].name, name))
            return headers[i].value;
    fail_msg("no header %.*s", STR_FMT(name));
    return STR_NONE;
}

static void check_request(const char *url, bool has_query)
{
    struct http_header headers[WEBHOOK_HEADERS];
    struct webhook_request request = {.url = str_of(url),
                                      .body = STR("{}"),
                                      .happened_ms = 1795361400999,
                                      .agent = STR("https://shop.example/.well-known/ucp")};
    struct signature_message message = {
        .method = STR("POST"), .headers = headers, .header_count = WEBHOOK_HEADERS};
    struct signature_found found;
    struct es256_key *key;
    struct arena arena;
    arena_init(&arena, 1 << 20);
    assert_int_equal(id_parse(STR("0193a1b2c3d47e5f8a9b0c1d2e3f4a5b"), &request.event), 0);
    assert_int_equal(es256_new(&key, NULL), 0);
    assert_int_equal(webhook_sign(&request, key, STR("name"), 1795361402, &arena, headers, NULL),
                     0);
    assert_true(
        str_eq(header(headers, STR("Webhook-Id")), STR("0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")));
    assert_true(str_eq(header(headers, STR("Idempotency-Key")),
                       STR("0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")));
    assert_true(str_eq(header(headers, STR("Webhook-Timestamp")), STR("1795361400")));
    assert_true(str_eq(header(headers, STR("UCP-Agent")),
                       STR("profile=\"https://shop.example/.well-known/ucp\"")));
    assert_true(str_eq(header(headers, STR("Content-Digest")),
                       STR("sha-256=:RBNvo1WzZ4oRRq0W9+hknpT7T8If536DEMBg9hyq/4o=:")));
    assert_int_equal(signature_take_url(&message, str_of(url)), 0);
    assert_int_equal(signature_find(&message, &arena, &found, NULL), 0);
    assert_int_equal(signature_check(&message, &found, key, NULL), 0);
    assert_true(str_eq(found.key_id, STR("name")));
    assert_int_equal(found.algorithm.len, 0); /* UCP: it follows from the key */
    static const char *const covered[] = {"@method",      "@authority",      "@path",
                                          "ucp-agent",    "idempotency-key", "content-digest",
                                          "content-type", "webhook-id",      "webhook-timestamp"};
    for (size_t i = 0; i < sizeof covered / sizeof *covered; i++)
        assert_true(signature_covers(&found, str_of(covered[i])));
    assert_int_equal(signature_covers(&found, STR("@query")), has_query);
    es256_free(key);
    arena_close(&arena);
}

static void a_request_is_signed_as_ucp_asks(void **state)
{
    (void)state;
    check_request("https://platform.example/webhooks/ucp/orders", false);
    check_request("https://platform.example:8443/?shop=7", true);
    check_request("http://127.0.0.1:1234", false);
}

static void tries_are_farther_apart_and_end_after_three_days(void **state)
{
    int64_t age = 0, hours = 3600 * 1000;
    unsigned tries = 1;
    (void)state;
    assert_int_equal(retry_schedule_wait_ms(-1000), 6000); /* clocks differ */
    for (int64_t wait; (wait = retry_schedule_wait_ms(age)) != 0; tries++) {
        assert_true(wait > 0);
        age += wait;
    }
    assert_int_equal(tries, 10);
    assert_in_range(age, 75 * hours, 76 * hours);
    assert_int_equal(retry_schedule_wait_ms(0), 5000);
    assert_int_equal(retry_schedule_wait_ms(5000), 300 * 1000);
    assert_int_equal(retry_schedule_wait_ms(INT64_MAX), 0);
}

static void addresses_of_strangers_are_judged(void **state)
{
    static const char *const good[] = {"https://a", "https://a/", "https://a:1/b?c=d",
                                       "https://[2001:db8::1]:8/x"};
    static const char *const bad[] = {
        "",           "http://a",         "ftp://a",         "https://",     "https:///x",
        "https://:8", "https://u@a/",     "https://u:p@a/",  "https://a/ b", "https://a/\n",
        "https://a#", "https://a\\@b/",   "HTTPS://a",       "//a",          "https://\xc3\xa9/",
        "a",          "http://127.0.0.1", "http://localhost"};
    char longest[PROFILE_URL_MAX + 2];
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_true(profile_is_address(str_of(good[i]), false));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (profile_is_address(str_of(bad[i]), false))
            fail_msg("%s is taken", bad[i]);
    assert_true(profile_is_address(STR("http://127.0.0.1:80/x"), true));
    assert_true(profile_is_address(STR("http://[::1]/x"), true));
    assert_true(profile_is_address(STR("http://[::1]:80/x"), true));
    assert_true(profile_is_address(STR("http://localhost:8285/x"), true));
    assert_false(profile_is_address(STR("http://a/x"), true));
    assert_false(profile_is_address(STR("http://localhost.example/x"), true));
    assert_false(profile_is_address(STR("http://127.0.0.1.example/x"), true));
    memset(longest, 'a', sizeof longest);
    memcpy(longest, "https://", 8);
    assert_true(profile_is_address(str_make(longest, PROFILE_URL_MAX), false));
    assert_false(profile_is_address(str_make(longest, PROFILE_URL_MAX + 1), false));
}

#define PROFILE(entries) "{\"ucp\":{\"capabilities\":{\"dev.ucp.shopping.order\":" entries "}}}"

static void a_profile_says_where_webhooks_go(void **state)
{
    static const struct {
        const char *text;
        int err;
    } rows[] = {
        {"", ERR_INVALID},
        {"[]", ERR_INVALID},
        {"{\"ucp\":[]}", ERR_INVALID},
        {"{\"ucp\":{}}", ERR_NOTFOUND},
        {PROFILE("{}"), ERR_NOTFOUND},
        {PROFILE("[]"), ERR_NOTFOUND},
        {PROFILE("[{}]"), ERR_NOTFOUND},
        {PROFILE("[{\"config\":{\"webhook_url\":7}}]"), ERR_NOTFOUND},
        {PROFILE("[{\"config\":{\"webhook_url\":\"http://a/\"}}]"), ERR_INVALID},
        {PROFILE("[{\"config\":{\"webhook_url\":\"https://a/\\r\\nX: y\"}}]"), ERR_INVALID},
        {PROFILE("[{\"config\":{\"webhook_url\":\"https://a/w\"}}]"), 0},
        {PROFILE("[{\"version\":\"2025-01-01\",\"config\":{\"webhook_url\":\"https://old/\"}},"
                 "{\"version\":\"2026-04-08\",\"config\":{\"webhook_url\":\"https://a/w\"}}]"),
         0},
        {PROFILE("[{\"version\":\"2026-04-08\",\"config\":{\"webhook_url\":\"https://a/w\"}},"
                 "{\"version\":\"2025-01-01\",\"config\":{\"webhook_url\":\"https://old/\"}}]"),
         0},
    };
    char url[PROFILE_URL_MAX + 1];
    struct failure failure = {0};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(profile_webhook_url(str_of(rows[i].text), false, url, &failure),
                         rows[i].err);
        if (!rows[i].err)
            assert_string_equal(url, "https://a/w");
    }
}

/* Nothing listens on port 1: each fetch fails, and pauses grow. */
struct asked {
    struct profile_question question;
    pthread_mutex_t mutex;
    pthread_cond_t told;
    bool over;
};

static void note(struct profile_question *question)
{
    struct asked *asked = (struct asked *)question;
    pthread_mutex_lock(&asked->mutex);
    asked->over = true;
    pthread_cond_signal(&asked->told);
    pthread_mutex_unlock(&asked->mutex);
}

static void ask(struct profiles *profiles, struct asked *asked, const char *url)
{
    asked->over = false;
    asked->question.url = str_of(url);
    asked->question.done = note;
    profile_ask(profiles, &asked->question);
    pthread_mutex_lock(&asked->mutex);
    while (!asked->over)
        pthread_cond_wait(&asked->told, &asked->mutex);
    pthread_mutex_unlock(&asked->mutex);
}

static void a_profile_that_cannot_be_fetched_is_left_alone_for_a_while(void **state)
{
    struct asked asked = {.mutex = PTHREAD_MUTEX_INITIALIZER, .told = PTHREAD_COND_INITIALIZER};
    struct profiles_config config = {.allow_private = true};
    struct profiles *profiles;
    (void)state;
    assert_int_equal(transfers_new(&(struct transfers_config){0}, &config.transfers), 0);
    assert_int_equal(profiles_new(&config, &profiles, NULL), 0);
    ask(profiles, &asked, "http://127.0.0.1:1/profile");
    assert_int_equal(asked.question.err, ERR_UNREACHED);
    assert_in_range(asked.question.wait_ms, 1, PROFILE_PAUSE_LEAST_MS + 1);
    ask(profiles, &asked, "http://127.0.0.1:1/profile"); /* within the pause: the same again */
    assert_int_equal(asked.question.err, ERR_UNREACHED);
    ask(profiles, &asked, "ftp://127.0.0.1/profile");
    assert_int_equal(asked.question.err, ERR_UNSUPPORTED);
    for (int i = 0; i < 2 * PROFILE_KEPT_MAX;
         i++) { /* no more of them are kept than there may be */
        char url[64];
        snprintf(url, sizeof url, "http://127.0.0.1:1/%d", i);
        ask(profiles, &asked, url);
        assert_int_equal(asked.question.err, ERR_UNREACHED);
    }
    transfers_free(config.transfers, 0);
    profiles_free(profiles);
}

static void private_addresses_are_not_asked_for_strangers(void **state)
{
    struct asked asked = {.mutex = PTHREAD_MUTEX_INITIALIZER, .told = PTHREAD_COND_INITIALIZER};
    struct profiles_config config = {.allow_private = false};
    struct profiles *profiles;
    (void)state;
    assert_int_equal(transfers_new(&(struct transfers_config){0}, &config.transfers), 0);
    assert_int_equal(profiles_new(&config, &profiles, NULL), 0);
    ask(profiles, &asked, "https://127.0.0.1:1/profile");
    assert_int_equal(asked.question.err, ERR_TRUST);
    ask(profiles, &asked, "https://[::ffff:10.0.0.1]/profile");
    assert_int_equal(asked.question.err, ERR_TRUST);
    transfers_free(config.transfers, 0);
    profiles_free(profiles);
}

static struct outbox_said failed_at(int64_t age_ms, int64_t least_ms)
{
    static struct failure whole;
    const struct outbox_row row = {.time_ms = 1000};
    return telling_failed(&row, 1000 + age_ms, least_ms, "it is away", &whole);
}

/* Retry-After may make a wait longer, never shorter, and not beyond all bounds. */
static void what_is_asked_for_never_shortens_the_schedule(void **state)
{
    (void)state;
    assert_int_equal(failed_at(5000, 0).sent, OUTBOX_SENT_LATER);
    assert_int_equal(failed_at(5000, 0).wait_ms, 300 * 1000);
    assert_int_equal(failed_at(5000, 1000).wait_ms, 300 * 1000);
    assert_int_equal(failed_at(5000, 400 * 1000).wait_ms, 400 * 1000);
    assert_int_equal(failed_at(5000, INT64_MAX).wait_ms, 24 * 3600 * 1000);
    assert_int_equal(failed_at(INT64_MAX / 2, 1000).sent, OUTBOX_SENT_NEVER);
    assert_true(str_ends(failed_at(INT64_MAX / 2, 1000).text, STR("it is away")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_is_signed_as_ucp_asks),
        cmocka_unit_test(tries_are_farther_apart_and_end_after_three_days),
        cmocka_unit_test(what_is_asked_for_never_shortens_the_schedule),
        cmocka_unit_test(addresses_of_strangers_are_judged),
        cmocka_unit_test(a_profile_says_where_webhooks_go),
        cmocka_unit_test(a_profile_that_cannot_be_fetched_is_left_alone_for_a_while),
        cmocka_unit_test(private_addresses_are_not_asked_for_strangers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
