#include "outside/signing_keys.h"

#include "base/base64.h"
#include "net/seal.h"
#include "net/sign.h"

#include <string.h>

enum { SEALED_MAX = 1024 };

/* ---- The entry ---- */

static bool take_key(struct str line, struct signing_key *key)
{
    struct str made;
    return str_cut(&line, ' ', &made) && str_to_i64(made, &key->made_ms) == 0 &&
           str_cut(&line, ' ', &key->name) && key->name.len && str_cut(&line, ' ', &key->x) &&
           key->x.len && str_cut(&line, ' ', &key->y) && key->y.len &&
           str_cut(&line, ' ', &key->sealed) && key->sealed.len && !line.at;
}

int signing_keys_parse(struct str text, struct signing_keys *keys, struct failure *failure)
{
    struct str line;
    *keys = (struct signing_keys){0};
    while (text.len && str_cut(&text, '\n', &line)) {
        if (keys->count == SIGNING_KEYS_MAX || !take_key(line, &keys->keys[keys->count]))
            return fail(failure, ERR_DAMAGED,
                        "the registry's entry " SIGNING_KEYS_ENTRY " cannot be read");
        keys->count++;
    }
    return 0;
}

static void put_key(struct buf *text, const struct signing_key *key)
{
    buf_printf(text, "%lld %.*s %.*s %.*s %.*s\n", (long long)key->made_ms, STR_FMT(key->name),
               STR_FMT(key->x), STR_FMT(key->y), STR_FMT(key->sealed));
}

/* ---- Which ---- */

/* Index of the newest that has rested, else of the oldest; -1: none. */
static int current(const struct signing_keys *keys, int64_t now_ms)
{
    for (unsigned i = keys->count; i-- > 0;)
        if (i == 0 || keys->keys[i].made_ms + SIGNING_KEY_REST_MS <= now_ms)
            return (int)i;
    return -1;
}

const struct signing_key *signing_keys_current(const struct signing_keys *keys, int64_t now_ms)
{
    int at = current(keys, now_ms);
    return at < 0 ? NULL : &keys->keys[at];
}

void signing_keys_prune(struct signing_keys *keys, int64_t now_ms)
{
    int last = current(keys, now_ms);
    unsigned kept = 0;
    for (unsigned i = 0; i < keys->count; i++)
        if ((int)i >= last || keys->keys[i + 1].made_ms + SIGNING_KEY_OLD_MS > now_ms)
            keys->keys[kept++] = keys->keys[i];
    keys->count = kept;
}

/* ---- Private halves ---- */

/* A key for sealing that is used for nothing else, although the secret is. */
static void sealing_key(const unsigned char *secret, unsigned char out[static SEAL_KEY])
{
    static const char purpose[] = "stoa signing keys";
    sign_hmac(secret, SIGNING_SECRET, purpose, sizeof purpose - 1, out);
}

int signing_key_open(const struct signing_key *key,
                     const unsigned char secret[static SIGNING_SECRET], struct es256_key **out,
                     struct failure *failure)
{
    unsigned char sealed[SEALED_MAX], sealing[SEAL_KEY];
    size_t len = 0;
    struct buf pem;
    *out = NULL;
    if (base64_decode(BASE64_URL, key->sealed, sealed, sizeof sealed, &len))
        return fail(failure, ERR_DAMAGED, "the signing key %.*s cannot be read",
                    STR_FMT(key->name));
    buf_init(&pem, SEALED_MAX + 1);
    sealing_key(secret, sealing);
    int err = seal_open(sealing, key->name, str_make(sealed, len), &pem);
    memset(sealing, 0, sizeof sealing);
    if (err)
        fail(failure, err,
             "the signing key %.*s was sealed under another secret than this shop's; make a new "
             "one by `stoa key rotate --at-once`",
             STR_FMT(key->name));
    else
        err = es256_read(buf_text(&pem), out, failure);
    if (pem.at)
        explicit_bzero(pem.at, pem.cap);
    buf_close(&pem);
    return err;
}

/* Appends KEY's line. */
static int put_new(struct buf *text, const struct es256_key *key, const unsigned char *secret,
                   int64_t now_ms, struct failure *failure)
{
    unsigned char sealing[SEAL_KEY];
    struct es256_public names;
    struct buf pem, sealed, letters;
    buf_init(&pem, SEALED_MAX);
    buf_init(&sealed, SEALED_MAX);
    buf_init(&letters, SEALED_MAX * 2);
    int err = es256_publish(key, &names, failure);
    err = err ? err : es256_write(key, &pem, failure);
    if (!err) {
        sealing_key(secret, sealing);
        err = seal(sealing, str_of(names.thumbprint), buf_text(&pem), &sealed);
        memset(sealing, 0, sizeof sealing);
        base64_put(&letters, BASE64_URL, buf_text(&sealed));
        if (err || letters.failed)
            err = fail(failure, ERR_INTERNAL, "the new signing key cannot be sealed");
    }
    if (!err)
        put_key(text, &(struct signing_key){now_ms, str_of(names.thumbprint), str_of(names.x),
                                            str_of(names.y), buf_text(&letters)});
    if (pem.at)
        explicit_bzero(pem.at, pem.cap);
    buf_close(&pem);
    buf_close(&sealed);
    buf_close(&letters);
    return err;
}

int signing_keys_add(const struct signing_keys *keys,
                     const unsigned char secret[static SIGNING_SECRET], int64_t now_ms,
                     bool at_once, struct buf *text, struct failure *failure)
{
    struct signing_keys kept = *keys;
    struct es256_key *key;
    if (at_once)
        kept.count = 0;
    signing_keys_prune(&kept, now_ms);
    /* Never out of order, though a server's clock may be behind that of the last one. */
    if (kept.count && kept.keys[kept.count - 1].made_ms >= now_ms)
        now_ms = kept.keys[kept.count - 1].made_ms + 1;
    for (unsigned i = 0; i < kept.count; i++)
        put_key(text, &kept.keys[i]);
    if (kept.count == SIGNING_KEYS_MAX)
        return fail(failure, ERR_FULL,
                    "%u keys were made within a week, and platforms may still need them: wait, or "
                    "drop them all by --at-once",
                    kept.count);
    int err = es256_new(&key, failure);
    if (err)
        return err;
    err = put_new(text, key, secret, now_ms, failure);
    es256_free(key);
    if (!err && (text->failed || text->len > SIGNING_KEYS_TEXT))
        err = fail(failure, ERR_FULL, "too many signing keys: wait, or drop them by --at-once");
    return err;
}
