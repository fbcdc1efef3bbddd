#include "outside/content_digest.h"

#include "base/base64.h"
#include "base/err.h"
#include "http/structured.h"
#include "net/sha256.h"

void content_digest_write(struct str body, char out[static CONTENT_DIGEST_SIZE])
{
    unsigned char digest[SHA256_SIZE];
    struct buf text;
    sha256_of(body, digest);
    buf_init(&text, CONTENT_DIGEST_SIZE);
    buf_puts(&text, "sha-256=");
    structured_put_bytes(&text, str_make(digest, sizeof digest));
    str_copy(out, CONTENT_DIGEST_SIZE, buf_text(&text));
    buf_close(&text);
}

static int check_one(struct str text, struct str body)
{
    unsigned char given[SHA256_SIZE], right[SHA256_SIZE];
    size_t len = 0;
    if (base64_decode(BASE64_PADDED, text, given, sizeof given, &len) || len != sizeof given)
        return ERR_INVALID;
    sha256_of(body, right);
    return memcmp(given, right, sizeof right) == 0 ? 0 : ERR_CONFLICT;
}

int content_digest_check(struct str header, struct str body)
{
    struct str rest = header, key;
    int found = ERR_UNSUPPORTED, err;
    while ((err = structured_key(&rest, &key)) == 0) {
        struct structured_item item;
        if (structured_item(&rest, &item) || item.kind != STRUCTURED_BYTES)
            return ERR_INVALID;
        if (str_eq(key, STR("sha-256")))
            found = check_one(item.text, body);
        err = structured_next(&rest);
        if (err == ERR_NOTFOUND)
            return found;
        if (err)
            return err;
    }
    return err == ERR_NOTFOUND ? found : err;
}
