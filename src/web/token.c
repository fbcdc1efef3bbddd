#include "web/token.h"

#include "net/sign.h"

#include <inttypes.h>
#include <stdio.h>

enum { VERSION = 1, MAC_BYTES = 16, MAC_TEXT = 2 * MAC_BYTES };

static void put_u64(unsigned char *at, uint64_t number)
{
    for (unsigned i = 0; i < 8; i++)
        at[i] = (unsigned char)(number >> (56 - 8 * i));
}

/* MAC_TEXT digits and a 0 into OUT; false: cannot be signed. */
static bool sign(struct signer *signer, const struct token_scope *scope, uint64_t index,
                 char out[static MAC_TEXT + 1])
{
    static const char purpose[] = "session";
    unsigned char message[sizeof purpose + 1 + sizeof scope->cluster.bytes + 16];
    unsigned char *at = message, mac[SIGN_BYTES];
    memcpy(at, purpose, sizeof purpose);
    at += sizeof purpose;
    *at++ = VERSION;
    memcpy(at, scope->cluster.bytes, sizeof scope->cluster.bytes);
    at += sizeof scope->cluster.bytes;
    put_u64(at, scope->generation);
    put_u64(at + 8, index);
    bool signed_it = signer_sign(signer, message, sizeof message, mac);
    hex_encode(mac, MAC_BYTES, out);
    return signed_it;
}

char *token_write(struct signer *signer, const struct token_scope *scope, uint64_t index,
                  char out[static TOKEN_TEXT])
{
    char mac[MAC_TEXT + 1];
    out[0] = '\0';
    if (sign(signer, scope, index, mac))
        snprintf(out, TOKEN_TEXT, "%d-%" PRIu64 "-%s", VERSION, index, mac);
    return out;
}

uint64_t token_claims(struct str text)
{
    struct str version, number;
    uint64_t index;
    if (text.len >= TOKEN_TEXT || !str_cut(&text, '-', &version) || !text.at ||
        !str_cut(&text, '-', &number) || !text.at || !str_eq(version, STR("1")) ||
        str_to_u64(number, &index))
        return 0;
    return index;
}

int token_read(struct signer *signer, const struct token_scope *scope, struct str text,
               uint64_t *index)
{
    char right[MAC_TEXT + 1];
    struct str version, number;
    uint64_t value;
    if (text.len >= TOKEN_TEXT || !str_cut(&text, '-', &version) || !text.at ||
        !str_cut(&text, '-', &number) || !text.at)
        return ERR_INVALID;
    if (!str_eq(version, STR("1")) || str_to_u64(number, &value) || text.len != MAC_TEXT)
        return ERR_INVALID;
    if (!sign(signer, scope, value, right) || !sign_same(right, text.at, MAC_TEXT))
        return ERR_DENIED;
    *index = value;
    return 0;
}
