#include "base/base64.h"
#include "http/structured.h"
#include "net/sha256.h"
#include "outside/content_digest.h"
#include "outside/http_signature.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h> /* last: it has a macro named fail */

/* clang-format off */
#define STR_INIT(literal) {"" literal, sizeof(literal) - 1}
#define HEADER(n, v) {.name = STR_INIT(n), .value = STR_INIT(v)}
/* clang-format on */
#define WEBHOOK_INPUT                                                                         \
    "(\"@method\" \"@authority\" \"@path\" \"ucp-agent\" \"idempotency-key\" \"webhook-id\" " \
    "\"webhook-timestamp\" \"content-digest\" \"content-type\");created=1795361402;"          \
    "keyid=\"test-key-ecc-p256\""
#define WEBHOOK_SIGNATURE \
    "su8iNH8dZdFWl0Ul090FL276YLHFXH2sgbMmHh5eyTkMZuVdSbPRb8q4QUz+uCL1wObmP56rq25CEWBZELCUIg=="

static const struct http_header webhook_headers[] = {
    HEADER("Content-Type", "application/json"),
    HEADER("UCP-Agent", "profile=\"https://shop.example/.well-known/ucp\""),
    HEADER("Webhook-Id", "0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"),
    HEADER("Idempotency-Key", "0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"),
    HEADER("Webhook-Timestamp", " 1795361400 "),
    HEADER("Content-Digest", "sha-256=:8hN3kMUnQVBWIx0Z+dH9jb9hmDTox0cXKn4zRlJ4Xjo=:"),
    HEADER("Signature-Input", "sig1=" WEBHOOK_INPUT),
    HEADER("Signature", "sig1=:" WEBHOOK_SIGNATURE ":"),
};
static const struct signature_message webhook = {
    .method = STR_INIT("POST"),
    .scheme = STR_INIT("https"),
    .authority = STR_INIT("Platform.Example.com:443"),
    .path = STR_INIT("/webhooks/ucp/orders"),
    .headers = webhook_headers,
    .header_count = sizeof webhook_headers / sizeof *webhook_headers,
};

static struct es256_key *test_key(void)
{
    struct es256_key *key;
    assert_int_equal(es256_read_public(STR("qIVYZVLCrPZHGHjP17CTW0_-D9Lfw0EkjqF7xB4FivA"),
                                       STR("Mc4nN9LTDOBhfoUeg8Ye9WedFRhnZXZJA12Qp0zZ6F0"), &key,
                                       NULL),
                     0);
    return key;
}

/* 0, or the first error of finding and checking. */
static int verify(const struct signature_message *message, const struct es256_key *key)
{
    struct signature_found found;
    struct failure failure = {0};
    struct arena arena;
    arena_init(&arena, 1 << 20);
    int err = signature_find(message, &arena, &found, &failure);
    err = err ? err : signature_check(message, &found, key, &failure);
    assert_true(!err || failure.text[0]);
    arena_close(&arena);
    return err;
}

static void the_base_is_as_the_rfc_has_it(void **state)
{
    unsigned char digest[SHA256_SIZE];
    char hex[2 * SHA256_SIZE + 1];
    struct buf base;
    (void)state;
    buf_init(&base, 4096);
    assert_int_equal(signature_base(&webhook, STR(WEBHOOK_INPUT), &base, NULL), 0);
    assert_int_equal(base.len, 579);
    sha256_of(buf_text(&base), digest);
    hex_encode(digest, sizeof digest, hex);
    assert_string_equal(hex, "28a3da03674e025b62eb38af8ea3c7ff8d60eb3cfa5dd3c998a05b25ee609e20");
    buf_close(&base);
}

static void a_signature_is_found_and_right(void **state)
{
    struct signature_found found;
    struct arena arena;
    struct es256_key *key = test_key();
    (void)state;
    arena_init(&arena, 1 << 20);
    assert_int_equal(signature_find(&webhook, &arena, &found, NULL), 0);
    assert_true(str_eq(found.label, STR("sig1")));
    assert_true(str_eq(found.key_id, STR("test-key-ecc-p256")));
    assert_int_equal(found.created, 1795361402);
    assert_int_equal(found.expires, -1);
    assert_int_equal(found.component_count, 9);
    assert_true(signature_covers(&found, STR("content-digest")));
    assert_false(signature_covers(&found, STR("@query")));
    assert_int_equal(signature_check(&webhook, &found, key, NULL), 0);
    arena_close(&arena);
    es256_free(key);
}

/* RFC 9421 B.2.4. */
static void an_answer_s_signature_is_right(void **state)
{
    static const struct http_header headers[] = {
        HEADER("Content-Type", "application/json"),
        HEADER("Content-Digest", "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l"
                                 "5oGX69wWdXymyU0rjJuahq4l5aGgfLQ==:"),
        HEADER("Content-Length", "23"),
        HEADER("Signature-Input",
               "sig-b24=(\"@status\" \"content-type\" \"content-digest\" \"content-length\")"
               ";created=1618884473;keyid=\"test-key-ecc-p256\""),
        HEADER("Signature", "sig-b24=:wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzD"
                            "nDAUy5eCdlYUEkLIj+32oiasw==:"),
    };
    struct signature_message answer = {.status = 200, .headers = headers, .header_count = 5};
    struct es256_key *key = test_key();
    (void)state;
    assert_int_equal(verify(&answer, key), 0);
    answer.status = 201;
    assert_int_equal(verify(&answer, key), ERR_DENIED);
    es256_free(key);
}

static void whatever_is_changed_is_noticed(void **state)
{
    struct es256_key *key = test_key();
    struct signature_message changed = webhook;
    (void)state;
    changed.method = STR("PUT");
    assert_int_equal(verify(&changed, key), ERR_DENIED);
    changed = webhook;
    changed.path = STR("/webhooks/ucp/orders/");
    assert_int_equal(verify(&changed, key), ERR_DENIED);
    changed = webhook;
    changed.authority = STR("platform.example.com:444");
    assert_int_equal(verify(&changed, key), ERR_DENIED);
    for (unsigned i = 0; i < webhook.header_count - 2; i++) {
        struct http_header headers[sizeof webhook_headers / sizeof *webhook_headers];
        memcpy(headers, webhook_headers, sizeof headers);
        changed = webhook;
        changed.headers = headers;
        headers[i].value = STR("other");
        assert_int_equal(verify(&changed, key), ERR_DENIED);
        headers[i].name = STR("gone");
        assert_int_equal(verify(&changed, key), ERR_NOTFOUND);
    }
    es256_free(key);
}

static void fields_of_several_lines_count_as_one(void **state)
{
    static const struct http_header headers[] = {HEADER("X", " a  b\t"), HEADER("y", "1"),
                                                 HEADER("x", "c")};
    struct signature_message message = {.method = STR("GET"),
                                        .scheme = STR("https"),
                                        .authority = STR("A:443"),
                                        .query = STR("?q"),
                                        .headers = headers,
                                        .header_count = 3};
    struct buf base;
    (void)state;
    buf_init(&base, 4096);
    assert_int_equal(signature_base(&message,
                                    STR("(\"x\" \"@path\" \"@query\" \"@target-uri\" "
                                        "\"@request-target\" \"@scheme\")"),
                                    &base, NULL),
                     0);
    buf_byte(&base, 0);
    assert_string_equal(base.at, "\"x\": a  b, c\n"
                                 "\"@path\": /\n"
                                 "\"@query\": ?q\n"
                                 "\"@target-uri\": https://a/?q\n"
                                 "\"@request-target\": /?q\n"
                                 "\"@scheme\": https\n"
                                 "\"@signature-params\": (\"x\" \"@path\" \"@query\" "
                                 "\"@target-uri\" \"@request-target\" \"@scheme\")");
    buf_close(&base);
}

static void what_is_signed_is_verified(void **state)
{
    static const struct str components[] = {STR_INIT("@method"), STR_INIT("@authority"),
                                            STR_INIT("@path"), STR_INIT("@query"),
                                            STR_INIT("content-type")};
    struct http_header headers[3] = {HEADER("content-type", "application/json")};
    struct signature_message message = {
        .method = STR("POST"), .headers = headers, .header_count = 1};
    struct es256_key *key;
    struct buf input, signature;
    (void)state;
    buf_init(&input, 1024);
    buf_init(&signature, 1024);
    assert_int_equal(es256_new(&key, NULL), 0);
    assert_int_equal(signature_take_url(&message, STR("http://[::1]:80/a/b?c=d#e")), 0);
    assert_true(str_eq(message.authority, STR("[::1]:80")));
    assert_true(str_eq(message.path, STR("/a/b")));
    assert_true(str_eq(message.query, STR("?c=d")));
    assert_int_equal(signature_make(&message, components, 5, STR("a \"key\\"), -1, key, &input,
                                    &signature, NULL),
                     0);
    headers[1] = (struct http_header){STR("signature-input"), buf_text(&input), 0};
    headers[2] = (struct http_header){STR("signature"), buf_text(&signature), 0};
    message.header_count = 3;
    assert_int_equal(verify(&message, key), 0);
    headers[0].value = STR("text/plain");
    assert_int_equal(verify(&message, key), ERR_DENIED);
    buf_clear(&input);
    message.header_count = 0;
    assert_int_equal(
        signature_make(&message, components, 5, STR("k"), 1, key, &input, &signature, NULL),
        ERR_NOTFOUND);
    es256_free(key);
    buf_close(&input);
    buf_close(&signature);
}

static void what_cannot_be_read_or_is_not_known_is_refused(void **state)
{
    static const struct {
        const char *input, *signature;
        int err;
    } rows[] = {
        {"", "sig1=:AA==:", ERR_INVALID},
        {"sig1", "sig1=:AA==:", ERR_INVALID},
        {"sig1=(", "", ERR_INVALID},
        {"sig1=(\"@method\"", "", ERR_INVALID},
        {"sig1=(\"@method\"\"@path\")", "", ERR_INVALID},
        {"sig1=(@method)", "", ERR_INVALID},
        {"sig1=(\"@method\");created=x", "", ERR_INVALID},
        {"sig1=(\"@method\");created=-1", "", ERR_INVALID},
        {"sig1=(\"@method\");created=1.5", "", ERR_INVALID},
        {"sig1=(\"@method\");created=1234567890123456", "", ERR_INVALID},
        {"sig1=(\"@method\");keyid=\"a", "", ERR_INVALID},
        {"sig1=(\"@method\");keyid=\"a\\b\"", "", ERR_INVALID},
        {"sig1=(\"@method\");keyid=a", "", ERR_INVALID},
        {"sig1=(\"@method\" \"@method\")", "", ERR_INVALID},
        {"sig1=(\"@method\"),sig1=(\"@path\")", "sig1=:AA==:", ERR_INVALID},
        {"sig1=(\"@method\"),", "sig1=:AA==:", ERR_INVALID},
        {"sig1=(\"@method\") x", "sig1=:AA==:", ERR_INVALID},
        {"sig1=(\"@method\";req)", "", ERR_UNSUPPORTED},
        {"sig1=(\"content-type\";key=\"a\")", "", ERR_UNSUPPORTED},
        {"sig1=(\"@method\");alg=\"rsa-pss-sha512\"", "sig1=:" WEBHOOK_SIGNATURE ":",
         ERR_UNSUPPORTED},
        {"sig1=(\"@method\")", "", ERR_INVALID},
        {"sig1=(\"@method\")", "sig2=:" WEBHOOK_SIGNATURE ":", ERR_INVALID},
        {"sig1=(\"@method\")", "sig1=:AA==:", ERR_INVALID},
        {"sig1=(\"@method\")", "sig1=\"" WEBHOOK_SIGNATURE "\"", ERR_INVALID},
        {"sig1=(\"@method\")", "sig1=:" WEBHOOK_SIGNATURE, ERR_INVALID},
        {"sig1=(\"@method\")", "sig1=:" WEBHOOK_SIGNATURE ":,", ERR_INVALID},
        {"sig1=(\"@method\")", "sig1=:" WEBHOOK_SIGNATURE ":,sig1=:" WEBHOOK_SIGNATURE ":",
         ERR_INVALID},
        {"sig1=(\"@status\")", "sig1=:" WEBHOOK_SIGNATURE ":", ERR_UNSUPPORTED},
        {"sig1=(\"@query-param\")", "sig1=:" WEBHOOK_SIGNATURE ":", ERR_UNSUPPORTED},
        {"sig1=(\"Content-Type\")", "sig1=:" WEBHOOK_SIGNATURE ":", ERR_INVALID},
        {"sig1=(\"\")", "sig1=:" WEBHOOK_SIGNATURE ":", ERR_INVALID},
        {"sig1=(\"other\")", "sig1=:" WEBHOOK_SIGNATURE ":", ERR_NOTFOUND},
        {"sig1=(\"@method\")", "sig1=:" WEBHOOK_SIGNATURE ":", ERR_DENIED},
        {"sig1=();x, b=()", "b=:AA==:;y=1 , sig1=:" WEBHOOK_SIGNATURE ":;z", ERR_DENIED},
    };
    struct es256_key *key = test_key();
    struct http_header headers[] = {HEADER("signature-input", ""), HEADER("signature", "")};
    struct signature_message message = {.method = STR("GET"),
                                        .scheme = STR("https"),
                                        .authority = STR("a"),
                                        .headers = headers,
                                        .header_count = 2};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        headers[0].value = str_of(rows[i].input);
        headers[1].value = str_of(rows[i].signature);
        if (verify(&message, key) != rows[i].err)
            fail_msg("row %zu: %s: %s, not %s", i, rows[i].input, err_name(verify(&message, key)),
                     err_name(rows[i].err));
    }
    message.header_count = 1;
    assert_int_equal(verify(&message, key), ERR_NOTFOUND);
    es256_free(key);
}

static void more_components_than_there_can_be_are_refused(void **state)
{
    struct buf input;
    struct es256_key *key = test_key();
    struct http_header headers[] = {HEADER("signature-input", ""),
                                    HEADER("signature", "s=:" WEBHOOK_SIGNATURE ":")};
    struct signature_message message = {
        .method = STR("GET"), .headers = headers, .header_count = 2};
    (void)state;
    buf_init(&input, 4096);
    buf_puts(&input, "s=(");
    for (int i = 0; i <= SIGNATURE_COMPONENTS_MAX; i++)
        buf_printf(&input, "\"h%d\" ", i);
    buf_puts(&input, ")");
    headers[0].value = buf_text(&input);
    assert_int_equal(verify(&message, key), ERR_UNSUPPORTED);
    buf_close(&input);
    es256_free(key);
}

static void a_line_break_cannot_stand_for_a_line_of_the_base(void **state)
{
    struct buf base;
    struct signature_message message = {
        .method = STR("GET\n\"@path\": /"), .scheme = STR("https"), .authority = STR("a")};
    (void)state;
    buf_init(&base, 4096);
    assert_int_equal(signature_base(&message, STR("(\"@method\")"), &base, NULL), ERR_INVALID);
    struct http_header folded = HEADER("x", "a\r\n b");
    message.headers = &folded;
    message.header_count = 1;
    assert_int_equal(signature_base(&message, STR("(\"x\")"), &base, NULL), ERR_INVALID);
    message.path = STR("/\xc3\xa9");
    assert_int_equal(signature_base(&message, STR("(\"@path\")"), &base, NULL), ERR_INVALID);
    buf_close(&base);
}

static void a_digest_is_of_these_very_bytes(void **state)
{
    char text[CONTENT_DIGEST_SIZE];
    (void)state;
    content_digest_write(STR("{\"id\":\"order_abc123\"}"), text);
    assert_string_equal(text, "sha-256=:8hN3kMUnQVBWIx0Z+dH9jb9hmDTox0cXKn4zRlJ4Xjo=:");
    assert_int_equal(content_digest_check(str_of(text), STR("{\"id\":\"order_abc123\"}")), 0);
    assert_int_equal(content_digest_check(str_of(text), STR("{\"id\":\"order_abc124\"}")),
                     ERR_CONFLICT);
    assert_int_equal(content_digest_check(STR("sha-512=:AA==:"), STR("")), ERR_UNSUPPORTED);
    assert_int_equal(content_digest_check(STR(""), STR("")), ERR_UNSUPPORTED);
    assert_int_equal(content_digest_check(STR("sha-256=:AA==:"), STR("")), ERR_INVALID);
    assert_int_equal(content_digest_check(STR("sha-256=1"), STR("")), ERR_INVALID);
    assert_int_equal(content_digest_check(STR("sha-256"), STR("")), ERR_INVALID);
    assert_int_equal(content_digest_check(STR("a=:AA==: , "
                                              "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU"
                                              "=:"),
                                          STR("")),
                     0);
    assert_int_equal(content_digest_check(STR("a=:AA==:,"), STR("")), ERR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_base_is_as_the_rfc_has_it),
        cmocka_unit_test(a_signature_is_found_and_right),
        cmocka_unit_test(an_answer_s_signature_is_right),
        cmocka_unit_test(whatever_is_changed_is_noticed),
        cmocka_unit_test(fields_of_several_lines_count_as_one),
        cmocka_unit_test(what_is_signed_is_verified),
        cmocka_unit_test(what_cannot_be_read_or_is_not_known_is_refused),
        cmocka_unit_test(more_components_than_there_can_be_are_refused),
        cmocka_unit_test(a_line_break_cannot_stand_for_a_line_of_the_base),
        cmocka_unit_test(a_digest_is_of_these_very_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
