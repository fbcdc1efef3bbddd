#include "main/token.h"

#include "base/wire.h"
#include "net/openssl.h"

#include <stdlib.h>

enum {
    TOKEN_VERSION = 1,
    TOKEN_WITNESS = 2,
    CHECK_BYTES = 4,
    SHA256_BYTES = 32,
    RECORD_MAX = TOKEN_TEXT / 2
};

static const struct str prefix = {"stoa-join-", 10};

static void sha256(const void *bytes, size_t len, unsigned char out[SHA256_BYTES])
{
    unsigned size = SHA256_BYTES;
    memset(out, 0, SHA256_BYTES);
    EVP_Digest(bytes, len, out, &size, EVP_sha256(), NULL);
}

void token_key(const unsigned char secret[TOKEN_SECRET], char out[TOKEN_KEY])
{
    unsigned char digest[SHA256_BYTES];
    sha256(secret, TOKEN_SECRET, digest);
    memcpy(out, "token/", 6);
    hex_encode(digest, sizeof digest, out + 6);
}

void token_encode(struct buf *out, const struct token *token)
{
    struct buf record;
    unsigned char digest[SHA256_BYTES], fingerprint[SHA256_BYTES] = {0};
    hex_decode(str_of(token->fingerprint), fingerprint, sizeof fingerprint);
    buf_init(&record, RECORD_MAX);
    wire_put_u64(&record, token->witness ? TOKEN_WITNESS : TOKEN_VERSION);
    wire_put_raw(&record, token->cluster.bytes, sizeof token->cluster.bytes);
    wire_put_raw(&record, fingerprint, sizeof fingerprint);
    wire_put_raw(&record, token->secret, sizeof token->secret);
    wire_put_i64(&record, token->expires_ms);
    wire_put_u64(&record, token->address_count);
    for (unsigned i = 0; i < token->address_count; i++)
        wire_put_str(&record, str_of(token->addresses[i]));
    sha256(record.at, record.len, digest);
    wire_put_raw(&record, digest, CHECK_BYTES);
    out->failed |= record.failed;
    buf_str(out, prefix);
    char *room = record.failed ? NULL : buf_room(out, 2 * record.len + 1);
    if (room) {
        hex_encode(record.at, record.len, room);
        out->len += 2 * record.len;
    }
    buf_close(&record);
}

static int read_record(struct str record, struct token *token)
{
    unsigned char fingerprint[SHA256_BYTES];
    struct wire in = wire_of(record);
    uint64_t version = wire_u64(&in);
    if (version != TOKEN_VERSION && version != TOKEN_WITNESS)
        return ERR_UNSUPPORTED;
    token->witness = version == TOKEN_WITNESS;
    wire_raw(&in, token->cluster.bytes, sizeof token->cluster.bytes);
    wire_raw(&in, fingerprint, sizeof fingerprint);
    hex_encode(fingerprint, sizeof fingerprint, token->fingerprint);
    wire_raw(&in, token->secret, sizeof token->secret);
    token->expires_ms = wire_i64(&in);
    token->address_count = (unsigned)wire_u64_max(&in, TOKEN_ADDRESSES);
    for (unsigned i = 0; i < token->address_count && !in.bad; i++) {
        struct str address = wire_str(&in);
        in.bad |= address.len == 0 || address.len >= SERVER_ADDRESS;
        str_copy(token->addresses[i], SERVER_ADDRESS, address);
    }
    return in.bad || wire_left(&in) || token->address_count == 0 ? ERR_INVALID : 0;
}

int token_decode(struct str text, struct token *token, struct failure *failure)
{
    unsigned char bytes[RECORD_MAX], digest[SHA256_BYTES];
    *token = (struct token){0};
    text = str_trim(text);
    if (!str_starts(text, prefix))
        return fail(failure, ERR_INVALID,
                    "this is no token: one begins with \"%.*s\" (make one by `stoa token`)",
                    STR_FMT(prefix));
    struct str hex = str_from(text, prefix.len);
    size_t len = hex.len / 2;
    if (hex.len % 2 || len <= CHECK_BYTES || len > sizeof bytes || hex_decode(hex, bytes, len))
        return fail(failure, ERR_INVALID, "the token is not whole: copy all of it");
    len -= CHECK_BYTES;
    sha256(bytes, len, digest);
    if (memcmp(digest, bytes + len, CHECK_BYTES) != 0)
        return fail(failure, ERR_INVALID, "the token is not whole: copy all of it");
    int err = read_record(str_make(bytes, len), token);
    return err ? fail(failure, err, "the token is of another version of stoa") : 0;
}
