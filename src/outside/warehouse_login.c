#include "base/clock.h"
#include "base/hash.h"
#include "base/random.h"
#include "net/openssl.h"
#include "net/sign.h"
#include "outside/warehouse_inner.h"

#include <inttypes.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SHIFT_S = 12 * 3600, /* a session ends with the working day */
    NONCE_BYTES = 16,
    WRONG_MAX = 10, /* pass phrases in a minute, of one peer */
    COOKIE_SIZE = 200,
    SCRYPT_N = 16384, /* 16 MiB and some 40 ms for each try */
    SCRYPT_R = 8,
    SCRYPT_MEMORY = 64 << 20,
};

/* ---- Keys ---- */

bool dock_login_is_bearer(const struct exchange *x, const char *token)
{
    struct str said = x->known[HTTP_FIELD_AUTHORIZATION], scheme = STR("Bearer ");
    size_t len = strlen(token);
    return len && said.at && said.len == scheme.len + len &&
           str_eq_nocase(str_sub(said, 0, scheme.len), scheme) &&
           sign_same(said.at + scheme.len, token, len);
}

int warehouse_phrase_hash(const char *phrase, const unsigned char salt[static WAREHOUSE_HASH],
                          unsigned char hash[static WAREHOUSE_HASH])
{
    return EVP_PBE_scrypt(phrase, strlen(phrase), salt, WAREHOUSE_HASH, SCRYPT_N, SCRYPT_R, 1,
                          SCRYPT_MEMORY, hash, WAREHOUSE_HASH) == 1
               ? 0
               : ERR_NOMEM;
}

void warehouse_phrase_make(char phrase[static WAREHOUSE_PHRASE])
{
    static const char consonants[] = "bdfghklmnprstvwz", vowels[] = "aeio";
    unsigned char random[10]; /* six bits of each */
    char *at = phrase;
    random_secret(random, sizeof random);
    for (unsigned i = 0; i < sizeof random; i++) {
        if (i && i % 2 == 0)
            *at++ = '-';
        *at++ = consonants[random[i] & 15];
        *at++ = vowels[random[i] >> 4 & 3];
    }
    *at = '\0';
}

/* ---- Sessions: a signed cookie, and forms that carry another signature of it ---- */

static void sign_text(const struct dock_call *call, const char *what, struct str nonce,
                      uint64_t until, char out[static 2 * SIGN_BYTES + 1])
{
    char message[200];
    unsigned char mac[SIGN_BYTES];
    int len = snprintf(message, sizeof message, "%s:%.*s:%" PRIu64, what, STR_FMT(nonce), until);
    sign_hmac(call->server->config.secret, WAREHOUSE_KEY, message, (size_t)len, mac);
    hex_encode(mac, sizeof mac, out);
}

/* Browsers send one host's cookies to all its ports: each warehouse has a name of its own. */
static struct str cookie_name(const struct dock_call *call)
{
    return arena_printf(&call->x->arena, "warehouse-%s", call->server->config.id);
}

static uint64_t now_s(void)
{
    return (uint64_t)clock_wall_ms() / 1000;
}

/* A form outside a session belongs to its cookie all the same, so that nobody can be logged in by
 * another site as somebody else: its nonce is that of the login page. */
bool dock_login_has_session(struct dock_call *call)
{
    struct str value = exchange_cookie(call->x, cookie_name(call)), rest = value, nonce, until_text;
    char right[2 * SIGN_BYTES + 1];
    uint64_t until;
    if (!value.at || !str_cut(&rest, '.', &nonce) || !str_cut(&rest, '.', &until_text) ||
        nonce.len != 2 * NONCE_BYTES || str_to_u64(until_text, &until) || !rest.at)
        return false;
    sign_text(call, "session", nonce, until, right);
    if (rest.len != strlen(right) || !sign_same(rest.at, right, rest.len) || until < now_s())
        return false;
    sign_text(call, "form", nonce, until, call->csrf);
    return true;
}

/* Says where the page is that asks: "https://warehouse.example:9300". */
static bool is_same_origin(struct dock_call *call)
{
    struct exchange *x = call->x;
    struct str site = x->known[HTTP_FIELD_SEC_FETCH_SITE], origin = x->known[HTTP_FIELD_ORIGIN];
    if (site.at)
        return str_eq(site, STR("same-origin")) || str_eq(site, STR("none"));
    return !origin.at ||
           str_eq_nocase(origin, ARENA_JOIN(&x->arena, x->scheme, STR("://"), x->host));
}

bool dock_login_is_own_form(struct dock_call *call)
{
    if (!is_same_origin(call))
        return false;
    if (!call->csrf[0])
        return true; /* no session yet: entering needs the phrase */
    struct str token = exchange_form(call->x, STR("token"));
    return token.at && token.len == strlen(call->csrf) &&
           sign_same(token.at, call->csrf, token.len);
}

static void set_cookie(struct dock_call *call, const char *value, int seconds)
{
    struct exchange *x = call->x;
    exchange_add_header(x, STR("Set-Cookie"),
                        arena_printf(&x->arena,
                                     "%.*s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Strict%s",
                                     STR_FMT(cookie_name(call)), value, seconds,
                                     str_eq(x->scheme, STR("https")) ? "; Secure" : ""));
}

static void begin_session(struct dock_call *call)
{
    unsigned char bytes[NONCE_BYTES];
    char nonce[2 * NONCE_BYTES + 1], mac[2 * SIGN_BYTES + 1], cookie[COOKIE_SIZE];
    uint64_t until = now_s() + SHIFT_S;
    random_secret(bytes, sizeof bytes);
    hex_encode(bytes, sizeof bytes, nonce);
    sign_text(call, "session", str_of(nonce), until, mac);
    snprintf(cookie, sizeof cookie, "%s.%" PRIu64 ".%s", nonce, until, mac);
    set_cookie(call, cookie, SHIFT_S);
}

/* ---- Entering ---- */

static struct dock_guest *guest_of(struct warehouse_server *server, struct str peer)
{
    struct hash_key key;
    memcpy(&key, server->config.secret, sizeof key);
    return &server->guests[hash_fast(key, peer) % GUESTS];
}

/* Whether the peer may try; counts the try as wrong until forgiven. */
static bool may_try(struct dock_call *call)
{
    struct warehouse_server *server = call->server;
    uint64_t now_ns = clock_mono_ns();
    pthread_mutex_lock(&server->lock);
    struct dock_guest *guest = guest_of(server, call->x->peer);
    if (now_ns - guest->since_ns > 60 * SEC_NS)
        *guest = (struct dock_guest){.since_ns = now_ns};
    bool may = guest->wrong < WRONG_MAX;
    guest->wrong += may;
    pthread_mutex_unlock(&server->lock);
    return may;
}

static void forgive(struct dock_call *call)
{
    pthread_mutex_lock(&call->server->lock);
    guest_of(call->server, call->x->peer)->wrong = 0;
    pthread_mutex_unlock(&call->server->lock);
}

static bool is_right(struct dock_call *call)
{
    const struct warehouse_config *config = &call->server->config;
    unsigned char hash[WAREHOUSE_HASH];
    char phrase[128];
    struct str given = exchange_form(call->x, STR("phrase"));
    str_copy(phrase, sizeof phrase, str_trim(given.at ? given : STR("")));
    int err = warehouse_phrase_hash(phrase, config->phrase_salt, hash);
    return err == 0 && given.len < sizeof phrase &&
           sign_same(hash, config->phrase_hash, sizeof hash);
}

static void show_login(struct dock_call *call, int status, const char *problem)
{
    struct value *root = dock_page_root(call, "Log in", "login");
    value_text(root, "problem", str_of(problem));
    dock_page_show(call, status, "warehouse_login", root);
}

void dock_login_page(struct dock_call *call)
{
    if (dock_login_has_session(call))
        dock_go(call, "/");
    else
        show_login(call, 200, "");
}

void dock_login_enter(struct dock_call *call)
{
    if (!may_try(call)) {
        show_login(call, 429, "Too many wrong pass phrases. Wait for a minute, then try again.");
    } else if (!is_right(call)) {
        log_line(call->server->config.log, LOG_WARN, "warehouse", "a wrong pass phrase from %.*s",
                 STR_FMT(call->x->peer));
        show_login(call, 422, "This is not the pass phrase.");
    } else {
        forgive(call);
        begin_session(call);
        dock_go(call, "/");
    }
}

void dock_login_leave(struct dock_call *call)
{
    set_cookie(call, "", 0);
    dock_go(call, "/login");
}
