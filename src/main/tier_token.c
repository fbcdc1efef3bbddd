#include "main/tier_token.h"

#include "base/random.h"
#include "net/openssl.h"
#include "net/sha256.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    DIGEST = 32,
    CHECK_BYTES = 4,
    BYTES = DIGEST + BRIDGE_KEY + CHECK_BYTES,
    PEM_MAX = 16 << 10
};

static const struct str prefix = {"stoa-tiers-", 11};

/* ---- The text ---- */

void tier_token_encode(const struct tier_token *token, char out[static TIER_TOKEN_TEXT])
{
    unsigned char bytes[BYTES] = {0}, digest[SHA256_SIZE];
    hex_decode(str_of(token->fingerprint), bytes, DIGEST);
    memcpy(bytes + DIGEST, token->key, BRIDGE_KEY);
    sha256_of(str_make(bytes, DIGEST + BRIDGE_KEY), digest);
    memcpy(bytes + DIGEST + BRIDGE_KEY, digest, CHECK_BYTES);
    memcpy(out, prefix.at, prefix.len);
    hex_encode(bytes, BYTES, out + prefix.len);
    explicit_bzero(bytes, sizeof bytes);
}

int tier_token_decode(struct str text, struct tier_token *token, struct failure *failure)
{
    unsigned char bytes[BYTES], digest[SHA256_SIZE];
    text = str_trim(text);
    if (!str_starts(text, prefix))
        return fail(failure, ERR_INVALID,
                    "this is no token for tiers: one begins with \"%.*s\" (make one by `stoa token "
                    "--tiers`)",
                    STR_FMT(prefix));
    struct str hex = str_from(text, prefix.len);
    bool whole = hex.len == 2 * (size_t)BYTES && hex_decode(hex, bytes, BYTES) == 0;
    if (whole) {
        sha256_of(str_make(bytes, DIGEST + BRIDGE_KEY), digest);
        whole = memcmp(digest, bytes + DIGEST + BRIDGE_KEY, CHECK_BYTES) == 0;
    }
    if (!whole)
        return fail(failure, ERR_INVALID, "the token is not whole: copy all of it");
    hex_encode(bytes, DIGEST, token->fingerprint);
    memcpy(token->key, bytes + DIGEST, BRIDGE_KEY);
    explicit_bzero(bytes, sizeof bytes);
    return 0;
}

/* ---- The files ---- */

static int path_of(char out[FILE_PATH], const char *dir, const char *name, struct failure *failure)
{
    char folder[FILE_PATH];
    int err = file_join(folder, dir, "link", failure);
    return err ? err : file_join(out, folder, name, failure);
}

static int write_in(const char *folder, const char *name, const struct buf *text,
                    struct failure *failure)
{
    char path[FILE_PATH];
    int err = text->failed ? fail(failure, ERR_NOMEM, "out of memory")
                           : file_join(path, folder, name, failure);
    return err ? err : file_write(path, buf_text(text), failure);
}

static int write_pems(const char *folder, struct failure *failure)
{
    struct buf authority, authority_key, key, request, certificate;
    buf_init(&authority, PEM_MAX);
    buf_init(&authority_key, PEM_MAX);
    buf_init(&key, PEM_MAX);
    buf_init(&request, PEM_MAX);
    buf_init(&certificate, PEM_MAX);
    int err = authority_new("stoa tiers", &authority, &authority_key, failure);
    err = err ? err : authority_request(&key, &request, failure);
    err = err ? err
              : authority_sign(buf_text(&authority), buf_text(&authority_key), buf_text(&request),
                               "master", &certificate, failure);
    err = err ? err : write_in(folder, "authority.pem", &authority, failure);
    err = err ? err : write_in(folder, "authority-key.pem", &authority_key, failure);
    err = err ? err : write_in(folder, "server-key.pem", &key, failure);
    err = err ? err : write_in(folder, "server.pem", &certificate, failure);
    buf_close(&authority);
    buf_close(&authority_key);
    buf_close(&key);
    buf_close(&request);
    buf_close(&certificate);
    return err;
}

/* Whole or not at all: fronts and the command may come here at the same moment. */
static int make_folder(const char *dir, struct failure *failure)
{
    char folder[FILE_PATH], made[FILE_PATH], name[32];
    snprintf(name, sizeof name, "link.%d", (int)getpid());
    int err = file_join(folder, dir, "link", failure);
    if (!err && access(folder, F_OK) == 0)
        return 0;
    if (!err && access(dir, F_OK) != 0)
        return fail(failure, ERR_INVALID, "there is no directory %s: --dir is the shop's", dir);
    err = err ? err : file_join(made, dir, name, failure);
    err = err ? err : file_make_dir(made, 0700, NULL, failure);
    err = err ? err : write_pems(made, failure);
    if (!err && rename(made, folder) != 0) {
        if (errno != EEXIST && errno != ENOTEMPTY)
            err = file_failed(failure, "make", folder);
        file_remove_tree(made, NULL);
    }
    return err;
}

static int read_key(const char *dir, unsigned char key[static BRIDGE_KEY], struct failure *failure)
{
    char path[FILE_PATH], text[2 * BRIDGE_KEY + 2];
    size_t len = 0;
    int err = path_of(path, dir, "key", failure);
    err = err ? err : file_read(path, text, sizeof text, &len, NULL);
    if (err == ERR_NOTFOUND)
        return err;
    if (err)
        return file_failed(failure, "read", path);
    if (hex_decode(str_trim(str_make(text, len)), key, BRIDGE_KEY) != 0)
        return fail(failure, ERR_INVALID,
                    "%s is no key: delete it, and `stoa token --tiers` makes another", path);
    explicit_bzero(text, sizeof text);
    return 0;
}

/* Who is first wins. */
static int make_key(const char *dir, struct failure *failure)
{
    unsigned char key[BRIDGE_KEY];
    char path[FILE_PATH], made[FILE_PATH], name[32], text[2 * BRIDGE_KEY + 2];
    snprintf(name, sizeof name, "key.%d", (int)getpid());
    random_secret(key, sizeof key);
    hex_encode(key, sizeof key, text);
    strcat(text, "\n");
    int err = path_of(path, dir, "key", failure);
    err = err ? err : path_of(made, dir, name, failure);
    err = err ? err : file_write(made, str_of(text), failure);
    if (!err && link(made, path) != 0 && errno != EEXIST)
        err = file_failed(failure, "make", path);
    if (!err)
        unlink(made);
    explicit_bzero(text, sizeof text);
    explicit_bzero(key, sizeof key);
    return err;
}

static int fingerprint_of(const char *dir, char out[static FINGERPRINT_TEXT],
                          struct failure *failure)
{
    char path[FILE_PATH];
    struct buf pem;
    buf_init(&pem, PEM_MAX);
    int err = path_of(path, dir, "authority.pem", failure);
    err = err ? err : file_read_all(path, &pem, failure);
    err = err ? err : authority_fingerprint(buf_text(&pem), out, failure);
    buf_close(&pem);
    return err;
}

int tier_token_of(const char *dir, struct tier_token *token, struct failure *failure)
{
    int err = make_folder(dir, failure);
    err = err ? err : fingerprint_of(dir, token->fingerprint, failure);
    err = err ? err : read_key(dir, token->key, failure);
    if (err != ERR_NOTFOUND)
        return err;
    err = make_key(dir, failure);
    return err ? err : read_key(dir, token->key, failure);
}

int tier_token_context(const char *dir, struct tls_context **context, struct failure *failure)
{
    char certificate[FILE_PATH], key[FILE_PATH], authority[FILE_PATH];
    int err = make_folder(dir, failure);
    err = err ? err : path_of(certificate, dir, "server.pem", failure);
    err = err ? err : path_of(key, dir, "server-key.pem", failure);
    err = err ? err : path_of(authority, dir, "authority.pem", failure);
    if (err)
        return err;
    *context = tls_context_cluster(certificate, key, authority, failure);
    return *context ? 0 : ERR_INVALID;
}

bool tier_token_knows(const char *dir, const unsigned char key[static BRIDGE_KEY])
{
    unsigned char own[BRIDGE_KEY];
    bool same = read_key(dir, own, NULL) == 0 && CRYPTO_memcmp(own, key, BRIDGE_KEY) == 0;
    explicit_bzero(own, sizeof own);
    return same;
}
