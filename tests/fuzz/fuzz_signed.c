/* What strangers send about signatures and themselves: the fields Signature-Input (first line),
 * Signature (second) and Content-Digest (third), a profile (all that follows); the registry's
 * entry of keys; and texts that go into mail. */
#include "base/check.h"
#include "outside/content_digest.h"
#include "outside/http_signature.h"
#include "outside/mail_text.h"
#include "outside/profile.h"
#include "outside/signing_keys.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_signature(struct arena *arena, struct str input, struct str signature)
{
    struct http_header headers[] = {{STR("signature-input"), input, 0},
                                    {STR("signature"), signature, 0},
                                    {STR("content-type"), input, 0}};
    struct signature_message message = {.method = STR("POST"),
                                        .scheme = STR("https"),
                                        .authority = STR("a"),
                                        .headers = headers,
                                        .header_count = 3};
    struct signature_found found;
    struct buf base;
    if (signature_find(&message, arena, &found, NULL))
        return;
    buf_init(&base, SIGNATURE_BASE_MAX);
    if (signature_base(&message, found.covered, &base, NULL) == 0)
        CHECK(str_ends(buf_text(&base), found.covered));
    buf_close(&base);
}

/* Whatever it is, a header is one line and its folds, and a body has no line of more than 76. */
static void write_mail(struct str text)
{
    struct buf out;
    struct str rest, line;
    buf_init(&out, 8 << 20);
    mail_put_header(&out, "Subject", text);
    mail_put_quoted(&out, text);
    rest = buf_text(&out);
    CHECK(!out.failed);
    while (rest.len && str_cut(&rest, '\n', &line)) {
        CHECK(line.len >= 1 && line.len <= 78 && line.at[line.len - 1] == '\r');
        CHECK(str_find_byte(str_sub(line, 0, line.len - 1), '\r') < 0);
    }
    buf_close(&out);
    if (mail_is_address(text))
        CHECK(str_find_byte(text, '\n') < 0 && str_find_byte(text, '>') < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_make(data, size), input, signature, digest;
    struct signature_message message = {0};
    struct signing_keys keys;
    char url[PROFILE_URL_MAX + 1];
    struct arena arena;
    arena_init(&arena, 8 << 20);
    signing_keys_parse(rest, &keys, NULL);
    signing_keys_prune(&keys, 1795361400000);
    signing_keys_current(&keys, 1795361400000);
    signature_take_url(&message, rest);
    write_mail(rest);
    if (str_cut(&rest, '\n', &input) && str_cut(&rest, '\n', &signature) &&
        str_cut(&rest, '\n', &digest)) {
        read_signature(&arena, input, signature);
        content_digest_check(digest, rest);
        if (profile_webhook_url(rest, false, url, NULL) == 0)
            CHECK(profile_is_address(str_of(url), false));
    }
    arena_close(&arena);
    return 0;
}
