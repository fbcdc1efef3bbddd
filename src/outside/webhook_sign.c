#include "outside/content_digest.h"
#include "outside/http_signature.h"
#include "outside/webhook.h"

#include <stdio.h>

enum { FIELD_MAX = 2048 };

/* The 36 characters of RFC 9562 §4. */
static struct str uuid_text(struct arena *arena, struct id id)
{
    char hex[ID_TEXT];
    id_text(id, hex);
    return arena_printf(arena, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12, hex + 16,
                        hex + 20);
}

static bool put_plain(const struct webhook_request *request, struct arena *arena,
                      struct http_header *headers)
{
    char digest[CONTENT_DIGEST_SIZE];
    struct str id = uuid_text(arena, request->event);
    content_digest_write(request->body, digest);
    headers[0] = (struct http_header){STR("Content-Type"), STR("application/json"), 0};
    headers[1] = (struct http_header){STR("Webhook-Id"), id, 0};
    headers[2] = (struct http_header){STR("Idempotency-Key"), id, 0};
    headers[3] = (struct http_header){
        STR("Webhook-Timestamp"),
        arena_printf(arena, "%lld", (long long)(request->happened_ms / 1000)), 0};
    headers[4] = (struct http_header){
        STR("UCP-Agent"), arena_printf(arena, "profile=\"%.*s\"", STR_FMT(request->agent)), 0};
    headers[5] = (struct http_header){STR("Content-Digest"), arena_str(arena, str_of(digest)), 0};
    headers[6] = (struct http_header){STR("User-Agent"), STR("stoa/" STOA_VERSION), 0};
    for (int i = 0; i <= 6; i++)
        if (!headers[i].value.at)
            return false;
    return true;
}

int webhook_sign(const struct webhook_request *request, const struct es256_key *key,
                 struct str key_name, int64_t now_s, struct arena *arena,
                 struct http_header headers[static WEBHOOK_HEADERS], struct failure *failure)
{
    struct str components[] = {STR("@method"),
                               STR("@authority"),
                               STR("@path"),
                               STR("ucp-agent"),
                               STR("webhook-id"),
                               STR("idempotency-key"),
                               STR("webhook-timestamp"),
                               STR("content-digest"),
                               STR("content-type"),
                               STR("@query")};
    unsigned count = sizeof components / sizeof *components;
    struct signature_message message = {
        .method = STR("POST"), .headers = headers, .header_count = 7};
    struct buf input, signature;
    if (!put_plain(request, arena, headers))
        return fail(failure, ERR_NOMEM, "out of memory");
    if (signature_take_url(&message, request->url))
        return fail(failure, ERR_INVALID, "\"%.*s\" is no address", STR_FMT(request->url));
    count -= message.query.len == 0; /* the last: covered when there is one */
    buf_init(&input, FIELD_MAX);
    buf_init(&signature, FIELD_MAX);
    int err = signature_make(&message, components, count, key_name, now_s, key, &input, &signature,
                             failure);
    if (!err) {
        headers[7] =
            (struct http_header){STR("Signature-Input"), arena_str(arena, buf_text(&input)), 0};
        headers[8] =
            (struct http_header){STR("Signature"), arena_str(arena, buf_text(&signature)), 0};
        if (!headers[7].value.at || !headers[8].value.at)
            err = fail(failure, ERR_NOMEM, "out of memory");
    }
    buf_close(&input);
    buf_close(&signature);
    return err;
}
