#include "balance/home.h"

#include "http/url.h"
#include "net/sign.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAC_BYTES = 16, MAC_TEXT = 2 * MAC_BYTES, SINCE_TEXT = 14 };

struct home_signer {
    struct signer *signer;
};

void home_key(const unsigned char *secret, size_t len, unsigned char key[static HOME_KEY])
{
    static const char purpose[] = "stoa home 1";
    _Static_assert((size_t)HOME_KEY == (size_t)SIGN_BYTES, "a key is what HMAC-SHA-256 makes");
    sign_hmac(secret, len, purpose, sizeof purpose - 1, key);
}

struct home_signer *home_signer_new(const unsigned char key[static HOME_KEY])
{
    struct home_signer *made = calloc(1, sizeof *made);
    if (made)
        made->signer = signer_new(key, HOME_KEY);
    if (made && made->signer)
        return made;
    home_signer_free(made);
    return NULL;
}

void home_signer_free(struct home_signer *signer)
{
    if (signer)
        signer_free(signer->signer);
    free(signer);
}

/* MAC_TEXT digits and a 0 into OUT; false: it cannot be signed. */
static bool sign(struct home_signer *signer, struct str text, char out[static MAC_TEXT + 1])
{
    unsigned char mac[SIGN_BYTES];
    bool is_signed = signer_sign(signer->signer, text.at, text.len, mac);
    hex_encode(mac, MAC_BYTES, out);
    return is_signed;
}

/* ---- Base 36 ---- */

static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";

static char *write_base36(uint64_t number, char out[static SINCE_TEXT])
{
    char *at = out + SINCE_TEXT - 1;
    *at = '\0';
    do {
        *--at = digits[number % 36];
    } while (number /= 36);
    return at;
}

static int read_base36(struct str text, uint64_t *number)
{
    uint64_t value = 0;
    if (text.len == 0 || text.len >= SINCE_TEXT)
        return ERR_INVALID;
    for (size_t i = 0; i < text.len; i++) {
        const char *digit = memchr(digits, text.at[i], sizeof digits - 1);
        if (!digit || __builtin_mul_overflow(value, 36, &value) ||
            __builtin_add_overflow(value, (uint64_t)(digit - digits), &value))
            return ERR_INVALID;
    }
    *number = value;
    return 0;
}

/* ---- Text ---- */

char *home_write(struct home_signer *signer, const struct home *home, char out[static HOME_TEXT])
{
    char since[SINCE_TEXT], mac[MAC_TEXT + 1];
    size_t len = 0;
    for (unsigned i = 0; i < home->count; i++)
        len += (size_t)snprintf(out + len, HOME_TEXT - len, "%s%" PRIu64, i ? "." : "",
                                home->servers[i]);
    len += (size_t)snprintf(out + len, HOME_TEXT - len, "-%s", write_base36(home->since_s, since));
    if (home->count && sign(signer, str_make(out, len), mac))
        snprintf(out + len, HOME_TEXT - len, "-%s", mac);
    else
        out[0] = '\0';
    return out;
}

/* "2.3.1": at least one, each once. */
static int read_servers(struct str list, struct home *home)
{
    struct str part;
    home->count = 0;
    while (str_cut(&list, '.', &part)) {
        uint64_t server;
        if (home->count == HOME_SERVERS_MAX || str_to_u64(part, &server))
            return ERR_INVALID;
        for (unsigned i = 0; i < home->count; i++)
            if (home->servers[i] == server)
                return ERR_INVALID;
        home->servers[home->count++] = server;
    }
    return home->count ? 0 : ERR_INVALID;
}

int home_read(struct home_signer *signer, struct str text, struct home *home)
{
    char right[MAC_TEXT + 1];
    struct home read = {.count = 0};
    struct str rest = text, list, since;
    if (text.len >= HOME_TEXT || !str_cut(&rest, '-', &list) || !rest.at ||
        !str_cut(&rest, '-', &since) || !rest.at || rest.len != MAC_TEXT)
        return ERR_INVALID;
    if (read_servers(list, &read) || read_base36(since, &read.since_s))
        return ERR_INVALID;
    struct str message = str_sub(text, 0, text.len - MAC_TEXT - 1);
    if (!sign(signer, message, right) || !sign_same(right, rest.at, MAC_TEXT))
        return ERR_DENIED;
    *home = read;
    return 0;
}

/* Cookies of this name that are looked at: ours, and old ones of other paths and domains, which a
 * browser may well send first. */
enum { COOKIES_MAX = 4 };

bool home_find(struct home_signer *signer, struct str cookies, struct home *home)
{
    bool found = false;
    struct home one;
    struct str text;
    for (unsigned i = 0; i < COOKIES_MAX && cookie_next(&cookies, STR(HOME_COOKIE), &text); i++) {
        if (home_read(signer, text, &one) || (found && one.since_s <= home->since_s))
            continue;
        *home = one;
        found = true;
    }
    return found;
}
